//! The panes: each draws itself from the state into an area, or gives the lines that it consists of.

pub mod activity;
pub mod changes;
pub mod compare;
pub mod detail;
pub mod files;
pub mod health;
pub mod history;
pub mod kinds;
pub mod problems;
pub mod progress;
pub mod repositories;
pub mod status;

use super::state::{Place, State, Tab};
use crate::domain::path::RelPath;
use crate::domain::repository::RepositoryId;

/// Tells whether there is a table.
pub fn has_rows(place: Place) -> bool {
    matches!(place, Place::List | Place::Tab(Tab::History | Tab::Problems | Tab::Files | Tab::Changes))
}

/// Returns the orders that a table has, in words; the first is its own.
pub fn orders(place: Place) -> &'static [&'static str] {
    match place {
        Place::List => repositories::ORDERS,
        Place::Tab(Tab::History) => history::ORDERS,
        Place::Tab(_) => &[],
    }
}

/// Returns a path as it is, or where that is no text, as a shell takes it.
pub fn copied_path(path: &[u8]) -> String {
    std::str::from_utf8(path).map_or_else(|_| super::command_line::quoted(path), str::to_owned)
}

/// Returns a path of a repository from the root of the file system; `None` when the repository is gone.
pub fn full_path(state: &State, id: RepositoryId, path: &RelPath) -> Option<Vec<u8>> {
    let entry = state.entries().iter().find(|entry| entry.status.repository.id == id)?;
    let root = &entry.status.repository.path;
    if path.is_root() {
        return Some(root.clone());
    }
    Some(crate::domain::path::join(root.strip_suffix(b"/").unwrap_or(root), path.as_bytes()))
}

/// Returns the name or whole path of the selected row, as it is, not as it is shown.
pub fn copied(state: &State) -> Option<String> {
    match state.place() {
        Place::List => state.name().map(str::to_owned),
        Place::Tab(Tab::History) => {
            state.runs().iter().find(|run| Some(run.number) == state.run_at).map(|run| run.run_id.clone())
        }
        Place::Tab(Tab::Problems) => copied_of(state, state.selected?, problems::selected(state)?.path()),
        Place::Tab(Tab::Files) => copied_of(state, state.selected?, &state.files.selected()?.path),
        Place::Tab(Tab::Changes) => {
            let (repository, path) = super::changes::path_of_selected(state)?;
            copied_of(state, repository, path)
        }
        Place::Tab(_) => None,
    }
}

fn copied_of(state: &State, id: RepositoryId, path: &RelPath) -> Option<String> {
    full_path(state, id, path).map(|path| copied_path(&path))
}
