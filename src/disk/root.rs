//! The root of a repository and the directories below it: opening them safely, and telling one file system from another.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags, fstatfs, fstatvfs, open, openat,
    openat2, statx,
};
use rustix::io::Errno;

use crate::domain::record::Stamp;

/// What `statx` is asked for: all that a change key and a mount check need.
pub(super) const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Paths longer than this are opened in parts: the kernel takes 4,096 bytes at a time.
const LONGEST_STEP: usize = 4_000;

/// Why a root cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    #[error("{} does not exist", shown(.0))]
    Missing(PathBuf),
    #[error("{} is no directory", shown(.0))]
    NotADirectory(PathBuf),
    #[error("{} cannot be opened: {}", shown(.0), .1)]
    Unreadable(PathBuf, Errno),
}

fn shown(path: &Path) -> String {
    crate::domain::show::show(path.as_os_str().as_bytes())
}

/// An open root directory.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// An open directory below a root (or the root), with what `statx` said when it was opened.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    pub stamp: Stamp,
    pub device: u64,
    /// Which mount it was reached by; 0 on kernels that do not tell (before 5.8).
    pub mount_id: u64,
    pub is_mount_point: bool,
}

/// Which directory on which file system something is: survives reboots, differs for anything mounted in its place.
///
/// A file system counts as the same if its id is the same or if the very directory is (inode and birth time): device
/// numbers, from which some file systems make their id, change when disks are plugged in another order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    kind: u64,
    id: u64,
    inode: i64,
    born_ns: i64,
    is_mount_point: bool,
}

impl Identity {
    /// Writes the identity as it is stored.
    pub fn to_text(&self) -> String {
        let mounted = if self.is_mount_point { "mount" } else { "plain" };
        format!("{:x}-{:x}-{}-{}-{mounted}", self.kind, self.id, self.inode, self.born_ns)
    }

    /// Reads a stored identity; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Identity> {
        let mut parts = text.splitn(5, '-');
        Some(Identity {
            kind: u64::from_str_radix(parts.next()?, 16).ok()?,
            id: u64::from_str_radix(parts.next()?, 16).ok()?,
            inode: parts.next()?.parse().ok()?,
            born_ns: parts.next()?.parse().ok()?,
            is_mount_point: parts.next()? == "mount",
        })
    }

    /// Tells whether what is here now is still on the file system that was here when `self` was written down.
    pub fn is_same_place(&self, now: &Identity) -> bool {
        /// ext2 to ext4 and btrfs make their id from a UUID: it is the same wherever the disk is plugged in.
        const STABLE: [u64; 2] = [0xef53, 0x9123_683e];
        let same_directory = self.inode == now.inode && self.born_ns == now.born_ns;
        if self.kind != now.kind {
            return false;
        }
        if same_directory && self.born_ns != 0 && (self.id == now.id || !STABLE.contains(&self.kind)) {
            return true;
        }
        // A plain directory that became a mount point (or the other way round) is another place, even when a bind mount
        // shows a directory of the same file system there.
        self.is_mount_point == now.is_mount_point && self.id == now.id && (self.id != 0 || same_directory)
    }
}

