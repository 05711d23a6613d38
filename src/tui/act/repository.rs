//! What is done to a repository or to the schedule without a form.

use super::super::event::Effect;
use super::super::field::Field;
use super::super::state::{Overlay, Question, State};
use super::super::text::unsigned;
use crate::domain::amount;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SchedulerCommand, SyncRequest};

/// Looks again at what has open problems, and at nothing else.
pub fn sync_problems(state: &State) -> Vec<Effect> {
    let Some(name) = state.name() else { return Vec::new() };
    let request = SyncRequest::new(vec![name.to_owned()], Kind::Single, Trigger::User);
    let command = Command::Sync(Box::new(SyncRequest { only_problems: true, ..request }));
    vec![Effect::Send { command, about: format!("sync {name}") }]
}

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
