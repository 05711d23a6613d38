//! One line of text that is being typed. What keys do in it is the `tui-input` crate's business, and here only named.

use crossterm::event::KeyCode;
use tui_input::{Input, InputRequest};

use super::keymap::Key;
use super::text;

/// A line of text with a cursor.
#[derive(Clone, Debug, Default)]
pub struct Field {
    input: Input,
}

/// Two fields with the same text are the same, wherever the cursor stands.
impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        self.text() == other.text()
    }
}

impl Field {
    /// Returns a field with a text in it, the cursor behind it.
    pub fn with(text: impl Into<String>) -> Field {
        Field { input: Input::new(text.into()) }
    }

    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Takes a key; returns whether it meant anything to a text.
    pub fn take(&mut self, key: Key) -> bool {
        let request = match key {
            Key::Char(c) => InputRequest::InsertChar(c),
            Key::Ctrl('u') => InputRequest::DeleteLine,
            Key::Ctrl('w') => InputRequest::DeletePrevWord,
            Key::Named(KeyCode::Backspace) => InputRequest::DeletePrevChar,
            Key::Named(KeyCode::Delete) => InputRequest::DeleteNextChar,
            Key::Named(KeyCode::Left) => InputRequest::GoToPrevChar,
            Key::Named(KeyCode::Right) => InputRequest::GoToNextChar,
            Key::Named(KeyCode::Home) => InputRequest::GoToStart,
            Key::Named(KeyCode::End) => InputRequest::GoToEnd,
            _ => return false,
        };
        // What it returns says whether anything changed, which nobody asks.
        let _changed = self.input.handle(request);
        true
    }

    /// Takes pasted text; line ends and other control characters in it are blanks.
    pub fn paste(&mut self, pasted: &str) {
        for c in pasted.trim_end_matches(['\r', '\n']).chars() {
            let c = if c.is_control() { ' ' } else { c };
            let _changed = self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// Returns what of the text is in view in `room` columns, with the cursor as a sign of its own.
    pub fn shown(&self, room: usize, cursor: &str) -> String {
        let (before, behind) = split(self.text(), self.input.cursor());
        let (before, behind) = (crate::domain::show::show_message(before), crate::domain::show::show_message(behind));
        let behind = text::fit(&behind, room.saturating_sub(1) / 4, "");
        let kept = text::tail(&before, room.saturating_sub(1 + text::columns(&behind)));
        format!("{kept}{cursor}{behind}")
    }
}

/// Splits a text in front of its character number `at`.
fn split(text: &str, at: usize) -> (&str, &str) {
    let byte = text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    text.split_at(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> Field {
        let mut field = Field::default();
        for key in keys {
            field.take(*key);
        }
        field
    }

    #[test]
    fn text_is_typed_where_the_cursor_is() {
        let left = Key::Named(KeyCode::Left);
        let field = typed(&[Key::Char('a'), Key::Char('c'), left, Key::Char('b')]);
        assert_eq!(field.text(), "abc");
        assert_eq!(field.shown(10, "_"), "ab_c");
        assert_eq!(typed(&[Key::Char('a'), Key::Char(' '), Key::Char('b'), Key::Ctrl('w')]).text(), "a ");
        assert_eq!(typed(&[Key::Char('a'), Key::Ctrl('u')]).text(), "");
    }

    #[test]
    fn pasted_line_ends_press_nothing_and_control_characters_are_blanks() {
        let mut field = Field::with("x");
        field.paste("a\nb\x1b[2J\n");
        assert_eq!(field.text(), "xa b [2J");
    }

    #[test]
    fn the_cursor_is_in_view_in_any_room() {
        let field = Field::with("/srv/data/a/very/long/path/東京");
        for room in 1..40 {
            let shown = field.shown(room, "_");
            assert!(shown.contains('_') && text::columns(&shown) <= room, "{room}: {shown}");
        }
    }
}
