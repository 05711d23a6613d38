//! What can be done now, and why not: the conditions of the keymap's rows.

use super::super::act::problems;
use super::super::state::{Detail, Engine, Focus, Overlay, Place, State, Tab};
use super::super::{act, export, pane, plan};

/// Why something cannot be done now, in words; empty: it needs none.
pub type Can = Result<(), &'static str>;

pub fn always(_: &State) -> Can {
    Ok(())
}

pub fn can_send(state: &State) -> Can {
    match (state.engine, state.selected) {
        (Engine::Lost, _) => Err("the engine has ended"),
        (_, None) => Err("no repository is selected"),
        _ if !state.is_listed() => Err("the filter of the list hides the selected repository"),
        _ => Ok(()),
    }
}

pub fn can_cancel(state: &State) -> Can {
    can_send(state)?;
    if act::has_progress(state) {
        return Ok(());
    }
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
    let is_choice = state.overlay == Some(Overlay::Quit) && state.has_runs();
    if is_choice { Ok(()) } else { Err("only when quitting while runs are going") }
}

pub fn can_hand_over(state: &State) -> Can {
    let is_choice = state.overlay == Some(Overlay::Quit) && state.has_service;
    if is_choice { Ok(()) } else { Err("only when quitting, and with a service that is enabled") }
}

pub fn can_export(state: &State) -> Can {
    if export::sheet(state).is_some() { Ok(()) } else { Err("there is no table here") }
}

pub fn can_mark(state: &State) -> Can {
    let is_table = state.tab == Tab::History && state.detail.is_none();
    if is_table && state.run_at.is_some() { Ok(()) } else { Err("the history shows no run") }
}

pub fn can_compare(state: &State) -> Can {
    if matches!(state.detail, Some(Detail::Compare { .. })) {
        return Err("esc, and mark others");
    }
    if pane::compare::pair(state).is_some() { Ok(()) } else { Err("mark a run with space, then select another") }
}

pub fn can_examine(state: &State) -> Can {
    if state.engine == Engine::Lost { Err("the engine has ended") } else { Ok(()) }
}

pub fn can_open(state: &State) -> Can {
    match (state.focus, state.tab, &state.detail) {
        _ if state.overlay.is_some() => Err(""),
        (Focus::Body, _, Some(_)) => Err(""),
        (Focus::List, ..) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::Status, None) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::History, None) if state.run_at.is_some() => Ok(()),
        (Focus::Body, Tab::Problems, None) if state.problems.selected().is_some() => Ok(()),
        (Focus::Body, Tab::Files, None) if state.files.selected().is_some() => Ok(()),
        (Focus::Body, Tab::Changes, None) if state.changes.open.is_some() => Err(""),
        (Focus::Body, Tab::Changes, None) if state.changes.at.is_some() => Ok(()),
        _ => Err("there is nothing to open"),
    }
}

pub fn can_go_back(state: &State) -> Can {
    let is_in_front = state.overlay.is_some() || !state.notices.is_empty() || state.detail.is_some() || state.zoom;
    let is_narrowed = !state.filter(state.place()).is_empty();
    if is_in_front || is_narrowed || state.focus == Focus::Body { Ok(()) } else { Err("") }
}

pub fn can_filter(state: &State) -> Can {
    let is_open = state.place() == Place::Tab(Tab::Changes) && state.changes.open.is_some();
    if pane::has_rows(state.place()) && state.detail.is_none() && !is_open {
        Ok(())
    } else {
        Err("there is no table here")
    }
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

pub fn can_sync_path(state: &State) -> Can {
    can_send(state)?;
    has_file_selected(state)
}

pub fn has_file_selected(state: &State) -> Can {
    let is_selected = pane::files::is_in_front(state) && state.files.selected().is_some();
    if is_selected { Ok(()) } else { Err("no row of Files is selected") }
}

pub fn has_hash(state: &State) -> Can {
    has_file_selected(state)?;
    if pane::files::hash(state).is_some() { Ok(()) } else { Err("it has none") }
}

pub fn can_go_up(state: &State) -> Can {
    if pane::files::has_up(state) { Ok(()) } else { Err("") }
}

pub fn has_run_open(state: &State) -> Can {
    if matches!(state.detail, Some(Detail::Run { .. })) { Ok(()) } else { Err("open a run first") }
}

pub fn has_engine(state: &State) -> Can {
    if state.engine == Engine::Lost { Err("the engine has ended") } else { Ok(()) }
}

pub fn can_add(state: &State) -> Can {
    if state.overlay.is_some() { Err("") } else { has_engine(state) }
}

pub fn can_sync_dates(state: &State) -> Can {
    can_send(state)?;
    let pattern = state.entry().and_then(|entry| entry.status.repository.settings.date_pattern.as_ref());
    if pattern.is_some() { Ok(()) } else { Err("set date_pattern=%Y/%m/%d.md first") }
}

pub fn has_plan(state: &State) -> Can {
    if state.forms.plan.is_some() { Ok(()) } else { Err("make a plan first") }
}

pub fn can_run_plan(state: &State) -> Can {
    has_engine(state)?;
    if plan::is_whole(state) { Ok(()) } else { Err("the plan did not come to its end") }
}

pub fn can_start_schedule(state: &State) -> Can {
    has_engine(state)?;
    if state.forms.scheduler.running { Err("it runs") } else { Ok(()) }
}

pub fn can_stop_schedule(state: &State) -> Can {
    has_engine(state)?;
    if state.forms.scheduler.running { Ok(()) } else { Err("it is stopped") }
}

pub fn in_changes(state: &State) -> Can {
    if state.place() == Place::Tab(Tab::Changes) { Ok(()) } else { Err("only in Changes") }
}

pub fn can_look_back(state: &State) -> Can {
    if state.changes.since.is_some() { Ok(()) } else { Err("you are here for the first time") }
}
