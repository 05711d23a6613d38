//! Guards: when removals are parked for a person to decide instead of carried out (invariant 2).

/// Why removals are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A large share of the repository's files is gone at once.
    MassRemoval,
    /// The root, or a mounted directory, that held records is empty now.
    Emptied,
    /// A directory that was a mount point is none any more.
    MountMissing,
    /// The root, or a directory with records, is on another file system than before.
    FilesystemChanged,
}

impl Reason {
    pub const ALL: [Reason; 4] =
        [Reason::MassRemoval, Reason::Emptied, Reason::MountMissing, Reason::FilesystemChanged];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::MassRemoval => "mass_removal",
            Reason::Emptied => "emptied",
            Reason::MountMissing => "mount_missing",
            Reason::FilesystemChanged => "filesystem_changed",
        }
    }

    pub fn parse(text: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Returns the reason as a sentence part for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::MassRemoval => "a large share of the files is gone at once",
            Reason::Emptied => "it held files and is empty now",
            Reason::MountMissing => "it was a mount point and nothing is mounted there now",
            Reason::FilesystemChanged => "it is on another file system than before",
        }
    }
}

/// How many removals pass at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// More than this share of all files, and ...
    pub max_removed_percent: u32,
    /// ... more than this many files: held.
    pub max_removed_files: u64,
}

impl Limits {
    /// Tells whether `removed` of `total` files may go without a question.
    pub fn allow(&self, removed: u64, total: u64) -> bool {
        removed <= self.max_removed_files
            || u128::from(removed) * 100 <= u128::from(total) * u128::from(self.max_removed_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_share_of_many_files_is_held() {
        let limits = Limits { max_removed_percent: 50, max_removed_files: 100 };
        for (removed, total, allowed) in [
            (0, 0, true),
            (100, 100, true),
            (101, 101, false),
            (101, 202, true),
            (102, 203, false),
            (u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(limits.allow(removed, total), allowed, "{removed} of {total}");
        }
    }
}
