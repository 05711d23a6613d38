//! What engine and surfaces say to each other: answers, what is known of an engine now, events, refusals.
//!
//! The shapes only; `api` makes them from the protocol and reads them back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChangeJson, CheckJson, NextJson, ProgressJson, RunJson};

/// What a command is answered with; each shape has keys of its own.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum AnswerJson {
    Accepted { runs: Vec<QueuedJson> },
    Planned { plans: Vec<PlanJson> },
    Examined { checks: Vec<CheckJson> },
    Completed { directories: Vec<PathJson>, is_cut: bool },
    Estimated(EstimatedJson),
    Added { repository: String, is_new: bool },
    Done { count: u64 },
}

/// A run that waits or runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct QueuedJson {
    pub repository: String,
    pub run_id: String,
    pub kind: String,
    pub joined: bool,
}

/// What a run would do.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct PlanJson {
    pub run: RunJson,
    pub changes: Vec<ChangeJson>,
}

/// How far a run is.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct RunProgressJson {
    pub run_id: String,
    pub number: i64,
    pub repository: String,
    pub kind: String,
    pub elapsed_ms: u64,
    pub files_per_s: u64,
    pub problems: u64,
    pub current_path_b64: Option<String>,
    #[serde(flatten)]
    pub progress: ProgressJson,
}

/// What only the engine knows of one repository.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct LiveJson {
    pub repository: String,
    pub watch_mode: String,
    pub watched_directories: u64,
    pub unwatched_directories: u64,
    pub pending_hints: u64,
    pub true_as_of: Option<String>,
    pub behind: Option<String>,
    pub is_missing: bool,
    pub next_runs: Vec<NextJson>,
}

/// `scheduler status --json`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct SchedulerJson {
    pub running: bool,
    pub next: Vec<NextJson>,
    pub runs_started: u64,
    pub runs_skipped: u64,
    #[serde(flatten)]
    pub settings: BTreeMap<String, String>,
}

/// All that only the engine knows.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct SnapshotJson {
    pub queued: Vec<QueuedJson>,
    pub running: Vec<RunProgressJson>,
    pub live: Vec<LiveJson>,
    pub scheduler: SchedulerJson,
    pub stay: String,
}

/// An absolute path.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct PathJson {
    pub path: String,
    pub path_b64: Option<String>,
}

/// What adding a repository would mean.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct EstimatedJson {
    pub path: String,
    pub path_b64: Option<String>,
    pub name: String,
    pub whole: Option<String>,
    pub files: u64,
    pub bytes: u64,
    pub watches_needed: u64,
    pub watches_free: Option<u64>,
    pub unreadable: u64,
    pub first_sync_ms: u64,
    pub is_cut: bool,
}

/// A run without a row.
#[derive(Debug, Deserialize, Serialize)]
pub struct LostJson {
    pub run_id: String,
    pub message: String,
}

/// The route that all versions have.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct VersionJson {
    pub version: String,
    pub pid: u32,
}

/// That the engine answers, can read its index, and what needs a person.
#[derive(Debug, JsonSchema, Serialize)]
pub struct HealthJson {
    /// `ok`, or the worst state of a repository that needs a person: `missing`, `failed`, `damaged`, `held`, `partial`.
    pub state: &'static str,
    pub pid: u32,
    pub running: usize,
    pub queued: usize,
    /// How many repositories are in each state.
    pub repositories: BTreeMap<&'static str, usize>,
}

/// `{"error":{"code","message","hint"}}`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ErrorJson {
    pub error: ErrorBody,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ErrorBody {
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

/// A run, as far as it is known.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum OneRun {
    Recorded(Box<RunJson>),
    Waiting(Box<WaitingRun>),
}

/// One that waits: the keys of a run that have a value, and those that say that it has none yet.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WaitingRun {
    pub run_id: String,
    pub number: Option<i64>,
    pub repository: String,
    pub kind: String,
    pub outcome: Option<String>,
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    pub progress: Option<ProgressJson>,
}
