//! `status`: how each repository is doing, as a table, as JSON, or as one line with an exit code.

mod follow;

use std::path::PathBuf;

use super::Context;
use super::args::Status;
use super::exit::{CliError, Result, Verdict};
use super::output::{Cell, Tone};
use crate::api::{self, Standing, Told};
use crate::domain::amount::{age, ago, bytes, count, parse_duration, plural};
use crate::domain::moment::Timestamp;
use crate::domain::report::IndexStatus;
use crate::domain::repository::State;
use crate::domain::run::Outcome;
use crate::domain::status::WatchMode;
use crate::engine;

/// A time of day names no day: older than this it is told how long ago it was.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The clock was set back when a moment that has been lies so far ahead.
const CLOCKS_DIFFER_MS: i64 = 5 * 60 * 1000;

/// Runs `status`.
pub fn run(context: &mut Context, args: &Status) -> Result<Verdict> {
    if args.follow {
        return follow::run(context, args.name.as_deref());
    }
    let statuses = read(context, args.name.as_deref())?;
    if args.check {
        return check(context, args, &statuses);
    }
    show(context, &statuses)?;
    Ok(Verdict::default())
}

/// Returns how one repository or all of them stand.
pub fn read(context: &Context, name: Option<&str>) -> Result<Vec<Standing>> {
    let Some(reader) = context.places.reader()? else {
        return match name {
            Some(_) => Err(context.places.existing_reader().err().unwrap_or(CliError::NobodyReads)),
            None => Ok(Vec::new()),
        };
    };
    // Without an answer the index still says what it knows.
    let ask = |directory: PathBuf| context.places.socket(&directory).and_then(|socket| Ok(api::snapshot(&socket)?));
    let snapshot = context.places.engine_directory().map(ask);
    let told = match &snapshot {
        None => Told::Nothing,
        Some(Err(_)) => Told::Silence,
        Some(Ok(snapshot)) => Told::All(snapshot),
    };
    // Read last: a run that ended before the engine was asked is in it.
    let statuses = match name {
        Some(name) => vec![reader.status(reader.repository(name)?)?],
        None => reader.statuses()?,
    };
    Ok(statuses.into_iter().map(|status| Standing::new(status, told)).collect())
}

/// Prints the table or the objects.
pub fn show(context: &mut Context, statuses: &[Standing]) -> Result<()> {
    if context.out.json {
        for standing in statuses {
            context.out.object(&standing.json())?;
        }
        return Ok(());
    }
    if statuses.is_empty() {
        context.out.message("no repositories yet; add one: watchkeeper repo add PATH");
        return Ok(());
    }
    let now = engine::now();
    let rows: Vec<Vec<Cell>> = statuses
        .iter()
        .map(|standing| {
            let (status, state) = (&standing.status, standing.state);
            let repository = &status.repository;
            vec![
                Cell::toned(tone_of(state), format!("{} {}", glyph(state), word(state))),
                Cell::toned(Tone::Bold, repository.name.clone()),
                as_of(standing, now).into(),
                watching(standing),
                some(i64::try_from(standing.live().pending_hints).unwrap_or(i64::MAX)),
                count(repository.total_files.max(0) as u64).into(),
                bytes(repository.total_bytes.max(0) as u64).into(),
                some(status.open_problems),
                some(status.held),
                some(status.damaged),
                last_run(status).into(),
            ]
        })
        .collect();
    let columns = [
        "state",
        "repository",
        "as of>",
        "watching",
        "pending>",
        "files>",
        "size>",
        "problems>",
        "held>",
        "damaged>",
        "last run",
    ];
    context.out.table(&columns, &rows)?;
    for standing in statuses {
        if let Some(reason) = &standing.live().behind {
            context.out.message(&format!("{}: {reason}", standing.status.repository.name));
        }
    }
    Ok(())
}

/// As of when the index is true: a time of day while a watcher proves it, else how long ago.
fn as_of(standing: &Standing, now: Timestamp) -> String {
    match (standing.live().true_as_of, standing.true_as_of()) {
        (Some(proven), _) if now.since_ms(proven) < DAY_MS => proven.local_time(),
        // The clock was wrong then, or is now.
        (_, Some(at)) if is_to_come(at, now) => at.local(),
        (_, Some(at)) => age(now.since_ms(at)),
        (_, None) => "never".to_owned(),
    }
}

