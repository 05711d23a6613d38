//! Takes from a thread the right to write anywhere but where it must: whatever is wrong with a run, it cannot harm what it
//! reads (invariant 9). The kernel keeps it so, by Landlock, for root as well.
//!
//! Not stopped are `chmod` and the setting of times, for which Landlock has no right; no code here calls them.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus,
};
use rustix::fs::{Access, access};

/// Making, writing, moving and removing. What an older kernel lacks of it is left out. Cutting a file off that is not
/// opened for writing comes with V3, and is left out, too: with it the kernel looks for rules up to the root at each
/// opening, also for reading, which is a quarter of the time of a first index; no code here calls it.
const RIGHTS_OF: ABI = ABI::V2;

/// Why a thread may still write everywhere.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    #[error("this kernel has no Landlock")]
    Unsupported,
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    #[error(transparent)]
    Path(#[from] PathFdError),
}

/// Lets the calling thread, and those that it starts from now on, write in `own_directory` and, for what SQLite cannot
/// sort in memory, in the directory for temporary files. There is no way back: programs that it starts are confined, too.
///
/// # Errors
/// When the kernel cannot do it. The thread works on as before then.
pub fn confine_thread(own_directory: &Path) -> Result<(), ConfineError> {
    let writes = AccessFs::from_write(RIGHTS_OF);
    let mut rules = Ruleset::default().handle_access(writes)?.create()?;
    rules = rules.add_rule(PathBeneath::new(PathFd::new(own_directory)?, writes))?;
    if let Some(temporary) = temporary_directory() {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(temporary)?, writes))?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(ConfineError::Unsupported),
    }
}

/// Returns the directory that SQLite takes for temporary files: it asks in this order (sqlite.org/tempfiles.html).
fn temporary_directory() -> Option<PathBuf> {
    let named = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/var/tmp", "/usr/tmp", "/tmp"].into_iter().map(PathBuf::from);
    named.chain(usual).find(|path| path.is_dir() && access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::ErrorKind::PermissionDenied;
    use std::os::unix::fs::symlink;

    /// Runs `work` on a thread that is confined to `own`; `None` where the kernel cannot do that.
    fn confined<T: Send>(own: &Path, work: impl FnOnce() -> T + Send) -> Option<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| match confine_thread(own) {
                Ok(()) => Some(work()),
                Err(error) => {
                    // It is not silently green.
                    assert!(std::env::var_os("WATCHKEEPER_TEST_NO_SKIP").is_none(), "SKIPPED: {error}");
                    assert!(matches!(error, ConfineError::Unsupported), "{error}");
                    None
                }
            });
            thread.join().unwrap()
        })
    }

    /// Returns a directory that SQLite's temporary files do not go to.
    fn outside() -> PathBuf {
        let taken = temporary_directory();
        let usual = std::env::temp_dir();
        let is_free = |path: &PathBuf| taken.as_ref().is_none_or(|taken| !path.starts_with(taken));
        [usual, PathBuf::from("/dev/shm"), PathBuf::from(env!("CARGO_MANIFEST_DIR"))].into_iter().find(is_free).unwrap()
    }

    /// A tree, and a directory of our own.
    fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let temp = tempfile::tempdir_in(outside()).unwrap();
        let (tree, own) = (temp.path().join("tree"), temp.path().join("own"));
        fs::create_dir_all(tree.join("directory/empty")).unwrap();
        fs::create_dir(&own).unwrap();
        fs::write(tree.join("file"), "content").unwrap();
        (temp, tree, own)
    }

    #[test]
    fn a_confined_thread_reads_a_tree_and_cannot_change_it() {
        let (_temp, tree, own) = places();
        let at = |name: &str| tree.join(name);
        let tried = confined(&own, || {
            assert_eq!(fs::read(at("file")).unwrap(), b"content");
            assert_eq!(fs::read_dir(&tree).unwrap().count(), 2);
            [
                ("make a file", File::create_new(at("new")).map(drop)),
                ("write", File::options().append(true).open(at("file")).map(drop)),
                ("cut", File::options().write(true).truncate(true).open(at("file")).map(drop)),
                ("remove", fs::remove_file(at("file"))),
                ("move", fs::rename(at("file"), at("moved"))),
                ("move away", fs::rename(at("file"), own.join("moved"))),
                ("link", fs::hard_link(at("file"), at("linked"))),
                ("make a link", symlink("file", at("symlink"))),
                ("make a directory", fs::create_dir(at("made"))),
                ("remove a directory", fs::remove_dir(at("directory/empty"))),
            ]
        });
        for (what, done) in tried.into_iter().flatten() {
            let error = done.expect_err(what);
            // A move into another directory is refused as one into another file system.
            let is_refused = matches!(error.kind(), PermissionDenied | std::io::ErrorKind::CrossesDevices);
            assert!(is_refused, "{what}: {error}");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"content");
    }

    #[test]
    fn a_confined_thread_writes_in_our_own_directory_and_so_do_all_other_threads_everywhere() {
        let (_temp, tree, own) = places();
        confined(&own, || {
            fs::write(own.join("a"), "1").unwrap();
            fs::rename(own.join("a"), own.join("b")).unwrap();
            fs::remove_file(own.join("b")).unwrap();
            let started = std::thread::spawn({
                let new = tree.join("new");
                move || fs::write(new, "1")
            });
            assert!(started.join().unwrap().is_err(), "a thread that it starts is confined, too");
        });
        fs::write(tree.join("new"), "1").unwrap();
    }
}
