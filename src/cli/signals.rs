//! Signals that ask a command to end: Ctrl-C, a service manager, a terminal that is gone.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{CliError, Result};

/// Signal numbers of POSIX.
const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// Those that are for a command or a daemon; caught from [`Signals::listen`] on.
pub struct Signals {
    pub interrupt: Signal,
    pub terminate: Signal,
    pub hang_up: Signal,
}

impl Signals {
    /// # Errors
    /// When signals cannot be caught.
    pub fn listen() -> Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that ends what is followed.
    pub async fn next(&mut self) -> u8 {
        tokio::select! {
            number = caught(&mut self.interrupt, SIGINT) => number,
            number = caught(&mut self.terminate, SIGTERM) => number,
            // The terminal is gone; as when someone pressed Ctrl-C in it.
            number = caught(&mut self.hang_up, SIGINT) => number,
        }
    }
}

async fn caught(signal: &mut Signal, number: u8) -> u8 {
    signal.recv().await;
    number
}

/// Waits for the first signal that asks to end.
///
/// # Errors
/// When signals cannot be caught.
pub async fn any_signal() -> Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(tokio::select! {
        number = caught(&mut interrupt, SIGINT) => number,
        number = caught(&mut terminate, SIGTERM) => number,
    })
}

/// Does `work` on a thread of its own. When a signal comes first, returns that: the process is to end, and takes the thread
/// along, wherever it is.
///
/// # Errors
/// When no thread or no signal can be had.
pub fn unless_signalled<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<std::result::Result<T, u8>> {
    let runtime = crate::engine::runtime()?;
    let done = runtime.spawn_blocking(work);
    let answer = runtime.block_on(async {
        tokio::select! {
            biased;
            answer = done => answer.map(Ok).map_err(|_| CliError::failed("its thread panicked; this is a bug")),
            signal = any_signal() => Ok(Err(signal?)),
        }
    });
    // Waiting for it would be waiting for the work.
    runtime.shutdown_background();
    answer
}
