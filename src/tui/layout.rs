//! Where the parts of the screen stand at a given size. Pure arithmetic that saturates: any size from 0x0 is safe.
//!
//! From 100x24 list and body stand side by side, from 60x16 one above the other, from 40x10 one of them has the screen,
//! below that a single line says what is needed.
//!
//! ```text
//!  header                     header
//!  list rule  ┬  tab rule     list rule
//!  list       │               list
//!  activity   │  body         tab rule
//!             │               body
//!  message, footer            message, footer
//! ```

use ratatui::layout::{Rect, Size};

use super::state::Focus;

/// The smallest screen that tells anything.
pub const NEEDED: Size = Size { width: 40, height: 10 };

/// Below the list's rows, what runs and what ended last need this many rows to be worth it.
const ACTIVITY_ROWS: u16 = 6;

/// What decides where things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub size: Size,
    pub focus: Focus,
    pub zoom: bool,
    /// Rows of the list, without its rule and titles.
    pub list_rows: usize,
    /// Lines of the message above the footer; 0: none.
    pub message_rows: u16,
}

/// The parts of the screen; an empty rectangle is a part that is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    pub header: Rect,
    /// With its rule.
    pub list: Rect,
    pub divider: Rect,
    /// Below the list, with its rules.
    pub activity: Rect,
    /// With its rule.
    pub body: Rect,
    pub message: Rect,
    pub footer: Rect,
}

impl Areas {
    /// Returns the body's rows below its rule.
    pub fn body_rows(&self) -> Rect {
        below_rule(self.body)
    }

    /// Returns the list's rows below its rule and its column titles.
    pub fn list_rows(&self) -> Rect {
        below_rule(below_rule(self.list))
    }
}

/// Returns an area without its first row.
pub fn below_rule(area: Rect) -> Rect {
    Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area }
}

/// Returns where everything stands; `None` when the screen is too small.
pub fn areas(wanted: &Wanted) -> Option<Areas> {
    let Size { width, height } = wanted.size;
    if width < NEEDED.width || height < NEEDED.height {
        return None;
    }
    let row = |y, height| Rect { x: 0, y, width, height };
    let message_rows = wanted.message_rows.min(height / 3);
    let middle_rows = height.saturating_sub(2 + message_rows);
    let middle = row(1, middle_rows);
    let mut areas = Areas {
        header: row(0, 1),
        message: row(1 + middle_rows, message_rows),
        footer: row(height - 1, 1),
        ..Areas::default()
    };
    if wanted.zoom || width < 60 || height < 16 {
        match wanted.focus {
            Focus::List => areas.list = middle,
            Focus::Body => areas.body = middle,
        }
    } else if width >= 100 && height >= 24 {
        side_by_side(&mut areas, middle, wanted.list_rows);
    } else {
        let most = (middle.height * 2 / 5).max(4);
        let rows = u16::try_from(wanted.list_rows).unwrap_or(u16::MAX).saturating_add(2).clamp(4, most);
        areas.list = Rect { height: rows, ..middle };
        areas.body = Rect { y: middle.y + rows, height: middle.height - rows, ..middle };
    }
    Some(areas)
}

fn side_by_side(areas: &mut Areas, middle: Rect, list_rows: usize) {
    let width = (middle.width / 3).clamp(40, 60);
    let wanted = u16::try_from(list_rows).unwrap_or(u16::MAX).saturating_add(3);
    let rows = wanted.min(middle.height);
    areas.list = Rect { width, height: middle.height, ..middle };
    if middle.height - rows >= ACTIVITY_ROWS {
        areas.list.height = rows;
        areas.activity = Rect { y: middle.y + rows, width, height: middle.height - rows, ..middle };
    }
    areas.divider = Rect { x: width, width: 1, ..middle };
    areas.body = Rect { x: width + 1, width: middle.width - width - 1, ..middle };
}

/// Returns the first of `rows` to be shown in `height` so that row `at` stands in the middle where that is possible.
pub fn first_row(rows: usize, at: usize, height: usize) -> usize {
    at.saturating_sub(height / 2).min(rows.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(width: u16, height: u16) -> Wanted {
        Wanted { size: Size { width, height }, focus: Focus::List, zoom: false, list_rows: 8, message_rows: 0 }
    }

    #[test]
    fn each_size_has_its_shape() {
        for (width, height, parts) in
            [(120, 40, (true, true, true)), (80, 24, (true, true, false)), (40, 10, (true, false, false))]
        {
            let areas = areas(&wanted(width, height)).unwrap();
            let shown = (!areas.list.is_empty(), !areas.body.is_empty(), !areas.activity.is_empty());
            assert_eq!(shown, parts, "{width}x{height}");
        }
        assert_eq!(areas(&wanted(39, 10)), None);
    }

    #[test]
    fn no_part_leaves_the_screen() {
        for width in 0..140 {
            for height in 0..60 {
                for message_rows in [0, 3, 200] {
                    let wanted = Wanted { message_rows, list_rows: 10_000, ..wanted(width, height) };
                    let screen = Rect { x: 0, y: 0, width, height };
                    let Some(areas) = areas(&wanted) else { continue };
                    for part in [areas.header, areas.list, areas.activity, areas.body, areas.message, areas.footer] {
                        assert!(part.is_empty() || part.union(screen) == screen, "{width}x{height} {part:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_selected_row_is_always_in_view() {
        for (rows, at, height, first) in [(5, 4, 10, 0), (100, 0, 10, 0), (100, 50, 10, 45), (100, 99, 10, 90)] {
            assert_eq!(first_row(rows, at, height), first);
        }
    }
}
