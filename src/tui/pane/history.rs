//! The runs of the selected repository, the newest first.
//!
//! ```text
//!      run  ended      kind         trigger   outcome        added changed removed moved   took
//! >  4,179  11:24      full         startup   # held             0       0  12,431     0  3.1 s
//!  * 4,178  11:20      full         schedule  ✓ completed        3      12       1     0  0.8 s
//!    4,177  10:20      incremental  schedule  ✓ nothing x12      0       0       0     0    9 s
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::filter::Filter;
use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::reading::RUNS;
use super::super::state::{Focus, Place, State, Tab};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{short_count, short_took, unsigned};
use super::super::theme::Tone;
use crate::domain::amount;
use crate::domain::report::Run;
use crate::domain::run::Outcome;

const fn column(title: &'static str, align: Align, width: usize, gap: usize, rank: u8) -> Column {
    Column { title, align, width, gap, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("run", Align::Right, 6, 0, 0),
    column("ended", Align::Left, 9, 2, 1),
    column("kind", Align::Left, 11, 2, 4),
    column("trigger", Align::Left, 8, 2, 6),
    Column { grows: true, ..column("outcome", Align::Left, 14, 2, 0) },
    column("added", Align::Right, 6, 1, 2),
    column("changed", Align::Right, 7, 1, 2),
    column("removed", Align::Right, 7, 1, 2),
    column("moved", Align::Right, 5, 1, 5),
    column("took", Align::Right, 6, 1, 3),
];

/// The orders of the table.
pub const ORDERS: &[&str] = &["newest first", "longest first", "most changes first"];

/// How the table is looked at.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Runs that found nothing stand each for itself.
    pub is_unfolded: bool,
    /// The runs that are marked, by number, in the order of their marking; at most two.
    pub marks: Vec<i64>,
}

/// One row: a run, and how many it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The newest of them.
    pub run: &'a Run,
    pub runs: i64,
    pub took_ms: Option<i64>,
}

/// Returns the rows that the filter lets through, in the table's order; runs of a kind that found nothing one after
/// another are one row.
pub fn rows(state: &State) -> Vec<Row<'_>> {
    let place = Place::Tab(Tab::History);
    let mut filter = Filter::new(state.filter(place));
    let mut runs: Vec<&Run> = state.runs().iter().filter(|run| filter.matches(&text(state, run))).collect();
    sort(state, &mut runs);
    let folds = !state.history.is_unfolded && state.order(place) == 0;
    let mut rows: Vec<Row<'_>> = Vec::new();
    for run in runs {
        match rows.last_mut() {
            Some(row) if folds && row.run.kind == run.kind && found_nothing(row.run) && found_nothing(run) => {
                row.runs += run.folded;
                row.took_ms = row.took_ms.zip(run.duration_ms).map(|(all, one)| all + one);
            }
            _ => rows.push(Row { run, runs: run.folded, took_ms: run.duration_ms }),
        }
    }
    rows
}

/// Tells whether there may be older runs than those at hand: `watchkeeper history` lists them.
pub fn has_older(state: &State) -> bool {
    state.runs().len() >= RUNS
}

/// Tells whether a run looked at everything and found it as it was.
fn found_nothing(run: &Run) -> bool {
    let found = run.tally.added + run.tally.updated + run.tally.removed + run.tally.moved + run.tally.damaged;
    run.outcome == Some(Outcome::Completed) && found + run.tally.problems == 0
}

/// Marks the selected run, or takes its mark away; a third mark takes the place of the first.
pub fn mark(state: &mut State) {
    let Some(number) = state.run_at else { return };
    let marks = &mut state.history.marks;
    if let Some(at) = marks.iter().position(|marked| *marked == number) {
        marks.remove(at);
        return;
    }
    marks.push(number);
    let surplus = marks.len().saturating_sub(2);
    marks.drain(..surplus);
}

/// Puts runs into the order that was chosen; they come with the newest first.
fn sort(state: &State, runs: &mut [&Run]) {
    let changes = |run: &Run| run.tally.added + run.tally.updated + run.tally.removed + run.tally.moved;
    match state.order(Place::Tab(Tab::History)) {
        1 => runs.sort_by_key(|run| std::cmp::Reverse(run.duration_ms)),
        2 => runs.sort_by_key(|run| std::cmp::Reverse(changes(run))),
        _ => {}
    }
}

/// Returns what a filter looks at.
fn text(state: &State, run: &Run) -> String {
    let (_, word, _) = state.theme.outcome(run.outcome);
    let day = state.zone.exact(run.started_at);
    let class = run.error_class.as_deref().unwrap_or_default();
    let found = if found_nothing(run) { "nothing" } else { "" };
    format!("{} {} {} {word} {found} {day} {class}", run.number, run.kind.as_str(), run.trigger)
}

/// Returns the index of the first run in view.
pub fn first(state: &State, height: usize) -> usize {
    first_of(state, &rows(state), height)
}

fn first_of(state: &State, rows: &[Row<'_>], height: usize) -> usize {
    let at = rows.iter().position(|row| Some(row.run.number) == state.run_at).unwrap_or(0);
    first_row(rows.len(), at, height)
}

/// Draws the table with its titles.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let runs = rows(state);
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
    let mark_style = state.theme.style(Tone::Accent);
    let first = first_of(state, &runs, usize::from(rows.height));
    for (shown, row) in runs[first.min(runs.len())..].iter().zip(rows.rows()) {
        let is_selected = Some(shown.run.number) == state.run_at;
        buffer.set_line(row.x, row.y, &table.row(&state.theme, is_selected, &cells(state, shown)), row.width);
        if state.history.marks.contains(&shown.run.number) {
            buffer.set_stringn(row.x + 1, row.y, "*", usize::from(row.width.saturating_sub(1)), mark_style);
        }
        if is_selected {
            buffer.set_style(row, state.theme.selected(has_focus));
        }
    }
}

fn cells(state: &State, row: &Row<'_>) -> [Cell; 10] {
    let run = row.run;
    let (sign, word, tone) = state.theme.outcome(run.outcome);
    let outcome = match row.runs {
        ..=1 => format!("{sign} {word}"),
        runs => format!("{sign} nothing x{}", short_count(unsigned(runs))),
    };
    let ended = run.ended_at.map(|at| state.zone.brief(at, state.now.wall));
    let ended = ended.unwrap_or_else(|| if run.outcome.is_none() { String::new() } else { "?".to_owned() });
    let count = |amount: i64| (short_count(unsigned(amount)), if amount == 0 { Tone::Dim } else { Tone::Plain });
    let took = row.took_ms.map_or_else(String::new, |took| short_took(unsigned(took)));
    [
        (amount::count(unsigned(run.number)), Tone::Plain),
        (ended, Tone::Plain),
        (run.kind.as_str().to_owned(), Tone::Plain),
        (run.trigger.clone(), Tone::Plain),
        (outcome, tone),
        count(run.tally.added),
        count(run.tally.updated),
        count(run.tally.removed),
        count(run.tally.moved),
        (took, Tone::Plain),
    ]
}
