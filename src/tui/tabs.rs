//! The titles of the tabs, in the rule above the body: all in full, or where that is too long only the shown one.

use super::state::{State, Tab};
use super::text::columns;

/// Returns each tab with its title, blanks included, as they stand one behind the other.
pub fn titles(state: &State, room: usize) -> Vec<(Tab, String)> {
    let full = |tab: Tab| format!("{}{}", tab.title(), count(state, tab));
    let all = written(state, full);
    let taken: usize = all.iter().map(|(_, words)| columns(words)).sum();
    match taken + 2 > room {
        true => written(state, |tab| if tab == state.tab { full(tab) } else { count(state, tab) }),
        false => all,
    }
}

fn written(state: &State, title: impl Fn(Tab) -> String) -> Vec<(Tab, String)> {
    let numbered = Tab::ALL.into_iter().map(|tab| {
        let (open, close) = if tab == state.tab { ("[", "]") } else { (" ", " ") };
        let title = title(tab);
        let blank = if title.is_empty() || title.starts_with(' ') { "" } else { " " };
        (tab, format!("{open}{}{blank}{title}{close}", tab.digit()))
    });
    numbered.collect()
}

fn count(state: &State, tab: Tab) -> String {
    let troubles = state.troubles().len();
    if tab == Tab::Problems && troubles > 0 { format!(" {troubles}") } else { String::new() }
}
