//! Runs: opened before any work, closed in one place, found again when they were cut off.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::apply::RunContext;
use super::seal::{self, Seal};
use super::writer::Writer;
use super::{IndexError, Reader, Result, problems, settle};
use crate::domain::change::Verdict;
use crate::domain::moment::Timestamp;
use crate::domain::report::{LogLine, Run, StoredChange};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Tally};
use crate::domain::show::show;

/// A run that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// ULID.
    pub run_id: String,
    pub repository: RepositoryId,
    pub name: String,
    pub kind: Kind,
    /// Separated by blanks, the first first.
    pub trigger: String,
    pub started_ms: i64,
    pub instance: String,
    /// JSON.
    pub metadata: Option<String>,
    /// Which try it is, from 1.
    pub attempt: i64,
    /// Id of the run that this one tries again.
    pub retry_of: Option<String>,
    /// The run shows what it would do and is undone at its end.
    pub is_plan: bool,
    /// The first line of its log.
    pub first_line: String,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseRun {
    pub outcome: Outcome,
    pub ended_ms: i64,
    pub duration_ms: i64,
    pub error_class: Option<&'static str>,
    pub error_message: Option<String>,
    pub metadata: Option<String>,
    /// Set by a full run that reached its last directory: it vouches for what it did not write.
    pub vouches_from_ms: Option<i64>,
}

/// Writes a row elsewhere before it is committed here, may raise the number of one that begins, and returns its seal. Asked
/// twice when the first commit failed.
pub trait Record: FnMut(&mut Run) -> Result<Option<Seal>> + Send + 'static {}

impl<T: FnMut(&mut Run) -> Result<Option<Seal>> + Send + 'static> Record for T {}

/// Which runs are wanted; everything that is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub repository: Option<RepositoryId>,
    pub kind: Option<Kind>,
    pub outcome: Option<Outcome>,
    pub since: Option<Timestamp>,
    /// Only runs before this number: the next page.
    pub before: Option<i64>,
    pub limit: Option<u64>,
}

/// What is said of a run whose process was gone before its end.
pub const CUT_OFF: &str = "the program was ended in the middle of this run";

pub(super) const RUN: &str = "SELECT run_id, number, repository_id, repository, kind, trigger, outcome, started_ms, ended_ms, \
                   duration_ms, files_scanned, files_added, files_updated, files_removed, files_moved, files_damaged, \
                   problems, bytes_hashed, directories_listed, error_class, error_message, attempt, instance, metadata, \
                   retry_of, folded FROM runs";

pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let kind: String = row.get(4)?;
    let outcome: Option<String> = row.get(6)?;
    Ok(Run {
        run_id: row.get(0)?,
        number: row.get(1)?,
        repository_id: RepositoryId(row.get(2)?),
        repository: row.get(3)?,
        kind: Kind::parse(&kind).unwrap_or(Kind::Full),
        trigger: row.get(5)?,
        outcome: outcome.as_deref().and_then(Outcome::parse),
        started_at: Timestamp(row.get(7)?),
        ended_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        duration_ms: row.get(9)?,
        tally: Tally {
            scanned: row.get(10)?,
            added: row.get(11)?,
            updated: row.get(12)?,
            removed: row.get(13)?,
            moved: row.get(14)?,
            damaged: row.get(15)?,
            problems: row.get(16)?,
            bytes_hashed: row.get(17)?,
            directories: row.get(18)?,
        },
        error_class: row.get(19)?,
        error_message: row.get(20)?,
        attempt: row.get(21)?,
        instance: row.get(22)?,
        metadata: row.get(23)?,
        retry_of: row.get(24)?,
        folded: row.get(25)?,
    })
}

impl Writer {
    /// Writes the start of a run, before any of its work: first where `record` writes it, then here. Not so a plan's.
    ///
    /// # Errors
    /// Those of SQLite and of `record`.
    pub fn open_run(&self, new: NewRun, mut record: impl Record) -> Result<RunContext> {
        self.call(move |db| {
            let is_plan = new.is_plan;
            if is_plan {
                db.begin_plan()?;
            }
            let opened = db.write(|db| begin(db, &new, &mut record));
            if opened.is_err() && is_plan {
                db.end_plan()?;
            }
            opened
        })
    }

