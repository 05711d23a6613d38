//! Compares one listing with the records of its directory: what is new, what differs, what is missing.

use super::directory::{FILES_PER_PART, Scope, Target, ToRead};
use super::shared::Shared;
use super::sink::Sink;
use crate::disk::{Entry, EntryKind, Listing, class_of};
use crate::domain::guard::Reason;
use crate::domain::path::{RelPath, join};
use crate::domain::reconcile::Walk;
use crate::domain::record::{Flags, Record};
use crate::domain::run::{Kind, Tally};
use crate::engine::clock;
use crate::index::{FileRow, KnownDirectory, KnownFile, Op, Reader, Result};

/// One comparison.
pub(super) struct Comparison<'a> {
    pub shared: &'a Shared,
    pub target: &'a Target,
    pub id: i64,
    /// The root or a mounted directory shows nothing: what is missing is held for that.
    pub emptied: bool,
}

/// What a comparison found.
#[derive(Default)]
pub(super) struct Found {
    pub to_read: Vec<ToRead>,
    /// Names of regular files that are new and that nobody has looked at.
    pub unseen: Vec<Vec<u8>>,
    /// Directories to look at next, in the order of their names.
    pub below: Vec<Target>,
    pub newest_ns: i64,
    pub troubled: bool,
}

impl Comparison<'_> {
    pub(super) fn run(&self, index: &Reader, sink: &mut Sink, listing: &Listing) -> Result<Found> {
        let mut found = Found::default();
        self.directories(index, sink, listing, &mut found)?;
        match &self.target.scope {
            Scope::Names(names) => self.named_files(index, sink, listing, names, &mut found)?,
            _ => self.files(index, sink, listing, &mut found)?,
        }
        Ok(found)
    }

    fn directories(&self, index: &Reader, sink: &mut Sink, listing: &Listing, found: &mut Found) -> Result<()> {
        let known = match (&self.target.known, &self.target.scope) {
            (None, _) => Vec::new(),
            // The whole list may be long, and a hint is about one of them.
            (Some(known), Scope::Names(names)) => {
                let below =
                    |name: &Vec<u8>| index.known_directory(self.shared.run.repository, &join(&known.path, name));
                names.iter().filter_map(|name| below(name).transpose()).collect::<Result<_>>()?
            }
            (Some(known), _) => index.known_subdirectories(known.id)?,
        };
        let is_wanted = |name: &[u8]| match &self.target.scope {
            Scope::Names(names) => names.iter().any(|wanted| wanted == name),
            _ => true,
        };
        let is_unset = |name: &[u8]| {
            !is_wanted(name) || (self.shared.spec.kind == Kind::Cleanup && !known.iter().any(|k| last_part(k) == name))
        };
        let mut walk = Walk::new(listing.entries(), |entry: &Entry| listing.name(entry));
        for directory in &known {
            let name = last_part(directory);
            let (new, same) = walk.meet(name);
            self.push_new_directories(listing, new, &is_unset, found);
            if !is_wanted(name) {
                continue;
            }
            match same.map(|entry| entry.kind) {
                Some(EntryKind::Directory) => self.push_known_directory(directory.clone(), name, found),
                // It may well be a directory: nothing may be concluded.
                Some(EntryKind::Unknown(_)) => {}
                Some(EntryKind::File | EntryKind::Symlink | EntryKind::Unseen) | None => sink.push(Op::Park {
                    directory_id: directory.id,
                    parent_id: self.id,
                    path: join(&self.target.path, name),
                    name: None,
                    reason: self.emptied.then_some(Reason::Emptied),
                }),
            }
        }
        self.push_new_directories(listing, walk.rest(), &is_unset, found);
        Ok(())
    }

    fn push_known_directory(&self, directory: KnownDirectory, name: &[u8], found: &mut Found) {
        // In other scopes every known directory comes by itself.
        if matches!(self.target.scope, Scope::Tree | Scope::Names(_)) {
            // Not the path in its row: this directory may have been moved a moment ago, and the row may not say so yet.
            let path = join(&self.target.path, name);
            found.below.push(Target { path, parent_id: self.id, known: Some(directory), scope: Scope::Tree });
        }
    }

    fn push_new_directories(
        &self,
        listing: &Listing,
        new: &[Entry],
        is_unset: &dyn Fn(&[u8]) -> bool,
        found: &mut Found,
    ) {
        for entry in new.iter().filter(|entry| entry.kind == EntryKind::Directory) {
            let name = listing.name(entry);
            if !is_unset(name) {
                let path = join(&self.target.path, name);
                found.below.push(Target { path, parent_id: self.id, known: None, scope: Scope::Tree });
            }
        }
    }

    fn files(&self, index: &Reader, sink: &mut Sink, listing: &Listing, found: &mut Found) -> Result<()> {
        let mut walk = Walk::new(listing.entries(), |entry: &Entry| listing.name(entry));
        if let Some(known) = &self.target.known {
            index.for_each_known_file(known.id, |known| {
                let (new, same) = walk.meet(known.name);
                self.new_files(sink, listing, new, found)?;
                self.known_file(sink, known, same, found)
            })?;
        }
        self.new_files(sink, listing, walk.rest(), found)
    }

    fn named_files(
        &self,
        index: &Reader,
        sink: &mut Sink,
        listing: &Listing,
        names: &[Vec<u8>],
        found: &mut Found,
    ) -> Result<()> {
        for name in names {
            let at = listing.entries().binary_search_by(|entry| listing.name(entry).cmp(name));
            let entry = at.ok().map(|at| &listing.entries()[at]);
            let mut is_known = false;
            index.for_known_file(self.id, name, |known| {
                is_known = true;
                self.known_file(sink, known, entry, found)
            })?;
            if is_known {
                continue;
            }
            match entry {
                Some(entry) => self.new_files(sink, listing, std::slice::from_ref(entry), found)?,
                None => {
                    let path = join(&self.target.path, name);
                    if index.known_directory(self.shared.run.repository, &path)?.is_none() {
                        self.shared.unmet.lock().expect("no one panics while holding this lock").push(path);
                    }
                }
            }
        }
        Ok(())
    }

    fn known_file(
        &self,
        sink: &mut Sink,
        known: &KnownFile<'_>,
        entry: Option<&Entry>,
        found: &mut Found,
    ) -> Result<()> {
        let entry = match entry {
            Some(Entry { kind: EntryKind::Unknown(errno), .. }) => {
                found.troubled = true;
                let path = join(&self.target.path, known.name);
                sink.problem(path, class_of(*errno), format!("its properties cannot be read: {errno}"));
                return Ok(());
            }
            Some(entry) if entry.kind != EntryKind::Directory => entry,
            _ => return self.missing_file(sink, known),
        };
        if self.shared.hinted.is_some() {
            sink.push(Op::Found { directory_id: self.id, names: vec![known.name.to_vec()] });
        }
        let is_symlink = entry.kind == EntryKind::Symlink;
        if entry.stamp != known.stamp && self.shared.is_unsettled(&self.target.path, known.name, &entry.stamp) {
            found.troubled = true;
            self.shared.defer(&self.target.path, known.name);
            return Ok(());
        }
        found.newest_ns = found.newest_ns.max(entry.stamp.newest_ns());
        let is_same_type = is_symlink == known.flags.has(Flags::SYMLINK);
        if known.flags.has(Flags::HELD) {
            sink.push(Op::Lapse { path: join(&self.target.path, known.name) });
        }
        if is_same_type && entry.stamp == known.stamp && !self.must_read(known)? {
            return self.unchanged(sink, known);
        }
        if self.shared.spec.kind == Kind::Cleanup {
            return Ok(());
        }
        if known.flags.has(Flags::ARRIVAL) {
            // Its run was cut off before it could be told from a move: it arrives once more.
            let mut record = known.record()?;
            if entry.stamp != record.stamp && !is_symlink {
                // What was read of it belongs to another state of the file.
                record.sha256 = None;
                record.flags = record.flags.set(Flags::UNREAD, self.shared.spec.hashing).without(Flags::RACY);
            }
            record.stamp = entry.stamp;
            record.flags = record.flags.set(Flags::SYMLINK, is_symlink).set(Flags::LINKED, entry.is_linked);
            return self.arrive(sink, known.name, record, false);
        }
        if entry.is_linked && self.shared.hinted.is_some() {
            self.shared.linked.note_change(entry.stamp.inode);
        }
        found.to_read.push(ToRead {
            name: known.name.to_vec(),
            stamp: entry.stamp,
            is_symlink,
            is_linked: entry.is_linked,
            known: Some(known.record()?),
        });
        Ok(())
    }

    fn missing_file(&self, sink: &mut Sink, known: &KnownFile<'_>) -> Result<()> {
        if self.shared.hinted.is_some() && known.flags.has(Flags::LINKED) {
            self.shared.linked.note_missing(known.stamp.inode, &self.target.path, known.name);
        }
        sink.push(Op::Park {
            directory_id: self.id,
            parent_id: self.target.parent_id,
            path: self.target.path.clone(),
            name: Some(known.name.to_vec()),
            reason: self.emptied.then_some(Reason::Emptied),
        });
        self.flush_if_large(sink)
    }

    /// Tells whether a file must be read although its stamp is the known one.
    fn must_read(&self, known: &KnownFile<'_>) -> Result<bool> {
        if known.flags.has(Flags::ARRIVAL) {
            return Ok(true);
        }
        if !self.shared.spec.hashing || known.flags.has(Flags::SYMLINK) {
            return Ok(false);
        }
        let is_due = known.flags.has(Flags::RACY) || known.flags.has(Flags::UNREAD) || self.shared.reads_all;
        // Who names a damaged file wants to know whether it still is: its stamp says nothing about that.
        let is_asked_for = self.shared.spec.kind == Kind::Single && known.flags.has(Flags::DAMAGED);
        if is_due || is_asked_for || !known.has_content()? {
            return Ok(true);
        }
        let already_verified = || {
            let after = self.target.known.as_ref().and_then(|known| known.verify_after.as_deref());
            after.is_some_and(|after| known.name <= after)
        };
        Ok(self.shared.is_verify() && !already_verified())
    }

    fn unchanged(&self, sink: &mut Sink, known: &KnownFile<'_>) -> Result<()> {
        if self.shared.open_problems.in_directory(&self.target.path).iter().any(|name| name == known.name) {
            sink.push(Op::CloseProblem { path: join(&self.target.path, known.name) });
        }
        if !known.flags.has(Flags::HELD) {
            return Ok(());
        }
        let record = known.record()?;
        sink.push(Op::File(Box::new(FileRow {
            directory_id: self.id,
            name: known.name.to_vec(),
            is_new: false,
            record: Record { flags: record.flags.without(Flags::HELD), ..record },
            change: None,
            is_arrival: false,
        })));
        Ok(())
    }

    fn new_files(&self, sink: &mut Sink, listing: &Listing, new: &[Entry], found: &mut Found) -> Result<()> {
        if self.shared.spec.kind == Kind::Cleanup {
            return Ok(());
        }
        for entry in new {
            let name = listing.name(entry);
            let is_symlink = match entry.kind {
                EntryKind::Directory => continue,
                EntryKind::Unknown(errno) => {
                    found.troubled = true;
                    let path = join(&self.target.path, name);
                    sink.problem(path, class_of(errno), format!("its properties cannot be read: {errno}"));
                    continue;
                }
                EntryKind::Unseen => {
                    found.unseen.push(name.to_vec());
                    continue;
                }
                EntryKind::File => false,
                EntryKind::Symlink => true,
            };
            if !is_symlink && self.shared.is_unsettled(&self.target.path, name, &entry.stamp) {
                found.troubled = true;
                self.shared.defer(&self.target.path, name);
                continue;
            }
            found.newest_ns = found.newest_ns.max(entry.stamp.newest_ns());
            if entry.is_linked && self.shared.hinted.is_some() {
                self.shared.linked.note_change(entry.stamp.inode);
            }
            if self.shared.is_first {
                found.to_read.push(ToRead {
                    name: name.to_vec(),
                    stamp: entry.stamp,
                    is_symlink,
                    is_linked: entry.is_linked,
                    known: None,
                });
                continue;
            }
            let now_ms = clock::wall().0;
            let flags = Flags::default()
                .set(Flags::SYMLINK, is_symlink)
                .set(Flags::LINKED, entry.is_linked)
                .set(Flags::UNREAD, self.shared.spec.hashing && !is_symlink);
            let record =
                Record { stamp: entry.stamp, flags, created_ms: now_ms, updated_ms: now_ms, ..Record::default() };
            sink.tally.add(&Tally { added: 1, ..Tally::default() });
            self.arrive(sink, name, record, true)?;
        }
        Ok(())
    }

    /// Writes a record that may turn out to be a move when the run settles; it is read only then, if at all.
    fn arrive(&self, sink: &mut Sink, name: &[u8], record: Record, is_new: bool) -> Result<()> {
        sink.push(Op::File(Box::new(FileRow {
            directory_id: self.id,
            name: name.to_vec(),
            record: Record { flags: record.flags.with(Flags::ARRIVAL), ..record },
            is_new,
            change: None,
            is_arrival: true,
        })));
        self.flush_if_large(sink)
    }

    /// Lets the rows of a large directory go out in parts: its own row stands already.
    fn flush_if_large(&self, sink: &mut Sink) -> Result<()> {
        if sink.len() > 4 * FILES_PER_PART { sink.flush() } else { Ok(()) }
    }
}

fn last_part(directory: &KnownDirectory) -> &[u8] {
    let start = directory.path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    &directory.path[start..]
}

/// Returns the path of a name for a change.
pub(super) fn path_of(directory: &[u8], name: &[u8]) -> RelPath {
    RelPath::from_stored(join(directory, name))
}
