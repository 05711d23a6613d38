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

/// Returns the name or path of the selected row, as it is, not as it is shown.
pub fn copied(state: &State) -> Option<String> {
    match state.place() {
        Place::List => state.name().map(str::to_owned),
        Place::Tab(Tab::History) => {
            state.runs().iter().find(|run| Some(run.number) == state.run_at).map(|run| run.run_id.clone())
        }
        Place::Tab(Tab::Problems) => problems::selected(state).map(|found| copied_path(found.path().as_bytes())),
        Place::Tab(Tab::Files) => files::copied(state),
        Place::Tab(Tab::Changes) => super::changes::copied(state),
        Place::Tab(_) => None,
    }
}
