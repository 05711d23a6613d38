//! The one table of keys: it drives what a key does, the footer and the help, so that none of them can say other things.
//!
//! Letters that are tails of escape sequences (`A`-`D`, `F`, `H`, `<`, digits ...) may move the view and never write: over
//! a slow line a sequence may arrive in parts. `Ctrl` with letters that terminals and multiplexers take is not used.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{Detail, Engine, Focus, Overlay, State, Tab};

/// A key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Named(KeyCode),
}

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Help,
    Back,
    Quit,
    Interrupt,
    Suspend,
    Redraw,
    NextPane,
    PreviousPane,
    ShowList,
    Show(Tab),
    NextTab,
    PreviousTab,
    Zoom,
    Up,
    Down,
    HalfPageUp,
    HalfPageDown,
    First,
    Last,
    Open,
    Older,
    Newer,
    Sync,
    Verify,
    Cancel,
    Yes,
    GoOn,
    No,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Acts on the selected repository.
    Repository,
    /// Moves in what has the focus, and in the help.
    Move,
    Panes,
    Confirm,
    /// Whatever is on the screen.
    Always,
}

impl Context {
    pub fn title(self) -> &'static str {
        match self {
            Context::Repository => "The selected repository",
            Context::Move => "Moving",
            Context::Panes => "Panes",
            Context::Confirm => "A question",
            Context::Always => "Everywhere",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    pub context: Context,
    pub keys: &'static [Key],
    pub action: Action,
    /// Why it does nothing just now; an empty reason needs no words.
    pub enabled: fn(&State) -> Result<(), &'static str>,
    /// The word in the footer; empty: not there.
    pub short: &'static str,
    /// The words in the help.
    pub words: &'static str,
}

use Key::{Char, Ctrl, Named};

/// The table, in the order of footer and help.
pub const KEYMAP: &[Binding] = &[
    row(Context::Repository, &[Char('s')], Action::Sync, can_send, "sync", "bring up to date: list every directory"),
    row(Context::Repository, &[Char('v')], Action::Verify, can_send, "verify", "read all content again and compare"),
    row(Context::Repository, &[Char('x')], Action::Cancel, can_cancel, "cancel", "stop what runs; what is done stays"),
    row(Context::Confirm, &[Char('y')], Action::Yes, always, "yes", "do it"),
    row(Context::Confirm, &[Char('d')], Action::GoOn, can_go_on, "detach", "leave the screen, let the runs go on"),
    row(Context::Confirm, &[Char('n'), Named(KeyCode::Enter)], Action::No, always, "no", "leave everything as it is"),
    row(Context::Move, &[Named(KeyCode::Enter)], Action::Open, can_open, "open", "look into the selected row"),
    row(Context::Move, &[Named(KeyCode::Up), Char('k')], Action::Up, always, "", "up"),
    row(Context::Move, &[Named(KeyCode::Down), Char('j')], Action::Down, always, "", "down"),
    row(Context::Move, &[Named(KeyCode::PageUp), Ctrl('u')], Action::HalfPageUp, always, "", "half a page up"),
    row(Context::Move, &[Named(KeyCode::PageDown), Ctrl('d')], Action::HalfPageDown, always, "", "half a page down"),
    row(Context::Move, &[Char('g'), Named(KeyCode::Home)], Action::First, always, "", "to the first row"),
    row(Context::Move, &[Char('G'), Named(KeyCode::End)], Action::Last, always, "", "to the last row"),
    row(Context::Move, &[Char('<')], Action::Older, has_run_open, "older", "the run before the open one"),
    row(Context::Move, &[Char('>')], Action::Newer, has_run_open, "newer", "the run after the open one"),
    row(Context::Panes, &[Named(KeyCode::Tab)], Action::NextPane, always, "pane", "the other pane"),
    row(Context::Panes, &[Named(KeyCode::BackTab)], Action::PreviousPane, always, "", "the other pane, backwards"),
    row(Context::Panes, &[Char('0')], Action::ShowList, always, "", "the list of repositories"),
    row(Context::Panes, &[Char('1')], Action::Show(Tab::Status), always, "", "Status of the selected repository"),
    row(Context::Panes, &[Char('2')], Action::Show(Tab::Progress), always, "", "Progress of what runs and waits"),
    row(Context::Panes, &[Char('3')], Action::Show(Tab::History), always, "", "History: its runs"),
    row(Context::Panes, &[Char('4')], Action::Show(Tab::Problems), always, "", "Problems: what needs a person"),
    row(Context::Panes, &[Named(KeyCode::Left), Char('h')], Action::PreviousTab, always, "", "the tab to the left"),
    row(Context::Panes, &[Named(KeyCode::Right), Char('l')], Action::NextTab, always, "", "the tab to the right"),
    row(Context::Panes, &[Char('z')], Action::Zoom, always, "zoom", "one pane on the whole screen, and back"),
    row(
        Context::Always,
        &[Named(KeyCode::Esc)],
        Action::Back,
        can_go_back,
        "back",
        "close, clear the message, one step back",
    ),
    row(Context::Always, &[Char('q')], Action::Quit, always, "quit", "leave; asks when runs would stop"),
    row(Context::Always, &[Ctrl('c')], Action::Interrupt, always, "", "as q; twice: now, runs are cancelled"),
    row(Context::Always, &[Ctrl('z')], Action::Suspend, always, "", "to the shell; fg returns"),
    row(Context::Always, &[Ctrl('l')], Action::Redraw, always, "", "draw the screen anew"),
    row(Context::Always, &[Char('?')], Action::Help, no_question, "help", "the keys that work here"),
];

const fn row(
    context: Context,
    keys: &'static [Key],
    action: Action,
    enabled: fn(&State) -> Result<(), &'static str>,
    short: &'static str,
    words: &'static str,
) -> Binding {
    Binding { context, keys, action, enabled, short, words }
}

/// Returns the contexts that have the keys now, the innermost first.
pub fn contexts(state: &State) -> &'static [Context] {
    match state.overlay {
        None if state.entries.as_ref().is_some_and(Vec::is_empty) => &[Context::Always],
        None => &[Context::Repository, Context::Move, Context::Panes, Context::Always],
        Some(Overlay::Help { .. }) => &[Context::Move, Context::Always],
        Some(Overlay::Cancel { .. } | Overlay::Quit) => &[Context::Confirm, Context::Always],
    }
}

