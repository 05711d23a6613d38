//! The end of what was parked: removed from the index, or held for a person to decide.

use rusqlite::{CachedStatement, Connection, Params, params};

use super::apply::{RunContext, add_tally, add_totals};
use super::changes::insert_change;
use super::decisions::HoldResult;
use super::known::{self, RECORD, record, stamp};
use super::settle;
use super::writer::Writer;
use super::{Result, problems};
use crate::domain::change::{Change, Verdict};
use crate::domain::guard::Reason;
use crate::domain::path::{RelPath, below, join};
use crate::domain::record::Flags;
use crate::domain::run::Tally;

/// Files that one transaction removes: small enough that readers and the WAL never wait for long.
const FILES_PER_STEP: i64 = 10_000;

/// How much is parked: without a reason of its own, and for a reason that holds it in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parked {
    pub free_files: i64,
    /// Those of the free ones that the run itself has added.
    pub young_files: i64,
    pub bound_files: i64,
    /// Parked entries, directories without any file among them.
    pub entries: i64,
}

impl Writer {
    /// Counts what is still parked after moves were taken out. Young is what was recorded from `since_ms` on.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn count_parked(&self, run: &RunContext, since_ms: i64) -> Result<Parked> {
        self.call_for(run, move |db, run| {
            let mut parked = Parked::default();
            let mut statement =
                db.connection.prepare("SELECT directory_id, name, reason FROM temp.parked WHERE run = ?1")?;
            let mut rows = statement.query([run.lane])?;
            while let Some(row) = rows.next()? {
                let (id, name, reason): (i64, Option<Vec<u8>>, Option<String>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let (files, _) = amount(&db.connection, run, id, name.as_deref())?;
                parked.entries += 1;
                match (reason, name) {
                    (Some(_), _) => parked.bound_files += files,
                    (None, Some(name)) => {
                        parked.free_files += files;
                        let sql =
                            "SELECT count(*) FROM files WHERE directory_id = ?1 AND name = ?2 AND created_ms >= ?3";
                        let young = db.connection.prepare_cached(sql)?;
                        parked.young_files += count(young, params![id, name, since_ms])?;
                    }
                    (None, None) => {
                        parked.free_files += files;
                        let sql =
                            "SELECT count(*) FROM directories t JOIN directories d ON d.repository_id = t.repository_id
                                   AND d.path >= t.path AND d.path < CAST(t.path || x'30' AS BLOB)
                                   AND (d.path = t.path OR d.path >= CAST(t.path || x'2f' AS BLOB))
                                   JOIN files f ON f.directory_id = d.id WHERE t.id = ?1 AND f.created_ms >= ?2";
                        let young = db.connection.prepare_cached(sql)?;
                        parked.young_files += count(young, params![id, since_ms])?;
                    }
                }
            }
            Ok(parked)
        })
    }

    /// Returns where the parked entries are, as directory and name, to be looked at once more.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn parked_places(&self, run: &RunContext) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.call_for(run, |db, run| {
            let mut statement = db.connection.prepare("SELECT path, name FROM temp.parked WHERE run = ?1")?;
            let rows = statement.query_map([run.lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let places = rows.map(|row| {
                let (path, name): (Vec<u8>, Option<Vec<u8>>) = row?;
                let parent = || RelPath::from_stored(path.clone()).split().map(|(up, name)| (up, name.to_vec()));
                Ok(match name {
                    Some(name) => (path, name),
                    // The root is never parked.
                    None => parent().map_or_else(Default::default, |(up, name)| (up.into_bytes(), name)),
                })
            });
            places.collect()
        })
    }

    /// Removes what is parked without a reason, or with `accept_all` everything, and forgets it.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn remove_parked(&self, run: &RunContext, accept_all: bool, at_ms: i64) -> Result<()> {
        loop {
            let done = self.call_for(run, move |db, run| db.write(|db| remove_step(db, run, accept_all, at_ms)))?;
            if done {
                return Ok(());
            }
        }
    }

    /// Holds everything that is still parked, for its own reason or `otherwise`; drops older holds that it covers.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn hold_parked(&self, run: &RunContext, otherwise: Reason, at_ms: i64) -> Result<HoldResult> {
        self.call_for(run, move |db, run| db.write(|db| hold(db, run, otherwise, at_ms)))
    }

    /// Forgets what a run has parked and expected, whatever became of it.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn forget_parked(&self, run: &RunContext) -> Result<()> {
        self.call_for(run, move |db, run| settle::forget(&db.connection, run))
    }

    /// Holds the whole repository: its root is on another file system than before.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn hold_root(&self, run: &RunContext, reason: Reason, at_ms: i64) -> Result<HoldResult> {
        self.call_for(run, move |db, run| {
            db.write(|db| {
                let sql = "SELECT total_files, total_bytes FROM repositories WHERE id = ?1";
                let (files, bytes) = db.query_row(sql, [run.repository.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let is_new = upsert_held(
                    db,
                    run,
                    &HeldRow { directory_id: 0, name: None, path: b"", files, bytes, reason },
                    at_ms,
                )?;
                HoldResult::read(db, run.repository, is_new)
            })
        })
    }
}

