//! Confines the threads of a run: trees can only be read by them (invariant 9). Hooks are started by another thread.

use std::path::Path;
use std::sync::Once;

use crate::disk::confine_thread;

/// Confines the calling thread, from which all others of its run are started. Where that cannot be had, it is said once.
pub(super) fn confine(data_directory: &Path) {
    static TOLD: Once = Once::new();
    if let Err(error) = confine_thread(data_directory) {
        TOLD.call_once(|| tracing::info!(%error, "runs are not confined: that trees are only read is not enforced"));
    }
}
