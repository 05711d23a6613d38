//! The keys, straight from the keymap; what is disabled just now says why.
//!
//! ```text
//! ┌ Help ──────────────────────────────────────────────────────┐
//! │ The selected repository                                    │
//! │   s            bring up to date: list every directory      │
//! │   x            cancel (nothing runs or waits here)         │
//! └────────────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::keymap::{Context, KEYMAP, Key};
use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::{fit, left};
use super::super::theme::Tone;

const WIDTH: usize = 68;
const KEYS: usize = 14;
/// In this order; what stands here and how it is headed.
const CONTEXTS: [&[Context]; 10] = [
    &[Context::Repository],
    &[Context::Problems],
    &[Context::History],
    &[Context::Files],
    &[Context::Changes],
    &[Context::Health],
    &[Context::Row],
    &[Context::Move],
    &[Context::Panes],
    &[Context::Screen, Context::Always],
];

/// Draws the help from its line `scroll` on.
pub fn draw(state: &State, screen: Rect, scroll: usize, buffer: &mut Buffer) {
    let area = area(state, screen);
    let inside = paint::frame(buffer, &state.theme, area, "Help");
    let lines = lines(state, usize::from(inside.width));
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    let scroll = scroll.min(hidden);
    paint::lines(buffer, inside, &lines, scroll);
    if hidden > scroll && inside.width > 8 {
        let words = format!(" {} more ", state.theme.signs.down);
        buffer.set_string(area.x + 2, area.bottom() - 1, words, state.theme.style(Tone::Dim));
    }
}

/// Returns how far the help can scroll on this screen.
pub fn scroll_limit(state: &State, screen: Rect) -> usize {
    let inside = usize::from(area(state, screen).height.saturating_sub(2));
    lines(state, WIDTH).len().saturating_sub(inside)
}

fn area(state: &State, screen: Rect) -> Rect {
    super::middle(screen, WIDTH, lines(state, WIDTH).len() + 2)
}

fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    for (at, contexts) in CONTEXTS.into_iter().enumerate() {
        if at > 0 {
            lines.push(Line::default());
        }
        lines.push(paint::line(theme, [piece(contexts[0].title(), Tone::Strong)]));
        for binding in KEYMAP.iter().filter(|binding| contexts.contains(&binding.context)) {
            let keys = state.keys.of(binding).iter().map(Key::to_string).collect::<Vec<_>>().join(" ");
            let (words, tone) = match (binding.enabled)(state) {
                Ok(()) | Err("") => (binding.words.to_owned(), Tone::Plain),
                Err(reason) => (format!("{} ({reason})", binding.name.replace('-', " ")), Tone::Dim),
            };
            let words = fit(&words, room.saturating_sub(KEYS + 3), theme.signs.cut);
            let keys = if keys.is_empty() { ":".to_owned() } else { keys };
            let keys = format!("  {} ", left(&keys, KEYS, theme.signs.cut));
            lines.push(paint::line(theme, [piece(keys, Tone::Accent), piece(words, tone)]));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_stands_in_the_help_but_those_that_stand_where_they_work() {
        let elsewhere = [Context::Confirm, Context::Text, Context::Form, Context::Plan];
        for binding in KEYMAP.iter().filter(|binding| !elsewhere.contains(&binding.context)) {
            assert!(CONTEXTS.iter().any(|contexts| contexts.contains(&binding.context)), "{}", binding.name);
        }
    }
}
