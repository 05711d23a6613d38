//! The engine: takes commands, queues and runs jobs, tells what happens. One per data directory.
//!
//! Decisions are made in `update`, which is pure; the shell carries them out. Does not know who asks: a command line, a
//! screen, a socket.

mod clock;
mod handle;
mod job;
mod progress;
pub mod protocol;
mod resources;

pub use handle::{Handle, Subscription};
