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

    /// Tells whether `removed` of `total` files may go although more may follow in a moment: a tenth of what may go
    /// without a question, or any number where nothing is ever asked.
    pub fn is_trifle(&self, removed: u64, total: u64) -> bool {
        self.allow(total, total) || self.allow(removed.saturating_mul(10), total)
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

    #[test]
    fn a_trifle_is_a_tenth_of_what_passes() {
        let half = Limits { max_removed_percent: 50, max_removed_files: 100 };
        let all = Limits { max_removed_percent: 100, ..half };
        for (limits, removed, total, is_trifle) in [
            (half, 10, 101, true),
            (half, 11, 101, false),
            (half, 60, 1200, true),
            (half, 61, 1200, false),
            (half, 100, 100, true),
            (half, u64::MAX, u64::MAX, false),
            (all, 1200, 1200, true),
        ] {
            assert_eq!(limits.is_trifle(removed, total), is_trifle, "{removed} of {total} within {limits:?}");
        }
    }
}
