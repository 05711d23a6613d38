//! Date patterns: where a journal keeps the files of a day, such as `%Y/%m/%d.md`.

use chrono::NaiveDate;
use chrono::format::{Item, StrftimeItems};

use super::path::RelPath;

/// A checked pattern: at least one date part, only date parts, a path inside the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatePattern(String);

impl DatePattern {
    /// Checks a pattern of `strftime` date parts.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<DatePattern, String> {
        let hint = "write the path of one day's file or folder with %Y, %m and %d, like %Y/%m/%d.md";
        let mut parts = 0;
        for item in StrftimeItems::new(text) {
            match item {
                Item::Error => return Err(format!("date pattern {text:?} has an unknown % part; {hint}")),
                Item::Numeric(..) | Item::Fixed(..) => parts += 1,
                Item::Literal(_) | Item::OwnedLiteral(_) | Item::Space(_) | Item::OwnedSpace(_) => {}
            }
        }
        if parts == 0 {
            return Err(format!("date pattern {text:?} names no date; {hint}"));
        }
        let pattern = DatePattern(text.to_owned());
        let day = NaiveDate::from_ymd_opt(2026, 11, 20).expect("this day exists");
        pattern.path_of(day).ok_or_else(|| format!("date pattern {text:?} gives no path of a day; {hint}"))?;
        Ok(pattern)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path that belongs to a day; `None` when the pattern asks for more than a date, or leaves the tree.
    pub fn path_of(&self, day: NaiveDate) -> Option<RelPath> {
        use std::fmt::Write as _;
        let mut path = String::new();
        write!(path, "{}", day.format(&self.0)).ok()?;
        RelPath::parse(path.as_bytes()).ok().filter(|path| !path.is_root())
    }
}

/// Returns every day from `from` to `to`, both included; none when they stand the wrong way round.
pub fn days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |day| *day <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_path_and_a_wrong_pattern_is_refused() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 7).unwrap();
        let pattern = DatePattern::parse("%Y/%m/%d.md").unwrap();
        assert_eq!(pattern.path_of(day).unwrap().as_bytes(), b"2026/03/07.md");
        for bad in ["", "notes", "%Y/%Q", "/%Y", "%Y/../%d", "%H.md"] {
            assert!(DatePattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_holds_both_its_ends() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 2, d).unwrap();
        assert_eq!(days(day(27), day(28)).count(), 2);
        assert_eq!(days(day(28), day(27)).count(), 0);
    }
}
