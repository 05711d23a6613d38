//! `run`: one row of the history, with its progress while it runs.

use serde::Serialize;

use super::{moment, path};
use crate::domain::report::{LogLine, Run};
use crate::domain::run::Outcome;

/// One line of `history --json` and `sync --json`.
#[derive(Debug, Serialize)]
pub struct RunJson {
    run_id: String,
    number: i64,
    repository: String,
    kind: &'static str,
    trigger: String,
    outcome: Option<&'static str>,
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    files_scanned: i64,
    files_added: i64,
    files_updated: i64,
    files_removed: i64,
    files_moved: i64,
    files_damaged: i64,
    problems: i64,
    bytes_hashed: i64,
    directories_listed: i64,
    error_class: Option<String>,
    error_message: Option<String>,
    attempt: i64,
    /// Id of the run that this one tries again.
    retry_of: Option<String>,
    /// How many runs this row stands for.
    folded: i64,
    instance: String,
    metadata: Option<serde_json::Value>,
    progress: Option<ProgressJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Vec<LogJson>>,
}

/// How far a run is.
#[derive(Debug, Serialize)]
pub struct ProgressJson {
    files_done: u64,
    files_total: Option<u64>,
    bytes_done: u64,
    bytes_total: Option<u64>,
    bytes_per_s: u64,
    eta_ms: Option<u64>,
    current_path: String,
}

impl ProgressJson {
    /// Shapes a sample; `rates` is (bytes a second, milliseconds left).
    pub fn new(
        files: (u64, Option<u64>),
        bytes: (u64, Option<u64>),
        rates: (u64, Option<u64>),
        current: &[u8],
    ) -> ProgressJson {
        ProgressJson {
            files_done: files.0,
            files_total: files.1,
            bytes_done: bytes.0,
            bytes_total: bytes.1,
            bytes_per_s: rates.0,
            eta_ms: rates.1,
            current_path: path::split(current).0,
        }
    }
}

/// One line of a run's log.
#[derive(Debug, Serialize)]
pub struct LogJson {
    at: String,
    message: String,
}

impl RunJson {
    pub fn new(run: &Run) -> RunJson {
        let tally = &run.tally;
        RunJson {
            run_id: run.run_id.clone(),
            number: run.number,
            repository: run.repository.clone(),
            kind: run.kind.as_str(),
            trigger: run.trigger.clone(),
            outcome: run.outcome.map(Outcome::as_str),
            started_at: run.started_at.rfc3339(),
            ended_at: moment(run.ended_at),
            duration_ms: run.duration_ms,
            files_scanned: tally.scanned,
            files_added: tally.added,
            files_updated: tally.updated,
            files_removed: tally.removed,
            files_moved: tally.moved,
            files_damaged: tally.damaged,
            problems: tally.problems,
            bytes_hashed: tally.bytes_hashed,
            directories_listed: tally.directories,
            error_class: run.error_class.clone(),
            error_message: run.error_message.clone(),
            attempt: run.attempt,
            retry_of: run.retry_of.clone(),
            folded: run.folded,
            instance: run.instance.clone(),
            // It was JSON when it was stored.
            metadata: run.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            progress: None,
            log: None,
        }
    }

    /// Adds the run's log.
    pub fn with_log(mut self, lines: &[LogLine]) -> RunJson {
        let shape = |line: &LogLine| LogJson { at: line.at.rfc3339(), message: line.message.clone() };
        self.log = Some(lines.iter().map(shape).collect());
        self
    }
}
