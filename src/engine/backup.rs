//! Backups: index and journal in one file that is whole, private and synced before it gets its name.
//!
//! Both are read as any reader reads them, the index first: whoever writes waits for nothing. A run that ends meanwhile
//! stands in the journal and not yet in the index, as after a kill between the two, and what mends that
//! (`recover`) mends it after the backup was put back. The other way round cannot be: the journal goes before.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::index::{Contents, Draft, IndexError, older_schema};
use crate::journal::{self, Fault, JournalError};

/// Where those that are made without being asked for lie in a data directory.
const DIRECTORY: &str = "backups";
/// A journal from which old files are just going reads whole a moment later.
const LOOKS: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Absolute, its links resolved.
    pub path: PathBuf,
    pub bytes: u64,
    pub contents: Contents,
}

/// One that was made without being asked for, as its name tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    pub taken_at: Timestamp,
    pub schema: i32,
    pub path: PathBuf,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} exists already; it was left as it is", .0.display())]
    Exists(PathBuf),
    #[error("{} lies among watchkeeper's own files", .0.display())]
    Inside(PathBuf),
    #[error("there is no index yet that could be backed up")]
    NoIndex,
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("no copy could be written to {}: {source}", .path.display())]
    Copy { path: PathBuf, source: IndexError },
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the journal is damaged: {0}")]
    DamagedJournal(Fault),
}

impl BackupError {
    fn at(path: &Path) -> impl Fn(std::io::Error) -> BackupError + '_ {
        move |source| BackupError::Io { path: path.to_owned(), source }
    }

    /// Returns what kind of thing went wrong.
    pub fn class(&self) -> Class {
        match self {
            BackupError::Index(error) | BackupError::Copy { source: error, .. } => error.class(),
            BackupError::Journal(error) if error.is_full() => Class::DeviceFull,
            BackupError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Class::DeviceFull,
            BackupError::Io { .. } | BackupError::Journal(_) => Class::Io,
            BackupError::DamagedJournal(_) => Class::DatabaseCorrupt,
            BackupError::Exists(_) | BackupError::Inside(_) | BackupError::NoIndex => Class::Config,
        }
    }
}

/// Backs index and journal of a data directory up to a new `file`, whether an engine runs or not.
///
/// # Errors
/// When there is a file already, or no index, one of the two is damaged, or the copy cannot be written; then nothing of
/// it is left.
pub fn back_up(directory: &Path, file: &Path, at: Timestamp) -> Result<Backup, BackupError> {
    make(directory, file, at, false)
}

/// `goes_without`: a damaged journal is left out instead.
fn make(directory: &Path, file: &Path, at: Timestamp, goes_without: bool) -> Result<Backup, BackupError> {
    let index = directory.join("index.db");
    if std::fs::metadata(&index).map_or(0, |found| found.len()) == 0 {
        return Err(match journal::exists(directory) {
            true => BackupError::Index(IndexError::Missing(index)),
            false => BackupError::NoIndex,
        });
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = parent.canonicalize().map_err(BackupError::at(parent))?;
    let name = file.file_name().ok_or_else(|| BackupError::Exists(file.to_owned()))?;
    let path = parent.join(name);
    if parent.starts_with(directory) && parent != directory.join(DIRECTORY) {
        return Err(BackupError::Inside(path));
    }
    let refuse_existing = || match path.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(path.clone())),
        Err(_) => Ok(()),
    };
    refuse_existing()?;
    remove_leftovers(&parent, name);
    let draft = Unfinished(draft_of(&path, std::process::id()));
    File::options().write(true).create_new(true).mode(0o600).open(&draft.0).map_err(BackupError::at(&draft.0))?;
    let contents = draw_up(directory, &index, &draft.0, at, goes_without).map_err(|error| match error {
        BackupError::Index(source @ IndexError::Sqlite(_)) if source.class() != Class::DatabaseCorrupt => {
            BackupError::Copy { path: path.clone(), source }
        }
        other => other,
    })?;
    let written = File::open(&draft.0).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    let bytes = written.map_err(BackupError::at(&draft.0))?.len();
    refuse_existing()?;
    std::fs::rename(&draft.0, &path).map_err(BackupError::at(&path))?;
    sync(&parent)?;
    Ok(Backup { path, bytes, contents })
}

fn draw_up(
    directory: &Path,
    index: &Path,
    file: &Path,
    at: Timestamp,
    goes_without: bool,
) -> Result<Contents, BackupError> {
    let draft = Draft::copy(index, file)?;
    for look in 1.. {
        draft.begin_journal()?;
        let copied = journal::copy(directory, |segment, lines| {
            if !lines.is_empty() {
                draft.put(segment, lines)?;
            }
            Ok::<(), BackupError>(())
        });
        let damage = match &copied {
            Ok(reading) if reading.is_whole() => break,
            Ok(reading) => reading.damage().cloned(),
            Err(_) => None,
        };
        if look < LOOKS && super::is_running(directory) {
            std::thread::sleep(PAUSE);
            continue;
        }
        copied?;
        match damage {
            Some(fault) if !goes_without => return Err(BackupError::DamagedJournal(fault)),
            _ => draft.begin_journal()?,
        }
        break;
    }
    Ok(draft.finish(at)?)
}

