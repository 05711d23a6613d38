//! What a journal says when all of it is read: the runs and repositories that there are, and those that are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Event, Head};
use crate::domain::report::{Definition, Run};
use crate::domain::repository::RepositoryId;

/// A run as its last line tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub run: Run,
    pub seq: u64,
}

/// The sum of all lines, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// By run id.
    pub runs: BTreeMap<String, Entry>,
    /// Numbers of runs that the history keeps no more: an old index that still has them must not bring them back.
    pub gone: BTreeSet<i64>,
    /// With the line that told it.
    pub repositories: BTreeMap<RepositoryId, (Definition, u64)>,
    pub gone_repositories: BTreeSet<RepositoryId>,
    /// The highest number that a run has got.
    pub last_number: i64,
    /// Lines before this one were dropped on purpose.
    pub kept_from: u64,
}

impl Book {
    /// Takes one line in.
    pub fn take(&mut self, seq: u64, event: Event) {
        match event {
            Event::Start(run) | Event::Finish(run) | Event::Interrupted(run) | Event::Backfill(run) => {
                self.put(seq, run);
            }
            Event::Fold(run, gone) => {
                self.put(seq, run);
                self.forget(&gone);
            }
            Event::Forget(gone) => self.forget(&gone),
            Event::Repository(definition) => {
                self.gone_repositories.remove(&definition.id);
                self.repositories.insert(definition.id, (definition, seq));
            }
            Event::Gone(id) => {
                self.repositories.remove(&id);
                self.gone_repositories.insert(id);
                self.runs.retain(|_, entry| entry.run.repository_id != id);
            }
            Event::Segment(head) => self.open(seq, head),
        }
    }

    fn put(&mut self, seq: u64, run: Run) {
        self.last_number = self.last_number.max(run.number);
        self.gone.remove(&run.number);
        self.runs.insert(run.run_id.clone(), Entry { run, seq });
    }

    fn forget(&mut self, numbers: &[i64]) {
        self.gone.extend(numbers);
        let gone = &self.gone;
        self.runs.retain(|_, entry| !gone.contains(&entry.run.number));
    }

    fn open(&mut self, seq: u64, head: Head) {
        self.last_number = self.last_number.max(head.last_number);
        self.kept_from = self.kept_from.max(head.kept_from);
        for definition in head.repositories {
            // A change that it repeats is as old as it was.
            let is_known = self.repositories.get(&definition.id).is_some_and(|(known, _)| *known == definition);
            if !is_known {
                self.repositories.insert(definition.id, (definition, seq));
            }
        }
    }
}
