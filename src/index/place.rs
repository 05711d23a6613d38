//! Which files an open index is, so that it is noticed when they are moved away or replaced under it.
//!
//! SQLite goes on with the files that it has opened, whatever stands by their names by now: a commit to one that was
//! removed is found by nobody who opens the index later. Looked at by name: opening and closing them would drop SQLite's
//! locks (invariant 11).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::wal::beside;
use super::{IndexError, Result};

/// The files of an index as they were when it was opened. Clones learn together that it is lost.
#[derive(Clone, Debug)]
pub(super) struct Place {
    files: Vec<Named>,
    is_lost: Arc<AtomicBool>,
}

/// A file by its name, and which it was.
#[derive(Clone, Debug)]
pub(super) struct Named {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Place {
    /// Looks at the files of an index that is open by now: all that are there, and the WAL is from the first write on.
    pub fn of(index_path: &Path) -> Place {
        let paths = [index_path.to_owned(), beside(index_path, "-wal"), beside(index_path, "-shm")];
        Place { files: paths.iter().filter_map(|path| Named::of(path)).collect(), is_lost: Arc::default() }
    }

    /// Refuses to go on with an index one of whose files is another by now, from then on for good.
    pub fn check(&self) -> Result<()> {
        match self.files.iter().find(|file| file.is_other()) {
            None if !self.is_lost.load(Relaxed) => Ok(()),
            missing => {
                if !self.is_lost.swap(true, Relaxed) {
                    tracing::error!("{} was moved away or replaced", self.files[0].path.display());
                }
                let path = missing.map_or_else(|| self.files[0].path.clone(), |file| file.path.clone());
                Err(IndexError::Replaced(path))
            }
        }
    }

    /// Returns those that are still what was opened: without the others they are worth nothing, and harm what has come in
    /// their place.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        self.files.iter().filter(|file| file.is_there()).map(|file| file.path.clone()).collect()
    }
}

impl Named {
    /// `None` when there is no such file.
    pub fn of(path: &Path) -> Option<Named> {
        Some(Named { path: path.to_owned(), id: id(path)? })
    }

    /// Tells whether the file stands by its name.
    pub fn is_there(&self) -> bool {
        id(&self.path) == Some(self.id)
    }

    /// Tells whether it is gone, or another stands by its name. What cannot be looked at is not gone.
    fn is_other(&self) -> bool {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) != self.id,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_lost_when_one_of_its_files_is_another_and_stays_so() {
        for (gone, left) in [("", ["-wal", "-shm"]), ("-wal", ["", "-shm"])] {
            let temp = tempfile::tempdir().unwrap();
            let index = temp.path().join("index.db");
            ["", "-wal", "-shm"].iter().for_each(|end| std::fs::write(beside(&index, end), "").unwrap());
            let place = Place::of(&index);
            place.check().unwrap();
            let other = temp.path().join("other");
            std::fs::rename(beside(&index, gone), &other).unwrap();
            std::fs::write(beside(&index, gone), "").unwrap();
            assert!(matches!(place.clone().check(), Err(IndexError::Replaced(path)) if path == beside(&index, gone)));
            assert_eq!(place.left_behind(), left.map(|end| beside(&index, end)));
            std::fs::rename(&other, beside(&index, gone)).unwrap();
            assert!(place.check().is_err(), "what was written meanwhile is nowhere");
        }
    }
}
