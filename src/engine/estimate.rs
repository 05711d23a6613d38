//! What a tree would cost: counted before it is added, so that a person knows what they start.

use std::path::Path;

use super::clock::Stopwatch;
use crate::disk::{Filter, OwnFiles, Root, count, is_made_up};
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
    /// There is more than this: counting was given up.
    pub is_cut: bool,
}

/// Bytes hashed for the measurement: a hundredth of a second on a fast machine.
const MEASURED_BYTES: usize = 16 << 20;
/// What opening, reading and recording one small file costs a core, in microseconds: measured, and halved by a second.
const PER_FILE_US: u64 = 12;

/// Counts the tree at `path`, as long as `goes_on`, and estimates its first sync.
///
/// # Errors
/// A sentence when the tree cannot be looked at or the settings cannot be understood.
pub fn estimate(
    path: &Path,
    data_directory: &Path,
    settings: &Settings,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Estimate, String> {
    let root = Root::open(path).map_err(|error| error.to_string())?;
    let filter = Filter::new(&settings.selection).map_err(|error| error.to_string())?;
    let mut is_cut = false;
    let counted = count(&root, &filter, &OwnFiles::find(data_directory), |_| {
        is_cut = !goes_on();
        !is_cut
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let hashing_ms = counted.bytes / bytes_per_ms().max(1);
    Ok(Estimate {
        files: counted.files,
        bytes: counted.bytes,
        watches_needed: counted.directories,
        watches_free: super::machine::watches().map(|watches| watches.limit.saturating_sub(watches.used)),
        unreadable: counted.unreadable,
        first_sync_ms: (hashing_ms + counted.files * PER_FILE_US / 1000) / cores,
        is_cut,
    })
}

/// Returns what a path is when few people mean that: a whole system, a home directory, a view of the kernel's.
pub fn whole_place(path: &Path) -> Option<&'static str> {
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let is_home = home.is_some_and(|home| std::fs::canonicalize(home).is_ok_and(|home| home == path));
    if is_home {
        Some("your whole home directory")
    } else if path == Path::new("/") {
        Some("the whole system")
    } else {
        is_made_up(path).then_some("made up by the kernel")
    }
}

/// Returns how fast one core of this machine hashes.
fn bytes_per_ms() -> u64 {
    let block = vec![0u8; MEASURED_BYTES];
    let watch = Stopwatch::start();
    let _sum = crate::disk::hash_bytes(&block);
    MEASURED_BYTES as u64 / watch.elapsed_ms().max(1)
}
