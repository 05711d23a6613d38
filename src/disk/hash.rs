//! Reads a file's content and hashes it, so that the hash belongs to one state of the file and never to a mixture of two.

use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use rustix::fs::{Advice, AtFlags, Mode, OFlags, fadvise, openat, statx};
use rustix::io::Errno;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256 as Hasher};

use super::root::{Directory, OwnFiles, WANTED, device_of, stamp_of};
use crate::domain::record::{Sha256, Stamp};

/// One buffer serves small and large files: with SHA-256 instructions, larger ones gain nothing (the CPU is the limit),
/// and each worker has one.
const READ_BYTES: usize = 256 * 1024;
/// What a first sight reads; of a file that is larger this was in vain, at a hundredth of what hashing it takes.
const GLANCE_BYTES: usize = 64 * 1024;
/// From this size on the kernel is told that the file is read from start to end.
const SEQUENTIAL_FROM_BYTES: i64 = 4 << 20;
/// A file over this size keeps its hash state every so many bytes, and goes on from there after it was cut off.
pub const CHECKPOINT_BYTES: u64 = 1 << 30;
const CHECKPOINT_EVERY_BYTES: u64 = 256 << 20;
/// How often a file that changes while it is read is tried.
const TRIES: usize = 3;

/// Where a cut-off hash goes on: the bytes done, and the state of the hash after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    pub stamp: Stamp,
    pub offset_bytes: u64,
    pub state: Vec<u8>,
}

/// A hash and the state of the file that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    pub sha256: Sha256,
    /// Equal before and after the reading.
    pub stamp: Stamp,
}

/// Why a file has no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Gone, or no regular file any more, since its directory was listed.
    Vanished,
    /// It changed each time it was read.
    Unstable,
    Cancelled,
    Failed(Errno),
}

/// What the reader reports while it reads.
pub trait Watch {
    /// Is told of bytes as they are read; `false` stops the reading.
    fn bytes_read(&mut self, bytes: u64) -> bool;
    /// Is given a point to go on from, in files over [`CHECKPOINT_BYTES`]; also when it has stopped the reading.
    fn checkpoint(&mut self, point: ResumePoint);
    /// Is asked before another try; `false` stops.
    fn may_retry(&mut self) -> bool;
}

/// Reads files, one after the other, through one buffer.
#[derive(Debug)]
pub struct FileReader {
    buffer: Vec<u8>,
}

impl Default for FileReader {
    fn default() -> Self {
        FileReader { buffer: vec![0; READ_BYTES] }
    }
}

impl FileReader {
    /// Hashes the file `name` in `directory`, which had the stamp `listed` a moment ago.
    ///
    /// The first try trusts that stamp as the state before the reading, which saves a call per file; if the file is in
    /// another state afterwards, later tries ask on both sides. `from_disk` lets the kernel forget the file's clean pages
    /// first: a verify out of the page cache would prove the memory, not the disk.
    ///
    /// # Errors
    /// See [`ReadError`]; nothing is known of the content then.
    pub fn hash(
        &mut self,
        directory: &Directory,
        name: &[u8],
        listed: &Stamp,
        from_disk: bool,
        resume: Option<ResumePoint>,
        watch: &mut dyn Watch,
    ) -> Result<Hashed, ReadError> {
        let mut resume = resume.filter(|point| point.stamp == *listed);
        for attempt in 0..TRIES {
            if attempt > 0 && !watch.may_retry() {
                return Err(ReadError::Cancelled);
            }
            let fd = open_regular(directory, name)?;
            let before = if attempt == 0 { *listed } else { stamp_of(&stat(&fd)?) };
            if from_disk {
                // Advice: where it is not taken, the read comes from memory, as it would have without it.
                let _advice = fadvise(&fd, 0, None, Advice::DontNeed);
            }
            let (sha256, length) = self.digest(&fd, &before, resume.take(), watch)?;
            let after = stat(&fd)?;
            if !rustix::fs::FileType::from_raw_mode(after.stx_mode.into()).is_file() {
                return Err(ReadError::Vanished);
            }
            let stamp = stamp_of(&after);
            if stamp == before && length == before.size_bytes as u64 {
                return Ok(Hashed { sha256, stamp });
            }
        }
        Err(ReadError::Unstable)
    }

