//! What runs find: changes, problems, damage, held removals; and the checks of `doctor`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{hex, moment, path, unhex};
use crate::domain::change::{Change, Verdict};
use crate::domain::guard::Reason;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::problem::Class;
use crate::domain::report::{Damage, Held, StoredChange, StoredProblem};

/// One line of `changes --json` and `sync --plan --json`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ChangeJson {
    run_id: String,
    repository: String,
    at: String,
    verdict: String,
    path: String,
    path_b64: Option<String>,
    old_path: Option<String>,
    old_path_b64: Option<String>,
    /// For a directory: how many files were in it.
    directory_files: Option<i64>,
    old_size_bytes: Option<i64>,
    new_size_bytes: Option<i64>,
    old_sha256: Option<String>,
    new_sha256: Option<String>,
    note: Option<String>,
}

impl From<&StoredChange> for ChangeJson {
    fn from(stored: &StoredChange) -> ChangeJson {
        let change = &stored.change;
        let (path, path_b64) = path::split(change.path.as_bytes());
        let old = change.old_path.as_ref().map(|old| path::split(old.as_bytes()));
        let (old_path, old_path_b64) = old.map_or((None, None), |(shown, bytes)| (Some(shown), bytes));
        ChangeJson {
            run_id: stored.run_id.clone(),
            repository: stored.repository.clone(),
            at: stored.at.rfc3339(),
            verdict: change.verdict.as_str().to_owned(),
            path,
            path_b64,
            old_path,
            old_path_b64,
            directory_files: change.directory_files,
            old_size_bytes: change.old_size_bytes,
            new_size_bytes: change.new_size_bytes,
            old_sha256: change.old_sha256.as_ref().map(|sum| hex(sum)),
            new_sha256: change.new_sha256.as_ref().map(|sum| hex(sum)),
            note: stored.note.clone(),
        }
    }
}

impl ChangeJson {
    /// Returns the change that this was made of; `None` when it holds words that this version does not know.
    pub fn into_change(self) -> Option<StoredChange> {
        let old_path = match self.old_path {
            Some(old) => Some(RelPath::from_stored(path::joined(old, self.old_path_b64.as_deref())?)),
            None => None,
        };
        Some(StoredChange {
            run_id: self.run_id,
            repository: self.repository,
            at: Timestamp::parse(&self.at)?,
            change: Change {
                verdict: Verdict::parse(&self.verdict)?,
                path: RelPath::from_stored(path::joined(self.path, self.path_b64.as_deref())?),
                old_path,
                directory_files: self.directory_files,
                old_size_bytes: self.old_size_bytes,
                new_size_bytes: self.new_size_bytes,
                old_sha256: self.old_sha256.as_deref().and_then(unhex),
                new_sha256: self.new_sha256.as_deref().and_then(unhex),
                // As with a stored one: the sentence stands beside it.
                note: None,
            },
            note: self.note,
        })
    }
}

/// One line of `problems --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ProblemJson {
    problem_id: i64,
    repository: String,
    path: String,
    path_b64: Option<String>,
    class: String,
    message: String,
    hint: Option<&'static str>,
    first_seen: String,
    last_seen: String,
    count: i64,
    acknowledged_at: Option<String>,
    closed_at: Option<String>,
}

impl From<&StoredProblem> for ProblemJson {
    fn from(problem: &StoredProblem) -> ProblemJson {
        let (path, path_b64) = path::split(problem.path.as_bytes());
        ProblemJson {
            problem_id: problem.problem_id,
            repository: problem.repository.clone(),
            path,
            path_b64,
            class: problem.class.clone(),
            message: problem.message.clone(),
            hint: Class::parse(&problem.class).map(Class::hint),
            first_seen: problem.first_seen.rfc3339(),
            last_seen: problem.last_seen.rfc3339(),
            count: problem.count,
            acknowledged_at: moment(problem.acknowledged_at),
            closed_at: moment(problem.closed_at),
        }
    }
}

/// One line of `damage --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct DamageJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    recorded_sha256: Option<String>,
    found_sha256: String,
    found_at: String,
    good_copies: Vec<GoodCopyJson>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct GoodCopyJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    verified_at: Option<String>,
}

impl From<&Damage> for DamageJson {
    fn from(damage: &Damage) -> DamageJson {
        let (path, path_b64) = path::split(damage.path.as_bytes());
        let good_copies = damage.good_copies.iter().map(|copy| {
            let (path, path_b64) = path::split(copy.path.as_bytes());
            GoodCopyJson { repository: copy.repository.clone(), path, path_b64, verified_at: moment(copy.verified_at) }
        });
        DamageJson {
            repository: damage.repository.clone(),
            path,
            path_b64,
            recorded_sha256: damage.recorded_sha256.as_ref().map(|sum| hex(sum)),
            found_sha256: hex(&damage.found_sha256),
            found_at: damage.found_at.rfc3339(),
            good_copies: good_copies.collect(),
        }
    }
}

/// One line of `held --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct HeldJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    is_directory: bool,
    files: i64,
    bytes: i64,
    reason: Option<&'static str>,
    since: String,
    run_id: String,
    dismissed_at: Option<String>,
}

impl From<&Held> for HeldJson {
    fn from(held: &Held) -> HeldJson {
        let (path, path_b64) = path::split(held.path.as_bytes());
        HeldJson {
            repository: held.repository.clone(),
            path,
            path_b64,
            is_directory: held.is_directory,
            files: held.files,
            bytes: held.bytes,
            reason: held.reason.map(Reason::as_str),
            since: held.since.rfc3339(),
            run_id: held.run_id.clone(),
            dismissed_at: moment(held.dismissed_at),
        }
    }
}

/// One line of `doctor --json`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct CheckJson {
    pub check: String,
    /// `ok`, `warn` or `fail`.
    pub state: String,
    pub message: String,
    pub hint: Option<String>,
    pub value: serde_json::Value,
}
