//! What a run and the hints that are served beside it know of each other, so that no directory is in two hands at once.
//!
//! A directory is in work until what was found in it is on its way to the writer. The run waits for the hints (which are
//! short); the hints wait for the run only while they hold nothing, and not for long: a directory that stays in its hands
//! is looked at again a moment later. What is on its way is overtaken by hints, which are urgent to the writer: where it
//! is about the same place, they wait until it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::shared::MovedDirectory;
use crate::disk::{Filter, FilterError, OwnFiles};
use crate::domain::hint::Hints;
use crate::domain::path::parents;
use crate::domain::repository::Selection;
use crate::index::{IndexError, Reader, Result, WriteProgress};

/// So many directories that were given back are remembered, whether their rows stand or not.
const KEPT: usize = 64;
/// Hints wait for so long for a directory that the run has; others may come meanwhile.
const A_MOMENT: Duration = Duration::from_millis(5);

/// Shared by a run's workers and the thread that serves hints beside it.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Hints are served beside the run. Without them nothing here costs anything.
    is_shared: bool,
    places: Mutex<Places>,
    /// How often a hint has met a directory in the run's hands: what is done there is to be sent, and not gathered any
    /// longer, by each worker.
    wanted: AtomicU64,
    changed: Condvar,
    /// Directories that were found at another place: the one who finds them looks at everything below.
    pub moved: Mutex<Vec<MovedDirectory>>,
    /// Files whose removal has passed the guard in this run.
    pub removed: AtomicU64,
    /// Opened before: a batch of hints comes every few hundred milliseconds, and opening one costs as much as its work.
    readers: Mutex<Vec<Reader>>,
    /// Made ready once for all batches: a realtime run ends when the settings of its repository change.
    filter: OnceLock<Arc<Filter>>,
    own: OnceLock<Arc<OwnFiles>>,
}

#[derive(Debug, Default)]
struct Places {
    /// In the hands of the run's workers, and of how many.
    of_run: BTreeMap<Vec<u8>, usize>,
    of_hints: BTreeSet<Vec<u8>>,
    /// Given back by the run while its rows were on their way to the writer: how many batches had been sent by then.
    sent: BTreeMap<Vec<u8>, u64>,
    /// How many of these are kept before those that stand by now are let go.
    kept: usize,
    /// A hint waits for one that the run has.
    is_waited_for: bool,
    /// Looked at for a hint: the row of a directory that the run takes for new may stand already.
    hinted: BTreeSet<Vec<u8>>,
    /// Directories that are gone, whose removal waits for the end of the run that may be inside them.
    postponed: Hints,
}

impl Company {
    pub fn new(is_shared: bool) -> Company {
        Company { is_shared, ..Company::default() }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().expect("no one panics while holding this lock")
    }

