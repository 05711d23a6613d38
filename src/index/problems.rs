//! Problems: they open, count and close by themselves; a person may acknowledge them. And damage, which stays open.

use std::collections::HashMap;

use rusqlite::{Connection, Params, params};

use super::apply::RunContext;
use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::path::{RelPath, below};
use crate::domain::problem::Problem;
use crate::domain::report::{Damage, GoodCopy, StoredProblem};
use crate::domain::repository::RepositoryId;

/// The paths with open problems of one repository, by directory: asked for every directory that a run lists.
#[derive(Clone, Debug, Default)]
pub struct OpenProblems(HashMap<Vec<u8>, Vec<Vec<u8>>>);

impl OpenProblems {
    /// Returns the names in `directory` with open problems.
    pub fn in_directory(&self, directory: &[u8]) -> &[Vec<u8>] {
        self.0.get(directory).map_or(&[], Vec::as_slice)
    }

    /// Tells whether the path itself has an open problem.
    pub fn has(&self, path: &[u8]) -> bool {
        match RelPath::from_stored(path.to_vec()).split() {
            Some((directory, name)) => self.in_directory(directory.as_bytes()).iter().any(|known| known == name),
            None => self.0.contains_key(&b"/"[..]),
        }
    }
}

/// Opens a problem or counts it once more.
pub(super) fn open(db: &Connection, run: &RunContext, problem: &Problem, at_ms: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO problems (repository_id, path, class, message, first_seen_ms, last_seen_ms, last_run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
         ON CONFLICT (repository_id, path) WHERE closed_ms IS NULL DO UPDATE SET last_seen_ms = ?5, last_run = ?6,
             count = count + 1, message = ?4, class = ?3,
             acknowledged_ms = CASE WHEN class = ?3 THEN acknowledged_ms END",
    )?
    .execute(params![
        run.repository.0,
        problem.path.as_bytes(),
        problem.class.as_str(),
        problem.message,
        at_ms,
        run.number
    ])?;
    Ok(())
}

pub(super) fn close(db: &Connection, run: &RunContext, path: &[u8], at_ms: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE problems SET closed_ms = ?3 WHERE repository_id = ?1 AND path = ?2 AND closed_ms IS NULL",
    )?
    .execute(params![run.repository.0, path, at_ms])?;
    Ok(())
}

/// Closes the problems at and below a path that has gone from the index.
pub(super) fn close_below(db: &Connection, run: &RunContext, path: &[u8], at_ms: i64) -> Result<()> {
    let (from, to) = below(path);
    db.prepare_cached(
        "UPDATE problems SET closed_ms = ?3 WHERE repository_id = ?1 AND closed_ms IS NULL
         AND path >= ?2 AND path < ?5 AND (path = ?2 OR path >= ?4)",
    )?
    .execute(params![run.repository.0, path, at_ms, from, to])?;
    Ok(())
}

/// Closes what a full run that reached its last directory did not meet again, except below what it could not list.
pub(super) fn close_unmet(db: &Connection, run: &RunContext, at_ms: i64) -> Result<()> {
    db.execute(
        "UPDATE problems SET closed_ms = ?3 WHERE repository_id = ?1 AND closed_ms IS NULL AND last_run <> ?2
         AND NOT EXISTS (SELECT 1 FROM directories d WHERE d.repository_id = ?1
             AND (d.unseen_since_ms IS NOT NULL OR d.held <> 0)
             AND (d.path = x'' OR problems.path = d.path OR (problems.path >= CAST(d.path || x'2f' AS BLOB)
                  AND problems.path < CAST(d.path || x'30' AS BLOB))))",
        params![run.repository.0, run.number, at_ms],
    )?;
    Ok(())
}

