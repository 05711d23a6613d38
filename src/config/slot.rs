//! The place of one setting, with what may stand in it: reads a written value into it and writes it back out.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::NaiveTime;

use super::{Background, Hash, Startup, Theme};
use crate::domain::amount::{parse_bytes, parse_duration};

/// A thousand years. Beyond that a length of time is a slip, and would not fit into milliseconds everywhere.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// A value as a person wrote it, in a file or on a command line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Written {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<String>),
    /// Something that no setting takes, by its name with an article.
    Other(&'static str),
}

/// A setting's place in [`super::Config`], by what fits into it.
pub(super) enum Slot<'a> {
    Switch(&'a mut bool),
    /// A number of things at once, within a range.
    Size(&'a mut usize, RangeInclusive<usize>),
    Small(&'a mut u32, RangeInclusive<u32>),
    Count(&'a mut u64),
    /// A length of time, at least so long.
    Length(&'a mut Duration, Duration),
    /// A length of time of at least a second, or "never".
    Every(&'a mut Option<Duration>),
    /// A length of time of at least a second, or "" for no limit.
    MaxTime(&'a mut Option<Duration>),
    /// A number of bytes of at least one, or "" for no limit.
    MaxBytes(&'a mut Option<u64>),
    /// A time of day, or "".
    TimeOfDay(&'a mut Option<NaiveTime>),
    /// An argument vector; empty: none.
    Command(&'a mut Vec<String>),
    Startup(&'a mut Startup),
    Background(&'a mut Background),
    Hash(&'a mut Hash),
    Theme(&'a mut Theme),
}

impl Slot<'_> {
    /// Puts a written value into its place.
    ///
    /// # Errors
    /// A sentence that says what would be right; the place keeps what it held.
    pub fn put(self, written: &Written) -> Result<(), String> {
        match self {
            Slot::Switch(place) => *place = switch(written)?,
            Slot::Size(place, range) => *place = whole_number(written, &range)?,
            Slot::Small(place, range) => *place = whole_number(written, &range)?,
            // SQLite's integers end there.
            Slot::Count(place) => *place = whole_number(written, &(0..=i64::MAX as u64))?,
            Slot::Length(place, least) => *place = length(text(written, "a length of time, like \"30s\"")?, least)?,
            Slot::Every(place) => *place = every(written)?,
            Slot::MaxTime(place) => *place = max_time(written)?,
            Slot::MaxBytes(place) => *place = max_bytes(written)?,
            Slot::TimeOfDay(place) => *place = time_of_day(written)?,
            Slot::Command(place) => *place = command(written)?,
            Slot::Startup(place) => *place = word(written, &Startup::ALL, Startup::as_str)?,
            Slot::Background(place) => *place = word(written, &Background::ALL, Background::as_str)?,
            Slot::Hash(place) => *place = word(written, &Hash::ALL, Hash::as_str)?,
            Slot::Theme(place) => *place = word(written, &Theme::ALL, Theme::as_str)?,
        }
        Ok(())
    }

    /// Returns what the place holds; [`Slot::put`] takes it back unchanged.
    pub fn written(self) -> Written {
        match self {
            Slot::Switch(place) => Written::Switch(*place),
            Slot::Size(place, _) => number(*place as u64),
            Slot::Small(place, _) => number(u64::from(*place)),
            Slot::Count(place) => number(*place),
            Slot::Length(place, _) => Written::Text(show_length(*place)),
            Slot::Every(place) => Written::Text(place.map_or_else(|| "never".to_owned(), show_length)),
            Slot::MaxTime(place) => Written::Text(place.map_or_else(String::new, show_length)),
            Slot::MaxBytes(place) => Written::Text(place.map_or_else(String::new, show_bytes)),
            Slot::TimeOfDay(place) => {
                Written::Text(place.map_or_else(String::new, |time| time.format("%H:%M").to_string()))
            }
            Slot::Command(place) => Written::List(place.clone()),
            Slot::Startup(place) => Written::Text(place.as_str().to_owned()),
            Slot::Background(place) => Written::Text(place.as_str().to_owned()),
            Slot::Hash(place) => Written::Text(place.as_str().to_owned()),
            Slot::Theme(place) => Written::Text(place.as_str().to_owned()),
        }
    }

    /// Reads what a person typed for this place without quotes, as on a command line.
    pub fn read_typed(&self, typed: &str) -> Written {
        let as_text = || Written::Text(typed.to_owned());
        match self {
            Slot::Switch(_) => typed.parse().map_or_else(|_| as_text(), Written::Switch),
            Slot::Size(..) | Slot::Small(..) | Slot::Count(_) => {
                typed.parse().map_or_else(|_| as_text(), Written::Number)
            }
            Slot::Command(_) => super::read::value(typed).unwrap_or_else(as_text),
            _ => as_text(),
        }
    }
}

fn mismatch(written: &Written, right: impl Display) -> String {
    match written {
        Written::Text(text) => format!("{text:?} does not fit; write {right}"),
        Written::Number(number) => format!("{number} does not fit; write {right}"),
        Written::Switch(switch) => format!("{switch} does not fit; write {right}"),
        Written::List(_) => format!("a list does not fit; write {right}"),
        Written::Other(name) => format!("{name} does not fit; write {right}"),
    }
}

fn text<'a>(written: &'a Written, right: &str) -> Result<&'a str, String> {
    match written {
        Written::Text(text) => Ok(text.trim()),
        _ => Err(mismatch(written, right)),
    }
}

fn switch(written: &Written) -> Result<bool, String> {
    match written {
        Written::Switch(switch) => Ok(*switch),
        _ => Err(mismatch(written, "true or false")),
    }
}

fn whole_number<T>(written: &Written, range: &RangeInclusive<T>) -> Result<T, String>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    if let Written::Number(number) = written
        && let Ok(number) = T::try_from(*number)
        && range.contains(&number)
    {
        return Ok(number);
    }
    Err(mismatch(written, format_args!("a whole number from {} to {}", range.start(), range.end())))
}

fn length(text: &str, least: Duration) -> Result<Duration, String> {
    let length = parse_duration(text)?;
    if length < least {
        return Err(format!("{text:?} is too short; write at least {}", show_length(least)));
    }
    if length > LONGEST {
        return Err(format!("{text:?} is too long; write at most 1000y"));
    }
    if length.subsec_nanos() % 1_000_000 != 0 {
        return Err(format!("{text:?} is finer than a millisecond; write whole milliseconds, like 500ms"));
    }
    Ok(length)
}

fn every(written: &Written) -> Result<Option<Duration>, String> {
    match text(written, "a length of time, like \"24h\", or \"never\"")? {
        "never" => Ok(None),
        text => length(text, Duration::from_secs(1)).map(Some).map_err(|wrong| format!("{wrong}, or \"never\"")),
    }
}

fn max_time(written: &Written) -> Result<Option<Duration>, String> {
    match text(written, "a length of time, like \"1h\", or \"\" for no limit")? {
        "" => Ok(None),
        text => {
            length(text, Duration::from_secs(1)).map(Some).map_err(|wrong| format!("{wrong}, or \"\" for no limit"))
        }
    }
}

fn max_bytes(written: &Written) -> Result<Option<u64>, String> {
    match text(written, "a size, like \"50GB\", or \"\" for no limit")? {
        "" => Ok(None),
        text => match parse_bytes(text) {
            Ok(0) => Err(format!("{text:?} would read nothing; write a size of at least 1, or \"\" for no limit")),
            Ok(bytes) => Ok(Some(bytes)),
            Err(wrong) => Err(format!("{wrong}, or \"\" for no limit")),
        },
    }
}

fn time_of_day(written: &Written) -> Result<Option<NaiveTime>, String> {
    let right = "a time of day, like \"03:00\", or \"\" for none";
    match text(written, right)? {
        "" => Ok(None),
        text => NaiveTime::parse_from_str(text, "%H:%M").map(Some).map_err(|_| mismatch(written, right)),
    }
}

fn command(written: &Written) -> Result<Vec<String>, String> {
    let right = "a program and its arguments, like [\"mail\", \"-s\", \"watchkeeper\"], or [] for none";
    match written {
        Written::List(list) if list.first().is_some_and(|program| program.trim().is_empty()) => {
            Err(format!("the program has no name; write {right}"))
        }
        // The kernel takes no argument with a NUL in it; better said now than when the hook is due.
        Written::List(list) if list.iter().any(|argument| argument.contains('\0')) => {
            Err(format!("an argument holds a NUL; write {right}"))
        }
        Written::List(list) => Ok(list.clone()),
        _ => Err(mismatch(written, right)),
    }
}

fn word<T: Copy>(written: &Written, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
    let (last, before) = names.split_last().expect("every enum has values");
    let right = format!("{} or {last}", before.join(", "));
    let given = text(written, &right)?;
    match all.iter().find(|value| name(**value) == given) {
        Some(value) => Ok(*value),
        None => Err(mismatch(written, right)),
    }
}

fn number(number: u64) -> Written {
    // What was read never exceeds it; a value made in code that does is shown as the largest that can be read.
    Written::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Returns a length of time as people write it: days from two days on, minutes from two minutes on (`24h`, `60s`).
fn show_length(length: Duration) -> String {
    let milliseconds = length.as_millis();
    for (unit, scale, least) in [("d", 86_400_000, 2), ("h", 3_600_000, 1), ("m", 60_000, 2), ("s", 1_000, 0)] {
        if milliseconds.is_multiple_of(scale) && milliseconds >= scale * least {
            return format!("{}{unit}", milliseconds / scale);
        }
    }
    format!("{milliseconds}ms")
}

fn show_bytes(bytes: u64) -> String {
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)]
        .into_iter()
        .filter(|(_, scale)| bytes.is_multiple_of(*scale))
        .map(|(unit, scale)| format!("{}{unit}", bytes / scale))
        // Reading multiplies with floating point; what would not come back the same is written out.
        .find(|shown| parse_bytes(shown) == Ok(bytes))
        .unwrap_or_else(|| bytes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_as_people_write_it_and_reads_back() {
        for shown in ["0s", "1ms", "500ms", "1s", "60s", "90s", "2m", "10m", "1h", "24h", "36h", "7d", "90d"] {
            assert_eq!(show_length(length(shown, Duration::ZERO).unwrap()), shown);
        }
        for (given, shown) in [("50GB", "50GB"), ("1500MB", "1500MB"), ("2000GB", "2TB"), ("1GiB", "1073741824")] {
            assert_eq!(show_bytes(parse_bytes(given).unwrap()), shown);
        }
    }
}
