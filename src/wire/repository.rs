//! Repositories, their status and their statistics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProgressJson, RunJson, moment, path};
use crate::domain::moment::Timestamp;
use crate::domain::report::{IndexStatus, KindStatus, Repository, Stats};
use crate::domain::repository::State;
use crate::domain::run::Kind;
use crate::domain::status::WatchMode;

/// What a `notify` hook gets on its standard input.
#[derive(Debug, JsonSchema, Serialize)]
pub struct NewsJson<'a> {
    repository: &'a str,
    path: String,
    path_b64: Option<String>,
    state: &'static str,
    previous_state: &'static str,
    message: Option<&'a str>,
}

impl<'a> NewsJson<'a> {
    /// Shapes the news that a repository went from the first state into the second.
    pub fn new(repository: &'a str, path: &[u8], (from, to): (State, State), message: Option<&'a str>) -> NewsJson<'a> {
        let (path, path_b64) = path::split(path);
        NewsJson { repository, path, path_b64, state: to.as_str(), previous_state: from.as_str(), message }
    }
}

/// One line of `repo list --json` and `repo show --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RepositoryJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    include: Vec<String>,
    exclude: Vec<String>,
    types: Vec<String>,
    hidden: bool,
    one_file_system: bool,
    date_pattern: Option<String>,
    settings: serde_json::Map<String, serde_json::Value>,
    paused_at: Option<String>,
    created_at: String,
    total_files: i64,
    total_bytes: i64,
    true_as_of: Option<String>,
    left_out: serde_json::Map<String, serde_json::Value>,
}

impl From<&Repository> for RepositoryJson {
    fn from(repository: &Repository) -> RepositoryJson {
        let (path, path_b64) = path::split(&repository.path);
        let selection = &repository.settings.selection;
        RepositoryJson {
            repository: repository.name.clone(),
            path,
            path_b64,
            include: selection.include.clone(),
            exclude: selection.exclude.clone(),
            types: selection.types.clone(),
            hidden: selection.hidden,
            one_file_system: selection.one_file_system,
            date_pattern: repository.settings.date_pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
            settings: repository
                .settings
                .overrides
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into()))
                .collect(),
            paused_at: moment(repository.paused_at),
            created_at: repository.created_at.rfc3339(),
            total_files: repository.total_files,
            total_bytes: repository.total_bytes,
            true_as_of: moment(repository.seen_at),
            left_out: repository.left_out.iter().map(|(rule, count)| (rule.clone(), (*count).into())).collect(),
        }
    }
}

/// What the index cannot know of a status.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusExtra {
    pub state: State,
    pub watch_mode: WatchMode,
    pub pending_hints: u64,
    pub true_as_of: Option<Timestamp>,
    /// Why `true_as_of` does not move on.
    pub behind: Option<String>,
    /// By time.
    pub next_runs: Vec<(Kind, Timestamp)>,
    /// Of the last run, while it runs.
    pub progress: Option<ProgressJson>,
}

/// A run that is to come.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct NextJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub kind: String,
    pub at: String,
}

/// One line of `status --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct StatusJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    state: &'static str,
    watching: bool,
    watch_mode: &'static str,
    pending_hints: u64,
    true_as_of: Option<String>,
    behind: Option<String>,
    total_files: i64,
    total_bytes: i64,
    open_problems: i64,
    damaged: i64,
    held: i64,
    last_run: Option<RunJson>,
    next_runs: Vec<NextJson>,
    by_kind: std::collections::BTreeMap<&'static str, KindJson>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct KindJson {
    last_success_at: Option<String>,
    last_attempt_at: Option<String>,
    last_outcome: Option<String>,
    last_error: Option<String>,
    success_count: i64,
    failure_count: i64,
    last_files_processed: i64,
}

impl StatusJson {
    pub fn new(status: &IndexStatus, extra: StatusExtra) -> StatusJson {
        let repository = &status.repository;
        let (path, path_b64) = path::split(&repository.path);
        let kind = |kind: &KindStatus| KindJson {
            last_success_at: moment(kind.last_success_at),
            last_attempt_at: moment(kind.last_attempt_at),
            last_outcome: kind.last_outcome.clone(),
            last_error: kind.last_error.clone(),
            success_count: kind.success_count,
            failure_count: kind.failure_count,
            last_files_processed: kind.last_files_processed,
        };
        StatusJson {
            repository: repository.name.clone(),
            path,
            path_b64,
            state: extra.state.as_str(),
            watching: extra.watch_mode != WatchMode::Off,
            watch_mode: extra.watch_mode.as_str(),
            pending_hints: extra.pending_hints,
            true_as_of: moment(extra.true_as_of),
            behind: extra.behind,
            total_files: repository.total_files,
            total_bytes: repository.total_bytes,
            open_problems: status.open_problems,
            damaged: status.damaged,
            held: status.held,
            last_run: status.last_run.as_ref().map(|run| RunJson::new(run).with_progress(extra.progress)),
            next_runs: extra
                .next_runs
                .into_iter()
                .map(|(kind, at)| NextJson { repository: None, kind: kind.as_str().to_owned(), at: at.rfc3339() })
                .collect(),
            by_kind: status.by_kind.iter().map(|entry| (entry.kind.as_str(), kind(entry))).collect(),
        }
    }
}

/// One line of `stats --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct StatsJson {
    repository: String,
    kind: String,
    since: String,
    runs: i64,
    completed: i64,
    partial: i64,
    failed: i64,
    held: i64,
    cancelled: i64,
    interrupted: i64,
    success_rate: Option<f64>,
    duration_ms: DurationJson,
    files: FilesJson,
    bytes_hashed: i64,
    errors: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct DurationJson {
    p50: Option<i64>,
    p95: Option<i64>,
    max: Option<i64>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct FilesJson {
    scanned: i64,
    added: i64,
    updated: i64,
    removed: i64,
    moved: i64,
}

impl StatsJson {
    pub fn new(stats: &Stats, since: Timestamp) -> StatsJson {
        let tally = &stats.tally;
        StatsJson {
            repository: stats.repository.clone(),
            kind: stats.kind.clone(),
            since: since.rfc3339(),
            runs: stats.runs,
            completed: stats.completed,
            partial: stats.partial,
            failed: stats.failed,
            held: stats.held,
            cancelled: stats.cancelled,
            interrupted: stats.interrupted,
            success_rate: stats.success_rate(),
            duration_ms: DurationJson { p50: stats.p50_ms, p95: stats.p95_ms, max: stats.max_ms },
            files: FilesJson {
                scanned: tally.scanned,
                added: tally.added,
                updated: tally.updated,
                removed: tally.removed,
                moved: tally.moved,
            },
            bytes_hashed: tally.bytes_hashed,
            errors: stats.errors.iter().map(|(class, count)| (class.clone(), (*count).into())).collect(),
        }
    }
}
