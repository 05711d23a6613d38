//! Looks at one directory: opens it, lists it, compares the listing with what is known, and finds what must be read.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::comparison::Comparison;
use super::opened::{Looked, Opened};
use super::shared::Shared;
use super::sink::Sink;
use super::stack::Work;
use super::worker::Worker;
use crate::disk::watch::Placed;
use crate::disk::{self, Directory, EntryKind, Listing};
use crate::domain::guard::Reason;
use crate::domain::path::join;
use crate::domain::record::{Record, Stamp};
use crate::domain::run::Kind;
use crate::engine::clock;
use crate::index::{DirectoryRow, KnownDirectory, Op, Result};
use rustix::io::Errno;

/// How far a look at a directory goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// It and everything below.
    Tree,
    /// It, and below only what is new: every known directory comes by itself.
    Listed,
    /// As `Listed`, if its stamp moved or its newest file is recent.
    Changed,
    /// As `Listed`, if its stamp moved since this run listed it.
    Moved,
    /// Only these names in it.
    Names(Vec<Vec<u8>>),
}

/// A directory to look at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub path: Vec<u8>,
    pub parent_id: i64,
    pub known: Option<KnownDirectory>,
    pub scope: Scope,
}

impl Target {
    /// Tells whether every known directory below is looked at on its own account.
    pub fn comes_by_itself(&self) -> bool {
        !matches!(self.scope, Scope::Tree | Scope::Names(_))
    }
}

/// A file whose content must be read, or whose stamp differs.
#[derive(Debug)]
pub(super) struct ToRead {
    pub name: Vec<u8>,
    pub stamp: Stamp,
    pub is_symlink: bool,
    /// Other names lead to the same file: read once, it is read for all of them.
    pub is_linked: bool,
    pub known: Option<Record>,
}

/// Files and bytes from which the reading of one directory is shared among workers.
pub(super) const FILES_PER_PART: usize = 256;
const BYTES_PER_PART: i64 = 8 << 20;
/// More names than this of one directory, and listing it is cheaper.
const LOOKED_UP: usize = 256;

