//! A service's turn: while another engine has the data directory it waits for that one's end, and interrupts nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use super::Signals;
use super::supervisor::Supervisor;
use crate::cli::Context;
use crate::cli::exit::Result;
use crate::engine::{holder, is_running, runtime};

/// How often it is looked whether the other one has ended; also in time for the shortest watchdog that makes sense.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Waits until no other engine has the data directory; returns false when a signal came first. Only for a service manager:
/// to it this counts as running, as a start that fails would be tried again and again, with lines in the log each time.
/// A person is told at once.
pub(super) fn wait(context: &Context, supervisor: &Supervisor) -> Result<bool> {
    let directory = context.places.make_data_directory()?;
    if !supervisor.is_there() || !is_running(&directory) {
        return Ok(true);
    }
    let other = holder(&directory);
    tracing::info!("waits until the engine that runs now has ended: {other}");
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        supervisor.tell(&[NotifyState::Ready, NotifyState::Status(&format!("waits for the end of {other}"))]);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => return Ok(false),
                _ = signals.interrupt.recv() => return Ok(false),
                // The config is read when its turn has come.
                _ = signals.hang_up.recv() => {}
                _ = look.tick() => {
                    if !is_running(&directory) {
                        return Ok(true);
                    }
                    supervisor.tell(&[NotifyState::Watchdog]);
                }
            }
        }
    })
}
