//! The first sight of a new directory's files: small ones are read without being looked at before, which saves one of five
//! calls a file and an eighth of the time of a first index.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::directory::{FILES_PER_PART, Target, ToRead};
use super::opened::Opened;
use super::reading::Reading;
use super::stack::Work;
use super::worker::Worker;
use crate::disk::{self, Directory, EntryKind, Look};
use crate::domain::path::join;
use crate::domain::record::Stamp;
use crate::domain::run::Kind;
use crate::engine::clock;
use crate::index::Result;

impl Worker {
    /// Returns how a directory is to be listed.
    ///
    /// Only a first run reads all that it finds; and only where this kernel stamps files does a stamp that is older than
    /// the reading say that the file stood still.
    pub(super) fn look_of(&self, target: &Target, directory: &Directory) -> Look {
        let shared = &self.shared;
        let reads_all_new = shared.is_first && shared.hinted.is_none() && shared.spec.hashing;
        let is_plain = matches!(shared.spec.kind, Kind::Full | Kind::Incremental) && !shared.spec.plan;
        match reads_all_new && is_plain && target.known.is_none() && directory.is_remote() == Ok(false) {
            true => Look::Later,
            false => Look::Now,
        }
    }

    /// Reads files that nobody has looked at, or hands them out in parts.
    pub(super) fn read_unseen(&mut self, opened: &Arc<Opened>, names: Vec<Vec<u8>>) -> Result<Vec<ToRead>> {
        if names.len() <= FILES_PER_PART {
            return self.glance_at(opened, names);
        }
        let parts: Vec<_> = names.chunks(FILES_PER_PART).map(<[_]>::to_vec).collect();
        opened.parts.fetch_add(parts.len(), Relaxed);
        // The other workers' rows must not overtake the directory's own.
        self.sink.flush()?;
        self.shared.stack.push(parts.into_iter().rev().map(|part| Work::Unseen(Arc::clone(opened), part)));
        Ok(Vec::new())
    }

    /// Reads a part of the files that nobody has looked at.
    pub(super) fn read_unseen_part(&mut self, opened: &Arc<Opened>, names: Vec<Vec<u8>>) -> Result<()> {
        let others = self.glance_at(opened, names)?;
        self.read_or_share(opened, others)
    }

    /// Reads the small files among these that stand still; returns the others, as looking at them tells.
    fn glance_at(&mut self, opened: &Opened, names: Vec<Vec<u8>>) -> Result<Vec<ToRead>> {
        let shared = Arc::clone(&self.shared);
        let (mut others, listed) = (Vec::new(), names.len());
        let mut newest_ns = 0;
        for name in names {
            if shared.is_cancelled() || shared.has_failed() {
                opened.incomplete.store(true, Relaxed);
                return Ok(Vec::new());
            }
            let started_ns = clock::wall_ns();
            let Some(hashed) = self.file_reader.glance(&opened.directory, &name, &shared.own, started_ns) else {
                others.push(name);
                continue;
            };
            newest_ns = newest_ns.max(hashed.stamp.newest_ns());
            self.sink.tally.bytes_hashed += hashed.stamp.size_bytes;
            shared.context.progress.bytes.fetch_add(hashed.stamp.size_bytes.unsigned_abs(), Relaxed);
            let file = to_read(name, hashed.stamp, EntryKind::File, false);
            self.write_one(opened, file, Reading::Content { hashed, started_ns })?;
        }
        let others = self.look_at_others(opened, &others)?;
        shared.context.progress.files.fetch_add((listed - others.len()) as u64, Relaxed);
        opened.raise_newest(others.iter().map(|file| file.stamp.newest_ns()).fold(newest_ns, i64::max));
        Ok(others)
    }

    fn look_at_others(&mut self, opened: &Opened, names: &[Vec<u8>]) -> Result<Vec<ToRead>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let shared = Arc::clone(&self.shared);
        if self.listing.look_up(&opened.directory, &opened.path, names, &shared.filter, &shared.own).is_err() {
            // It could be searched a moment ago: what is in it is another run's to say.
            opened.troubled.store(true, Relaxed);
            opened.incomplete.store(true, Relaxed);
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in self.listing.entries() {
            let name = self.listing.name(entry);
            match entry.kind {
                EntryKind::File | EntryKind::Symlink => {
                    found.push(to_read(name.to_vec(), entry.stamp, entry.kind, entry.is_linked));
                }
                EntryKind::Unknown(errno) => {
                    opened.troubled.store(true, Relaxed);
                    let why = format!("its properties cannot be read: {errno}");
                    self.sink.problem(join(&opened.path, name), disk::class_of(errno), why);
                }
                // It has become one since it was listed, which its parent's stamp tells the next run.
                EntryKind::Directory | EntryKind::Unseen => opened.troubled.store(true, Relaxed),
            }
        }
        Ok(found)
    }
}

fn to_read(name: Vec<u8>, stamp: Stamp, kind: EntryKind, is_linked: bool) -> ToRead {
    ToRead { name, stamp, is_symlink: kind == EntryKind::Symlink, is_linked, known: None }
}