impl Reader {
    /// Returns the paths with open problems of a repository.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn open_problem_paths(&self, repository: RepositoryId) -> Result<OpenProblems> {
        let mut open = OpenProblems::default();
        let sql = "SELECT path FROM problems WHERE repository_id = ?1 AND closed_ms IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([repository.0])?;
        while let Some(row) = rows.next()? {
            let path = RelPath::from_stored(row.get(0)?);
            match path.split() {
                Some((directory, name)) => open.0.entry(directory.into_bytes()).or_default().push(name.to_vec()),
                // The root itself; no directory has this name.
                None => open.0.entry(b"/".to_vec()).or_default().push(Vec::new()),
            }
        }
        Ok(open)
    }

    /// Returns problems, the open ones or all, newest last.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn problems(&self, repository: Option<RepositoryId>, closed_too: bool) -> Result<Vec<StoredProblem>> {
        let filter = "(?1 IS NULL OR p.repository_id = ?1) AND (?2 OR p.closed_ms IS NULL) ORDER BY r.name, p.id";
        self.problems_where(filter, params![repository.map(|id| id.0), closed_too])
    }

    pub(super) fn problems_where(&self, filter: &str, params: impl Params) -> Result<Vec<StoredProblem>> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT p.id, r.name, p.path, p.class, p.message, p.first_seen_ms, p.last_seen_ms, p.count,
                    p.acknowledged_ms, p.closed_ms
             FROM problems p JOIN repositories r ON r.id = p.repository_id WHERE {filter}"
        ))?;
        let rows = statement.query_map(params, |row| {
            Ok(StoredProblem {
                problem_id: row.get(0)?,
                repository: row.get(1)?,
                path: RelPath::from_stored(row.get(2)?),
                class: row.get(3)?,
                message: row.get(4)?,
                first_seen: Timestamp(row.get(5)?),
                last_seen: Timestamp(row.get(6)?),
                count: row.get(7)?,
                acknowledged_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
                closed_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns open damage with the good copies that any repository has of the recorded content.
    ///
    /// Without damage this is one look; with it, one pass over all records, as there is no index by hash.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn damage(&self, repository: Option<RepositoryId>) -> Result<Vec<Damage>> {
        let filter = "?1 IS NULL OR m.repository_id = ?1 ORDER BY r.name, d.path, m.name";
        let mut damage = self.damage_where(filter, [repository.map(|id| id.0)])?;
        if !damage.is_empty() {
            self.find_good_copies(&mut damage)?;
        }
        Ok(damage)
    }

    /// Returns the open damage of one file with its good copies, found as [`Reader::damage`] finds them.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn damage_at(&self, repository: RepositoryId, path: &RelPath) -> Result<Option<Damage>> {
        let Some((directory, name)) = path.split() else { return Ok(None) };
        let filter = "m.repository_id = ?1 AND d.path = ?2 AND m.name = ?3";
        let mut damage = self.damage_where(filter, params![repository.0, directory.as_bytes(), name])?;
        if !damage.is_empty() {
            self.find_good_copies(&mut damage)?;
        }
        Ok(damage.pop())
    }

    /// Returns open damage, its good copies not yet looked for.
    pub(super) fn damage_where(&self, filter: &str, params: impl Params) -> Result<Vec<Damage>> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT r.name, d.path, m.name, f.sha256, m.found_sha256, m.found_ms
             FROM damage m JOIN repositories r ON r.id = m.repository_id JOIN directories d ON d.id = m.directory_id
             JOIN files f ON f.directory_id = m.directory_id AND f.name = m.name WHERE {filter}"
        ))?;
        let rows = statement.query_map(params, |row| {
            let (directory, name): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
            Ok(Damage {
                repository: row.get(0)?,
                path: RelPath::from_stored(crate::domain::path::join(&directory, &name)),
                recorded_sha256: row.get(3)?,
                found_sha256: row.get(4)?,
                found_at: Timestamp(row.get(5)?),
                good_copies: Vec::new(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn find_good_copies(&self, damage: &mut [Damage]) -> Result<()> {
        let mut statement = self.connection.prepare(
            "SELECT f.sha256, r.name, d.path, f.name, f.created_ms + f.hashed_after_created_ms, d.verified_ms
             FROM files f JOIN directories d ON d.id = f.directory_id JOIN repositories r ON r.id = d.repository_id
             WHERE f.flags & 28 = 0 AND d.held = 0 AND f.sha256 IN (SELECT g.sha256 FROM damage m
                   JOIN files g ON g.directory_id = m.directory_id AND g.name = m.name)
             ORDER BY r.name, d.path, f.name",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sha256: [u8; 32] = row.get(0)?;
            let (directory, name): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
            let read: Option<i64> = row.get(4)?;
            let copy = GoodCopy {
                repository: row.get(1)?,
                path: RelPath::from_stored(crate::domain::path::join(&directory, &name)),
                verified_at: read.max(row.get(5)?).map(Timestamp),
            };
            for entry in damage.iter_mut().filter(|entry| entry.recorded_sha256 == Some(sha256)) {
                entry.good_copies.push(copy.clone());
            }
        }
        Ok(())
    }
}
