//! What stands in front of everything else: one at a time, in a box in the middle.

pub mod away;
pub mod confirm;
pub mod export;
pub mod form;
pub mod help;
pub mod messages;
pub mod palette;
pub mod plan;

use ratatui::layout::Rect;

/// Returns a box of at most this size in the middle of the screen.
fn middle(screen: Rect, width: usize, height: usize) -> Rect {
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(screen.width);
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(screen.height);
    Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height }
}
