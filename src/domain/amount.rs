//! Amounts as people write and read them: `7d`, `50GB`, `1.2 TB`, `3 min`. One place, so that every screen agrees.

use std::time::Duration;

const SECONDS: &[(&str, u64)] = &[
    ("ms", 0),
    ("s", 1),
    ("sec", 1),
    ("m", 60),
    ("min", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 7 * 86_400),
    ("y", 365 * 86_400),
];

/// Reads a length of time: a number and a unit (`500ms 2s 5m 24h 7d 2w 1y`).
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time; write a number and a unit, like 500ms, 30s, 5m, 24h or 7d");
    let (number, unit) = split_number(text).ok_or_else(wrong)?;
    let scale = SECONDS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let seconds = if scale == 0 { number / 1000.0 } else { number * scale as f64 };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Reads a number of bytes: `4096`, `50GB` (powers of 1000), `1GiB` (powers of 1024).
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write a number and a unit, like 4096, 500MB, 50GB or 1TiB");
    let (number, unit) = split_number(text).ok_or_else(wrong)?;
    let scale: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "p" | "pb" => 1e15,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024f64.powi(3),
        "tib" => 1024f64.powi(4),
        _ => return Err(wrong()),
    };
    let bytes = number * scale;
    if bytes > i64::MAX as f64 {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

/// Returns a number of bytes with SI units and two or three digits: `812 B`, `4.1 kB`, `38 MB`, `1.2 TB`.
pub fn bytes(amount: u64) -> String {
    scaled(amount as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Returns a count with digits in groups of three: `1,911,300`.
pub fn count(amount: u64) -> String {
    let digits = amount.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit > 0 && value < 9.95 { format!("{value:.1} {}", units[unit]) } else { format!("{value:.0} {}", units[unit]) }
}

/// Returns how long ago something was, in one unit: `now`, `12 s`, `4 min`, `3 h`, `9 d`.
pub fn age(milliseconds: i64) -> String {
    match milliseconds.max(0) / 1000 {
        0 => "now".to_owned(),
        s @ 1..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// Returns how long ago something was, to be read in a sentence: `now`, `3 h ago`.
pub fn ago(milliseconds: i64) -> String {
    match age(milliseconds).as_str() {
        "now" => "now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// Returns how long something took: `0.2 s`, `41 s`, `3 min 12 s`, `2 h 05 min`.
pub fn took(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        0..=9 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        s @ 10..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3_600, s % 3_600 / 60),
    }
}

/// Returns `1 file` or `3 files`.
pub fn plural(amount: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(amount), if amount == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_sizes_are_read_as_written() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms));
        }
        for (text, size) in [("4096", 4096), ("50GB", 50_000_000_000), ("1.5k", 1500), ("1 GiB", 1 << 30)] {
            assert_eq!(parse_bytes(text).unwrap(), size);
        }
        for bad in ["", "d", "7x", "-1s", "1e9d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "GB", "5 apples", "99999999PB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_short_and_keep_their_magnitude() {
        for (size, shown) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (38_400_000, "38 MB"), (999_960, "1.0 MB")]
        {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(count(1_911_300), "1,911,300");
        assert_eq!(count(12), "12");
        for (ms, shown) in [(900, "now"), (12_000, "12 s"), (240_000, "4 min"), (800_000_000, "9 d")] {
            assert_eq!(age(ms), shown);
        }
        assert_eq!((ago(900), ago(240_000)), ("now".to_owned(), "4 min ago".to_owned()));
        for (ms, shown) in [(230, "0.2 s"), (41_000, "41 s"), (192_000, "3 min 12 s"), (7_500_000, "2 h 05 min")] {
            assert_eq!(took(ms), shown);
        }
    }
}
