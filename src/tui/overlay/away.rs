//! What happened while the person was away, by kind and repository.
//!
//! ```text
//! ┌ Since Tue 18:40 ──────────────────┐
//! │ ≠ 1 damaged file                  │
//! │     home                        1 │
//! │                                   │
//! │ + 214 changes                     │
//! │     photos                    210 │
//! │     mail                        4 │
//! └───────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::away;
use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::{columns, left, unsigned};
use super::super::theme::Tone;
use crate::domain::amount::count;
use crate::domain::show::show_message;

const WIDTH: usize = 60;

/// Draws it from line `scroll` on.
pub fn draw(state: &State, screen: Rect, scroll: usize, buffer: &mut Buffer) {
    let title = match state.changes.since {
        Some(since) => format!("Since {}", state.zone.brief(since, state.now.wall)),
        None => "Since you were last here".to_owned(),
    };
    let inside = paint::frame(buffer, &state.theme, area(state, screen), &title);
    let lines = lines(state, usize::from(inside.width));
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    paint::lines(buffer, inside, &lines, scroll.min(hidden));
}

/// Returns how far it can scroll on this screen.
pub fn scroll_limit(state: &State, screen: Rect) -> usize {
    let area = area(state, screen);
    lines(state, WIDTH).len().saturating_sub(usize::from(area.height.saturating_sub(2)))
}

fn area(state: &State, screen: Rect) -> Rect {
    super::middle(screen, WIDTH, lines(state, WIDTH).len() + 2)
}

/// How many lines there are does not depend on the room.
fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let Some((total, is_more)) = away::total(state) else {
        return vec![paint::line(theme, [piece("reading the index", Tone::Dim)])];
    };
    let mut lines = Vec::new();
    for part in away::parts(&total, is_more, theme.signs) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(paint::line(theme, [piece(format!("{} {}", part.sign, part.words), part.tone)]));
        for (name, amount) in away::shares(state, &part) {
            let amount = count(unsigned(amount));
            let name = left(&show_message(&name), room.saturating_sub(5 + columns(&amount)), theme.signs.cut);
            lines.push(paint::line(theme, [piece(format!("    {name} {amount}"), Tone::Plain)]));
        }
    }
    if lines.is_empty() {
        lines.push(paint::line(theme, [piece("Nothing happened.", Tone::Dim)]));
    }
    lines
}
