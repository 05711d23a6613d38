//! Changes: what each run found different, with its verdict.

use rusqlite::{Connection, Row, ToSql, params};

use super::apply::RunContext;
use super::{Reader, Result};
use crate::domain::change::{Change, Verdict};
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::StoredChange;
use crate::domain::repository::RepositoryId;

/// Which changes are wanted; everything that is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    pub repository: Option<RepositoryId>,
    /// Number of a run.
    pub run: Option<i64>,
    pub since: Option<Timestamp>,
    pub verdict: Option<Verdict>,
    pub limit: Option<u64>,
}

pub(super) fn insert_change(db: &Connection, run: &RunContext, at_ms: i64, change: &Change) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO changes (repository_id, run, at_ms, verdict, path, old_path, directory_files, old_size_bytes,
         new_size_bytes, old_sha256, new_sha256, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        run.repository.0,
        run.number,
        at_ms,
        change.verdict.as_str(),
        change.path.as_bytes(),
        change.old_path.as_ref().map(RelPath::as_bytes),
        change.directory_files,
        change.old_size_bytes,
        change.new_size_bytes,
        change.old_sha256,
        change.new_sha256,
        change.note,
    ])?;
    Ok(())
}

impl Reader {
    /// Hands out changes in the order in which they were found.
    ///
    /// # Errors
    /// Those of SQLite and of `report`.
    pub fn for_each_change(
        &self,
        filter: &ChangeFilter,
        mut report: impl FnMut(StoredChange) -> Result<()>,
    ) -> Result<()> {
        read_changes(&self.connection, filter, &mut report)
    }

    /// Returns a page of a run's changes: those whose id is greater than `after`, each with its id, by id.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn changes_of_run(&self, run: i64, after: i64, limit: u64) -> Result<Vec<(i64, StoredChange)>> {
        let sql = format!("{SELECT} WHERE c.run = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![run, after, limit as i64], |row| Ok((row.get(12)?, change(row)?)))?;
        rows.map(|row| Ok(row?)).collect()
    }

    /// Returns the newest changes of one path, the newest first; looks at all changes, as there is no index by path.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn changes_of_path(&self, repository: RepositoryId, path: &RelPath, limit: u64) -> Result<Vec<StoredChange>> {
        // Without the index by repository and time, which would only add a look at the row.
        let sql = format!("{SELECT} WHERE +c.repository_id = ?1 AND c.path = ?2 ORDER BY c.id DESC LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![repository.0, path.as_bytes(), limit as i64], change)?;
        rows.map(|row| Ok(row?)).collect()
    }
}

/// As [`change`] reads it, with the id behind.
pub(super) const SELECT: &str =
    "SELECT coalesce(u.run_id, ''), r.name, c.at_ms, c.verdict, c.path, c.old_path, c.directory_files, c.old_size_bytes,
            c.new_size_bytes, c.old_sha256, c.new_sha256, c.note, c.id
     FROM changes c JOIN repositories r ON r.id = c.repository_id LEFT JOIN runs u ON u.number = c.run";

pub(super) fn read_changes(
    db: &Connection,
    filter: &ChangeFilter,
    report: &mut dyn FnMut(StoredChange) -> Result<()>,
) -> Result<()> {
    let mut conditions = vec!["1"];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut add = |condition: &'static str, value: Option<Box<dyn ToSql>>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    // By time only where a time is asked for: what comes by the index has to be sorted before the first line shows.
    let by_repository = if filter.since.is_some() { "c.repository_id = ?" } else { "+c.repository_id = ?" };
    add(by_repository, filter.repository.map(|id| Box::new(id.0) as Box<dyn ToSql>));
    add("c.run = ?", filter.run.map(|run| Box::new(run) as Box<dyn ToSql>));
    add("c.at_ms >= ?", filter.since.map(|since| Box::new(since.0) as Box<dyn ToSql>));
    add("c.verdict = ?", filter.verdict.map(|verdict| Box::new(verdict.as_str()) as Box<dyn ToSql>));
    let sql = format!(
        "{SELECT} WHERE {} ORDER BY c.id LIMIT {}",
        conditions.join(" AND "),
        filter.limit.map_or(-1, |limit| limit as i64)
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values.iter()))?;
    while let Some(row) = rows.next()? {
        report(change(row)?)?;
    }
    Ok(())
}

/// Reads a row of [`SELECT`].
pub(super) fn change(row: &Row<'_>) -> rusqlite::Result<StoredChange> {
    let verdict: String = row.get(3)?;
    Ok(StoredChange {
        run_id: row.get(0)?,
        repository: row.get(1)?,
        at: Timestamp(row.get(2)?),
        change: Change {
            verdict: Verdict::parse(&verdict).unwrap_or(Verdict::Edited),
            path: RelPath::from_stored(row.get(4)?),
            old_path: row.get::<_, Option<Vec<u8>>>(5)?.map(RelPath::from_stored),
            directory_files: row.get(6)?,
            old_size_bytes: row.get(7)?,
            new_size_bytes: row.get(8)?,
            old_sha256: row.get(9)?,
            new_sha256: row.get(10)?,
            note: None,
        },
        note: row.get(11)?,
    })
}
