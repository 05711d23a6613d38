//! `run`: one row of the history, with its progress while it runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{moment, moment_of};
use crate::domain::moment::Timestamp;
use crate::domain::report::{LogLine, Run};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Tally};

/// One line of `history --json` and `sync --json`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RunJson {
    run_id: String,
    number: i64,
    repository_id: i64,
    repository: String,
    kind: String,
    trigger: String,
    outcome: Option<String>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Vec<LogJson>>,
}

/// How far a run is.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ProgressJson {
    pub files_done: u64,
    pub files_total: Option<u64>,
    pub bytes_done: u64,
    pub bytes_total: Option<u64>,
    pub bytes_per_s: u64,
    pub eta_ms: Option<u64>,
    pub current_path: String,
}

/// One line of a run's log.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct LogJson {
    at: String,
    message: String,
}

impl From<&LogLine> for LogJson {
    fn from(line: &LogLine) -> LogJson {
        LogJson { at: line.at.rfc3339(), message: line.message.clone() }
    }
}

impl RunJson {
    pub fn new(run: &Run) -> RunJson {
        let tally = &run.tally;
        RunJson {
            run_id: run.run_id.clone(),
            number: run.number,
            repository_id: run.repository_id.0,
            repository: run.repository.clone(),
            kind: run.kind.as_str().to_owned(),
            trigger: run.trigger.clone(),
            outcome: run.outcome.map(|outcome| outcome.as_str().to_owned()),
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
        self.log = Some(lines.iter().map(LogJson::from).collect());
        self
    }

    /// Adds how far it is, while it runs.
    pub fn with_progress(mut self, progress: Option<ProgressJson>) -> RunJson {
        self.progress = progress;
        self
    }

    /// Returns the run that this was made of; `None` when it holds words that this version does not know.
    pub fn to_run(&self) -> Option<Run> {
        Some(Run {
            run_id: self.run_id.clone(),
            number: self.number,
            repository_id: RepositoryId(self.repository_id),
            repository: self.repository.clone(),
            kind: Kind::parse(&self.kind)?,
            trigger: self.trigger.clone(),
            outcome: match &self.outcome {
                Some(word) => Some(Outcome::parse(word)?),
                None => None,
            },
            started_at: Timestamp::parse(&self.started_at)?,
            ended_at: moment_of(self.ended_at.as_ref()),
            duration_ms: self.duration_ms,
            tally: Tally {
                scanned: self.files_scanned,
                added: self.files_added,
                updated: self.files_updated,
                removed: self.files_removed,
                moved: self.files_moved,
                damaged: self.files_damaged,
                problems: self.problems,
                bytes_hashed: self.bytes_hashed,
                directories: self.directories_listed,
            },
            error_class: self.error_class.clone(),
            error_message: self.error_message.clone(),
            attempt: self.attempt,
            retry_of: self.retry_of.clone(),
            folded: self.folded,
            instance: self.instance.clone(),
            metadata: self.metadata.as_ref().map(ToString::to_string),
        })
    }
}
