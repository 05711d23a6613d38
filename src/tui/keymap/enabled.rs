//! What can be done now, and why not: the conditions of the keymap's rows.

use super::super::act::problems;
use super::super::pane;
use super::super::state::{Detail, Engine, Focus, Overlay, State, Tab};

/// Why something cannot be done now, in words; empty: it needs none.
pub type Can = Result<(), &'static str>;

pub fn always(_: &State) -> Can {
    Ok(())
}

pub fn can_send(state: &State) -> Can {
    match (state.engine, state.selected) {
        (Engine::Ended, _) => Err("the engine has ended"),
        (_, None) => Err("no repository is selected"),
        _ => Ok(()),
    }
}

pub fn can_cancel(state: &State) -> Can {
    can_send(state)?;
    if state.name().is_some_and(|name| state.is_busy(name)) { Ok(()) } else { Err("nothing runs or waits here") }
}

pub fn can_look_at_problems(state: &State) -> Can {
    can_send(state)?;
    let open = state.entry().map_or(0, |entry| entry.status.open_problems);
    if open > 0 { Ok(()) } else { Err("no problem is open here") }
}

pub fn can_look_again(state: &State) -> Can {
    can_send(state).and_then(|()| problems::can_look_again(state))
}

pub fn can_acknowledge(state: &State) -> Can {
    can_send(state).and_then(|()| problems::can_acknowledge(state))
}

pub fn can_choose(state: &State) -> Can {
    can_send(state).and_then(|()| problems::can_choose(state))
}

pub fn can_go_on(state: &State) -> Can {
    if state.overlay == Some(Overlay::Quit) { Ok(()) } else { Err("only when quitting") }
}

pub fn can_open(state: &State) -> Can {
    match (state.focus, state.tab, &state.detail) {
        _ if state.overlay.is_some() => Err(""),
        (Focus::Body, _, Some(_)) => Err(""),
        (Focus::List, ..) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::Status, None) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::History, None) if state.run_at.is_some() => Ok(()),
        (Focus::Body, Tab::Problems, None) if state.problems.selected().is_some() => Ok(()),
        _ => Err("there is nothing to open"),
    }
}

pub fn can_go_back(state: &State) -> Can {
    let is_in_front = state.overlay.is_some() || !state.notices.is_empty() || state.detail.is_some() || state.zoom;
    let is_narrowed = !state.filter(state.place()).is_empty();
    if is_in_front || is_narrowed || state.focus == Focus::Body { Ok(()) } else { Err("") }
}

pub fn can_filter(state: &State) -> Can {
    if pane::has_rows(state.place()) && state.detail.is_none() { Ok(()) } else { Err("there is no table here") }
}

pub fn can_sort(state: &State) -> Can {
    can_filter(state)?;
    if pane::orders(state.place()).len() > 1 { Ok(()) } else { Err("this table has one order") }
}

pub fn can_copy(state: &State) -> Can {
    if pane::copied(state).is_some() { Ok(()) } else { Err("no row is selected") }
}

pub fn can_copy_command(state: &State) -> Can {
    if state.asked.is_some() { Ok(()) } else { Err("nothing was asked for yet") }
}

pub fn has_run_open(state: &State) -> Can {
    if matches!(state.detail, Some(Detail::Run { .. })) { Ok(()) } else { Err("open a run first") }
}
