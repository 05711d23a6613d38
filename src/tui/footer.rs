//! The keys that work here, in one line, straight from the keymap: from its right end they drop, the help stays.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::field::Field;
use super::keymap::{Action, Binding, KEYMAP, contexts, find};
use super::paint::{self, piece};
use super::state::{Overlay, Place, State, Tab};
use super::text::{columns, fit};
use super::theme::Tone;

/// A key and its word, where they stand in the line.
pub struct Item {
    pub binding: &'static Binding,
    key: String,
    x: u16,
}

impl Item {
    /// Tells whether it is at this column.
    pub fn is_at(&self, x: u16) -> bool {
        (self.x..self.x.saturating_add(self.width())).contains(&x)
    }

    fn width(&self) -> u16 {
        u16::try_from(columns(&self.key) + 1 + columns(self.binding.short)).unwrap_or(u16::MAX)
    }
}

/// Returns what the line shows, from left to right.
pub fn items(state: &State, area: Rect) -> Vec<Item> {
    let item = |binding: &'static Binding| {
        let key = state.keys.of(binding).first()?.to_string();
        Some(Item { binding, key, x: area.x.saturating_add(1) })
    };
    let is_worth_it = |binding: &&Binding| {
        // In front of something `q` closes it, as Esc does, which stands there already.
        let is_quit = binding.action == Action::Quit && state.overlay.is_some();
        let works = contexts(state).contains(&binding.context) && (binding.enabled)(state).is_ok();
        // A key that an inner context has taken does something else here.
        let meant = state.keys.of(binding).first().and_then(|key| find(state, *key)).map(|found| found.name);
        works && !binding.short.is_empty() && !is_quit && meant.is_none_or(|name| name == binding.name)
    };
    let (help, others): (Vec<_>, Vec<_>) =
        KEYMAP.iter().filter(is_worth_it).filter_map(item).partition(|item| item.binding.action == Action::Help);
    let help = help.into_iter().next();
    let end = area.right().saturating_sub(1);
    let help = help.map(|help| Item { x: end.saturating_sub(help.width()), ..help });
    let room = help.as_ref().map_or(end, |help| help.x.saturating_sub(1));
    let mut items = placed(others, is_one_pane(state), area.x.saturating_add(1), room);
    items.extend(help);
    items
}

/// Puts items side by side from `x` on, as many as fit in front of `end`. Where there is but one pane, the way back from it
/// is among them.
fn placed(items: Vec<Item>, keeps_back: bool, x: u16, end: u16) -> Vec<Item> {
    let mut kept = Vec::new();
    let is_kept = |item: &Item| keeps_back && item.binding.action == Action::Back;
    let mut reserve = items.iter().find(|item| is_kept(item)).map_or(0, |back| back.width() + 3);
    let (mut x, mut is_full) = (x, false);
    for item in items {
        let next = x.saturating_add(item.width());
        if is_kept(&item) {
            reserve = 0;
        } else {
            // What follows stands further down in the order, and is not to overtake.
            is_full |= next.saturating_add(reserve) > end;
            if is_full {
                continue;
            }
        }
        kept.push(Item { x, ..item });
        x = next.saturating_add(3);
    }
    kept
}

/// Tells whether only one half of the screen is in view.
fn is_one_pane(state: &State) -> bool {
    state.areas().is_some_and(|areas| areas.list.is_empty() || areas.body.is_empty())
}

/// Draws the line; while a filter is typed, the filter.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    if let Some(Overlay::Filter { field, .. }) = &state.overlay {
        return typing(state, field, area, buffer);
    }
    for item in items(state, area) {
        let room = area.right().saturating_sub(item.x);
        let words = fit(&format!(" {}", item.binding.short), usize::from(room), "");
        let pieces = [piece(item.key, Tone::Strong), piece(words, Tone::Dim)];
        buffer.set_line(item.x, area.y, &paint::line(&state.theme, pieces), room);
    }
}

/// Draws the line in which a filter is typed.
fn typing(state: &State, field: &Field, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(3);
    let hint = match state.place() {
        Place::Tab(Tab::Files) => "esc clears   * ? [] pattern   ! without   ~ in order",
        _ => "enter keeps   esc clears   ! without   ~ in order",
    };
    let text = field.shown(room, state.theme.signs.cursor);
    let blanks = room.saturating_sub(columns(&text) + columns(hint));
    let hint = if blanks > 2 { format!("{}{hint}", " ".repeat(blanks)) } else { String::new() };
    let pieces = [piece(" /", Tone::Accent), piece(text, Tone::Strong), piece(hint, Tone::Dim)];
    buffer.set_line(area.x, area.y, &paint::line(&state.theme, pieces), area.width);
}
