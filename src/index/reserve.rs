//! A little space that is kept for a full disk: enough to write down how a run ended that could not write anything else.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The end of a run touches about ten pages, and each may have to be copied into the WAL.
const BYTES: usize = 128 << 10;

/// The file that holds the space.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    is_held: bool,
}

impl Reserve {
    /// Takes the space beside the index, if it is to be had.
    pub fn take(index: &Path) -> Reserve {
        let mut reserve = Reserve { path: index.with_extension("reserve"), is_held: false };
        reserve.fill();
        reserve
    }

    /// Takes the space again, after it was given up.
    pub fn fill(&mut self) {
        if self.is_held {
            return;
        }
        let is_whole = || self.path.symlink_metadata().is_ok_and(|found| found.len() == BYTES as u64);
        let write = || -> std::io::Result<()> {
            // Made anew: what somebody has put under this name, a link above all, is not written to.
            match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().create_new(true).write(true).mode(0o600).open(&self.path)?;
            // Written and not only set to this length: a hole takes no space.
            file.write_all(&vec![0x77; BYTES])?;
            file.sync_all()
        };
        self.is_held = is_whole() || write().is_ok();
        if !self.is_held {
            // A part of it would only be in the way.
            self.give_up();
        }
    }

    /// Gives the space to whoever writes next. Returns whether there was any.
    pub fn give_up(&mut self) -> bool {
        self.is_held = false;
        std::fs::remove_file(&self.path).is_ok()
    }
}
