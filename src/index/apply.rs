//! Applies what a run found to the tables. Runs on the writer thread, inside its transaction.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Statement, params};

use super::changes::insert_change;
use super::queue::Line;
use super::{Result, known, problems, relocate, seal, settle};
use crate::domain::change::Change;
use crate::domain::guard::Reason;
use crate::domain::problem::Problem;
use crate::domain::record::{Record, Sha256, Stamp};
use crate::domain::repository::RepositoryId;
use crate::domain::run::Tally;

/// The run that a batch belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunContext {
    pub repository: RepositoryId,
    /// The run's number, which is also the generation of the rows that it writes.
    pub number: i64,
    /// What settles together: the run's number, or a negative one for a batch of hints that is served while it goes on.
    pub lane: i64,
    /// Until a full run has reached its last directory, changes are counted and not stored one by one.
    pub stores_changes: bool,
    /// Hints are served with it: what it sends overtakes what other runs have sent.
    pub is_urgent: bool,
}

impl RunContext {
    /// Returns the context of a run that is known by its number alone.
    pub fn of(repository: RepositoryId, number: i64) -> RunContext {
        RunContext { repository, number, lane: number, stores_changes: false, is_urgent: false }
    }

    pub(super) fn line(&self) -> Line {
        if self.is_urgent { Line::Urgent } else { Line::Ordinary }
    }
}

/// What a worker found since it last sent something.
#[derive(Debug)]
pub struct Batch {
    pub run: Arc<RunContext>,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    pub ops: Vec<Op>,
    pub tally: Tally,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.ops.len().max(1)
    }
}

/// One row to write.
#[derive(Debug)]
pub enum Op {
    /// Writes a directory's row, new or known.
    Directory(Box<DirectoryRow>),
    /// A directory could not be listed: it and everything below is no longer vouched for.
    Unseen {
        path: Vec<u8>,
        since_ms: i64,
    },
    /// A known directory stands at another path now, with everything in it.
    MoveDirectory {
        id: i64,
        parent_id: i64,
        old_path: Vec<u8>,
        new_path: Vec<u8>,
    },
    /// Writes a file's row, new or known, and its change.
    File(Box<FileRow>),
    /// An arrival that was read; nothing to write if a hint has led to it meanwhile, and it is settled.
    Arrived(Box<FileRow>),
    /// A name that a complete listing lacks; decided when the run settles. Without a name: the directory itself.
    /// `path` is where the directory was missing: by the time this is written it may have been found elsewhere.
    Park {
        directory_id: i64,
        parent_id: i64,
        path: Vec<u8>,
        name: Option<Vec<u8>>,
        reason: Option<Reason>,
    },
    /// A directory is listed again: what an earlier listing parked counts no more.
    Unpark {
        directory_id: i64,
    },
    /// Names, or without any the directory itself, are there again, whatever another lane has parked.
    Found {
        directory_id: i64,
        names: Vec<Vec<u8>>,
    },
    /// A file in a directory whose row is not written was changed: an incremental run looks there for a while.
    Newer {
        directory_id: i64,
        newest_ns: i64,
    },
    /// A held directory is there again, or a person has accepted what is mounted there, in a run that writes no more of it.
    Return {
        id: i64,
        mount: Option<String>,
    },
    /// A held removal whose path is there again.
    Lapse {
        path: Vec<u8>,
    },
    /// Content that changed while size and times did not.
    Damage {
        directory_id: i64,
        name: Vec<u8>,
        found: Sha256,
    },
    /// Damage that is over.
    Heal {
        directory_id: i64,
        name: Vec<u8>,
    },
    /// A row that was not what had been written, and is put right.
    Repair {
        reason: String,
    },
    /// Something in a directory that stands as listed could not be read: an incremental run looks again.
    Trouble {
        directory_id: i64,
    },
    Problem(Problem),
    CloseProblem {
        path: Vec<u8>,
    },
    /// How far a large file was hashed.
    HashState {
        stamp: Stamp,
        offset_bytes: u64,
        state: Vec<u8>,
    },
    ForgetHashState {
        inode: i64,
    },
}

/// A directory as it was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryRow {
    pub id: i64,
    pub parent_id: i64,
    pub path: Vec<u8>,
    pub inode: i64,
    pub born_ns: i64,
    /// (mtime, ctime) when its listing began; `None` if it could not be listed to its end.
    pub listed: Option<(i64, i64)>,
    pub newest_ns: i64,
    pub mount: Option<String>,
    pub unseen_since_ms: Option<i64>,
    pub verified_ms: Option<i64>,
    pub verify_after: Option<Vec<u8>>,
}

/// A file as it was found.
#[derive(Clone, Debug)]
pub struct FileRow {
    pub directory_id: i64,
    pub name: Vec<u8>,
    pub record: Record,
    /// The worker knew of no record; whether there is none, the table tells.
    pub is_new: bool,
    pub change: Option<Change>,
    /// Whether it may turn out to be a move when the run settles.
    pub is_arrival: bool,
}

