//! Runs: one sync of one repository each, with kind, trigger, tally and outcome.

use super::change::Verdict;

/// What a run looks at. Every kind is the same job over another set of directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Full,
    Incremental,
    Single,
    Realtime,
    Verify,
    Cleanup,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Full, Kind::Incremental, Kind::Single, Kind::Realtime, Kind::Verify, Kind::Cleanup];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Incremental => "incremental",
            Kind::Single => "single",
            Kind::Realtime => "realtime",
            Kind::Verify => "verify",
            Kind::Cleanup => "cleanup",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    Startup,
    Schedule,
    Watch,
    Overflow,
    User,
    Retry,
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Startup => "startup",
            Trigger::Schedule => "schedule",
            Trigger::Watch => "watch",
            Trigger::Overflow => "overflow",
            Trigger::User => "user",
            Trigger::Retry => "retry",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    Completed,
    Partial,
    Failed,
    Held,
    Cancelled,
    Interrupted,
}

impl Outcome {
    pub const ALL: [Outcome; 6] = [
        Outcome::Completed,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::Held,
        Outcome::Cancelled,
        Outcome::Interrupted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Partial => "partial",
            Outcome::Failed => "failed",
            Outcome::Held => "held",
            Outcome::Cancelled => "cancelled",
            Outcome::Interrupted => "interrupted",
        }
    }

    pub fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// Tells whether the run reached the end of what it had to look at.
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Completed | Outcome::Partial)
    }
}

/// What a run counted. `updated` is edited, touched and replaced together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub scanned: i64,
    pub added: i64,
    pub updated: i64,
    pub removed: i64,
    pub moved: i64,
    pub damaged: i64,
    pub problems: i64,
    pub bytes_hashed: i64,
    /// Directories that were listed; how much an incremental run looked at.
    pub directories: i64,
}

impl Tally {
    /// Counts `files` files that got a verdict.
    pub fn count(&mut self, verdict: Verdict, files: i64) {
        match verdict {
            Verdict::Added => self.added += files,
            Verdict::Edited | Verdict::Touched | Verdict::Replaced => self.updated += files,
            Verdict::Removed => self.removed += files,
            Verdict::Moved => self.moved += files,
            Verdict::Damaged => self.damaged += files,
            Verdict::Restored => {}
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.scanned += other.scanned;
        self.added += other.added;
        self.updated += other.updated;
        self.removed += other.removed;
        self.moved += other.moved;
        self.damaged += other.damaged;
        self.problems += other.problems;
        self.bytes_hashed += other.bytes_hashed;
        self.directories += other.directories;
    }

    pub fn is_zero(&self) -> bool {
        *self == Tally::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::parse(kind.as_str()) == Some(kind)));
        assert!(Outcome::ALL.into_iter().all(|outcome| Outcome::parse(outcome.as_str()) == Some(outcome)));
        assert!(Verdict::ALL.into_iter().all(|verdict| Verdict::parse(verdict.as_str()) == Some(verdict)));
        assert_eq!(Kind::parse("sync"), None);
    }

    #[test]
    fn updated_is_edited_touched_and_replaced() {
        let mut tally = Tally::default();
        for verdict in [Verdict::Edited, Verdict::Touched, Verdict::Replaced, Verdict::Restored] {
            tally.count(verdict, 1);
        }
        assert_eq!(tally, Tally { updated: 3, ..Tally::default() });
    }
}
