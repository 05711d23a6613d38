//! What frames leave on a terminal that knows characters and no clusters: what the last one says, and nothing else.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use super::*;
use crate::domain::show::show;
use crate::tui::paint;

/// What was sent and not yet read.
#[derive(Clone, Default)]
struct Sent(Rc<RefCell<Vec<u8>>>);

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NAMES: &[&str] = &[
    "plain",
    "",
    "ำำ",
    "กำกำ",
    "น้ำ",
    "का",
    "क्षि",
    "কা",
    "நி",
    "ក្ក",
    "東京",
    "e\u{301}",
    "\u{301}e",
    "🇦",
    "🇩🇪",
    "❤\u{fe0f}",
    "👨\u{200d}👩\u{200d}👧",
    "👍🏽",
    "1\u{fe0f}\u{20e3}",
    "\u{1112}\u{1161}\u{11ab}",
    "a\u{1161}",
    "ｶﾞ",
    "☰",
    "لا",
];

#[test]
fn nothing_of_a_frame_stays_behind_under_the_next_one() {
    let sent = Sent::default();
    let area = Rect { x: 0, y: 0, width: 60, height: 1 };
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(sent.clone()), options).unwrap();
    let mut parser = vt100::Parser::new(1, 60, 0);
    for first in NAMES {
        for second in NAMES {
            for name in [first, second] {
                let shown = format!("{}|", show(name.as_bytes()));
                terminal
                    .draw(|frame| {
                        let buffer = frame.buffer_mut();
                        buffer.set_stringn(0, 0, &shown, 60, ratatui::style::Style::new());
                        paint::one_by_one(buffer);
                    })
                    .unwrap();
                parser.process(&sent.0.take());
                assert_eq!(parser.screen().contents().trim_end(), shown, "{second:?} after {first:?}");
            }
        }
    }
}
