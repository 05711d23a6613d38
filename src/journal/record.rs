//! What a line can say, and a run's row in the words of the index.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::moment::Timestamp;
use crate::domain::report::{Definition, Run};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Tally};

/// What happened. A run's whole row stands in each line of it, so the last one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Start(Run),
    Finish(Run),
    /// It was cut off, as the next start found.
    Interrupted(Run),
    /// Written again from the index, as the journal did not have it, or to let an old file go.
    Backfill(Run),
    /// Runs that found nothing became one row; the numbers are of those that went.
    Fold(Run, Vec<i64>),
    /// Runs by number that the history keeps no more.
    Forget(Vec<i64>),
    /// A repository was added or changed.
    Repository(Definition),
    /// A repository was removed, with all its runs.
    Gone(RepositoryId),
    /// A file begins.
    Segment(Head),
}

/// What a file begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub repositories: Vec<Definition>,
    /// The highest number that a run has got.
    pub last_number: i64,
    /// Lines before this one were dropped with their files, on purpose.
    pub kept_from: u64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    run_id: String,
    number: i64,
    repository_id: i64,
    repository: String,
    kind: String,
    trigger: String,
    outcome: Option<String>,
    started_ms: i64,
    ended_ms: Option<i64>,
    duration_ms: Option<i64>,
    directories_listed: i64,
    files_scanned: i64,
    files_added: i64,
    files_updated: i64,
    files_removed: i64,
    files_moved: i64,
    files_damaged: i64,
    problems: i64,
    bytes_hashed: i64,
    error_class: Option<String>,
    error_message: Option<String>,
    attempt: i64,
    retry_of: Option<String>,
    folded: i64,
    instance: String,
    metadata: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Repository {
    id: i64,
    name: String,
    /// Base64, as a path may hold any byte.
    path_b64: String,
    settings: String,
    identity: Option<String>,
    paused_ms: Option<i64>,
    created_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct Folded {
    run: Row,
    gone: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct Opening {
    repositories: Vec<Repository>,
    last_number: i64,
    kept_from: u64,
}

/// Returns the sum of a row that stands beside it in the index: whatever changes it there is noticed.
pub fn row_sum(run: &Run) -> [u8; 16] {
    let digest = Sha256::digest(json(&Row::from(run)));
    digest[..16].try_into().expect("a digest has 32 bytes")
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers always serialize")
}

impl Event {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Event::Start(_) => "start",
            Event::Finish(_) => "finish",
            Event::Interrupted(_) => "interrupted",
            Event::Backfill(_) => "backfill",
            Event::Fold(..) => "fold",
            Event::Forget(_) => "forget",
            Event::Repository(_) => "repository",
            Event::Gone(_) => "gone",
            Event::Segment(_) => "segment",
        }
    }

    /// Returns the row that it is about.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Event::Start(run)
            | Event::Finish(run)
            | Event::Interrupted(run)
            | Event::Backfill(run)
            | Event::Fold(run, _) => Some(run),
            Event::Forget(_) | Event::Repository(_) | Event::Gone(_) | Event::Segment(_) => None,
        }
    }

    pub(super) fn run_id(&self) -> Option<&str> {
        self.run().map(|run| run.run_id.as_str())
    }

    pub(super) fn data(&self) -> String {
        match self {
            Event::Start(run) | Event::Finish(run) | Event::Interrupted(run) | Event::Backfill(run) => {
                json(&Row::from(run))
            }
            Event::Fold(run, gone) => json(&Folded { run: Row::from(run), gone: gone.clone() }),
            Event::Forget(gone) => json(gone),
            Event::Repository(definition) => json(&Repository::from(definition)),
            Event::Gone(id) => json(&id.0),
            Event::Segment(head) => json(&Opening {
                repositories: head.repositories.iter().map(Repository::from).collect(),
                last_number: head.last_number,
                kept_from: head.kept_from,
            }),
        }
    }

    /// Reads what [`Event::data`] wrote; `None` for a word that this program does not know.
    pub(super) fn read(name: &str, data: &str) -> serde_json::Result<Option<Event>> {
        let run = || serde_json::from_str::<Row>(data).map(Run::from);
        Ok(Some(match name {
            "start" => Event::Start(run()?),
            "finish" => Event::Finish(run()?),
            "interrupted" => Event::Interrupted(run()?),
            "backfill" => Event::Backfill(run()?),
            "fold" => {
                let folded: Folded = serde_json::from_str(data)?;
                Event::Fold(folded.run.into(), folded.gone)
            }
            "forget" => Event::Forget(serde_json::from_str(data)?),
            "repository" => Event::Repository(serde_json::from_str::<Repository>(data)?.into()),
            "gone" => Event::Gone(RepositoryId(serde_json::from_str(data)?)),
            "segment" => {
                let Opening { repositories, last_number, kept_from } = serde_json::from_str(data)?;
                let repositories = repositories.into_iter().map(Definition::from).collect();
                Event::Segment(Head { repositories, last_number, kept_from })
            }
            _ => return Ok(None),
        }))
    }
}