/// Writes a batch. Counts in `runs` and `repositories` move in the same transaction as the rows that they count.
pub(super) fn apply(db: &Connection, batch: &Batch) -> Result<()> {
    let run = &batch.run;
    let (mut files, mut bytes, mut doubled) = (0, 0, 0);
    let mut insert = Insert::default();
    for op in &batch.ops {
        match op {
            Op::Directory(row) => write_directory(db, run, row, batch.at_ms)?,
            Op::Unseen { path, since_ms } => known::mark_unseen(db, run, path, *since_ms)?,
            Op::MoveDirectory { id, parent_id, old_path, new_path } => {
                relocate::move_directory(db, batch, *id, *parent_id, old_path, new_path)?;
            }
            Op::Arrived(row) if !settle::is_arrival(db, run, row)? => {}
            Op::File(row) | Op::Arrived(row) => {
                let replaced = insert.write(db, run, row)?;
                files += i64::from(replaced.is_none());
                bytes += row.record.stamp.size_bytes - replaced.unwrap_or(0);
                // Met twice, as a name that moves while a run goes on may be: counted once.
                let is_doubled = row.is_new && replaced.is_some();
                doubled += i64::from(is_doubled);
                if let Some(change) = row.change.as_ref().filter(|_| run.stores_changes && !is_doubled) {
                    insert_change(db, run, batch.at_ms, change)?;
                }
            }
            Op::Park { directory_id, parent_id, path, name, reason } => {
                settle::park(db, run, *directory_id, *parent_id, path, name.as_deref(), *reason)?;
            }
            Op::Unpark { directory_id } => settle::unpark(db, run, *directory_id)?,
            Op::Found { directory_id, names } => settle::found(db, run, *directory_id, names)?,
            Op::Newer { directory_id, newest_ns } => raise_newest(db, *directory_id, *newest_ns)?,
            Op::Return { id, mount } => {
                db.prepare_cached("UPDATE directories SET held = 0, mount = ?2 WHERE id = ?1")?
                    .execute(params![id, mount])?;
            }
            Op::Lapse { path } => {
                db.prepare_cached("DELETE FROM held WHERE repository_id = ?1 AND path = ?2")?
                    .execute(params![run.repository.0, path])?;
            }
            Op::Damage { directory_id, name, found } => {
                db.prepare_cached(
                    "INSERT INTO damage (directory_id, name, repository_id, found_sha256, found_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (directory_id, name) DO UPDATE SET found_sha256 = excluded.found_sha256",
                )?
                .execute(params![directory_id, name, run.repository.0, found, batch.at_ms])?;
            }
            Op::Heal { directory_id, name } => {
                db.prepare_cached("DELETE FROM damage WHERE directory_id = ?1 AND name = ?2")?
                    .execute(params![directory_id, name])?;
            }
            Op::Repair { reason } => seal::note_repair(db, batch.at_ms, reason)?,
            Op::Trouble { directory_id } => raise_newest(db, *directory_id, i64::MAX)?,
            Op::Problem(problem) => problems::open(db, run, problem, batch.at_ms)?,
            Op::CloseProblem { path } => problems::close(db, run, path, batch.at_ms)?,
            Op::HashState { stamp, offset_bytes, state } => {
                known::save_hash_state(db, run.repository, stamp, *offset_bytes, state, batch.at_ms)?;
            }
            Op::ForgetHashState { inode } => known::forget_hash_state(db, run.repository, *inode)?,
        }
    }
    add_totals(db, run.repository, files, bytes)?;
    add_tally(db, run.number, &Tally { added: batch.tally.added - doubled, ..batch.tally })
}

/// Lets an incremental run look at a directory for as long as something so new is in it.
fn raise_newest(db: &Connection, directory_id: i64, newest_ns: i64) -> Result<()> {
    db.prepare_cached("UPDATE directories SET newest_ns = ?2 WHERE id = ?1 AND newest_ns < ?2")?
        .execute(params![directory_id, newest_ns])?;
    Ok(())
}

fn write_directory(db: &Connection, run: &RunContext, row: &DirectoryRow, at_ms: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO directories (id, repository_id, parent_id, path, inode, born_ns, mtime_ns, ctime_ns, newest_ns,
                                  mount, unseen_since_ms, held, verified_ms, verify_after, generation, scanned_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13, ?14, ?15)
         ON CONFLICT (id) DO UPDATE SET inode = ?5, born_ns = ?6, mtime_ns = ?7, ctime_ns = ?8, newest_ns = ?9,
                                  mount = ?10, unseen_since_ms = ?11, held = 0, verified_ms = ?12, verify_after = ?13,
                                  generation = ?14, scanned_ms = ?15",
    )?
    .execute(params![
        row.id,
        run.repository.0,
        row.parent_id,
        row.path,
        row.inode,
        row.born_ns,
        row.listed.map(|(mtime, _)| mtime),
        row.listed.map(|(_, ctime)| ctime),
        row.newest_ns,
        row.mount,
        row.unseen_since_ms,
        row.verified_ms,
        row.verify_after,
        run.number,
        at_ms,
    ])?;
    Ok(())
}

