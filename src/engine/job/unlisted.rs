//! A directory that is not listed: gone, unreadable, or none of the repository's.

use std::sync::atomic::Ordering::Relaxed;

use rustix::io::Errno;

use super::directory::{Scope, Target};
use super::stack::Work;
use super::worker::Worker;
use crate::disk::{self, Directory, LeftOut};
use crate::domain::guard::Reason;
use crate::domain::path::RelPath;
use crate::domain::run::Kind;
use crate::index::{DirectoryRow, Op, Result};

impl Worker {
    /// Notes that a directory is not there any more. Its parent's stamp has moved, and tells.
    pub(super) fn has_vanished(&mut self, target: &Target) -> Result<()> {
        self.shared.vanished.fetch_add(1, Relaxed);
        let parent = RelPath::from_stored(target.path.clone());
        let (Scope::Names(_), Some((parent, name))) = (&target.scope, parent.split()) else { return Ok(()) };
        // Only these names were asked for: nobody else comes to look for the directory that held them.
        let known = self.index.known_directory(self.shared.run.repository, parent.as_bytes())?;
        let parent_id = known.as_ref().map_or(0, |known| known.parent_id);
        let scope = Scope::Names(vec![name.to_vec()]);
        self.shared.stack.push([Work::Directory(Target { path: parent.into_bytes(), parent_id, known, scope })]);
        Ok(())
    }

    /// Tells whether the directory itself does not belong to the repository.
    pub(super) fn is_left_out(&mut self, target: &Target, directory: &Directory) -> Result<bool> {
        let rule = if self.shared.own.contains(directory.device, directory.stamp.inode) {
            LeftOut::OwnFiles
        } else if directory.is_mount_point && !target.path.is_empty() && self.shared.filter.one_file_system {
            LeftOut::OtherFileSystem
        } else {
            return Ok(false);
        };
        self.listing.left_out.count(rule);
        // What was recorded before it was left out is no longer seen: for a person to decide.
        if let Some(known) = &target.known
            && self.index.has_records(self.shared.run.repository, &target.path)?
        {
            self.sink.push(Op::Park {
                directory_id: known.id,
                parent_id: known.parent_id,
                path: known.path.clone(),
                name: None,
                reason: Some(Reason::FilesystemChanged),
            });
        }
        Ok(true)
    }

    /// Reports a directory that cannot be listed. Its records stay (invariant 2), and are no longer vouched for.
    pub(super) fn cannot_list(&mut self, target: &Target, errno: Errno) -> Result<()> {
        let is_told = self.shared.relisting.load(Relaxed) && target.known.is_some();
        if is_told || (target.comes_by_itself() && self.is_below_unreadable(&target.path)) {
            return Ok(());
        }
        let class = disk::class_of(errno);
        self.sink.problem(target.path.clone(), class, format!("directory cannot be listed: {errno}"));
        let since_ms = self.shared.started_ms;
        match &target.known {
            Some(known) if known.unseen_since_ms.is_some() => {}
            Some(_) => self.sink.push(Op::Unseen { path: target.path.clone(), since_ms }),
            None if self.shared.spec.kind == Kind::Cleanup => {}
            None => self.sink.push(Op::Directory(Box::new(DirectoryRow {
                id: self.shared.next_directory_id(),
                parent_id: target.parent_id,
                path: target.path.clone(),
                unseen_since_ms: Some(since_ms),
                ..DirectoryRow::default()
            }))),
        }
        self.sink.flush_if_full()
    }

    /// Tells whether the directory above cannot be opened either: then the problem is that one's.
    fn is_below_unreadable(&self, path: &[u8]) -> bool {
        let parent = RelPath::from_stored(path.to_vec()).split().map(|(parent, _)| parent);
        parent.is_some_and(|parent| matches!(self.shared.root.directory(parent.as_bytes()), Err(Errno::ACCESS)))
    }
}
