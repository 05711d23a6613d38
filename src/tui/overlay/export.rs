//! Asks for the name of the file that the table in view is written to.
//!
//! ```text
//! ┌ Write this table to ─────────────────────────────┐
//! │ watchkeeper-history-photos.csv▏                  │
//! │                                                  │
//! │ enter   CSV, or JSON lines as .jsonl             │
//! │ esc     leave it; nothing is replaced            │
//! └──────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::field::Field;
use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::theme::Tone;

/// Draws the prompt.
pub fn draw(state: &State, screen: Rect, field: &Field, buffer: &mut Buffer) {
    let theme = &state.theme;
    let inside = paint::frame(buffer, theme, super::middle(screen, 60, 6), "Write this table to");
    let shown = field.shown(usize::from(inside.width), theme.signs.cursor);
    let lines = [
        paint::line(theme, [piece(shown, Tone::Strong)]),
        paint::line(theme, []),
        paint::line(theme, [piece("enter   ", Tone::Accent), piece("CSV, or JSON lines as .jsonl", Tone::Plain)]),
        paint::line(theme, [piece("esc     ", Tone::Accent), piece("leave it; nothing is replaced", Tone::Plain)]),
    ];
    paint::lines(buffer, inside, &lines, 0);
}
