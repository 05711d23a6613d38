//! What is known of one directory: its row, its records, its subdirectories. What a worker compares a listing with.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::apply::RunContext;
use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::record::{Flags, Record, Sha256, Stamp};
use crate::domain::repository::RepositoryId;

/// A directory as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownDirectory {
    pub id: i64,
    pub parent_id: i64,
    pub path: Vec<u8>,
    pub inode: i64,
    pub born_ns: i64,
    /// (mtime, ctime) when it was last listed to its end.
    pub listed: Option<(i64, i64)>,
    pub newest_ns: i64,
    pub mount: Option<String>,
    pub unseen_since_ms: Option<i64>,
    pub is_held: bool,
    pub verified_ms: Option<i64>,
    pub verify_after: Option<Vec<u8>>,
}

const DIRECTORY: &str = "SELECT id, parent_id, path, inode, born_ns, mtime_ns, ctime_ns, newest_ns, mount, \
                         unseen_since_ms, held, verified_ms, verify_after FROM directories";

fn directory(row: &Row<'_>) -> rusqlite::Result<KnownDirectory> {
    let (mtime, ctime): (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?);
    Ok(KnownDirectory {
        id: row.get(0)?,
        parent_id: row.get(1)?,
        path: row.get(2)?,
        inode: row.get(3)?,
        born_ns: row.get(4)?,
        listed: mtime.zip(ctime),
        newest_ns: row.get(7)?,
        mount: row.get(8)?,
        unseen_since_ms: row.get(9)?,
        is_held: row.get::<_, i64>(10)? != 0,
        verified_ms: row.get(11)?,
        verify_after: row.get(12)?,
    })
}

/// A record as the index hands it out: name and key at once, the rest when asked for.
#[derive(Debug)]
pub struct KnownFile<'a> {
    pub name: &'a [u8],
    pub stamp: Stamp,
    pub flags: Flags,
    row: &'a Row<'a>,
}

/// Columns of a record in the order that [`stamp`] and [`record`] read them.
/// of `files f`.
pub(super) const RECORD: &str = "f.name, f.size_bytes, f.mtime_ns, f.ctime_after_mtime_ns, f.born_before_ctime_ns, f.inode, \
                                 f.flags, f.sha256, f.created_ms, f.updated_after_created_ms, f.hashed_after_created_ms";

impl KnownFile<'_> {
    /// Tells whether its content was ever read.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn has_content(&self) -> Result<bool> {
        Ok(self.row.get_ref(7)? != rusqlite::types::ValueRef::Null)
    }

    /// Returns all that is known of it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn record(&self) -> Result<Record> {
        Ok(record(self.row, self.stamp, self.flags)?)
    }
}

pub(super) fn stamp(row: &Row<'_>) -> rusqlite::Result<Stamp> {
    let mtime_ns: i64 = row.get(2)?;
    let ctime_ns = mtime_ns.wrapping_add(row.get(3)?);
    let born: Option<i64> = row.get(4)?;
    Ok(Stamp {
        size_bytes: row.get(1)?,
        mtime_ns,
        ctime_ns,
        inode: row.get(5)?,
        born_ns: born.map_or(0, |before| ctime_ns.wrapping_sub(before)),
    })
}

pub(super) fn record(row: &Row<'_>, stamp: Stamp, flags: Flags) -> rusqlite::Result<Record> {
    let created_ms: i64 = row.get(8)?;
    let hashed: Option<i64> = row.get(10)?;
    Ok(Record {
        stamp,
        sha256: row.get::<_, Option<Sha256>>(7)?,
        flags,
        created_ms,
        updated_ms: created_ms.wrapping_add(row.get(9)?),
        hashed_ms: hashed.map(|after| created_ms.wrapping_add(after)),
    })
}

impl Reader {
    /// Hands out the records of one directory, sorted by the bytes of their names. One query a directory: a query per
    /// file takes three times as long.
    ///
    /// # Errors
    /// Those of SQLite and of `meet`.
    pub fn for_each_known_file(
        &self,
        directory_id: i64,
        mut meet: impl FnMut(&KnownFile<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {RECORD} FROM files f WHERE directory_id = ?1 ORDER BY name"))?;
        let mut rows = statement.query([directory_id])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            meet(&KnownFile { name, stamp: stamp(row)?, flags: Flags(row.get(6)?), row })?;
        }
        Ok(())
    }

