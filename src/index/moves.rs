//! Moves of files: a record that is gone and one that arrived are the same, by inode or by content.

use rusqlite::{Connection, OptionalExtension, params};

use super::apply::{FileRow, RunContext, add_tally, add_totals, write_file};
use super::changes::insert_change;
use super::known::{RECORD, record, stamp};
use super::settle::{bind_parked, drop_moved_directories, spread_parked_directories, withdraw_gone_arrivals};
use super::writer::Writer;
use super::{Result, known};
use crate::domain::change::{Change, Verdict};
use crate::domain::path::{RelPath, join};
use crate::domain::record::{Flags, Record};
use crate::domain::run::Tally;

/// Every file that is gone, as (directory, record): parked by name, or anywhere in a parked directory.
///
/// What is on an absent disk is not gone: a copy that was made before it was unmounted is no move. So entries with a
/// reason are left out, but for those whose file may well stand elsewhere on the same disk (`?2`).
const GONE_FILES: &str = "SELECT f.* FROM temp.gone g JOIN files f ON f.directory_id = g.directory_id
     WHERE g.run = ?1 AND (g.reason IS NULL OR (?2 AND g.reason IN ('mass_removal', 'emptied')))
     UNION ALL
     SELECT f.* FROM temp.parked p JOIN files f ON f.directory_id = p.directory_id AND f.name = p.name
     WHERE p.run = ?1 AND p.name IS NOT NULL
     AND (p.reason IS NULL OR (?2 AND p.reason IN ('mass_removal', 'emptied')))";

/// What proves a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Inode, birth time, size and time: the very file, unread.
    Inode,
    /// The content, which was read at the new place.
    Content,
}

impl Writer {
    /// Pairs what is gone with what arrived by inode, birth time, size and time: proof enough to read nothing. A rename
    /// moves ctime and nothing else; without a birth time the inode number may have been reused, which proves nothing.
    ///
    /// Drops what was parked and has been moved as a whole directory meanwhile. Returns the number of moves.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn match_moves_by_inode(&self, run: &RunContext, at_ms: i64) -> Result<u64> {
        self.call_for(run, move |db, run| {
            db.write(|db| {
                drop_moved_directories(db, run)?;
                bind_parked(db, run)?;
                spread_parked_directories(db, run)?;
                withdraw_gone_arrivals(db, run)?;
                db.execute(
                    &format!(
                        "INSERT OR IGNORE INTO temp.moves (from_directory, from_name, to_directory, to_name)
                         SELECT f.directory_id, f.name, a.directory_id, a.name FROM ({GONE_FILES}) f
                         CROSS JOIN temp.arrivals a ON a.inode = f.inode AND a.run = ?1 AND a.size_bytes = f.size_bytes
                         AND a.mtime_ns = f.mtime_ns AND a.born_ns <> 0
                         AND a.born_ns = f.mtime_ns + f.ctime_after_mtime_ns - f.born_before_ctime_ns"
                    ),
                    params![run.lane, true],
                )?;
                carry_out_moves(db, run, Proof::Inode, at_ms)
            })
        })
    }

    /// Pairs the rest by content, where exactly one gone file and one arrival have it: a move to another file system.
    ///
    /// Arrivals must have been read. Returns the number of moves.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn match_moves_by_content(&self, run: &RunContext, at_ms: i64) -> Result<u64> {
        self.call_for(run, move |db, run| {
            db.write(|db| {
                db.execute_batch("CREATE TEMP TABLE content (sha256 BLOB, directory_id INTEGER, name BLOB)")?;
                db.execute(
                    "INSERT INTO temp.content SELECT f.sha256, f.directory_id, f.name FROM temp.arrivals a
                     JOIN files f ON f.directory_id = a.directory_id AND f.name = a.name
                     WHERE a.run = ?1 AND f.size_bytes > 0 AND f.sha256 IS NOT NULL",
                    [run.lane],
                )?;
                // Twins prove nothing; and joined with each other, thousands of them would take for ever.
                db.execute_batch(
                    "DELETE FROM temp.content WHERE sha256 IN
                     (SELECT sha256 FROM temp.content GROUP BY sha256 HAVING count(*) > 1);
                     CREATE INDEX temp.content_by_sum ON content (sha256)",
                )?;
                db.execute(
                    &format!(
                        "INSERT OR IGNORE INTO temp.moves (from_directory, from_name, to_directory, to_name)
                         SELECT min(f.directory_id), min(f.name), min(c.directory_id), min(c.name)
                         FROM ({GONE_FILES}) f CROSS JOIN temp.content c ON c.sha256 = f.sha256
                         GROUP BY f.sha256 HAVING count(*) = 1"
                    ),
                    params![run.lane, false],
                )?;
                db.execute_batch("DROP TABLE temp.content")?;
                carry_out_moves(db, run, Proof::Content, at_ms)
            })
        })
    }
}

