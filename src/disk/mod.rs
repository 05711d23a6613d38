//! The watched trees, read-only: list one directory, decide what belongs, hash a file, watch a tree. Never writes to a tree (invariant 9).
//!
//! Everything is reached relative to a descriptor of the root and never through a symlink, so that a directory that is
//! swapped for a link in the middle of a run leads nowhere. Knows nothing of the index.

mod complete;
mod confine;
mod count;
mod filter;
mod hash;
mod kernel;
mod listing;
mod mount;
mod root;
pub mod watch;

pub use complete::directories_in;
pub use confine::{ConfineError, confine_thread};
pub use count::{Counted, count};
pub use filter::{Filter, FilterError, LeftOut, LeftOutCounts, PathPattern};
pub use hash::{CHECKPOINT_BYTES, FileReader, Hashed, ReadError, ResumePoint, Watch, hash_bytes};
pub use kernel::is_made_up;
pub use listing::{Entry, EntryKind, Listing, Look};
pub use root::{Directory, Identity, OwnFiles, Root, RootError};

use crate::domain::problem::Class;
use rustix::io::Errno;

/// Returns the bytes that an ordinary user may still write to the file system of a path.
///
/// # Errors
/// The operating system's.
pub fn free_bytes(path: &std::path::Path) -> Result<u64, Errno> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns the number of the rotating disk that a path is on; `None` for anything else, or when nobody can tell.
///
/// Asks the table of mounts and not the path itself: on a dead mount that would wait for ever.
pub fn rotating_disk(path: &std::path::Path) -> Option<u64> {
    let (major, minor) = mount::device_of(&std::fs::read("/proc/self/mountinfo").ok()?, path)?;
    let device = std::fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    // A partition's queue is that of the disk above it.
    let disk = [Some(device.as_path()), device.parent()].into_iter().flatten().find(|at| at.join("queue").is_dir())?;
    // A paravirtual disk calls itself rotating whatever lies below it.
    if disk.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"virtio")) {
        return None;
    }
    let read = |name: &str| std::fs::read_to_string(disk.join(name)).ok();
    if read("queue/rotational")?.trim() != "1" {
        return None;
    }
    let (major, minor) = read("dev")?.trim().split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    Some((major.parse::<u64>().ok()? << 32) | minor.parse::<u64>().ok()?)
}

/// Returns the class that an operating system's error belongs to.
pub fn class_of(errno: Errno) -> Class {
    match errno {
        Errno::ACCESS | Errno::PERM => Class::Permission,
        Errno::NOENT | Errno::NOTDIR => Class::NotFound,
        Errno::NOSPC | Errno::DQUOT => Class::DeviceFull,
        Errno::TIMEDOUT => Class::Timeout,
        _ => Class::Io,
    }
}
