//! `doctor`: looks over database, watches, space and clock.

mod coverage;

use serde_json::{Value, json};

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::output::Tone;
use crate::domain::amount::{bytes, count, plural};
use crate::domain::run::Outcome;
use crate::engine::{self, machine};
use crate::index::{IndexError, Reader};
use crate::wire::CheckJson;

/// How an examined thing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

struct Check {
    name: &'static str,
    state: State,
    message: String,
    hint: Option<String>,
    value: Value,
}

fn check(name: &'static str, state: State, message: impl Into<String>, value: Value) -> Check {
    Check { name, state, message: message.into(), hint: None, value }
}

/// Runs `doctor`; fails when a check does.
pub fn run(context: &mut Context) -> Result<Verdict> {
    let mut checks = vec![check(
        "version",
        State::Ok,
        format!("watchkeeper {}", env!("CARGO_PKG_VERSION")),
        json!({ "watchkeeper": env!("CARGO_PKG_VERSION") }),
    )];
    let config = context.places.config();
    checks.push(match &config {
        Ok(_) => check("config", State::Ok, "in order", json!(context.places.config_file.display().to_string())),
        Err(_) => check("config", State::Fail, "cannot be read; `watchkeeper config show` says why", Value::Null),
    });
    match context.places.reader() {
        Ok(Some(reader)) => {
            look_at_index(context, &reader, &mut checks)?;
            if let Ok(config) = &config {
                coverage::look(&reader, config, engine::now(), &mut checks)?;
            }
        }
        Ok(None) => checks.push(check("index", State::Ok, "there is none yet", Value::Null)),
        Err(CliError::Failed { message, hint }) => {
            checks.push(Check { hint, ..check("index", State::Fail, message, Value::Null) });
        }
        Err(error) => return Err(error),
    }
    look_at_machine(context, &mut checks);
    let failed = checks.iter().any(|check| check.state == State::Fail);
    for check in &checks {
        print(context, check)?;
    }
    Ok(Verdict { failed, ..Verdict::default() })
}

fn look_at_index(context: &Context, reader: &Reader, checks: &mut Vec<Check>) -> Result<()> {
    let health = match reader.health() {
        Ok(health) => health,
        Err(IndexError::Sqlite(error)) => {
            checks.push(check("integrity", State::Fail, error.to_string(), Value::Null));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let is_whole = health.integrity.is_empty();
    checks.push(check(
        "integrity",
        if is_whole { State::Ok } else { State::Fail },
        if is_whole { "every page is in order".to_owned() } else { health.integrity.join("; ") },
        json!({ "sqlite": health.sqlite_version, "schema": health.schema }),
    ));
    if let Some(directory) = context.places.data_directory()? {
        let size = |name: &str| std::fs::metadata(directory.join(name)).map_or(0, |found| found.len());
        let (index, wal) = (size("index.db"), size("index.db-wal"));
        let state = if wal > 64 << 20 { State::Warn } else { State::Ok };
        let message = format!("{} and {} not yet moved into it (WAL)", bytes(index), bytes(wal));
        checks.push(check("size", state, message, json!({ "index_bytes": index, "wal_bytes": wal })));
    }
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

fn look_at_machine(context: &Context, checks: &mut Vec<Check>) {
    if let Some(watches) = machine::watches() {
        let directories = context.places.reader().ok().flatten().and_then(|reader| reader.count_directories().ok());
        let (needed, free) = (directories.unwrap_or(0), watches.free());
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
    if let Some(free) =
        context.places.data_directory().ok().flatten().and_then(|directory| machine::free_bytes(&directory))
    {
        let state = if free < 100_000_000 { State::Warn } else { State::Ok };
        let hint = (state == State::Warn).then(|| "free some space before the index cannot grow".to_owned());
        let message = format!("{} free for the index", bytes(free));
        checks.push(Check { hint, ..check("space", state, message, json!({ "free_bytes": free })) });
    }
    let now = engine::now();
    // Before this program was written, no clock can be right.
    let is_sane = now.0 > 1_700_000_000_000;
    let state = if is_sane { State::Ok } else { State::Warn };
    checks.push(check("clock", state, now.rfc3339(), json!(now.rfc3339())));
    let has_engine = context.places.engine_directory().is_some();
    let message = if has_engine { "one is running" } else { "none is running" };
    checks.push(check("engine", State::Ok, message, json!(has_engine)));
}

fn print(context: &mut Context, check: &Check) -> Result<()> {
    let (word, tone) = match check.state {
        State::Ok => ("ok", Tone::Good),
        State::Warn => ("warn", Tone::Attention),
        State::Fail => ("fail", Tone::Bad),
    };
    if context.out.json {
        return context.out.object(&CheckJson {
            check: check.name,
            state: word,
            message: &check.message,
            hint: check.hint.as_deref(),
            value: check.value.clone(),
        });
    }
    let word = context.out.tone(tone, &format!("{word:<4}"));
    context.out.line(&format!("{word}  {:<11} {}", check.name, check.message))?;
    match &check.hint {
        Some(hint) => context.out.line(&format!("                  {hint}")),
        None => Ok(()),
    }
}
