//! One engine per data directory: a lock file that is held as long as the process lives (invariant 3).
//!
//! `flock` on a file of its own: the lock dies with its process and is never stale, and no lock of SQLite is touched.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::clock;
use crate::domain::show::show;
use crate::index::{IndexError, Reader};

/// The held lock; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The one before was cut off: its name still stands in the file.
    pub was_cut_off: bool,
    /// What that one left has been mended: from here on the end is one in order.
    pub is_settled: bool,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another watchkeeper has this data directory: {holder}")]
    Held { holder: String },
    #[error("{} cannot be written: {source}", show(path.as_os_str().as_bytes()))]
    Io { path: PathBuf, source: std::io::Error },
}

impl Lock {
    /// Takes the lock at `path` and writes down who holds it since when.
    ///
    /// # Errors
    /// When another process holds it, with its pid and since when; or when the file cannot be used.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // A link that somebody has put there must not have its target emptied.
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let mut file = options.open(path).map_err(failed)?;
        match lock_exclusively(&file) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Best effort: without it the message says less.
                let _read = Read::by_ref(&mut file).take(200).read_to_string(&mut holder);
                let holder = show(holder.trim().as_bytes());
                return Err(LockError::Held { holder });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let was_cut_off = write_holder(&mut file).map_err(failed)?;
        Ok(Lock { file, was_cut_off, is_settled: false })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_settled {
            // If it stays, the next start looks more closely than it needs to.
            let _cleared = self.file.set_len(0);
        }
    }
}

/// Writes down who holds the lock since when; returns whether the one before was cut off.
fn write_holder(file: &mut File) -> std::io::Result<bool> {
    let was_cut_off = file.metadata()?.len() > 0;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "pid {} since {}", std::process::id(), clock::wall().rfc3339())?;
    Ok(was_cut_off)
}

/// Takes the lock; tries again shortly, as someone who only asks ([`is_running`]) holds it for a moment.
fn lock_exclusively(file: &File) -> Result<(), rustix::io::Errno> {
    for _ in 0..5 {
        if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Returns who has a data directory, as he has written it down; one line.
pub fn holder(data_directory: &Path) -> String {
    let written = std::fs::read_to_string(data_directory.join("engine.lock")).unwrap_or_default();
    crate::domain::show::show_message(written.trim()).into_owned()
}

/// Tells whether a process holds the lock of a data directory now.
pub fn is_running(data_directory: &Path) -> bool {
    let mut options = File::options();
    // Who would wait here for the other end of a pipe waits for ever.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let Ok(file) = options.open(data_directory.join("engine.lock")) else { return false };
    // Shared, and let go at once: two who ask do not see each other.
    matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(rustix::io::Errno::WOULDBLOCK))
}

/// Opens the index of a data directory to read, as one who is not its engine; `None` when there is none yet.
///
/// # Errors
/// Those of [`Reader::open`]; also when it has gone and left its journal.
pub fn open_index(data_directory: &Path) -> Result<Option<Reader>, IndexError> {
    let path = data_directory.join("index.db");
    // An engine writes the start of a run only while it has the lock.
    match is_running(data_directory) {
        true => Reader::open(&path),
        false => match Reader::open_left_alone(&path)? {
            None if crate::journal::exists(data_directory) => Err(IndexError::Missing(path)),
            opened => Ok(opened),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_told_who_holds_the_lock() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("engine.lock");
        let first = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("pid {} since 2", std::process::id())), "{refused}");
        assert!(is_running(temp.path()) && !first.was_cut_off);
        drop(first);
        assert!(!is_running(temp.path()));
        let mut second = Lock::take(&path).unwrap();
        assert!(second.was_cut_off, "the first did not say that it ended in order");
        second.is_settled = true;
        drop(second);
        assert!(!Lock::take(&path).unwrap().was_cut_off);
    }
}
