//! Programs that are told what happens: `notify` when a repository gets into trouble or out of it, `on_change` with what
//! a run found. Blocks until they have ended; whoever calls gives it a thread.

mod child;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;

pub use child::{HookEnd, HookOutcome, run};

use crate::config::Hooks;
use crate::domain::amount::plural;
use crate::domain::report::{IndexStatus, Run};
use crate::domain::repository::State;
use crate::domain::show::show_message;
use crate::index::{IndexError, Reader};
use crate::wire::{ChangeJson, NewsJson};

/// Changes that are in memory at the same time.
const PAGE: u64 = 1000;

/// News of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub repository: String,
    /// Absolute.
    pub path: Vec<u8>,
    pub from: State,
    pub to: State,
    /// What is wrong, and what to do.
    pub message: Option<String>,
}

/// Tells whether a state says how a repository is, or only that someone is at it.
pub fn is_settled(state: State) -> bool {
    !matches!(state, State::Syncing | State::Pending | State::Paused)
}

/// Tells whether people want to hear that a repository is in `to` now: it got into trouble, into another, or out of it.
///
/// `from` is the last state for which [`is_settled`] holds; `None`: there was none yet.
pub fn is_news(from: Option<State>, to: State) -> bool {
    let is_trouble = |state| matches!(state, State::Failed | State::Held | State::Damaged | State::Missing);
    is_settled(to) && from != Some(to) && (is_trouble(to) || from.is_some_and(is_trouble))
}

/// Returns what a person is told of a repository that is in this state now.
pub fn message(status: &IndexStatus, state: State) -> Option<String> {
    let name = &status.repository.name;
    match state {
        State::Damaged => {
            let damaged = plural(status.damaged.max(0) as u64, "file is damaged", "files are damaged");
            Some(format!("{damaged}: content changed while size and times did not; see `watchkeeper damage {name}`"))
        }
        State::Held => {
            let held = plural(status.undecided.max(0) as u64, "removal waits", "removals wait");
            Some(format!("{held} for a decision, and nothing has left the index; see `watchkeeper held {name}`"))
        }
        _ => status.last_run.as_ref().and_then(|run| run.error_message.clone()),
    }
}

/// Runs the `notify` hook and waits for its end; `None` when there is none.
pub fn notify(hooks: &Hooks, told: &Told) -> Option<HookEnd> {
    if hooks.notify.is_empty() {
        return None;
    }
    let message = told.message.as_deref().map(show_message).unwrap_or_default();
    let environment = [
        ("WATCHKEEPER_REPOSITORY", OsString::from(&told.repository)),
        ("WATCHKEEPER_PATH", OsString::from_vec(told.path.clone())),
        ("WATCHKEEPER_STATE", told.to.as_str().into()),
        ("WATCHKEEPER_PREVIOUS_STATE", told.from.as_str().into()),
        ("WATCHKEEPER_MESSAGE", message.as_ref().into()),
    ];
    let news = NewsJson::new(&told.repository, &told.path, (told.from, told.to), told.message.as_deref());
    Some(run(&hooks.notify, &environment, |stdin| write_line(stdin, &news), hooks.timeout))
}

/// Runs the `on_change` hook with the changes of a run, which has ended, and waits for its end.
///
/// `None` when there is no such hook, or the run found nothing. When the changes cannot be read the output says so.
pub fn on_change(hooks: &Hooks, reader: &Reader, run: &Run) -> Option<HookEnd> {
    if hooks.on_change.is_empty() {
        return None;
    }
    let first = reader.changes_of_run(run.number, 0, PAGE);
    if first.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    let path = reader.repository(&run.repository).map(|repository| repository.path).unwrap_or_default();
    let environment = [
        ("WATCHKEEPER_REPOSITORY", OsString::from(&run.repository)),
        ("WATCHKEEPER_PATH", OsString::from_vec(path)),
        ("WATCHKEEPER_RUN_ID", OsString::from(&run.run_id)),
    ];
    let failed = |error: IndexError| io::Error::other(error.to_string());
    let feed = |stdin: &mut dyn Write| {
        let mut page = first.map_err(failed)?;
        while let Some((last, _)) = page.last() {
            let last = *last;
            for (_, change) in &page {
                write_line(stdin, &ChangeJson::from(change))?;
            }
            // A short read each: one as long as the hook takes would keep the WAL from being moved into the index.
            page = reader.changes_of_run(run.number, last, PAGE).map_err(failed)?;
        }
        Ok(())
    };
    Some(child::run(&hooks.on_change, &environment, feed, hooks.timeout))
}

fn write_line(stdin: &mut dyn Write, object: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(object)?;
    line.push(b'\n');
    stdin.write_all(&line)
}
