//! The state of each repository as far as the index knows it.

use rusqlite::params;

use super::runs::RunFilter;
use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::report::{IndexStatus, KindStatus, Repository};
use crate::domain::repository::RepositoryId;
use crate::domain::run::Kind;

impl Reader {
    /// Returns the status of all repositories, by name.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn statuses(&self) -> Result<Vec<IndexStatus>> {
        self.repositories()?.into_iter().map(|repository| self.status(repository)).collect()
    }

    /// Returns the status of one repository.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn status(&self, repository: Repository) -> Result<IndexStatus> {
        let id = repository.id;
        let count = |sql: &str| -> Result<i64> {
            Ok(self.connection.prepare_cached(sql)?.query_row([id.0], |row| row.get(0))?)
        };
        let last = self.runs(&RunFilter { repository: Some(id), limit: Some(1), ..RunFilter::default() })?;
        Ok(IndexStatus {
            open_problems: count("SELECT count(*) FROM problems WHERE repository_id = ?1 AND closed_ms IS NULL")?,
            new_problems: count(
                "SELECT count(*) FROM problems WHERE repository_id = ?1 AND closed_ms IS NULL AND acknowledged_ms IS NULL",
            )?,
            damaged: count("SELECT count(*) FROM damage WHERE repository_id = ?1")?,
            // A hold on the root covers all the others.
            held: count(
                "SELECT coalesce(max(CASE WHEN path = x'' THEN files END), sum(files), 0) FROM held WHERE repository_id = ?1",
            )?,
            undecided: count(
                "SELECT coalesce(sum(max(files, 1)), 0) FROM held WHERE repository_id = ?1 AND dismissed_ms IS NULL",
            )?,
            last_run: last.into_iter().next(),
            by_kind: self.by_kind(id)?,
            repository,
        })
    }

    fn by_kind(&self, id: RepositoryId) -> Result<Vec<KindStatus>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, last_success_ms, last_attempt_ms, last_outcome, last_error, success_count, failure_count,
             last_files_processed FROM sync_status WHERE repository_id = ?1 ORDER BY kind",
        )?;
        let rows = statement.query_map(params![id.0], |row| {
            let kind: String = row.get(0)?;
            Ok(KindStatus {
                kind: Kind::parse(&kind).unwrap_or(Kind::Full),
                last_success_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                last_attempt_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
                last_outcome: row.get(3)?,
                last_error: row.get(4)?,
                success_count: row.get(5)?,
                failure_count: row.get(6)?,
                last_files_processed: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