fn draft_of(path: &Path, pid: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{pid}.tmp"));
    name.into()
}

/// Removes what this process has of a backup to `file` that it will not finish.
pub fn give_up(file: &Path) {
    drop(Unfinished(draft_of(file, std::process::id())));
}

/// Removes what processes that were killed have left of a backup of this name.
fn remove_leftovers(parent: &Path, name: &std::ffi::OsStr) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let rest = found.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        let pid = rest.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".tmp"));
        let pid = pid.and_then(|pid| std::str::from_utf8(pid).ok()?.parse::<u32>().ok());
        if let Some(pid) = pid.filter(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            drop(Unfinished(draft_of(&parent.join(name), pid)));
        }
    }
}

/// A file that has not got its name yet: what is left of it goes, with what SQLite has put beside it.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            // Mostly it is not there.
            let _removed = std::fs::remove_file(name);
        }
    }
}

pub(super) fn sync(directory: &Path) -> Result<(), BackupError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(BackupError::at(directory))
}

/// Backs up to `backups/`, by a name that tells schema and moment, and lets the oldest of this schema go but `keep`.
///
/// # Errors
/// As [`back_up`].
pub(super) fn keep_one(directory: &Path, keep: usize, at: Timestamp) -> Result<Backup, BackupError> {
    let place = directory.join(DIRECTORY);
    DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(BackupError::at(&place))?;
    remove_unfinished(&place);
    let schema = older_schema(&directory.join("index.db"))?;
    let goes_without = schema.is_some();
    let schema = schema.unwrap_or_else(crate::index::known_schema);
    let name = format!("schema-{schema}-{}.db", at.rfc3339().replace(':', "-"));
    let made = make(directory, &place.join(name), at, goes_without)?;
    let mut same: Vec<Kept> = kept(directory).into_iter().filter(|kept| kept.schema == schema).collect();
    same.truncate(same.len().saturating_sub(keep));
    for old in same {
        if let Err(error) = std::fs::remove_file(&old.path) {
            tracing::warn!(%error, "an old backup could not be removed");
        }
    }
    Ok(made)
}

/// Removes what an engine that was killed in the middle has left: only the one with the lock makes files of these names.
fn remove_unfinished(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_unfinished = |name: &str| name.starts_with("schema-") && name.contains(".db.") && name.contains(".tmp");
        if name.to_str().is_some_and(is_unfinished) {
            // If it stays, it only takes space.
            let _removed = std::fs::remove_file(entry.path());
        }
    }
}

/// Backs up an index that is about to be upgraded. Without a backup it is not.
///
/// # Errors
/// When there is none; the index is as it was.
pub(super) fn before_upgrade(directory: &Path, keep: usize, at: Timestamp) -> crate::index::Result<()> {
    let Some(schema) = older_schema(&directory.join("index.db"))? else { return Ok(()) };
    let known = crate::index::known_schema();
    match keep_one(directory, keep, at) {
        Ok(made) => {
            let size = crate::domain::amount::bytes(made.bytes);
            let path = made.path.display();
            tracing::warn!("the index ({size}) is brought from schema {schema} to {known}; as it was it is in {path}");
            Ok(())
        }
        Err(BackupError::Index(error)) => Err(error),
        Err(error) => Err(IndexError::NotUpgraded { found: schema, class: error.class(), reason: error.to_string() }),
    }
}

/// Returns what lies in `backups/`, the newest last.
pub fn kept(directory: &Path) -> Vec<Kept> {
    let entries = std::fs::read_dir(directory.join(DIRECTORY)).into_iter().flatten().flatten();
    let mut all: Vec<Kept> = entries.filter_map(|entry| read_name(entry.path())).collect();
    all.sort();
    all
}

fn read_name(path: PathBuf) -> Option<Kept> {
    let name = path.file_name()?.to_str()?;
    let (schema, moment) = name.strip_prefix("schema-")?.strip_suffix(".db")?.split_once('-')?;
    let (day, time) = moment.split_once('T')?;
    let taken_at = Timestamp::parse(&format!("{day}T{}", time.replace('-', ":")))?;
    Some(Kept { taken_at, schema: schema.parse().ok()?, path })
}

/// Returns the newest in `backups/` that a program which knows this schema can read.
pub fn newest_readable(directory: &Path, known: i32) -> Option<PathBuf> {
    kept(directory).into_iter().rev().find(|kept| kept.schema <= known).map(|kept| kept.path)
}
