//! A runtime for one thread, whose pool for blocking work has a thread from the start.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Once there, the pool's threads stay: a second one is rarely needed, and none can be had any more when a limit is reached.
const KEPT: Duration = Duration::from_secs(u32::MAX as u64);

/// Makes a runtime. Its `spawn_blocking` waits where no further thread can be had; tokio's own panics as long as its pool is
/// empty.
///
/// # Errors
/// When the process may have no more threads or descriptors.
pub fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(KEPT).build()?;
    // Where the pool would panic, this is an error.
    let tried = std::thread::Builder::new().name("first".to_owned()).spawn(|| ())?;
    // It has nothing to panic about.
    let _ended = tried.join();
    let _first = runtime.spawn_blocking(|| ());
    Ok(runtime)
}
