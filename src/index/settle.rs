//! What a run keeps until it settles: names that were not found, and arrivals that may be moves of them.
//!
//! Both stand in temporary tables of the writer's connection: no write to the index for a run that finds nothing, and
//! nothing to clean up when the process is killed.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::apply::{FileRow, RunContext, add_tally, add_totals};
use super::known::{RECORD, record, stamp};
use super::writer::Writer;
use crate::domain::guard::Reason;
use crate::domain::record::{Flags, Record};
use crate::domain::run::Tally;

/// A file that was added in this run and not read yet, because it may be a move that needs no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the queue of arrivals; ask for the next with it.
    pub id: i64,
    pub directory_id: i64,
    pub directory: Vec<u8>,
    pub name: Vec<u8>,
    pub record: Record,
}

/// Makes the temporary tables.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "CREATE TEMP TABLE parked (
             run INTEGER NOT NULL, directory_id INTEGER NOT NULL, parent_id INTEGER NOT NULL, name BLOB, path BLOB,
             reason TEXT);
         CREATE INDEX temp.parked_by_directory ON parked (run, directory_id, name);
         CREATE INDEX temp.parked_by_parent ON parked (run, parent_id) WHERE name IS NULL;
         CREATE TEMP TABLE arrivals (
             id INTEGER PRIMARY KEY, run INTEGER NOT NULL, directory_id INTEGER NOT NULL, name BLOB NOT NULL,
             size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, born_ns INTEGER NOT NULL,
             is_counted INTEGER NOT NULL, is_move INTEGER NOT NULL DEFAULT 0, UNIQUE (run, directory_id, name));
         CREATE INDEX temp.arrivals_by_inode ON arrivals (inode, run);
         CREATE TEMP TABLE gone (run INTEGER NOT NULL, directory_id INTEGER NOT NULL, reason TEXT,
             PRIMARY KEY (run, directory_id))
             WITHOUT ROWID;
         CREATE TEMP TABLE moves (
             from_directory INTEGER NOT NULL, from_name BLOB NOT NULL, to_directory INTEGER NOT NULL,
             to_name BLOB NOT NULL, UNIQUE (from_directory, from_name), UNIQUE (to_directory, to_name));",
    )?;
    Ok(())
}

/// Parks a name, or without one the directory itself.
pub(super) fn park(
    db: &Connection,
    run: &RunContext,
    directory_id: i64,
    parent_id: i64,
    path: &[u8],
    name: Option<&[u8]>,
    reason: Option<Reason>,
) -> Result<()> {
    if name.is_none() {
        // Met once more when what moved is listed again.
        db.prepare_cached("DELETE FROM temp.parked WHERE run = ?1 AND directory_id = ?2 AND name IS NULL")?
            .execute(params![run.lane, directory_id])?;
    }
    db.prepare_cached(
        "INSERT INTO temp.parked (run, directory_id, parent_id, name, path, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![run.lane, directory_id, parent_id, name, path, reason.map(Reason::as_str)])?;
    Ok(())
}

/// Forgets what was parked in one directory, whose new listing decides.
pub(super) fn unpark(db: &Connection, run: &RunContext, directory_id: i64) -> Result<()> {
    for sql in [
        "DELETE FROM temp.parked WHERE run = ?1 AND directory_id = ?2 AND name IS NOT NULL",
        // A mount that is gone or another one is met at its own place, not in the listing of its parent.
        "DELETE FROM temp.parked WHERE run = ?1 AND parent_id = ?2 AND name IS NULL
         AND (reason IS NULL OR reason = 'emptied')",
    ] {
        db.prepare_cached(sql)?.execute(params![run.lane, directory_id])?;
    }
    Ok(())
}

/// Forgets that the run itself, beside whose own lane this is found, has parked names, or without any the directory.
pub(super) fn found(db: &Connection, run: &RunContext, directory_id: i64, names: &[Vec<u8>]) -> Result<()> {
    // One batch of hints may meet a directory twice, and miss at first what it then finds.
    if names.is_empty() {
        let sql = "DELETE FROM temp.parked WHERE run IN (?1, ?2) AND directory_id = ?3 AND name IS NULL
                   AND (reason IS NULL OR reason = 'emptied')";
        db.prepare_cached(sql)?.execute([run.number, run.lane, directory_id])?;
    }
    for name in names {
        db.prepare_cached("DELETE FROM temp.parked WHERE run IN (?1, ?2) AND directory_id = ?3 AND name = ?4")?
            .execute(params![run.number, run.lane, directory_id, name])?;
    }
    Ok(())
}

/// Remembers a file that may turn out to be a move.
pub(super) fn remember_arrival(db: &Connection, run: &RunContext, row: &FileRow) -> Result<()> {
    let stamp = &row.record.stamp;
    if run.lane != run.number {
        // A hint may lead to what the run itself has found and not settled yet: whoever comes last settles it.
        db.prepare_cached("DELETE FROM temp.arrivals WHERE run = ?1 AND directory_id = ?2 AND name = ?3")?
            .execute(params![run.number, row.directory_id, row.name])?;
    }
    db.prepare_cached(
        "INSERT INTO temp.arrivals (run, directory_id, name, size_bytes, mtime_ns, inode, born_ns, is_counted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (run, directory_id, name) DO UPDATE SET size_bytes = ?4, mtime_ns = ?5, inode = ?6, born_ns = ?7",
    )?
    .execute(params![
        run.lane,
        row.directory_id,
        row.name,
        stamp.size_bytes,
        stamp.mtime_ns,
        stamp.inode,
        stamp.born_ns,
        row.is_new
    ])?;
    Ok(())
}

/// Tells whether a file is still to be settled by this lane.
pub(super) fn is_arrival(db: &Connection, run: &RunContext, row: &FileRow) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM temp.arrivals WHERE run = ?1 AND directory_id = ?2 AND name = ?3)";
    Ok(db.prepare_cached(sql)?.query_row(params![run.lane, row.directory_id, row.name], |row| row.get(0))?)
}

