//! What each action of the keymap does to the state. Pure, as [`super::update`] is.

pub mod problems;
mod repository;
mod table;

pub use table::narrow;

use super::Exit;
use super::event::{Effect, Query};
use super::field::Field;
use super::keymap::Action;
use super::state::{Detail, Engine, Focus, Overlay, Question, State, Tab};
use super::update::read_selected;
use super::{away, changes, export, form, palette, pane, plan, view};
use crate::domain::repository::RepositoryId;
use crate::engine::protocol::Command;

/// A second Ctrl-C within this time means: now.
const TWICE_MS: u64 = 2_000;

/// Carries out an action that is enabled.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => toggle_help(state),
        Action::Palette => state.overlay = Some(Overlay::Palette { field: Field::default(), at: 0 }),
        Action::Messages => toggle_messages(state),
        Action::Mouse => return toggle_mouse(state),
        Action::Away => return away::open(state),
        Action::TurnChanges => return changes::turn(state),
        Action::Back => return back(state),
        Action::Quit | Action::Interrupt => return leave(state, action),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::NextPane | Action::PreviousPane => {
            state.focus = if state.focus == Focus::List { Focus::Body } else { Focus::List };
        }
        Action::ShowList => state.focus = Focus::List,
        Action::Show(tab) => return show(state, tab),
        Action::NextTab => return step_tab(state, 1),
        Action::PreviousTab => return step_tab(state, Tab::ALL.len() - 1),
        Action::Examine => return show(state, Tab::Health),
        Action::Zoom => state.zoom = !state.zoom,
        Action::Up => return travel(state, Way::Up(1)),
        Action::Down => return travel(state, Way::Down(1)),
        Action::HalfPageUp => return travel(state, Way::Up(view::half_page(state))),
        Action::HalfPageDown => return travel(state, Way::Down(view::half_page(state))),
        Action::First => return travel(state, Way::First),
        Action::Last => return travel(state, Way::Last),
        Action::Open => return open(state),
        Action::Older => return step_run(state, Way::Down(1)),
        Action::Newer => return step_run(state, Way::Up(1)),
        Action::Mark => pane::history::mark(state),
        Action::Compare => return pane::compare::open(state),
        Action::Fold => return fold(state),
        Action::Export => state.overlay = export::prompt(state),
        Action::Filter => table::filter(state),
        Action::Sort => table::sort(state),
        Action::Copy => return table::copy(state, pane::copied(state)),
        Action::CopyHash => return table::copy(state, pane::files::hash(state)),
        Action::ParentDirectory => return pane::files::up(state),
        Action::SyncPath => return pane::files::sync(state),
        Action::CopyCommand => return table::copy(state, state.asked.clone()),
        Action::Sync(kind) => return repository::sync(state, kind),
        Action::Pause => return repository::pause(state),
        Action::Fill(which) => return form::open(state, which),
        Action::NextBlank => return form::complete_or_next(state),
        Action::PreviousBlank => return form::step(state, -1),
        Action::Plan => return plan::ask(state),
        Action::ShowPlan => plan::show(state),
        Action::RunPlan => return plan::run(state),
        Action::Remove => repository::ask_to_remove(state),
        Action::Schedule(is_on) => return repository::schedule(is_on),
        Action::LookAgain => return problems::look_again(state),
        Action::LookAtProblems => return problems::look_at_all(state),
        Action::Acknowledge => return problems::acknowledge(state),
        Action::Choose => problems::choose(state),
        Action::Enter => return enter(state),
        Action::Cancel => ask_to_cancel(state),
        Action::Yes | Action::GoOn | Action::HandOver => return answer(state, action),
        Action::No => state.overlay = None,
    }
    Vec::new()
}

/// Asks about the selected run of the progress, or what runs in the selected repository.
fn ask_to_cancel(state: &mut State) {
    state.overlay = match has_progress(state) {
        true => pane::progress::cancel(state),
        false => state.name().map(|name| Overlay::Cancel { name: name.to_owned() }),
    };
}

/// Selects a repository; its rows are asked for when it is another one.
pub fn select(state: &mut State, id: Option<RepositoryId>) -> Vec<Effect> {
    if state.selected == id {
        return Vec::new();
    }
    state.selected = id;
    problems::close(state);
    (state.rows, state.run_at, state.problems.at, state.detail) = (None, None, None, None);
    state.files = pane::files::Model::default();
    state.scroll = 0;
    state.history.marks.clear();
    if state.changes.is_narrow {
        state.changes.open = None;
        changes::narrow(state);
    }
    read_selected(state)
}

/// A way through rows or lines.
#[derive(Clone, Copy)]
pub enum Way {
    Up(usize),
    Down(usize),
    First,
    Last,
}

impl Way {
    /// Returns where it leads from `at`, among `rows`.
    pub fn from(self, at: usize, rows: usize) -> usize {
        let last = rows.saturating_sub(1);
        match self {
            Way::Up(by) => at.saturating_sub(by),
            Way::Down(by) => at.saturating_add(by).min(last),
            Way::First => 0,
            Way::Last => last,
        }
    }

