//! The mounts that a run found at its start: what lies below a missing or exchanged one is not looked at.
//!
//! The mount point itself is held when it is met. But in most runs every known directory comes by itself, and the same
//! path may well exist on another disk, or below the place where one was mounted.

use super::shared::Shared;
use crate::disk::{Directory, Identity, Root};
use crate::domain::path::RelPath;
use crate::index::KnownDirectory;

/// One mount, the root's among them.
#[derive(Clone, Debug)]
struct Mount {
    path: RelPath,
    /// `None`: it is not the one that was recorded.
    id: Option<u64>,
}

/// The mounts of a repository, as recorded and as they are now.
#[derive(Clone, Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Compares the recorded mounts with what is there.
    pub fn look(root: &Root, recorded: Vec<KnownDirectory>) -> Mounts {
        let id_of_root = root.directory(b"").map_or(0, |directory| directory.mount_id);
        let mut mounts = vec![Mount { path: RelPath::root(), id: Some(id_of_root) }];
        for known in recorded {
            let before = known.mount.as_deref().and_then(Identity::parse);
            let now = root.directory(&known.path).ok().filter(|directory| directory.is_mount_point);
            let id = now.and_then(|directory| {
                let is_same =
                    before.is_some_and(|before| directory.identity().is_ok_and(|now| before.is_same_place(&now)));
                is_same.then_some(directory.mount_id)
            });
            mounts.push(Mount { path: RelPath::from_stored(known.path), id });
        }
        Mounts(mounts)
    }

    /// Tells whether a directory is where it was recorded: on the mount that covers its path.
    fn is_in_place(&self, path: &[u8], directory: &Directory) -> bool {
        let above = self.0.iter().filter(|mount| mount.path.covers(path) && mount.path.as_bytes() != path);
        match above.max_by_key(|mount| mount.path.as_bytes().len()) {
            Some(mount) => mount.id == Some(directory.mount_id) || mount.id == Some(0),
            None => true,
        }
    }
}

impl Shared {
    /// Tells whether a directory that comes by itself lies below a mount that is not the recorded one.
    pub fn is_below_other_mount(&self, path: &[u8], directory: &Directory) -> bool {
        // A mount point is met by its own check; what is mounted in it is new and comes with it.
        !self.adopts_mounts && !directory.is_mount_point && !self.mounts.is_in_place(path, directory)
    }
}
