//! What each action of the keymap does to the state. Pure, as [`super::update`] is.

pub mod problems;

use super::Exit;
use super::event::{Effect, Query};
use super::field::Field;
use super::keymap::Action;
use super::state::{Detail, Engine, Focus, Overlay, Place, Question, State, Tab};
use super::update::read_selected;
use super::{palette, pane, view};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};

/// A second Ctrl-C within this time means: now.
const TWICE_MS: u64 = 2_000;

/// Carries out an action that is enabled.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => toggle_help(state),
        Action::Palette => state.overlay = Some(Overlay::Palette { field: Field::default(), at: 0 }),
        Action::Messages => toggle_messages(state),
        Action::Back => return back(state),
        Action::Quit | Action::Interrupt => return leave(state, action),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::NextPane | Action::PreviousPane => {
            state.focus = if state.focus == Focus::List { Focus::Body } else { Focus::List };
        }
        Action::ShowList => state.focus = Focus::List,
        Action::Show(tab) => show(state, tab),
        Action::NextTab => step_tab(state, 1),
        Action::PreviousTab => step_tab(state, Tab::ALL.len() - 1),
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
        Action::Filter => filter(state),
        Action::Sort => sort(state),
        Action::Copy => return copy(state, pane::copied(state)),
        Action::CopyCommand => return copy(state, state.asked.clone()),
        Action::Sync(kind) => return sync(state, kind),
        Action::Pause => return pause(state),
        Action::LookAgain => return problems::look_again(state),
        Action::LookAtProblems => return problems::look_at_all(state),
        Action::Acknowledge => return problems::acknowledge(state),
        Action::Choose => problems::choose(state),
        Action::Enter => return enter(state),
        Action::Cancel => state.overlay = state.name().map(|name| Overlay::Cancel { name: name.to_owned() }),
        Action::Yes | Action::GoOn => return answer(state, action),
        Action::No => state.overlay = None,
    }
    Vec::new()
}

/// Selects a repository; its rows are asked for when it is another one.
pub fn select(state: &mut State, id: Option<RepositoryId>) -> Vec<Effect> {
    if state.selected == id {
        return Vec::new();
    }
    state.selected = id;
    problems::close(state);
    (state.rows, state.run_at, state.problems.at, state.detail) = (None, None, None, None);
    state.scroll = 0;
    read_selected(state)
}

/// A way through rows or lines.
#[derive(Clone, Copy)]
enum Way {
    Up(usize),
    Down(usize),
    First,
    Last,
}

impl Way {
    /// Returns where it leads from `at`, among `rows`.
    fn from(self, at: usize, rows: usize) -> usize {
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
    } else if !state.notices.is_empty() {
        // One at a time: the ones below have not been seen yet.
        state.notices.pop();
    } else if let Some(detail) = state.detail.take() {
        state.scroll = 0;
        if let Detail::Trouble(_) = detail {
            problems::close_path(state);
        }
    } else if state.focus == Focus::Body && problems::is_open(state) {
        problems::close(state);
    } else if state.zoom {
        state.zoom = false;
    } else if !state.filter(state.place()).is_empty() {
        return narrow(state, state.place(), String::new());
    } else {
        state.focus = Focus::List;
    }
    Vec::new()
}

fn leave(state: &mut State, action: Action) -> Vec<Effect> {
    let now_ms = state.now.monotonic_ms;
    let is_asking = state.engine == Engine::Here && state.has_runs();
    if action == Action::Interrupt {
        let is_second = state.interrupted_ms.is_some_and(|before| now_ms.saturating_sub(before) <= TWICE_MS);
        state.interrupted_ms = Some(now_ms);
        if is_second || (state.overlay == Some(Overlay::Quit)) {
            return vec![Effect::Quit(if is_asking { Exit::QuitWhileRunning { cancel: true } } else { Exit::Quit })];
        }
    }
    if state.overlay.is_some() {
        state.overlay = None;
    } else if is_asking {
        state.overlay = Some(Overlay::Quit);
    } else {
        return vec![Effect::Quit(Exit::Quit)];
    }
    Vec::new()
}

fn answer(state: &mut State, action: Action) -> Vec<Effect> {
    match state.overlay.take() {
        Some(Overlay::Quit) => vec![Effect::Quit(Exit::QuitWhileRunning { cancel: action == Action::Yes })],
        Some(Overlay::Cancel { name }) => {
            let about = format!("cancel {name}");
            vec![Effect::Send { command: Command::Cancel { names: vec![name], run: None }, about }]
        }
        Some(Overlay::Ask(question)) => question.then,
        _ => Vec::new(),
    }
}

