//! A moment in time as watchkeeper writes it down: milliseconds since 1970-01-01 UTC, before which they are negative.

use chrono::{DateTime, Local, SecondsFormat, Utc};

/// Milliseconds since the epoch, as our own clock said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the moment as RFC 3339 in UTC with milliseconds (`2026-11-20T09:32:10.123Z`), the contract's form.
    pub fn rfc3339(self) -> String {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(moment) => moment.to_rfc3339_opts(SecondsFormat::Millis, true),
            None => format!("@{}", self.0),
        }
    }

    /// Reads a moment back that [`Timestamp::rfc3339`] has written, or any other in RFC 3339.
    pub fn parse(text: &str) -> Option<Timestamp> {
        if let Some(milliseconds) = text.strip_prefix('@') {
            return milliseconds.parse().ok().map(Timestamp);
        }
        DateTime::parse_from_rfc3339(text).ok().map(|moment| Timestamp(moment.timestamp_millis()))
    }

    /// Returns the moment as local civil time to the second (`2026-11-20 10:32:10`), for people.
    pub fn local(self) -> String {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(moment) => moment.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
            None => format!("@{}", self.0),
        }
    }

    /// Returns the local time of day to the second (`10:32:10`), for people.
    pub fn local_time(self) -> String {
        self.local().split_once(' ').map_or_else(|| self.local(), |(_, time)| time.to_owned())
    }

    /// Returns how much time lies between `earlier` and this moment, in milliseconds; 0 when the clock went back.
    pub fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// Returns the same moment in nanoseconds, held at the ends of the range (1677 to 2262).
    pub fn as_nanos(self) -> i64 {
        self.0.saturating_mul(1_000_000)
    }
}

/// Returns a file system's time stamp (nanoseconds since the epoch) as RFC 3339 in UTC with nanoseconds.
pub fn rfc3339_nanos(nanos: i64) -> String {
    DateTime::<Utc>::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc_with_milliseconds() {
        assert_eq!(Timestamp(1_795_166_730_123).rfc3339(), "2026-11-20T09:25:30.123Z");
        assert_eq!(Timestamp(-1).rfc3339(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        for moment in [Timestamp(1_795_166_730_123), Timestamp(-1), Timestamp(0), Timestamp(i64::MAX)] {
            assert_eq!(Timestamp::parse(&moment.rfc3339()), Some(moment));
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
