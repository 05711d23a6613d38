//! What is done to a repository or to the schedule without a form.

use super::super::event::Effect;
use super::super::field::Field;
use super::super::state::{Overlay, Question, State};
use super::super::text::unsigned;
use crate::domain::amount;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SchedulerCommand, SyncRequest};

/// Asks before a repository leaves the index; its name must be typed.
pub fn ask_to_remove(state: &mut State) {
    let Some(repository) = state.entry().map(|entry| &entry.status.repository) else { return };
    let name = repository.name.clone();
    let records = amount::plural(unsigned(repository.total_files), "record", "records");
    let command = Command::RemoveRepository { name: name.clone() };
    let line = super::super::command_line::command_line(&command).unwrap_or_default();
    state.overlay = Some(Overlay::Ask(Question {
        title: format!("Remove {name}?"),
        words: vec![format!("The index loses {records} and the history; files stay as they are."), format!("$ {line}")],
        yes: "remove it from the index".to_owned(),
        then: vec![Effect::Send { command, about: format!("remove {name}") }],
        typed: Some((name, Field::default())),
    }));
}

/// Starts or stops the schedule.
pub fn schedule(is_on: bool) -> Vec<Effect> {
    let (command, about) = match is_on {
        true => (SchedulerCommand::Start, "start the schedule"),
        false => (SchedulerCommand::Stop, "stop the schedule"),
    };
    vec![Effect::Send { command: Command::Scheduler(command), about: about.to_owned() }]
}

/// Lets the selected repository rest, or go on again.
pub fn pause(state: &mut State) -> Vec<Effect> {
    let Some(entry) = state.entry() else { return Vec::new() };
    let name = entry.status.repository.name.clone();
    let names = vec![name.clone()];
    let (command, about) = match entry.status.repository.paused_at {
        Some(_) => (Command::Resume { names }, format!("resume {name}")),
        None => (Command::Pause { names }, format!("pause {name}")),
    };
    vec![Effect::Send { command, about }]
}

/// Asks for a run of the selected repository.
pub fn sync(state: &State, kind: Kind) -> Vec<Effect> {
    let Some(name) = state.name() else { return Vec::new() };
    let verb = if kind == Kind::Full { "sync" } else { kind.as_str() };
    let request = SyncRequest::new(vec![name.to_owned()], kind, Trigger::User);
    vec![Effect::Send { command: Command::Sync(Box::new(request)), about: format!("{verb} {name}") }]
}
