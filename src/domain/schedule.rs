//! When a run is due. Pure: two clocks come in with every question, and both may jump.
//!
//! Intervals go by the monotonic clock (which counts sleep), so that setting the wall clock moves none of them; a time
//! of day goes by the wall clock, as a person means it. What was missed, by sleep or downtime, is made up once.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta};

use super::moment::Timestamp;

/// Both clocks, read once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed moment; never goes back, and goes on while the machine sleeps.
    pub mono_ms: u64,
    /// May jump.
    pub wall: Timestamp,
    /// What local time is ahead of UTC.
    pub utc_offset_s: i32,
}

impl Now {
    /// Returns the wall clock's time when the monotonic one will show `mono_ms`, if neither jumps.
    pub fn wall_at(&self, mono_ms: u64) -> Timestamp {
        let ahead = i64::try_from(mono_ms).unwrap_or(i64::MAX).saturating_sub(self.mono_ms as i64);
        Timestamp(self.wall.0.saturating_add(ahead))
    }

    fn local(&self) -> NaiveDateTime {
        let local_ms = self.wall.0.saturating_add(i64::from(self.utc_offset_s) * 1000);
        DateTime::from_timestamp_millis(local_ms).unwrap_or_default().naive_utc()
    }

    fn wall_of(&self, local: NaiveDateTime) -> Timestamp {
        Timestamp(local.and_utc().timestamp_millis() - i64::from(self.utc_offset_s) * 1000)
    }
}

/// Returns when something that happens every `every` is due, by the monotonic clock, from what the wall clock said at
/// its last time. A last time in the future (the clock was set back) counts as just now, none at all as long ago.
pub fn first_due(every: Duration, last: Option<Timestamp>, now: Now) -> u64 {
    let every_ms = millis(every);
    let passed_ms = last.map_or(every_ms, |last| now.wall.since_ms(last) as u64);
    now.mono_ms + every_ms.saturating_sub(passed_ms)
}

/// Returns when it is due again after a run from `started_ms` to now: on its beat, but never without a pause.
///
/// `spread` (0 to 65535) moves it by up to 10 % to either side, so that many do not come at once.
pub fn next_due(every: Duration, started_ms: u64, now: Now, spread: u16) -> u64 {
    let every_ms = millis(every);
    let tenth = every_ms / 10;
    let jittered = every_ms - tenth + (tenth * 2).saturating_mul(u64::from(spread)) / u64::from(u16::MAX);
    (started_ms + jittered).max(now.mono_ms + tenth)
}

/// Tells whether a daily run at a local time is due, or else when it will be.
///
/// Local times are compared, each as the clock on the wall showed it: an hour that is lived twice has one run.
///
/// # Errors
/// The next moment by the wall clock.
pub fn daily(at: NaiveTime, last: Option<Now>, now: Now) -> Result<(), Timestamp> {
    let local = now.local();
    let today = local.date().and_time(at);
    let latest = if today <= local { today } else { today - TimeDelta::days(1) };
    // A last time in the future (the clock was set back) counts as just now.
    let last = last.map_or(NaiveDateTime::MIN, |last| if last.wall > now.wall { local } else { last.local() });
    if latest > last {
        return Ok(());
    }
    let next = latest + TimeDelta::days(1);
    Err(now.wall_of(if next > last { next } else { next + TimeDelta::days(1) }))
}

/// Into how many parts a round of verifying is cut.
const VERIFY_PARTS: u32 = 30;
/// A round ends so many parts before the promise is due: room for late runs, for long ones and for the rest of a part.
const VERIFY_PARTS_TO_SPARE: u32 = 4;
/// Less is not worth a run.
const VERIFY_LEAST_BYTES: u64 = 64 << 20;

/// Returns how often a part of a round of verifying is due, when all is to be read within `every`.
pub fn verify_interval(every: Duration) -> Duration {
    (every / VERIFY_PARTS).max(Duration::from_secs(60)).min(every)
}

