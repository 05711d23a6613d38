//! A part of the Status tab: what each kind of run achieved and when the next one is due, how it went over time.
//!
//! ```text
//!   kind         succeeded    tried     well  not  rate    next
//!   full         2 h ago      2 h ago    120    2  98 %   4 min
//!
//!   Files        ▁▁▁▁▂▂▂▃▃▅▅▆█  88,102 to 91,204, since 12 Nov
//! ```

use ratatui::text::Line;

use super::super::paint::{self, piece};
use super::super::plot;
use super::super::state::{Entry, State};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{short_count, short_took, unsigned};
use super::super::theme::Tone;
use crate::domain::amount::{self, age, ago};
use crate::domain::report::{KindStatus, Run};
use crate::domain::repository::State as Word;
use crate::domain::run::Kind;

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    Column { grows: true, ..column("kind", Align::Left, 11, 0) },
    column("succeeded", Align::Right, 11, 1),
    column("tried", Align::Right, 11, 4),
    column("well", Align::Right, 5, 3),
    column("not", Align::Right, 5, 3),
    column("rate", Align::Right, 5, 2),
    column("next in", Align::Right, 7, 1),
];

/// Returns the table of kinds; nothing before the first run.
pub fn lines(state: &State, entry: &Entry, room: usize) -> Vec<Line<'static>> {
    let tried: Vec<&KindStatus> =
        entry.status.by_kind.iter().filter(|kind| kind.success_count + kind.failure_count > 0).collect();
    if tried.is_empty() {
        return Vec::new();
    }
    // As wide as it is to be read, and not as the screen is.
    let table = Table::new(COLUMNS, room.saturating_sub(1).min(70));
    let rows = tried.iter().map(|kind| table.row(&state.theme, false, &cells(state, entry, kind)));
    [Line::default(), table.titles(&state.theme)].into_iter().chain(rows).collect()
}

fn cells(state: &State, entry: &Entry, kind: &KindStatus) -> [Cell; 7] {
    let now = state.now.wall;
    let (well, not) = (unsigned(kind.success_count), unsigned(kind.failure_count));
    let plain = |words: String| (words, Tone::Plain);
    let past = |at: Option<_>| at.map_or_else(|| "never".to_owned(), |at| ago(now.since_ms(at)));
    let is_behind = kind.last_success_at < kind.last_attempt_at && not > 0;
    // Nothing starts while there is nothing to look at.
    let live = state.live_of(&entry.status.repository.name).filter(|_| entry.state != Word::Missing);
    let next = live.and_then(|live| live.next_runs.iter().find(|next| next.kind == kind.kind));
    [
        plain(kind.kind.as_str().to_owned()),
        (past(kind.last_success_at), if is_behind { Tone::Warn } else { Tone::Plain }),
        plain(past(kind.last_attempt_at)),
        plain(short_count(well)),
        (short_count(not), if not > 0 { Tone::Warn } else { Tone::Dim }),
        // Rounded down: a hundred is all of them.
        plain(format!("{} %", 100 * well / (well + not).max(1))),
        plain(next.map_or_else(String::new, |next| age(next.at.since_ms(now)))),
    ]
}

/// Returns plots over the runs at hand: files, changes, how long a full run takes.
pub fn plots(state: &State, room: usize) -> Vec<Line<'static>> {
    let ended: Vec<&Run> = state.runs().iter().rev().filter(|run| run.ended_at.is_some()).collect();
    let full: Vec<&Run> = ended.iter().copied().filter(|run| run.kind == Kind::Full && is_whole(run)).collect();
    let changes = |run: &Run| run.tally.added + run.tally.updated + run.tally.removed + run.tally.moved;
    let each = |amount: i64, run: &Run| amount as f64 / run.folded.max(1) as f64;
    let counted = |amount: f64| amount::count(amount as u64);
    let all = [
        plot_line(state, "Files", &full, |run| each(run.tally.scanned, run), counted, room),
        plot_line(state, "Changes", &ended, |run| changes(run) as f64, counted, room),
        plot_line(
            state,
            "Full runs",
            &full,
            |run| each(run.duration_ms.unwrap_or(0), run),
            |took| short_took(took as u64),
            room,
        ),
    ];
    let lines: Vec<Line<'_>> = all.into_iter().flatten().collect();
    if lines.is_empty() { lines } else { [vec![Line::default()], lines].concat() }
}

fn is_whole(run: &Run) -> bool {
    run.outcome.is_some_and(crate::domain::run::Outcome::is_success)
}

/// Returns a plot with its lowest and highest value and where it begins; nothing where two values are too few to see.
fn plot_line(
    state: &State,
    label: &str,
    runs: &[&Run],
    value: impl Fn(&Run) -> f64,
    words: impl Fn(f64) -> String,
    room: usize,
) -> Option<Line<'static>> {
    /// What stands behind the plot takes about as much.
    const WORDS: usize = 34;
    let values: Vec<f64> = runs.iter().map(|run| value(run)).collect();
    let [first, _, ..] = runs else { return None };
    let low = values.iter().copied().fold(f64::MAX, f64::min);
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    let shown = plot::squeezed(&values, room.saturating_sub(paint::LABEL + WORDS).clamp(8, 40));
    let range = if low < high { format!("{} to {}", words(low), words(high)) } else { words(low) };
    let since = state.zone.brief(first.started_at, state.now.wall);
    let blocks = plot::blocks(state.theme.signs, &shown, low, high);
    let pieces = [piece(blocks, Tone::Plain), piece(format!("  {range}, since {since}"), Tone::Dim)];
    Some(paint::fact(&state.theme, label, pieces, room))
}
