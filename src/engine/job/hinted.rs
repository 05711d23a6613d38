//! What a batch of hints adds to a look: which files are known to be complete, and what is put off as it still changes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::serve::HintBatch;
use super::shared::Shared;
use crate::domain::hint::{Hints, Look};
use crate::domain::record::Stamp;
use crate::domain::run::Kind;
use crate::engine::clock;

/// A file that may still be open for writing is read when its stamp has rested for so long.
pub(super) const SETTLED_AFTER_NS: i64 = 2_000_000_000;

/// One batch's knowledge.
#[derive(Debug, Default)]
pub(super) struct Hinted {
    /// By directory and name: closed after its last write, or put there whole.
    complete: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, bool>>,
    deferred: Mutex<Hints>,
    /// Removals are decided on, and wait for no others.
    pub judges_removals: bool,
}

impl Hinted {
    pub fn new(batch: &HintBatch) -> Hinted {
        let names = |look: &Look| match look {
            Look::Names(names) => names.clone(),
            Look::Listing => BTreeMap::new(),
        };
        let complete = batch.places.iter().map(|(directory, look)| (directory.clone(), names(look))).collect();
        // What polls see is everything below a place, and no part of it.
        let judges_removals = batch.judges_removals || !batch.polls.is_empty();
        Hinted { complete, deferred: Mutex::default(), judges_removals }
    }

    fn deferred(&self) -> std::sync::MutexGuard<'_, Hints> {
        self.deferred.lock().expect("no one panics while holding this lock")
    }

    /// Returns what is to be looked at again in a moment.
    pub fn take_deferred(&self) -> Hints {
        std::mem::take(&mut self.deferred())
    }
}

impl Shared {
    /// Tells whether a file may still be in the middle of being written. Only hints wait for it: what a person or the
    /// schedule asked for reads at once and marks what is too young to be trusted.
    pub fn is_unsettled(&self, directory: &[u8], name: &[u8], stamp: &Stamp) -> bool {
        let Some(hinted) = &self.hinted else { return false };
        if !self.spec.hashing || self.spec.kind != Kind::Realtime {
            return false;
        }
        let age_ns = clock::wall_ns().saturating_sub(stamp.ctime_ns);
        let is_complete = || hinted.complete.get(directory).and_then(|names| names.get(name)) == Some(&true);
        (0..SETTLED_AFTER_NS).contains(&age_ns) && !is_complete()
    }

    /// Tells whether more of what is gone may be on its way, in hints that are not served yet.
    pub fn may_be_a_part(&self) -> bool {
        self.hinted.as_ref().is_some_and(|hinted| !hinted.judges_removals)
    }

    /// Puts a file off.
    pub fn defer(&self, directory: &[u8], name: &[u8]) {
        if let Some(hinted) = &self.hinted {
            hinted.deferred().name(directory, name, false);
        }
    }

    /// Puts a directory off that is in other hands.
    pub fn defer_directory(&self, path: &[u8]) {
        if let Some(hinted) = &self.hinted {
            hinted.deferred().listing(path);
        }
    }
}
