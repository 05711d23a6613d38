//! Puts a backup in the place of index and journal, under the lock, so that a kill leaves the old or the new.
//!
//! ```text
//! restoring/   taken apart and looked over; worth nothing yet, the next start removes it
//! restored/    renamed from it, which decides: who finds it carries on, file by file
//!              journal/ -> quarantine, restored/journal -> journal/, index -> quarantine, restored/index.db -> index.db
//! restored/    empty: the mark that index and trees have not been compared since; an engine takes it away
//! ```
//!
//! What was there is moved aside, never deleted (invariant 10).

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::backup::sync;
use super::lock::{Lock, LockError};
use super::recover::INDEX_FILES;
use crate::domain::moment::Timestamp;
use crate::index::{Contents, IndexError, unpack};
use crate::journal::{self, Extent, Fault, JournalError, set_aside};

/// What is not whole yet.
const STAGE: &str = "restoring";
/// What is to be put in place, or has been.
const DECIDED: &str = "restored";

/// Why a backup was not put back; everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is no backup of watchkeeper", .0.display())]
    Foreign(PathBuf),
    #[error("{} was made by a newer watchkeeper (schema {found}, this one knows {known}); use the newer program", .path.display())]
    Newer { path: PathBuf, found: i32, known: i32 },
    #[error("{} is damaged: {what}", .path.display())]
    Damaged { path: PathBuf, what: String },
    #[error(transparent)]
    Index(IndexError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Backup(#[from] super::backup::BackupError),
    /// It is decided, and not everything is in its place.
    #[error("the restore of a backup cannot be finished; the next start goes on with it. {0}")]
    Unfinished(Box<RestoreError>),
}

impl RestoreError {
    fn at(path: &Path) -> impl Fn(std::io::Error) -> RestoreError + '_ {
        move |source| RestoreError::Io { path: path.to_owned(), source }
    }

    /// What was found of the backup while it was taken apart.
    fn of(file: &Path, error: IndexError) -> RestoreError {
        use crate::domain::problem::Class;
        let path = file.to_owned();
        match error {
            IndexError::Foreign(_) => RestoreError::Foreign(path),
            other if other.is_no_database() => RestoreError::Foreign(path),
            IndexError::Newer { found, known, .. } => RestoreError::Newer { path, found, known },
            IndexError::Damaged(what) => RestoreError::Damaged { path, what },
            other if other.class() == Class::DatabaseCorrupt => RestoreError::Damaged { path, what: other.to_string() },
            other => RestoreError::Index(other),
        }
    }
}

/// A backup that was looked over and can be put in place. Dropped before that, it leaves everything as it was.
#[derive(Debug)]
pub struct Restore {
    directory: PathBuf,
    pub contents: Contents,
    lock: Lock,
}

/// Takes a backup apart beside index and journal of a data directory, and looks all of it over.
///
/// # Errors
/// When an engine has the data directory, the file is no backup, newer or damaged, or there is no room.
pub fn prepare(directory: &Path, file: &Path, at: Timestamp) -> Result<Restore, RestoreError> {
    let mut lock = Lock::take(&directory.join("engine.lock"))?;
    // As it was found: whoever is cut off here leaves no more than was there.
    lock.is_settled = !lock.was_cut_off;
    // One that was cut off goes first.
    carry_on(directory, at)?;
    let stage = directory.join(STAGE);
    let mut restore =
        Restore { directory: directory.to_owned(), contents: Contents { schema: 0, runs: 0, taken_at: at }, lock };
    make_directory(&stage)?;
    make_directory(&stage.join(journal::DIRECTORY))?;
    let file = file.canonicalize().map_err(RestoreError::at(file))?;
    // Asked before it is opened: a pipe would be waited for.
    if !file.is_file() {
        return Err(RestoreError::Foreign(file));
    }
    File::open(&file).map_err(RestoreError::at(&file))?;
    let index = stage.join("index.db");
    File::options().write(true).create_new(true).mode(0o600).open(&index).map_err(RestoreError::at(&index))?;
    restore.contents = unpack(&file, &index, |segment, lines| journal::write_copy(&stage, segment, lines))
        .map_err(|error| RestoreError::of(&file, error))?;
    File::open(&index).and_then(|index| index.sync_all()).map_err(RestoreError::at(&index))?;
    let reading = journal::read(&stage, Extent::All)?;
    if let Some(fault) = reading.faults.iter().find(|fault| !matches!(fault, Fault::Newer { .. })) {
        return Err(RestoreError::Damaged { path: file, what: format!("its journal: {fault}") });
    }
    sync(&stage.join(journal::DIRECTORY))?;
    sync(&stage)?;
    Ok(restore)
}

