//! A service's turn: while another engine has the data directory it waits for that one's end, and interrupts nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use super::supervisor::Supervisor;
use crate::cli::Context;
use crate::cli::exit::Result;
use crate::cli::signals::Signals;
use crate::engine::{holder, is_running, runtime};

/// How often it is looked whether the other one has ended; also in time for the shortest watchdog that makes sense.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// To open a large index after a crash takes a while, in which nobody feeds the watchdog; as the unit's `TimeoutStartSec`.
const OPENS_WITHIN_USEC: u32 = 300_000_000;

/// What has come of it.
pub(super) enum Turn {
    /// It was there at once.
    AtOnce,
    /// It has come; these are listened to since, and what they heard is not lost.
    Come(Signals),
    /// A signal came first.
    Stopped,
}

/// Waits until no other engine has the data directory. Only for a service manager: to it this counts as running, as a start
/// that fails would be tried again and again, with lines in the log each time. A person is told at once.
pub(super) fn wait(context: &Context, supervisor: &Supervisor) -> Result<Turn> {
    let directory = context.places.make_data_directory()?;
    if !supervisor.is_there() || !is_running(&directory) {
        return Ok(Turn::AtOnce);
    }
    let mut other = holder(&directory);
    tracing::info!("waits until the engine that runs now has ended: {other}");
    let status = |other: &str| format!("waits for the end of {other}");
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        supervisor.tell(&[NotifyState::Ready, NotifyState::Status(&status(&other))]);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => return Ok(Turn::Stopped),
                _ = signals.interrupt.recv() => return Ok(Turn::Stopped),
                // The config is read when its turn has come.
                _ = signals.hang_up.recv() => {}
                _ = look.tick() => {
                    if !is_running(&directory) {
                        supervisor.tell(&[NotifyState::WatchdogUsec(OPENS_WITHIN_USEC)]);
                        return Ok(Turn::Come(signals));
                    }
                    supervisor.tell(&[NotifyState::Watchdog]);
                    let now = holder(&directory);
                    if now != other {
                        other = now;
                        supervisor.tell(&[NotifyState::Status(&status(&other))]);
                    }
                }
            }
        }
    })
}
