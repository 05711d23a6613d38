//! What is done to a table: narrowed, put into another order, its row copied.

use super::super::event::Effect;
use super::super::field::Field;
use super::super::state::{Overlay, Place, State, Tab};
use super::super::{changes, pane};
use super::{Way, select};
use crate::domain::amount;

/// Lets a filter be typed.
pub fn filter(state: &mut State) {
    let place = state.place();
    let before = state.filter(place).to_owned();
    state.overlay = Some(Overlay::Filter { place, field: Field::with(before.clone()), before });
}

/// Takes over what was typed into a filter.
pub fn narrow(state: &mut State, place: Place, typed: String) -> Vec<Effect> {
    state.views.entry(place).or_default().filter = typed;
    if place == Place::Tab(Tab::Files) {
        return pane::files::search(state);
    }
    keep_in_view(state)
}

/// Takes the next order.
pub fn sort(state: &mut State) {
    let place = state.place();
    let orders = pane::orders(place);
    let view = state.views.entry(place).or_default();
    view.order = (view.order + 1) % orders.len().max(1);
    if let Some(order) = orders.get(view.order) {
        state.note(format!("sorted {order}"));
    }
}

/// Selects the first row where the selected one is not shown any more.
pub fn keep_in_view(state: &mut State) -> Vec<Effect> {
    let runs: Vec<i64> = state.listed_runs().iter().map(|run| run.number).collect();
    state.run_at = Way::Up(0).among(&runs, state.run_at.as_ref());
    let keys = pane::problems::keys(state);
    state.problems.select(Way::Up(0).among(&keys, state.problems.selected().as_ref()));
    changes::narrow(state);
    let ids: Vec<_> = state.listed().iter().map(|entry| entry.status.repository.id).collect();
    // A list that shows nothing leaves the tabs as they are.
    let next = Way::Up(0).among(&ids, state.selected.as_ref()).or(state.selected);
    let mut effects = select(state, next);
    effects.extend(changes::reads(state));
    effects
}

/// Hands a text to the terminal's clipboard.
pub fn copy(state: &mut State, text: Option<String>) -> Vec<Effect> {
    /// What terminals and multiplexers take at once, in letters of the text.
    const MOST: usize = 74_994 / 4 * 3;
    let Some(text) = text else { return Vec::new() };
    if text.len() > MOST {
        state.warn(format!("{} are too much for a terminal's clipboard", amount::bytes(text.len() as u64)), None);
        return Vec::new();
    }
    state.note(format!("sent to the terminal's clipboard: {text}"));
    vec![Effect::Copy(text)]
}