    /// Writes the end of a run: its row, the status of its kind, and what it vouches for, in one transaction, which is
    /// committed when `record` has written the row elsewhere.
    ///
    /// Returns the row. When this returns, the run survives a kill and a power cut (invariant 10).
    ///
    /// # Errors
    /// Those of SQLite and of `record`.
    pub fn close_run(&self, context: &RunContext, close: CloseRun, mut record: impl Record) -> Result<Run> {
        // Rows of it that could not be written have ended it; its end is written all the same.
        self.forget_failure(context)?;
        let context = context.clone();
        self.call(move |db| {
            let is_plan = db.is_planning();
            let closed = db.write_by_all_means(|db| {
                let mut run = finish(db, &context, &close)?;
                if !is_plan {
                    seal::set(db, run.number, record(&mut run)?)?;
                }
                Ok(run)
            });
            // What the run kept for its end is of no use to anyone now.
            db.twins.forget(&context);
            settle::forget(&db.connection, &context)?;
            closed
        })
    }

    /// Ends a plan: returns its tally and its first `limit` changes, and undoes all it wrote.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn end_plan(&self, context: &RunContext, limit: u64) -> Result<(Run, Vec<StoredChange>)> {
        let context = context.clone();
        self.call(move |db| {
            let filter = super::ChangeFilter { run: Some(context.number), limit: Some(limit), ..Default::default() };
            let mut changes = Vec::new();
            let found = super::changes::read_changes(&db.connection, &filter, &mut |change| {
                changes.push(change);
                Ok(())
            })
            .and_then(|()| Ok(db.connection.query_row(&format!("{RUN} WHERE number = ?1"), [context.number], run)?));
            db.end_plan()?;
            db.twins.forget(&context);
            settle::forget(&db.connection, &context)?;
            Ok((found?, changes))
        })
    }

    /// Adds a line to a run's log.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn log(&self, context: &RunContext, at_ms: i64, message: String) -> Result<()> {
        let number = context.number;
        self.call(move |db| {
            db.write(|db| {
                let sql = "INSERT INTO run_log (run, at_ms, message) VALUES (?1, ?2, ?3)";
                db.execute(sql, params![number, at_ms, message])?;
                Ok(())
            })
        })
    }
}

fn begin(db: &Connection, new: &NewRun, record: &mut impl Record) -> Result<RunContext> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0) + 1";
    let mut run = Run {
        run_id: new.run_id.clone(),
        number: db.query_row(sql, [], |row| row.get(0))?,
        repository_id: new.repository,
        repository: new.name.clone(),
        kind: new.kind,
        trigger: new.trigger.clone(),
        outcome: None,
        started_at: Timestamp(new.started_ms),
        ended_at: None,
        duration_ms: None,
        tally: Tally::default(),
        error_class: None,
        error_message: None,
        attempt: new.attempt,
        retry_of: new.retry_of.clone(),
        folded: 1,
        instance: new.instance.clone(),
        metadata: new.metadata.clone(),
    };
    let seal = if new.is_plan { None } else { record(&mut run)? };
    db.execute(
        "INSERT INTO runs (number, run_id, repository_id, repository, kind, trigger, started_ms, instance, metadata,
                attempt, retry_of, journal_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            run.number,
            run.run_id,
            run.repository_id.0,
            run.repository,
            run.kind.as_str(),
            run.trigger,
            new.started_ms,
            run.instance,
            run.metadata,
            run.attempt,
            run.retry_of,
            seal.map(|seal| seal.journal_seq as i64)
        ],
    )?;
    let number = run.number;
    let sql = "SELECT seen_generation FROM repositories WHERE id = ?1";
    let seen: i64 = db.query_row(sql, [new.repository.0], |row| row.get(0))?;
    let sql = "INSERT INTO run_log (run, at_ms, message) VALUES (?1, ?2, ?3)";
    db.execute(sql, params![number, new.started_ms, new.first_line])?;
    let stores_changes = seen > 0 || new.is_plan;
    let is_urgent = new.kind == Kind::Realtime;
    Ok(RunContext { stores_changes, is_urgent, ..RunContext::of(new.repository, number) })
}

fn finish(db: &Connection, context: &RunContext, close: &CloseRun) -> Result<Run> {
    if let Some(seen_ms) = close.vouches_from_ms {
        db.execute(
            // What a watcher had proven before is older than what this run has seen.
            "UPDATE repositories SET seen_generation = ?2, seen_ms = ?3,
                    true_ms = CASE WHEN true_ms >= ?3 THEN true_ms END WHERE id = ?1",
            params![context.repository.0, context.number, seen_ms],
        )?;
        problems::close_unmet(db, context, close.ended_ms)?;
    }
    finish_row(db, context.number, close)?;
    Ok(db.query_row(&format!("{RUN} WHERE number = ?1"), [context.number], run)?)
}

/// The one place where a run's row gets its end.
fn finish_row(db: &Connection, number: i64, close: &CloseRun) -> Result<()> {
    db.execute(
        "UPDATE runs SET outcome = ?2, ended_ms = ?3, duration_ms = ?4, error_class = ?5, error_message = ?6,
                metadata = coalesce(?7, metadata)
         WHERE number = ?1",
        params![
            number,
            close.outcome.as_str(),
            close.ended_ms,
            close.duration_ms,
            close.error_class,
            close.error_message,
            close.metadata
        ],
    )?;
    count_run(db, number, close.outcome, close.ended_ms)
}

