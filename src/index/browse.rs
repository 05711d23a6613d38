//! The records as a tree: one directory at a time, by pages, and all paths in one pass for a search.
//!
//! A page is found by the key of a row, never by counting: the millionth file of a directory is as near as the first.

#[cfg(test)]
mod tests;

use rusqlite::{OptionalExtension, Row as SqlRow, params};

use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::path::{RelPath, below, join};
use crate::domain::record::{Flags, Sha256};
use crate::domain::repository::RepositoryId;

/// One row of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: RelPath,
    pub sort: Sort,
    pub mark: Mark,
    /// Of a directory: when its listing was read last; `None` if that never came to its end.
    pub modified: Option<Timestamp>,
}

/// What a row stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    Directory,
    File {
        is_symlink: bool,
        size_bytes: i64,
        sha256: Option<Sha256>,
        /// When its content was read last.
        read: Option<Timestamp>,
    },
}

/// What is to be said of a row at a glance, the worst of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Same,
    Damaged,
    Held,
    /// An open problem.
    Problem,
    /// Its directory could not be listed: nobody knows whether it is still there.
    Unseen,
    /// Added by a run that is not through with it.
    New,
    /// Its content has not been read yet.
    Unread,
}

/// The place of a row in its directory: directories stand first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub is_file: bool,
    pub path: RelPath,
}

/// Which part of a directory is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    First,
    Last,
    /// The rows on both sides of this one, whether it is still there or not.
    Around(Key),
}

/// Part of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<Listed>,
    /// More rows stand before and behind these.
    pub has_before: bool,
    pub has_after: bool,
}

impl Listed {
    pub fn key(&self) -> Key {
        Key { is_file: self.sort != Sort::Directory, path: self.path.clone() }
    }

    /// Tells whether this is the row with that key.
    pub fn is_at(&self, key: &Key) -> bool {
        self.path == key.path && key.is_file == (self.sort != Sort::Directory)
    }
}

/// The directory that is read.
struct Place<'a> {
    id: i64,
    path: &'a RelPath,
}

