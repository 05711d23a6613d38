//! The few strokes that all panes are drawn with: a line of text, a rule with words in it, a bar.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text;
use super::theme::{Theme, Tone};

/// A piece of a line: text that is safe to print, and its tone.
pub type Piece = (String, Tone);

/// Makes a line of pieces.
pub fn line(theme: &Theme, pieces: impl IntoIterator<Item = Piece>) -> Line<'static> {
    Line::from(pieces.into_iter().map(|(text, tone)| Span::styled(text, theme.style(tone))).collect::<Vec<_>>())
}

/// Shorthand for a piece.
pub fn piece(text: impl Into<String>, tone: Tone) -> Piece {
    (text.into(), tone)
}

/// Returns a label and what it says: the form of all facts. What is too long is cut; `room` is the whole line's.
pub fn fact(theme: &Theme, label: &str, pieces: impl IntoIterator<Item = Piece>, room: usize) -> Line<'static> {
    let mut rest = room.saturating_sub(LABEL);
    let mut all = vec![piece(format!("  {}", text::left(label, LABEL - 2, theme.signs.cut)), Tone::Dim)];
    for (words, tone) in pieces {
        let words = text::fit(&words, rest, theme.signs.cut);
        rest -= text::columns(&words).min(rest);
        all.push((words, tone));
    }
    line(theme, all)
}

/// Columns before what a fact says.
pub const LABEL: usize = 13;

/// Returns a fact whose words are all shown, on as many lines as they need.
pub fn long_fact(theme: &Theme, label: &str, words: &str, tone: Tone, room: usize) -> Vec<Line<'static>> {
    let lines = text::wrap(words, room.saturating_sub(LABEL + 1));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(lines).map(|(label, words)| fact(theme, label, [piece(words, tone)], room)).collect()
}

/// Draws lines from the top of an area; those before `skip` and those that do not fit are left out.
pub fn lines(buffer: &mut Buffer, area: Rect, lines: &[Line<'_>], skip: usize) {
    for (line, row) in lines.iter().skip(skip).zip(area.rows()) {
        buffer.set_line(row.x, row.y, line, row.width);
    }
}

/// Gives each character that takes columns of its own a cell of its own: see [`text::parts`].
pub fn one_by_one(buffer: &mut Buffer) {
    for at in 0..buffer.content.len() {
        // The shortest such cluster is a letter and a sign of three bytes.
        let symbol = buffer.content[at].symbol();
        if symbol.len() < 4 || symbol.chars().nth(1).is_none() {
            continue;
        }
        let cluster = symbol.to_owned();
        let style = buffer.content[at].style();
        let mut to = at;
        for (part, columns) in text::parts(&cluster) {
            if let Some(cell) = buffer.content.get_mut(to) {
                cell.set_symbol(part).set_style(style);
            }
            to += columns;
        }
    }
}

/// Draws a rule with `words` near its left end and `aside` near its right end, which goes first when the room is short.
pub fn rule(buffer: &mut Buffer, theme: &Theme, row: Rect, is_heavy: bool, words: Vec<Piece>, aside: &str) {
    let stroke = if is_heavy { theme.signs.heavy_rule } else { theme.signs.rule };
    let style = theme.style(if is_heavy { Tone::Accent } else { Tone::Dim });
    for column in row.columns() {
        buffer.set_stringn(column.x, column.y, stroke, 1, style);
    }
    let words = line(theme, words);
    let taken = words.width();
    let room = usize::from(row.width);
    if room < 4 {
        return;
    }
    buffer.set_line(row.x + 1, row.y, &words, row.width - 2);
    let aside_columns = text::columns(aside);
    if aside_columns > 0 && taken + aside_columns + 6 <= room {
        let x = row.x + row.width - u16::try_from(aside_columns).unwrap_or(0) - 3;
        buffer.set_stringn(x, row.y, format!(" {aside} "), aside_columns + 2, theme.style(Tone::Dim));
    }
}

/// Returns a bar of `room` columns that is full to `percent`.
pub fn bar(theme: &Theme, percent: f64, room: usize) -> [Piece; 2] {
    let full = ((percent / 100.0 * room as f64) as usize).min(room);
    [piece(theme.signs.bar.repeat(full), Tone::Accent), piece(theme.signs.bar_rest.repeat(room - full), Tone::Dim)]
}

/// Draws an empty box with a title and returns the room inside it.
pub fn frame(buffer: &mut Buffer, theme: &Theme, area: Rect, title: &str) -> Rect {
    for row in area.rows() {
        buffer.set_stringn(
            row.x,
            row.y,
            " ".repeat(usize::from(row.width)),
            usize::from(row.width),
            theme.style(Tone::Plain),
        );
        for column in row.columns() {
            buffer[(column.x, column.y)].reset();
        }
    }
    let (width, height) = (area.width, area.height);
    if width < 4 || height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let style = theme.style(Tone::Accent);
    let [top_left, top_right, bottom_left, bottom_right] = theme.signs.corners;
    let edge = theme.signs.rule.repeat(usize::from(width - 2));
    buffer.set_string(area.x, area.y, format!("{top_left}{edge}{top_right}"), style);
    buffer.set_string(area.x, area.bottom() - 1, format!("{bottom_left}{edge}{bottom_right}"), style);
    for y in area.y + 1..area.bottom() - 1 {
        buffer.set_string(area.x, y, theme.signs.divider, style);
        buffer.set_string(area.right() - 1, y, theme.signs.divider, style);
    }
    let title = text::fit(title, usize::from(width.saturating_sub(6)), theme.signs.cut);
    buffer.set_string(area.x + 1, area.y, format!(" {title} "), theme.style(Tone::Strong));
    Rect { x: area.x + 2, y: area.y + 1, width: width.saturating_sub(4), height: height - 2 }
}
