//! Colours and signs. One accent, red for what failed, yellow for what needs a person; the rest is the terminal's own.
//!
//! Only the 16 colours that every terminal has, so that the person's own palette decides. Mono sets no colour at all, not
//! even a reset: crossterm turns colours into resets under `NO_COLOR`, and those would take bold and reverse with them.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::repository::State as Word;
use crate::domain::run::Outcome;

/// Which colours to use. Where they come from (config, `NO_COLOR`, `TERM`) is the caller's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Readable on dark and on light backgrounds.
    #[default]
    Auto,
    Dark,
    Light,
    /// Bold, dim and reverse only.
    Mono,
}

/// What a part of the screen means; the theme knows how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Headings and what is needed less.
    Dim,
    Strong,
    /// Focus, selection, what runs.
    Accent,
    /// Failed.
    Bad,
    /// Needs a person.
    Warn,
}

/// Colours and signs in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    choice: Choice,
    pub signs: &'static Signs,
}

/// The signs that are not letters. Each takes one column.
#[derive(Debug, PartialEq, Eq)]
pub struct Signs {
    pub done: &'static str,
    pub syncing: &'static str,
    pub failed: &'static str,
    pub missing: &'static str,
    pub damaged: &'static str,
    pub stale: &'static str,
    pub rule: &'static str,
    pub heavy_rule: &'static str,
    pub divider: &'static str,
    pub divider_top: &'static str,
    pub divider_left: &'static str,
    pub divider_right: &'static str,
    pub divider_cross: &'static str,
    pub bar: &'static str,
    pub bar_rest: &'static str,
    pub corners: [&'static str; 4],
    /// Of a plot, the lowest first.
    pub blocks: [&'static str; 8],
    pub cut: &'static str,
    pub dot: &'static str,
    pub moved: &'static str,
    pub dash: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    /// Where typed text goes.
    pub cursor: &'static str,
}

const UNICODE: Signs = Signs {
    done: "✓",
    syncing: "↻",
    failed: "✗",
    missing: "?",
    damaged: "≠",
    stale: "○",
    rule: "─",
    heavy_rule: "━",
    divider: "│",
    divider_top: "┬",
    divider_left: "┤",
    divider_right: "├",
    divider_cross: "┼",
    bar: "━",
    bar_rest: "╌",
    corners: ["┌", "┐", "└", "┘"],
    blocks: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    cut: "…",
    dot: "·",
    moved: "→",
    dash: "–",
    up: "↑",
    down: "↓",
    cursor: "▏",
};

const ASCII: Signs = Signs {
    done: "=",
    syncing: "*",
    failed: "x",
    missing: "?",
    damaged: "%",
    stale: "o",
    rule: "-",
    heavy_rule: "=",
    divider: "|",
    divider_top: "+",
    divider_left: "+",
    divider_right: "+",
    divider_cross: "+",
    bar: "#",
    bar_rest: ".",
    corners: ["+", "+", "+", "+"],
    // Strokes and points are signs of outcomes already.
    blocks: ["1", "2", "3", "4", "5", "6", "7", "8"],
    cut: "~",
    dot: "/",
    moved: ">",
    dash: "-",
    up: "^",
    down: "v",
    cursor: "_",
};

impl Theme {
    pub fn new(choice: Choice, ascii: bool) -> Theme {
        Theme { choice, signs: if ascii { &ASCII } else { &UNICODE } }
    }

    /// Returns how a tone looks.
    pub fn style(&self, tone: Tone) -> Style {
        let style = Style::new();
        let color = match (self.choice, tone) {
            (Choice::Mono, _) | (_, Tone::Plain | Tone::Dim | Tone::Strong) => None,
            (Choice::Light, Tone::Accent) => Some(Color::Blue),
            (_, Tone::Accent) => Some(Color::Cyan),
            (Choice::Dark, Tone::Bad) => Some(Color::LightRed),
            (_, Tone::Bad) => Some(Color::Red),
            (Choice::Dark, Tone::Warn) => Some(Color::LightYellow),
            // Bright yellow on white cannot be read; the dark one can.
            (_, Tone::Warn) => Some(Color::Yellow),
        };
        let style = color.map_or(style, |color| style.fg(color));
        match tone {
            Tone::Dim => style.add_modifier(Modifier::DIM),
            Tone::Strong | Tone::Bad => style.add_modifier(Modifier::BOLD),
            Tone::Accent if self.choice == Choice::Mono => style.add_modifier(Modifier::BOLD),
            Tone::Warn if self.choice == Choice::Mono => style.add_modifier(Modifier::BOLD),
            _ => style,
        }
    }

    /// Returns how the selected row looks, on top of its own tones.
    pub fn selected(&self, has_focus: bool) -> Style {
        Style::new().add_modifier(if has_focus { Modifier::REVERSED } else { Modifier::BOLD })
    }

    /// Returns a state's sign, its word and their tone.
    pub fn state(&self, state: Word) -> (&'static str, &'static str, Tone) {
        match state {
            Word::Paused => ("-", "paused", Tone::Dim),
            Word::Missing => (self.signs.missing, "missing", Tone::Bad),
            Word::Syncing => (self.signs.syncing, "syncing", Tone::Accent),
            Word::Failed => (self.signs.failed, "failed", Tone::Bad),
            Word::Held => ("#", "held", Tone::Warn),
            Word::Damaged => (self.signs.damaged, "damaged", Tone::Bad),
            Word::Partial => ("!", "partial", Tone::Warn),
            Word::Pending => (".", "pending", Tone::Dim),
            Word::Stale => (self.signs.stale, "stale", Tone::Dim),
            Word::InSync => (self.signs.done, "in sync", Tone::Plain),
        }
    }

    /// Returns an outcome's sign, its word and their tone; `None` is a run that is going on.
    pub fn outcome(&self, outcome: Option<Outcome>) -> (&'static str, &'static str, Tone) {
        match outcome {
            None => (self.signs.syncing, "running", Tone::Accent),
            Some(Outcome::Completed) => (self.signs.done, "completed", Tone::Plain),
            Some(Outcome::Partial) => ("!", "partial", Tone::Warn),
            Some(Outcome::Failed) => (self.signs.failed, "failed", Tone::Bad),
            Some(Outcome::Held) => ("#", "held", Tone::Warn),
            Some(Outcome::Cancelled) => ("-", "cancelled", Tone::Dim),
            Some(Outcome::Interrupted) => ("-", "interrupted", Tone::Dim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TONES: [Tone; 6] = [Tone::Plain, Tone::Dim, Tone::Strong, Tone::Accent, Tone::Bad, Tone::Warn];

    #[test]
    fn mono_sets_no_colour() {
        let mono = Theme::new(Choice::Mono, false);
        assert!(TONES.iter().all(|tone| mono.style(*tone).fg.is_none() && mono.style(*tone).bg.is_none()));
    }

    #[test]
    fn the_ascii_set_is_ascii() {
        assert!(format!("{ASCII:?}").is_ascii());
    }
}