/// Returns what a key means now.
pub fn find(state: &State, key: Key) -> Option<&'static Binding> {
    let contexts = contexts(state);
    KEYMAP.iter().find(|binding| contexts.contains(&binding.context) && binding.keys.contains(&key))
}

impl Key {
    /// Returns the key that was pressed; `None` for what the table cannot name, such as Alt.
    pub fn from_event(event: &KeyEvent) -> Option<Key> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let modifiers = event.modifiers.difference(KeyModifiers::SHIFT);
        match event.code {
            KeyCode::Char(c) if modifiers == KeyModifiers::CONTROL => Some(Ctrl(c.to_ascii_lowercase())),
            KeyCode::Char(c) if modifiers.is_empty() => Some(Char(c)),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Some(Named(KeyCode::BackTab)),
            code if modifiers.is_empty() => Some(Named(code)),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    /// Writes the key as footer and help show it: `s`, `ctrl-c`, `enter`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Char(c) => write!(f, "{c}"),
            Ctrl(c) => write!(f, "ctrl-{c}"),
            Named(KeyCode::PageUp) => f.write_str("pgup"),
            Named(KeyCode::PageDown) => f.write_str("pgdn"),
            Named(KeyCode::BackTab) => f.write_str("shift-tab"),
            Named(code) => f.write_str(&format!("{code:?}").to_lowercase()),
        }
    }
}

fn always(_: &State) -> Result<(), &'static str> {
    Ok(())
}

fn no_question(state: &State) -> Result<(), &'static str> {
    match state.overlay {
        Some(Overlay::Cancel { .. } | Overlay::Quit) => Err("answer the question first"),
        _ => Ok(()),
    }
}

fn can_send(state: &State) -> Result<(), &'static str> {
    match (state.engine, state.selected) {
        (Engine::Ended, _) => Err("the engine has ended"),
        (_, None) => Err("no repository is selected"),
        _ => Ok(()),
    }
}

fn can_cancel(state: &State) -> Result<(), &'static str> {
    can_send(state)?;
    if state.name().is_some_and(|name| state.is_busy(name)) { Ok(()) } else { Err("nothing runs or waits here") }
}

fn can_go_on(state: &State) -> Result<(), &'static str> {
    if state.overlay == Some(Overlay::Quit) { Ok(()) } else { Err("only when quitting") }
}

fn can_open(state: &State) -> Result<(), &'static str> {
    match (state.focus, state.tab, &state.detail) {
        _ if state.overlay.is_some() => Err(""),
        (Focus::Body, _, Some(_)) => Err(""),
        (Focus::List, ..) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::Status, None) if state.selected.is_some() => Ok(()),
        (Focus::Body, Tab::History, None) if state.run_at.is_some() => Ok(()),
        (Focus::Body, Tab::Problems, None) if state.trouble_at.is_some() => Ok(()),
        _ => Err("there is nothing to open"),
    }
}

fn can_go_back(state: &State) -> Result<(), &'static str> {
    let is_in_front = state.overlay.is_some() || !state.notices.is_empty() || state.detail.is_some() || state.zoom;
    if is_in_front || state.focus == Focus::Body { Ok(()) } else { Err("") }
}

fn has_run_open(state: &State) -> Result<(), &'static str> {
    if matches!(state.detail, Some(Detail::Run { .. })) { Ok(()) } else { Err("open a run first") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETS: [&[Context]; 3] = [
        &[Context::Repository, Context::Move, Context::Panes, Context::Always],
        &[Context::Move, Context::Always],
        &[Context::Confirm, Context::Always],
    ];

    #[test]
    fn no_key_means_two_things_at_once() {
        for set in SETS {
            let mut seen = Vec::new();
            for binding in KEYMAP.iter().filter(|binding| set.contains(&binding.context)) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{key} in {set:?}");
                    seen.push(*key);
                }
            }
        }
    }

    #[test]
    fn every_row_has_a_key_and_words_for_the_help() {
        assert!(KEYMAP.iter().all(|binding| !binding.keys.is_empty() && !binding.words.is_empty()));
    }

    #[test]
    fn nothing_that_writes_is_on_a_key_that_may_arrive_by_accident() {
        let writes = [Action::Sync, Action::Verify, Action::Cancel, Action::Yes, Action::GoOn];
        for binding in KEYMAP.iter().filter(|binding| writes.contains(&binding.action)) {
            for key in binding.keys {
                assert!(matches!(key, Char('a'..='z')) && !matches!(key, Char('h' | 'j' | 'k' | 'l' | 'g')), "{key}");
            }
        }
    }

    #[test]
    fn keys_that_multiplexers_take_are_left_alone() {
        for key in KEYMAP.iter().flat_map(|binding| binding.keys) {
            assert!(!matches!(key, Ctrl('a' | 'b' | 'g' | 'h' | 'n'..='t' | 'i' | 'j' | 'm')), "{key}");
        }
    }
}
