//! What the index knows of one file, and when that knowledge may be trusted.

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// So many bits of a recorded digest may have flipped before it counts as another one.
const FLIPPED_BITS_AT_MOST: u32 = 8;

/// Tells in how many bits a recorded digest is not `content`'s, where it can only be the record that has suffered: two
/// contents have digests as close as that once in 2^200. `None`: they are equal, or of different contents.
pub fn flipped_bits(recorded: &Sha256, content: &Sha256) -> Option<u32> {
    let bits = recorded.iter().zip(content).map(|(a, b)| (a ^ b).count_ones()).sum();
    (1..=FLIPPED_BITS_AT_MOST).contains(&bits).then_some(bits)
}

/// What kind of entry a record stands for. Directories have rows of their own; other kinds are not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    File,
    Symlink,
}

impl FileType {
    pub fn as_str(self) -> &'static str {
        match self {
            FileType::File => "file",
            FileType::Symlink => "symlink",
        }
    }
}

/// The change key: what `stat` says of a file. Anything that differs sends us to read the file again.
///
/// Times are nanoseconds since the epoch, held at the ends of the 64-bit range (1677 to 2262), compared for equality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub size_bytes: i64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub inode: i64,
    /// Birth time; 0 where the file system keeps none.
    pub born_ns: i64,
}

impl Stamp {
    /// Tells whether both stamps stand for the same inode: an inode number is reused at once, a birth time is not.
    pub fn is_same_inode(&self, other: &Stamp) -> bool {
        self.inode == other.inode && (self.born_ns == other.born_ns || self.born_ns == 0 || other.born_ns == 0)
    }

    /// Returns the later of both times: when the content or the inode changed last, as far as `stat` tells.
    pub fn newest_ns(&self) -> i64 {
        self.mtime_ns.max(self.ctime_ns)
    }

    /// Tells whether a later write could leave this very stamp behind, if the file was read at `read_started_ns`.
    ///
    /// Invariant 5. A kernel takes file times from a coarse clock that lags by up to a tick (4 to 10 ms), so a write
    /// that follows the read may be stamped a little before it. 100 ms covers a tick and a slow scheduler; where stamps
    /// hold whole seconds only (FAT, old NFS, HFS+), two seconds do. Do not "simplify" this to a comparison with the
    /// last run: the race is between one write and one read.
    pub fn is_racy(&self, read_started_ns: i64) -> bool {
        let whole_seconds = self.ctime_ns % 1_000_000_000 == 0 && self.mtime_ns % 1_000_000_000 == 0;
        let window_ns = if whole_seconds { 2_000_000_000 } else { 100_000_000 };
        self.newest_ns() >= read_started_ns.saturating_sub(window_ns)
    }
}

/// Marks on a record, one bit each; stored as one integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub i64);

impl Flags {
    pub const SYMLINK: Flags = Flags(1);
    /// The stamp is not older than the read that recorded it: read again at the next look (invariant 5).
    pub const RACY: Flags = Flags(2);
    /// Its removal is held by a guard.
    pub const HELD: Flags = Flags(4);
    /// The content on disk is not the recorded one although size and times are.
    pub const DAMAGED: Flags = Flags(8);
    /// The content has not been read yet: it could not be, or its run was cut off.
    pub const UNREAD: Flags = Flags(16);
    /// Added by a run that has not yet decided whether it is a move; its change is not written yet.
    pub const ARRIVAL: Flags = Flags(32);
    /// It had other names when it was last looked at: what is written through one of them is news of all.
    pub const LINKED: Flags = Flags(64);

    pub fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub fn with(self, flag: Flags) -> Flags {
        Flags(self.0 | flag.0)
    }

    pub fn without(self, flag: Flags) -> Flags {
        Flags(self.0 & !flag.0)
    }

    pub fn set(self, flag: Flags, on: bool) -> Flags {
        if on { self.with(flag) } else { self.without(flag) }
    }
}

/// One file as the index knows it, without its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub stamp: Stamp,
    pub sha256: Option<Sha256>,
    pub flags: Flags,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    pub updated_ms: i64,
    /// When the read began that gave `sha256`.
    pub hashed_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_not_older_than_the_read_is_racy() {
        let stamp = |ctime_ns| Stamp { ctime_ns, mtime_ns: 1, ..Stamp::default() };
        let read = 5_000_000_000_123;
        for (ctime_ns, racy) in [
            (read, true),
            (read + 1, true),
            (read - 50_000_000, true),
            (read - 100_000_001, false),
            (i64::MAX, true),
            (0, false),
        ] {
            assert_eq!(stamp(ctime_ns).is_racy(read), racy, "{ctime_ns}");
        }
    }

    #[test]
    fn whole_second_stamps_stay_racy_for_two_seconds() {
        let stamp = Stamp { ctime_ns: 4_000_000_000, mtime_ns: 4_000_000_000, ..Stamp::default() };
        assert!(stamp.is_racy(5_900_000_000));
        assert!(!stamp.is_racy(6_100_000_000));
    }
}
