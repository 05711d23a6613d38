//! What changed, the newest first, in pages that cost the same however much there is: groups of changes that one run found
//! in one directory, the single changes of a group, and what happened since a moment.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::changes::{SELECT, change};
use super::digest::PLACED;
use super::{Reader, Result};
use crate::domain::change::Verdict;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::StoredChange;
use crate::domain::repository::RepositoryId;

/// How many changes a page looks at. Some 30 ms, and no more rows than a person scrolls through at once.
const PAGE: i64 = 20_000;
/// How many changes are counted since a moment; a person who was away for long needs no exact number.
const COUNTED: i64 = 1_000_000;

/// What the changes of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Number of the run that found them.
    pub run: i64,
    pub repository: RepositoryId,
    pub verdict: Verdict,
    /// The directory that they are in, or the whole directory that was moved, removed or added.
    pub place: RelPath,
    pub moved_from: Option<RelPath>,
    /// Found at or after the moment that was asked about.
    pub is_new: bool,
}

/// Changes of one run, directory and verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeGroup {
    pub key: GroupKey,
    /// Rows of `changes`.
    pub changes: i64,
    /// Files that they stand for: a moved directory is one change.
    pub files: i64,
    /// Ids of the first and the last of them that were read.
    pub ids: (i64, i64),
    /// When the last of them was found.
    pub at: Timestamp,
    /// Where it is and was, when it is a single one.
    pub only: Option<(RelPath, Option<RelPath>)>,
}

/// Which part of the timeline is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Newest,
    /// What came after this id, the first of it first.
    After(i64),
    /// What was before this id.
    Before(i64),
}

/// A part of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelinePage {
    /// By their last change, the newest first.
    pub groups: Vec<ChangeGroup>,
    /// Ids of the first and the last change that was looked at.
    pub ids: Option<(i64, i64)>,
    /// There is nothing further in this direction.
    pub is_end: bool,
}

/// What happened in one repository since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AwayCounts {
    /// Files that were found damaged, and still are.
    pub damaged: i64,
    pub failed_runs: i64,
    /// Files whose removal is held, and not decided.
    pub held: i64,
    /// Problems that are open.
    pub problems: i64,
    /// Files that changed.
    pub changes: i64,
}

/// What happened since a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// Only repositories in which something happened.
    pub repositories: Vec<(RepositoryId, AwayCounts)>,
    /// More changed than was counted.
    pub is_more: bool,
}

