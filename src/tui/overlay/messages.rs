//! What was said in this session, the newest first: a message that went by is not lost.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::wrap;
use super::super::theme::Tone;
use crate::domain::show::show_message;

const WIDTH: usize = 100;

/// Draws the messages from line `scroll` on.
pub fn draw(state: &State, screen: Rect, scroll: usize, buffer: &mut Buffer) {
    let area = area(state, screen);
    let inside = paint::frame(buffer, &state.theme, area, "Messages");
    let lines = lines(state, usize::from(inside.width));
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    paint::lines(buffer, inside, &lines, scroll.min(hidden));
}

/// Returns how far they can scroll on this screen.
pub fn scroll_limit(state: &State, screen: Rect) -> usize {
    let area = area(state, screen);
    let inside = area.height.saturating_sub(2);
    lines(state, usize::from(area.width.saturating_sub(4))).len().saturating_sub(usize::from(inside))
}

fn area(state: &State, screen: Rect) -> Rect {
    let width = WIDTH.min(usize::from(screen.width));
    super::middle(screen, WIDTH, lines(state, width.saturating_sub(4)).len() + 2)
}

fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    const TIME: usize = 8;
    let mut lines = Vec::new();
    for message in state.messages.iter().rev() {
        let at = state.zone.clock(message.at);
        let hint = message.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        let words = show_message(&message.text).into_owned() + &show_message(&hint);
        let times = std::iter::once(at).chain(std::iter::repeat(String::new()));
        for (time, words) in times.zip(wrap(&words, room.saturating_sub(TIME))) {
            let pieces = [piece(format!("{time:TIME$}"), Tone::Dim), piece(words, Tone::Plain)];
            lines.push(paint::line(&state.theme, pieces));
        }
    }
    if lines.is_empty() {
        lines.push(paint::line(&state.theme, [piece("Nothing was said yet.", Tone::Dim)]));
    }
    lines
}
