//! The program `watchkeeper`: everything is in the library; only this file ends the process (invariant 7).

use std::process::ExitCode;

/// musl's own allocator takes one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    watchkeeper::cli::run()
}
