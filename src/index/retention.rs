//! Retention: old runs and changes go, old runs that found nothing become one row a day. One small step at a time.
//!
//! A pass goes through its stages in order and ends; between two steps everything else may happen, and a pass that is cut
//! off by the end of the program begins anew. Whoever reads a run number must bear that its run is gone.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::runs::{RUN, run};
use super::seal::{self, Seal};
use super::{Result, Writer};
use crate::domain::moment::Timestamp;
use crate::domain::report::Run;

/// Rows that one step may write: some milliseconds, so that no run waits for it.
const ROWS: i64 = 500;
/// How far a large file was hashed is worth little after so long: the file has changed or will be read anyway.
const KEEP_HASH_STATES_MS: i64 = 30 * 86_400_000;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Runs with their log and changes, and closed problems, go when they are older.
    pub keep: Duration,
    /// Days that lie wholly before this are folded.
    pub fold_after: Duration,
    /// Changes per repository; the oldest go first.
    pub keep_changes: u64,
}

/// Where a pass stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Expire,
    /// How many changes of which repository are too many. Counted once a pass: counting a million takes milliseconds.
    Trim(Vec<(i64, u64)>),
    /// The repositories and kinds that are not looked at yet.
    Fold(Vec<(i64, String)>),
    Forget,
}

/// Which runs stay whatever their age: the newest of its kind, the one that vouches for the records, and those that
/// parked what is still held.
const IS_PINNED: &str =
    "(r.number = (SELECT max(n.number) FROM runs n WHERE n.repository_id = r.repository_id AND n.kind = r.kind)
      OR r.number IN (SELECT seen_generation FROM repositories) OR EXISTS (SELECT 1 FROM held h WHERE h.run = r.number))";

/// In the words of the index `runs_that_found_nothing`.
const FOUND_NOTHING: &str =
    "r.outcome = 'completed' AND r.files_added = 0 AND r.files_updated = 0 AND r.files_removed = 0
     AND r.files_moved = 0 AND r.files_damaged = 0 AND r.problems = 0 AND r.error_class IS NULL AND r.attempt = 1";

impl Writer {
    /// Does one small step of retention: at most 500 rows of one table, in one transaction.
    ///
    /// Returns whether a whole pass has ended; the next call begins another. A day is one of local time. `record` is told
    /// which runs go, by number, and into which row they were folded, before that is committed.
    ///
    /// # Errors
    /// Those of SQLite and of `record`.
    pub fn retire(&self, rules: Retention, now: Timestamp, mut record: impl Record) -> Result<bool> {
        self.call(move |db| {
            // What a plan's transaction holds will be undone.
            if db.is_planning() {
                return Ok(false);
            }
            let mut stage = std::mem::take(&mut db.retention);
            let stepped = db.write(|db| step(db, &mut stage, rules, now, &mut record));
            let has_ended = stepped?;
            db.retention = if has_ended { Stage::default() } else { stage };
            Ok(has_ended)
        })
    }
}

/// Writes elsewhere which runs go, and the row that stands for them from now on; returns that row's seal.
pub trait Record: FnMut(Option<Run>, Vec<i64>) -> Result<Option<Seal>> + Send + 'static {}

impl<T: FnMut(Option<Run>, Vec<i64>) -> Result<Option<Seal>> + Send + 'static> Record for T {}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Works on the stage and moves on to the next when nothing is left in it. Returns whether that was the last.
fn step(
    db: &Connection,
    stage: &mut Stage,
    rules: Retention,
    now: Timestamp,
    record: &mut impl Record,
) -> Result<bool> {
    let keep_from_ms = before(now, rules.keep);
    match stage {
        Stage::Expire => {
            if !expire(db, keep_from_ms, record)? {
                *stage = Stage::Trim(surplus(db, rules.keep_changes)?);
            }
        }
        Stage::Trim(left) => match left.last_mut() {
            Some((repository, too_many)) => {
                let rows = (*too_many).min(ROWS as u64);
                let sql = "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE repository_id = ?1
                           ORDER BY at_ms, id LIMIT ?2)";
                let gone = db.execute(sql, params![*repository, rows as i64])? as u64;
                *too_many -= gone.min(*too_many);
                if gone == 0 || *too_many == 0 {
                    left.pop();
                }
            }
            None => *stage = Stage::Fold(kinds(db)?),
        },
        Stage::Fold(left) => match left.last() {
            Some((repository, kind)) => {
                // A day that is not over by then is left alone, so that it is folded once.
                let to_ms = Timestamp(before(now, rules.fold_after)).local_midnight().0;
                if !fold(db, *repository, kind, to_ms, record)? {
                    left.pop();
                }
            }
            None => *stage = Stage::Forget,
        },
        Stage::Forget => return Ok(!forget(db, keep_from_ms, now.0.saturating_sub(KEEP_HASH_STATES_MS))?),
    }
    Ok(false)
}

