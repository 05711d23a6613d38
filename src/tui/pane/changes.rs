//! The timeline: what the runs found, by directory, the newest first; and the single changes of one of these groups.
//!
//! ```text
//!   when       repository  what         files  where
//! > 14:31      photos      + added        204  2026/09/
//!   14:20      www         ~ edited         1  index.html
//! ─ you were last here Tue 18:40 ────────────────────────────
//!   Tue 18:20  photos      → moved     50,000  2019/ -> archive/2019/
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::changes::{Open, place_of_selected};
use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::state::{Focus, State};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{columns, fit_path, short_count, unsigned};
use super::super::theme::{Signs, Tone};
use crate::domain::amount;
use crate::domain::change::{Change, Verdict};
use crate::domain::path::RelPath;
use crate::domain::record::Sha256;
use crate::domain::report::StoredChange;
use crate::domain::repository::RepositoryId;
use crate::domain::show::show_message;
use crate::index::{ChangeGroup, GroupKey};

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("when", Align::Left, 9, 1),
    column("repository", Align::Left, 12, 2),
    column("what", Align::Left, 10, 0),
    column("files", Align::Right, 7, 3),
    Column { grows: true, ..column("where", Align::Path, 16, 0) },
];
/// Place of the last one.
const WHERE: usize = 4;

const OPEN_COLUMNS: &[Column] = &[
    column("when", Align::Left, 9, 2),
    column("what", Align::Left, 10, 0),
    Column { grows: true, ..column("path", Align::Path, 12, 0) },
    column("size", Align::Right, 7, 1),
];
const PATH: usize = 2;

/// Below the table, the selected change is told in at least this many rows, if the table keeps at least as many.
const TOLD_ROWS: u16 = 6;

/// Draws the timeline, or the group that is open.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    match &state.changes.open {
        Some(open) => draw_open(state, open, area, buffer),
        None => draw_timeline(state, area, buffer),
    }
}

/// Returns which row of how many is selected, as far as they are known.
pub fn position(state: &State) -> String {
    let model = &state.changes;
    let (at, rows, which, more) = match &model.open {
        Some(open) if open.is_full() && open.rows.len() < total(state, open) => {
            (open.at, open.rows.len(), "the first ", "")
        }
        Some(open) => (open.at, total(state, open), "", ""),
        None if model.is_full() && model.has_older() => (place_of_selected(state), model.len(), "the newest ", ""),
        None => (place_of_selected(state), model.len(), "", if model.has_older() { "+" } else { "" }),
    };
    if rows == 0 {
        return String::new();
    }
    format!("{} of {which}{}{more}", amount::count(at as u64 + 1), amount::count(rows as u64))
}

