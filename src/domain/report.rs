//! What the index can tell, row by row, as surfaces show it and `wire` writes it.

use super::change::{Change, Verdict};
use super::guard::Reason;
use super::moment::Timestamp;
use super::path::RelPath;
use super::record::{FileType, Sha256, Stamp};
use super::repository::{RepositoryId, Settings};
use super::run::{Kind, Outcome, Tally};

/// A repository as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub id: RepositoryId,
    pub name: String,
    /// Absolute.
    pub path: Vec<u8>,
    pub settings: Settings,
    /// See `disk::Identity`; `None` until the root was seen, or when a person said that the library moved.
    pub identity: Option<String>,
    pub paused_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Number and start of the full run that vouches for the rest; 0 and `None` before the first.
    pub seen_generation: i64,
    pub seen_at: Option<Timestamp>,
    /// The latest moment for which a watcher has proven that all was in the index, if that is later than `seen_at`.
    pub true_at: Option<Timestamp>,
    /// The state that the notify hook was last told of.
    pub told_state: Option<String>,
    /// Files read within `verify_every`, when the last verify ended.
    pub covered_files: Option<i64>,
    pub total_files: i64,
    pub total_bytes: i64,
    /// (rule, entries left out) of the last full run.
    pub left_out: Vec<(String, u64)>,
}

/// What it takes to make a repository again, without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub id: RepositoryId,
    pub name: String,
    /// Absolute.
    pub path: Vec<u8>,
    /// As the index stores them.
    pub settings: String,
    pub identity: Option<String>,
    pub paused_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub run_id: String,
    pub number: i64,
    pub repository_id: RepositoryId,
    pub repository: String,
    pub kind: Kind,
    /// The triggers, the first first, separated by a blank.
    pub trigger: String,
    /// `None` while it runs.
    pub outcome: Option<Outcome>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub duration_ms: Option<i64>,
    pub tally: Tally,
    pub error_class: Option<String>,
    pub error_message: Option<String>,
    /// Which try it is, from 1.
    pub attempt: i64,
    /// Id of the run that this one tries again.
    pub retry_of: Option<String>,
    /// How many runs this row stands for: more than 1 where runs that found nothing became one row.
    pub folded: i64,
    pub instance: String,
    /// JSON.
    pub metadata: Option<String>,
}

/// How one run ended, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentRun {
    pub outcome: Outcome,
    pub took_ms: u64,
}

/// One line of a run's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub message: String,
}

/// A change with its place in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    pub run_id: String,
    pub repository: String,
    pub at: Timestamp,
    pub change: Change,
    /// As stored; says more than `change.note` can.
    pub note: Option<String>,
}

/// A problem with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProblem {
    pub problem_id: i64,
    pub repository: String,
    pub path: RelPath,
    pub class: String,
    pub message: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: i64,
    pub acknowledged_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}

/// Removals that wait for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub repository: String,
    pub path: RelPath,
    pub is_directory: bool,
    pub files: i64,
    pub bytes: i64,
    pub reason: Option<Reason>,
    pub since: Timestamp,
    /// The run that parked them first.
    pub run_id: String,
    pub dismissed_at: Option<Timestamp>,
}

/// A damaged file and where a good copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub repository: String,
    pub path: RelPath,
    pub recorded_sha256: Option<Sha256>,
    pub found_sha256: Sha256,
    pub found_at: Timestamp,
    pub good_copies: Vec<GoodCopy>,
}

/// A file whose recorded content is the wanted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodCopy {
    pub repository: String,
    pub path: RelPath,
    pub verified_at: Option<Timestamp>,
}

/// One record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub path: RelPath,
    pub file_type: FileType,
    pub stamp: Stamp,
    pub sha256: Option<Sha256>,
    pub hashed_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub last_scanned: Timestamp,
    pub scan_generation: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub is_held: bool,
    pub is_damaged: bool,
}

/// What one kind of run achieved on one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindStatus {
    pub kind: Kind,
    pub last_success_at: Option<Timestamp>,
    pub last_attempt_at: Option<Timestamp>,
    pub last_outcome: Option<String>,
    pub last_error: Option<String>,
    pub success_count: i64,
    pub failure_count: i64,
    pub last_files_processed: i64,
}

/// What the index knows of a repository's state; whether an engine runs and watches is added by whoever knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStatus {
    pub repository: Repository,
    pub open_problems: i64,
    /// Open problems that nobody has acknowledged.
    pub new_problems: i64,
    pub damaged: i64,
    /// Files whose removal is held, dismissed or not.
    pub held: i64,
    /// Files whose removal waits for a decision.
    pub undecided: i64,
    pub last_run: Option<Run>,
    pub by_kind: Vec<KindStatus>,
}

/// How much of a repository's content was read since some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files with content: symlinks do not count.
    pub files: i64,
    pub covered_files: i64,
    pub bytes: i64,
    pub covered_bytes: i64,
    /// The earliest reading among the files that were ever read.
    pub oldest: Option<Timestamp>,
}

/// What changed in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryChanges {
    /// Where its files, or the whole directory, came from, if they were moved.
    pub moved_from: Option<RelPath>,
    pub path: RelPath,
    /// Files by verdict, without those of which there are none.
    pub files: Vec<(Verdict, i64)>,
}

/// Changes of one repository, by directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSummary {
    /// Files that changed, in all directories.
    pub files: i64,
    /// Directories with changes, moves from another place counted apart.
    pub directories: i64,
    /// Those with the most changed files, the largest first.
    pub largest: Vec<DirectoryChanges>,
}

/// Sums over the runs of one repository and kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub repository: String,
    pub kind: String,
    pub runs: i64,
    pub completed: i64,
    pub partial: i64,
    pub failed: i64,
    pub held: i64,
    pub cancelled: i64,
    pub interrupted: i64,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub max_ms: Option<i64>,
    /// All of them together.
    pub total_ms: i64,
    pub tally: Tally,
    /// (class, runs that ended with it).
    pub errors: Vec<(String, i64)>,
}

impl Stats {
    /// Returns how many runs ended in which way, without those of which there are none.
    pub fn by_outcome(&self) -> Vec<(Outcome, i64)> {
        let mut runs = vec![
            (Outcome::Completed, self.completed),
            (Outcome::Partial, self.partial),
            (Outcome::Failed, self.failed),
            (Outcome::Held, self.held),
            (Outcome::Cancelled, self.cancelled),
            (Outcome::Interrupted, self.interrupted),
        ];
        runs.retain(|(_, runs)| *runs > 0);
        runs
    }

    /// Returns the share of runs that reached their end, 0 to 1; `None` without any run.
    pub fn success_rate(&self) -> Option<f64> {
        (self.runs > 0).then(|| (self.completed + self.partial) as f64 / self.runs as f64)
    }
}
