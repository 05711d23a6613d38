//! The runs of the selected repository, the newest first.
//!
//! ```text
//!      run  ended      kind         trigger   outcome        added changed removed moved   took
//! >  4,179  11:24      full         startup   # held             0       0  12,431     0  3.1 s
//!    4,178  11:20      full         schedule  ✓ completed        3      12       1     0  0.8 s
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::state::{Focus, Place, State, Tab};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{short_count, short_took, unsigned};
use super::super::theme::Tone;
use crate::domain::amount;
use crate::domain::report::Run;

const fn column(title: &'static str, align: Align, width: usize, gap: usize, rank: u8) -> Column {
    Column { title, align, width, gap, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("run", Align::Right, 6, 0, 0),
    column("ended", Align::Left, 9, 2, 1),
    column("kind", Align::Left, 11, 2, 4),
    column("trigger", Align::Left, 8, 2, 6),
    Column { grows: true, ..column("outcome", Align::Left, 13, 2, 0) },
    column("added", Align::Right, 6, 1, 2),
    column("changed", Align::Right, 7, 1, 2),
    column("removed", Align::Right, 7, 1, 2),
    column("moved", Align::Right, 5, 1, 5),
    column("took", Align::Right, 6, 2, 3),
];

/// The orders of the table.
pub const ORDERS: &[&str] = &["newest first", "longest first", "most changes first"];

/// Puts runs into the order that was chosen; they come with the newest first.
pub fn sort(state: &State, runs: &mut [&Run]) {
    let changes = |run: &Run| run.tally.added + run.tally.updated + run.tally.removed + run.tally.moved;
    match state.order(Place::Tab(Tab::History)) {
        1 => runs.sort_by_key(|run| std::cmp::Reverse(run.duration_ms)),
        2 => runs.sort_by_key(|run| std::cmp::Reverse(changes(run))),
        _ => {}
    }
}

/// Returns what a filter looks at.
pub fn text(state: &State, run: &Run) -> String {
    let (_, word, _) = state.theme.outcome(run.outcome);
    let day = state.zone.exact(run.started_at);
    let class = run.error_class.as_deref().unwrap_or_default();
    format!("{} {} {} {word} {day} {class}", run.number, run.kind.as_str(), run.trigger)
}

/// Returns the index of the first run in view.
pub fn first(state: &State, height: usize) -> usize {
    let runs = state.listed_runs();
    let at = runs.iter().position(|run| Some(run.number) == state.run_at).unwrap_or(0);
    first_row(runs.len(), at, height)
}

/// Draws the table with its titles.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let runs = state.listed_runs();
    if runs.is_empty() {
        let words = match (&state.rows, state.runs().is_empty()) {
            (None, _) => "",
            (Some(_), true) => "  No run yet. s syncs it.",
            (Some(_), false) => "  No run matches the filter. esc clears it.",
        };
        paint::lines(buffer, area, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
        return;
    }
    let table = Table::new(COLUMNS, usize::from(area.width.saturating_sub(1)));
    paint::lines(buffer, area, &[table.titles(&state.theme)], 0);
    let rows = below_rule(area);
    let has_focus = state.focus == Focus::Body;
    let first = first(state, usize::from(rows.height));
    for (run, row) in runs[first.min(runs.len())..].iter().zip(rows.rows()) {
        let is_selected = Some(run.number) == state.run_at;
        buffer.set_line(row.x, row.y, &table.row(&state.theme, is_selected, &cells(state, run)), row.width);
        if is_selected {
            buffer.set_style(row, state.theme.selected(has_focus));
        }
    }
}

fn cells(state: &State, run: &Run) -> [Cell; 10] {
    let (sign, word, tone) = state.theme.outcome(run.outcome);
    let ended = run.ended_at.map(|at| state.zone.brief(at, state.now.wall));
    let ended = ended.unwrap_or_else(|| if run.outcome.is_none() { String::new() } else { "?".to_owned() });
    let count = |amount: i64| (short_count(unsigned(amount)), if amount == 0 { Tone::Dim } else { Tone::Plain });
    let took = run.duration_ms.map_or_else(String::new, |took| short_took(unsigned(took)));
    [
        (amount::count(unsigned(run.number)), Tone::Plain),
        (ended, Tone::Plain),
        (run.kind.as_str().to_owned(), Tone::Plain),
        (run.trigger.clone(), Tone::Plain),
        (format!("{sign} {word}"), tone),
        count(run.tally.added),
        count(run.tally.updated),
        count(run.tally.removed),
        count(run.tally.moved),
        (took, Tone::Plain),
    ]
}
