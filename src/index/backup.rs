//! A copy of the index that holds the journal, too: one file, made beside a writer, looked over, and taken apart again.
//!
//! The pages are copied inside a read transaction, by SQLite's own backup: a reader may do that, so that no writer waits,
//! no engine has to be asked, and one that may not write to where the copy goes is no hindrance. (`VACUUM INTO` would not
//! run in a transaction, needs a connection that may write, and takes several times as long.) The journal's files become
//! rows of a table: so the copy is one file that SQLite itself can look over. Knows nothing of what stands in them.

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::connection::{self, harden, immutable_uri, pragma_i32};
use super::{APPLICATION_ID, IndexError, Result, migrate};
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;

/// A file of the journal that began just before many lines came at once may be so long.
const LONGEST_BLOB: i32 = 512 << 20;

const TABLES: &str = "
    CREATE TABLE backup (taken_ms INTEGER NOT NULL, program TEXT NOT NULL) STRICT;
    CREATE TABLE backup_journal (segment INTEGER PRIMARY KEY, lines BLOB NOT NULL) STRICT";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub schema: i32,
    pub runs: u64,
    pub taken_at: Timestamp,
}

/// A copy that is not finished.
#[derive(Debug)]
pub struct Draft {
    db: Connection,
    path: PathBuf,
}

/// Returns the schema of the index at `path` if it is an older one than this program's.
///
/// # Errors
/// When it is not ours, newer than this program, or cannot be opened.
pub fn older_schema(path: &Path) -> Result<Option<i32>> {
    if std::fs::symlink_metadata(path).map_or(0, |found| found.len()) == 0 {
        return Ok(None);
    }
    let reader = match connection::open_reader(path) {
        Err(error) if connection::is_half_made(&error) => return Ok(None),
        opened => opened?,
    };
    let found = pragma_i32(&reader, "user_version")?;
    Ok((found > 0 && found < migrate::known()).then_some(found))
}

impl Draft {
    /// Copies the index as it is now over `file`, which exists and is empty, and in whose path is no symlink.
    ///
    /// # Errors
    /// When one of them cannot be opened, the index is not ours or newer, or there is no room.
    pub fn copy(index: &Path, file: &Path) -> Result<Draft> {
        let reader = connection::open_reader(index)?;
        Ok(Draft { db: copy(&reader, file)?, path: file.to_owned() })
    }

    /// Begins to take the journal; what was put before is forgotten.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn begin_journal(&self) -> Result<()> {
        let db = &self.db;
        if !db.is_autocommit() {
            db.execute_batch("ROLLBACK")?;
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        Ok(db.execute_batch(TABLES)?)
    }

    /// Puts a file of the journal in.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put(&self, segment: u32, lines: &[u8]) -> Result<()> {
        self.db.execute("INSERT INTO backup_journal (segment, lines) VALUES (?1, ?2)", (segment, lines))?;
        Ok(())
    }

    /// Ends the copy and looks all of it over, as the one file that it will be. It must still be synced.
    ///
    /// # Errors
    /// Those of SQLite; also when the copy is damaged, which the index then is, or not whole.
    pub fn finish(self, taken_at: Timestamp) -> Result<Contents> {
        let program = env!("CARGO_PKG_VERSION");
        self.db.execute("INSERT INTO backup (taken_ms, program) VALUES (?1, ?2)", (taken_at.0, program))?;
        self.db.execute_batch("COMMIT")?;
        self.db.close().map_err(|(_, error)| error)?;
        let written = open_backup(&self.path)?;
        look_over(&written)?;
        contents(&written, taken_at)
    }
}

/// Opens a backup to read, as it lies. It takes no lock and makes no file beside it: the backup may lie where nothing can be
/// written. What only stands beside it does not count.
///
/// # Errors
/// When it is none, or of a newer program.
fn open_backup(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(immutable_uri(path), flags)?;
    harden(&db)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_BLOB)?;
    if pragma_i32(&db, "application_id")? != APPLICATION_ID {
        return Err(IndexError::Foreign(path.to_owned()));
    }
    migrate::check_version(&db, path)?;
    let has_tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('backup', 'backup_journal')";
    if db.query_row(has_tables, [], |row| row.get::<_, i64>(0))? != 2 {
        return Err(IndexError::NoBackup(path.to_owned()));
    }
    Ok(db)
}

/// Takes a backup apart: an index over `index`, which exists and is empty, looked over; and each file of the journal.
/// The backup itself is only read.
///
/// # Errors
/// When it is none, is of a newer program, or is damaged; those of `take`.
pub fn unpack(
    backup: &Path,
    index: &Path,
    mut take: impl FnMut(u32, &[u8]) -> std::io::Result<()>,
) -> Result<Contents> {
    let source = open_backup(backup)?;
    // From here on only of what was copied: what is looked over is what will be used.
    let db = copy(&source, index)?;
    look_over(&db)?;
    let taken_ms = db.query_row("SELECT taken_ms FROM backup", [], |row| row.get(0))?;
    {
        let mut statement = db.prepare("SELECT segment, lines FROM backup_journal ORDER BY segment")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let lines = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            take(row.get(0)?, lines).map_err(|source| IndexError::Open { path: index.to_owned(), source })?;
        }
    }
    db.execute_batch("BEGIN IMMEDIATE; DROP TABLE backup; DROP TABLE backup_journal; COMMIT")?;
    contents(&db, Timestamp(taken_ms))
}

/// Copies all pages as one moment saw them, and leaves one file that needs none beside it.
fn copy(source: &Connection, file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(file, flags)?;
    harden(&db)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_BLOB)?;
    source.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_BLOB)?;
    match Backup::new(source, &mut db)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(IndexError::broken("the index was locked while it was copied")),
    }
    let mode: String = db.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(IndexError::Setting(format!("journal_mode is {mode}")));
    }
    // SQLite answers so also when a sync failed and the file still says WAL: what is written next would stand beside it.
    match is_of_one_file(file) {
        Ok(true) => Ok(db),
        Ok(false) => {
            Err(IndexError::Stopped { class: Class::Io, message: "the copy could not be made one file".to_owned() })
        }
        Err(source) => Err(IndexError::Open { path: file.to_owned(), source }),
    }
}

/// Reads the two bytes of a database's head that tell whether it has a WAL beside it: 2 if so, 1 if not.
fn is_of_one_file(file: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut versions = [0; 2];
    std::fs::File::open(file)?.read_exact_at(&mut versions, 18)?;
    Ok(versions == [1, 1])
}

/// Every page, every index, every reference: the first check finds no wrong references.
fn look_over(db: &Connection) -> Result<()> {
    let mut found = connection::health(db)?.integrity;
    if db.prepare("PRAGMA foreign_key_check")?.exists([])? {
        found.push("a row refers to one that is not there".to_owned());
    }
    match found.first() {
        None => Ok(()),
        Some(first) => Err(IndexError::Damaged(first.clone())),
    }
}

fn contents(db: &Connection, taken_at: Timestamp) -> Result<Contents> {
    let runs: i64 = db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
    Ok(Contents { schema: pragma_i32(db, "user_version")?, runs: runs.unsigned_abs(), taken_at })
}