impl Reader {
    /// Returns a part of the timeline of all repositories or one, its changes told apart by whether they were found at or
    /// after `since`. A group that goes on beyond the part is only counted as far as it was read.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn timeline(
        &self,
        repository: Option<RepositoryId>,
        since: Option<Timestamp>,
        span: Span,
    ) -> Result<TimelinePage> {
        timeline(&self.connection, repository, since, span, PAGE)
    }

    /// Returns a page of a group's changes: those whose id is greater than `after`, each with its id, by id. `since` is the
    /// moment that the group was asked for with.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn changes_of_group(
        &self,
        key: &GroupKey,
        since: Option<Timestamp>,
        after: i64,
        limit: u64,
    ) -> Result<Vec<(i64, StoredChange)>> {
        let sql = format!(
            "{SELECT} WHERE c.id IN (
                 SELECT id FROM (SELECT id, {PLACED} FROM changes
                                 WHERE run = ?1 AND id > ?2 AND repository_id = ?3 AND verdict = ?4
                                       AND (at_ms >= ?5) = ?6)
                 WHERE place = ?7 AND moved_from IS ?8 ORDER BY id LIMIT ?9)
             ORDER BY c.id"
        );
        let values = params![
            key.run,
            after,
            key.repository.0,
            key.verdict.as_str(),
            moment(since),
            key.is_new,
            key.place.as_bytes(),
            key.moved_from.as_ref().map(RelPath::as_bytes),
            limit as i64,
        ];
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, |row| Ok((row.get(12)?, change(row)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns what happened since a moment, by repository.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn away(&self, since: Timestamp) -> Result<Away> {
        let mut counts: BTreeMap<i64, AwayCounts> = BTreeMap::new();
        let mut count = |sql: &str, place: fn(&mut AwayCounts) -> &mut i64| -> Result<()> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([since.0])?;
            while let Some(row) = rows.next()? {
                *place(counts.entry(row.get(0)?).or_default()) = row.get(1)?;
            }
            Ok(())
        };
        count("SELECT repository_id, count(*) FROM damage WHERE found_ms >= ?1 GROUP BY 1", |all| &mut all.damaged)?;
        count(
            "SELECT repository_id, count(*) FROM runs WHERE outcome = 'failed' AND ended_ms >= ?1 GROUP BY 1",
            |all| &mut all.failed_runs,
        )?;
        count(
            "SELECT repository_id, sum(max(files, 1)) FROM held WHERE since_ms >= ?1 AND dismissed_ms IS NULL GROUP BY 1",
            |all| &mut all.held,
        )?;
        count(
            "SELECT repository_id, count(*) FROM problems WHERE closed_ms IS NULL AND first_seen_ms >= ?1 GROUP BY 1",
            |all| &mut all.problems,
        )?;
        let mut looked_at = 0;
        for (repository, changes, files) in self.changed_since(since)? {
            counts.entry(repository).or_default().changes = files;
            looked_at += changes;
        }
        let known = self.repositories()?;
        let find = |id: i64| Some((RepositoryId(id), *counts.get(&id)?));
        let repositories = known.iter().filter_map(|repository| find(repository.id.0)).collect();
        Ok(Away { repositories, is_more: looked_at >= COUNTED })
    }

    /// Returns repository, changes and files. Ids grow with time: from the first new one on, no other row is read.
    fn changed_since(&self, since: Timestamp) -> Result<Vec<(i64, i64, i64)>> {
        let mut statement = self.connection.prepare(
            "WITH first AS (
                 SELECT min((SELECT c.id FROM changes c WHERE c.repository_id = r.id AND c.at_ms >= ?1
                             ORDER BY c.at_ms, c.id LIMIT 1)) AS id FROM repositories r),
             new AS (
                 SELECT repository_id, max(coalesce(directory_files, 1), 1) AS files FROM changes
                 WHERE id >= (SELECT id FROM first) AND at_ms >= ?1 ORDER BY id LIMIT ?2)
             SELECT repository_id, count(*), sum(files) FROM new GROUP BY repository_id",
        )?;
        let rows = statement.query_map(params![since.0, COUNTED], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn timeline(
    db: &Connection,
    repository: Option<RepositoryId>,
    since: Option<Timestamp>,
    span: Span,
    limit: i64,
) -> Result<TimelinePage> {
    let (condition, order, id) = match span {
        Span::Newest => ("id < ?1", "DESC", i64::MAX),
        Span::Before(id) => ("id < ?1", "DESC", id),
        Span::After(id) => ("id > ?1", "ASC", id),
    };
    // By the table itself, whose rows are in order, if the repository has a good share of them. Else a page would have to
    // look at all rows, and finds its own faster by the repository's index, which has to be sorted by id.
    let page = match repository.map(|id| has_few(db, id, limit)).transpose()? {
        Some(true) => format!(
            "SELECT * FROM changes WHERE id IN (
                 SELECT id FROM changes INDEXED BY changes_by_time
                 WHERE repository_id = ?2 AND {condition} ORDER BY id {order} LIMIT ?4)"
        ),
        Some(false) | None => format!(
            "SELECT * FROM changes WHERE {condition} AND (?2 IS NULL OR +repository_id = ?2)
             ORDER BY id {order} LIMIT ?4"
        ),
    };
    let sql = format!(
        "WITH page AS ({page}),
         placed AS (SELECT id, run, repository_id, at_ms, path, old_path, at_ms >= ?3 AS is_new, {PLACED} FROM page)
         SELECT run, repository_id, verdict, place, moved_from, is_new, count(*), sum(files), min(id), max(id),
                max(at_ms), min(path), min(old_path)
         FROM placed GROUP BY run, repository_id, verdict, place, moved_from, is_new ORDER BY max(id) DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![id, repository.map(|id| id.0), moment(since), limit], group)?;
    let groups: Vec<ChangeGroup> = rows.collect::<rusqlite::Result<_>>()?;
    let first = groups.iter().map(|group| group.ids.0).min();
    let last = groups.iter().map(|group| group.ids.1).max();
    let looked_at: i64 = groups.iter().map(|group| group.changes).sum();
    Ok(TimelinePage { ids: first.zip(last), is_end: looked_at < limit, groups })
}

/// Tells whether a repository has so few of all changes that sorting them costs less than looking for a page of them.
fn has_few(db: &Connection, repository: RepositoryId, limit: i64) -> Result<bool> {
    // Of `all` rows of which `own` are the repository's, a page looks at `limit * all / own`. By the index it looks at `own`,
    // and each costs ten times as much (measured): it is sorted, and found in the table by its id.
    let all: i64 = db
        .prepare_cached("SELECT coalesce((SELECT max(id) FROM changes) - (SELECT min(id) FROM changes) + 1, 0)")?
        .query_row([], |row| row.get(0))?;
    let most = (limit.saturating_mul(all) / 10).isqrt();
    let own: i64 = db
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM changes WHERE repository_id = ?1 LIMIT ?2)")?
        .query_row([repository.0, most + 1], |row| row.get(0))?;
    Ok(own <= most)
}

fn group(row: &Row<'_>) -> rusqlite::Result<ChangeGroup> {
    let verdict: String = row.get(2)?;
    let path = |column| row.get::<_, Option<Vec<u8>>>(column).map(|path| path.map(RelPath::from_stored));
    let changes = row.get(6)?;
    Ok(ChangeGroup {
        key: GroupKey {
            run: row.get(0)?,
            repository: RepositoryId(row.get(1)?),
            verdict: Verdict::parse(&verdict).unwrap_or(Verdict::Edited),
            place: path(3)?.unwrap_or_default(),
            moved_from: path(4)?,
            is_new: row.get(5)?,
        },
        changes,
        files: row.get(7)?,
        ids: (row.get(8)?, row.get(9)?),
        at: Timestamp(row.get(10)?),
        only: if changes == 1 { path(11)?.zip(Some(path(12)?)) } else { None },
    })
}

/// Without a moment nothing is new.
fn moment(since: Option<Timestamp>) -> i64 {
    since.map_or(i64::MAX, |since| since.0)
}