impl Restore {
    /// Puts it in place, and what was there into `quarantine/`. Returns where that is; `None` when nothing was there.
    ///
    /// # Errors
    /// When files cannot be moved: everything is as it was, or it is [`RestoreError::Unfinished`].
    pub fn put_in_place(mut self, at: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
        // The next start is to look closely, however this ends.
        self.lock.is_settled = false;
        let (stage, decided) = (self.directory.join(STAGE), self.directory.join(DECIDED));
        // An empty one is the mark of an earlier restore.
        std::fs::rename(&stage, &decided).map_err(RestoreError::at(&decided))?;
        sync(&self.directory)?;
        move_in(&self.directory, at).map_err(|error| match take_back(&self.directory) {
            true => error,
            false => RestoreError::Unfinished(Box::new(error)),
        })
    }
}

/// Takes a decision back of which nothing has been carried out. Returns whether that could be done.
fn take_back(directory: &Path) -> bool {
    let (stage, decided) = (directory.join(STAGE), directory.join(DECIDED));
    let is_all_there = [journal::DIRECTORY, "index.db"].iter().all(|name| decided.join(name).exists());
    let is_in_place = |name: &&str| directory.join(name).symlink_metadata().is_ok();
    // What was there before has not been moved, or has been moved back.
    let has_old = INDEX_FILES.iter().any(is_in_place) && is_in_place(&journal::DIRECTORY);
    is_all_there && has_old && std::fs::rename(decided, stage).is_ok() && sync(directory).is_ok()
}

/// Tells whether a restore is decided and not finished.
pub(super) fn is_unfinished(directory: &Path) -> bool {
    std::fs::read_dir(directory.join(DECIDED)).is_ok_and(|mut entries| entries.next().is_some())
}

impl Drop for Restore {
    fn drop(&mut self) {
        // If it stays, the next start removes it.
        let _removed = std::fs::remove_dir_all(self.directory.join(STAGE));
    }
}

/// Carries on with a restore that was cut off, and clears away one that was not decided. Under the lock. Returns whether
/// what is in place was restored and not compared with the trees since.
pub(super) fn carry_on(directory: &Path, at: Timestamp) -> Result<bool, RestoreError> {
    let stage = directory.join(STAGE);
    match std::fs::remove_dir_all(&stage) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(RestoreError::Io { path: stage, source });
        }
        _ => {}
    }
    if !directory.join(DECIDED).is_dir() {
        return Ok(false);
    }
    move_in(directory, at).map_err(|error| RestoreError::Unfinished(Box::new(error)))?;
    Ok(true)
}

/// Notes that index and trees will be compared, whatever comes.
pub(super) fn forget(directory: &Path) -> Result<(), RestoreError> {
    let decided = directory.join(DECIDED);
    std::fs::remove_dir(&decided).map_err(RestoreError::at(&decided))?;
    Ok(sync(directory)?)
}

/// Each step can be done again: what has been moved in is not in `restored/` any more, and the journal goes first.
fn move_in(directory: &Path, at: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
    let decided = directory.join(DECIDED);
    let mut place = None;
    for name in [journal::DIRECTORY, "index.db"] {
        let (from, to) = (decided.join(name), directory.join(name));
        if !from.exists() {
            continue;
        }
        let old = [&INDEX_FILES[..], &[journal::DIRECTORY]].concat();
        if name == journal::DIRECTORY && old.iter().any(|name| directory.join(name).symlink_metadata().is_ok()) {
            place = Some(set_aside(directory, &old, at)?);
        }
        std::fs::rename(&from, &to).map_err(RestoreError::at(&to))?;
        sync(directory)?;
    }
    Ok(place)
}

fn make_directory(path: &Path) -> Result<(), RestoreError> {
    DirBuilder::new().mode(0o700).create(path).map_err(RestoreError::at(path))
}
