//! Lists one directory: names, types and stamps of what belongs to the repository, sorted by name.

use std::mem::MaybeUninit;

use rustix::fs::{AtFlags, FileType as DiskType, RawDir, Statx, statx};
use rustix::io::Errno;

use super::filter::{Filter, LeftOut, LeftOutCounts};
use super::root::{Directory, OwnFiles, WANTED, device_of, stamp_of};
use crate::domain::record::Stamp;

/// What the kernel hands over at once; with 64 KiB names come at 3 million a second, with 4 KiB at half of that.
const LISTING_BUFFER_BYTES: usize = 64 * 1024;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Symlink,
    Directory,
    /// It is there, but `stat` failed on it: nothing may be concluded from it.
    Unknown(Errno),
    /// A regular file, as its directory says; nobody has looked at it.
    Unseen,
}

/// When regular files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Now,
    /// When they are read. The first one is looked at all the same: it tells whether the directory can be searched.
    Later,
}

/// One entry; its name stands in the listing.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    name_start: u32,
    name_length: u16,
    pub kind: EntryKind,
    /// More than one name leads to this file.
    pub is_linked: bool,
    /// Empty for directories, whose own opening tells it, and for what is unseen.
    pub stamp: Stamp,
}

/// The content of one directory. Kept and filled again, so that a scan allocates for the largest directory only.
#[derive(Debug, Default)]
pub struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
    buffer: Vec<MaybeUninit<u8>>,
    pub left_out: LeftOutCounts,
}