fn draw_timeline(state: &State, area: Rect, buffer: &mut Buffer) {
    let model = &state.changes;
    if model.len() == 0 {
        let words = match (model.is_unread(), model.has_groups(), model.has_older()) {
            (true, ..) => "",
            (false, false, _) => "  Nothing has changed yet.",
            (false, true, false) => "  No change matches the filter. esc clears it.",
            (false, true, true) if model.is_full() => {
                "  None of the newest 100,000 rows matches. esc clears the filter."
            }
            (false, true, true) => "  Looking further back.",
        };
        return paint::lines(buffer, area, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
    }
    let table = Table::new(COLUMNS, usize::from(area.width.saturating_sub(1)));
    paint::lines(buffer, area, &[table.titles(&state.theme)], 0);
    let rows = below_rule(area);
    // The border between new and known takes a row of its own.
    let border = model.since.map(|_| model.new_ones());
    let selected = place_of_selected(state);
    let row_of = |at: usize| at + usize::from(border.is_some_and(|border| border <= at));
    let all = model.len() + usize::from(border.is_some());
    let first = first_row(all, row_of(selected), usize::from(rows.height));
    for (at, row) in (first..all).zip(rows.rows()) {
        if border == Some(at) {
            draw_border(state, at, row, buffer);
            continue;
        }
        let at = at - usize::from(border.is_some_and(|border| border < at));
        let Some(group) = model.get(at) else { continue };
        let line = table.row(&state.theme, at == selected, &cells(state, group, table.width(WHERE).unwrap_or(0)));
        buffer.set_line(row.x, row.y, &line, row.width);
        if at == selected {
            buffer.set_style(row, state.theme.selected(state.focus == Focus::Body));
        }
    }
}

fn draw_border(state: &State, new_ones: usize, row: Rect, buffer: &mut Buffer) {
    let Some(since) = state.changes.since else { return };
    let nothing = if new_ones == 0 { "; nothing since" } else { "" };
    let words = format!(" you were last here {}{nothing} ", state.zone.brief(since, state.now.wall));
    paint::rule(buffer, &state.theme, row, false, vec![piece(words, Tone::Dim)], "");
}

fn cells(state: &State, group: &ChangeGroup, room: usize) -> [Cell; 5] {
    let (sign, tone) = sign(group.key.verdict, state.theme.signs);
    let files = unsigned(group.files);
    let count = if files < 1_000_000 { amount::count(files) } else { short_count(files) };
    [
        (state.zone.brief(group.at, state.now.wall), Tone::Plain),
        (name(state, group.key.repository), Tone::Plain),
        (format!("{sign} {}", group.key.verdict.as_str()), tone),
        (count, Tone::Plain),
        (place(state, group, room), Tone::Plain),
    ]
}

/// Returns the name of a repository, safe to print.
fn name(state: &State, id: RepositoryId) -> String {
    let entry = state.entries().iter().find(|entry| entry.status.repository.id == id);
    entry.map_or_else(String::new, |entry| show_message(&entry.status.repository.name).into_owned())
}

/// Returns where a group is: its directory, or the path of its single change.
fn place(state: &State, group: &ChangeGroup, room: usize) -> String {
    let GroupKey { place, moved_from, .. } = &group.key;
    let directory = |path: &RelPath| format!("{path}/");
    match &group.only {
        // A directory stands for itself: its path is the place.
        Some((path, from)) if path != place => {
            let from = from.as_ref().filter(|_| moved_from.is_some()).map(ToString::to_string);
            journey(state, from, path.to_string(), room)
        }
        _ => journey(state, moved_from.as_ref().map(directory), directory(place), room),
    }
}

/// Returns a path with where it came from; each of the two loses its own middle, so that both ends stay known.
fn journey(state: &State, from: Option<String>, to: String, room: usize) -> String {
    let Some(from) = from else { return to };
    const ARROW: &str = " -> ";
    let room = room.saturating_sub(columns(ARROW));
    let half = room / 2;
    let (long, other) = (columns(&from), columns(&to));
    // What one does not need is the other's.
    let from_room = half.max(room.saturating_sub(other)).min(long);
    let cut = state.theme.signs.cut;
    format!("{}{ARROW}{}", fit_path(&from, from_room, cut), fit_path(&to, room - from_room.min(room), cut))
}

/// Returns the sign of a verdict and its tone.
fn sign(verdict: Verdict, signs: &Signs) -> (&'static str, Tone) {
    match verdict {
        Verdict::Added => ("+", Tone::Plain),
        Verdict::Edited => ("~", Tone::Plain),
        Verdict::Touched => (signs.dot, Tone::Dim),
        Verdict::Moved => (signs.moved, Tone::Plain),
        Verdict::Replaced => ("*", Tone::Plain),
        Verdict::Removed => ("-", Tone::Plain),
        Verdict::Damaged => (signs.damaged, Tone::Bad),
        Verdict::Restored => (signs.done, Tone::Plain),
    }
}

fn draw_open(state: &State, open: &Open, area: Rect, buffer: &mut Buffer) {
    let table_area = table_area(area, open.rows.len());
    let table = Table::new(OPEN_COLUMNS, usize::from(area.width.saturating_sub(1)));
    paint::lines(buffer, table_area, &[table.titles(&state.theme)], 0);
    let rows = below_rule(table_area);
    let first = first_row(open.rows.len(), open.at, usize::from(rows.height));
    for (at, row) in (first..open.rows.len()).zip(rows.rows()) {
        let change = &open.rows[at].1;
        let cells = open_cells(state, change, table.width(PATH).unwrap_or(0));
        buffer.set_line(row.x, row.y, &table.row(&state.theme, at == open.at, &cells), row.width);
        if at == open.at {
            buffer.set_style(row, state.theme.selected(state.focus == Focus::Body));
        }
    }
    let told = Rect { y: table_area.bottom(), height: area.height - table_area.height, ..area };
    if let Some((_, change)) = open.rows.get(open.at).filter(|_| !told.is_empty()) {
        let words = format!(" {} {} ", name(state, open.key.repository), change.change.verdict.as_str());
        let aside = format!("run {}", amount::count(unsigned(open.key.run)));
        paint::rule(buffer, &state.theme, Rect { height: 1, ..told }, false, vec![piece(words, Tone::Plain)], &aside);
        paint::lines(buffer, below_rule(told), &told_lines(state, change, usize::from(area.width)), 0);
    }
}

/// Returns how many changes the open group has, as far as is known.
fn total(state: &State, open: &Open) -> usize {
    let known = state.changes.find(&open.key).map_or(0, |group| unsigned(group.changes));
    open.rows.len().max(known as usize)
}

/// Returns the part of the body that the table and its titles have.
fn table_area(area: Rect, rows: usize) -> Rect {
    if area.height < 2 * TOLD_ROWS {
        return area;
    }
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    Rect { height: wanted.min(area.height - TOLD_ROWS), ..area }
}

fn open_cells(state: &State, found: &StoredChange, room: usize) -> [Cell; 4] {
    let change = &found.change;
    let (sign, tone) = sign(change.verdict, state.theme.signs);
    let size = change.new_size_bytes.or(change.old_size_bytes);
    let from = change.old_path.as_ref().map(ToString::to_string);
    [
        (state.zone.brief(found.at, state.now.wall), Tone::Plain),
        (format!("{sign} {}", change.verdict.as_str()), tone),
        (journey(state, from, change.path.to_string(), room), Tone::Plain),
        (size.map_or_else(String::new, |size| amount::bytes(unsigned(size))), Tone::Plain),
    ]
}

/// Returns one change in full.
fn told_lines(state: &State, found: &StoredChange, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let change = &found.change;
    let mut lines = Vec::new();
    let mut say = |label, words: &str| lines.extend(paint::long_fact(theme, label, words, Tone::Plain, room));
    say("Path", &change.path.to_string());
    if let Some(from) = &change.old_path {
        say("Was at", &from.to_string());
    }
    let ago = amount::ago(state.now.wall.since_ms(found.at));
    say("Found", &format!("{}, {ago}", state.zone.exact(found.at)));
    if let Some(files) = change.directory_files {
        say("Holds", &amount::plural(unsigned(files), "file", "files"));
    }
    for (label, words) in [("Size", size_words(change)), ("SHA-256", hash_words(change))] {
        if !words.is_empty() {
            say(label, &words);
        }
    }
    if let Some(note) = &found.note {
        say("Note", &show_message(note));
    }
    lines
}

fn size_words(change: &Change) -> String {
    let bytes = |size: i64| format!("{} bytes", amount::count(unsigned(size)));
    match (change.old_size_bytes, change.new_size_bytes) {
        (Some(old), Some(new)) if old != new => format!("{} -> {}", bytes(old), bytes(new)),
        (old, new) => new.or(old).map_or_else(String::new, bytes),
    }
}

fn hash_words(change: &Change) -> String {
    let hex = |hash: Sha256| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (change.old_sha256, change.new_sha256) {
        (Some(old), Some(new)) if old != new => format!("{} -> {}", hex(old), hex(new)),
        (old, new) => new.or(old).map_or_else(String::new, hex),
    }
}
