//! What the machine has left: inotify watches, space for the index.

use std::path::Path;

/// Inotify watches of this user, as far as `/proc` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watches {
    pub limit: u64,
    pub used: u64,
}

/// Returns the watches of this user; `None` where the system does not tell.
pub fn watches() -> Option<Watches> {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?.trim().parse().ok()?;
    let mut used = 0;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        for descriptor in std::fs::read_dir(process.path().join("fdinfo")).into_iter().flatten().flatten() {
            // Most are not ours to read; those of other users do not count against our limit.
            let text = std::fs::read_to_string(descriptor.path()).unwrap_or_default();
            used += text.lines().filter(|line| line.starts_with("inotify wd:")).count() as u64;
        }
    }
    Some(Watches { limit, used })
}

/// Returns the bytes that this user may still write to the file system of a path.
pub fn free_bytes(path: &Path) -> Option<u64> {
    crate::disk::free_bytes(path).ok()
}
