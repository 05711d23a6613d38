//! How each form begins: its blanks, and what is in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Blank, Form, Purpose, Sort};
use crate::domain::report::Repository;
use crate::engine::repository_keys;
use crate::tui::event::Effect;
use crate::tui::state::{Overlay, State};

/// The forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Add,
    Rename,
    Move,
    Set,
    SyncPath,
    SyncDates,
    Schedule,
}

/// Opens a form; its first question is asked at once.
pub fn open(state: &mut State, which: Which) -> Vec<Effect> {
    let Some(form) = form(state, which) else { return Vec::new() };
    state.overlay = Some(Overlay::Form(Box::new(form)));
    super::typed(state)
}

fn form(state: &State, which: Which) -> Option<Form> {
    let repository = state.entry().map(|entry| &entry.status.repository);
    let scheduler = &state.forms.scheduler;
    Some(match (which, repository) {
        (Which::Add, _) => add(state),
        (Which::Schedule, _) => Form::new(
            Purpose::Schedule { is_running: scheduler.running },
            vec![Blank::new("setting", Sort::Setting(scheduler.settings.clone()), "", "such as full_every=12h")],
        ),
        (Which::Rename, Some(Repository { name, .. })) => {
            let blank = Blank::new("new name", Sort::Text, name.clone(), "letters, digits, dots, dashes");
            Form::new(Purpose::Rename { name: name.clone() }, vec![blank])
        }
        (Which::Move, Some(Repository { name, path, .. })) => {
            let blank = Blank::new("path", Sort::Directory(None), String::from_utf8_lossy(path), "a directory");
            Form::new(Purpose::Move { name: name.clone() }, vec![blank])
        }
        (Which::Set, Some(repository)) => {
            let blank = Blank::new("setting", Sort::Setting(settings(repository)), "", "such as exclude=*.tmp,cache/");
            Form::new(Purpose::Set { name: repository.name.clone() }, vec![blank])
        }
        (Which::SyncPath, Some(Repository { name, path, .. })) => {
            let root = PathBuf::from(OsStr::from_bytes(path));
            let blank = Blank::new("path", Sort::Directory(Some(root)), "", "relative to the repository");
            Form::new(Purpose::SyncPath { name: name.clone() }, vec![blank])
        }
        (Which::SyncDates, Some(Repository { name, settings, .. })) => {
            let today = state.zone.exact(state.now.wall).split(' ').next().unwrap_or_default().to_owned();
            let blanks = ["from", "to"].map(|label| Blank::new(label, Sort::Text, today.clone(), "a day"));
            let pattern = settings.date_pattern.clone()?;
            Form::new(Purpose::SyncDates { name: name.clone(), pattern }, blanks.into())
        }
        (Which::Rename | Which::Move | Which::Set | Which::SyncPath | Which::SyncDates, None) => return None,
    })
}

fn add(state: &State) -> Form {
    let here = crate::domain::show::show(state.forms.here.directory.as_os_str().as_bytes());
    let note = match here.is_empty() {
        true => "a directory: /... or ~/...".to_owned(),
        false => format!("a directory: /..., ~/..., or below {here}"),
    };
    Form::new(
        Purpose::Add { counting: None },
        vec![
            Blank::new("path", Sort::Directory(None), "", note),
            Blank::new("name", Sort::Text, "", ""),
            Blank::new("exclude", Sort::Text, "", "what to leave out, such as *.tmp,cache/"),
            Blank::new("hidden", Sort::YesNo, "no", ""),
        ],
    )
}

/// Returns what can be set for a repository, and what is.
fn settings(repository: &Repository) -> Vec<(String, String)> {
    let settings = &repository.settings;
    let (selection, list) = (&settings.selection, |list: &[String]| list.join(","));
    let pattern = settings.date_pattern.as_ref().map_or("", |pattern| pattern.as_str());
    let own = [
        ("include", list(&selection.include)),
        ("exclude", list(&selection.exclude)),
        ("type", list(&selection.types)),
        ("hidden", selection.hidden.to_string()),
        ("one_file_system", selection.one_file_system.to_string()),
        ("date_pattern", pattern.to_owned()),
    ];
    let overrides = repository_keys().map(|key| {
        let value = settings.overrides.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        (key.to_owned(), value.unwrap_or_else(|| "as in the config".to_owned()))
    });
    own.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(overrides).collect()
}
