//! Which failed runs are tried again by themselves, and when.

use std::time::Duration;

use super::problem::Class;

/// How a failed run is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// 0: not at all.
    pub attempts: u32,
    /// Before the first retry; doubles each time.
    pub delay: Duration,
    pub max_delay: Duration,
}

impl Rules {
    /// Returns how long to wait after attempt number `attempt` (from 1) failed with `class`; `None` when it is not tried
    /// again: the cause does not pass by itself, or it was tried often enough.
    ///
    /// Half of the wait is drawn from `spread` (0 to 65535), so that many that failed together do not come back together.
    pub fn wait(&self, class: Class, attempt: u32, spread: u16) -> Option<Duration> {
        if !may_pass(class) || attempt > self.attempts {
            return None;
        }
        let doubled = self.delay.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(self.max_delay);
        Some(doubled / 2 + (doubled / 2).mul_f64(f64::from(spread) / f64::from(u16::MAX)))
    }
}

/// Tells whether a cause may be gone a moment later. A missing root is waited for in another way: it is looked for.
pub fn may_pass(class: Class) -> bool {
    match class {
        Class::Io | Class::DeviceFull | Class::DatabaseBusy | Class::Timeout | Class::Unstable => true,
        Class::Permission
        | Class::NotFound
        | Class::MountMissing
        | Class::FilesystemChanged
        | Class::DatabaseCorrupt
        | Class::Config
        | Class::Cancelled
        | Class::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { attempts: 3, delay: Duration::from_secs(2), max_delay: Duration::from_secs(5) };

    #[test]
    fn the_wait_doubles_up_to_its_end_and_half_of_it_is_drawn() {
        let seconds = |attempt, spread| RULES.wait(Class::Io, attempt, spread).map(|wait| wait.as_secs_f64());
        assert_eq!([seconds(1, 0), seconds(1, u16::MAX)], [Some(1.0), Some(2.0)]);
        assert_eq!([seconds(2, u16::MAX), seconds(3, u16::MAX), seconds(4, 0)], [Some(4.0), Some(5.0), None]);
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        for (class, passes) in [(Class::DeviceFull, true), (Class::Permission, false), (Class::Config, false)] {
            assert_eq!(RULES.wait(class, 1, 0).is_some(), passes, "{class:?}");
        }
    }
}
