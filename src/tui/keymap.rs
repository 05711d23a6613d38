//! The one table of keys: it drives what a key does, the footer and the help, so that none of them can say other things.
//!
//! Letters that are tails of escape sequences (`A`-`D`, `F`, `H`, `<`, digits ...) may move the view and never write: over
//! a slow line a sequence may arrive in parts. `Ctrl` with letters that terminals and multiplexers take is not used.

mod enabled;
mod key;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use enabled::Can;
pub use key::Key;
pub use table::KEYMAP;

use super::form::Which;
use super::pane;
use super::state::{Focus, Overlay, Place, State, Tab};
use crate::domain::run::Kind;

/// What a key, or a line of the palette, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Help,
    Palette,
    Messages,
    Mouse,
    Away,
    Back,
    Quit,
    Interrupt,
    Suspend,
    Redraw,
    NextPane,
    PreviousPane,
    ShowList,
    Show(Tab),
    Examine,
    Mark,
    Compare,
    Fold,
    Export,
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
    Filter,
    Sort,
    Copy,
    CopyCommand,
    CopyHash,
    ParentDirectory,
    SyncPath,
    Older,
    Newer,
    Sync(Kind),
    Pause,
    /// Open a form.
    Fill(Which),
    Plan,
    ShowPlan,
    /// Do what was planned.
    RunPlan,
    Remove,
    /// Start the schedule, or stop it.
    Schedule(bool),
    NextBlank,
    PreviousBlank,
    LookAgain,
    LookAtProblems,
    Acknowledge,
    Choose,
    Cancel,
    Yes,
    GoOn,
    HandOver,
    No,
    /// In the timeline: all repositories, or only the selected one.
    TurnChanges,
    /// In a line of text: take it as it is.
    Enter,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Acts on the selected repository.
    Repository,
    /// Acts on the selected row of the index.
    Files,
    /// Acts on the selected row of the Problems tab.
    Problems,
    /// Acts on the selected row of a table.
    Row,
    /// Acts on the runs of the history.
    History,
    /// Looks at the machine.
    Health,
    /// In the Changes tab.
    Changes,
    /// Moves in what has the focus, and in the help.
    Move,
    Panes,
    Confirm,
    /// While a line of text is typed: all other keys are its own.
    Text,
    /// While a form is filled in: as in a line of text.
    Form,
    /// While a plan is shown.
    Plan,
    /// While no text is typed and no question stands.
    Screen,
    /// Whatever is on the screen.
    Always,
}

impl Context {
    pub fn title(self) -> &'static str {
        match self {
            Context::Repository => "The selected repository",
            Context::Files => "Files",
            Context::Problems => "The selected problem",
            Context::Row => "The selected row",
            Context::History => "History",
            Context::Health => "Health",
            Context::Changes => "Changes",
            Context::Move => "Moving",
            Context::Panes => "Panes",
            Context::Confirm => "A question",
            Context::Text => "A line of text",
            Context::Form => "A form",
            Context::Plan => "A plan",
            Context::Screen | Context::Always => "Everywhere",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    pub context: Context,
    /// As the config and the README name it, such as `half-page-up`.
    pub name: &'static str,
    /// None: only in the palette.
    pub keys: &'static [Key],
    pub action: Action,
    /// Why it does nothing just now; an empty reason needs no words.
    pub enabled: fn(&State) -> Can,
    /// The word in the footer; empty: not there.
    pub short: &'static str,
    /// The words in help and palette.
    pub words: &'static str,
}

/// Which keys do what: the table, and what the config says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// By the names of their actions.
    changed: BTreeMap<&'static str, Key>,
}

/// Why the keys of the config cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct KeysError {
    /// As the config names it.
    pub action: String,
    pub reason: String,
}

impl Keys {
    /// Takes over what the config says: a key by the name of an action.
    ///
    /// # Errors
    /// When there is no such action or key, when two actions of one place would have the same key, or when something
    /// that writes would be on a key that a slow line may press by itself.
    pub fn new(changes: &BTreeMap<String, String>) -> Result<Keys, KeysError> {
        let mut keys = Keys::default();
        for (action, written) in changes {
            let fail = |reason: String| KeysError { action: action.clone(), reason };
            let binding = KEYMAP.iter().find(|binding| binding.name == action);
            let binding = binding.ok_or_else(|| fail("there is no such action; the help lists them".to_owned()))?;
            let key = Key::parse(written).ok_or_else(|| {
                fail(format!("{written:?} is no key; write it as the help does: s, ctrl-s, enter, pgup"))
            })?;
            if binding.action.writes() && !key.is_safe() {
                return Err(fail(format!("{key} may arrive by accident over a slow line, and this writes")));
            }
            keys.changed.insert(binding.name, key);
        }
        keys.check()?;
        Ok(keys)
    }

