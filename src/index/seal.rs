//! What ties a run's row to the journal: its seal, replays from there, and what was found to differ.
//!
//! Knows nothing of the journal itself: rows and seals come in as values.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::runs::{RUN, count_run, run};
use super::writer::Writer;
use super::{Reader, Result, connection, settings};
use crate::domain::moment::Timestamp;
use crate::domain::report::{Definition, Run};

/// Where the journal has a row, and the sum of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub journal_seq: u64,
    pub row_sum: [u8; 16],
}

/// A row as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub run: Run,
    pub seal: Seal,
    /// Why another row stands there now, if that is worth keeping.
    pub reason: Option<&'static str>,
}

/// Something that was other than the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub found_at: Timestamp,
    pub run_id: Option<String>,
    pub reason: String,
}

/// What is said in the log of a run that the index had lost.
const REPLAYED: &str = "written anew from the journal; what it had logged is lost";

const OLD_ROW: &str = "SELECT json_object('number', number, 'run_id', run_id, 'repository_id', repository_id,
    'repository', repository, 'kind', kind, 'trigger', trigger, 'outcome', outcome, 'started_ms', started_ms,
    'ended_ms', ended_ms, 'duration_ms', duration_ms, 'directories_listed', directories_listed,
    'files_scanned', files_scanned, 'files_added', files_added, 'files_updated', files_updated,
    'files_removed', files_removed, 'files_moved', files_moved, 'files_damaged', files_damaged, 'problems', problems,
    'bytes_hashed', bytes_hashed, 'error_class', error_class, 'error_message', error_message, 'attempt', attempt,
    'retry_of', retry_of, 'folded', folded, 'instance', instance, 'metadata', metadata, 'journal_seq', journal_seq,
    'row_sum', lower(hex(row_sum)))";

impl Writer {
    /// Puts rows as the journal has them in place of what stands there, in one transaction.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn replay(&self, rows: Vec<Replay>, at: Timestamp) -> Result<()> {
        self.call(move |db| db.write_by_all_means(|db| rows.iter().try_for_each(|row| put(db, row, at))))
    }

    /// Removes runs that the history keeps no more, with their log and changes.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn forget_runs(&self, numbers: &[i64]) -> Result<()> {
        let numbers = serde_json::to_string(numbers).expect("numbers always serialize");
        self.call(move |db| {
            db.write(|db| {
                for (table, column) in [("changes", "run"), ("run_log", "run"), ("runs", "number")] {
                    let sql = format!("DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?1))");
                    db.execute(&sql, [&numbers])?;
                }
                Ok(())
            })
        })
    }

    /// Makes repositories again, or gives them back what they were.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn restore_repositories(&self, definitions: Vec<Definition>) -> Result<()> {
        self.call(move |db| {
            db.write(|db| {
                // Two may have got each other's name; no name that a person gives begins so.
                for definition in &definitions {
                    db.execute("UPDATE repositories SET name = '~' || id WHERE id = ?1", [definition.id.0])?;
                }
                definitions.iter().try_for_each(|definition| restore(db, definition))
            })
        })
    }

    /// Writes down what was found to be wrong with the index as a whole.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn note_conflict(&self, at: Timestamp, reason: String) -> Result<()> {
        self.call(move |db| db.write(|db| note_repair(db, at.0, &reason)))
    }
}

/// Writes down, for `doctor`, what was found to be wrong and was put right.
pub(super) fn note_repair(db: &Connection, at_ms: i64, reason: &str) -> Result<()> {
    let sql = "INSERT INTO run_conflicts (found_ms, reason) VALUES (?1, ?2)";
    db.prepare_cached(sql)?.execute(params![at_ms, reason])?;
    Ok(())
}

fn restore(db: &Connection, definition: &Definition) -> Result<()> {
    db.execute(
        "INSERT INTO repositories (id, name, path, settings, identity, paused_ms, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET name = ?2, path = ?3, settings = ?4, identity = ?5, paused_ms = ?6",
        params![
            definition.id.0,
            definition.name,
            definition.path,
            definition.settings,
            definition.identity,
            definition.paused_at.map(|at| at.0),
            definition.created_at.0
        ],
    )?;
    Ok(())
}

