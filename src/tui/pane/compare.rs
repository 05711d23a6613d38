//! Two runs side by side; what differs stands out.
//!
//! ```text
//!               run 4,170               run 4,179
//!   Outcome     ✓ completed             # held
//!   Took        0.8 s                   3.1 s
//!   Removed     1                       12,431
//! ```

use ratatui::text::Line;

use super::super::event::Effect;
use super::super::paint::{self, piece};
use super::super::state::{Detail, State};
use super::super::text::{left, unsigned};
use super::super::theme::Tone;
use crate::domain::amount::{self, bytes, count, took};
use crate::domain::report::Run;

/// Opens the page of the two marked runs, or of the marked and the selected one.
pub fn open(state: &mut State) -> Vec<Effect> {
    if let Some((older, newer)) = pair(state) {
        state.detail = Some(Detail::Compare { older, newer });
        state.scroll = 0;
    }
    Vec::new()
}

/// Returns the runs that can be compared now, the older one first.
pub fn pair(state: &State) -> Option<(i64, i64)> {
    let (one, other) = match state.history.marks[..] {
        [one, other, ..] => (one, other),
        [one] => (one, state.run_at.filter(|at| *at != one)?),
        [] => return None,
    };
    let is_there = |number| state.runs().iter().any(|run| run.number == number);
    (is_there(one) && is_there(other)).then(|| (one.min(other), one.max(other)))
}

/// Returns the lines of the page.
pub fn lines(state: &State, older: i64, newer: i64, room: usize) -> Vec<Line<'static>> {
    let find = |number| state.runs().iter().find(|run| run.number == number);
    let (Some(older), Some(newer)) = (find(older), find(newer)) else {
        let words = "  One of the two runs is not at hand any more.";
        return vec![paint::line(&state.theme, [piece(words, Tone::Dim)])];
    };
    let half = room.saturating_sub(paint::LABEL + 2) / 2;
    let rows = figures(state, older).into_iter().zip(figures(state, newer));
    let rows = rows.filter(|((_, one), (_, other))| !(one.is_empty() && other.is_empty()));
    rows.map(|((label, one), (_, other))| {
        let tone = if one == other { Tone::Dim } else { Tone::Strong };
        let one = left(&one, half, state.theme.signs.cut);
        paint::fact(&state.theme, label, [piece(format!("{one}  "), tone), piece(other, tone)], room)
    })
    .collect()
}

/// Returns everything that is compared of a run.
fn figures(state: &State, run: &Run) -> Vec<(&'static str, String)> {
    let (sign, word, _) = state.theme.outcome(run.outcome);
    let tally = &run.tally;
    let number = |amount: i64| count(unsigned(amount));
    let took_ms = run.duration_ms.map(unsigned);
    let a_second = |amount: i64| took_ms.map_or(0, |took| unsigned(amount).saturating_mul(1_000) / took.max(1));
    let class = run.error_class.clone().unwrap_or_default();
    vec![
        ("", format!("run {}", number(run.number))),
        ("Kind", run.kind.as_str().to_owned()),
        ("Trigger", run.trigger.clone()),
        ("Outcome", format!("{sign} {word}")),
        ("Error", crate::domain::show::show_message(&class).into_owned()),
        ("Started", state.zone.exact(run.started_at)),
        ("Took", took_ms.map_or_else(String::new, took)),
        ("Files", number(tally.scanned)),
        ("Listed", amount::plural(unsigned(tally.directories), "directory", "directories")),
        ("Read", bytes(unsigned(tally.bytes_hashed))),
        ("Rate", format!("{} files/s, {}/s", count(a_second(tally.scanned)), bytes(a_second(tally.bytes_hashed)))),
        ("Added", number(tally.added)),
        ("Changed", number(tally.updated)),
        ("Removed", number(tally.removed)),
        ("Moved", number(tally.moved)),
        ("Damaged", number(tally.damaged)),
        ("Problems", number(tally.problems)),
        ("Attempt", number(run.attempt)),
        ("Runs", number(run.folded)),
    ]
}
