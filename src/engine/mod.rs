//! The engine: takes commands, queues and runs jobs, tells what happens. One per data directory.
//!
//! Decisions are made in `update`, which is pure; the shell carries them out. Does not know who asks: a command line, a
//! screen, a socket.

pub mod backup;
mod carry_out;
mod clock;
mod commands;
pub mod doctor;
pub mod estimate;
mod handle;
pub mod hooks;
mod instance;
mod job;
mod ledger;
mod lock;
mod lookups;
pub mod machine;
mod news;
mod outlet;
mod pending;
mod progress;
pub mod protocol;
mod recover;
mod repo;
mod resources;
pub mod restore;
mod runtime;
pub mod selects;
mod shell;
mod start;
mod state;
mod stop;
mod teller;
mod tending;
mod update;
pub mod why;

pub use crate::config::override_keys as repository_keys;
pub use clock::wall as now;
#[cfg(test)]
pub(crate) use handle::FakeEngine;
pub use handle::{Call, Handle, Subscription};
pub use lock::{LockError, holder, is_running, open_index};
pub use outlet::Outlet;
pub use resources::Resources;
pub use runtime::{runtime, runtime_that_may_block};
pub use start::{Ending, Engine, EngineError, Options};