fn put(db: &Connection, row: &Replay, at: Timestamp) -> Result<()> {
    let new = &row.run;
    let before: Option<Run> = db.query_row(&format!("{RUN} WHERE run_id = ?1"), [&new.run_id], run).optional()?;
    if let Some(reason) = row.reason {
        let sql = format!(
            "INSERT INTO run_conflicts (found_ms, run_id, reason, row) SELECT ?1, ?2, ?3, ({OLD_ROW}) FROM runs
             WHERE run_id = ?2 OR number = ?4"
        );
        db.execute(&sql, params![at.0, new.run_id, reason, new.number])?;
    }
    let tally = new.tally;
    db.prepare_cached(
        "INSERT OR REPLACE INTO runs (number, run_id, repository_id, repository, kind, trigger, outcome, started_ms,
                ended_ms, duration_ms, directories_listed, files_scanned, files_added, files_updated, files_removed,
                files_moved, files_damaged, problems, bytes_hashed, error_class, error_message, attempt, instance,
                metadata, retry_of, folded, journal_seq, row_sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
                ?23, ?24, ?25, ?26, ?27, ?28)",
    )?
    .execute(params![
        new.number,
        new.run_id,
        new.repository_id.0,
        new.repository,
        new.kind.as_str(),
        new.trigger,
        new.outcome.map(|outcome| outcome.as_str()),
        new.started_at.0,
        new.ended_at.map(|at| at.0),
        new.duration_ms,
        tally.directories,
        tally.scanned,
        tally.added,
        tally.updated,
        tally.removed,
        tally.moved,
        tally.damaged,
        tally.problems,
        tally.bytes_hashed,
        new.error_class,
        new.error_message,
        new.attempt,
        new.instance,
        new.metadata,
        new.retry_of,
        new.folded,
        row.seal.journal_seq as i64,
        row.seal.row_sum
    ])?;
    if before.is_none() {
        let sql = "INSERT INTO run_log (run, at_ms, message) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![new.number, at.0, REPLAYED])?;
    }
    if let Some(outcome) = new.outcome.filter(|_| before.is_none_or(|before| before.outcome.is_none())) {
        count_run(db, new.number, outcome, new.ended_at.unwrap_or(at).0)?;
    }
    Ok(())
}

/// Writes the seal into a row that has just been written.
pub(super) fn set(db: &Connection, number: i64, seal: Option<Seal>) -> Result<()> {
    let Some(Seal { journal_seq, row_sum }) = seal else { return Ok(()) };
    db.prepare_cached("UPDATE runs SET journal_seq = ?2, row_sum = ?3 WHERE number = ?1")?.execute(params![
        number,
        journal_seq as i64,
        row_sum
    ])?;
    Ok(())
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<(Run, Option<[u8; 16]>)> {
    Ok((run(row)?, row.get::<_, Option<Vec<u8>>>("row_sum")?.and_then(|sum| sum.try_into().ok())))
}

impl Reader {
    /// Returns each run with its sum, oldest first; with `from`, only those that the journal has from this line on, those
    /// without an end, and those that it has not at all.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn sealed_runs(&self, from: Option<u64>) -> Result<Vec<(Run, Option<[u8; 16]>)>> {
        let sql = format!(
            "{} WHERE ?1 IS NULL OR journal_seq >= ?1 OR journal_seq IS NULL OR outcome IS NULL ORDER BY number",
            sealed_run()
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([from.map(|from| from as i64)], sealed)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns one run with its sum; `None` when it is not there.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn sealed_run(&self, run_id: &str) -> Result<Option<(Run, Option<[u8; 16]>)>> {
        let sql = format!("{} WHERE run_id = ?1", sealed_run());
        Ok(self.connection.prepare_cached(&sql)?.query_row([run_id], sealed).optional()?)
    }

    /// Returns the highest line of the journal that a row knows of, and the highest number that a run has got.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn journal_mark(&self) -> Result<(u64, i64)> {
        let sql = "SELECT coalesce(max(journal_seq), 0),
                          coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0) FROM runs";
        Ok(self.connection.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?)
    }

    /// Returns what it takes to make each repository again.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn definitions(&self) -> Result<Vec<Definition>> {
        let of = |repository: crate::domain::report::Repository| Definition {
            id: repository.id,
            name: repository.name,
            path: repository.path,
            settings: settings::to_json(&repository.settings),
            identity: repository.identity,
            paused_at: repository.paused_at,
            created_at: repository.created_at,
        };
        Ok(self.repositories()?.into_iter().map(of).collect())
    }

    /// Returns what was found to be other than the journal says since a moment, the newest first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn conflicts(&self, since: Timestamp) -> Result<Vec<Conflict>> {
        let sql = "SELECT found_ms, run_id, reason FROM run_conflicts WHERE found_ms >= ?1 ORDER BY id DESC";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([since.0], |row| {
            Ok(Conflict { found_at: Timestamp(row.get(0)?), run_id: row.get(1)?, reason: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Looks for the damage that breaks a database, faster than [`Reader::health`]. Returns the first that there is.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn quick_check(&self) -> Result<Option<String>> {
        connection::quick_check(&self.connection)
    }
}

fn sealed_run() -> String {
    RUN.replace(" FROM runs", ", row_sum FROM runs")
}

/// Says nothing to any journal: for tests of the index alone.
///
/// # Errors
/// None.
#[cfg(test)]
pub fn unsealed(_: &mut Run) -> Result<Option<Seal>> {
    Ok(None)
}