impl Worker {
    /// Looks at a directory, unless it is in other hands.
    pub(super) fn look_at(&mut self, mut target: Target) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        if shared.is_beside() {
            let Some(written) = shared.company.enter_for_hint(&target.path) else {
                shared.defer_directory(&target.path);
                return Ok(());
            };
            if shared.wait_until_written(written)? {
                target.known = self.index.known_directory(shared.run.repository, &target.path)?;
            }
        } else {
            if shared.company.is_hinted_now(&target.path) {
                // Whoever waits holds nothing that the other may wait for.
                self.sink.flush()?;
            }
            if shared.company.enter(&target.path) && target.known.is_none() {
                target.known = self.index.known_directory(shared.run.repository, &target.path)?;
            }
        }
        let path = target.path.clone();
        self.is_opened = false;
        self.look_inside(target)?;
        // What was opened is given back with its last part, maybe by another worker.
        if self.is_opened { Ok(()) } else { self.sink.done_with(&path) }
    }

    fn look_inside(&mut self, mut target: Target) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        target.known = target.known.filter(|known| !shared.is_taken_elsewhere(known, &target.path));
        if shared.is_below_moved(&target) {
            return Ok(());
        }
        shared.context.progress.set_current(&target.path);
        let listing_started_ns = clock::wall_ns();
        let mut directory = match shared.root.directory(&target.path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return self.has_vanished(&target),
            Err(errno) => return self.cannot_list(&target, errno),
        };
        if target.comes_by_itself() && shared.is_below_other_mount(&target.path, &directory) {
            return Ok(());
        }
        if self.is_left_out(&target, &directory)? {
            return Ok(());
        }
        if let Err(errno) = self.watch(&target.path, &mut directory) {
            return self.cannot_list(&target, errno);
        }
        let mount = match directory.is_mount_point && !target.path.is_empty() {
            true => directory.identity().ok().map(|identity| identity.to_text()),
            false => None,
        };
        let target = self.recognise_moved(target, &directory)?;
        if let Some((known, reason)) = self.mount_changed(&target, mount.as_deref())? {
            self.sink.push(Op::Park {
                directory_id: known.id,
                parent_id: known.parent_id,
                path: known.path.clone(),
                name: None,
                reason: Some(reason),
            });
            return Ok(());
        }
        if is_as_before(&shared, &target, &directory.stamp) {
            return Ok(());
        }
        if let Err(errno) = self.list(&target, &directory) {
            return self.cannot_list(&target, errno);
        }
        self.compare(target, directory, mount, listing_started_ns)
    }

    /// Lists a directory, or only looks up the names that are wanted of it.
    fn list(&mut self, target: &Target, directory: &Directory) -> std::result::Result<(), Errno> {
        let Shared { filter, own, .. } = &*self.shared;
        if let Scope::Names(names) = &target.scope
            && names.len() <= LOOKED_UP
        {
            self.listing.look_up(directory, &target.path, names, filter, own)?;
            // Where nothing of it is found, the whole place may be empty: the guard must know.
            let is_place = target.path.is_empty() || directory.is_mount_point;
            if !(is_place && self.listing.entries().is_empty()) {
                return Ok(());
            }
        }
        let look = self.look_of(target, directory);
        self.listing.read(directory, &target.path, filter, own, look)
    }

    /// Watches a directory before it is looked at: what happens from now on is either seen or hinted at.
    fn watch(&self, path: &[u8], directory: &mut Directory) -> std::result::Result<(), Errno> {
        let Some(watcher) = &self.shared.context.watcher else { return Ok(()) };
        if self.shared.spec.plan {
            return Ok(());
        }
        match watcher.watch(self.shared.run.repository.0, path, directory) {
            // Its stamp was taken before the watch stood.
            Placed::New => directory.stat_again(),
            Placed::Known | Placed::Unwatched => Ok(()),
        }
    }

    /// Finds out whether a directory that is new here is a known one that was moved with all that is in it.
    ///
    /// Only if nothing stands at its old place any more: a row belongs to its path as long as a directory is there.
    fn recognise_moved(&mut self, mut target: Target, directory: &Directory) -> Result<Target> {
        let shared = &self.shared;
        let stamp = &directory.stamp;
        let is_possible = target.known.is_none() && !shared.is_first && shared.spec.kind != Kind::Cleanup;
        if !is_possible || stamp.born_ns == 0 || target.path.is_empty() {
            return Ok(target);
        }
        let candidate = self.index.known_directory_by_inode(shared.run.repository, stamp.inode, stamp.born_ns)?;
        let Some(mut known) = candidate.filter(|known| known.path != target.path && !known.path.is_empty()) else {
            return Ok(target);
        };
        if !shared.claim_moved(&known, &target.path) {
            return Ok(target);
        }
        let old_path = std::mem::replace(&mut known.path, target.path.clone());
        known.parent_id = target.parent_id;
        if known.is_held {
            self.sink.push(Op::Lapse { path: old_path.clone() });
        }
        self.sink.push(Op::MoveDirectory {
            id: known.id,
            parent_id: target.parent_id,
            old_path,
            new_path: target.path.clone(),
        });
        // Its parent's row must not wait for this one: other workers may compare the parent meanwhile.
        self.sink.flush()?;
        target.known = Some(known);
        Ok(target)
    }

    /// Returns why a directory is not the place that it was: no mount any more, or another one.
    fn mount_changed<'t>(
        &self,
        target: &'t Target,
        mount: Option<&str>,
    ) -> Result<Option<(&'t KnownDirectory, Reason)>> {
        let Some(known) = &target.known else { return Ok(None) };
        if self.shared.adopts_mounts {
            return Ok(None);
        }
        let reason = match (known.mount.as_deref(), mount) {
            (None, None) => None,
            (Some(before), Some(now)) => {
                let same = match (disk::Identity::parse(before), disk::Identity::parse(now)) {
                    (Some(before), Some(now)) => before.is_same_place(&now),
                    _ => before == now,
                };
                (!same).then_some(Reason::FilesystemChanged)
            }
            (Some(_), None) => Some(Reason::MountMissing),
            // Mounted over: what was recorded lies below, out of sight.
            (None, Some(_)) => Some(Reason::FilesystemChanged),
        };
        // Where nothing was recorded, nothing can be lost: it is listed as what it is now.
        match reason {
            Some(reason) if self.index.has_records(self.shared.run.repository, &target.path)? => {
                Ok(Some((known, reason)))
            }
            _ => Ok(None),
        }
    }

    /// Compares a listing with what is known, and reads what differs or hands it out to be read.
    fn compare(&mut self, target: Target, directory: Directory, mount: Option<String>, started_ns: i64) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let id = target.known.as_ref().map_or_else(|| shared.next_directory_id(), |known| known.id);
        let looked_at = if shared.relisting.load(Relaxed) {
            shared.relisted.fetch_add(1, Relaxed);
            self.sink.push(Op::Unpark { directory_id: id });
            0
        } else {
            self.count(&target)
        };
        // Its rows may go out in parts, by several workers, or be cut off. Its own row must stand first: file rows
        // without one would fall to whichever directory gets this number after a kill.
        if target.known.is_none() {
            let row = DirectoryRow { id, parent_id: target.parent_id, path: target.path.clone(), ..Default::default() };
            self.sink.push(Op::Directory(Box::new(row)));
        }
        if shared.hinted.is_some() && target.known.is_some() {
            self.sink.push(Op::Found { directory_id: id, names: Vec::new() });
        }
        let emptied = self.has_become_empty(&target, &directory)?;
        let comparison = Comparison { shared: &shared, target: &target, id, emptied };
        let found = comparison.run(&self.index, &mut self.sink, &self.listing)?;
        // What is to be read is done when it was read.
        let done = looked_at.saturating_sub(found.to_read.len() + found.unseen.len());
        shared.context.progress.files.fetch_add(done as u64, Relaxed);
        close_problems(&shared, &mut self.sink, &target, &self.listing);
        shared.stack.push(found.below.into_iter().rev().map(Work::Directory));
        let looked = Looked { id, mount, newest_ns: found.newest_ns, troubled: found.troubled, started_ns };
        if let (Scope::Names(_), Some(known)) = (&target.scope, &target.known)
            && found.newest_ns > known.newest_ns
        {
            self.sink.push(Op::Newer { directory_id: id, newest_ns: found.newest_ns });
        }
        let opened = Arc::new(Opened::new(&shared, target, directory, looked));
        self.is_opened = true;
        let mut to_read = found.to_read;
        to_read.extend(self.read_unseen(&opened, found.unseen)?);
        self.read_or_share(&opened, to_read)
    }

    /// Counts the files that were looked at, and returns how many they are.
    fn count(&mut self, target: &Target) -> usize {
        let is_listed = |name: &Vec<u8>| {
            self.listing.entries().binary_search_by(|entry| self.listing.name(entry).cmp(name)).is_ok()
        };
        let looked_at = match &target.scope {
            Scope::Names(names) => names.iter().filter(|name| is_listed(name)).count(),
            _ => self.listing.entries().iter().filter(|entry| entry.kind != EntryKind::Directory).count(),
        };
        self.sink.tally.directories += 1;
        self.sink.tally.scanned += looked_at as i64;
        looked_at
    }

    /// Tells whether the root or a mounted directory shows nothing at all where files were recorded.
    fn has_become_empty(&self, target: &Target, directory: &Directory) -> Result<bool> {
        let is_place = target.path.is_empty() || directory.is_mount_point;
        if !is_place || !self.listing.entries().is_empty() || target.known.is_none() {
            return Ok(false);
        }
        self.index.has_records(self.shared.run.repository, &target.path)
    }

    /// Reads a part of a directory's files here, or shares a large one among the workers as several.
    pub(super) fn read_or_share(&mut self, opened: &Arc<Opened>, to_read: Vec<ToRead>) -> Result<()> {
        let bytes: i64 = to_read.iter().fold(0, |sum, file| sum.saturating_add(file.stamp.size_bytes));
        // A verify with a budget goes by name, so that the next one knows where to go on.
        let stays_here = self.shared.has_budget() || (to_read.len() <= FILES_PER_PART && bytes <= BYTES_PER_PART);
        if stays_here || to_read.len() == 1 {
            return self.read_part(opened, to_read);
        }
        let mut parts: Vec<Vec<ToRead>> = Vec::new();
        let mut part_bytes = 0;
        for file in to_read {
            let is_full = parts.last().is_none_or(|part| part.len() >= FILES_PER_PART) || part_bytes >= BYTES_PER_PART;
            if is_full {
                parts.push(Vec::new());
                part_bytes = 0;
            }
            part_bytes += file.stamp.size_bytes;
            parts.last_mut().expect("one was pushed").push(file);
        }
        // This part has become several.
        opened.parts.fetch_add(parts.len().saturating_sub(1), Relaxed);
        // The other workers' rows must not overtake the directory's own.
        self.sink.flush()?;
        self.shared.stack.push(parts.into_iter().rev().map(|part| Work::Files(Arc::clone(opened), part)));
        Ok(())
    }
}

