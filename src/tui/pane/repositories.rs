//! The list of repositories, worst first.
//!
//! ```text
//! ━ 0 Repositories ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ worst first, 1–7 of 8 ━━
//!   state      repository             as of   files     size   open    next in   last 12 runs
//!   ✗ failed   nas-archive              1 d    91 k   1.4 TB   ! 3       4 min   ▁▁▁▁▁▁▁▁▂▁▁✗
//! > # held     backup-b                 3 h    88 k   1.2 TB   # 12 k      2 h   ▁▁▁▁▄▁▁▁-!▂#
//!   ↻ syncing  photos         63 %    3 min   1.9 M   412 GB               6 d   ▂▁▁▁▇▁▁▁▂▁▁▃
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::plot;
use super::super::reading::RECENT;
use super::super::state::{Entry, Focus, Place, State};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{short_count, unsigned};
use super::super::theme::Tone;
use crate::domain::amount;
use crate::domain::report::IndexStatus;
use crate::domain::repository::{RepositoryId, State as Word};

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("state", Align::Left, 9, 0),
    Column { grows: true, ..column("repository", Align::Left, 10, 0) },
    column("", Align::Right, 4, 2),
    column("as of", Align::Right, 6, 1),
    column("files", Align::Right, 5, 5),
    column("size", Align::Right, 6, 7),
    column("open", Align::Left, 13, 3),
    column("next in", Align::Right, 7, 6),
    column("last 12 runs", Align::Left, RECENT, 4),
];

/// The orders of the list.
pub const ORDERS: &[&str] = &["worst first", "by name", "largest first", "oldest first"];

/// Puts repositories into the order that was chosen; they come with the worst first.
pub fn sort(state: &State, listed: &mut [&Entry]) {
    match state.order(Place::List) {
        1 => listed.sort_by_key(|entry| entry.status.repository.name.to_lowercase()),
        2 => listed.sort_by_key(|entry| std::cmp::Reverse(entry.status.repository.total_bytes)),
        3 => listed.sort_by_key(|entry| state.true_as_of(entry)),
        _ => {}
    }
}

const PERCENT: usize = 2;
const NEXT: usize = 7;

/// Returns the columns; the one for percents only while something runs, the one for what is next only with a schedule.
fn columns(state: &State) -> Vec<Column> {
    let mut columns = COLUMNS.to_vec();
    if state.running.is_empty() {
        (columns[PERCENT].width, columns[PERCENT].gap) = (0, 0);
    }
    if state.live.iter().all(|live| live.next_runs.is_empty()) {
        (columns[NEXT].width, columns[NEXT].gap) = (0, 0);
    }
    columns
}

/// Draws the list with its rule and titles.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let has_focus = state.focus == Focus::List;
    let entries = state.listed();
    let rows = below_rule(below_rule(area));
    let at = entries.iter().position(|entry| Some(entry.status.repository.id) == state.selected).unwrap_or(0);
    let first = first_row(entries.len(), at, usize::from(rows.height));
    let shown = &entries[first.min(entries.len())..];
    let window = super::super::view::window(state, first, usize::from(rows.height), entries.len());
    let aside = super::super::view::aside(state, Place::List, &window);
    let title = vec![piece(" 0 Repositories ", if has_focus { Tone::Accent } else { Tone::Plain })];
    paint::rule(buffer, &state.theme, Rect { height: area.height.min(1), ..area }, has_focus, title, &aside);
    let table = Table::new(&columns(state), usize::from(area.width.saturating_sub(1)));
    paint::lines(
        buffer,
        Rect { height: area.height.saturating_sub(1).min(1), ..below_rule(area) },
        &[table.titles(&state.theme)],
        0,
    );
    if entries.is_empty() && !state.entries().is_empty() {
        let words = "  No repository matches the filter. esc clears it.";
        paint::lines(buffer, rows, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
    }
    for (entry, row) in shown.iter().zip(rows.rows()) {
        let is_selected = Some(entry.status.repository.id) == state.selected;
        buffer.set_line(row.x, row.y, &table.row(&state.theme, is_selected, &cells(state, entry)), row.width);
        if is_selected {
            buffer.set_style(row, state.theme.selected(has_focus));
        }
    }
}

fn cells(state: &State, entry: &Entry) -> [Cell; 9] {
    let repository = &entry.status.repository;
    let (sign, word, tone) = state.theme.state(entry.state);
    let percent = state.progress_of(&repository.name).and_then(|run| run.percent());
    let as_of = state.true_as_of(entry).map(|seen| amount::age(state.now.wall.since_ms(seen)));
    [
        (format!("{sign} {word}"), tone),
        (repository.name.clone(), Tone::Plain),
        (percent.map_or_else(String::new, |percent| format!("{percent:.0} %")), Tone::Accent),
        (as_of.unwrap_or_else(|| "never".to_owned()), Tone::Plain),
        (short_count(unsigned(repository.total_files)), Tone::Plain),
        (amount::bytes(unsigned(repository.total_bytes)), Tone::Plain),
        (open(state, &entry.status), if tone == Tone::Bad { Tone::Bad } else { Tone::Warn }),
        (next(state, entry), Tone::Dim),
        recent(state, repository.id),
    ]
}

/// Returns in how long the next run is due.
fn next(state: &State, entry: &Entry) -> String {
    if entry.state == Word::Missing {
        return "waits".to_owned();
    }
    let next = state.live_of(&entry.status.repository.name).and_then(|live| live.next_runs.first());
    next.map_or_else(String::new, |next| amount::age(next.at.since_ms(state.now.wall)))
}

/// Returns the newest runs as bars. Plain: colour is for what is so now, and stands in the state.
fn recent(state: &State, id: RepositoryId) -> Cell {
    let runs = state.recent.get(&id).map_or(&[][..], Vec::as_slice);
    (plot::runs(&state.theme, runs), Tone::Plain)
}

/// Returns what is open, the worst first: `≠ 1 # 12 k ! 3`.
fn open(state: &State, status: &IndexStatus) -> String {
    let counts = [(state.theme.signs.damaged, status.damaged), ("#", status.undecided), ("!", status.open_problems)];
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    counts.map(|(sign, count)| format!("{sign} {}", short_count(unsigned(*count)))).collect::<Vec<_>>().join("  ")
}