    fn check(&self) -> Result<(), KeysError> {
        for contexts in SETS {
            let mut seen: Vec<(Key, &Binding)> = Vec::new();
            for binding in KEYMAP.iter().filter(|binding| contexts.contains(&binding.context)) {
                for key in self.of(binding) {
                    let other = seen.iter().find(|(known, other)| known == key && other.context == binding.context);
                    if let Some((_, other)) = other {
                        let reason = format!("{key} is {} already", other.name);
                        return Err(KeysError { action: binding.name.to_owned(), reason });
                    }
                    seen.push((*key, binding));
                }
            }
        }
        Ok(())
    }

    /// Returns the keys of a row of the table.
    pub fn of<'a>(&'a self, binding: &'a Binding) -> &'a [Key] {
        self.changed.get(binding.name).map_or(binding.keys, std::slice::from_ref)
    }
}

impl Action {
    /// Tells whether it changes anything beside the view, or leaves the screen for good.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Action::Sync(_)
                | Action::SyncPath
                | Action::Pause
                | Action::Cancel
                | Action::Yes
                | Action::GoOn
                | Action::HandOver
                | Action::Fill(_)
                | Action::RunPlan
                | Action::Remove
                | Action::Schedule(_)
                | Action::LookAgain
                | Action::LookAtProblems
                | Action::Acknowledge
                | Action::Choose
        )
    }
}

/// Contexts that have the keys together, as [`contexts`] puts them.
const SETS: [&[Context]; 11] =
    [SCREEN, PROBLEMS, HISTORY, HEALTH, FILES, CHANGES, &[Context::Move, Context::Always], CONFIRM, TEXT, FORM, PLAN];
const SCREEN: &[Context] =
    &[Context::Row, Context::Repository, Context::Move, Context::Panes, Context::Screen, Context::Always];

/// A tab's own keys stand in front of all others while it has the focus.
const fn of_tab(own: Context) -> [Context; 7] {
    [own, Context::Row, Context::Repository, Context::Move, Context::Panes, Context::Screen, Context::Always]
}

const HEALTH: &[Context] = &of_tab(Context::Health);
const FILES: &[Context] = &of_tab(Context::Files);
const CHANGES: &[Context] = &of_tab(Context::Changes);
const PROBLEMS: &[Context] = &of_tab(Context::Problems);
const HISTORY: &[Context] = &of_tab(Context::History);
const CONFIRM: &[Context] = &[Context::Confirm, Context::Always];
const TEXT: &[Context] = &[Context::Text, Context::Always];
const FORM: &[Context] = &[Context::Form, Context::Always];
const PLAN: &[Context] = &[Context::Plan, Context::Move, Context::Screen, Context::Always];

/// Returns the contexts that have the keys now, the innermost first.
pub fn contexts(state: &State) -> &'static [Context] {
    match &state.overlay {
        None if state.entries.as_ref().is_some_and(Vec::is_empty) => &[Context::Screen, Context::Always],
        None if state.focus == Focus::Body && state.tab == Tab::Health => HEALTH,
        None if state.focus == Focus::Body && state.tab == Tab::History => HISTORY,
        None if pane::files::is_in_front(state) => FILES,
        None if state.place() == Place::Tab(Tab::Changes) => CHANGES,
        None if state.place() == Place::Tab(Tab::Problems) => PROBLEMS,
        None => SCREEN,
        Some(Overlay::Help { .. } | Overlay::Messages { .. } | Overlay::Away { .. }) => {
            &[Context::Move, Context::Screen, Context::Always]
        }
        Some(Overlay::Cancel { .. } | Overlay::Quit) => CONFIRM,
        Some(Overlay::Ask(question)) if question.typed.is_none() => CONFIRM,
        Some(Overlay::Form(_)) => FORM,
        Some(Overlay::Plan { .. }) => PLAN,
        Some(
            Overlay::Ask(_)
            | Overlay::Choose(_)
            | Overlay::Filter { .. }
            | Overlay::Palette { .. }
            | Overlay::Export(_),
        ) => TEXT,
    }
}

/// Returns what a key means now.
pub fn find(state: &State, key: Key) -> Option<&'static Binding> {
    contexts(state).iter().find_map(|context| {
        KEYMAP.iter().find(|binding| binding.context == *context && state.keys.of(binding).contains(&key))
    })
}
