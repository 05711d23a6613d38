//! Problems: one path that could not be handled. The run goes on, and the problem closes itself when the path is handled.

use super::path::RelPath;

/// What went wrong, in classes that scripts can count. The same classes name why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Permission,
    NotFound,
    Unstable,
    Io,
    DeviceFull,
    Timeout,
    MountMissing,
    FilesystemChanged,
    DatabaseBusy,
    DatabaseCorrupt,
    Config,
    Cancelled,
    Internal,
}

impl Class {
    pub const ALL: [Class; 13] = [
        Class::Permission,
        Class::NotFound,
        Class::Unstable,
        Class::Io,
        Class::DeviceFull,
        Class::Timeout,
        Class::MountMissing,
        Class::FilesystemChanged,
        Class::DatabaseBusy,
        Class::DatabaseCorrupt,
        Class::Config,
        Class::Cancelled,
        Class::Internal,
    ];

    pub fn parse(text: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Class::Permission => "permission",
            Class::NotFound => "not_found",
            Class::Unstable => "unstable",
            Class::Io => "io",
            Class::DeviceFull => "device_full",
            Class::Timeout => "timeout",
            Class::MountMissing => "mount_missing",
            Class::FilesystemChanged => "filesystem_changed",
            Class::DatabaseBusy => "database_busy",
            Class::DatabaseCorrupt => "database_corrupt",
            Class::Config => "config",
            Class::Cancelled => "cancelled",
            Class::Internal => "internal",
        }
    }

    /// Returns what a person can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Class::Permission => {
                "let the user that runs watchkeeper read it, or leave it out with `repo set NAME exclude=...`"
            }
            Class::NotFound => "it will be looked for again at the next sync",
            Class::Unstable => "it changed each time it was read; sync again when nothing writes to it",
            Class::Io => {
                "the device or the system reported an error; look at `dmesg`, the disk's health, and `ulimit -a`"
            }
            Class::DeviceFull => {
                "free some space, or inodes, on the device that holds the data directory (`df`, `df -i`)"
            }
            Class::Timeout => "the file system did not answer; is a network or external disk away?",
            Class::MountMissing => {
                "mount it again; if the whole repository is gone for good: `watchkeeper repo remove NAME`; if only what was \
                 mounted below it: `watchkeeper held NAME --accept`"
            }
            Class::FilesystemChanged => {
                "mount the right file system; if the library moved here: `watchkeeper repo set NAME path=PATH`"
            }
            Class::DatabaseBusy => {
                "another program holds the index open for writing; close it (`watchkeeper doctor` names it)"
            }
            Class::DatabaseCorrupt => "the index is damaged; `watchkeeper doctor` says more",
            Class::Config => "correct the setting that the message names",
            Class::Cancelled => "start the sync again; what was committed stays",
            Class::Internal => "this is a bug in watchkeeper; please report it with the log",
        }
    }
}

/// One path that could not be handled, as a run reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: RelPath,
    pub class: Class,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_read_as_it_is_written_and_says_what_to_do() {
        assert!(Class::ALL.into_iter().all(|class| Class::parse(class.as_str()) == Some(class)));
        assert!(Class::ALL.into_iter().all(|class| !class.hint().is_empty()));
    }
}
