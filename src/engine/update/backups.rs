//! When index and journal are backed up by themselves.

use std::time::Duration;

use crate::domain::moment::Timestamp;
use crate::domain::schedule::{Now, first_due};
use crate::engine::state::{Effect, State};

/// An engine that has just started has other things to do first.
const FIRST_MS: u64 = 60_000;
/// One that failed is tried again after this at the latest: by then a disk may have room, or be back.
const AGAIN_MS: u64 = 3_600_000;

/// Asks for a backup when one is due. What was missed is made up once.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let (every, backups) = (state.config.backup.every, &mut state.backups);
    if backups.every != every {
        backups.every = every;
        let rest_ms = |every: Duration| milliseconds(every).min(FIRST_MS);
        backups.due = every.map(|every| first_due(every, backups.last, now).max(now.mono_ms + rest_ms(every)));
    }
    if backups.due.is_some_and(|due| due <= now.mono_ms) && !backups.is_going_on {
        backups.is_going_on = true;
        backups.due = None;
        fx.push(Effect::BackUp);
    }
}

/// Notes that one has been made, or has failed.
pub(super) fn ended(state: &mut State, made_at: Option<Timestamp>, now: Now) {
    let backups = &mut state.backups;
    backups.is_going_on = false;
    backups.last = made_at.or(backups.last);
    backups.due = backups.every.map(|every| match made_at {
        Some(_) => first_due(every, made_at, now),
        None => now.mono_ms + milliseconds(every).min(AGAIN_MS),
    });
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
