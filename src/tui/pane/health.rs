//! What `doctor` says, the worst first. The engine looks when the tab is opened, and again when asked.
//!
//! ```text
//!   Looked over 14:30, 2 min ago
//!
//!   ! watches      171,056 used of 180,000; 9,204 needed
//!                  raise fs.inotify.max_user_watches, now 180,000, ...
//!   ✓ integrity    every page is in order
//! ```

use ratatui::text::Line;

use super::super::event::Effect;
use super::super::paint::{self, piece};
use super::super::state::{Engine, State};
use super::super::text::{left, wrap};
use super::super::theme::{Theme, Tone};
use crate::domain::amount::ago;
use crate::domain::moment::Timestamp;
use crate::domain::show::show_message;
use crate::engine::doctor::{self, Check};
use crate::engine::protocol::Command;

/// What the engine is asked about, in words.
pub const ABOUT: &str = "doctor";

/// The answer to the last question.
#[derive(Clone, Debug, Default)]
pub struct Model {
    is_asked: bool,
    /// When it came, and the checks, the worst first.
    found: Option<(Timestamp, Vec<Check>)>,
}

impl Model {
    /// Takes the answer; a refusal has none.
    pub fn take(&mut self, checks: Option<Vec<Check>>, at: Timestamp) {
        self.is_asked = false;
        if let Some(mut checks) = checks {
            checks.sort_by_key(|check| std::cmp::Reverse(check.state));
            self.found = Some((at, checks));
        }
    }
}

/// Returns what was said of the coverage of a repository.
pub fn coverage<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    let (_, checks) = state.health.found.as_ref()?;
    let mut said = checks.iter().filter(|check| check.name == "coverage" && check.value["repository"] == name);
    // The name stands before it, and the tab says already of whom it speaks.
    said.next().map(|check| check.message.strip_prefix(&format!("{name}: ")).unwrap_or(&check.message))
}

/// Asks the engine, unless it is at it.
pub fn ask(state: &mut State) -> Vec<Effect> {
    if state.health.is_asked || state.engine == Engine::Lost {
        return Vec::new();
    }
    state.health.is_asked = true;
    vec![Effect::Send { command: Command::Examine, about: ABOUT.to_owned() }]
}

/// Returns the lines of the Health tab.
pub fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    let (theme, model) = (&state.theme, &state.health);
    let words = match (&model.found, model.is_asked) {
        (None, true) => "Looking everything over; a large index takes a while.".to_owned(),
        (None, false) if state.engine == Engine::Lost => "The engine has ended, and nobody looks.".to_owned(),
        (None, false) => "Not looked over yet. r looks.".to_owned(),
        (Some((at, _)), is_asked) => {
            let again = if is_asked { ", looking again" } else { "" };
            let age = ago(state.now.wall.since_ms(*at));
            format!("Looked over at {}, {age}{again}", state.zone.clock(*at))
        }
    };
    let mut lines = vec![paint::line(theme, [piece(format!("  {words}"), Tone::Dim)]), Line::default()];
    let checks = model.found.iter().flat_map(|(_, checks)| checks);
    lines.extend(checks.flat_map(|check| check_lines(theme, check, room)));
    lines
}

fn check_lines(theme: &Theme, check: &Check, room: usize) -> Vec<Line<'static>> {
    /// Sign and name: the longest is `comparison`.
    const LABEL: usize = 17;
    let (sign, tone) = match check.state {
        doctor::State::Ok => (theme.signs.done, Tone::Plain),
        doctor::State::Warn => ("!", Tone::Warn),
        doctor::State::Fail => (theme.signs.failed, Tone::Bad),
    };
    let label = left(&format!("  {sign} {}", show_message(&check.name)), LABEL, theme.signs.cut);
    let told = wrap(&show_message(&check.message), room.saturating_sub(LABEL + 1));
    let mut rows: Vec<(String, Tone)> = told.into_iter().map(|words| (words, Tone::Plain)).collect();
    if let Some(hint) = &check.hint {
        let hint = wrap(&show_message(hint), room.saturating_sub(LABEL + 1));
        rows.extend(hint.into_iter().map(|words| (words, Tone::Dim)));
    }
    let labels = std::iter::once(label).chain(std::iter::repeat(" ".repeat(LABEL)));
    labels.zip(rows).map(|(label, (words, how))| paint::line(theme, [piece(label, tone), piece(words, how)])).collect()
}
