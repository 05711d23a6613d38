//! Questions about directories that are no repository yet: what a typed path may become, what adding one would mean.
//!
//! They change nothing and go past `update`. Each has a thread of its own, as a dead mount answers never, and all is
//! bounded: how many are asked at once, how much each looks at, how long it counts.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::clock::Stopwatch;
use super::commands::{Addition, Desk, Refused};
use super::estimate::{estimate, whole_place};
use super::protocol::{AddRepository, Answer, COMPLETIONS, Command, Completions, Estimated, Refusal};
use crate::domain::show::show;

/// So many at once are more than one person asks, as long as the disks answer.
const AT_ONCE: usize = 8;
/// A person waits for it before a form: what is counted until then says enough.
const COUNTS_MS: u64 = 10_000;

/// The lookups that go on.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// One more for each that goes on.
    going_on: Arc<()>,
}

impl Lookups {
    /// Looks, and answers when that is done.
    pub fn look(&self, desk: &Desk, command: Command, sender: oneshot::Sender<Answer>) {
        let refuse = |sender: oneshot::Sender<Answer>, message: &str| {
            // Who asked has gone meanwhile: nobody misses the answer.
            let _unheard = sender.send(Answer::Refused(Refusal::new("unavailable", message)));
        };
        let going_on = Arc::clone(&self.going_on);
        if Arc::strong_count(&going_on) > AT_ONCE + 1 {
            return refuse(sender, "earlier questions are not answered yet; is a disk or share away?");
        }
        let desk = desk.clone();
        let looked = std::thread::Builder::new().name("lookup".to_owned()).spawn(move || {
            let watch = Stopwatch::start();
            let answer = match command {
                Command::Complete { path } => complete(&path).map(Answer::Completions),
                Command::Estimate(add) => {
                    let goes_on = || watch.elapsed_ms() < COUNTS_MS && !sender.is_closed();
                    desk.estimate(&add, goes_on).map(|estimated| Answer::Estimated(Box::new(estimated)))
                }
                other => unreachable!("the shell sends no {other:?} here"),
            };
            let _unheard = sender.send(answer.unwrap_or_else(Answer::Refused));
            drop(going_on);
        });
        if let Err(error) = looked {
            // The sender went with the thread: who asked hears that there will be no answer.
            tracing::warn!(%error, "a directory could not be looked at");
        }
    }
}

impl Desk {
    fn estimate(&self, add: &AddRepository, goes_on: impl FnMut() -> bool) -> Refused<Estimated> {
        let Addition { path, name, .. } = self.check_addition(add)?;
        let estimate = estimate(&path, &self.data_directory, &add.settings, goes_on)
            .map_err(|message| Refusal::new("invalid", message))?;
        Ok(Estimated { whole: whole_place(&path).map(str::to_owned), path, name, estimate })
    }
}

/// Returns the directories that begin as `path` does. Hidden ones only when their dot was typed.
fn complete(path: &Path) -> Refused<Completions> {
    let bytes = path.as_os_str().as_bytes();
    let cut = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (directory, beginning) = bytes.split_at(cut);
    if !directory.starts_with(b"/") {
        return Err(Refusal::new("usage", "the path to be completed must be absolute"));
    }
    let directory = Path::new(std::ffi::OsStr::from_bytes(directory));
    let failed = |error| Refusal::new("invalid", format!("{}: {error}", show(directory.as_os_str().as_bytes())));
    let (mut directories, is_cut) = crate::disk::directories_in(directory, beginning).map_err(failed)?;
    let is_more = directories.len() > COMPLETIONS;
    directories.truncate(COMPLETIONS);
    let directories = directories.into_iter().map(|name| directory.join(name)).collect::<Vec<PathBuf>>();
    Ok(Completions { directories, is_cut: is_cut || is_more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_completed_by_directories_and_links_to_them_by_name() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["music", "museum", "mu file", ".mute", "other"] {
            std::fs::create_dir(temp.path().join(name)).unwrap();
        }
        std::fs::write(temp.path().join("must.txt"), "").unwrap();
        std::os::unix::fs::symlink("other", temp.path().join("mulink")).unwrap();
        let check = |typed: &str, expected: &[&str]| {
            let found = complete(&temp.path().join(typed)).unwrap();
            let expected: Vec<PathBuf> = expected.iter().map(|name| temp.path().join(name)).collect();
            assert_eq!((found.directories, found.is_cut), (expected, false), "{typed:?}");
        };
        check("mu", &["mu file", "mulink", "museum", "music"]);
        check(".", &[".mute"]);
        check("", &["mu file", "mulink", "museum", "music", "other"]);
        check("must", &[]);
        assert_eq!(complete(&temp.path().join("none/x")).unwrap_err().code, "invalid");
        assert_eq!(complete(Path::new("music")).unwrap_err().code, "usage");
    }

    #[test]
    fn at_most_so_many_directories_are_offered() {
        let temp = tempfile::tempdir().unwrap();
        (0..=COMPLETIONS).for_each(|at| std::fs::create_dir(temp.path().join(format!("d{at:03}"))).unwrap());
        let found = complete(&temp.path().join("d")).unwrap();
        assert_eq!((found.directories.len(), found.is_cut), (COMPLETIONS, true));
    }
}