fn show(state: &mut State, tab: Tab) {
    (state.tab, state.detail, state.scroll) = (tab, None, 0);
    state.focus = Focus::Body;
}

fn step_tab(state: &mut State, by: usize) {
    let at = Tab::ALL.iter().position(|tab| *tab == state.tab).unwrap_or(0);
    show(state, Tab::ALL[(at + by) % Tab::ALL.len()]);
}

fn filter(state: &mut State) {
    let place = state.place();
    let before = state.filter(place).to_owned();
    state.overlay = Some(Overlay::Filter { place, field: Field::with(before.clone()), before });
}

/// Takes over what was typed into a filter.
pub fn narrow(state: &mut State, place: Place, typed: String) -> Vec<Effect> {
    state.views.entry(place).or_default().filter = typed;
    keep_in_view(state)
}

fn sort(state: &mut State) {
    let place = state.place();
    let orders = pane::orders(place);
    let view = state.views.entry(place).or_default();
    view.order = (view.order + 1) % orders.len().max(1);
    if let Some(order) = orders.get(view.order) {
        state.note(format!("sorted {order}"));
    }
}

/// Selects the first row where the selected one is not shown any more.
fn keep_in_view(state: &mut State) -> Vec<Effect> {
    let runs: Vec<i64> = state.listed_runs().iter().map(|run| run.number).collect();
    state.run_at = Way::Up(0).among(&runs, state.run_at.as_ref());
    let keys = pane::problems::keys(state);
    state.problems.select(Way::Up(0).among(&keys, state.problems.selected().as_ref()));
    let ids: Vec<_> = state.listed().iter().map(|entry| entry.status.repository.id).collect();
    // A list that shows nothing leaves the tabs as they are.
    let next = Way::Up(0).among(&ids, state.selected.as_ref()).or(state.selected);
    select(state, next)
}

fn copy(state: &mut State, text: Option<String>) -> Vec<Effect> {
    /// What terminals and multiplexers take at once, in letters of the text.
    const MOST: usize = 74_994 / 4 * 3;
    let Some(text) = text else { return Vec::new() };
    if text.len() > MOST {
        state.warn(
            format!("{} are too much for a terminal's clipboard", crate::domain::amount::bytes(text.len() as u64)),
            None,
        );
        return Vec::new();
    }
    state.note(format!("sent to the terminal's clipboard: {text}"));
    vec![Effect::Copy(text)]
}

fn pause(state: &mut State) -> Vec<Effect> {
    let Some(entry) = state.entry() else { return Vec::new() };
    let name = entry.status.repository.name.clone();
    let names = vec![name.clone()];
    let (command, about) = match entry.status.repository.paused_at {
        Some(_) => (Command::Resume { names }, format!("resume {name}")),
        None => (Command::Pause { names }, format!("pause {name}")),
    };
    vec![Effect::Send { command, about }]
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
        Some(Overlay::Choose(choice)) => return problems::answer(state, choice),
        _ => {}
    }
    Vec::new()
}

fn sync(state: &State, kind: Kind) -> Vec<Effect> {
    let Some(name) = state.name() else { return Vec::new() };
    let verb = if kind == Kind::Full { "sync" } else { kind.as_str() };
    let request = SyncRequest::new(vec![name.to_owned()], kind, Trigger::User);
    vec![Effect::Send { command: Command::Sync(Box::new(request)), about: format!("{verb} {name}") }]
}

fn open(state: &mut State) -> Vec<Effect> {
    if state.focus == Focus::List {
        state.focus = Focus::Body;
        return Vec::new();
    }
    match state.tab {
        Tab::Status => show(state, Tab::History),
        Tab::Progress => {}
        Tab::History => return open_run(state),
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

fn step_run(state: &mut State, way: Way) -> Vec<Effect> {
    let numbers: Vec<i64> = state.runs().iter().map(|run| run.number).collect();
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
    let limit = view::message_scroll_limit(state);
    if let Some(Overlay::Help { scroll }) = state.overlay {
        let positions = view::help_scroll_limit(state) + 1;
        state.overlay = Some(Overlay::Help { scroll: way.from(scroll, positions) });
        return Vec::new();
    }
    match &mut state.overlay {
        Some(Overlay::Messages { scroll }) => {
            let positions = limit + 1;
            *scroll = way.from(*scroll, positions);
            return Vec::new();
        }
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
        (Focus::Body, ..) => state.scroll = way.from(state.scroll, view::scroll_limit(state) + 1),
    }
    Vec::new()
}