    /// Returns the key that it leads to from the selected one.
    fn among<K: Clone + PartialEq>(self, keys: &[K], selected: Option<&K>) -> Option<K> {
        let at = keys.iter().position(|key| Some(key) == selected).unwrap_or(0);
        keys.get(self.from(at, keys.len())).cloned()
    }
}

fn toggle_help(state: &mut State) {
    state.overlay = match state.overlay {
        Some(Overlay::Help { .. }) => None,
        _ => Some(Overlay::Help { scroll: 0 }),
    };
}

fn toggle_mouse(state: &mut State) -> Vec<Effect> {
    state.mouse = !state.mouse;
    state.note(if state.mouse { "clicks and the wheel work here" } else { "the mouse is the terminal's own again" });
    vec![Effect::Mouse(state.mouse)]
}

fn toggle_messages(state: &mut State) {
    state.overlay = match state.overlay {
        Some(Overlay::Messages { .. }) => None,
        _ => Some(Overlay::Messages { scroll: 0 }),
    };
}

/// One step back: what is in front goes first.
fn back(state: &mut State) -> Vec<Effect> {
    if let Some(overlay) = state.overlay.take() {
        if let Overlay::Filter { place, .. } = overlay {
            return narrow(state, place, String::new());
        }
        return Vec::new();
    }
    // It is seen, and takes no key away from the pane. One at a time: the ones below have not been seen yet.
    state.notices.pop();
    if let Some(detail) = state.detail.take() {
        state.scroll = 0;
        if let Detail::Trouble(_) = detail {
            problems::close_path(state);
        }
    } else if state.focus == Focus::Body && problems::is_open(state) {
        problems::close(state);
    } else if state.tab == Tab::Changes && state.focus == Focus::Body && state.changes.open.is_some() {
        state.changes.open = None;
    } else if state.zoom {
        state.zoom = false;
    } else if !state.filter(state.place()).is_empty() {
        return narrow(state, state.place(), String::new());
    } else if pane::files::has_up(state) {
        return pane::files::up(state);
    } else {
        state.focus = Focus::List;
    }
    Vec::new()
}

fn leave(state: &mut State, action: Action) -> Vec<Effect> {
    let now_ms = state.now.monotonic_ms;
    if action == Action::Interrupt {
        let is_second = state.interrupted_ms.is_some_and(|before| now_ms.saturating_sub(before) <= TWICE_MS);
        state.interrupted_ms = Some(now_ms);
        if is_second || (state.overlay == Some(Overlay::Quit)) {
            return vec![Effect::Quit(ending(state))];
        }
    }
    if state.overlay.is_some() {
        state.overlay = None;
    } else if asks_before_leaving(state) {
        state.overlay = Some(Overlay::Quit);
    } else {
        return vec![Effect::Quit(Exit::Quit)];
    }
    Vec::new()
}

/// Leaving is a decision where the engine ends with its screens: about its runs, and about who keeps watch then.
pub fn asks_before_leaving(state: &State) -> bool {
    state.engine == Engine::WhileUsed && (state.has_runs() || state.has_service)
}

/// How the screen ends when the engine behind it is not to go on.
fn ending(state: &State) -> Exit {
    match state.engine == Engine::WhileUsed && state.has_runs() {
        true => Exit::QuitWhileRunning { cancel: true },
        false => Exit::Quit,
    }
}

fn answer(state: &mut State, action: Action) -> Vec<Effect> {
    match state.overlay.take() {
        Some(Overlay::Quit) => vec![Effect::Quit(match action {
            Action::HandOver => Exit::HandOver,
            Action::GoOn => Exit::QuitWhileRunning { cancel: false },
            _ => ending(state),
        })],
        Some(Overlay::Cancel { name }) => {
            let about = format!("cancel {name}");
            vec![Effect::Send { command: Command::Cancel { names: vec![name], run: None }, about }]
        }
        Some(Overlay::Ask(question)) => question.then,
        _ => Vec::new(),
    }
}

fn show(state: &mut State, tab: Tab) -> Vec<Effect> {
    (state.tab, state.detail, state.scroll) = (tab, None, 0);
    state.focus = Focus::Body;
    match tab {
        Tab::Health => pane::health::ask(state),
        Tab::Changes => changes::reads(state),
        _ => pane::files::read(state),
    }
}

fn step_tab(state: &mut State, by: usize) -> Vec<Effect> {
    let at = Tab::ALL.iter().position(|tab| *tab == state.tab).unwrap_or(0);
    show(state, Tab::ALL[(at + by) % Tab::ALL.len()])
}

