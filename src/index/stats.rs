//! Sums over the history: how often, how long, how much, which errors.

use rusqlite::params;

use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::report::Stats;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Tally;

impl Reader {
    /// Returns sums per repository and kind over the runs that have ended and began since a moment. A row of folded runs
    /// counts as all of them, at the start of the first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn stats(&self, repository: Option<RepositoryId>, since: Timestamp) -> Result<Vec<Stats>> {
        // By the name that the repository has now: a rename does not part its history.
        let mut statement = self.connection.prepare(
            "SELECT r.name, u.kind, sum(u.folded), sum(u.folded * (u.outcome = 'completed')), sum(u.outcome = 'partial'),
                    sum(u.outcome = 'failed'), sum(u.outcome = 'held'), sum(u.outcome = 'cancelled'),
                    sum(u.outcome = 'interrupted'), max(u.duration_ms / u.folded), sum(u.files_scanned),
                    sum(u.files_added), sum(u.files_updated), sum(u.files_removed), sum(u.files_moved),
                    sum(u.bytes_hashed), sum(u.duration_ms), u.repository_id
             FROM runs u JOIN repositories r ON r.id = u.repository_id
             WHERE u.outcome IS NOT NULL AND u.started_ms >= ?2 AND (?1 IS NULL OR u.repository_id = ?1)
             GROUP BY u.repository_id, u.kind ORDER BY r.name, u.kind",
        )?;
        let rows = statement.query_map(params![repository.map(|id| id.0), since.0], |row| {
            let stats = Stats {
                repository: row.get(0)?,
                kind: row.get(1)?,
                runs: row.get(2)?,
                completed: row.get(3)?,
                partial: row.get(4)?,
                failed: row.get(5)?,
                held: row.get(6)?,
                cancelled: row.get(7)?,
                interrupted: row.get(8)?,
                max_ms: row.get(9)?,
                total_ms: row.get::<_, Option<i64>>(16)?.unwrap_or(0),
                tally: Tally {
                    scanned: row.get(10)?,
                    added: row.get(11)?,
                    updated: row.get(12)?,
                    removed: row.get(13)?,
                    moved: row.get(14)?,
                    bytes_hashed: row.get(15)?,
                    ..Tally::default()
                },
                ..Stats::default()
            };
            Ok((row.get(17)?, stats))
        })?;
        let mut stats = Vec::new();
        for row in rows {
            let (id, mut entry): (i64, Stats) = row?;
            entry.p50_ms = self.duration_at(id, &entry.kind, since, 50)?;
            entry.p95_ms = self.duration_at(id, &entry.kind, since, 95)?;
            entry.errors = self.errors_of(id, &entry.kind, since)?;
            stats.push(entry);
        }
        Ok(stats)
    }

    /// Returns the duration that `percent` of the runs stayed at or below (nearest rank).
    ///
    /// A row that stands for many runs counts as so many of their mean: left out, the runs that found something would
    /// seem to be all.
    fn duration_at(&self, repository: i64, kind: &str, since: Timestamp, percent: i64) -> Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT duration_ms / folded, folded FROM runs WHERE repository_id = ?1 AND kind = ?2 AND started_ms >= ?3
             AND outcome IS NOT NULL AND duration_ms IS NOT NULL ORDER BY 1",
        )?;
        let rows = statement.query_map(params![repository, kind, since.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let durations: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut rank = (durations.iter().map(|(_, runs)| runs).sum::<i64>() * percent + 99) / 100;
        for (duration_ms, runs) in durations {
            rank -= runs;
            if rank <= 0 {
                return Ok(Some(duration_ms));
            }
        }
        Ok(None)
    }

    fn errors_of(&self, repository: i64, kind: &str, since: Timestamp) -> Result<Vec<(String, i64)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT error_class, count(*) FROM runs WHERE repository_id = ?1 AND kind = ?2 AND started_ms >= ?3
             AND error_class IS NOT NULL GROUP BY error_class ORDER BY 2 DESC, 1",
        )?;
        let key = params![repository, kind, since.0];
        let rows = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