/// Tells whether a moment that has been lies ahead by the clock, by more than clocks of machines differ.
fn is_to_come(at: Timestamp, now: Timestamp) -> bool {
    at.since_ms(now) > CLOCKS_DIFFER_MS
}

fn watching(standing: &Standing) -> Cell {
    match standing.live().watch_mode {
        WatchMode::Off => Cell::toned(Tone::Dim, "-"),
        mode => mode.as_str().into(),
    }
}

fn some(amount: i64) -> Cell {
    match amount {
        0 => Cell::toned(Tone::Dim, "-"),
        amount => Cell::toned(Tone::Attention, count(amount.max(0) as u64)),
    }
}

fn last_run(status: &IndexStatus) -> String {
    let Some(run) = &status.last_run else { return "none yet".to_owned() };
    let outcome = run.outcome.map_or("running", Outcome::as_str);
    format!("{} {} {outcome}", run.number, run.kind.as_str())
}

/// Returns a state as people read it.
pub fn word(state: State) -> String {
    state.as_str().replace('_', " ")
}

fn glyph(state: State) -> &'static str {
    match state {
        State::Paused => "-",
        State::Missing | State::Failed => "✗",
        State::Syncing => "↻",
        State::Held => "#",
        State::Damaged | State::Partial => "!",
        State::Pending => ".",
        State::Stale => "~",
        State::InSync => "✓",
    }
}

fn tone_of(state: State) -> Tone {
    match state {
        State::Missing | State::Failed | State::Damaged => Tone::Bad,
        State::Held | State::Partial => Tone::Attention,
        State::InSync => Tone::Good,
        State::Syncing => Tone::Bold,
        State::Paused | State::Pending | State::Stale => Tone::Dim,
    }
}

/// Returns what an exit code has to say of a repository, however old its truth is.
pub fn verdict_of(status: &IndexStatus, state: State) -> Verdict {
    Verdict {
        failed: is_down(state) || (status.repository.seen_at.is_none() && status.repository.paused_at.is_none()),
        damaged: status.damaged > 0,
        held: status.undecided > 0,
        problems: status.new_problems > 0,
        ..Verdict::default()
    }
}

fn is_down(state: State) -> bool {
    matches!(state, State::Failed | State::Missing)
}

fn check(context: &mut Context, args: &Status, statuses: &[Standing]) -> Result<Verdict> {
    let max_age = args.max_age.as_deref().map(parse_duration).transpose().map_err(CliError::Usage)?;
    let now = engine::now();
    let mut verdict = Verdict::default();
    let mut news = Vec::new();
    for standing in statuses {
        let (status, state) = (&standing.status, standing.state);
        let repository = &status.repository;
        let found = verdict_of(status, state);
        verdict = verdict.and(found);
        let mut say = |what: String| news.push(format!("{}: {what}", repository.name));
        if is_down(state) {
            let message = status.last_run.as_ref().and_then(|run| run.error_message.as_deref()).unwrap_or("");
            say(format!("{} ({message})", state.as_str()));
        }
        if found.damaged {
            say(plural(status.damaged as u64, "damaged file", "damaged files"));
        }
        if found.held {
            say(plural(status.undecided as u64, "removal held", "removals held"));
        }
        if found.problems {
            say(plural(status.new_problems as u64, "new problem", "new problems"));
        }
        let since_ms = standing.true_as_of().map(|at| now.since_ms(at));
        let is_paused = repository.paused_at.is_some();
        if found.failed && !is_down(state) && max_age.is_none() {
            say("never listed to its end".to_owned());
        }
        let comes = standing.true_as_of().is_some_and(|at| is_to_come(at, now));
        let is_over = |limit: std::time::Duration| {
            comes || since_ms.is_none_or(|since| u128::from(since.unsigned_abs()) > limit.as_millis())
        };
        if !is_paused && max_age.is_some_and(is_over) {
            verdict.failed = true;
            let since = since_ms.map(|ms| match comes {
                true => "compared at a time that is yet to come: the clock was set back; sync it".to_owned(),
                false => format!("true as of {} only", ago(ms)),
            });
            say(since.unwrap_or("never listed to its end".to_owned()));
        }
    }
    if context.out.json {
        show(context, statuses)?;
    } else if news.is_empty() {
        let repositories = plural(statuses.len() as u64, "repository", "repositories");
        context.out.line(&format!("ok: {repositories}, nothing failed, held, damaged or new"))?;
    } else {
        context.out.line(&news.join("; "))?;
    }
    Ok(verdict)
}
