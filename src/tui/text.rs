//! Text that fits: cut and padded by display columns, and moments as people read them. No file name gets here unescaped.
//!
//! Everything on the screen goes through [`fit`] or [`fit_path`], so that a wide or combining character can push nothing
//! over an edge. Escaping is the business of `domain::show`, also of what terminals disagree on; [`parts`] says how what
//! stays goes into cells.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Local, TimeZone, Utc};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::amount;
use crate::domain::moment::Timestamp;

/// In which civil time moments are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    #[default]
    Local,
    /// The same on every machine.
    Utc,
}

impl Zone {
    /// Returns the time of day, `14:32`.
    pub fn clock(self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    /// Returns the moment to the second, `2026-11-20 14:32:10`.
    pub fn exact(self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// Returns the moment as short as it is clear: `14:31` today, `Sun 02:00` this week, `12 Nov` before, `2025-11-12`.
    pub fn brief(self, at: Timestamp, now: Timestamp) -> String {
        const WEEK_MS: i64 = 6 * 86_400_000;
        let day = |at| self.format(at, "%Y-%m-%d");
        if day(at) == day(now) {
            self.clock(at)
        } else if now.since_ms(at) < WEEK_MS {
            self.format(at, "%a %H:%M")
        } else if self.year(at) == self.year(now) {
            self.format(at, "%d %b")
        } else {
            day(at)
        }
    }

    fn year(self, at: Timestamp) -> Option<i32> {
        DateTime::<Utc>::from_timestamp_millis(at.0).map(|at| match self {
            Zone::Local => at.with_timezone(&Local).year(),
            Zone::Utc => at.year(),
        })
    }

    fn format(self, at: Timestamp, format: &str) -> String {
        fn written<Z: TimeZone<Offset: std::fmt::Display>>(at: DateTime<Z>, format: &str) -> String {
            at.format(format).to_string()
        }
        match (DateTime::<Utc>::from_timestamp_millis(at.0), self) {
            (Some(at), Zone::Local) => written(at.with_timezone(&Local), format),
            (Some(at), Zone::Utc) => written(at, format),
            (None, _) => "?".to_owned(),
        }
    }
}

/// Returns how many columns a text takes.
pub fn columns(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Takes a cluster of characters apart into what stands in cells of its own: each with its columns.
///
/// Terminals know characters and no clusters: a Thai or Indian syllable of two columns is two cells to them, and the second
/// stays when the first is written over.
pub fn parts(cluster: &str) -> Vec<(&str, usize)> {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    let mut begin = 0;
    for (at, c) in cluster.char_indices() {
        let width = c.width().unwrap_or(0);
        // What takes no column goes with what stands before it.
        let has_width = parts.last().is_some_and(|(_, width)| *width > 0);
        if width > 0 && has_width || parts.is_empty() {
            begin = at;
            parts.push(("", 0));
        }
        if let Some(last) = parts.last_mut() {
            *last = (&cluster[begin..at + c.len_utf8()], last.1 + width);
        }
    }
    parts
}

/// Cuts a text to at most `room` columns; what was cut ends in `mark`, which takes one column.
pub fn fit(text: &str, room: usize, mark: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut kept = head(text, room - 1).to_owned();
    kept.push_str(mark);
    kept
}

/// Cuts a path to at most `room` columns by taking out its middle: both the top directory and the name stay known.
pub fn fit_path(path: &str, room: usize, mark: &str) -> String {
    if columns(path) <= room {
        return path.to_owned();
    }
    if room < 4 {
        return fit(path, room, mark);
    }
    // The name at the end says more than the directories before it.
    let front = (room - 1) / 3;
    let front_text = head(path, front);
    let back_text = tail(path, room - 1 - columns(front_text));
    format!("{front_text}{mark}{back_text}")
}

/// Pads a text that fits on its right.
pub fn left(text: &str, room: usize, mark: &str) -> String {
    let mut text = fit(text, room, mark);
    push_blanks(&mut text, room);
    text
}

/// Pads a text that fits on its left.
pub fn right(text: &str, room: usize, mark: &str) -> String {
    let text = fit(text, room, mark);
    let blanks = room.saturating_sub(columns(&text));
    format!("{}{text}", " ".repeat(blanks))
}

/// Breaks a text into lines of at most `room` columns, at blanks where there are any. Line ends in it stay.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if columns(&line) + columns(word.trim_end()) <= room {
                line.push_str(word);
                continue;
            }
            if !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            line.clear();
            let mut rest = word.trim_start();
            while columns(rest.trim_end()) > room {
                let part = head(rest, room);
                // A single grapheme wider than the room cannot be shown; leave the rest of this word out.
                if part.is_empty() {
                    rest = "";
                    break;
                }
                lines.push(part.to_owned());
                rest = &rest[part.len()..];
            }
            line.push_str(rest);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Returns a count in at most five columns: `73 k`, `1.9 M`.
pub fn short_count(amount: u64) -> String {
    let mut text = String::new();
    let scaled = |scale: u64| amount as f64 / scale as f64;
    let outcome = match amount {
        0..=9_999 => write!(text, "{}", amount::count(amount)),
        10_000..=999_499 => write!(text, "{:.0} k", scaled(1_000)),
        999_500..=9_949_999 => write!(text, "{:.1} M", scaled(1_000_000)),
        9_950_000..=999_499_999 => write!(text, "{:.0} M", scaled(1_000_000)),
        _ => write!(text, "{:.1} G", scaled(1_000_000_000)),
    };
    outcome.expect("writing to a string cannot fail");
    text
}

/// Returns a stored count as an amount; none is negative.
pub fn unsigned(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or(0)
}

/// Returns how long something took in at most six columns: `0.2 s`, `41 s`, `3 min`, `2 h`.
pub fn short_took(milliseconds: u64) -> String {
    if milliseconds < 120_000 { amount::took(milliseconds) } else { amount::age(milliseconds as i64) }
}

fn push_blanks(text: &mut String, room: usize) {
    let blanks = room.saturating_sub(columns(text));
    text.extend(std::iter::repeat_n(' ', blanks));
}

/// Returns the longest beginning that takes at most `room` columns.
fn head(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let end = text.grapheme_indices(true).find(|(_, grapheme)| {
        taken += grapheme.width();
        taken > room
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// Returns the longest end that takes at most `room` columns.
pub fn tail(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        taken += grapheme.width();
        if taken > room {
            break;
        }
        start = at;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::CellWidth;

    use super::*;

    #[test]
    fn a_text_takes_no_more_than_its_room() {
        for (text, room, cut) in [
            ("photos", 6, "photos"),
            ("photos", 5, "phot…"),
            ("photos", 1, "…"),
            ("photos", 0, ""),
            ("東京都", 5, "東京…"),
            ("東京都", 4, "東…"),
            ("e\u{301}a\u{301}u\u{301}", 2, "e\u{301}…"),
        ] {
            assert_eq!(fit(text, room, "…"), cut, "{text} {room}");
        }
        assert_eq!(right("12", 4, "…"), "  12");
        assert_eq!(left("東", 4, "…"), "東  ");
    }

    #[test]
    fn what_is_shown_takes_the_columns_of_its_characters_to_everyone() {
        // Alone, behind letters of one and two columns, of scripts that join, behind itself, before a letter and a mark.
        let around = [("", ""), ("a", ""), ("東", ""), ("ก", "\u{e33}"), ("\u{1112}", "a"), ("👍", "\u{301}")];
        // Left out, as they are many and alike: ideographs, syllables, what is private and what is not there.
        let many = ['\u{3400}'..'\u{a000}', '\u{ac1d}'..'\u{d789}', '\u{e000}'..'\u{f900}', '\u{17000}'..'\u{18b00}'];
        let is_alike = |c: &char| many.iter().any(|range| range.contains(c));
        for c in ('\u{80}'..'\u{1fb00}').filter(|c| !is_alike(c)) {
            for (before, behind) in around {
                let shown = crate::domain::show::show(format!("{before}{c}{c}{behind}").as_bytes());
                let one_by_one: usize = shown.chars().map(|c| c.width().unwrap_or(0)).sum();
                let mut cells = 0;
                for cluster in shown.graphemes(true) {
                    cells += usize::from(cluster.cell_width());
                    assert!(cluster.width() > 0, "{c:?} takes no cell in {shown:?}");
                    assert_eq!(parts(cluster).iter().map(|(part, _)| *part).collect::<String>(), cluster);
                    assert!(parts(cluster).iter().all(|(part, width)| usize::from(part.cell_width()) == *width));
                }
                assert_eq!((cells, columns(&shown)), (one_by_one, one_by_one), "{c:?} in {shown:?}");
            }
        }
    }

    #[test]
    fn a_path_loses_its_middle() {
        assert_eq!(fit_path("2026/09/kisumu/IMG_20260914_final.raw", 20, "…"), "2026/0…914_final.raw");
        assert_eq!(fit_path("short", 20, "…"), "short");
        assert_eq!(fit_path("long/path", 3, "…"), "lo…");
    }

    #[test]
    fn a_message_is_broken_at_blanks_and_loses_nothing() {
        assert_eq!(wrap("the disk is full", 8), ["the disk", "is full"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(wrap("東", 1), [""]);
    }

    #[test]
    fn moments_get_shorter_the_older_they_are() {
        let now = Timestamp(1_795_170_720_000);
        for (ago_ms, shown) in [
            (60_000, "10:31"),
            (86_400_000, "Thu 10:32"),
            (30 * 86_400_000, "21 Oct"),
            (400 * 86_400_000, "2025-10-16"),
        ] {
            assert_eq!(Zone::Utc.brief(Timestamp(now.0 - ago_ms), now), shown);
        }
    }

    #[test]
    fn counts_stay_short() {
        for (amount, shown) in [(9_999, "9,999"), (88_204, "88 k"), (999_600, "1.0 M"), (12_000_000, "12 M")] {
            assert_eq!(short_count(amount), shown);
        }
    }
}
