//! The journal beside the index, run by run and repository by repository: what does not agree. Serves recovery, and whoever
//! only wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::book::{Book, Entry};
use super::record::row_sum;
use crate::domain::report::{Definition, Run};

/// A row of the index with the sum that stands beside it.
pub type Row = (Run, Option<[u8; 16]>);

/// A run on which the two do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The index has lost it.
    OnlyJournal(Entry),
    /// The journal knows its end, the index does not: killed between the two, or the index went back in time.
    Unended(Entry),
    /// The row, or its sum, is not what was written.
    Other(Entry),
    /// The journal has lost it, or its end.
    OnlyIndex(Run),
    /// The journal says that the history keeps it no more: the index went back in time.
    Gone(Run),
    /// It has no end anywhere: it runs, or was cut off. With what is known of it.
    Open(Run),
}

impl Difference {
    pub fn run(&self) -> &Run {
        match self {
            Difference::OnlyJournal(entry) | Difference::Unended(entry) | Difference::Other(entry) => &entry.run,
            Difference::OnlyIndex(run) | Difference::Gone(run) | Difference::Open(run) => run,
        }
    }

    /// Tells whether the index is older than the journal.
    pub fn is_behind(&self) -> bool {
        matches!(self, Difference::OnlyJournal(_) | Difference::Unended(_) | Difference::Gone(_))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Difference::OnlyJournal(_) => "is in the journal and not in the index",
            Difference::Unended(_) => "has an end in the journal and none in the index",
            Difference::Other(_) => "is not in the index as the journal has it",
            Difference::OnlyIndex(_) => "is in the index and not in the journal",
            Difference::Gone(_) => "is in the index, although the journal says that it is kept no more",
            Difference::Open(_) => "has no end",
        };
        write!(f, "run {} ({}) {what}", self.run().number, self.run().run_id)
    }
}

/// A repository on which the two do not agree. Its place's identity does not count: a run notes that by itself, and the
/// journal has it from the run's end on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Astray {
    /// The index has lost it.
    OnlyJournal(Definition),
    /// The index has other settings.
    Other(Definition),
    /// The journal says that it was removed.
    Gone(Definition),
    /// The journal has not heard of it: killed between the two, or the journal has lost it.
    OnlyIndex(Definition),
}

impl Astray {
    /// Tells whether the index is older than the journal, or has what nobody was told of.
    pub fn is_behind(&self) -> bool {
        !matches!(self, Astray::OnlyIndex(_))
    }
}

impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (definition, what) = match self {
            Astray::OnlyJournal(definition) => (definition, "is in the journal and not in the index"),
            Astray::Other(definition) => (definition, "is not in the index as the journal has it"),
            Astray::Gone(definition) => (definition, "is in the index, although the journal says that it was removed"),
            Astray::OnlyIndex(definition) => (definition, "is in the index and not in the journal"),
        };
        write!(f, "repository {} {what}", definition.name)
    }
}

/// Compares the repositories of the book with those of the index. Returns what does not agree, by id.
pub fn compare_repositories(book: &Book, rows: &[Definition]) -> Vec<Astray> {
    let mut astray = Vec::new();
    for row in rows {
        match book.repositories.get(&row.id) {
            Some((told, _)) if Definition { identity: row.identity.clone(), ..told.clone() } == *row => {}
            Some((told, _)) => astray.push(Astray::Other(told.clone())),
            None if book.gone_repositories.contains(&row.id) => astray.push(Astray::Gone(row.clone())),
            None => astray.push(Astray::OnlyIndex(row.clone())),
        }
    }
    let there: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
    let lost = book.repositories.values().filter(|(told, _)| !there.contains(&told.id));
    astray.extend(lost.map(|(told, _)| Astray::OnlyJournal(told.clone())));
    astray
}

/// Returns the number of a run that is another in the journal than in the index: the two are not of one history.
pub fn clash(differences: &[Difference]) -> Option<i64> {
    let told = differences.iter().filter(|found| matches!(found, Difference::OnlyJournal(_)));
    let numbers: BTreeSet<i64> = told.map(|found| found.run().number).collect();
    let in_index = |found: &&Difference| matches!(found, Difference::OnlyIndex(_) | Difference::Gone(_));
    differences.iter().filter(in_index).map(|found| found.run().number).find(|number| numbers.contains(number))
}

/// Compares all that is in the book with rows by run id. Returns what does not agree, by number.
pub fn compare(book: &Book, rows: &BTreeMap<String, Row>) -> Vec<Difference> {
    let told = book.runs.iter().filter_map(|(run_id, entry)| {
        let row = rows.get(run_id);
        match (entry.run.outcome, row) {
            (None, None) => Some(Difference::Open(entry.run.clone())),
            (None, Some((row, _))) if row.outcome.is_none() => Some(Difference::Open(row.clone())),
            (None, Some((row, _))) => Some(Difference::OnlyIndex(row.clone())),
            (Some(_), None) => Some(Difference::OnlyJournal(entry.clone())),
            (Some(_), Some((row, _))) if row.outcome.is_none() => Some(Difference::Unended(entry.clone())),
            (Some(_), Some((row, sum))) => {
                let agrees = *row == entry.run && *sum == Some(row_sum(row));
                (!agrees).then(|| Difference::Other(entry.clone()))
            }
        }
    });
    let untold = rows.values().filter(|(row, _)| !book.runs.contains_key(&row.run_id)).map(|(row, _)| {
        if book.gone.contains(&row.number) {
            Difference::Gone(row.clone())
        } else if row.outcome.is_none() {
            Difference::Open(row.clone())
        } else {
            Difference::OnlyIndex(row.clone())
        }
    });
    let mut differences: Vec<Difference> = told.chain(untold).collect();
    differences.sort_by_key(|difference| difference.run().number);
    differences
}
