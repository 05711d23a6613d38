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

use std::io;

use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use model::{Hosts, News};

use super::event::Msg as OtherMsg;
use super::input::{is_gone, next_input, ready_input};
use super::terminal::TermGuard;
use super::theme::{Choice, Theme};
use super::{TuiError, hangup};
use update::Msg;

/// What a person wants to be done. All but the second give the terminal back first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Show the screen of this host, by its place in the list.
    Open(usize),
    /// Bring a repository of this host up to date.
    Sync(usize, String),
    Quit,
    /// The terminal is gone.
    HungUp,
    /// SIGINT or SIGTERM, by number.
    Ended(i32),
}

/// Shows the list until the person wants something. What was heard stays in `hosts`.
///
/// # Errors
/// When the terminal cannot be set or written to.
pub async fn run(
    hosts: &mut Hosts,
    news: &mut mpsc::Receiver<(usize, News)>,
    theme: Choice,
    ascii: bool,
) -> Result<Errand, TuiError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(TuiError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(TuiError::Start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(TuiError::Start)?;
    hangup::watch().map_err(TuiError::Start)?;
    // Threads of this process that panic are told of by the log.
    let (panics, _unheard) = mpsc::channel::<OtherMsg>(1);
    let mut terminal = TermGuard::take(panics).map_err(TuiError::Terminal)?;
    let mut input = Some(EventStream::new());
    let theme = Theme::new(theme, ascii);
    let errand = loop {
        hosts.now = crate::engine::now();
        match terminal.draw(|frame| view::view(hosts, &theme, frame)) {
            Ok(()) => {}
            Err(error) if is_gone(&error) => break Errand::HungUp,
            Err(error) => return Err(TuiError::Terminal(error)),
        }
        let msg = tokio::select! { biased;
            Some(()) = hangup.recv() => break Errand::HungUp,
            Some(()) = interrupt.recv() => break Errand::Ended(SignalKind::interrupt().as_raw_value()),
            Some(()) = terminate.recv() => break Errand::Ended(SignalKind::terminate().as_raw_value()),
            typed = next_input(&mut input) => match typed {
                Some(Ok(typed)) => message(&typed),
                Some(Err(error)) if !is_gone(&error) => return Err(TuiError::Terminal(error)),
                _ => break Errand::HungUp,
            },
            Some((host, news)) = news.recv() => Some(Msg::News(host, news)),
        };
        let mut errand = msg.and_then(|msg| update::update(hosts, msg));
        // What is there already is one frame and not many.
        while errand.is_none() {
            let Ok((host, more)) = news.try_recv() else { break };
            errand = update::update(hosts, Msg::News(host, more));
        }
        if let Some(stream) = &mut input {
            while errand.is_none() {
                let Some(Some(Ok(typed))) = ready_input(stream).await else { break };
                errand = message(&typed).and_then(|msg| update::update(hosts, msg));
            }
        }
        if let Some(errand) = errand {
            break errand;
        }
    };
    if errand == Errand::HungUp {
        terminal.abandon();
    }
    Ok(errand)
}

fn message(typed: &Input) -> Option<Msg> {
    match typed {
        Input::Key(key) if key.kind != KeyEventKind::Release => Some(Msg::Key(*key)),
        // The frame finds the new size by itself.
        Input::Resize(_, height) => Some(Msg::Height(*height)),
        _ => None,
    }
}

/// Returns the height of the terminal.
///
/// # Errors
/// When there is none.
pub fn height() -> io::Result<u16> {
    crossterm::terminal::size().map(|(_, height)| height)
}
