//! The journal beside the index, run by run: what does not agree. Serves recovery, and whoever only wants to know.

use std::collections::BTreeMap;
use std::fmt;

use super::book::{Book, Entry};
use super::record::row_sum;
use crate::domain::report::Run;

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
