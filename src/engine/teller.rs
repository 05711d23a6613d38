//! Tells hooks what happens, one after the other on a thread of its own: they are programs, and take their time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::clock;
use super::commands::Desk;
use super::hooks::{self, HookEnd, HookOutcome, Told};
use crate::config::Hooks;
use crate::domain::report::Run;
use crate::domain::repository::{RepositoryId, State};
use crate::domain::status::{Engine, state_of};
use crate::index::{Reader, Result, RunContext};

/// So much may wait for a slow hook.
const WAITING: usize = 1024;

enum Message {
    /// Is the repository's state news?
    Look(RepositoryId),
    Changed(Box<Run>),
    Configure(Box<Desk>),
}

/// Sends to the thread, which ends when this is dropped and its last hook has ended.
#[derive(Debug)]
pub(super) struct Teller {
    sender: Option<SyncSender<Message>>,
    /// Nothing ever comes: the thread's end of it goes away with the thread.
    ended: Receiver<()>,
}

impl Teller {
    pub fn new(desk: Desk) -> Teller {
        let (sender, receiver) = sync_channel(WAITING);
        let (going_on, ended) = sync_channel(0);
        let started = std::thread::Builder::new().name("hooks".to_owned()).spawn(move || {
            serve(desk, &receiver);
            drop(going_on);
        });
        let sender = match started {
            Ok(_) => Some(sender),
            Err(error) => {
                tracing::error!(%error, "hooks cannot be told: no thread could be started");
                None
            }
        };
        Teller { sender, ended }
    }

    /// Waits until every hook has heard what there was to tell, but no longer than `limit`.
    pub fn finish(mut self, limit: Duration) {
        drop(self.sender.take());
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("a hook is still running at the end; it is left alone");
        }
    }

    /// A run has ended: its repository may be in another state.
    pub fn look(&self, id: RepositoryId) {
        self.send(Message::Look(id));
    }

    /// A run has found something.
    pub fn changed(&self, run: Run) {
        self.send(Message::Changed(Box::new(run)));
    }

    pub fn configure(&self, desk: &Desk) {
        self.send(Message::Configure(Box::new(desk.clone())));
    }

    fn send(&self, message: Message) {
        if self.sender.as_ref().is_some_and(|sender| sender.try_send(message).is_err()) {
            tracing::error!("a hook is too slow: what it was to be told is lost to it; `watchkeeper changes` has it");
        }
    }
}

fn serve(mut desk: Desk, receiver: &Receiver<Message>) {
    while let Ok(message) = receiver.recv() {
        let told = match message {
            Message::Look(id) => look(&desk, id),
            Message::Changed(run) => changed(&desk, &run),
            Message::Configure(new) => {
                desk = *new;
                Ok(())
            }
        };
        if let Err(error) = told {
            tracing::warn!(%error, "a hook could not be told");
        }
    }
}

fn hooks_of(desk: &Desk, reader: &Reader, id: RepositoryId) -> Result<Hooks> {
    let repository = reader.repository_by_id(id)?;
    // They were checked when they were set.
    Ok(desk
        .config
        .with_overrides(&repository.settings.overrides)
        .map_or_else(|_| desk.config.hooks.clone(), |c| c.hooks))
}

fn look(desk: &Desk, id: RepositoryId) -> Result<()> {
    let Some(reader) = Reader::open(&desk.index_path)? else { return Ok(()) };
    let hooks = hooks_of(desk, &reader, id)?;
    if hooks.notify.is_empty() {
        return Ok(());
    }
    let status = reader.status(reader.repository_by_id(id)?)?;
    let state = state_of(&status, Engine::Idle);
    let before = status.repository.told_state.as_deref().and_then(State::parse);
    if !hooks::is_settled(state) || before == Some(state) {
        return Ok(());
    }
    let last = status.last_run.as_ref();
    if hooks::is_news(before, state) {
        let told = Told {
            repository: status.repository.name.clone(),
            path: status.repository.path.clone(),
            from: before.unwrap_or(State::InSync),
            to: state,
            message: hooks::message(&status, state),
        };
        write_down(desk, last, "notify", hooks::notify(&hooks, &told));
    }
    // After the hook: killed in between, it is told once more rather than never.
    desk.writer.set_told_state(id, state.as_str())
}

fn changed(desk: &Desk, run: &Run) -> Result<()> {
    let Some(reader) = Reader::open(&desk.index_path)? else { return Ok(()) };
    let hooks = hooks_of(desk, &reader, run.repository_id)?;
    write_down(desk, Some(run), "on_change", hooks::on_change(&hooks, &reader, run));
    Ok(())
}

/// Writes what became of a hook into the run's log.
fn write_down(desk: &Desk, run: Option<&Run>, hook: &'static str, end: Option<HookEnd>) {
    let Some(end) = end else { return };
    let is_well = end.outcome == HookOutcome::Exited(0);
    if !is_well {
        tracing::warn!(hook, cause = hook, "a hook failed: {}", end.outcome);
    }
    let Some(run) = run else { return };
    let output = end.output.trim_end();
    let blank = if output.is_empty() { "" } else { "\n" };
    let context = RunContext::of(run.repository_id, run.number);
    if let Err(error) = desk.writer.log(&context, clock::wall().0, format!("{hook}: {}{blank}{output}", end.outcome)) {
        tracing::warn!(%error, "what a hook said could not be written down");
    }
}