/// A file's place: its directory and its name.
type Place = (i64, Vec<u8>);

/// Gives each arrival in `moves` the history of the record that it was, and drops that record.
fn carry_out_moves(db: &Connection, run: &RunContext, proof: Proof, at_ms: i64) -> Result<u64> {
    let mut moved = 0;
    let mut bytes = 0;
    let mut pairs =
        db.prepare("SELECT from_directory, from_name, to_directory, to_name FROM temp.moves ORDER BY rowid")?;
    let mut rows = pairs.query([])?;
    while let Some(row) = rows.next()? {
        let (from, to) = ((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?));
        // None in a chain of names that each took the next one's place: the pair before has taken this one along.
        if let Some(dropped) = carry_out_move(db, run, proof, from, to, at_ms)? {
            bytes -= dropped;
            moved += 1;
        }
    }
    drop(rows);
    drop(pairs);
    db.execute("DELETE FROM temp.moves", [])?;
    add_totals(db, run.repository, -moved, bytes)?;
    // Each was counted as added when it came.
    add_tally(db, run.number, &Tally { moved, added: -moved, ..Tally::default() })?;
    Ok(moved.unsigned_abs())
}

/// Carries one record over to its new place; returns the bytes of the row that is dropped, `None` when either row is no
/// longer there.
fn carry_out_move(
    db: &Connection,
    run: &RunContext,
    proof: Proof,
    from: Place,
    to: Place,
    at_ms: i64,
) -> Result<Option<i64>> {
    let (Some(old), Some(new)) = (read_record(db, from.0, &from.1)?, read_record(db, to.0, &to.1)?) else {
        return Ok(None);
    };
    let carried = match proof {
        Proof::Inode => carry(&old, &new, at_ms),
        // Read here, and found to be the recorded content: whatever damage there was, it was at the old place.
        Proof::Content => Record {
            created_ms: old.created_ms,
            updated_ms: at_ms,
            flags: new.flags.without(Flags::ARRIVAL),
            ..new.clone()
        },
    };
    let old_path = path_of(db, &from)?;
    let new_path = path_of(db, &to)?;
    db.prepare_cached("DELETE FROM files WHERE directory_id = ?1 AND name = ?2")?.execute(params![from.0, from.1])?;
    let row = FileRow {
        directory_id: to.0,
        name: to.1.clone(),
        is_new: false,
        change: None,
        is_arrival: false,
        record: carried.clone(),
    };
    write_file(db, run, &row)?;
    let damage = match proof {
        Proof::Inode => "UPDATE damage SET directory_id = ?3, name = ?4 WHERE directory_id = ?1 AND name = ?2",
        Proof::Content => "DELETE FROM damage WHERE directory_id = ?1 AND name = ?2 AND ?3 AND ?4 IS NOT NULL",
    };
    db.prepare_cached(damage)?.execute(params![from.0, from.1, to.0, to.1])?;
    // What has not been read stays an arrival, and is read like the others; its change is this move.
    db.prepare_cached("UPDATE temp.arrivals SET is_move = 1 WHERE run = ?1 AND directory_id = ?2 AND name = ?3")?
        .execute(params![run.lane, to.0, to.1])?;
    if proof == Proof::Content || !carried.flags.has(Flags::ARRIVAL) {
        db.prepare_cached("DELETE FROM temp.arrivals WHERE run = ?1 AND directory_id = ?2 AND name = ?3")?
            .execute(params![run.lane, to.0, to.1])?;
    }
    db.prepare_cached("DELETE FROM temp.parked WHERE run = ?1 AND directory_id = ?2 AND name = ?3")?
        .execute(params![run.lane, from.0, from.1])?;
    for (sql, at) in [
        ("DELETE FROM held WHERE repository_id = ?1 AND path = ?2 AND ?3", &old_path),
        ("UPDATE problems SET closed_ms = ?3 WHERE repository_id = ?1 AND path = ?2 AND closed_ms IS NULL", &old_path),
    ] {
        db.prepare_cached(sql)?.execute(params![run.repository.0, at.as_bytes(), at_ms])?;
    }
    if run.stores_changes {
        let change = Change {
            verdict: Verdict::Moved,
            path: new_path,
            old_path: Some(old_path),
            directory_files: None,
            old_size_bytes: Some(old.stamp.size_bytes),
            new_size_bytes: Some(new.stamp.size_bytes),
            old_sha256: old.sha256,
            new_sha256: carried.sha256,
            note: None,
        };
        insert_change(db, run, at_ms, &change)?;
    }
    Ok(Some(old.stamp.size_bytes))
}

