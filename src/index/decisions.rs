//! What people decide: holds dismissed, damage accepted, problems acknowledged; and what waits for a decision.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::writer::Writer;
use super::{IndexError, Reader, Result};
use crate::domain::guard::Reason;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::Held;
use crate::domain::repository::RepositoryId;

/// What is held after a run has settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldResult {
    /// Files that wait for a decision.
    pub undecided_files: i64,
    /// Held entries that wait for a decision.
    pub undecided: i64,
    /// The most common reason among them.
    pub reason: Option<Reason>,
}

impl HoldResult {
    /// Reads what is held. With anything new, dismissals end: the set has changed, so the question is asked again.
    pub(super) fn read(db: &Connection, repository: RepositoryId, any_new: bool) -> Result<HoldResult> {
        if any_new {
            let sql = "UPDATE held SET dismissed_ms = NULL WHERE repository_id = ?1 AND dismissed_ms IS NOT NULL";
            db.execute(sql, [repository.0])?;
        }
        let sql =
            "SELECT count(*), coalesce(sum(files), 0) FROM held WHERE repository_id = ?1 AND dismissed_ms IS NULL";
        let (undecided, undecided_files) = db.query_row(sql, [repository.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sql = "SELECT reason FROM held WHERE repository_id = ?1 AND dismissed_ms IS NULL
                   GROUP BY reason ORDER BY count(*) DESC LIMIT 1";
        let reason: Option<String> = db.query_row(sql, [repository.0], |row| row.get(0)).optional()?;
        Ok(HoldResult { undecided_files, undecided, reason: reason.as_deref().and_then(Reason::parse) })
    }
}

impl Writer {
    /// Returns what is held, whoever held it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn standing_holds(&self, repository: RepositoryId) -> Result<HoldResult> {
        self.call(move |db| db.write(|db| HoldResult::read(db, repository, false)))
    }

    /// Ends the hold on a whole repository: its root is the right one again.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn release_root(&self, repository: RepositoryId) -> Result<()> {
        self.call(move |db| {
            db.write(|db| {
                db.execute("DELETE FROM held WHERE repository_id = ?1 AND path = x''", [repository.0])?;
                Ok(())
            })
        })
    }

    /// Dismisses what is held now: the records stay, and no one asks until the set changes. Returns the entries.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn dismiss_held(&self, repository: RepositoryId, at_ms: i64) -> Result<u64> {
        self.call(move |db| {
            db.write(|db| {
                let sql = "UPDATE held SET dismissed_ms = ?2 WHERE repository_id = ?1 AND dismissed_ms IS NULL";
                Ok(db.execute(sql, params![repository.0, at_ms])? as u64)
            })
        })
    }

    /// Accepts damaged content as the content from now on. With paths, of these files only (or below, for directories).
    /// Returns how many were accepted.
    ///
    /// # Errors
    /// When a path has no open damage; nothing is accepted then.
    pub fn accept_damage(&self, repository: RepositoryId, paths: Vec<RelPath>, at_ms: i64) -> Result<u64> {
        self.call(move |db| {
            db.write(|db| {
                let mut statement = db.prepare(
                    "SELECT m.directory_id, m.name, d.path FROM damage m JOIN directories d ON d.id = m.directory_id
                     WHERE m.repository_id = ?1",
                )?;
                let open: Vec<(i64, Vec<u8>, Vec<u8>)> = statement
                    .query_map([repository.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect::<rusqlite::Result<_>>()?;
                let path_of = |(_, name, directory): &(i64, Vec<u8>, Vec<u8>)| crate::domain::path::join(directory, name);
                for path in &paths {
                    if !open.iter().any(|entry| path.covers(&path_of(entry))) {
                        return Err(IndexError::Invalid(format!("{path} has no open damage; nothing was accepted")));
                    }
                }
                let mut accepted = 0;
                for entry in &open {
                    if !paths.is_empty() && !paths.iter().any(|path| path.covers(&path_of(entry))) {
                        continue;
                    }
                    db.execute(
                        "UPDATE files SET sha256 = (SELECT found_sha256 FROM damage WHERE directory_id = ?1 AND name = ?2),
                                flags = flags & ~8, updated_after_created_ms = ?3 - created_ms,
                                hashed_after_created_ms = (SELECT found_ms FROM damage WHERE directory_id = ?1 AND name = ?2)
                                                          - created_ms
                         WHERE directory_id = ?1 AND name = ?2",
                        params![entry.0, entry.1, at_ms],
                    )?;
                    db.execute("DELETE FROM damage WHERE directory_id = ?1 AND name = ?2", params![entry.0, entry.1])?;
                    accepted += 1;
                }
                Ok(accepted)
            })
        })
    }

    /// Marks open problems as known. Returns how many.
    ///
    /// # Errors
    /// When an id is no open problem; nothing is acknowledged then.
    pub fn acknowledge(&self, problem_ids: Vec<i64>, at_ms: i64) -> Result<u64> {
        self.call(move |db| {
            db.write(|db| {
                for id in &problem_ids {
                    let sql = "UPDATE problems SET acknowledged_ms = coalesce(acknowledged_ms, ?2)
                               WHERE id = ?1 AND closed_ms IS NULL";
                    if db.execute(sql, params![id, at_ms])? == 0 {
                        return Err(IndexError::Invalid(format!(
                            "there is no open problem {id}; `watchkeeper problems` lists them"
                        )));
                    }
                }
                Ok(problem_ids.len() as u64)
            })
        })
    }
}

impl Reader {
    /// Returns what is held, by repository and path.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn held(&self, repository: Option<RepositoryId>) -> Result<Vec<Held>> {
        self.held_where("?1 IS NULL OR h.repository_id = ?1 ORDER BY r.name, h.path", [repository.map(|id| id.0)])
    }

    pub(super) fn held_where(&self, filter: &str, params: impl Params) -> Result<Vec<Held>> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT r.name, h.path, h.name IS NULL, h.files, h.bytes, h.reason, h.since_ms, coalesce(u.run_id, ''),
                    h.dismissed_ms
             FROM held h JOIN repositories r ON r.id = h.repository_id LEFT JOIN runs u ON u.number = h.run
             WHERE {filter}"
        ))?;
        let rows = statement.query_map(params, |row| {
            Ok(Held {
                repository: row.get(0)?,
                path: RelPath::from_stored(row.get(1)?),
                is_directory: row.get(2)?,
                files: row.get(3)?,
                bytes: row.get(4)?,
                reason: Reason::parse(&row.get::<_, String>(5)?),
                since: Timestamp(row.get(6)?),
                run_id: row.get(7)?,
                dismissed_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
