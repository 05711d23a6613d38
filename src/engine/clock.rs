//! The clock: the one place below the surfaces that asks what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::moment::Timestamp;
use crate::domain::schedule::Now;

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

/// Returns both clocks and what local time is ahead of UTC.
pub fn now() -> Now {
    let wall = wall();
    // Counts the time that the machine sleeps: what was missed meanwhile is due.
    let mono = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Now {
        mono_ms: mono.tv_sec.unsigned_abs() * 1_000 + mono.tv_nsec.unsigned_abs() / 1_000_000,
        wall,
        utc_offset_s: wall.utc_offset_s(),
    }
}

/// Returns the CPU time that the calling thread has used.
pub fn thread_cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec.unsigned_abs() * 1_000 + used.tv_nsec.unsigned_abs() / 1_000_000
}
