//! Counts ahead: how many files and bytes a tree holds, by names and sizes only, for an estimate or a first progress bar.

use super::filter::Filter;
use super::listing::{EntryKind, Listing, Look};
use super::root::{OwnFiles, Root};

/// What a tree holds, as far as it could be listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub files: u64,
    pub bytes: u64,
    /// Directories, the root included: as many as a watcher would need watches.
    pub directories: u64,
    /// Directories that could not be listed.
    pub unreadable: u64,
}

/// Counts everything below `root`, telling `report` after each directory; stops when it answers `false`.
pub fn count(root: &Root, filter: &Filter, own: &OwnFiles, mut report: impl FnMut(&Counted) -> bool) -> Counted {
    let mut counted = Counted::default();
    let mut listing = Listing::default();
    let mut waiting: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let Ok(directory) = root.directory(&path) else {
            counted.unreadable += 1;
            continue;
        };
        let crosses = directory.is_mount_point && !path.is_empty() && filter.one_file_system;
        if crosses || own.contains(directory.device, directory.stamp.inode) {
            continue;
        }
        counted.directories += 1;
        if listing.read(&directory, &path, filter, own, Look::Now).is_err() {
            counted.unreadable += 1;
        }
        for entry in listing.entries() {
            match entry.kind {
                EntryKind::Directory => waiting.push(crate::domain::path::join(&path, listing.name(entry))),
                EntryKind::File | EntryKind::Symlink => {
                    counted.files += 1;
                    counted.bytes += entry.stamp.size_bytes.max(0) as u64;
                }
                EntryKind::Unknown(_) | EntryKind::Unseen => {}
            }
        }
        if !report(&counted) {
            break;
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Selection;

    #[test]
    fn a_tree_is_counted_as_find_would() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
        std::fs::write(temp.path().join("a/b/f"), b"12345").unwrap();
        std::fs::write(temp.path().join("g"), b"1").unwrap();
        std::os::unix::fs::symlink("..", temp.path().join("a/loop")).unwrap();
        let root = Root::open(temp.path()).unwrap();
        let filter = Filter::new(&Selection::default()).unwrap();
        let counted = count(&root, &filter, &OwnFiles::default(), |_| true);
        assert_eq!((counted.files, counted.bytes, counted.directories, counted.unreadable), (3, 8, 3, 0));
        assert_eq!(count(&root, &filter, &OwnFiles::find(temp.path()), |_| true).files, 0);
    }
}