/// Counts an ended run in the status of its kind.
pub(super) fn count_run(db: &Connection, number: i64, outcome: Outcome, ended_ms: i64) -> Result<()> {
    db.execute(
        "INSERT INTO sync_status (repository_id, kind, last_success_ms, last_attempt_ms, last_outcome, last_error,
                success_count, failure_count, last_files_processed, created_ms, updated_ms)
         SELECT repository_id, kind, CASE WHEN ?2 THEN started_ms END, started_ms, outcome, error_message,
                CASE WHEN ?2 THEN folded ELSE 0 END, CASE WHEN ?2 THEN 0 ELSE folded END, files_scanned, ?3, ?3 FROM runs WHERE number = ?1
         ON CONFLICT (repository_id, kind) DO UPDATE SET
                last_success_ms = coalesce(excluded.last_success_ms, last_success_ms),
                last_attempt_ms = excluded.last_attempt_ms, last_outcome = excluded.last_outcome,
                last_error = excluded.last_error, success_count = success_count + excluded.success_count,
                failure_count = failure_count + excluded.failure_count,
                last_files_processed = excluded.last_files_processed, updated_ms = excluded.updated_ms",
        params![number, outcome.is_success(), ended_ms],
    )?;
    Ok(())
}

impl Reader {
    /// Returns runs, the newest first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let mut conditions = vec!["1"];
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        if let Some(id) = filter.repository {
            conditions.push("repository_id = ?");
            values.push(Box::new(id.0));
        }
        if let Some(kind) = filter.kind {
            conditions.push("kind = ?");
            values.push(Box::new(kind.as_str()));
        }
        if let Some(outcome) = filter.outcome {
            let is_cut_off = self.is_left_alone && outcome == Outcome::Interrupted;
            conditions.push(if is_cut_off { "coalesce(outcome, 'interrupted') = ?" } else { "outcome = ?" });
            values.push(Box::new(outcome.as_str()));
        }
        if let Some(since) = filter.since {
            conditions.push("started_ms >= ?");
            values.push(Box::new(since.0));
        }
        if let Some(before) = filter.before {
            conditions.push("number < ?");
            values.push(Box::new(before));
        }
        let limit = filter.limit.map_or(-1, |limit| limit as i64);
        let sql = format!("{RUN} WHERE {} ORDER BY number DESC LIMIT {limit}", conditions.join(" AND "));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(rusqlite::params_from_iter(values.iter()), |row| Ok(self.judge(run(row)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the run of a number (`17`) or an id (`01J...`).
    ///
    /// # Errors
    /// When there is none.
    pub fn run(&self, number_or_id: &str) -> Result<Run> {
        let by_number = format!("{RUN} WHERE number = ?1");
        let by_id = format!("{RUN} WHERE run_id = ?1");
        let found = match number_or_id.replace(',', "").parse::<i64>() {
            Ok(number) => self.connection.query_row(&by_number, [number], run).optional()?,
            Err(_) => self.connection.query_row(&by_id, [number_or_id], run).optional()?,
        };
        found.map(|run| self.judge(run)).ok_or_else(|| {
            let shown = show(number_or_id.as_bytes());
            IndexError::Invalid(format!("there is no run {shown}; `watchkeeper history` lists them by number"))
        })
    }

    fn judge(&self, run: Run) -> Run {
        if !self.is_left_alone || run.outcome.is_some() {
            return run;
        }
        Run { outcome: Some(Outcome::Interrupted), error_message: Some(CUT_OFF.to_owned()), ..run }
    }

    /// Returns a run's log, oldest first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn run_log(&self, number: i64) -> Result<Vec<LogLine>> {
        let mut statement = self.connection.prepare("SELECT at_ms, message FROM run_log WHERE run = ?1 ORDER BY id")?;
        let rows =
            statement.query_map([number], |row| Ok(LogLine { at: Timestamp(row.get(0)?), message: row.get(1)? }))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns how many changes of each verdict a run stored.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn changes_by_verdict(&self, number: i64) -> Result<Vec<(Verdict, i64)>> {
        let sql = "SELECT verdict, count(*) FROM changes WHERE run = ?1 GROUP BY verdict";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([number], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut counts = Vec::new();
        for row in rows {
            let (verdict, count) = row?;
            counts.extend(Verdict::parse(&verdict).map(|verdict| (verdict, count)));
        }
        counts.sort_unstable();
        Ok(counts)
    }
}
