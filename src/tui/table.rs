//! Columns that fit: the least needed go first when the room is short, one grows into what is left. Rows never wrap.

use ratatui::text::{Line, Span};

use super::text;
use super::theme::{Theme, Tone};

/// How a cell stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
    /// Left, and what is too long loses its middle.
    Path,
}

/// One column. A table has one that grows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub align: Align,
    /// The smallest width for the one that grows.
    pub width: usize,
    /// Blanks before it.
    pub gap: usize,
    /// The highest goes first; 0 stays.
    pub rank: u8,
    pub grows: bool,
}

/// A cell's text, safe to print, and its tone.
pub type Cell = (String, Tone);

/// The columns that fit a width.
#[derive(Debug)]
pub struct Table {
    /// Place among the cells, the column, its width.
    shown: Vec<(usize, Column, usize)>,
}

/// What stands before every row: the selection marker.
const MARKER: usize = 2;

impl Table {
    /// Chooses the columns for `room` columns of the screen.
    pub fn new(columns: &[Column], room: usize) -> Table {
        let room = room.saturating_sub(MARKER);
        let mut shown: Vec<(usize, Column, usize)> =
            columns.iter().enumerate().map(|(at, column)| (at, *column, column.width)).collect();
        let total = |shown: &[(usize, Column, usize)]| -> usize {
            shown.iter().enumerate().map(|(at, (_, column, width))| width + if at == 0 { 0 } else { column.gap }).sum()
        };
        while total(&shown) > room {
            let worst = shown.iter().map(|(_, column, _)| column.rank).max().filter(|rank| *rank > 0);
            let Some(worst) = worst else { break };
            shown.retain(|(_, column, _)| column.rank != worst);
        }
        let rest = room.saturating_sub(total(&shown));
        if let Some((_, _, width)) = shown.iter_mut().find(|(_, column, _)| column.grows) {
            *width += rest;
        }
        Table { shown }
    }

    /// Returns how wide a cell is, by its place in a row; `None`: it is not shown.
    pub fn width(&self, cell: usize) -> Option<usize> {
        self.shown.iter().find(|(at, ..)| *at == cell).map(|(_, _, width)| *width)
    }

    /// Returns the line of titles.
    pub fn titles(&self, theme: &Theme) -> Line<'static> {
        let cells = self.shown.iter().map(|(_, column, width)| (column, *width, column.title.to_owned(), Tone::Dim));
        line(theme, false, cells)
    }

    /// Returns one row; `cells` are in the order of the columns, also of those that are not shown.
    pub fn row(&self, theme: &Theme, is_selected: bool, cells: &[Cell]) -> Line<'static> {
        let cells = self.shown.iter().map(|(at, column, width)| {
            let (text, tone) = cells.get(*at).cloned().unwrap_or((String::new(), Tone::Plain));
            (column, *width, text, tone)
        });
        line(theme, is_selected, cells)
    }
}

fn line<'a>(
    theme: &Theme,
    is_selected: bool,
    cells: impl Iterator<Item = (&'a Column, usize, String, Tone)>,
) -> Line<'static> {
    let marker = if is_selected { "> " } else { "  " };
    let mut spans = vec![Span::styled(marker, theme.style(Tone::Accent))];
    for (at, (column, width, text, tone)) in cells.enumerate() {
        if at > 0 {
            spans.push(Span::raw(" ".repeat(column.gap)));
        }
        let cut = theme.signs.cut;
        let text = match column.align {
            Align::Left => text::left(&text, width, cut),
            Align::Right => text::right(&text, width, cut),
            Align::Path => text::left(&text::fit_path(&text, width, cut), width, cut),
        };
        spans.push(Span::styled(text, theme.style(tone)));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::super::theme::Choice;
    use super::*;

    const fn column(title: &'static str, width: usize, rank: u8, grows: bool) -> Column {
        Column { title, align: Align::Left, width, gap: 2, rank, grows }
    }

    const COLUMNS: &[Column] = &[
        column("state", 5, 0, false),
        column("name", 4, 0, true),
        column("files", 5, 2, false),
        column("size", 4, 1, false),
    ];

    #[test]
    fn the_least_needed_columns_go_first_and_one_grows() {
        let theme = Theme::new(Choice::Mono, true);
        for (room, shown) in [
            (30, "  state  name      files  size"),
            (20, "  state  name   size"),
            (14, "  state  name "),
            (5, "  state  name"),
        ] {
            assert_eq!(Table::new(COLUMNS, room).titles(&theme).to_string(), shown, "{room}");
        }
    }
}
