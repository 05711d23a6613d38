//! The journal: every run a second time, as checksummed lines of JSON in files that only grow.
//!
//! ```text
//! journal/000001.jsonl   segment, start, finish, start, ...       each line holds the hash of the line before it,
//! journal/000002.jsonl   segment, finish, ...  <- written here    across the files, and a checksum of itself
//! ```
//!
//! 1. A line is on the disk (`fdatasync`) before [`Journal::append`] returns; a file is in its directory before its first
//!    line counts.
//! 2. Numbers of lines (`seq`) rise by one and are never used again.
//! 3. Reading never takes a bad line for a good one: what is damaged, missing or misplaced is named ([`Fault`]).
//! 4. Each file begins with all repositories, so that the last one alone tells which there are.
//! 5. What is damaged is moved aside, never deleted. Old files go only when every run in them is gone or written anew.
//!
//! A replay is an upsert by run id in the order of the lines ([`Book`]), so a line that stands twice does no harm. Touches its
//! own directory and `quarantine/` only; knows no SQL and asks no clock.

mod book;
mod compare;
mod fault;
mod line;
mod read;
mod record;
mod segment;
mod write;

pub use book::{Book, Entry};
pub use compare::{Astray, Difference, Row, clash, compare, compare_repositories};
pub use fault::Fault;
pub use read::{Extent, Reading, copy, read};
pub use record::{Event, row_sum};
pub use write::{Floor, Journal, Written, exists, set_aside, write_copy};

use std::path::{Path, PathBuf};

/// Where the journal lies in a data directory.
pub const DIRECTORY: &str = "journal";
/// Where damaged files go.
pub const QUARANTINE: &str = "quarantine";

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("journal: {}: {source}", .path.display())]
pub struct JournalError {
    pub path: PathBuf,
    pub source: std::io::Error,
}

impl JournalError {
    pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> JournalError + '_ {
        move |source| JournalError { path: path.to_owned(), source }
    }

    /// Tells whether there was no room for it.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind;
        matches!(self.source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
    }
}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, JournalError>;

#[cfg(test)]
mod tests;