fn count(mut statement: CachedStatement<'_>, values: impl Params) -> Result<i64> {
    Ok(statement.query_row(values, |row| row.get(0))?)
}

/// Returns files and bytes below a parked entry.
fn amount(db: &Connection, run: &RunContext, id: i64, name: Option<&[u8]>) -> Result<(i64, i64)> {
    if let Some(name) = name {
        let sql = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM files WHERE directory_id = ?1 AND name = ?2";
        let mut statement = db.prepare_cached(sql)?;
        return Ok(statement.query_row(params![id, name], |row| Ok((row.get(0)?, row.get(1)?)))?);
    }
    let Some(path) = known::path_of_directory(db, id)? else { return Ok((0, 0)) };
    let (from, to) = below(&path);
    let mut statement = db.prepare_cached(
        "SELECT count(*), coalesce(sum(f.size_bytes), 0) FROM directories d JOIN files f ON f.directory_id = d.id
         WHERE d.repository_id = ?1 AND d.path >= ?2 AND d.path < ?4 AND (d.path = ?2 OR d.path >= ?3)",
    )?;
    Ok(statement.query_row(params![run.repository.0, path, from, to], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Removes up to [`FILES_PER_STEP`] files; returns whether nothing is left to remove.
fn remove_step(db: &Connection, run: &RunContext, accept_all: bool, at_ms: i64) -> Result<bool> {
    let mut left = FILES_PER_STEP;
    while left > 0 {
        let sql = "SELECT rowid, directory_id, name FROM temp.parked WHERE run = ?1 AND (?2 OR reason IS NULL) LIMIT 1";
        let next = db.prepare_cached(sql)?.query_row(params![run.lane, accept_all], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
        });
        let (row_id, directory_id, name) = match next {
            Ok(next) => next,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let Some(path) = known::path_of_directory(db, directory_id)? else {
            db.execute("DELETE FROM temp.parked WHERE rowid = ?1", [row_id])?;
            continue;
        };
        let emptied = match &name {
            Some(name) => {
                left -= remove_files(db, run, directory_id, &path, Some(name), 1, at_ms)?;
                clear_marks(db, run, &join(&path, name), at_ms)?;
                true
            }
            None => {
                let (taken, emptied) = remove_directory(db, run, &path, left, at_ms)?;
                left -= taken;
                emptied
            }
        };
        if emptied {
            db.execute("DELETE FROM temp.parked WHERE rowid = ?1", [row_id])?;
        }
    }
    Ok(false)
}

/// Removes up to `limit` files of a directory tree, and the tree once it is empty.
fn remove_directory(db: &Connection, run: &RunContext, path: &[u8], limit: i64, at_ms: i64) -> Result<(i64, bool)> {
    let (from, to) = below(path);
    let mut statement = db.prepare_cached(
        "SELECT id, path FROM directories WHERE repository_id = ?1 AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)",
    )?;
    let mut rows = statement.query(params![run.repository.0, path, from, to])?;
    let mut removed = 0;
    while let Some(row) = rows.next()? {
        let (id, directory): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        removed += remove_files(db, run, id, &directory, None, limit - removed, at_ms)?;
        if removed >= limit {
            return Ok((removed, false));
        }
    }
    drop(rows);
    drop(statement);
    db.prepare_cached(
        "DELETE FROM directories WHERE repository_id = ?1 AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)",
    )?
    .execute(params![run.repository.0, path, from, to])?;
    clear_marks(db, run, path, at_ms)?;
    // An empty directory costs a unit too, so that a step ends.
    Ok((removed.max(1), true))
}

/// Removes up to `limit` files of one directory (or the named one), with their changes.
fn remove_files(
    db: &Connection,
    run: &RunContext,
    directory_id: i64,
    directory: &[u8],
    only: Option<&[u8]>,
    limit: i64,
    at_ms: i64,
) -> Result<i64> {
    let sql = format!(
        "SELECT {RECORD} FROM files f WHERE directory_id = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY name LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![directory_id, only, limit])?;
    let (mut files, mut bytes) = (0, 0);
    let mut names: Vec<Vec<u8>> = Vec::new();
    while let Some(row) = rows.next()? {
        let name: Vec<u8> = row.get(0)?;
        let old = record(row, stamp(row)?, Flags(row.get(6)?))?;
        if run.stores_changes {
            let change = Change {
                verdict: Verdict::Removed,
                path: RelPath::from_stored(join(directory, &name)),
                old_path: None,
                directory_files: None,
                old_size_bytes: Some(old.stamp.size_bytes),
                new_size_bytes: None,
                old_sha256: old.sha256,
                new_sha256: None,
                note: None,
            };
            insert_change(db, run, at_ms, &change)?;
        }
        files += 1;
        bytes += old.stamp.size_bytes;
        names.push(name);
    }
    drop(rows);
    drop(statement);
    for name in names {
        for sql in [
            "DELETE FROM files WHERE directory_id = ?1 AND name = ?2",
            "DELETE FROM damage WHERE directory_id = ?1 AND name = ?2",
        ] {
            db.prepare_cached(sql)?.execute(params![directory_id, name])?;
        }
    }
    add_totals(db, run.repository, -files, -bytes)?;
    add_tally(db, run.number, &Tally { removed: files, ..Tally::default() })?;
    Ok(files)
}

/// Closes problems at and below a path that is gone, and drops holds there.
fn clear_marks(db: &Connection, run: &RunContext, path: &[u8], at_ms: i64) -> Result<()> {
    let (from, to) = below(path);
    db.prepare_cached(
        "DELETE FROM held WHERE repository_id = ?1 AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)",
    )?
    .execute(params![run.repository.0, path, from, to])?;
    problems::close_below(db, run, path, at_ms)
}

struct HeldRow<'a> {
    directory_id: i64,
    name: Option<&'a [u8]>,
    path: &'a [u8],
    files: i64,
    bytes: i64,
    reason: Reason,
}

fn hold(db: &Connection, run: &RunContext, otherwise: Reason, at_ms: i64) -> Result<HoldResult> {
    let mut any_new = false;
    let mut statement = db.prepare("SELECT directory_id, name, reason FROM temp.parked WHERE run = ?1")?;
    let mut rows = statement.query([run.lane])?;
    while let Some(row) = rows.next()? {
        let (directory_id, name, reason): (i64, Option<Vec<u8>>, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(directory) = known::path_of_directory(db, directory_id)? else { continue };
        let reason = reason.as_deref().and_then(Reason::parse).unwrap_or(otherwise);
        let (files, bytes) = amount(db, run, directory_id, name.as_deref())?;
        let path = name.as_ref().map_or_else(|| directory.clone(), |name| join(&directory, name));
        let (from, to) = below(&path);
        db.prepare_cached("DELETE FROM held WHERE repository_id = ?1 AND path >= ?2 AND path < ?3")?
            .execute(params![run.repository.0, from, to])?;
        match &name {
            Some(name) => {
                let sql = "UPDATE files SET flags = flags | 4 WHERE directory_id = ?1 AND name = ?2 AND flags & 4 = 0";
                db.prepare_cached(sql)?.execute(params![directory_id, name])?;
            }
            None => {
                let sql = "UPDATE directories SET held = 1 WHERE repository_id = ?1 AND held = 0
                           AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)";
                db.prepare_cached(sql)?.execute(params![run.repository.0, path, from, to])?;
            }
        }
        let row = HeldRow { directory_id, name: name.as_deref(), path: &path, files, bytes, reason };
        any_new |= upsert_held(db, run, &row, at_ms)?;
    }
    HoldResult::read(db, run.repository, any_new)
}

/// Writes a hold; returns whether it is a new one. One that stands already is left as it is.
fn upsert_held(db: &Connection, run: &RunContext, row: &HeldRow<'_>, at_ms: i64) -> Result<bool> {
    let known: Option<(i64, i64, String)> = {
        let sql = "SELECT id, files, reason FROM held WHERE repository_id = ?1 AND path = ?2";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params![run.repository.0, row.path])?;
        rows.next()?.map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?, row.get(2)?))).transpose()?
    };
    match known {
        Some((id, files, reason)) => {
            let reason = Reason::parse(&reason).unwrap_or(row.reason);
            if files != row.files {
                db.prepare_cached("UPDATE held SET files = ?2, bytes = ?3, reason = ?4 WHERE id = ?1")?
                    .execute(params![id, row.files, row.bytes, reason.as_str()])?;
            }
            Ok(files < row.files)
        }
        None => {
            db.prepare_cached(
                "INSERT INTO held (repository_id, directory_id, name, path, files, bytes, reason, since_ms, run)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                run.repository.0,
                row.directory_id,
                row.name,
                row.path,
                row.files,
                row.bytes,
                row.reason.as_str(),
                at_ms,
                run.number
            ])?;
            Ok(true)
        }
    }
}
