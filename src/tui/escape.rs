//! Holds a lone Esc back for a moment: over a slow line an arrow key may arrive as Esc, `[` and `D`. Pure.
//!
//! What follows in time is put together again; what cannot be is dropped, as its letters would act as keys.

use crossterm::event::KeyCode;

use super::keymap::Key;

/// How long the rest of a split sequence is waited for. Nobody feels this delay of an Esc.
pub const HOLD_MS: u64 = 40;

/// What of a sequence has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    #[default]
    Nothing,
    Esc {
        at_ms: u64,
    },
    /// Esc and `[` or `O`, perhaps digits.
    Sequence {
        at_ms: u64,
    },
}

impl Held {
    /// Takes a key and returns the keys that are sure now.
    pub fn take(&mut self, key: Key, now_ms: u64) -> Vec<Key> {
        let overdue = self.overdue(now_ms);
        let mut sure: Vec<Key> = overdue.into_iter().collect();
        *self = match (*self, key) {
            (Held::Esc { .. }, Key::Char('[' | 'O')) => Held::Sequence { at_ms: now_ms },
            (Held::Sequence { .. }, Key::Char('0'..='9' | ';' | '<')) => Held::Sequence { at_ms: now_ms },
            (Held::Sequence { .. }, Key::Char(end)) => {
                sure.extend(ended_by(end));
                Held::Nothing
            }
            (before, key) => {
                if matches!(before, Held::Esc { .. }) {
                    sure.push(ESC);
                }
                match key {
                    ESC => Held::Esc { at_ms: now_ms },
                    key => {
                        sure.push(key);
                        Held::Nothing
                    }
                }
            }
        };
        sure
    }

    /// Returns when what is held is no beginning any more.
    pub fn due_ms(&self) -> Option<u64> {
        match self {
            Held::Nothing => None,
            Held::Esc { at_ms } | Held::Sequence { at_ms } => Some(at_ms + HOLD_MS),
        }
    }

    /// Gives up waiting when it is time; returns the Esc if it was one by itself.
    pub fn overdue(&mut self, now_ms: u64) -> Option<Key> {
        if self.due_ms().is_none_or(|due| now_ms < due) {
            return None;
        }
        match std::mem::take(self) {
            Held::Esc { .. } => Some(ESC),
            Held::Nothing | Held::Sequence { .. } => None,
        }
    }
}

pub const ESC: Key = Key::Named(KeyCode::Esc);

/// Returns the key of a sequence by its last letter; `None` for one that does nothing here.
fn ended_by(end: char) -> Option<Key> {
    let code = match end {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'H' => KeyCode::Home,
        'F' => KeyCode::End,
        'Z' => KeyCode::BackTab,
        _ => return None,
    };
    Some(Key::Named(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys with the milliseconds at which they arrive, and what is sure in the end.
    fn check(arrivals: &[(u64, Key)], expected: &[Key]) {
        let mut held = Held::default();
        let mut sure: Vec<Key> = arrivals.iter().flat_map(|(at, key)| held.take(*key, *at)).collect();
        sure.extend(held.overdue(10_000));
        assert_eq!(sure, expected, "{arrivals:?}");
    }

    #[test]
    fn a_split_sequence_is_the_key_that_was_pressed_and_a_lone_esc_is_an_esc() {
        let char = Key::Char;
        check(&[(0, ESC)], &[ESC]);
        check(&[(0, ESC), (30, char('[')), (31, char('D'))], &[Key::Named(KeyCode::Left)]);
        check(&[(0, ESC), (30, char('O')), (31, char('A'))], &[Key::Named(KeyCode::Up)]);
        check(&[(0, ESC), (5, char('[')), (6, char('3')), (7, char('~')), (8, char('s'))], &[char('s')]);
        check(&[(0, ESC), (5, char('s'))], &[ESC, char('s')]);
        check(&[(0, ESC), (5, ESC)], &[ESC, ESC]);
        check(&[(0, ESC), (500, char('s'))], &[ESC, char('s')]);
        check(&[(0, ESC), (5, char('[')), (500, char('s'))], &[char('s')]);
        check(&[(0, char('j')), (1, char('j'))], &[char('j'), char('j')]);
    }
}