impl Listing {
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.name_start as usize;
        &self.names[start..start + usize::from(entry.name_length)]
    }

    /// Reads `directory`, whose path is `path`, to its end.
    ///
    /// # Errors
    /// When it cannot be read to its end, or nothing in it may be looked at: then nothing may be concluded from it
    /// (invariant 2), and the listing is empty.
    pub fn read(
        &mut self,
        directory: &Directory,
        path: &[u8],
        filter: &Filter,
        own: &OwnFiles,
        look: Look,
    ) -> Result<(), Errno> {
        self.names.clear();
        self.entries.clear();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(LISTING_BUFFER_BYTES, MaybeUninit::uninit());
        let result = self.fill(directory, path, filter, own, look, &mut buffer);
        self.buffer = buffer;
        if result.is_err() {
            self.names.clear();
            self.entries.clear();
            return result;
        }
        let names = &self.names;
        let name = |entry: &Entry| &names[entry.name_start as usize..][..usize::from(entry.name_length)];
        self.entries.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        // A directory that is written to while it is read may show a name twice.
        self.entries.dedup_by(|a, b| name(a) == name(b));
        // One huge directory must not pin its memory for the rest of the run.
        if self.names.capacity() > 4 << 20 && self.names.len() < 1 << 20 {
            self.names.shrink_to(1 << 20);
            self.entries.shrink_to(1 << 14);
        }
        Ok(())
    }

    /// Looks up only these names of `directory`, whose path is `path`, each at most once and in order.
    ///
    /// # Errors
    /// As [`Listing::read`].
    pub fn look_up(
        &mut self,
        directory: &Directory,
        path: &[u8],
        names: &[Vec<u8>],
        filter: &Filter,
        own: &OwnFiles,
    ) -> Result<(), Errno> {
        self.names.clear();
        self.entries.clear();
        for name in names {
            match statx(directory.fd(), &name[..], AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED) {
                Ok(found) => {
                    let is_directory = DiskType::from_raw_mode(found.stx_mode.into()) == DiskType::Directory;
                    match filter.leaves_out(path, name, is_directory) {
                        Some(rule) => self.left_out.count(rule),
                        None => self.push_found(name, &found, own, |_| None),
                    }
                }
                Err(Errno::NOENT) => {}
                Err(Errno::ACCESS) => {
                    self.names.clear();
                    self.entries.clear();
                    return Err(Errno::ACCESS);
                }
                Err(errno) => self.push(name, EntryKind::Unknown(errno), Stamp::default(), false),
            }
        }
        Ok(())
    }

    fn fill(
        &mut self,
        directory: &Directory,
        path: &[u8],
        filter: &Filter,
        own: &OwnFiles,
        look: Look,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Result<(), Errno> {
        let mut is_searchable = false;
        let mut reader = RawDir::new(directory.fd(), buffer);
        while let Some(entry) = reader.next() {
            let entry = entry?;
            let name = entry.file_name();
            let bytes = name.to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            let listed_as_directory = entry.file_type() == DiskType::Directory;
            if let Some(rule) = filter.leaves_out(path, bytes, listed_as_directory) {
                // On file systems that tell no types this may be a directory: then the rule is asked again below.
                if entry.file_type() != DiskType::Unknown || rule != LeftOut::NotIncluded {
                    self.left_out.count(rule);
                    continue;
                }
            }
            if listed_as_directory {
                self.push(bytes, EntryKind::Directory, Stamp::default(), false);
                continue;
            }
            let can_wait = look == Look::Later && is_searchable && entry.file_type() == DiskType::RegularFile;
            if can_wait && !own.has_inode(entry.ino() as i64) {
                self.push(bytes, EntryKind::Unseen, Stamp::default(), false);
                continue;
            }
            match statx(directory.fd(), name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED) {
                Ok(found) => {
                    is_searchable = true;
                    let untyped = entry.file_type() == DiskType::Unknown;
                    self.push_found(bytes, &found, own, |is_directory| {
                        if untyped { filter.leaves_out(path, bytes, is_directory) } else { None }
                    });
                }
                // Gone since it was listed: as if never listed. Its directory's stamp has moved, and tells.
                Err(Errno::NOENT) => {}
                // Readable but not searchable: nothing in here can be looked at.
                Err(Errno::ACCESS) => return Err(Errno::ACCESS),
                Err(errno) => self.push(bytes, EntryKind::Unknown(errno), Stamp::default(), false),
            }
        }
        Ok(())
    }

    fn push_found(&mut self, name: &[u8], found: &Statx, own: &OwnFiles, ask_again: impl Fn(bool) -> Option<LeftOut>) {
        let stamp = stamp_of(found);
        if own.contains(device_of(found), stamp.inode) {
            return self.left_out.count(LeftOut::OwnFiles);
        }
        let kind = match DiskType::from_raw_mode(found.stx_mode.into()) {
            DiskType::RegularFile => EntryKind::File,
            DiskType::Symlink => EntryKind::Symlink,
            DiskType::Directory => EntryKind::Directory,
            _ => return self.left_out.count(LeftOut::Special),
        };
        match ask_again(kind == EntryKind::Directory) {
            Some(rule) => self.left_out.count(rule),
            None => self.push(name, kind, stamp, found.stx_nlink > 1),
        }
    }

    fn push(&mut self, name: &[u8], kind: EntryKind, stamp: Stamp, is_linked: bool) {
        let name_start = u32::try_from(self.names.len()).expect("one directory's names stay below 4 GiB");
        let name_length = u16::try_from(name.len()).expect("a name has at most 255 bytes");
        self.names.extend_from_slice(name);
        self.entries.push(Entry { name_start, name_length, kind, is_linked, stamp });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Root;
    use crate::domain::repository::Selection;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn list(path: &std::path::Path) -> (Vec<(Vec<u8>, EntryKind)>, Listing) {
        let root = Root::open(path).unwrap();
        let filter = Filter::new(&Selection::default()).unwrap();
        let mut listing = Listing::default();
        listing.read(&root.directory(b"").unwrap(), b"", &filter, &OwnFiles::default(), Look::Now).unwrap();
        (listing.entries().iter().map(|entry| (listing.name(entry).to_vec(), entry.kind)).collect(), listing)
    }

    #[test]
    fn hostile_names_come_sorted_by_bytes_and_special_files_are_left_out() {
        let temp = tempfile::tempdir().unwrap();
        for name in [&b"b\xff\xfe"[..], b"a b", b"a\x1b[31m", b"a\nb", b"-rf"] {
            fs::write(temp.path().join(OsStr::from_bytes(name)), b"x").unwrap();
        }
        fs::create_dir(temp.path().join("a")).unwrap();
        symlink("nowhere", temp.path().join("link")).unwrap();
        let fifo =
            rustix::fs::mknodat(rustix::fs::CWD, temp.path().join("pipe"), DiskType::Fifo, rustix::fs::Mode::RUSR, 0);
        fifo.unwrap();
        let (entries, listing) = list(temp.path());
        let expected: [(&[u8], EntryKind); 7] = [
            (b"-rf", EntryKind::File),
            (b"a", EntryKind::Directory),
            (b"a\nb", EntryKind::File),
            (b"a\x1b[31m", EntryKind::File),
            (b"a b", EntryKind::File),
            (b"b\xff\xfe", EntryKind::File),
            (b"link", EntryKind::Symlink),
        ];
        let mut expected = expected.map(|(name, kind)| (name.to_vec(), kind)).to_vec();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(entries, expected);
        let mut counts = LeftOutCounts::default();
        counts.count(LeftOut::Special);
        assert_eq!(listing.left_out, counts);
    }

    #[test]
    fn stamps_are_those_of_the_files() {
        use std::os::unix::fs::MetadataExt;
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("f");
        fs::write(&file, b"hello").unwrap();
        let before_1970 = std::time::UNIX_EPOCH - std::time::Duration::new(1000, 5);
        fs::File::options().write(true).open(&file).unwrap().set_modified(before_1970).unwrap();
        let (_, listing) = list(temp.path());
        let stamp = listing.entries()[0].stamp;
        let found = fs::metadata(&file).unwrap();
        assert_eq!((stamp.size_bytes, stamp.inode as u64), (5, found.ino()));
        assert_eq!(stamp.mtime_ns, -1_000_000_000_005);
    }
}
