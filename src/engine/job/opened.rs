//! A directory that is being read, by one worker or several: its row is written when the last part is done.

use std::sync::Mutex;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::directory::{Scope, Target};
use super::shared::Shared;
use super::worker::Worker;
use crate::disk::Directory;
use crate::domain::run::Kind;
use crate::index::{DirectoryRow, KnownDirectory, Op, Result};

/// A directory that is being looked at, shared by the workers that read its files.
#[derive(Debug)]
pub(super) struct Opened {
    pub directory: Directory,
    pub id: i64,
    pub path: Vec<u8>,
    known: Option<KnownDirectory>,
    mount: Option<String>,
    /// Written when the last part has been read: a row that says "listed" must not be there before the records.
    row: Mutex<Option<Box<DirectoryRow>>>,
    pub parts: AtomicUsize,
    /// Something in it could not be settled: an incremental run looks again, whatever the stamps say.
    pub troubled: AtomicBool,
    /// Cancelled before its end: nothing is said of it.
    pub incomplete: AtomicBool,
    /// A verify stopped before its end, after this name.
    pub cut_off_after: Mutex<Option<Vec<u8>>>,
}

/// What looking at a directory has told.
pub(super) struct Looked {
    pub id: i64,
    pub mount: Option<String>,
    pub newest_ns: i64,
    pub troubled: bool,
    pub started_ns: i64,
}

impl Opened {
    /// Takes a directory that has been compared; all its files to be read are one part.
    pub fn new(shared: &Shared, target: Target, directory: Directory, looked: Looked) -> Opened {
        let row = row_of(shared, &target, &directory, &looked);
        Opened {
            directory,
            id: looked.id,
            path: target.path,
            known: target.known,
            mount: looked.mount,
            row: Mutex::new(row.map(Box::new)),
            parts: AtomicUsize::new(1),
            troubled: AtomicBool::new(looked.troubled),
            incomplete: AtomicBool::new(false),
            cut_off_after: Mutex::new(None),
        }
    }

    /// Notes how new the newest of some files is.
    pub fn raise_newest(&self, newest_ns: i64) {
        if let Some(row) = self.row.lock().expect("no one panics while holding this lock").as_mut() {
            row.newest_ns = row.newest_ns.max(newest_ns);
        }
    }

    /// Notes that a verify stopped here, after this name or where it began: the next one goes on behind it.
    pub fn cut_off(&self, last_read: Option<Vec<u8>>) {
        let before = || self.known.as_ref().and_then(|known| known.verify_after.clone());
        self.troubled.store(true, Relaxed);
        *self.cut_off_after.lock().expect("no one panics while holding this lock") =
            Some(last_read.or_else(before).unwrap_or_default());
    }
}

impl Worker {
    /// Ends one part of a directory; the last one writes the directory's row.
    pub(super) fn finish_part(&mut self, opened: &Opened) -> Result<()> {
        if opened.parts.load(Relaxed) > 1 {
            // What this worker found must be on its way before another one may write "listed".
            self.sink.flush()?;
        }
        if opened.parts.fetch_sub(1, AcqRel) != 1 {
            return Ok(());
        }
        if !opened.incomplete.load(Relaxed) {
            self.write_directory(opened);
        }
        self.sink.done_with(&opened.path)
    }

    /// Writes the row of a directory that has been read to its end.
    fn write_directory(&mut self, opened: &Opened) {
        let row = opened.row.lock().expect("no one panics while holding this lock").take();
        let Some(mut row) = row else {
            return self.note_return(opened);
        };
        if opened.troubled.load(Relaxed) {
            row.newest_ns = i64::MAX;
        }
        if let Some(name) = opened.cut_off_after.lock().expect("no one panics while holding this lock").take() {
            row.verified_ms = opened.known.as_ref().and_then(|known| known.verified_ms);
            row.verify_after = Some(name);
        }
        if opened.known.as_ref().is_none_or(|known| differs(known, &row)) {
            if opened.known.as_ref().is_some_and(|known| known.is_held) {
                self.sink.push(Op::Lapse { path: opened.path.clone() });
            }
            self.sink.push(Op::Directory(row));
        }
    }

    /// Ends a hold in a run that writes no row of a directory: a cleanup that met it again, or was told to accept it.
    fn note_return(&mut self, opened: &Opened) {
        let Some(known) = &opened.known else { return };
        let is_mount_news = self.shared.adopts_mounts && known.mount != opened.mount;
        if self.shared.spec.kind == Kind::Cleanup && (known.is_held || is_mount_news) {
            self.sink.push(Op::Lapse { path: opened.path.clone() });
            self.sink.push(Op::Return { id: opened.id, mount: opened.mount.clone() });
        }
    }
}

/// Returns the row that says "listed to its end"; `None` for a look that does not say so.
fn row_of(shared: &Shared, target: &Target, directory: &Directory, looked: &Looked) -> Option<DirectoryRow> {
    // A cleanup passes over what is new: its listing must not make an incremental run pass over it too.
    if matches!(target.scope, Scope::Names(_)) || shared.spec.kind == Kind::Cleanup {
        return None;
    }
    let stamp = &directory.stamp;
    let known = target.known.as_ref();
    let verified_ms = if shared.is_verify() { Some(shared.started_ms) } else { known.and_then(|k| k.verified_ms) };
    Some(DirectoryRow {
        id: looked.id,
        parent_id: target.parent_id,
        path: target.path.clone(),
        inode: stamp.inode,
        born_ns: stamp.born_ns,
        // Invariant 5: a name that came in the same tick leaves the same stamp.
        listed: (!stamp.is_racy(looked.started_ns)).then_some((stamp.mtime_ns, stamp.ctime_ns)),
        newest_ns: looked.newest_ns,
        mount: looked.mount.clone(),
        unseen_since_ms: None,
        verified_ms,
        verify_after: if shared.is_verify() { None } else { known.and_then(|k| k.verify_after.clone()) },
    })
}

fn differs(known: &KnownDirectory, row: &DirectoryRow) -> bool {
    known.is_held
        || known.unseen_since_ms.is_some()
        || (known.inode, known.born_ns, known.listed, known.newest_ns)
            != (row.inode, row.born_ns, row.listed, row.newest_ns)
        || (&known.mount, known.verified_ms, &known.verify_after) != (&row.mount, row.verified_ms, &row.verify_after)
}
