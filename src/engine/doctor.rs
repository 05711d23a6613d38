//! What `doctor` says: looks over database, coverage, watches, space and clock. Slow, as it reads every page of the index:
//! never on the loop of an engine or a screen. Prints nothing.

mod backups;
mod coverage;
mod journal;
mod private;

pub use journal::{Disagreement, Verified, verify_log};

use std::path::Path;

use serde_json::{Value, json};

use super::clock;
use super::commands::{Desk, index_failed};
use super::machine;
use super::protocol::{Answer, Refusal};
use crate::config::Config;
use crate::domain::amount::{bytes, count, plural};
use crate::domain::run::Outcome;
use crate::domain::show::show;
use crate::index::{IndexError, Reader};

/// How an examined thing is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    pub const ALL: [State; 3] = [State::Ok, State::Warn, State::Fail];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        }
    }

    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    pub state: State,
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The numbers behind the message, for machines.
    pub value: Value,
}

/// What is looked over.
#[derive(Debug)]
pub struct Subject<'a> {
    /// `None`: it cannot be read.
    pub config: Option<&'a Config>,
    /// `None`: whoever asks does not know from where the config came.
    pub config_file: Option<&'a Path>,
    /// `None`: there is none yet.
    pub data_directory: Option<&'a Path>,
    pub has_engine: bool,
}

fn check(name: &str, state: State, message: impl Into<String>, value: Value) -> Check {
    Check { name: name.to_owned(), state, message: message.into(), hint: None, value }
}

/// SQLite cuts a WAL off at this size when it begins it anew; a larger one is being held.
const LARGE_WAL: u64 = 64 << 20;

/// Looks everything over; what cannot be looked at is a check that fails. `reader` is none when there is no index yet.
///
/// # Errors
/// Those of the index beside a damaged database, which is a check.
pub fn examine(subject: &Subject<'_>, reader: Result<Option<Reader>, Refusal>) -> Result<Vec<Check>, IndexError> {
    let version = env!("CARGO_PKG_VERSION");
    let mut checks =
        vec![check("version", State::Ok, format!("watchkeeper {version}"), json!({ "watchkeeper": version }))];
    checks.push(match subject.config {
        Some(_) => {
            let file = subject.config_file.map(|file| file.display().to_string());
            check("config", State::Ok, "in order", json!(file))
        }
        None => check("config", State::Fail, "cannot be read; `watchkeeper config show` says why", Value::Null),
    });
    let mut directories = 0;
    let known = reader.as_ref().ok().and_then(Option::as_ref);
    if let Some(directory) = subject.data_directory {
        journal::examine(directory, known, clock::wall(), &mut checks);
        backups::examine(directory, subject.config, clock::wall(), &mut checks);
        checks.push(private::examine(directory));
        checks.extend(look_for_writer(directory));
    }
    match reader {
        Ok(Some(reader)) => {
            look_at_index(subject, &reader, &mut checks)?;
            if let Some(config) = subject.config {
                coverage::look(&reader, config, clock::wall(), &mut checks)?;
            }
            directories = reader.count_directories().unwrap_or(0);
        }
        Ok(None) => checks.push(check("index", State::Ok, "there is none yet", Value::Null)),
        Err(Refusal { message, hint, .. }) => {
            checks.push(Check { hint, ..check("index", State::Fail, message, Value::Null) });
        }
    }
    look_at_machine(subject, directories, &mut checks);
    Ok(checks)
}

impl Desk {
    /// Looks over what this engine works with.
    pub(super) fn examine(&self) -> Answer {
        let subject = Subject {
            config: Some(&self.config),
            config_file: None,
            data_directory: Some(&self.data_directory),
            has_engine: true,
        };
        match examine(&subject, self.reader().map(Some)) {
            Ok(checks) => Answer::Examined(checks),
            Err(error) => Answer::Refused(index_failed(error)),
        }
    }
}

/// Tells of another program that keeps the index to itself: nothing can be written down meanwhile.
fn look_for_writer(directory: &Path) -> Option<Check> {
    let (pid, command) = machine::foreign_writer(&directory.join("index.db"))?;
    let message = format!("{} (process {pid}) has the index open for writing", show(command.as_bytes()));
    let hint = "no run can be written down until it lets go: end it, or its transaction".to_owned();
    let value = json!({ "pid": pid, "command": command });
    Some(Check { hint: Some(hint), ..check("writer", State::Warn, message, value) })
}

