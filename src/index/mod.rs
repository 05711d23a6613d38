//! The index: one SQLite file with repositories, records, runs, changes, problems. The only room that knows SQL.
//!
//! One [`Writer`] thread holds the only read-write connection; [`Reader`]s are read-only and many. Does not touch
//! watched trees and asks no clock: times come in with the values.

mod abandon;
mod apply;
mod backup;
mod browse;
mod causes;
mod changes;
mod connection;
mod coverage;
mod decisions;
mod digest;
mod files;
mod known;
mod migrate;
mod moves;
mod place;
mod problems;
mod queue;
mod reader;
mod recent;
mod relocate;
mod removal;
mod repositories;
mod reserve;
mod retention;
mod runs;
mod seal;
mod settings;
mod settle;
mod stats;
mod status;
mod timeline;
mod tuning;
mod twins;
mod wal;
mod writer;

pub use apply::{Batch, DirectoryRow, FileRow, Op, RunContext};
pub use backup::{Contents, Draft, older_schema, unpack};
pub use browse::{Key as RowKey, Listed, Mark, Page, Seek, Sort as RowSort};
pub use causes::{Cause, CauseKey, Members, Sort};
pub use changes::ChangeFilter;
pub use connection::Health;
pub use decisions::HoldResult;
pub use files::FileQuery;
pub use known::{KnownDirectory, KnownFile};
pub use migrate::known as known_schema;
pub use problems::OpenProblems;
pub use queue::Progress as WriteProgress;
pub use reader::Reader;
pub use removal::Parked;
pub use retention::Retention;
pub use runs::{CUT_OFF, CloseRun, NewRun, RunFilter};
#[cfg(test)]
pub use seal::unsealed;
pub use seal::{Conflict, Replay, Seal};
pub use settle::Arrival;
pub use timeline::{Away, AwayCounts, ChangeGroup, GroupKey, Span, TimelinePage};
pub use writer::{Db, Writer};

use std::path::PathBuf;

use crate::domain::problem::Class;

/// What marks a SQLite file as ours: "wkpr" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x776b_7072;

/// Why the index cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("{}: {source}", .path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{} is not an index of watchkeeper; it was left as it is. Choose another --data-dir, or move that file away", .0.display())]
    Foreign(PathBuf),
    /// It may have been one of ours.
    #[error("{} is no database; it was left as it is. Choose another --data-dir, or move that file away", .0.display())]
    NoDatabase(PathBuf),
    #[error("{} was written by a newer watchkeeper (schema {found}, this one knows {known}); it was left as it is. Run the newer program", .path.display())]
    Newer { path: PathBuf, found: i32, known: i32 },
    #[error("{} was written by an older watchkeeper (schema {found}, this one reads {known}); `watchkeeper sync`, or a restart of the daemon, brings it up to date", .path.display())]
    Older { path: PathBuf, found: i32, known: i32 },
    #[error("{} is an index of watchkeeper, but no backup: `watchkeeper backup FILE` makes one", .0.display())]
    NoBackup(PathBuf),
    /// Found by a look at every page.
    #[error("the index is damaged: {0}")]
    Damaged(String),
    /// It is as it was.
    #[error("the index (schema {found}) was not upgraded, as no backup of it could be made before: {reason}")]
    NotUpgraded { found: i32, class: Class, reason: String },
    #[error("SQLite does not hold what it was set to: {0}")]
    Setting(String),
    #[error("index: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the index has stopped writing: {message}")]
    Stopped { class: Class, message: String },
    #[error("{} is missing, and its journal is there; `watchkeeper sync` makes it anew from that", .0.display())]
    Missing(PathBuf),
    /// It was not acknowledged.
    #[error("{} was moved away or replaced while it was in use; nothing more is written to it", .0.display())]
    Replaced(PathBuf),
    #[error("{0}")]
    Invalid(String),
    /// The tree changed faster than it could be looked at.
    #[error("{0}")]
    Unstable(String),
}

impl IndexError {
    /// Returns the class under which the history counts it.
    pub fn class(&self) -> Class {
        use rusqlite::ErrorCode;
        match self {
            IndexError::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Class::DatabaseBusy,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Class::DatabaseCorrupt,
                Some(ErrorCode::DiskFull) => Class::DeviceFull,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Class::Io,
                _ => Class::Internal,
            },
            IndexError::Open { .. } => Class::Io,
            IndexError::Foreign(_) | IndexError::NoDatabase(_) | IndexError::Newer { .. } => Class::DatabaseCorrupt,
            IndexError::Damaged(_) | IndexError::Replaced(_) | IndexError::Missing(_) => Class::DatabaseCorrupt,
            // Whoever reads can do nothing; whoever writes brings it up to date.
            IndexError::Invalid(_) | IndexError::Older { .. } | IndexError::NoBackup(_) => Class::Config,
            IndexError::Unstable(_) => Class::Unstable,
            IndexError::Stopped { class, .. } | IndexError::NotUpgraded { class, .. } => *class,
            IndexError::Setting(_) => Class::Internal,
        }
    }
}

impl IndexError {
    /// Returns the code of a refusal for it: `busy` passes by itself.
    pub fn code(&self) -> &'static str {
        if self.class() == Class::DatabaseBusy { "busy" } else { "failed" }
    }

    /// Tells whether this user may not use the file.
    pub fn is_forbidden(&self) -> bool {
        use rusqlite::ErrorCode;
        match self {
            IndexError::Open { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
            IndexError::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly))
            }
            _ => false,
        }
    }

    /// Tells whether the file is something else altogether.
    pub fn is_no_database(&self) -> bool {
        let of = |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase);
        matches!(self, IndexError::Sqlite(error) if of(error))
    }

    /// Returns the error of something that ended although it never should.
    pub fn broken(message: &str) -> IndexError {
        IndexError::Stopped { class: Class::Internal, message: message.to_owned() }
    }
}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, IndexError>;
