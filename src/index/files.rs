//! The records as a list with paths, for `files`, `why` and the screen.

use rusqlite::{OptionalExtension, Row, params};

use super::known::{RECORD, record, stamp};
use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::path::{RelPath, below, join};
use crate::domain::record::{FileType, Flags};
use crate::domain::report::FileEntry;
use crate::domain::repository::RepositoryId;

/// Which records are wanted: those of a repository, at or below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileQuery {
    pub repository: RepositoryId,
    pub below: RelPath,
}

const COLUMNS: &str = "d.path, d.unseen_since_ms IS NULL AND d.held = 0, d.held, d.verified_ms, f.generation, r.seen_ms, \
                       r.seen_generation, EXISTS (SELECT 1 FROM held h WHERE h.repository_id = r.id AND h.path = x'')";

impl Reader {
    /// Hands out records by directory path and name; stops when `report` answers `false`.
    ///
    /// # Errors
    /// Those of SQLite and of `report`.
    pub fn for_each_file(&self, query: &FileQuery, mut report: impl FnMut(FileEntry) -> Result<bool>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {RECORD}, {COLUMNS} FROM directories d CROSS JOIN repositories r ON r.id = d.repository_id
             CROSS JOIN files f ON f.directory_id = d.id
             WHERE d.repository_id = ?1 AND d.path >= ?2 AND d.path < ?4 AND (d.path = ?2 OR d.path >= ?3)
             ORDER BY d.path, f.name"
        ))?;
        let (from, to) = below(query.below.as_bytes());
        let mut rows = statement.query(params![query.repository.0, query.below.as_bytes(), from, to])?;
        while let Some(row) = rows.next()? {
            if !report(entry(row)?)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the record of one path.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn file(&self, repository: RepositoryId, path: &RelPath) -> Result<Option<FileEntry>> {
        let Some((directory, name)) = path.split() else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {RECORD}, {COLUMNS} FROM directories d JOIN repositories r ON r.id = d.repository_id
             JOIN files f ON f.directory_id = d.id WHERE d.repository_id = ?1 AND d.path = ?2 AND f.name = ?3"
        ))?;
        let key = params![repository.0, directory.as_bytes(), name];
        Ok(statement.query_row(key, entry).optional()?)
    }

    /// Returns the number of the run that wrote a record last.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn written_by(&self, repository: RepositoryId, path: &RelPath) -> Result<Option<i64>> {
        let Some((directory, name)) = path.split() else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT f.generation FROM directories d JOIN files f ON f.directory_id = d.id
             WHERE d.repository_id = ?1 AND d.path = ?2 AND f.name = ?3",
        )?;
        Ok(statement.query_row(params![repository.0, directory.as_bytes(), name], |row| row.get(0)).optional()?)
    }

    /// Returns files and bytes by type (`image`, `video`, ..., `other`), largest first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn files_by_type(&self) -> Result<Vec<(&'static str, u64, u64)>> {
        use crate::domain::repository::TYPES;
        let mut sums: Vec<(&'static str, u64, u64)> = TYPES.iter().map(|(name, _)| (*name, 0, 0)).collect();
        sums.push(("other", 0, 0));
        let mut statement = self.connection.prepare("SELECT name, size_bytes FROM files")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let ending = name.rsplit(|byte| *byte == b'.').next().filter(|ending| ending.len() < name.len());
            let found = ending.and_then(|ending| {
                TYPES.iter().position(|(_, endings)| endings.iter().any(|e| e.as_bytes().eq_ignore_ascii_case(ending)))
            });
            let sum = &mut sums[found.unwrap_or(TYPES.len())];
            sum.1 += 1;
            sum.2 += row.get::<_, i64>(1)?.max(0) as u64;
        }
        sums.retain(|sum| sum.1 > 0);
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.2));
        Ok(sums)
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<FileEntry> {
    let flags = Flags(row.get(6)?);
    let record = record(row, stamp(row)?, flags)?;
    let name = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let directory = row.get_ref(11)?.as_blob().map_err(rusqlite::Error::from)?;
    let is_held = flags.has(Flags::HELD) || row.get::<_, i64>(13)? != 0 || row.get(18)?;
    // A full run vouches for what it did not write, unless the directory could not be listed or the removal is held.
    let vouched = row.get::<_, bool>(12)? && !is_held;
    let (generation, verified): (i64, Option<i64>) = (row.get(15)?, row.get(14)?);
    let (seen_ms, seen_generation): (Option<i64>, i64) = (row.get(16)?, row.get(17)?);
    let is_file = !flags.has(Flags::SYMLINK);
    let was_read = is_file && record.sha256.is_some() && !flags.has(Flags::UNREAD);
    Ok(FileEntry {
        path: RelPath::from_stored(join(directory, name)),
        file_type: if is_file { FileType::File } else { FileType::Symlink },
        stamp: record.stamp,
        sha256: record.sha256,
        hashed_at: record.hashed_ms.map(Timestamp),
        verified_at: record.hashed_ms.max(verified.filter(|_| was_read)).map(Timestamp),
        last_scanned: Timestamp(record.updated_ms.max(seen_ms.filter(|_| vouched).unwrap_or(0))),
        scan_generation: if vouched { generation.max(seen_generation) } else { generation },
        created_at: Timestamp(record.created_ms),
        updated_at: Timestamp(record.updated_ms),
        is_held,
        is_damaged: flags.has(Flags::DAMAGED),
    })
}
