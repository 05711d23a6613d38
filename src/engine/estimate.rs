//! What a tree would cost: counted before it is added, so that a person knows what they start.

use std::path::Path;

use super::clock::Stopwatch;
use crate::disk::{Filter, OwnFiles, Root, count};
use crate::domain::repository::Settings;

/// What a tree holds and about how long its first sync takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub files: u64,
    pub bytes: u64,
    /// One watch a directory.
    pub watches_needed: u64,
    /// Watches that this user may still place, if the system tells.
    pub watches_free: Option<u64>,
    pub unreadable: u64,
    pub first_sync_ms: u64,
}

/// Bytes hashed for the measurement: a hundredth of a second on a fast machine.
const MEASURED_BYTES: usize = 16 << 20;
/// What opening, reading and recording one small file costs a core, in microseconds: measured, and halved by a second.
const PER_FILE_US: u64 = 12;

/// Counts the tree at `path` and estimates its first sync.
///
/// # Errors
/// A sentence when the tree cannot be looked at or the settings cannot be understood.
pub fn estimate(path: &Path, data_directory: &Path, settings: &Settings) -> Result<Estimate, String> {
    let root = Root::open(path).map_err(|error| error.to_string())?;
    let filter = Filter::new(&settings.selection).map_err(|error| error.to_string())?;
    let counted = count(&root, &filter, &OwnFiles::find(data_directory), |_| true);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let hashing_ms = counted.bytes / bytes_per_ms().max(1);
    Ok(Estimate {
        files: counted.files,
        bytes: counted.bytes,
        watches_needed: counted.directories,
        watches_free: super::machine::watches().map(|watches| watches.limit.saturating_sub(watches.used)),
        unreadable: counted.unreadable,
        first_sync_ms: (hashing_ms + counted.files * PER_FILE_US / 1000) / cores,
    })
}

/// Returns how fast one core of this machine hashes.
fn bytes_per_ms() -> u64 {
    let block = vec![0u8; MEASURED_BYTES];
    let watch = Stopwatch::start();
    let _sum = crate::disk::hash_bytes(&block);
    MEASURED_BYTES as u64 / watch.elapsed_ms().max(1)
}