    /// Hands out the record of one file, if there is one.
    ///
    /// # Errors
    /// Those of SQLite and of `meet`.
    pub fn for_known_file(
        &self,
        directory_id: i64,
        name: &[u8],
        meet: impl FnOnce(&KnownFile<'_>) -> Result<()>,
    ) -> Result<()> {
        let sql = format!("SELECT {RECORD} FROM files f WHERE directory_id = ?1 AND name = ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![directory_id, name])?;
        match rows.next()? {
            Some(row) => meet(&KnownFile { name, stamp: stamp(row)?, flags: Flags(row.get(6)?), row }),
            None => Ok(()),
        }
    }

    /// Returns the subdirectories of a directory, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn known_subdirectories(&self, parent_id: i64) -> Result<Vec<KnownDirectory>> {
        let mut statement = self.connection.prepare_cached(&format!("{DIRECTORY} WHERE parent_id = ?1"))?;
        let mut found: Vec<KnownDirectory> =
            statement.query_map([parent_id], directory)?.collect::<rusqlite::Result<_>>()?;
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Returns the directory at a path.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn known_directory(&self, repository: RepositoryId, path: &[u8]) -> Result<Option<KnownDirectory>> {
        let mut statement =
            self.connection.prepare_cached(&format!("{DIRECTORY} WHERE repository_id = ?1 AND path = ?2"))?;
        Ok(statement.query_row(params![repository.0, path], directory).optional()?)
    }

    /// Returns the directory of a row number; `None` if it has gone.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn known_directory_by_id(&self, id: i64) -> Result<Option<KnownDirectory>> {
        let mut statement = self.connection.prepare_cached(&format!("{DIRECTORY} WHERE id = ?1"))?;
        Ok(statement.query_row([id], directory).optional()?)
    }

    /// Returns the directory that had this inode and birth time when it was last listed.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn known_directory_by_inode(
        &self,
        repository: RepositoryId,
        inode: i64,
        born_ns: i64,
    ) -> Result<Option<KnownDirectory>> {
        let sql = format!("{DIRECTORY} WHERE inode = ?1 AND born_ns = ?2 AND repository_id = ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![inode, born_ns, repository.0])?;
        let found = rows.next()?.map(directory).transpose()?;
        // Two rows for one inode: bind mounts or a move seen halfway. Neither proves anything.
        Ok(if rows.next()?.is_some() { None } else { found })
    }

    /// Returns the directories at which something was mounted.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn known_mounts(&self, repository: RepositoryId) -> Result<Vec<KnownDirectory>> {
        let sql = format!("{DIRECTORY} WHERE repository_id = ?1 AND mount IS NOT NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([repository.0], directory)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the row numbers of all directories of a repository.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn directory_ids(&self, repository: RepositoryId) -> Result<Vec<i64>> {
        let mut statement =
            self.connection.prepare("SELECT id FROM directories WHERE repository_id = ?1 ORDER BY id")?;
        Ok(statement.query_map([repository.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the row numbers of the directories that were not verified since a moment, the longest unread first.
    ///
    /// One that was never verified was read when its files were found: where much is new every day, the old would
    /// otherwise never have their turn.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn directories_to_verify(&self, repository: RepositoryId, since: Option<Timestamp>) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare(
            "SELECT id FROM directories d WHERE repository_id = ?1 AND (verified_ms IS NULL OR verified_ms < ?2)
             ORDER BY coalesce(verified_ms, (SELECT min(created_ms + hashed_after_created_ms) FROM files f
                                             WHERE f.directory_id = d.id), 0), path",
        )?;
        let before_ms = since.map_or(i64::MAX, |since| since.0);
        let ids = statement.query_map([repository.0, before_ms], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns where files with these inodes are recorded, as (directory, name): one pass over all records, as there is
    /// no index by inode.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn places_of_inodes(&self, repository: RepositoryId, inodes: &[i64]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut places = Vec::new();
        for some in inodes.chunks(500) {
            let list: Vec<String> = some.iter().map(i64::to_string).collect();
            let sql = format!(
                "SELECT d.path, f.name FROM files f JOIN directories d ON d.id = f.directory_id
                 WHERE f.inode IN ({}) AND d.repository_id = ?1",
                list.join(",")
            );
            let mut statement = self.connection.prepare(&sql)?;
            let rows = statement.query_map([repository.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                places.push(row?);
            }
        }
        Ok(places)
    }

    /// Tells whether anything is recorded in a directory or below it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn has_records(&self, repository: RepositoryId, path: &[u8]) -> Result<bool> {
        let (from, to) = crate::domain::path::below(path);
        let found = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM directories d JOIN files f ON f.directory_id = d.id
                 WHERE d.repository_id = ?1 AND d.path >= ?2 AND d.path < ?4 AND (d.path = ?2 OR d.path >= ?3))",
            )?
            .query_row(params![repository.0, path, from, to], |row| row.get(0))?;
        Ok(found)
    }

    /// Returns what was found in place of a damaged file's content.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn damaged_content(&self, directory_id: i64, name: &[u8]) -> Result<Option<Sha256>> {
        let mut statement =
            self.connection.prepare_cached("SELECT found_sha256 FROM damage WHERE directory_id = ?1 AND name = ?2")?;
        Ok(statement.query_row(params![directory_id, name], |row| row.get(0)).optional()?)
    }

    /// Returns how far a file with this stamp was hashed: bytes done and state of the hash.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn hash_state(&self, repository: RepositoryId, stamp: &Stamp) -> Result<Option<(u64, Vec<u8>)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT offset_bytes, state FROM hash_states WHERE repository_id = ?1 AND inode = ?2 AND size_bytes = ?3
             AND mtime_ns = ?4 AND ctime_ns = ?5",
        )?;
        let key = params![repository.0, stamp.inode, stamp.size_bytes, stamp.mtime_ns, stamp.ctime_ns];
        Ok(statement.query_row(key, |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))).optional()?)
    }

    /// Returns how many directories are known: as many as a watcher would watch.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn count_directories(&self) -> Result<u64> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM directories", [], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    /// Returns the highest row number of a directory; 0 without any.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn last_directory_id(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT coalesce(max(id), 0) FROM directories", [], |row| row.get(0))?)
    }
}

