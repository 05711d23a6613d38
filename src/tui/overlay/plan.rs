//! What a sync would change: the sum, and the changes one by one.
//!
//! ```text
//! ┌ Plan for photos ──────────────────────────────────────────────────────┐
//! │ 3 added   12 updated   1 removed   2 moved                             │
//! │ Nothing was written. s does it.                                       │
//! │                                                                       │
//! │ + added     img/2026/logo.svg                                  4.1 kB │
//! │ = moved     draft/a.md to posts/a.md                           3.0 kB │
//! │ $ watchkeeper sync photos --plan                                      │
//! └───────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::paint::{self, Piece, piece};
use super::super::plan::is_whole;
use super::super::state::State;
use super::super::text::{columns, fit, fit_path, left, right, unsigned, wrap};
use super::super::theme::{Theme, Tone};
use crate::domain::amount;
use crate::domain::change::Verdict;
use crate::domain::report::StoredChange;
use crate::domain::run::Outcome;
use crate::domain::show::show_message;
use crate::engine::protocol::{PLAN_CHANGES, Plan};

const WIDTH: usize = 100;
const SIZE: usize = 7;
const VERDICT: usize = 12;

/// Draws the plan from its change number `scroll` on.
pub fn draw(state: &State, screen: Rect, scroll: usize, buffer: &mut Buffer) {
    let Some(plan) = &state.forms.plan else { return };
    let theme = &state.theme;
    let inside = paint::frame(buffer, theme, area(plan, screen), &format!("Plan for {}", plan.run.repository));
    let room = usize::from(inside.width);
    let mut lines = head(state, plan, room, is_small(screen));
    let rows = rows(state, plan, screen);
    let scroll = scroll.min(plan.changes.len().saturating_sub(rows));
    lines.extend(plan.changes.iter().skip(scroll).take(rows).map(|change| change_line(theme, change, room)));
    paint::lines(buffer, inside, &lines, 0);
    if is_small(screen) {
        return;
    }
    let command = fit(&format!("$ watchkeeper sync {} --plan", plan.run.repository), room, theme.signs.cut);
    let last = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    paint::lines(buffer, last, &[paint::line(theme, [piece(left(&command, room, ""), Tone::Dim)])], 0);
}

/// Returns how far the changes can scroll on this screen.
pub fn scroll_limit(state: &State, screen: Rect) -> usize {
    let Some(plan) = &state.forms.plan else { return 0 };
    plan.changes.len().saturating_sub(rows(state, plan, screen))
}

fn area(plan: &Plan, screen: Rect) -> Rect {
    super::middle(screen, WIDTH, plan.changes.len().saturating_add(8))
}

/// Returns how many changes are in view.
fn rows(state: &State, plan: &Plan, screen: Rect) -> usize {
    let area = area(plan, screen);
    let room = usize::from(area.width.saturating_sub(4));
    let taken = head(state, plan, room, is_small(screen)).len() + 2 + usize::from(!is_small(screen));
    usize::from(area.height).saturating_sub(taken)
}

/// On the smallest screens the changes are worth more than all words.
fn is_small(screen: Rect) -> bool {
    screen.height < 14
}

fn head(state: &State, plan: &Plan, room: usize, is_small: bool) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let mut lines: Vec<Line<'static>> = sum(plan, room).map(|pieces| paint::line(theme, pieces)).into_iter().collect();
    let mut say = |words: &str, tone| {
        lines.extend(wrap(words, room).into_iter().map(|words| paint::line(theme, [piece(words, tone)])));
    };
    if plan.run.outcome == Some(Outcome::Held) {
        say("# Removals would be held for a decision.", Tone::Warn);
    }
    if let Some(message) = &plan.run.error_message {
        say(&show_message(message), Tone::Warn);
    }
    let (scanned, more) = (plan.run.tally.scanned, plan.changes.len() as u64 >= PLAN_CHANGES);
    let shown = if more { format!(", the first {} are shown", amount::count(PLAN_CHANGES)) } else { String::new() };
    let looked = amount::plural(unsigned(scanned), "file", "files");
    match is_whole(state) {
        true => say(&format!("{looked} looked at{shown}; nothing was written. s does it."), Tone::Dim),
        false => say("The plan did not come to its end; nothing was written.", Tone::Warn),
    }
    match is_small {
        true => lines.truncate(2),
        false => lines.push(Line::default()),
    }
    lines
}

/// Returns how much of what would change; `None` when all of it would be held.
fn sum(plan: &Plan, room: usize) -> Option<Vec<Piece>> {
    let tally = &plan.run.tally;
    let counts = [
        (tally.added, "added", Tone::Plain),
        (tally.updated, "updated", Tone::Plain),
        (tally.removed, "removed", Tone::Plain),
        (tally.moved, "moved", Tone::Plain),
        (tally.damaged, "damaged", Tone::Bad),
        (tally.problems, if tally.problems == 1 { "problem" } else { "problems" }, Tone::Warn),
    ];
    let mut left = room;
    let mut pieces = Vec::new();
    for (count, word, tone) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        let words = format!("{} {word}   ", amount::count(unsigned(count)));
        if columns(words.trim_end()) > left {
            break;
        }
        left = left.saturating_sub(columns(&words));
        pieces.push(piece(words, tone));
    }
    if !pieces.is_empty() {
        return Some(pieces);
    }
    let is_held = plan.run.outcome == Some(Outcome::Held);
    (!is_held).then(|| vec![piece("Nothing would change.", Tone::Strong)])
}

fn change_line(theme: &Theme, stored: &StoredChange, room: usize) -> Line<'static> {
    let change = &stored.change;
    let (sign, tone) = match change.verdict {
        Verdict::Added => ("+", Tone::Plain),
        Verdict::Edited | Verdict::Touched | Verdict::Replaced | Verdict::Restored => ("~", Tone::Plain),
        Verdict::Moved => ("=", Tone::Plain),
        Verdict::Removed => ("-", Tone::Warn),
        Verdict::Damaged => (theme.signs.damaged, Tone::Bad),
    };
    let path = match &change.old_path {
        Some(old) => format!("{old} to {}", change.path),
        None => change.path.to_string(),
    };
    let size = match (change.directory_files, change.new_size_bytes.or(change.old_size_bytes)) {
        (Some(files), _) => format!("{} f", super::super::text::short_count(unsigned(files))),
        (None, Some(size)) => amount::bytes(unsigned(size)),
        (None, None) => String::new(),
    };
    let cut = theme.signs.cut;
    let path_room = room.saturating_sub(VERDICT + SIZE + 1);
    let path = left(&fit_path(&path, path_room, cut), path_room, cut);
    let verdict = left(&format!("{sign} {}", change.verdict.as_str()), VERDICT, cut);
    let pieces = [piece(verdict, tone), piece(path, Tone::Plain), piece(right(&size, SIZE + 1, cut), Tone::Dim)];
    paint::line(theme, pieces)
}