impl From<&Run> for Row {
    fn from(run: &Run) -> Row {
        let tally = run.tally;
        Row {
            run_id: run.run_id.clone(),
            number: run.number,
            repository_id: run.repository_id.0,
            repository: run.repository.clone(),
            kind: run.kind.as_str().to_owned(),
            trigger: run.trigger.clone(),
            outcome: run.outcome.map(|outcome| outcome.as_str().to_owned()),
            started_ms: run.started_at.0,
            ended_ms: run.ended_at.map(|at| at.0),
            duration_ms: run.duration_ms,
            directories_listed: tally.directories,
            files_scanned: tally.scanned,
            files_added: tally.added,
            files_updated: tally.updated,
            files_removed: tally.removed,
            files_moved: tally.moved,
            files_damaged: tally.damaged,
            problems: tally.problems,
            bytes_hashed: tally.bytes_hashed,
            error_class: run.error_class.clone(),
            error_message: run.error_message.clone(),
            attempt: run.attempt,
            retry_of: run.retry_of.clone(),
            folded: run.folded,
            instance: run.instance.clone(),
            metadata: run.metadata.clone(),
        }
    }
}

impl From<Row> for Run {
    fn from(row: Row) -> Run {
        Run {
            run_id: row.run_id,
            number: row.number,
            repository_id: RepositoryId(row.repository_id),
            repository: row.repository,
            kind: Kind::parse(&row.kind).unwrap_or(Kind::Full),
            trigger: row.trigger,
            outcome: row.outcome.as_deref().and_then(Outcome::parse),
            started_at: Timestamp(row.started_ms),
            ended_at: row.ended_ms.map(Timestamp),
            duration_ms: row.duration_ms,
            tally: Tally {
                scanned: row.files_scanned,
                added: row.files_added,
                updated: row.files_updated,
                removed: row.files_removed,
                moved: row.files_moved,
                damaged: row.files_damaged,
                problems: row.problems,
                bytes_hashed: row.bytes_hashed,
                directories: row.directories_listed,
            },
            error_class: row.error_class,
            error_message: row.error_message,
            attempt: row.attempt,
            retry_of: row.retry_of,
            folded: row.folded,
            instance: row.instance,
            metadata: row.metadata,
        }
    }
}

impl From<&Definition> for Repository {
    fn from(definition: &Definition) -> Repository {
        Repository {
            id: definition.id.0,
            name: definition.name.clone(),
            path_b64: STANDARD.encode(&definition.path),
            settings: definition.settings.clone(),
            identity: definition.identity.clone(),
            paused_ms: definition.paused_at.map(|at| at.0),
            created_ms: definition.created_at.0,
        }
    }
}

impl From<Repository> for Definition {
    fn from(stored: Repository) -> Definition {
        Definition {
            id: RepositoryId(stored.id),
            name: stored.name,
            // The line's checksum has proven that it is what was written.
            path: STANDARD.decode(stored.path_b64).unwrap_or_default(),
            settings: stored.settings,
            identity: stored.identity,
            paused_at: stored.paused_ms.map(Timestamp),
            created_at: Timestamp(stored.created_ms),
        }
    }
}