pub(super) fn path_of_directory(db: &Connection, id: i64) -> Result<Option<Vec<u8>>> {
    let mut statement = db.prepare_cached("SELECT path FROM directories WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

pub(super) fn save_hash_state(
    db: &Connection,
    repository: RepositoryId,
    stamp: &Stamp,
    offset_bytes: u64,
    state: &[u8],
    at_ms: i64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO hash_states (repository_id, inode, size_bytes, mtime_ns, ctime_ns, offset_bytes, state,
         saved_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        repository.0,
        stamp.inode,
        stamp.size_bytes,
        stamp.mtime_ns,
        stamp.ctime_ns,
        offset_bytes as i64,
        state,
        at_ms
    ])?;
    Ok(())
}

pub(super) fn forget_hash_state(db: &Connection, repository: RepositoryId, inode: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM hash_states WHERE repository_id = ?1 AND inode = ?2")?
        .execute(params![repository.0, inode])?;
    Ok(())
}

/// Notes that a directory, and all below, is no longer vouched for.
pub(super) fn mark_unseen(db: &Connection, run: &RunContext, path: &[u8], since_ms: i64) -> Result<()> {
    let (from, to) = crate::domain::path::below(path);
    db.prepare_cached(
        "UPDATE directories SET unseen_since_ms = ?3 WHERE repository_id = ?1 AND unseen_since_ms IS NULL
         AND path >= ?2 AND path < ?5 AND (path = ?2 OR path >= ?4)",
    )?
    .execute(params![run.repository.0, path, since_ms, from, to])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Settings;
    use crate::index::Writer;

    #[test]
    fn a_verify_begins_with_what_was_not_read_for_the_longest_time_and_a_new_directory_was_read_when_it_came() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let repository = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let rows = "INSERT INTO directories (id, repository_id, parent_id, path, verified_ms, generation, scanned_ms)
                    VALUES (1, 1, 0, x'', 500, 1, 0), (2, 1, 1, x'61', NULL, 1, 0), (3, 1, 1, x'62', 300, 1, 0),
                           (4, 1, 1, x'63', NULL, 1, 0);
                    INSERT INTO files VALUES (2, x'61', 1, 0, 0, 0, 1, NULL, 0, 1, 390, 0, 10),
                                             (2, x'62', 1, 0, 0, 0, 2, NULL, 0, 1, 900, 0, 10)";
        writer.call(move |db| db.write(|db| Ok(db.execute_batch(rows)?))).unwrap();
        let reader = Reader::open(&path).unwrap().unwrap();
        assert_eq!(reader.directories_to_verify(repository, None).unwrap(), [4, 3, 2, 1]);
        assert_eq!(reader.directories_to_verify(repository, Some(Timestamp(500))).unwrap(), [4, 3, 2]);
    }
}
