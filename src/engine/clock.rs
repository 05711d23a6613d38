//! The clock: the one place below the surfaces that asks what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::moment::Timestamp;

/// Returns nanoseconds since the epoch by the wall clock, in the time of the file system's stamps.
pub fn wall_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    }
}

/// Returns the moment by the wall clock; it may jump.
pub fn wall() -> Timestamp {
    Timestamp(wall_ns().div_euclid(1_000_000))
}

/// Measures how long something takes, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
