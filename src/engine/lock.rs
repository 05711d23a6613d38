//! One engine per data directory: a lock file that is held as long as the process lives (invariant 3).
//!
//! `flock` on a file of its own: the lock dies with its process and is never stale, and no lock of SQLite is touched.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::clock;

/// The held lock; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another watchkeeper has this data directory: {holder}")]
    Held { holder: String },
    #[error("the lock file cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

impl Lock {
    /// Takes the lock at `path` and writes down who holds it since when.
    ///
    /// # Errors
    /// When another process holds it, with its pid and since when; or when the file cannot be used.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Best effort: without it the message says less.
                let _read = Read::by_ref(&mut file).take(200).read_to_string(&mut holder);
                let holder = crate::domain::show::show(holder.trim().as_bytes());
                return Err(LockError::Held { holder });
            }
            Err(errno) => return Err(LockError::Io(errno.into())),
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "pid {} since {}", std::process::id(), clock::wall().rfc3339())?;
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_told_who_holds_the_lock() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("engine.lock");
        let first = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("pid {} since 2", std::process::id())), "{refused}");
        drop(first);
        assert!(Lock::take(&path).is_ok());
    }
}
