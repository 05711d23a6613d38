//! The word by which a running job is told to stop, and why.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Why a job is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A verify lets another run of its repository go first, between two files or inside one that it can go on with.
    GiveWay,
    Cancelled,
    /// Nothing moved for too long.
    Stalled,
}

/// Shared by a job's threads, which look at it between entries and inside large files.
#[derive(Debug, Default)]
pub struct Stop(AtomicU8);

impl Stop {
    /// Asks the job to stop. The graver reason stays.
    pub fn ask(&self, why: Why) {
        self.0.fetch_max(why as u8 + 1, Relaxed);
    }

    pub fn why(&self) -> Option<Why> {
        match self.0.load(Relaxed) {
            0 => None,
            1 => Some(Why::GiveWay),
            2 => Some(Why::Cancelled),
            _ => Some(Why::Stalled),
        }
    }

    /// Tells whether the job is to end now, its work undone.
    pub fn is_final(&self) -> bool {
        matches!(self.why(), Some(Why::Cancelled | Why::Stalled))
    }
}