/// A way through a directory, from a row or from an end.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// With this row itself.
    From(Option<&'a Key>),
    /// Without it; the nearest first.
    Before(Option<&'a Key>),
}

const DIRECTORY: &str = "SELECT d.path, d.mtime_ns, d.held, d.unseen_since_ms,
    EXISTS (SELECT 1 FROM problems p WHERE p.repository_id = d.repository_id AND p.path = d.path AND p.closed_ms IS NULL)
    FROM directories d WHERE d.parent_id = ?1 AND d.path";

const FILE: &str = "SELECT d.path, f.name, f.size_bytes, f.mtime_ns, f.flags, f.sha256,
    f.created_ms + f.hashed_after_created_ms, d.verified_ms, d.held, d.unseen_since_ms,
    EXISTS (SELECT 1 FROM problems p WHERE p.repository_id = d.repository_id AND p.closed_ms IS NULL
            AND p.path = CAST(CASE length(d.path) WHEN 0 THEN f.name ELSE d.path || x'2f' || f.name END AS BLOB)),
    EXISTS (SELECT 1 FROM held h WHERE h.repository_id = d.repository_id AND h.path = x'')
    FROM directories d CROSS JOIN files f ON f.directory_id = d.id";

impl Reader {
    /// Returns about `limit` rows of a directory; `None` if the index knows no such directory.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn page(
        &self,
        repository: RepositoryId,
        directory: &RelPath,
        seek: &Seek,
        limit: usize,
    ) -> Result<Option<Page>> {
        let Some(id) = self.directory_id(repository, directory)? else { return Ok(None) };
        let place = Place { id, path: directory };
        let (before, from) = match seek {
            Seek::First => (None, Some((Way::From(None), limit))),
            Seek::Last => (Some((Way::Before(None), limit)), None),
            Seek::Around(key) => (Some((Way::Before(Some(key)), limit / 2)), Some((Way::From(Some(key)), limit / 2))),
        };
        // One row more than wanted tells whether there are more.
        let read = |part: Option<(Way<'_>, usize)>| -> Result<(Vec<Listed>, bool)> {
            let Some((way, wanted)) = part else { return Ok((Vec::new(), false)) };
            let mut rows = self.walk(&place, way, wanted + 1)?;
            let has_more = rows.len() > wanted;
            rows.truncate(wanted);
            Ok((rows, has_more))
        };
        let (mut rows, has_before) = read(before)?;
        let (behind, has_after) = read(from)?;
        rows.reverse();
        rows.extend(behind);
        Ok(Some(Page { rows, has_before, has_after }))
    }

    /// Returns how many rows a directory has, and how many of them stand before `key`; looks at each of them.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn count_rows(&self, repository: RepositoryId, directory: &RelPath, key: &Key) -> Result<(u64, u64)> {
        let Some(id) = self.directory_id(repository, directory)? else { return Ok((0, 0)) };
        let count = |sql: &str, key: &[u8]| -> Result<(u64, u64)> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let counts =
                statement.query_row(params![id, key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
            let (all, before) = counts?;
            Ok((all.unsigned_abs(), before.unsigned_abs()))
        };
        let directories = count(
            "SELECT count(*), count(*) FILTER (WHERE path < ?2) FROM directories WHERE parent_id = ?1",
            key.path.as_bytes(),
        )?;
        let name = key.path.split().map_or(&b""[..], |(_, name)| name);
        let files =
            count("SELECT count(*), count(*) FILTER (WHERE name < ?2) FROM files WHERE directory_id = ?1", name)?;
        let before = if key.is_file { directories.0 + files.1 } else { directories.1 };
        Ok((directories.0 + files.0, before))
    }

    /// Returns the row of one record.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn listed(&self, repository: RepositoryId, path: &RelPath) -> Result<Option<Listed>> {
        let Some((directory, name)) = path.split() else { return Ok(None) };
        let sql = format!("{FILE} WHERE d.repository_id = ?1 AND d.path = ?2 AND f.name = ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row(params![repository.0, directory.as_bytes(), name], file).optional()?)
    }

    /// Hands out the directory and the name of every record below a directory, by directory path and name; stops when
    /// `meet` answers `false`.
    ///
    /// # Errors
    /// Those of SQLite and of `meet`.
    pub fn for_each_path(
        &self,
        repository: RepositoryId,
        at: &RelPath,
        mut meet: impl FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.path, f.name FROM directories d CROSS JOIN files f ON f.directory_id = d.id
             WHERE d.repository_id = ?1 AND d.path >= ?2 AND d.path < ?4 AND (d.path = ?2 OR d.path >= ?3)
             ORDER BY d.path, f.name",
        )?;
        let (from, to) = below(at.as_bytes());
        let mut rows = statement.query(params![repository.0, at.as_bytes(), from, to])?;
        while let Some(row) = rows.next()? {
            let directory = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let name = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            if !meet(directory, name)? {
                break;
            }
        }
        Ok(())
    }

    fn directory_id(&self, repository: RepositoryId, path: &RelPath) -> Result<Option<i64>> {
        let sql = "SELECT id FROM directories WHERE repository_id = ?1 AND path = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![repository.0, path.as_bytes()], |row| row.get(0)).optional()?)
    }

    fn walk(&self, place: &Place<'_>, way: Way<'_>, limit: usize) -> Result<Vec<Listed>> {
        let mut rows = Vec::new();
        match way {
            Way::From(key) => {
                if !key.is_some_and(|key| key.is_file) {
                    self.add_directories(place, way, limit, &mut rows)?;
                }
                self.add_files(place, way, limit, &mut rows)?;
            }
            Way::Before(key) => {
                if key.is_none_or(|key| key.is_file) {
                    self.add_files(place, way, limit, &mut rows)?;
                }
                self.add_directories(place, way, limit, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn add_directories(&self, place: &Place<'_>, way: Way<'_>, limit: usize, rows: &mut Vec<Listed>) -> Result<()> {
        let (first, last) = below(place.path.as_bytes());
        let (sql, bound) = match way {
            Way::From(key) => (">= ?2 ORDER BY d.path", key.map_or(first, |key| key.path.as_bytes().to_vec())),
            Way::Before(key) => {
                let bound = key.filter(|key| !key.is_file).map_or(last, |key| key.path.as_bytes().to_vec());
                ("< ?2 ORDER BY d.path DESC", bound)
            }
        };
        let mut statement = self.connection.prepare_cached(&format!("{DIRECTORY} {sql} LIMIT ?3"))?;
        let wanted = limit.saturating_sub(rows.len()) as i64;
        for row in statement.query_map(params![place.id, bound, wanted], directory)? {
            rows.push(row?);
        }
        Ok(())
    }

    fn add_files(&self, place: &Place<'_>, way: Way<'_>, limit: usize, rows: &mut Vec<Listed>) -> Result<()> {
        let name = |key: &Key| key.path.split().map_or_else(Vec::new, |(_, name)| name.to_vec());
        let (sql, bound) = match way {
            Way::From(key) => (">= ?2 ORDER BY f.name", key.filter(|key| key.is_file).map_or_else(Vec::new, name)),
            // No name has 256 bytes.
            Way::Before(key) => ("< ?2 ORDER BY f.name DESC", key.map_or_else(|| vec![0xff; 256], name)),
        };
        let sql = format!("{FILE} WHERE d.id = ?1 AND f.name {sql} LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let wanted = limit.saturating_sub(rows.len()) as i64;
        for row in statement.query_map(params![place.id, bound, wanted], file)? {
            rows.push(row?);
        }
        Ok(())
    }
}

fn directory(row: &SqlRow<'_>) -> rusqlite::Result<Listed> {
    let modified: Option<i64> = row.get(1)?;
    let mark = match (row.get::<_, i64>(2)? != 0, row.get(4)?, row.get::<_, Option<i64>>(3)?) {
        (true, ..) => Mark::Held,
        (_, true, _) => Mark::Problem,
        (.., Some(_)) => Mark::Unseen,
        _ => Mark::Same,
    };
    Ok(Listed {
        path: RelPath::from_stored(row.get(0)?),
        sort: Sort::Directory,
        mark,
        modified: modified.map(|ns| Timestamp(ns.div_euclid(1_000_000))),
    })
}

fn file(row: &SqlRow<'_>) -> rusqlite::Result<Listed> {
    let directory = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let name = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    let flags = Flags(row.get(4)?);
    let sha256: Option<Sha256> = row.get(5)?;
    let (hashed, verified): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    let is_symlink = flags.has(Flags::SYMLINK);
    // A verify of the whole directory vouches only for content that was read before.
    let was_read = !is_symlink && sha256.is_some() && !flags.has(Flags::UNREAD);
    let is_held = flags.has(Flags::HELD) || row.get::<_, i64>(8)? != 0 || row.get(11)?;
    let mark = match row.get::<_, Option<i64>>(9)? {
        _ if flags.has(Flags::DAMAGED) => Mark::Damaged,
        _ if is_held => Mark::Held,
        _ if row.get(10)? => Mark::Problem,
        Some(_) => Mark::Unseen,
        None if flags.has(Flags::ARRIVAL) => Mark::New,
        None if flags.has(Flags::UNREAD) => Mark::Unread,
        None => Mark::Same,
    };
    Ok(Listed {
        path: RelPath::from_stored(join(directory, name)),
        sort: Sort::File {
            is_symlink,
            size_bytes: row.get(2)?,
            sha256,
            read: hashed.max(verified.filter(|_| was_read)).map(Timestamp),
        },
        mark,
        modified: Some(Timestamp(row.get::<_, i64>(3)?.div_euclid(1_000_000))),
    })
}