/// Takes what was typed.
fn enter(state: &mut State) -> Vec<Effect> {
    match state.overlay.take() {
        Some(Overlay::Palette { field, at }) => {
            let found = palette::matching(field.text());
            let Some(binding) = found.get(at.min(found.len().saturating_sub(1))) else { return Vec::new() };
            match (binding.enabled)(state) {
                Ok(()) => return act(state, binding.action),
                Err(reason) => state.note(format!("{}: {reason}", binding.name.replace('-', " "))),
            }
        }
        Some(Overlay::Ask(Question { typed: Some((wanted, field)), then, .. })) if field.text() == wanted => {
            return then;
        }
        Some(Overlay::Ask(question)) => state.overlay = Some(Overlay::Ask(question)),
        Some(Overlay::Export(field)) => return export::write(state, &field),
        Some(Overlay::Form(filled)) => {
            state.overlay = Some(Overlay::Form(filled));
            return form::enter(state);
        }
        Some(Overlay::Choose(choice)) => return problems::answer(state, choice),
        _ => {}
    }
    Vec::new()
}

fn open(state: &mut State) -> Vec<Effect> {
    if state.focus == Focus::List {
        state.focus = Focus::Body;
        return Vec::new();
    }
    match state.tab {
        Tab::Status => return show(state, Tab::History),
        Tab::Files => return pane::files::open(state),
        Tab::Progress | Tab::Health => {}
        Tab::History => return open_run(state),
        Tab::Changes => return changes::open(state),
        Tab::Problems => return problems::open(state),
    }
    Vec::new()
}

fn open_run(state: &mut State) -> Vec<Effect> {
    let (Some(repository), Some(number)) = (state.selected, state.run_at) else { return Vec::new() };
    state.detail = Some(Detail::Run { number, rows: None });
    state.scroll = 0;
    vec![Effect::Read(Query::Run { repository, number })]
}

/// Tells whether a run of the Progress tab is what an action is about.
pub fn has_progress(state: &State) -> bool {
    state.focus == Focus::Body && state.tab == Tab::Progress && state.detail.is_none() && state.has_runs()
}

fn fold(state: &mut State) -> Vec<Effect> {
    state.history.is_unfolded = !state.history.is_unfolded;
    table::keep_in_view(state)
}

fn step_run(state: &mut State, way: Way) -> Vec<Effect> {
    let numbers: Vec<i64> = state.listed_runs().iter().map(|run| run.number).collect();
    let next = way.among(&numbers, state.run_at.as_ref());
    if next == state.run_at {
        state.note("there is no further run");
        return Vec::new();
    }
    state.run_at = next;
    open_run(state)
}

/// Moves in whatever has the focus.
fn travel(state: &mut State, way: Way) -> Vec<Effect> {
    let limit = match state.overlay {
        Some(Overlay::Away { .. }) => view::away_scroll_limit(state),
        _ => view::message_scroll_limit(state),
    };
    let plan_limit = view::plan_scroll_limit(state);
    if let Some(Overlay::Help { scroll }) = state.overlay {
        let positions = view::help_scroll_limit(state) + 1;
        state.overlay = Some(Overlay::Help { scroll: way.from(scroll, positions) });
        return Vec::new();
    }
    match &mut state.overlay {
        Some(Overlay::Messages { scroll } | Overlay::Away { scroll }) => {
            let positions = limit + 1;
            *scroll = way.from(*scroll, positions);
            return Vec::new();
        }
        Some(Overlay::Plan { scroll }) => {
            *scroll = way.from(*scroll, plan_limit + 1);
            return Vec::new();
        }
        Some(Overlay::Form(_)) => return form::step(state, if matches!(way, Way::Up(_)) { -1 } else { 1 }),
        Some(Overlay::Palette { field, at }) => {
            *at = way.from(*at, palette::matching(field.text()).len());
            return Vec::new();
        }
        _ => {}
    }
    match (state.focus, state.tab, &state.detail) {
        (Focus::List, ..) => {
            let ids: Vec<_> = state.listed().iter().map(|entry| entry.status.repository.id).collect();
            // A filter that lets nothing through leaves the selection alone.
            let next = way.among(&ids, state.selected.as_ref()).or(state.selected);
            return select(state, next);
        }
        (Focus::Body, Tab::History, None) => {
            let numbers: Vec<i64> = state.listed_runs().iter().map(|run| run.number).collect();
            state.run_at = way.among(&numbers, state.run_at.as_ref());
        }
        (Focus::Body, Tab::Problems, None) => {
            let keys = pane::problems::keys(state);
            state.problems.select(way.among(&keys, state.problems.selected().as_ref()));
        }
        (Focus::Body, Tab::Progress, None) if pane::progress::ids(state).len() > 1 => {
            let next = way.among(&pane::progress::ids(state), pane::progress::selected(state).as_ref());
            pane::progress::select(state, next);
        }
        (Focus::Body, Tab::Files, None) => return pane::files::travel(state, way),
        (Focus::Body, Tab::Changes, None) => return changes::travel(state, way),
        (Focus::Body, ..) => state.scroll = way.from(state.scroll, view::scroll_limit(state) + 1),
    }
    Vec::new()
}
