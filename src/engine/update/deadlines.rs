//! When the engine has to look again although nothing happens.

use super::{hints, proof, watchdog};
use crate::domain::schedule::{Now, daily};
use crate::engine::state::State;

/// The wall clock may jump: what goes by it is looked at so often.
const LONGEST_SLEEP_MS: u64 = 60_000;

/// Returns the next moment by the monotonic clock at which something is due; `None` when only an input can change things.
pub fn next_deadline(state: &State, now: Now) -> Option<u64> {
    if state.stopping.is_some() {
        // Nothing new begins: only what does not end is waited for.
        return watchdog::next_stop(state);
    }
    let next = [proof::next_due(state), watchdog::next_stop(state), watchdog::next_due(state)];
    let mut next = next.into_iter().flatten().min();
    let mut earlier = |at: Option<u64>| next = next.into_iter().chain(at).min();
    if !state.is_resident {
        return next;
    }
    earlier(state.backups.due);
    for (id, repo) in &state.repositories {
        if repo.is_paused() {
            continue;
        }
        earlier(hints::next_due(state, *id, repo));
        earlier((!repo.is_probed).then_some(repo.probe_at));
        if state.config.scheduler.enabled {
            earlier(repo.timers.values().copied().min());
            if let Some(at) = repo.tracked.config.sync.full_at {
                let ahead_ms =
                    daily(at, repo.last_full, now).err().map_or(0, |at| at.since_ms(now.wall).unsigned_abs());
                earlier(Some(now.mono_ms + ahead_ms.min(LONGEST_SLEEP_MS)));
            }
        }
    }
    next
}
