//! A key: as the terminal tells of it, and as help, config and README write it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Named(KeyCode),
}

use Key::{Char, Ctrl, Named};

impl Key {
    /// Returns the letter that came with an Esc before it, which terminals take for Alt.
    pub fn behind_esc(event: &KeyEvent) -> Option<Key> {
        match event.code {
            KeyCode::Char(letter) if event.modifiers.difference(KeyModifiers::SHIFT) == KeyModifiers::ALT => {
                Some(Char(letter)).filter(|_| event.kind != KeyEventKind::Release)
            }
            _ => None,
        }
    }

    /// Returns the key that was pressed; `None` for what the table cannot name, such as Alt.
    pub fn from_event(event: &KeyEvent) -> Option<Key> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let modifiers = event.modifiers.difference(KeyModifiers::SHIFT);
        match event.code {
            KeyCode::Char(c) if modifiers == KeyModifiers::CONTROL => Some(Ctrl(c.to_ascii_lowercase())),
            KeyCode::Char(c) if modifiers.is_empty() => Some(Char(c)),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Some(Named(KeyCode::BackTab)),
            code if modifiers.is_empty() => Some(Named(code)),
            _ => None,
        }
    }
}

impl Key {
    /// Reads a key as help and config write it.
    pub fn parse(written: &str) -> Option<Key> {
        let mut letters = written.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return Some(Char(letter));
        }
        if written == "space" {
            return Some(Char(' '));
        }
        if let Some(letter) = written.strip_prefix("ctrl-") {
            return Key::parse(letter).filter(|key| matches!(key, Char('a'..='z'))).map(|key| match key {
                Char(letter) => Ctrl(letter),
                key => key,
            });
        }
        NAMED.into_iter().map(Named).find(|key| key.to_string() == written)
    }

    /// Tells whether it is no tail of an escape sequence, and not taken by terminals and multiplexers.
    pub fn is_safe(self) -> bool {
        match self {
            Char(letter) => letter.is_ascii_lowercase() || "NEKLTUVWXY".contains(letter),
            Ctrl(letter) => !"abghijmnopqst".contains(letter),
            Named(_) => true,
        }
    }
}

/// The keys that have names.
const NAMED: [KeyCode; 15] = [
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Backspace,
    KeyCode::Delete,
    KeyCode::Insert,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::PageUp,
    KeyCode::PageDown,
];

impl fmt::Display for Key {
    /// Writes the key as footer and help show it: `s`, `ctrl-c`, `enter`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Char(' ') => f.write_str("space"),
            Char(c) => write!(f, "{c}"),
            Ctrl(c) => write!(f, "ctrl-{c}"),
            Named(KeyCode::PageUp) => f.write_str("pgup"),
            Named(KeyCode::PageDown) => f.write_str("pgdn"),
            Named(KeyCode::BackTab) => f.write_str("shift-tab"),
            Named(code) => f.write_str(&format!("{code:?}").to_lowercase()),
        }
    }
}
