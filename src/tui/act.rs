//! What each action of the keymap does to the state. Pure, as [`super::update`] is.

use super::Exit;
use super::event::{Effect, Query};
use super::keymap::Action;
use super::state::{Detail, Engine, Focus, Overlay, State, Tab};
use super::update::read_selected;
use super::{trouble, view};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};

/// A second Ctrl-C within this time means: now.
const TWICE_MS: u64 = 2_000;

/// Carries out an action that is enabled.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => toggle_help(state),
        Action::Back => back(state),
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
        Action::Sync => return sync(state, Kind::Full, "sync"),
        Action::Verify => return sync(state, Kind::Verify, "verify"),
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
    (state.rows, state.run_at, state.trouble_at, state.detail) = (None, None, None, None);
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

/// One step back: what is in front goes first.
fn back(state: &mut State) {
    if state.overlay.is_some() {
        state.overlay = None;
    } else if !state.notices.is_empty() {
        // One at a time: the ones below have not been seen yet.
        state.notices.pop();
    } else if state.detail.is_some() {
        (state.detail, state.scroll) = (None, 0);
    } else if state.zoom {
        state.zoom = false;
    } else {
        state.focus = Focus::List;
    }
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
        Some(Overlay::Help { .. }) | None => Vec::new(),
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

fn sync(state: &State, kind: Kind, verb: &str) -> Vec<Effect> {
    let Some(name) = state.name() else { return Vec::new() };
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
        Tab::Problems => {
            state.detail = state.trouble_at.clone().map(Detail::Trouble);
            state.scroll = 0;
        }
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
    if let Some(Overlay::Help { scroll }) = state.overlay {
        let positions = view::help_scroll_limit(state) + 1;
        state.overlay = Some(Overlay::Help { scroll: way.from(scroll, positions) });
        return Vec::new();
    }
    match (state.focus, state.tab, &state.detail) {
        (Focus::List, ..) => {
            let ids: Vec<_> = state.entries().iter().map(|entry| entry.status.repository.id).collect();
            let next = way.among(&ids, state.selected.as_ref());
            return select(state, next);
        }
        (Focus::Body, Tab::History, None) => {
            let numbers: Vec<i64> = state.runs().iter().map(|run| run.number).collect();
            state.run_at = way.among(&numbers, state.run_at.as_ref());
        }
        (Focus::Body, Tab::Problems, None) => {
            let keys: Vec<_> = state.troubles().iter().map(trouble::Trouble::key).collect();
            state.trouble_at = way.among(&keys, state.trouble_at.as_ref());
        }
        (Focus::Body, ..) => state.scroll = way.from(state.scroll, view::scroll_limit(state) + 1),
    }
    Vec::new()
}
