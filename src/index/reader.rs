//! A read-only connection to the index. Surfaces and workers each open their own.

use std::path::Path;

use rusqlite::Connection;

use super::{Result, connection};

/// Reads the index; sees what was committed when a call began. Its calls stand beside the tables that they read.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens the index at `path`; `None` if there is none yet.
    ///
    /// # Errors
    /// When it is not ours, newer than this program, or cannot be opened.
    pub fn open(path: &Path) -> Result<Option<Reader>> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.len() > 0 => Ok(Some(Reader { connection: connection::open_reader(path)? })),
            _ => Ok(None),
        }
    }

    /// Looks the database over; slow on a large one.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn health(&self) -> Result<connection::Health> {
        connection::health(&self.connection)
    }
}