/// Forgets everything that a run has kept.
pub(super) fn forget(db: &Connection, run: &RunContext) -> Result<()> {
    for sql in [
        "DELETE FROM temp.parked WHERE run = ?1",
        "DELETE FROM temp.arrivals WHERE run = ?1",
        "DELETE FROM temp.gone WHERE run = ?1",
    ] {
        db.prepare_cached(sql)?.execute([run.lane])?;
    }
    db.prepare_cached("DELETE FROM temp.moves")?.execute([])?;
    Ok(())
}

impl Writer {
    /// Tells whether a run has parked anything.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn has_parked(&self, run: &RunContext) -> Result<bool> {
        let lane = run.lane;
        self.call_for(run, move |db, _| {
            let sql = "SELECT EXISTS (SELECT 1 FROM temp.parked WHERE run = ?1)";
            Ok(db.connection.prepare_cached(sql)?.query_row([lane], |row| row.get(0))?)
        })
    }

    /// Returns up to `limit` arrivals behind the one with id `after` (0 for the first), in the order of their coming.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn arrivals(&self, run: &RunContext, after: i64, limit: usize) -> Result<Vec<Arrival>> {
        let lane = run.lane;
        self.call_for(run, move |db, _| {
            // The plus keeps the planner off the index by run, which would sort all arrivals for every part.
            let mut statement = db.connection.prepare_cached(&format!(
                "SELECT {RECORD}, a.id, a.directory_id, d.path FROM temp.arrivals a
                 JOIN directories d ON d.id = a.directory_id
                 JOIN files f ON f.directory_id = a.directory_id AND f.name = a.name
                 WHERE +a.run = ?1 AND a.id > ?2 ORDER BY a.id LIMIT ?3"
            ))?;
            let rows = statement.query_map(params![lane, after, limit as i64], |row| {
                Ok(Arrival {
                    id: row.get(11)?,
                    directory_id: row.get(12)?,
                    directory: row.get(13)?,
                    name: row.get(0)?,
                    record: record(row, stamp(row)?, Flags(row.get(6)?))?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Writes the change of every arrival that is no move, and forgets the arrivals.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn finish_arrivals(&self, run: &RunContext, at_ms: i64) -> Result<()> {
        self.call_for(run, move |db, run| {
            db.write(|db| {
                if run.stores_changes {
                    db.prepare_cached(
                        "INSERT INTO changes (repository_id, run, at_ms, verdict, path, new_size_bytes, new_sha256)
                         SELECT ?2, ?4, ?3, 'added', CASE WHEN d.path = x'' THEN f.name
                                ELSE CAST(d.path || x'2f' || f.name AS BLOB) END, f.size_bytes, f.sha256
                         FROM temp.arrivals a JOIN directories d ON d.id = a.directory_id
                         JOIN files f ON f.directory_id = a.directory_id AND f.name = a.name
                         WHERE +a.run = ?1 AND a.is_move = 0 ORDER BY a.id",
                    )?
                    .execute(params![run.lane, run.repository.0, at_ms, run.number])?;
                }
                db.prepare_cached(
                    "UPDATE files SET flags = flags & ~32 WHERE flags & 32 <> 0 AND (directory_id, name) IN
                     (SELECT directory_id, name FROM temp.arrivals WHERE run = ?1)",
                )?
                .execute([run.lane])?;
                db.prepare_cached("DELETE FROM temp.arrivals WHERE run = ?1")?.execute([run.lane])?;
                Ok(())
            })
        })
    }
}

/// Drops parked directories that turned out to be moved.
pub(super) fn drop_moved_directories(db: &Connection, run: &RunContext) -> Result<()> {
    db.execute(
        "DELETE FROM temp.parked WHERE run = ?1 AND name IS NULL AND NOT EXISTS
         (SELECT 1 FROM directories d WHERE d.id = parked.directory_id AND d.parent_id = parked.parent_id
          AND d.path = parked.path)",
        [run.lane],
    )?;
    Ok(())
}

/// Lists every directory at and below the parked ones.
pub(super) fn spread_parked_directories(db: &Connection, run: &RunContext) -> Result<()> {
    db.execute("DELETE FROM temp.gone WHERE run = ?1", [run.lane])?;
    db.execute(
        "INSERT OR IGNORE INTO temp.gone (run, directory_id, reason)
         SELECT ?1, d.id, p.reason FROM temp.parked p JOIN directories t ON t.id = p.directory_id
         CROSS JOIN directories d ON d.repository_id = ?2 AND d.path >= CAST(t.path || x'2f' AS BLOB)
              AND d.path < CAST(t.path || x'30' AS BLOB)
         WHERE p.run = ?1 AND p.name IS NULL
         UNION ALL SELECT ?1, p.directory_id, p.reason FROM temp.parked p WHERE p.run = ?1 AND p.name IS NULL",
        params![run.lane, run.repository.0],
    )?;
    Ok(())
}

/// Takes back what arrived in this run and is gone again, as names that are changed while a run goes on may be: it was
/// there for a moment, and no run before has seen it.
pub(super) fn withdraw_gone_arrivals(db: &Connection, run: &RunContext) -> Result<()> {
    let gone = "a.directory_id IN (SELECT directory_id FROM temp.gone WHERE run = ?1)
                OR EXISTS (SELECT 1 FROM temp.parked p WHERE p.run = ?1 AND p.directory_id = a.directory_id AND p.name = a.name)";
    let sql =
        format!("SELECT a.id, a.directory_id, a.name, a.is_counted FROM temp.arrivals a WHERE a.run = ?1 AND ({gone})");
    let mut statement = db.prepare(&sql)?;
    let rows = statement.query_map([run.lane], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let withdrawn: Vec<(i64, i64, Vec<u8>, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let (mut files, mut bytes, mut counted) = (0, 0, 0);
    for (id, directory_id, name, is_counted) in withdrawn {
        let sql = "DELETE FROM files WHERE directory_id = ?1 AND name = ?2 RETURNING size_bytes";
        let size: Option<i64> =
            db.prepare_cached(sql)?.query_row(params![directory_id, name], |row| row.get(0)).optional()?;
        files += i64::from(size.is_some());
        bytes += size.unwrap_or(0);
        counted += is_counted;
        db.prepare_cached("DELETE FROM temp.arrivals WHERE id = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM temp.parked WHERE run = ?1 AND directory_id = ?2 AND name = ?3")?
            .execute(params![run.lane, directory_id, name])?;
    }
    add_totals(db, run.repository, -files, -bytes)?;
    add_tally(db, run.number, &Tally { added: -counted, ..Tally::default() })
}

/// Gives a reason of its own to what no guard may let pass: what is held already, until someone decides or it returns,
/// and a directory that goes together with something that was mounted in it.
pub(super) fn bind_parked(db: &Connection, run: &RunContext) -> Result<()> {
    let below = "SELECT 1 FROM directories t CROSS JOIN directories d ON d.repository_id = t.repository_id
                 AND d.path >= t.path AND d.path < CAST(t.path || x'30' AS BLOB)
                 AND (d.path = t.path OR d.path >= CAST(t.path || x'2f' AS BLOB))";
    let mounted = format!(
        "UPDATE temp.parked SET reason = 'mount_missing' WHERE run = ?1 AND name IS NULL AND reason IS NULL
         AND EXISTS ({below} WHERE t.id = parked.directory_id AND d.mount IS NOT NULL)"
    );
    db.execute(&mounted, [run.lane])?;
    let holds: bool =
        db.query_row("SELECT EXISTS (SELECT 1 FROM held WHERE repository_id = ?1)", [run.repository.0], |row| {
            row.get(0)
        })?;
    if !holds {
        return Ok(());
    }
    // By path, for which there is an index; what is held with a directory above it takes the common reason.
    let reason = "coalesce((SELECT h.reason FROM held h WHERE h.repository_id = ?2 AND h.path = CASE
                   WHEN parked.name IS NULL THEN parked.path WHEN length(parked.path) = 0 THEN parked.name
                   ELSE CAST(parked.path || x'2f' || parked.name AS BLOB) END), 'mass_removal')";
    db.execute(
        &format!(
            "UPDATE temp.parked SET reason = {reason} WHERE run = ?1 AND name IS NOT NULL AND reason IS NULL AND EXISTS
             (SELECT 1 FROM files f JOIN directories d ON d.id = f.directory_id
              WHERE f.directory_id = parked.directory_id AND f.name = parked.name AND (f.flags & 4 <> 0 OR d.held <> 0))"
        ),
        params![run.lane, run.repository.0],
    )?;
    db.execute(
        &format!(
            "UPDATE temp.parked SET reason = {reason} WHERE run = ?1 AND name IS NULL AND reason IS NULL
             AND EXISTS ({below} WHERE t.id = parked.directory_id AND (d.held <> 0 OR EXISTS
                         (SELECT 1 FROM files f WHERE f.directory_id = d.id AND f.flags & 4 <> 0)))"
        ),
        params![run.lane, run.repository.0],
    )?;
    Ok(())
}