fn look_at_index(subject: &Subject<'_>, reader: &Reader, checks: &mut Vec<Check>) -> Result<(), IndexError> {
    let health = match reader.health() {
        Ok(health) => health,
        Err(IndexError::Sqlite(error)) => {
            checks.push(check("integrity", State::Fail, error.to_string(), Value::Null));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let is_whole = health.integrity.is_empty();
    checks.push(check(
        "integrity",
        if is_whole { State::Ok } else { State::Fail },
        if is_whole { "every page is in order".to_owned() } else { health.integrity.join("; ") },
        json!({ "sqlite": health.sqlite_version, "schema": health.schema }),
    ));
    if let Some(directory) = subject.data_directory {
        let size = |name: &str| std::fs::metadata(directory.join(name)).map_or(0, |found| found.len());
        let (index, wal) = (size("index.db"), size("index.db-wal"));
        let state = if wal > LARGE_WAL { State::Warn } else { State::Ok };
        let message = format!("{} and {} not yet moved into it (WAL)", bytes(index), bytes(wal));
        let hint = (state == State::Warn).then(|| {
            "a program that reads the index keeps it from shrinking: end what has index.db open, such as a sqlite3"
                .to_owned()
        });
        let value = json!({ "index_bytes": index, "wal_bytes": wal });
        checks.push(Check { hint, ..check("size", state, message, value) });
    }
    look_at_repositories(reader, checks)
}

fn look_at_repositories(reader: &Reader, checks: &mut Vec<Check>) -> Result<(), IndexError> {
    let repositories = reader.repositories()?;
    let files: i64 = repositories.iter().map(|repository| repository.total_files).sum();
    let kinds: Vec<Value> = reader
        .files_by_type()?
        .into_iter()
        .map(|(kind, files, bytes)| json!({ "type": kind, "files": files, "bytes": bytes }))
        .collect();
    let message = format!(
        "{} in {}",
        plural(files.unsigned_abs(), "record", "records"),
        plural(repositories.len() as u64, "repository", "repositories")
    );
    checks.push(check("records", State::Ok, message, json!({ "rows": files, "by_type": kinds })));
    for repository in &repositories {
        let message = match repository.seen_at {
            Some(at) => format!("{}: compared with its tree to the end, {}", repository.name, at.local()),
            None => format!("{}: never compared with its tree to the end", repository.name),
        };
        let value = json!({
            "repository": repository.name,
            "compared_at": repository.seen_at.map(|at| at.rfc3339()),
            "run": repository.seen_generation,
            "result": reader.run(&repository.seen_generation.to_string()).ok().and_then(|run| run.outcome).map(Outcome::as_str),
        });
        let state = if repository.seen_at.is_some() { State::Ok } else { State::Warn };
        checks.push(check("comparison", state, message, value));
    }
    Ok(())
}
fn look_at_machine(subject: &Subject<'_>, needed: u64, checks: &mut Vec<Check>) {
    if let Some(watches) = machine::watches() {
        let free = watches.free();
        let message = format!("{} used of {}; {} needed", count(watches.used), count(watches.limit), count(needed));
        let holders: Vec<Value> = watches
            .holders
            .iter()
            .map(|holder| json!({ "pid": holder.pid, "command": holder.command, "watches": holder.watches }))
            .collect();
        let value = json!({
            "used": watches.used, "free": free, "needed": needed, "limit": watches.limit, "held_by": holders,
        });
        let hint = if needed > free {
            Some(watches.how_to_raise_watches(needed))
        } else if watches.instances >= watches.instance_limit {
            Some(watches.how_to_raise_instances())
        } else {
            None
        };
        let state = if hint.is_some() { State::Warn } else { State::Ok };
        checks.push(Check { hint, ..check("watches", state, message, value) });
    }
    if let Some(free) = subject.data_directory.and_then(machine::free_bytes) {
        let state = if free < 100_000_000 { State::Warn } else { State::Ok };
        let hint = (state == State::Warn).then(|| "free some space before the index cannot grow".to_owned());
        let message = format!("{} free for the index", bytes(free));
        checks.push(Check { hint, ..check("space", state, message, json!({ "free_bytes": free })) });
    }
    let now = clock::wall();
    // Before this program was written, no clock can be right.
    let is_sane = now.0 > 1_700_000_000_000;
    let state = if is_sane { State::Ok } else { State::Warn };
    checks.push(check("clock", state, now.rfc3339(), json!(now.rfc3339())));
    let message = match subject.data_directory.filter(|_| subject.has_engine) {
        Some(directory) => format!("one is running: {}", super::lock::holder(directory)),
        None => "none is running".to_owned(),
    };
    checks.push(check("engine", State::Ok, message, json!(subject.has_engine)));
}
