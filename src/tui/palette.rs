//! Everything that can be done, by name: what of the keymap matches what was typed, and what it would ask for. Pure.

use super::act;
use super::command_line::command_line;
use super::event::Effect;
use super::filter::best;
use super::keymap::{Action, Binding, Context, KEYMAP};
use super::state::State;

/// Returns the rows of the keymap that match, the best first.
pub fn matching(typed: &str) -> Vec<&'static Binding> {
    let offered: Vec<&Binding> = KEYMAP.iter().filter(|binding| is_offered(binding)).collect();
    let texts: Vec<String> = offered.iter().map(|binding| text(binding)).collect();
    let mut found: Vec<&Binding> = best(typed, &texts).into_iter().map(|at| offered[at]).collect();
    // Who types a name means that name.
    found.sort_by_key(|binding| !binding.name.replace('-', " ").starts_with(typed));
    found
}

/// Moving by name would be slower than any key, and what answers a question is asked there.
fn is_offered(binding: &Binding) -> bool {
    let is_elsewhere =
        matches!(binding.context, Context::Move | Context::Confirm | Context::Text | Context::Form | Context::Plan);
    !is_elsewhere && !matches!(binding.action, Action::Palette | Action::Back | Action::Older | Action::Newer)
}

/// Returns what is shown of an action, and searched.
pub fn text(binding: &Binding) -> String {
    format!("{}: {}", binding.name.replace('-', " "), binding.words)
}

/// Returns the command line of what an action would ask the engine for; `None` when it asks for nothing, or for more.
pub fn would_run(state: &State, action: Action) -> Option<String> {
    let mut tried = State { overlay: None, ..state.clone() };
    act::act(&mut tried, action).iter().find_map(|effect| match effect {
        Effect::Send { command, .. } => command_line(command),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::idle;
    use super::*;
    use crate::domain::run::Kind;

    #[test]
    fn what_is_typed_finds_an_action_by_name_or_words() {
        for (typed, name) in [("verify", "verify"), ("increm", "sync-incremental"), ("read all content", "verify")] {
            assert_eq!(matching(typed)[0].name, name, "{typed}");
        }
        assert_eq!(matching("sync path")[0].name, "sync-path", "who types a name means it");
        assert!(matching("").len() > 20);
        assert!(matching("zzzz").is_empty());
    }

    #[test]
    fn an_action_shows_the_command_line_that_does_the_same() {
        let state = idle(80, 24);
        assert_eq!(would_run(&state, Action::Sync(Kind::Cleanup)).unwrap(), "watchkeeper sync mail --kind cleanup");
        assert_eq!(would_run(&state, Action::Zoom), None);
    }
}
