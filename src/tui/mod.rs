//! The terminal interface: shows what the index knows, follows what the engine does, sends commands to it.
//!
//! The same machine as the engine: `update(&mut State, Msg, Now) -> Vec<Effect>` decides, `view(&State, &mut Frame)` draws,
//! both pure; `shell` has the only clock and event loop, `terminal` the only terminal, `reading` the threads that read rows:
//! one for what is quick, one for searches, which a newer one stops.
//! Speaks to the engine through [`Handle`] alone, and reads the index through `index::Reader`. No SQL, no watched trees.
//!
//! ```text
//!  keys, signals ─┐                      ┌─> Send     ─> Handle ─> answer ─┐
//!  engine events ─┼─> Msg ─> update ─────┼─> Read     ─> tui-reader ─ rows ┼─> Msg
//!  rows, answers ─┘     (State changes)  └─> Suspend, Quit, Redraw         ┘
//!                              └─> pace ─> view ─> one write
//! ```
//!
//! `keymap` is the one table of actions: keys, footer, help, palette and README are made from it. A tab is a file in `pane`
//! (what it draws, and its part of the state), with what it reads in `reading` and what its keys do in `act`. What stands
//! in front (`front`, drawn in `overlay`) is one thing at a time: a question, a form, a list.

mod act;
mod attached;
mod away;
mod changes;
mod click;
mod command_line;
mod escape;
mod event;
mod export;
mod field;
mod filter;
#[cfg(test)]
mod fixture;
mod footer;
mod form;
mod front;
mod hangup;
pub mod hosts;
mod input;
mod keymap;
mod layout;
mod overlay;
mod pace;
mod paint;
mod palette;
mod pane;
mod plan;
mod plot;
mod reading;
mod remember;
mod shell;
mod state;
mod table;
mod tabs;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod trouble;
mod update;
mod view;

use std::path::PathBuf;

pub use form::Here;
pub use keymap::{Keys, KeysError};
pub use terminal::Kept;
pub use theme::{Choice as Theme, Theme as Look};

use crate::engine::Handle;

/// How the screen is to look and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file that rows are read from; it may not be there yet.
    pub index_path: PathBuf,
    /// [`Theme::Mono`] also when `NO_COLOR` is set or `TERM` is `dumb`.
    pub theme: Theme,
    /// Only ASCII signs. Names stay as they are.
    pub ascii: bool,
    pub keys: Keys,
    /// Take clicks and the wheel from the start; `m` turns it on and off.
    pub mouse: bool,
    /// A service is enabled that can go on in place of an engine that a screen has started.
    pub has_service: bool,
    /// Where typed paths begin.
    pub here: Here,
}

/// How the screen ended. The terminal is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing runs that someone must decide about.
    Quit,
    /// Runs are going in an engine that a screen has started: end them as cancelled, or let them go on.
    QuitWhileRunning { cancel: bool },
    /// What runs in an engine that a screen has started is to go on to its end, and the service after that.
    HandOver,
    /// The terminal is gone (SIGHUP): runs go on, nothing can be printed any more.
    HungUp,
    /// SIGINT or SIGTERM, by number: runs are to end as cancelled.
    Ended { signal: i32 },
}

/// Why the screen could not go on. The terminal is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[source] std::io::Error),
    #[error("a task of the screen panicked; the message above says where")]
    Panicked,
    #[error("the screen cannot be started: {0}")]
    Start(#[source] std::io::Error),
}

/// Shows the screen until the person leaves it or the terminal does.
///
/// Runs on the caller's tokio runtime, which must be a current-thread one with time and I/O on, and have nothing to do
/// that must not wait for the terminal: frames are written from here, and a terminal may be slow. The engine lives on
/// other threads.
///
/// A terminal that is gone may be seen by a thread of its own alone. Then it does `lost`, and ends the process.
///
/// # Errors
/// When the terminal cannot be set or written to, or a thread cannot be started.
pub async fn run(options: Options, handle: Handle, lost: impl FnOnce() + Send + 'static) -> Result<Exit, TuiError> {
    shell::run(options, handle, lost).await
}
