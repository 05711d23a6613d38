//! What needs a person in the selected repository, and what to do about the selected one.
//!
//! ```text
//!   problem               where                                   since   count
//! > ≠ damaged             2026/09/IMG_0001.raw                      2 h       1
//!   # held                backup/b                                  3 h  12,431
//!   ! permission          home/anna/.ssh                            3 d     204
//! ─ damaged ────────────────────────────────────────────────────────────────────
//!   its content changed while its size and times did not
//!   Hint   a good copy: 2026/IMG_0001.raw in backup
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::state::{Focus, State};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{fit_path, left, short_count};
use super::super::theme::Tone;
use super::super::trouble::Trouble;
use super::detail;
use crate::domain::amount;

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("problem", Align::Left, 20, 0),
    Column { grows: true, ..column("where", Align::Path, 12, 0) },
    column("since", Align::Right, 6, 1),
    column("count", Align::Right, 5, 2),
];

/// Below the table, the selected one is told in at least this many rows, if the table keeps at least as many.
const TOLD_ROWS: u16 = 6;

/// Draws the table with its titles, and the selected one below it where there is room.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let troubles = state.listed_troubles();
    if troubles.is_empty() {
        let words = match (&state.rows, state.troubles().is_empty()) {
            (None, _) => "",
            (Some(_), true) => "  Nothing is open.",
            (Some(_), false) => "  Nothing open matches the filter. esc clears it.",
        };
        paint::lines(buffer, area, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
        return;
    }
    let table_area = table_area(area, troubles.len());
    let table = Table::new(COLUMNS, usize::from(area.width.saturating_sub(1)));
    paint::lines(buffer, table_area, &[table.titles(&state.theme)], 0);
    let rows = below_rule(table_area);
    let first = first(state, &troubles, usize::from(rows.height));
    for (trouble, row) in troubles[first.min(troubles.len())..].iter().zip(rows.rows()) {
        let is_selected = Some(trouble.key()) == state.trouble_at;
        buffer.set_line(row.x, row.y, &table.row(&state.theme, is_selected, &cells(state, trouble)), row.width);
        if is_selected {
            buffer.set_style(row, state.theme.selected(state.focus == Focus::Body));
        }
    }
    let told = Rect { y: table_area.bottom(), height: area.height - table_area.height, ..area };
    if let Some(selected) =
        troubles.iter().find(|trouble| Some(trouble.key()) == state.trouble_at).filter(|_| !told.is_empty())
    {
        let (_, what, _) = selected.what(state.theme.signs);
        let title = vec![piece(format!(" {what} "), Tone::Plain)];
        paint::rule(buffer, &state.theme, Rect { height: 1, ..told }, false, title, "");
        paint::lines(buffer, below_rule(told), &detail::trouble_lines(state, selected, usize::from(area.width)), 0);
    }
}

/// Returns the part of the body that the table and its titles have.
fn table_area(area: Rect, troubles: usize) -> Rect {
    if area.height < 2 * TOLD_ROWS {
        return area;
    }
    let wanted = u16::try_from(troubles).unwrap_or(u16::MAX).saturating_add(2);
    Rect { height: wanted.min(area.height - TOLD_ROWS), ..area }
}

fn first(state: &State, troubles: &[Trouble<'_>], height: usize) -> usize {
    let at = troubles.iter().position(|trouble| Some(trouble.key()) == state.trouble_at).unwrap_or(0);
    first_row(troubles.len(), at, height)
}

fn cells(state: &State, trouble: &Trouble<'_>) -> [Cell; 4] {
    let (sign, what, tone) = trouble.what(state.theme.signs);
    [
        (format!("{sign} {what}"), tone),
        (trouble.path().to_string(), Tone::Plain),
        (amount::age(state.now.wall.since_ms(trouble.since())), Tone::Plain),
        (short_count(trouble.count()), Tone::Plain),
    ]
}

/// Returns one of them as a line of the Status tab.
pub fn line(state: &State, trouble: &Trouble<'_>, room: usize) -> Line<'static> {
    let (sign, what, tone) = trouble.what(state.theme.signs);
    let what = left(&format!("{sign} {what}"), 20.min(room), state.theme.signs.cut);
    let path = fit_path(&trouble.path().to_string(), room.saturating_sub(25), state.theme.signs.cut);
    paint::line(&state.theme, [piece(format!("  {what}"), tone), piece(format!("  {path}"), Tone::Plain)])
}
