//! One repository in the digest: what has happened since some moment.

use serde::Serialize;

use super::{DamageJson, ProblemJson, RunJson, path};
use crate::domain::moment::Timestamp;
use crate::domain::report::{ChangeSummary, Damage, DirectoryChanges, IndexStatus, Run, StoredProblem};
use crate::domain::repository::State;
use crate::domain::run::Outcome;

/// What a digest is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestParts {
    pub status: IndexStatus,
    pub state: State,
    /// Runs that have ended, folded ones counted.
    pub runs: Vec<(Outcome, i64)>,
    /// The newest of the failed ones.
    pub failed_runs: Vec<Run>,
    pub changes: ChangeSummary,
    /// Open, and first met in this time.
    pub new_problems: Vec<StoredProblem>,
    /// All that is open.
    pub damage: Vec<Damage>,
}

/// One line of `digest --json`.
#[derive(Debug, Serialize)]
pub struct DigestJson {
    repository: String,
    since: String,
    state: &'static str,
    runs: serde_json::Map<String, serde_json::Value>,
    failed_runs: Vec<RunJson>,
    changed_files: i64,
    changed_directories: i64,
    /// Those with the most changes.
    changes: Vec<DirectoryJson>,
    new_problems: Vec<ProblemJson>,
    damage: Vec<DamageJson>,
    held: i64,
    undecided: i64,
}

#[derive(Debug, Serialize)]
struct DirectoryJson {
    path: String,
    path_b64: Option<String>,
    old_path: Option<String>,
    old_path_b64: Option<String>,
    files: serde_json::Map<String, serde_json::Value>,
}

impl From<&DirectoryChanges> for DirectoryJson {
    fn from(changes: &DirectoryChanges) -> DirectoryJson {
        let (path, path_b64) = path::split(changes.path.as_bytes());
        let old = changes.moved_from.as_ref().map(|old| path::split(old.as_bytes()));
        let (old_path, old_path_b64) = old.map_or((None, None), |(shown, bytes)| (Some(shown), bytes));
        let files = changes.files.iter().map(|(verdict, files)| (verdict.as_str().to_owned(), (*files).into()));
        DirectoryJson { path, path_b64, old_path, old_path_b64, files: files.collect() }
    }
}

impl DigestJson {
    pub fn new(parts: &DigestParts, since: Timestamp) -> DigestJson {
        DigestJson {
            repository: parts.status.repository.name.clone(),
            since: since.rfc3339(),
            state: parts.state.as_str(),
            runs: parts.runs.iter().map(|(outcome, runs)| (outcome.as_str().to_owned(), (*runs).into())).collect(),
            failed_runs: parts.failed_runs.iter().map(RunJson::new).collect(),
            changed_files: parts.changes.files,
            changed_directories: parts.changes.directories,
            changes: parts.changes.largest.iter().map(DirectoryJson::from).collect(),
            new_problems: parts.new_problems.iter().map(ProblemJson::from).collect(),
            damage: parts.damage.iter().map(DamageJson::from).collect(),
            held: parts.status.held,
            undecided: parts.status.undecided,
        }
    }
}