/// Tells whether a directory need not be listed.
fn is_as_before(shared: &Shared, target: &Target, stamp: &Stamp) -> bool {
    let Some(known) = &target.known else { return false };
    let is_unmoved = known.listed == Some((stamp.mtime_ns, stamp.ctime_ns));
    match target.scope {
        Scope::Moved => is_unmoved,
        Scope::Changed => {
            let window_ns = i64::try_from(shared.spec.window.as_nanos()).unwrap_or(i64::MAX);
            let window_start_ns = shared.started_ms.saturating_mul(1_000_000).saturating_sub(window_ns);
            is_unmoved && known.unseen_since_ms.is_none() && !known.is_held && known.newest_ns < window_start_ns
        }
        Scope::Tree | Scope::Listed | Scope::Names(_) => false,
    }
}

/// Closes the problems of names that are there no more, and of the directory itself: it could be listed.
///
/// Names that are there close theirs when they have been handled.
fn close_problems(shared: &Shared, sink: &mut Sink, target: &Target, listing: &Listing) {
    if shared.open_problems.has(&target.path) {
        sink.push(Op::CloseProblem { path: target.path.clone() });
    }
    for name in shared.open_problems.in_directory(&target.path) {
        let is_there = listing.entries().binary_search_by(|entry| listing.name(entry).cmp(name)).is_ok();
        if !is_there && !matches!(target.scope, Scope::Names(_)) {
            sink.push(Op::CloseProblem { path: join(&target.path, name) });
        }
    }
}