    /// Hashes a small file that nobody has looked at, if its name is its only one and it stands still.
    ///
    /// What it is gets asked only after the reading, which began at `started_ns`: times that are older, by more than
    /// kernels are inexact, say that nobody wrote meanwhile. `None` when that does not hold, or for whatever else there is
    /// to tell: then it is to be looked at as others are. Not for file systems that another machine stamps.
    pub fn glance(&mut self, directory: &Directory, name: &[u8], own: &OwnFiles, started_ns: i64) -> Option<Hashed> {
        let fd = open_regular(directory, name).ok()?;
        let read = rustix::io::pread(&fd, &mut self.buffer[..GLANCE_BYTES], 0).ok()?;
        let found = stat(&fd).ok()?;
        let stamp = stamp_of(&found);
        if own.contains(device_of(&found), stamp.inode) {
            // Ours after all, mounted over another name. Closing it would drop SQLite's locks (invariant 11), so it stays open.
            let _kept = fd.into_raw_fd();
            return None;
        }
        let is_alone = found.stx_nlink == 1;
        let is_file = rustix::fs::FileType::from_raw_mode(found.stx_mode.into()).is_file();
        let is_whole = read < GLANCE_BYTES && read as i64 == stamp.size_bytes;
        let stood_still = !stamp.is_racy(started_ns);
        (is_file && is_alone && is_whole && stood_still)
            .then(|| Hashed { sha256: hash_bytes(&self.buffer[..read]), stamp })
    }

    /// Returns the hash of what the descriptor gives, at most one byte more than the file should have.
    fn digest(
        &mut self,
        fd: &OwnedFd,
        before: &Stamp,
        resume: Option<ResumePoint>,
        watch: &mut dyn Watch,
    ) -> Result<(Sha256, u64), ReadError> {
        let size = before.size_bytes.max(0) as u64;
        if before.size_bytes >= SEQUENTIAL_FROM_BYTES {
            let _advice = fadvise(fd, 0, None, Advice::Sequential);
        }
        let (mut hasher, mut offset) = match resume.and_then(|point| Some((restore(&point.state)?, point.offset_bytes)))
        {
            Some((hasher, offset)) if offset <= size => (hasher, offset),
            _ => (Hasher::new(), 0),
        };
        let mut next_checkpoint = offset + CHECKPOINT_EVERY_BYTES;
        loop {
            let read = match rustix::io::pread(fd, &mut self.buffer[..], offset) {
                Ok(0) => break,
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                // Some other kind of file was put in its place.
                Err(Errno::ISDIR | Errno::SPIPE | Errno::AGAIN) => return Err(ReadError::Vanished),
                Err(errno) => return Err(ReadError::Failed(errno)),
            };
            hasher.update(&self.buffer[..read]);
            offset += read as u64;
            let reached = |hasher| ResumePoint { stamp: *before, offset_bytes: offset, state: save(hasher) };
            if !watch.bytes_read(read as u64) {
                if size > CHECKPOINT_BYTES {
                    watch.checkpoint(reached(&hasher));
                }
                return Err(ReadError::Cancelled);
            }
            // A file that grows without pause is not followed; and a small one needs no second call to find its end.
            if offset > size || (offset == size && read < READ_BYTES) {
                break;
            }
            if size > CHECKPOINT_BYTES && offset >= next_checkpoint {
                next_checkpoint = offset + CHECKPOINT_EVERY_BYTES;
                watch.checkpoint(reached(&hasher));
            }
        }
        Ok((hasher.finalize().into(), offset))
    }
}

/// Returns the SHA-256 of bytes in memory.
pub fn hash_bytes(bytes: &[u8]) -> Sha256 {
    Hasher::digest(bytes).into()
}

