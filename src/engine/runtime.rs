//! Runtimes, each of which has from the start the threads that it cannot do without.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Once there, the pool's threads stay: a second one is rarely needed, and none can be had any more when a limit is reached.
const KEPT: Duration = Duration::from_secs(u32::MAX as u64);

/// Makes a runtime for one thread. Its `spawn_blocking` waits where no further thread can be had; tokio's own panics as long
/// as its pool is empty.
///
/// # Errors
/// When the process may have no more threads or descriptors.
pub fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(KEPT).build()?;
    try_thread()?;
    let _first = runtime.spawn_blocking(|| ());
    Ok(runtime)
}

/// Makes a runtime whose tasks may block in their place: what else it has to do moves to another thread then.
///
/// # Errors
/// As [`runtime`].
pub fn runtime_that_may_block() -> io::Result<Runtime> {
    try_thread()?;
    Builder::new_multi_thread().worker_threads(1).enable_all().thread_keep_alive(KEPT).build()
}

/// Where tokio would panic, this is an error.
fn try_thread() -> io::Result<()> {
    let tried = std::thread::Builder::new().name("first".to_owned()).spawn(|| ())?;
    // It has nothing to panic about.
    let _ended = tried.join();
    Ok(())
}
