//! All actions by name, narrowed while one types, each with its key and the command line that does the same.
//!
//! ```text
//! ┌ : ver▏ ──────────────────────────────────────────────────────────┐
//! │ > verify: read all content again and compare                   v │
//! │   cancel: stop what runs (nothing runs or waits here)          x │
//! │ $ watchkeeper sync photos --kind verify                          │
//! └──────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::field::Field;
use super::super::keymap::Binding;
use super::super::layout::first_row;
use super::super::paint::{self, piece};
use super::super::palette::{matching, text, would_run};
use super::super::state::State;
use super::super::text::{columns, fit, left};
use super::super::theme::Tone;

const WIDTH: usize = 72;
const ROWS: usize = 16;

/// Draws the palette; row `at` of what matches is selected.
pub fn draw(state: &State, screen: Rect, field: &Field, at: usize, buffer: &mut Buffer) {
    let found = matching(field.text());
    // As high as it can get, so that it does not jump while one types.
    let area = super::middle(screen, WIDTH, ROWS + 3);
    let title = format!(": {}", field.shown(usize::from(area.width.saturating_sub(10)), state.theme.signs.cursor));
    let inside = paint::frame(buffer, &state.theme, area, &title);
    let room = usize::from(inside.width);
    let rows = usize::from(inside.height).saturating_sub(1);
    let at = at.min(found.len().saturating_sub(1));
    let first = first_row(found.len(), at, rows);
    let mut lines: Vec<Line<'_>> = found
        .iter()
        .enumerate()
        .skip(first)
        .take(rows)
        .map(|(row, binding)| line(state, binding, row == at, room))
        .collect();
    if found.is_empty() {
        lines.push(paint::line(&state.theme, [piece("nothing has this name", Tone::Dim)]));
    }
    paint::lines(buffer, inside, &lines, 0);
    for row in inside.rows().take(rows).skip(at - first.min(at)).take(usize::from(!found.is_empty())) {
        buffer.set_style(row, state.theme.selected(true));
    }
    let command = found.get(at).filter(|binding| (binding.enabled)(state).is_ok());
    if let Some(command) = command.and_then(|binding| would_run(state, binding.action)) {
        let words = fit(&format!("$ {command}"), room, state.theme.signs.cut);
        let last = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
        paint::lines(buffer, last, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
    }
}

fn line(state: &State, binding: &Binding, is_selected: bool, room: usize) -> Line<'static> {
    let key = state.keys.of(binding).first().map_or_else(String::new, ToString::to_string);
    let (words, tone) = match (binding.enabled)(state) {
        Ok(()) | Err("") => (text(binding), Tone::Plain),
        Err(reason) => (format!("{} ({reason})", binding.name.replace('-', " ")), Tone::Dim),
    };
    let marker = if is_selected { "> " } else { "  " };
    let words = left(&words, room.saturating_sub(3 + columns(&key)), state.theme.signs.cut);
    let pieces = [piece(marker, Tone::Accent), piece(words, tone), piece(format!(" {key}"), Tone::Accent)];
    paint::line(&state.theme, pieces)
}
