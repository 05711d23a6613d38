//! What single commands print with `--json`.

use std::path::PathBuf;

use serde::Serialize;

use super::{ChangeJson, FileJson, ProblemJson, RunJson};

/// `why --json`: what decided one record.
#[derive(Debug, Serialize)]
pub struct WhyJson {
    pub repository: String,
    pub path: String,
    /// The rule that leaves it out, if one does.
    pub left_out_by: Option<String>,
    pub record: Option<FileJson>,
    /// The run that wrote the record last.
    pub run: Option<RunJson>,
    pub last_change: Option<ChangeJson>,
    pub problem: Option<ProblemJson>,
}

/// `service status --json`: what systemd says of the service.
#[derive(Debug, Serialize)]
pub struct ServiceJson {
    pub unit: String,
    pub file: Option<PathBuf>,
    pub installed: bool,
    pub enabled: bool,
    /// `active`, `inactive`, `failed`, `activating`, ...
    pub state: String,
    pub pid: Option<u32>,
    /// What it says of itself, such as `2 repositories, 1 running`.
    pub says: Option<String>,
    /// Whether it goes on after the last log-out; null where nobody can say it.
    pub stays_after_logout: Option<bool>,
}
