//! Several machines at once: their repositories as groups of one list. Whoever selects one is taken to the screen of that
//! machine, over `ssh`, and comes back here from it.
//!
//! The same machine as the screen itself, much smaller: `update` and `view` are pure, this file has the loop and the terminal.
//! Where the news come from, and what becomes of a choice, is the caller's business.
//!
//! ```text
//!  news of hosts ─┐
//!  keys, signals ─┴─> Msg ─> update ─> Errand for the caller, or a frame
//! ```

mod model;
#[cfg(test)]
mod tests;
mod update;
mod view;

use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use model::{Hosts, News};

use super::event::Msg as OtherMsg;
use super::input::{is_gone, next_input, ready_input};
use super::terminal::TermGuard;
use super::theme::Theme;
use super::{TuiError, hangup};
use update::Msg;

/// So much news is taken in before a frame is drawn.
const MOST_A_FRAME: usize = 256;

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Errand {
    /// The list goes on meanwhile.
    Sync(usize, String),
    Leave(Leave),
}

/// Why the list is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// For the screen of this host, by its place in the list.
    Open(usize),
    Quit,
    /// The terminal is gone.
    HungUp,
    /// SIGINT or SIGTERM, by number.
    Ended(i32),
}

/// Begins with hosts of which nothing is known yet.
///
/// # Errors
/// When there is no terminal, or no thread for what watches it.
pub fn begin(names: Vec<String>) -> Result<Hosts, TuiError> {
    // Nothing here must be ended in order.
    let _watch = hangup::watch(|| {}).map_err(TuiError::Start)?;
    let (_, height) = crossterm::terminal::size().map_err(TuiError::Terminal)?;
    Ok(Hosts::new(names, height))
}

/// Shows the list until the person wants to leave it, for a screen or for good; the terminal is as it was then. What was
/// heard stays in `hosts`; `sync` is told what is to be brought up to date.
///
/// # Errors
/// When the terminal cannot be set or written to.
pub async fn run(
    hosts: &mut Hosts,
    news: &mut mpsc::Receiver<(usize, News)>,
    theme: Theme,
    mut sync: impl FnMut(usize, String),
) -> Result<Leave, TuiError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(TuiError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(TuiError::Start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(TuiError::Start)?;
    // Threads of this process that panic are told of by the log.
    let (panics, _unheard) = mpsc::channel::<OtherMsg>(1);
    let mut terminal = TermGuard::take(panics).map_err(TuiError::Terminal)?;
    let mut input = Some(EventStream::new());
    let (_, height) = crossterm::terminal::size().map_err(TuiError::Terminal)?;
    update::update(hosts, Msg::Height(height));
    let leave = loop {
        hosts.now = crate::engine::now();
        match terminal.draw(|frame| view::view(hosts, &theme, frame)) {
            Ok(()) => {}
            Err(error) if is_gone(&error) => break Leave::HungUp,
            Err(error) => return Err(TuiError::Terminal(error)),
        }
        let msg = tokio::select! { biased;
            Some(()) = hangup.recv() => break Leave::HungUp,
            Some(()) = interrupt.recv() => break Leave::Ended(SignalKind::interrupt().as_raw_value()),
            Some(()) = terminate.recv() => break Leave::Ended(SignalKind::terminate().as_raw_value()),
            typed = next_input(&mut input) => match typed {
                Some(Ok(typed)) => message(&typed),
                Some(Err(error)) if !is_gone(&error) => return Err(TuiError::Terminal(error)),
                _ => break Leave::HungUp,
            },
            Some((host, news)) = news.recv() => Some(Msg::News(host, news)),
        };
        let mut errand = msg.and_then(|msg| update::update(hosts, msg));
        // What is there already is one frame and not many; so much of it that keys and signals have their turn.
        for _ in 0..MOST_A_FRAME {
            let Ok((host, more)) = news.try_recv() else { break };
            // No news asks for anything.
            let _nothing = update::update(hosts, Msg::News(host, more));
        }
        if let Some(stream) = &mut input {
            while errand.is_none() {
                let Some(Some(Ok(typed))) = ready_input(stream).await else { break };
                errand = message(&typed).and_then(|msg| update::update(hosts, msg));
            }
        }
        match errand {
            Some(Errand::Sync(host, repository)) => sync(host, repository),
            Some(Errand::Leave(leave)) => break leave,
            None => {}
        }
    };
    if leave == Leave::HungUp {
        terminal.abandon();
    }
    Ok(leave)
}

fn message(typed: &Input) -> Option<Msg> {
    match typed {
        Input::Key(key) if key.kind != KeyEventKind::Release => Some(Msg::Key(*key)),
        // The frame finds the new size by itself.
        Input::Resize(_, height) => Some(Msg::Height(*height)),
        _ => None,
    }
}
