//! A read-only connection to the index. Surfaces and workers each open their own.

use std::path::Path;

use rusqlite::Connection;

use super::place::Named;
use super::{IndexError, Result, connection, digest, migrate};

/// Reads the index; sees what was committed when a call began. Its calls stand beside the tables that they read.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    /// No engine lives: what is open will never end.
    pub(super) is_left_alone: bool,
    file: Named,
}

impl Reader {
    /// Opens the index at `path`; `None` if there is none yet.
    ///
    /// # Errors
    /// When it is not ours, newer than this program, not yet brought up to date, or cannot be opened.
    pub fn open(path: &Path) -> Result<Option<Reader>> {
        Reader::open_by(path, connection::open_reader)
    }

    /// As [`Reader::open`], for when no engine lives: shows the runs without an end as what the next engine will make of
    /// them, cut off, and reads on a disk that takes no new file.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_left_alone(path: &Path) -> Result<Option<Reader>> {
        let reader = Reader::open_by(path, connection::open_reader_left_alone)?;
        Ok(reader.map(|reader| Reader { is_left_alone: true, ..reader }))
    }

    fn open_by(path: &Path, open: impl FnOnce(&Path) -> Result<Connection>) -> Result<Option<Reader>> {
        // Before it is opened: what is put in its place meanwhile is then taken for another.
        let file = Named::of(path);
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_file() && found.len() == 0 => Ok(None),
            Ok(_) => {
                let connection = match open(path) {
                    Err(error) if connection::is_half_made(&error) => return Ok(None),
                    opened => opened?,
                };
                // Cut off before its first table stood: as good as none.
                let schema = connection::pragma_i32(&connection, "user_version")?;
                if schema == 0 {
                    return Ok(None);
                }
                migrate::check_reached(schema, path)?;
                digest::prepare(&connection)?;
                Ok(file.map(|file| Reader { connection, is_left_alone: false, file }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(IndexError::Open { path: path.to_owned(), source }),
        }
    }

    /// Tells whether what was opened still stands by its name. If not, this reads what nobody writes any more.
    pub fn is_current(&self) -> bool {
        self.file.is_there()
    }

    /// Looks the database over; slow on a large one.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn health(&self) -> Result<connection::Health> {
        connection::health(&self.connection)
    }
}
