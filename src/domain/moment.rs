//! A moment in time as watchkeeper writes it down: milliseconds since 1970-01-01 UTC, before which they are negative.

use chrono::{DateTime, Days, Local, NaiveDate, NaiveTime, Offset, SecondsFormat, TimeDelta, TimeZone, Utc};

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

    /// Returns what local civil time is ahead of UTC then, in seconds; 0 where the calendar ends.
    pub fn utc_offset_s(self) -> i32 {
        Local.timestamp_millis_opt(self.0).single().map_or(0, |moment| moment.offset().fix().local_minus_utc())
    }

    /// Returns the moment at which its day began, in local civil time; itself where the calendar ends.
    pub fn local_midnight(self) -> Timestamp {
        self.local_date().map_or(self, Timestamp::of_local_day)
    }

    /// Returns the moment at which the day after its own begins; 23 to 25 hours may lie between two of them.
    pub fn next_local_midnight(self) -> Timestamp {
        let next = self.local_date().and_then(|date| date.checked_add_days(Days::new(1)));
        next.map_or(Timestamp(i64::MAX), Timestamp::of_local_day)
    }

    /// Returns the moment at which a day begins in local civil time.
    pub fn of_local_day(date: NaiveDate) -> Timestamp {
        let midnight = date.and_time(NaiveTime::MIN);
        // Some clocks are put forward at midnight: such a day begins at one.
        let local = Local.from_local_datetime(&midnight).earliest();
        let local = local.or_else(|| Local.from_local_datetime(&(midnight + TimeDelta::hours(1))).earliest());
        Timestamp(local.map_or(midnight.and_utc().timestamp_millis(), |moment| moment.timestamp_millis()))
    }

    /// Returns its day in local civil time; `None` where the calendar ends.
    pub fn local_date(self) -> Option<NaiveDate> {
        Some(DateTime::<Utc>::from_timestamp_millis(self.0)?.with_timezone(&Local).date_naive())
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
    fn a_local_day_is_one_day_long_wherever_this_runs() {
        for hours in 0..200 * 24 {
            let moment = Timestamp(1_795_166_730_123 + hours * 3_600_000);
            let (from, to) = (moment.local_midnight(), moment.next_local_midnight());
            assert!(from <= moment && moment < to, "{moment:?}");
            assert!((23..=25).contains(&((to.0 - from.0) / 3_600_000)), "{moment:?}");
            assert_eq!((from.local_midnight(), Timestamp(from.0 - 1).next_local_midnight()), (from, from));
            assert_eq!(from.local_date(), moment.local_date());
        }
    }

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