    /// Returns what belongs to the repository.
    ///
    /// # Errors
    /// When a pattern cannot be understood.
    pub fn filter(&self, selection: &Selection) -> std::result::Result<Arc<Filter>, FilterError> {
        if let Some(filter) = self.filter.get() {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(Filter::new(selection)?);
        Ok(Arc::clone(self.filter.get_or_init(|| filter)))
    }

    /// Returns our own files.
    pub fn own(&self, data_directory: &Path) -> Arc<OwnFiles> {
        Arc::clone(self.own.get_or_init(|| Arc::new(OwnFiles::find(data_directory))))
    }

    /// Returns a reader of the index.
    ///
    /// # Errors
    /// When the index cannot be opened.
    pub fn reader(&self, index: &Path) -> Result<Reader> {
        let kept = self.readers.lock().expect("no one panics while holding this lock").pop();
        match kept {
            Some(reader) => Ok(reader),
            None => Reader::open(index)?.ok_or_else(|| IndexError::broken("the index file has gone")),
        }
    }

    /// Keeps a reader for the next who needs one.
    pub fn keep_reader(&self, reader: Reader) {
        self.readers.lock().expect("no one panics while holding this lock").push(reader);
    }

    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Forgets which directories were found at another place.
    pub fn forget_moved(&self) {
        self.moved.lock().expect("no one panics while holding this lock").clear();
    }

    /// Tells whether a worker of the run would have to wait for a directory.
    pub fn is_hinted_now(&self, path: &[u8]) -> bool {
        self.is_shared && self.places().of_hints.contains(path)
    }

    /// Takes a directory for the run, when no hint has it; returns whether one had it before.
    pub fn enter(&self, path: &[u8]) -> bool {
        if !self.is_shared {
            return false;
        }
        let mut places = self.places();
        while places.of_hints.contains(path) {
            places = self.changed.wait(places).expect("no one panics while holding this lock");
        }
        *places.of_run.entry(path.to_vec()).or_default() += 1;
        places.hinted.contains(path)
    }

    /// Gives a directory back: what the run found in it is on its way.
    pub fn leave(&self, path: &[u8], progress: WriteProgress) {
        let mut places = self.places();
        if let Some(count) = places.of_run.get_mut(path) {
            *count -= 1;
            if *count == 0 {
                places.of_run.remove(path);
            }
        }
        if progress.sent > progress.written {
            places.sent.insert(path.to_vec(), progress.sent);
            if places.sent.len() > places.kept {
                places.sent.retain(|_, sent| *sent > progress.written);
                places.kept = (places.sent.len() * 2).max(KEPT);
            }
        }
        if std::mem::take(&mut places.is_waited_for) {
            self.changed.notify_all();
        }
    }

    /// Takes a directory for a hint. Returns how many of the run's batches must be written before it is looked at;
    /// `None` when the run has it.
    pub fn enter_for_hint(&self, path: &[u8]) -> Option<u64> {
        if !self.is_shared {
            return Some(0);
        }
        let mut places = self.places();
        if places.of_run.contains_key(path) {
            self.wanted.fetch_add(1, Relaxed);
            return None;
        }
        places.of_hints.insert(path.to_vec());
        places.hinted.insert(path.to_vec());
        // What was found in a directory above may be about this one: that it is gone, or has moved.
        let above = parents(path).chain([path]);
        Some(above.filter_map(|path| places.sent.get(path)).copied().max().unwrap_or_default())
    }

    /// Waits a moment for the run to give something back. Who calls it holds nothing.
    pub fn wait_for_run(&self) {
        let mut places = self.places();
        places.is_waited_for = true;
        // Woken for another directory, or not at all: whoever waits looks for himself.
        let _woken = self.changed.wait_timeout(places, A_MOMENT).expect("no one panics while holding this lock");
    }

    /// Returns how often a hint has waited for what the run has gathered.
    pub fn wanted(&self) -> u64 {
        self.wanted.load(Relaxed)
    }

    /// Gives back all that was taken for hints: what was found is committed.
    pub fn leave_hints(&self) {
        self.places().of_hints.clear();
        self.changed.notify_all();
    }

    /// Puts a directory that is gone aside until the run has ended.
    pub fn postpone(&self, directory: &[u8], name: &[u8]) {
        self.places().postponed.name(directory, name, true);
    }

    /// Returns how much was put aside.
    pub fn postponed(&self) -> u64 {
        self.places().postponed.len() as u64
    }

    /// Returns what was put aside.
    pub fn take_postponed(&self) -> Hints {
        std::mem::take(&mut self.places().postponed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_never_in_the_hands_of_a_run_and_a_hint() {
        let company = Company::new(true);
        assert!(!company.enter(b"a"));
        assert_eq!(company.enter_for_hint(b"a"), None);
        assert!(company.enter_for_hint(b"b").is_some());
        assert!(company.is_hinted_now(b"b"));
        company.leave(b"a", WriteProgress::default());
        assert_eq!(company.enter_for_hint(b"a"), Some(0));
        company.leave_hints();
        assert!(company.enter(b"a"), "a hint was there before: its row may stand");
    }

    #[test]
    fn a_hint_hears_which_of_the_runs_rows_it_must_not_overtake() {
        let company = Company::new(true);
        for path in [&b"a"[..], b"b", b"c"] {
            company.enter(path);
        }
        company.leave(b"a", WriteProgress { sent: 7, written: 5 });
        company.leave(b"b", WriteProgress { sent: 8, written: 7 });
        company.leave(b"c", WriteProgress { sent: 9, written: 9 });
        assert_eq!(company.enter_for_hint(b"a"), Some(7));
        assert_eq!(company.enter_for_hint(b"a/x/y"), Some(7), "what was found above may be about it");
        assert_eq!(company.enter_for_hint(b"ab"), Some(0));
        assert_eq!(company.enter_for_hint(b"c"), Some(0), "it stands");
    }

    #[test]
    fn what_stands_is_forgotten_when_there_is_much_of_it() {
        let company = Company::new(true);
        for number in 1..=10_000 {
            company.leave(format!("{number}").as_bytes(), WriteProgress { sent: number, written: number - 1 });
        }
        assert!(company.places().sent.len() <= KEPT);
        assert_eq!(company.enter_for_hint(b"10000"), Some(10_000));
    }
}
