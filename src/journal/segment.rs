//! One file that is written: space that is taken beforehand, lines that are on the disk when a call returns.

use std::fs::File;
use std::io::{Error, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use super::{JournalError, Result};

/// Space beyond the last line, so that a full disk can still be told of.
const RESERVE: u64 = 256 << 10;
/// It is taken again when less is left.
const RESERVE_LOW: u64 = 64 << 10;

/// A file that lines are added to.
#[derive(Debug)]
pub(super) struct Segment {
    pub number: u32,
    pub path: PathBuf,
    file: File,
    /// Where its last whole line ends.
    pub bytes: u64,
    /// Where the space ends that was taken.
    reserved_to: u64,
}

/// Why lines were not added.
#[derive(Debug)]
pub(super) enum Failure {
    /// The file is as it was before.
    Write(JournalError),
    /// Nobody knows what of it is on the disk: this descriptor must not be used again.
    Lost(JournalError),
}

impl Failure {
    pub fn into_error(self) -> JournalError {
        match self {
            Failure::Write(error) | Failure::Lost(error) => error,
        }
    }
}

impl Segment {
    /// Makes a new file; it counts when its first line is written and its directory synced.
    pub fn create(path: PathBuf, number: u32) -> Result<Segment> {
        let mut options = File::options();
        let file = options.append(true).create_new(true).mode(0o600).open(&path).map_err(JournalError::at(&path))?;
        let mut segment = Segment { number, path, file, bytes: 0, reserved_to: 0 };
        segment.reserve();
        Ok(segment)
    }

    /// Opens a file to go on after its first `bytes`; what is behind them is cut off.
    pub fn resume(path: PathBuf, number: u32, bytes: u64) -> Result<Segment> {
        let file = File::options().append(true).open(&path).map_err(JournalError::at(&path))?;
        let mut segment = Segment { number, path, file, bytes, reserved_to: 0 };
        if segment.file.metadata().map_err(JournalError::at(&segment.path))?.len() != bytes {
            segment.cut().map_err(JournalError::at(&segment.path))?;
        }
        segment.reserve();
        Ok(segment)
    }

    /// Adds whole lines by one write and syncs them.
    pub fn append(&mut self, lines: &[u8]) -> std::result::Result<(), Failure> {
        let after = self.bytes + lines.len() as u64;
        if self.reserved_to < after + RESERVE_LOW {
            self.reserve();
        }
        if let Err(source) = self.file.write_all(lines) {
            let error = JournalError { path: self.path.clone(), source };
            return Err(match self.cut() {
                Ok(()) => Failure::Write(error),
                Err(_) => Failure::Lost(error),
            });
        }
        // Asked once: the kernel reports an error once and may have dropped the pages.
        if let Err(source) = self.file.sync_data() {
            return Err(Failure::Lost(JournalError { path: self.path.clone(), source }));
        }
        self.bytes = after;
        Ok(())
    }

    /// Takes the part of a line away that a full disk let through. Not without need: it gives the reserve away.
    fn cut(&mut self) -> std::result::Result<(), Error> {
        if self.file.metadata()?.len() == self.bytes {
            return Ok(());
        }
        self.file.set_len(self.bytes)?;
        self.file.sync_data()?;
        self.reserved_to = 0;
        self.reserve();
        Ok(())
    }

    /// Takes space beyond the end without making the file longer. Where that is not to be had, the file grows as others do.
    fn reserve(&mut self) {
        if fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.bytes, RESERVE).is_ok() {
            self.reserved_to = self.bytes + RESERVE;
        }
    }
}

/// Makes a directory that only we can enter, if it is not there, and its entry durable.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_directory),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(JournalError { path: path.to_owned(), source }),
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(JournalError::at(path))
}