/// Returns how many bytes a part reads of a repository of `total_bytes`, so long after the part before it began.
///
/// What has become due since then, and not a fixed part: runs come late, after a long one or a night without power.
pub fn verify_share(total_bytes: u64, every: Duration, since_last: Duration) -> u64 {
    let beat = verify_interval(every);
    let round = every.saturating_sub(beat * VERIFY_PARTS_TO_SPARE).max(beat);
    let due = since_last.clamp(beat, round);
    let share = (u128::from(total_bytes) * due.as_millis()).div_ceil(round.as_millis().max(1));
    u64::try_from(share).unwrap_or(u64::MAX).max(VERIFY_LEAST_BYTES)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(mono_ms: u64, wall_hours: i64) -> Now {
        Now { mono_ms, wall: Timestamp(wall_hours * HOUR as i64), utc_offset_s: 2 * 3600 }
    }

    #[test]
    fn after_a_start_an_interval_goes_on_from_the_last_time() {
        let day = Duration::from_secs(86_400);
        let hours = |hours: i64| Some(Timestamp(hours * HOUR as i64));
        assert_eq!(first_due(day, hours(90), at(5, 100)), 5 + 14 * HOUR);
        assert_eq!(first_due(day, hours(10), at(5, 100)), 5, "missed while nothing ran: at once, and once");
        assert_eq!(first_due(day, None, at(5, 100)), 5);
        assert_eq!(first_due(day, hours(900), at(5, 100)), 5 + 24 * HOUR, "the clock was set back");
    }

    #[test]
    fn an_interval_keeps_its_beat_within_a_tenth_and_leaves_a_pause() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(next_due(hour, 0, at(10, 0), 0), HOUR - HOUR / 10);
        assert_eq!(next_due(hour, 0, at(10, 0), u16::MAX), HOUR + HOUR / 10);
        assert_eq!(next_due(hour, 0, at(5 * HOUR, 0), 0), 5 * HOUR + HOUR / 10, "a run that took longer than its beat");
    }

    #[test]
    fn a_time_of_day_is_local_and_made_up_once() {
        let three = NaiveTime::from_hms_opt(3, 0, 0).unwrap();
        // 100 h after the epoch it is 06:00 on the fifth day, two hours ahead of UTC; 03:00 was at 97 h.
        let hours = |hours: i64| Timestamp(hours * HOUR as i64);
        for (last, expected) in [
            (None, Ok(())),
            (Some(96), Ok(())),
            (Some(20), Ok(())),
            (Some(97), Err(hours(121))),
            (Some(99), Err(hours(121))),
            (Some(5000), Err(hours(121))),
        ] {
            assert_eq!(daily(three, last.map(|hours| at(0, hours)), at(0, 100)), expected, "{last:?}");
        }
        let winter = Now { utc_offset_s: 3_600, ..at(0, 98) };
        assert_eq!(daily(three, Some(at(0, 97)), winter), Err(hours(122)), "03:00 comes twice this night");
    }

    #[test]
    fn a_round_of_verifying_fits_into_its_time() {
        let month = Duration::from_secs(30 * 86_400);
        assert_eq!(verify_interval(month), Duration::from_secs(86_400));
        assert_eq!(verify_interval(Duration::from_secs(10)), Duration::from_secs(10));
        let share = |total_bytes, days: u64| verify_share(total_bytes, month, Duration::from_secs(days * 86_400));
        assert_eq!(share(26 << 30, 1), 1 << 30);
        assert_eq!(share(26 << 30, 0), 1 << 30, "the first, or one right behind another");
        assert_eq!((share(26 << 30, 3), share(26 << 30, 300)), (3 << 30, 26 << 30), "what was missed is made up");
        assert_eq!(share(5, 1), VERIFY_LEAST_BYTES);
    }

    /// Returns the longest time that a file of many is not read, when each run takes so long, in percent of `every`.
    ///
    /// From the start of one run, when it may have been read first, to the end of another, when it may be read last.
    fn longest_unread(every: Duration, takes: Duration, spreads: [u16; 2]) -> u64 {
        const FILES: usize = 1 << 14;
        let total_bytes = (FILES as u64) << 26;
        let (beat, takes_ms) = (verify_interval(every), millis(takes));
        let (mut read_at, mut next, mut longest) = (vec![0; FILES], 0, 0);
        let (mut now_ms, mut last) = (millis(beat), None);
        for spread in spreads.into_iter().cycle().take(150) {
            let since_last = Duration::from_millis(last.map_or(0, |last| now_ms - last));
            let ended_ms = now_ms + takes_ms;
            for _ in 0..verify_share(total_bytes, every, since_last).div_ceil(1 << 26) {
                longest = longest.max(ended_ms - read_at[next]);
                read_at[next] = now_ms;
                next = (next + 1) % FILES;
            }
            last = Some(now_ms);
            now_ms = next_due(beat, now_ms, at(ended_ms, 0), spread);
        }
        longest * 100 / millis(every)
    }

    #[test]
    fn every_file_is_read_again_within_verify_every() {
        const MINUTE: u64 = 60;
        for every_s in [10 * MINUTE, 30 * MINUTE, 1_440 * MINUTE, 7 * 1_440 * MINUTE, 43_200 * MINUTE, 129_600 * MINUTE]
        {
            let every = Duration::from_secs(every_s);
            let beat = verify_interval(every);
            for spreads in [[0, 0], [u16::MAX, u16::MAX], [0, u16::MAX]] {
                // Up to one and a half beats, as an hour is of the 48 minutes of a day.
                for takes in [beat / 10, beat, beat * 3 / 2] {
                    let longest = longest_unread(every, takes, spreads);
                    assert!((50..=100).contains(&longest), "{every:?}, runs of {takes:?}, {spreads:?}: {longest} %");
                }
            }
        }
    }
}