/// Both are written out: put together anew for each row, they cost 0.3 s a million.
const INSERT_FILE: &str = "INSERT INTO files (directory_id, name, size_bytes, mtime_ns, ctime_after_mtime_ns, \
    born_before_ctime_ns, inode, sha256, flags, generation, created_ms, updated_after_created_ms, \
    hashed_after_created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
const PUT_FILE: &str = "INSERT INTO files (directory_id, name, size_bytes, mtime_ns, ctime_after_mtime_ns, \
    born_before_ctime_ns, inode, sha256, flags, generation, created_ms, updated_after_created_ms, \
    hashed_after_created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
    ON CONFLICT (directory_id, name) DO UPDATE SET size_bytes = ?3, mtime_ns = ?4, ctime_after_mtime_ns = ?5, \
    born_before_ctime_ns = ?6, inode = ?7, sha256 = ?8, flags = ?9, generation = ?10, created_ms = ?11, \
    updated_after_created_ms = ?12, hashed_after_created_ms = ?13";

/// Writes one file's row and, for a possible move, remembers it until the run settles.
///
/// Returns the size of the record that it replaces; `None` if there was none.
pub(super) fn write_file(db: &Connection, run: &RunContext, row: &FileRow) -> Result<Option<i64>> {
    Insert::default().write(db, run, row)
}

/// The statement for new rows, kept through a batch: looking it up for each row takes a thirtieth of a first index.
#[derive(Default)]
struct Insert<'db>(Option<CachedStatement<'db>>);

impl<'db> Insert<'db> {
    fn write(&mut self, db: &'db Connection, run: &RunContext, row: &FileRow) -> Result<Option<i64>> {
        let statement = match &mut self.0 {
            Some(statement) => statement,
            None => self.0.insert(db.prepare_cached(INSERT_FILE)?),
        };
        write_row(db, statement, run, row)
    }
}

fn write_row(db: &Connection, insert: &mut Statement<'_>, run: &RunContext, row: &FileRow) -> Result<Option<i64>> {
    let (record, stamp) = (&row.record, &row.record.stamp);
    let values = params![
        row.directory_id,
        row.name,
        stamp.size_bytes,
        stamp.mtime_ns,
        stamp.ctime_ns.wrapping_sub(stamp.mtime_ns),
        (stamp.born_ns != 0).then(|| stamp.ctime_ns.wrapping_sub(stamp.born_ns)),
        stamp.inode,
        record.sha256,
        record.flags.0,
        run.number,
        record.created_ms,
        record.updated_ms.wrapping_sub(record.created_ms),
        record.hashed_ms.map(|hashed| hashed.wrapping_sub(record.created_ms)),
    ];
    // A new row needs one step in the tree; only for others it is asked what they replace.
    let is_inserted = row.is_new && insert.execute(values)? == 1;
    let replaced = match is_inserted {
        true => None,
        false => {
            let sql = "SELECT size_bytes FROM files WHERE directory_id = ?1 AND name = ?2";
            let size = db.prepare_cached(sql)?.query_row(params![row.directory_id, row.name], |row| row.get(0));
            let size = size.optional()?;
            db.prepare_cached(PUT_FILE)?.execute(values)?;
            size
        }
    };
    if row.is_arrival {
        settle::remember_arrival(db, run, row)?;
    }
    Ok(replaced)
}

/// Moves a repository's totals.
pub(super) fn add_totals(db: &Connection, repository: RepositoryId, files: i64, bytes: i64) -> Result<()> {
    if files != 0 || bytes != 0 {
        db.prepare_cached(
            "UPDATE repositories SET total_files = total_files + ?2, total_bytes = total_bytes + ?3 WHERE id = ?1",
        )?
        .execute(params![repository.0, files, bytes])?;
    }
    Ok(())
}

/// Adds to the tally in a run's row.
pub(super) fn add_tally(db: &Connection, number: i64, tally: &Tally) -> Result<()> {
    if tally.is_zero() {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE runs SET files_scanned = files_scanned + ?2, files_added = files_added + ?3,
                files_updated = files_updated + ?4, files_removed = files_removed + ?5, files_moved = files_moved + ?6,
                files_damaged = files_damaged + ?7, problems = problems + ?8, bytes_hashed = bytes_hashed + ?9,
                directories_listed = directories_listed + ?10
         WHERE number = ?1",
    )?
    .execute(params![
        number,
        tally.scanned,
        tally.added,
        tally.updated,
        tally.removed,
        tally.moved,
        tally.damaged,
        tally.problems,
        tally.bytes_hashed,
        tally.directories,
    ])?;
    Ok(())
}
