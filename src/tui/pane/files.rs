//! The index of the selected repository as a tree, one directory at a time, or what a search has found in it.
//!
//! ```text
//!   photos/2026/09/                                            1–30 of 1,000,000
//!   name                                    size  modified    read  state
//!   kisumu/                                            2 h
//! > IMG_20260914_173355.raw                38 MB       2 h     2 h  ✓ same
//!   IMG_2\x1b[31m.raw                      12 kB      40 d    12 d  ! problem
//! ```

mod detail;
mod model;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::state::{Focus, State};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{self, columns, fit_path, unsigned};
use super::super::theme::{Theme, Tone};
pub use detail::{FileRows, lines};
pub use model::{Ask, Found, Model, PAGE, Told, has_up, hash, is_in_front, open, read, search, sync, take, travel, up};

use crate::domain::amount::{age, bytes, count};
use crate::domain::record::Sha256;
use crate::domain::show::show;
use crate::index::{Listed, Mark, RowSort};

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    Column { grows: true, ..column("name", Align::Path, 14, 0) },
    column("size", Align::Right, 6, 1),
    column("modified", Align::Right, 8, 3),
    column("read", Align::Right, 6, 2),
    column("state", Align::Left, 9, 0),
];

/// Draws the line that says where this is, the titles and the rows in view.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let model = &state.files;
    let rows_area = below_rule(below_rule(area));
    let height = usize::from(rows_area.height);
    let selected = model.at();
    let first = first_row(model.rows().len(), selected, height).min(model.rows().len());
    paint::lines(buffer, area, &[head(state, first, height, usize::from(area.width))], 0);
    if model.rows().is_empty() {
        let words = match (&model.rows, &model.found) {
            (None, _) => "",
            (_, Some(Found { error: Some(_), .. })) => "",
            (_, Some(Found { is_done: false, .. })) => "",
            (_, Some(_)) => "  No path matches. esc clears the search.",
            (Some(_), None) => "  Nothing is recorded here.",
        };
        paint::lines(buffer, below_rule(area), &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
        return;
    }
    let table = Table::new(COLUMNS, usize::from(area.width.saturating_sub(1)));
    let titles = Rect { height: below_rule(area).height.min(1), ..below_rule(area) };
    paint::lines(buffer, titles, &[table.titles(&state.theme)], 0);
    for ((at, row), line) in model.rows().iter().enumerate().skip(first).zip(rows_area.rows()) {
        let is_selected = at == selected;
        buffer.set_line(line.x, line.y, &table.row(&state.theme, is_selected, &cells(state, row)), line.width);
        if is_selected {
            buffer.set_style(line, state.theme.selected(state.focus == Focus::Body));
        }
    }
}

/// Returns where this is, and what of how much is in view.
fn head(state: &State, first: usize, height: usize, room: usize) -> Line<'static> {
    let room = room.saturating_sub(3);
    let (words, tone) = match &state.files.found {
        Some(found) => found_words(found, state.files.rows().len()),
        None => (window(state, first, height), Tone::Dim),
    };
    let words = text::fit(&words, room, state.theme.signs.cut);
    let name = state.name().unwrap_or_default();
    let place = match state.files.directory.is_root() {
        true => format!("{name}/"),
        false => format!("{name}/{}/", state.files.directory),
    };
    let left = room.saturating_sub(columns(&words) + 2);
    // Of a place, a letter or two tell nothing.
    let place = if left < 6 { String::new() } else { fit_path(&place, left, state.theme.signs.cut) };
    let blanks = " ".repeat(room.saturating_sub(columns(&place) + columns(&words)));
    paint::line(&state.theme, [piece(format!("  {place}"), Tone::Strong), piece(format!("{blanks}{words}"), tone)])
}

/// Returns `1–30 of 1,000,000`, as much of it as is known.
fn window(state: &State, first: usize, height: usize) -> String {
    let model = &state.files;
    let shown = model.rows().len().saturating_sub(first).min(height) as u64;
    match (model.first, model.total) {
        (_, Some(total)) if total <= shown => crate::domain::amount::plural(total, "entry", "entries"),
        (Some(before), Some(total)) => {
            let first = before + first as u64 + 1;
            let last = first + shown.saturating_sub(1);
            format!("{}{}{} of {}", count(first), state.theme.signs.dash, count(last), count(total))
        }
        (None, Some(total)) => crate::domain::amount::plural(total, "entry", "entries"),
        _ => String::new(),
    }
}

fn found_words(found: &Found, shown: usize) -> (String, Tone) {
    let shown = shown as u64;
    match found {
        Found { error: Some(error), .. } => (crate::domain::show::show_message(error).into_owned(), Tone::Warn),
        Found { is_done: false, looked_at, matches, .. } => {
            (format!("{} match so far, {} looked at", count(*matches), count(*looked_at)), Tone::Accent)
        }
        // A search for a part of the name ends at the first that it has no room for.
        Found { matches, .. } if *matches == shown + 1 => (format!("more than {} match", count(shown)), Tone::Dim),
        Found { matches, .. } if *matches > shown => {
            (format!("the best {} of {}", count(shown), count(*matches)), Tone::Dim)
        }
        Found { matches, .. } => (format!("{} match", count(*matches)), Tone::Dim),
    }
}

fn cells(state: &State, row: &Listed) -> [Cell; 5] {
    let since = |at| age(state.now.wall.since_ms(at));
    let modified = row.modified.map_or_else(String::new, since);
    let (sign, word, tone) = mark(&state.theme, row.mark);
    let said = format!("{sign} {word}");
    match &row.sort {
        RowSort::Directory => {
            let said = if row.mark == Mark::Same { String::new() } else { said };
            let name = format!("{}/", name(state, row));
            [(name, Tone::Plain), cell(String::new()), cell(modified), cell(String::new()), (said, tone)]
        }
        RowSort::File { size_bytes, read, is_symlink, .. } => {
            let size = if *is_symlink { "link".to_owned() } else { bytes(unsigned(*size_bytes)) };
            let read = read.map_or_else(|| "never".to_owned(), since);
            let read = if *is_symlink { String::new() } else { read };
            [cell(name(state, row)), cell(size), cell(modified), cell(read), (said, tone)]
        }
    }
}

fn cell(text: String) -> Cell {
    (text, Tone::Plain)
}

/// Returns the path below the directory that is shown: the name alone, unless a search has found it.
fn name(state: &State, row: &Listed) -> String {
    let path = row.path.as_bytes();
    let directory = state.files.directory.as_bytes();
    let below = path.strip_prefix(directory).map_or(path, |rest| rest.strip_prefix(b"/").unwrap_or(rest));
    show(below)
}

/// Returns a mark's sign, its word and their tone.
fn mark(theme: &Theme, mark: Mark) -> (&'static str, &'static str, Tone) {
    match mark {
        Mark::Same => (theme.signs.done, "same", Tone::Plain),
        Mark::Damaged => (theme.signs.damaged, "damaged", Tone::Bad),
        Mark::Held => ("#", "held", Tone::Warn),
        Mark::Problem => ("!", "problem", Tone::Warn),
        Mark::Unseen => ("!", "unseen", Tone::Warn),
        Mark::New => ("+", "new", Tone::Accent),
        Mark::Unread => (".", "unread", Tone::Dim),
    }
}

/// Returns a hash as people compare it.
fn hex(sha256: &Sha256) -> String {
    sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}