fn path_of(db: &Connection, place: &Place) -> Result<RelPath> {
    let directory = known::path_of_directory(db, place.0)?.unwrap_or_default();
    Ok(RelPath::from_stored(join(&directory, &place.1)))
}

/// Returns the record of a moved file: the history of the old one under the stamp of the new one.
fn carry(old: &Record, new: &Record, at_ms: i64) -> Record {
    // What could not be read where it was is read where it is; a repository without hashes reads nothing.
    let is_done = !new.flags.has(Flags::UNREAD) || (old.sha256.is_some() && !old.flags.has(Flags::UNREAD));
    let kept = old.flags.without(Flags::HELD).without(Flags::ARRIVAL).without(Flags::UNREAD);
    Record {
        stamp: new.stamp,
        sha256: old.sha256.or(new.sha256),
        flags: if is_done { kept } else { kept.with(Flags::ARRIVAL).with(Flags::UNREAD) },
        created_ms: old.created_ms,
        updated_ms: at_ms,
        hashed_ms: if old.sha256.is_some() { old.hashed_ms } else { new.hashed_ms },
    }
}

fn read_record(db: &Connection, directory_id: i64, name: &[u8]) -> Result<Option<Record>> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {RECORD} FROM files f WHERE directory_id = ?1 AND name = ?2"))?;
    let found = statement.query_row(params![directory_id, name], |row| record(row, stamp(row)?, Flags(row.get(6)?)));
    Ok(found.optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::RepositoryId;
    use crate::index::connection;

    #[test]
    fn a_chain_of_names_that_each_took_the_next_ones_place_breaks_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let db = connection::open_writer(&temp.path().join("index.db")).unwrap();
        super::super::settle::prepare(&db).unwrap();
        db.execute_batch(
            "INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms) VALUES (1, 1, 0, x'61', 7, 0);
             INSERT INTO temp.moves VALUES (1, x'62', 1, x'63'), (1, x'61', 1, x'62');",
        )
        .unwrap();
        let run = RunContext::of(RepositoryId(1), 7);
        for name in [b"a", b"b", b"c"] {
            let record = blank();
            let row =
                FileRow { directory_id: 1, name: name.to_vec(), is_new: true, change: None, is_arrival: false, record };
            write_file(&db, &run, &row).unwrap();
        }
        assert_eq!(carry_out_moves(&db, &run, Proof::Inode, 0).unwrap(), 1);
        let names = |sql| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(names("SELECT group_concat(CAST(name AS TEXT)) FROM files"), "a,c");
    }

    fn blank() -> Record {
        Record {
            stamp: Default::default(),
            sha256: None,
            flags: Flags::default(),
            created_ms: 0,
            updated_ms: 0,
            hashed_ms: None,
        }
    }
}
