//! The tabs of the body, and their titles in the rule above it: all in full, or where that is too long only the shown one.

use super::state::State;
use super::text::columns;

/// What the body shows of the selected repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tab {
    #[default]
    Status,
    Progress,
    History,
    Problems,
    Files,
    Changes,
    Health,
}

impl Tab {
    pub const ALL: [Tab; 7] =
        [Tab::Status, Tab::Progress, Tab::History, Tab::Problems, Tab::Files, Tab::Changes, Tab::Health];

    /// Returns the digit that shows it.
    pub fn digit(self) -> u8 {
        match self {
            Tab::Status => 1,
            Tab::Progress => 2,
            Tab::History => 3,
            Tab::Problems => 4,
            Tab::Files => 5,
            Tab::Changes => 6,
            Tab::Health => 7,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Tab::Status => "Status",
            Tab::Progress => "Progress",
            Tab::History => "History",
            Tab::Problems => "Problems",
            Tab::Health => "Health",
            Tab::Files => "Files",
            Tab::Changes => "Changes",
        }
    }
}

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