/// Removes changes, then log lines, then rows of the oldest runs that are too old. Returns whether there was anything.
fn expire(db: &Connection, keep_from_ms: i64, record: &mut impl Record) -> Result<bool> {
    let sql = format!(
        "SELECT r.number FROM runs r WHERE r.started_ms < ?1 AND r.outcome IS NOT NULL AND NOT {IS_PINNED}
         ORDER BY r.started_ms LIMIT {ROWS}"
    );
    for doomed in [
        format!("DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE run IN ({sql}) LIMIT {ROWS})"),
        format!("DELETE FROM run_log WHERE id IN (SELECT id FROM run_log WHERE run IN ({sql}) LIMIT {ROWS})"),
    ] {
        if db.prepare_cached(&doomed)?.execute([keep_from_ms])? > 0 {
            return Ok(true);
        }
    }
    let numbers: Vec<i64> =
        db.prepare_cached(&sql)?.query_map([keep_from_ms], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if numbers.is_empty() {
        return Ok(false);
    }
    delete_runs(db, &numbers)?;
    record(None, numbers)?;
    Ok(true)
}

fn delete_runs(db: &Connection, numbers: &[i64]) -> Result<()> {
    let numbers = serde_json::to_string(numbers).expect("numbers always serialize");
    db.prepare_cached("DELETE FROM runs WHERE number IN (SELECT value FROM json_each(?1))")?.execute([numbers])?;
    Ok(())
}

fn surplus(db: &Connection, keep_changes: u64) -> Result<Vec<(i64, u64)>> {
    let mut statement = db.prepare(
        "SELECT id, (SELECT count(*) FROM changes c WHERE c.repository_id = r.id) AS stored FROM repositories r
         WHERE stored > ?1",
    )?;
    let keep = i64::try_from(keep_changes).unwrap_or(i64::MAX);
    let rows = statement.query_map([keep], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.abs_diff(keep))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn kinds(db: &Connection) -> Result<Vec<(i64, String)>> {
    let mut statement = db.prepare("SELECT repository_id, kind FROM sync_status")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Folds runs of the first day that has more than one which found nothing. Returns whether there was such a day.
///
/// A run that a person has attached a note to stays, and so does one with changes: restored files count nowhere.
fn fold(db: &Connection, repository: i64, kind: &str, to_ms: i64, record: &mut impl Record) -> Result<bool> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT r.number, r.started_ms FROM runs r INDEXED BY runs_that_found_nothing
         WHERE r.repository_id = ?1 AND r.kind = ?2 AND r.started_ms < ?3 AND {FOUND_NOTHING} AND NOT {IS_PINNED}
               AND r.metadata ->> '$.note' IS NULL AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.run = r.number)
         ORDER BY r.started_ms, r.number"
    ))?;
    let mut rows = statement.query(params![repository, kind, to_ms])?;
    let mut numbers: Vec<i64> = Vec::new();
    // The bounds of the day are worked out once a day, not once a run.
    let mut ends_ms = i64::MIN;
    while let Some(row) = rows.next()? {
        let started_ms: i64 = row.get(1)?;
        if started_ms >= ends_ms {
            if numbers.len() > 1 {
                break;
            }
            numbers.clear();
            ends_ms = Timestamp(started_ms).next_local_midnight().0;
        }
        numbers.push(row.get(0)?);
        if numbers.len() as i64 == ROWS {
            break;
        }
    }
    drop(rows);
    if numbers.len() < 2 {
        return Ok(false);
    }
    // The log of one run would stand for all of them. It is another table, so it takes steps of its own.
    let list = serde_json::to_string(&numbers).expect("numbers always serialize");
    let sql = format!(
        "DELETE FROM run_log WHERE id IN (SELECT l.id FROM json_each(?1) JOIN run_log l ON l.run = value LIMIT {ROWS})"
    );
    if db.prepare_cached(&sql)?.execute([&list])? == 0 {
        let run = merge(db, &list)?;
        numbers.retain(|number| *number != run.number);
        delete_runs(db, &numbers)?;
        let first = run.number;
        seal::set(db, first, record(Some(run), numbers)?)?;
    }
    Ok(true)
}

/// Makes one row, the first, of the runs whose numbers are in a JSON list, and returns it.
fn merge(db: &Connection, numbers: &str) -> Result<Run> {
    let mut statement = db
        .prepare_cached("SELECT r.number, r.trigger FROM json_each(?1) JOIN runs r ON r.number = value ORDER BY key")?;
    let mut rows = statement.query([numbers])?;
    let (mut first, mut triggers) = (None, Vec::<String>::new());
    while let Some(row) = rows.next()? {
        first = first.or(Some(row.get::<_, i64>(0)?));
        for trigger in row.get::<_, String>(1)?.split(' ') {
            if !triggers.iter().any(|known| known == trigger) {
                triggers.push(trigger.to_owned());
            }
        }
    }
    drop(rows);
    // What one of them has used, or the sum of its row, is not true of all.
    db.prepare_cached(
        "UPDATE runs SET trigger = ?3, metadata = NULL, row_sum = NULL, ended_ms = s.ended_ms,
                duration_ms = s.duration_ms, directories_listed = s.directories_listed,
                files_scanned = s.files_scanned, bytes_hashed = s.bytes_hashed, folded = s.folded
         FROM (SELECT max(r.ended_ms) AS ended_ms, sum(r.duration_ms) AS duration_ms,
                      sum(r.directories_listed) AS directories_listed, sum(r.files_scanned) AS files_scanned,
                      sum(r.bytes_hashed) AS bytes_hashed, sum(r.folded) AS folded
               FROM json_each(?1) JOIN runs r ON r.number = value) s
         WHERE number = ?2",
    )?
    .execute(params![numbers, first, triggers.join(" ")])?;
    Ok(db.prepare_cached(&format!("{RUN} WHERE number = ?1"))?.query_row([first], run)?)
}

/// Removes closed problems and half-hashed states that are too old. Returns whether there were any.
fn forget(db: &Connection, keep_from_ms: i64, states_from_ms: i64) -> Result<bool> {
    let sql = "DELETE FROM problems WHERE id IN (SELECT id FROM problems WHERE closed_ms < ?1 LIMIT ?2)";
    if db.execute(sql, params![keep_from_ms, ROWS])? > 0 {
        return Ok(true);
    }
    let sql = "DELETE FROM hash_states WHERE (repository_id, inode) IN
               (SELECT repository_id, inode FROM hash_states WHERE saved_ms < ?1 LIMIT ?2)";
    Ok(db.execute(sql, params![states_from_ms, ROWS])? > 0)
}

#[cfg(test)]
mod tests;
