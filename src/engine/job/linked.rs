//! Hard links: a file with several names is read once in a run, and its hash serves all of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::disk::Hashed;
use crate::domain::record::{Sha256, Stamp};

/// Files that are kept in mind: 100,000 take 10 MB. Beyond that a file is read once a name, which is only slower.
const MOST: usize = 100_000;

/// What was read of files with several names, by inode and stamp.
#[derive(Debug, Default)]
pub(super) struct Linked {
    read: Mutex<HashMap<Stamp, (Sha256, i64)>>,
    changed: Mutex<BTreeSet<i64>>,
    missing: Mutex<BTreeSet<(Vec<u8>, Vec<u8>)>>,
}

impl Linked {
    /// Returns what was read of the file with this very stamp, and when its reading began.
    pub fn find(&self, stamp: &Stamp) -> Option<(Hashed, i64)> {
        // Without a birth time an inode number may stand for a file of another file system below the same root.
        let known = self.read.lock().expect("no one panics while holding this lock");
        let (sha256, started_ns) = known.get(stamp).filter(|_| stamp.born_ns != 0)?;
        Some((Hashed { sha256: *sha256, stamp: *stamp }, *started_ns))
    }

    /// Keeps what was read.
    pub fn keep(&self, hashed: &Hashed, started_ns: i64) {
        let mut known = self.read.lock().expect("no one panics while holding this lock");
        if known.len() < MOST {
            known.insert(hashed.stamp, (hashed.sha256, started_ns));
        }
    }

    /// Notes that a file with several names was changed by one of them: the kernel tells of no other.
    pub fn note_change(&self, inode: i64) {
        let mut changed = self.changed.lock().expect("no one panics while holding this lock");
        if changed.len() < MOST {
            changed.insert(inode);
        }
    }

    /// Notes that one name of a file that had several is gone. What was written through it before is news of the others.
    pub fn note_missing(&self, inode: i64, directory: &[u8], name: &[u8]) {
        let mut missing = self.missing.lock().expect("no one panics while holding this lock");
        if missing.len() < MOST {
            missing.insert((directory.to_vec(), name.to_vec()));
            self.note_change(inode);
        }
    }

    /// Tells whether a name is known to be gone.
    pub fn is_missing(&self, place: &(Vec<u8>, Vec<u8>)) -> bool {
        self.missing.lock().expect("no one panics while holding this lock").contains(place)
    }

    /// Returns the inodes that were noted, and forgets them.
    pub fn take_changed(&self) -> Vec<i64> {
        let mut changed = self.changed.lock().expect("no one panics while holding this lock");
        std::mem::take(&mut *changed).into_iter().collect()
    }
}