impl Root {
    /// Opens a root directory. A symlink on the way is followed: the person named it.
    ///
    /// # Errors
    /// When it is missing, no directory, or cannot be opened.
    pub fn open(path: &Path) -> Result<Root, RootError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Root { fd, path: path.to_owned() }),
            Err(Errno::NOENT) => Err(RootError::Missing(path.to_owned())),
            Err(Errno::NOTDIR) => Err(RootError::NotADirectory(path.to_owned())),
            Err(errno) => Err(RootError::Unreadable(path.to_owned(), errno)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the root anew by its path and tells which directory stands there now.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn identity_now(path: &Path) -> Result<Identity, RootError> {
        let root = Root::open(path)?;
        let fail = |errno| RootError::Unreadable(path.to_owned(), errno);
        root.directory(b"").and_then(|directory| directory.identity()).map_err(fail)
    }

    /// Opens a directory below the root; `b""` is the root itself. Follows no symlink.
    ///
    /// # Errors
    /// The operating system's; `ELOOP` or `ENOTDIR` when a part is a symlink.
    pub fn directory(&self, path: &[u8]) -> Result<Directory, Errno> {
        if path.len() <= LONGEST_STEP {
            return Directory::from_fd(open_beneath(self.fd.as_fd(), path)?);
        }
        let mut rest = path;
        let mut at: Option<OwnedFd> = None;
        while !rest.is_empty() {
            let end = match rest.len() {
                0..=LONGEST_STEP => rest.len(),
                _ => rest[..LONGEST_STEP].iter().rposition(|byte| *byte == b'/').ok_or(Errno::NAMETOOLONG)?,
            };
            let from = at.as_ref().map_or(self.fd.as_fd(), |fd| fd.as_fd());
            at = Some(open_beneath(from, &rest[..end])?);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        Directory::from_fd(at.ok_or(Errno::NOENT)?)
    }
}

fn open_beneath(from: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let base = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let attempt = |flags: OFlags| match openat2(from, path, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and some sandboxes.
        Err(Errno::NOSYS | Errno::PERM) if flags.contains(OFlags::NOATIME) => Err(Errno::PERM),
        Err(Errno::NOSYS) => openat(from, path, flags, Mode::empty()),
        result => result,
    };
    // Reading a directory would move its access time; only its owner may ask the kernel not to.
    match attempt(base | OFlags::NOATIME) {
        Err(Errno::PERM) => attempt(base),
        result => result,
    }
}

impl Directory {
    fn from_fd(fd: OwnedFd) -> Result<Directory, Errno> {
        let found = statx(&fd, "", AtFlags::EMPTY_PATH, WANTED | StatxFlags::MNT_ID)?;
        let tells_mount = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
        Ok(Directory {
            fd,
            stamp: stamp_of(&found),
            device: device_of(&found),
            mount_id: if tells_mount { found.stx_mnt_id } else { 0 },
            is_mount_point: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })
    }

    /// Takes its stamp anew.
    ///
    /// # Errors
    /// The operating system's.
    pub fn stat_again(&mut self) -> Result<(), Errno> {
        self.stamp = stamp_of(&statx(&self.fd, "", AtFlags::EMPTY_PATH, WANTED)?);
        Ok(())
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Returns which directory on which file system this is.
    ///
    /// # Errors
    /// The operating system's.
    pub fn identity(&self) -> Result<Identity, Errno> {
        let fs = fstatfs(&self.fd)?;
        let id = fstatvfs(&self.fd)?.f_fsid;
        Ok(Identity {
            kind: fs.f_type as u64 & 0xffff_ffff,
            id,
            inode: self.stamp.inode,
            born_ns: self.stamp.born_ns,
            is_mount_point: self.is_mount_point,
        })
    }

    /// Returns whether a file system is reached over a network, through FUSE, or keeps no local truth about times.
    ///
    /// # Errors
    /// The operating system's.
    pub fn is_remote(&self) -> Result<bool, Errno> {
        const REMOTE: [u64; 7] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b, 0x0102_1997, 0x6573_5546, 0x00c3_6400];
        fstatfs(&self.fd).map(|fs| REMOTE.contains(&(fs.f_type as u64 & 0xffff_ffff)))
    }
}

/// Turns what `statx` said into a stamp.
pub(super) fn stamp_of(found: &Statx) -> Stamp {
    let nanos = |seconds: i64, nanos: u32| seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos));
    let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    Stamp {
        size_bytes: i64::try_from(found.stx_size).unwrap_or(i64::MAX),
        mtime_ns: nanos(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        ctime_ns: nanos(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
        inode: found.stx_ino as i64,
        born_ns: if has_birth { nanos(found.stx_btime.tv_sec, found.stx_btime.tv_nsec) } else { 0 },
    }
}

pub(super) fn device_of(found: &Statx) -> u64 {
    (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor)
}

/// Our own files (data directory, database, log), by device and inode: never listed, never opened (invariant 11).
#[derive(Clone, Debug, Default)]
pub struct OwnFiles(Vec<(u64, i64)>);

impl OwnFiles {
    /// Looks up the data directory and what is in it. SQLite re-creates some of its files, so ask anew for each run.
    pub fn find(data_directory: &Path) -> OwnFiles {
        let mut own = OwnFiles::default();
        own.add(data_directory);
        for entry in std::fs::read_dir(data_directory).into_iter().flatten().flatten() {
            own.add(&entry.path());
        }
        own
    }

    fn add(&mut self, path: &Path) {
        if let Ok(found) = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, WANTED) {
            self.0.push((device_of(&found), found.stx_ino as i64));
        }
    }

    pub fn contains(&self, device: u64, inode: i64) -> bool {
        self.0.contains(&(device, inode))
    }

    /// Tells whether a file of this number, on whatever device, may be one of them.
    pub fn has_inode(&self, inode: i64) -> bool {
        self.0.iter().any(|(_, own)| *own == inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { kind: 0xef53, id: 77, inode: 2, born_ns: 5, is_mount_point: true }
    }

    #[test]
    fn another_file_system_or_a_missing_mount_is_another_place() {
        let here = identity();
        assert_eq!(Identity::parse(&here.to_text()), Some(here.clone()));
        let bound_over = Identity { inode: 9, born_ns: 9, is_mount_point: true, ..identity() };
        for (now, same) in [
            (identity(), true),
            (Identity { id: 78, ..identity() }, false),
            (Identity { inode: 9, born_ns: 9, ..identity() }, true),
            (Identity { id: 78, inode: 9, born_ns: 9, ..identity() }, false),
            (Identity { kind: 1, ..identity() }, false),
            (Identity { inode: 9, born_ns: 9, is_mount_point: false, ..identity() }, false),
        ] {
            assert_eq!(here.is_same_place(&now), same, "{now:?}");
        }
        let xfs = Identity { kind: 0x5846_5342, ..identity() };
        assert!(xfs.is_same_place(&Identity { id: 78, ..xfs.clone() }), "its id is a device number");
        let plain = Identity { is_mount_point: false, ..identity() };
        assert!(!plain.is_same_place(&bound_over));
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_is_opened_in_parts() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root::open(temp.path()).unwrap();
        let part = [b'd'; 200];
        let mut path = Vec::new();
        let mut at = open_beneath(root.fd.as_fd(), b"").unwrap();
        for _ in 0..40 {
            rustix::fs::mkdirat(&at, &part[..], Mode::RWXU).unwrap();
            at = open_beneath(at.as_fd(), &part).unwrap();
            path = crate::domain::path::join(&path, &part);
        }
        assert_eq!(root.directory(&path).unwrap().stamp.inode, Directory::from_fd(at).unwrap().stamp.inode);
        std::os::unix::fs::symlink("/", temp.path().join("link")).unwrap();
        assert!(root.directory(b"link").is_err());
        assert!(root.directory(b"link/etc").is_err());
    }
}