fn open_regular(directory: &Directory, name: &[u8]) -> Result<OwnedFd, ReadError> {
    // NONBLOCK: a FIFO that took the file's place must not block. NOATIME is allowed to the owner only.
    let base = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match openat(directory.fd(), name, base | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(directory.fd(), name, base, Mode::empty()),
        result => result,
    };
    opened.map_err(|errno| match errno {
        Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ISDIR => ReadError::Vanished,
        errno => ReadError::Failed(errno),
    })
}

fn stat(fd: &OwnedFd) -> Result<rustix::fs::Statx, ReadError> {
    statx(fd.as_fd(), "", AtFlags::EMPTY_PATH, WANTED).map_err(ReadError::Failed)
}

fn save(hasher: &Hasher) -> Vec<u8> {
    hasher.serialize().to_vec()
}

fn restore(state: &[u8]) -> Option<Hasher> {
    let state = SerializedState::<Hasher>::try_from(state).ok()?;
    Hasher::deserialize(&state).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Filter, Listing, Look, Root};
    use crate::domain::repository::Selection;
    use std::fs;
    use std::path::Path;

    #[derive(Default)]
    struct Notes {
        bytes: u64,
        stop_after: Option<u64>,
        points: Vec<ResumePoint>,
    }

    impl Watch for Notes {
        fn bytes_read(&mut self, bytes: u64) -> bool {
            self.bytes += bytes;
            self.stop_after.is_none_or(|limit| self.bytes < limit)
        }
        fn checkpoint(&mut self, point: ResumePoint) {
            self.points.push(point);
        }
        fn may_retry(&mut self) -> bool {
            true
        }
    }

    fn stamp_of_file(path: &Path) -> (Directory, Stamp) {
        let directory = Root::open(path.parent().unwrap()).unwrap().directory(b"").unwrap();
        let mut listing = Listing::default();
        let filter = Filter::new(&Selection::default()).unwrap();
        listing.read(&directory, b"", &filter, &OwnFiles::default(), Look::Now).unwrap();
        let name = path.file_name().unwrap().as_encoded_bytes();
        let entry = listing.entries().iter().find(|entry| listing.name(entry) == name).unwrap();
        (directory, entry.stamp)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_hash_is_the_one_that_others_compute() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        for (content, expected) in [
            (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            fs::write(&path, content).unwrap();
            let (directory, stamp) = stamp_of_file(&path);
            let hashed = FileReader::default().hash(&directory, b"f", &stamp, true, None, &mut Notes::default());
            assert_eq!(hex(&hashed.unwrap().sha256), expected);
        }
    }

    #[test]
    fn only_a_small_file_that_rests_and_has_one_name_is_taken_at_first_sight() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        let glance = |own: &OwnFiles, later_ns: i64| {
            let directory = Root::open(temp.path()).unwrap().directory(b"").unwrap();
            let started_ns = stamp_of_file(&path).1.newest_ns() + later_ns;
            FileReader::default().glance(&directory, b"f", own, started_ns)
        };
        let long_after = 3_000_000_000;
        for (bytes, is_taken) in [(0, true), (5, true), (GLANCE_BYTES - 1, true), (GLANCE_BYTES, false)] {
            fs::write(&path, vec![9; bytes]).unwrap();
            let hashed = glance(&OwnFiles::default(), long_after);
            assert_eq!(hashed.is_some(), is_taken, "{bytes}");
            let expected = Hashed { sha256: hash_bytes(&vec![9; bytes]), stamp: stamp_of_file(&path).1 };
            assert!(hashed.is_none_or(|hashed| hashed == expected));
        }
        fs::write(&path, b"young").unwrap();
        assert_eq!(glance(&OwnFiles::default(), 1_000), None, "it may still be written");
        assert_eq!(glance(&OwnFiles::find(temp.path()), long_after), None, "it is ours");
        fs::hard_link(&path, temp.path().join("g")).unwrap();
        assert_eq!(glance(&OwnFiles::default(), long_after), None, "it may be known by its other name");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("g", &path).unwrap();
        assert_eq!(glance(&OwnFiles::default(), long_after), None, "a link is not followed");
    }

    #[test]
    fn a_file_that_changed_since_its_listing_gets_the_hash_of_its_new_state() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        fs::write(&path, b"before").unwrap();
        let (directory, stamp) = stamp_of_file(&path);
        fs::write(&path, b"after, and longer").unwrap();
        let hashed = FileReader::default().hash(&directory, b"f", &stamp, false, None, &mut Notes::default()).unwrap();
        assert_eq!(hashed.stamp.size_bytes, 17);
        assert_eq!(hashed.stamp, stamp_of_file(&path).1);
    }

    #[test]
    fn a_file_that_keeps_changing_is_unstable_and_a_missing_one_has_vanished() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        let (directory, stamp) = stamp_of_file(&path);
        struct Grower(std::path::PathBuf);
        impl Watch for Grower {
            fn bytes_read(&mut self, _: u64) -> bool {
                let mut file = fs::File::options().append(true).open(&self.0).unwrap();
                std::io::Write::write_all(&mut file, b"more").unwrap();
                true
            }
            fn checkpoint(&mut self, _: ResumePoint) {}
            fn may_retry(&mut self) -> bool {
                true
            }
        }
        let mut reader = FileReader::default();
        let unstable = reader.hash(&directory, b"f", &stamp, false, None, &mut Grower(path.clone()));
        assert_eq!(unstable, Err(ReadError::Unstable));
        fs::remove_file(&path).unwrap();
        let gone = reader.hash(&directory, b"f", &stamp, false, None, &mut Notes::default());
        assert_eq!(gone, Err(ReadError::Vanished));
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let fifo = reader.hash(&directory, b"f", &stamp, false, None, &mut Notes::default());
        assert_eq!(fifo, Err(ReadError::Vanished));
    }

    #[test]
    fn a_huge_file_gives_its_point_when_it_is_stopped_and_a_small_one_starts_again() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        for (size_bytes, expected) in [(CHECKPOINT_BYTES + 1, Some(READ_BYTES as u64)), (CHECKPOINT_BYTES, None)] {
            fs::File::create(&path).unwrap().set_len(size_bytes).unwrap();
            let (directory, stamp) = stamp_of_file(&path);
            let mut notes = Notes { stop_after: Some(1), ..Notes::default() };
            let cut = FileReader::default().hash(&directory, b"f", &stamp, false, None, &mut notes);
            assert_eq!(cut, Err(ReadError::Cancelled));
            assert_eq!(notes.points.first().map(|point| point.offset_bytes), expected);
        }
    }

    #[test]
    fn a_cut_off_hash_goes_on_where_it_was() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        let content: Vec<u8> = (0..3 * READ_BYTES as u32).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &content).unwrap();
        let (directory, stamp) = stamp_of_file(&path);
        let mut reader = FileReader::default();
        let mut stopped = Notes { stop_after: Some(READ_BYTES as u64), ..Notes::default() };
        let cut = reader.hash(&directory, b"f", &stamp, false, None, &mut stopped);
        assert_eq!(cut, Err(ReadError::Cancelled));
        let mut hasher = Hasher::new();
        hasher.update(&content[..READ_BYTES]);
        let point = ResumePoint { stamp, offset_bytes: READ_BYTES as u64, state: save(&hasher) };
        let mut notes = Notes::default();
        let resumed = reader.hash(&directory, b"f", &stamp, false, Some(point.clone()), &mut notes).unwrap();
        assert_eq!(notes.bytes, 2 * READ_BYTES as u64);
        assert_eq!(resumed.sha256, <[u8; 32]>::from(Hasher::digest(&content)));
        let other_file = ResumePoint { stamp: Stamp { inode: 1, ..stamp }, ..point };
        let mut notes = Notes::default();
        reader.hash(&directory, b"f", &stamp, false, Some(other_file), &mut notes).unwrap();
        assert_eq!(notes.bytes, content.len() as u64, "a point of another file is not used");
    }
}
