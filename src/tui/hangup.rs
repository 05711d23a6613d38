//! Ends the process when the terminal is gone and the loop cannot notice it.
//!
//! crossterm's reading loop takes the end of a terminal for "nothing yet" and reads on for ever, at a full core, and then
//! neither the loop nor a signal is heard any more. Mostly SIGHUP comes first; when it goes to a shell that ignores it, or a
//! moment late, only this is left. The engine is another process: nothing ends but the screen. What must not be left undone
//! then (to hand over to a service) is done here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// The loop has so long to end in order.
const IN_ORDER_WITHIN: Duration = Duration::from_secs(2);
/// As a shell says it of a program that SIGHUP has ended.
const HUNG_UP: i32 = 128 + 1;

/// What the loop tells the thread that watches.
pub struct Watch {
    is_noticed: Arc<AtomicBool>,
}

impl Watch {
    /// Tells that the loop has ended, and that the process does so in order, however long that takes.
    pub fn noticed(&self) {
        self.is_noticed.store(true, Relaxed);
    }
}

/// Watches the terminal on a thread of its own. It does `lost` before it ends a process whose loop has not noticed.
///
/// # Errors
/// When the thread cannot be started.
pub fn watch(lost: impl FnOnce() + Send + 'static) -> io::Result<Watch> {
    let is_noticed = Arc::new(AtomicBool::new(false));
    let watch = Watch { is_noticed: Arc::clone(&is_noticed) };
    std::thread::Builder::new().name("hangup".to_owned()).spawn(move || {
        if has_hung_up() {
            std::thread::sleep(IN_ORDER_WITHIN);
            if !is_noticed.load(Relaxed) {
                lost();
                end();
            }
        }
    })?;
    Ok(watch)
}

/// Waits until the terminal is gone; `false` when that cannot be told.
fn has_hung_up() -> bool {
    let stdin = io::stdin();
    loop {
        // Nothing is asked for, so that keys wake nobody: what is told all the same is the end.
        match poll(&mut [PollFd::new(&stdin, PollFlags::empty())], None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => return true,
        }
    }
}

#[expect(clippy::exit, reason = "main cannot: it is what hangs")]
fn end() -> ! {
    std::process::exit(HUNG_UP)
}
