//! `history`: the runs, or all of one run.

use super::Context;
use super::args::History;
use super::exit::{CliError, Result, Verdict};
use super::follow::tone_of;
use super::output::{Cell, Tone};
use crate::domain::amount::{bytes, count, parse_duration, took};
use crate::domain::moment::Timestamp;
use crate::domain::report::Run;
use crate::domain::run::{Kind, Outcome};
use crate::engine;
use crate::index::{Reader, RunFilter};
use crate::wire::RunJson;

/// Runs `history`.
pub fn run(context: &mut Context, args: &History) -> Result<Verdict> {
    let reader = context.places.existing_reader()?;
    let repository = match args.what.as_deref() {
        Some(what) if is_run(&reader, what)? => {
            one(context, &reader, &reader.run(what)?, args.log)?;
            return Ok(Verdict::default());
        }
        Some(name) => Some(reader.repository(name)?.id),
        None => None,
    };
    if args.log {
        return Err(CliError::Usage("--log needs a run: watchkeeper history RUN --log".to_owned()));
    }
    let word = |given: &Option<String>, known: &str, is_known: bool| match given {
        Some(given) if !is_known => {
            let shown = crate::domain::show::show(given.as_bytes());
            Err(CliError::Usage(format!("{shown} is none of {known}")))
        }
        _ => Ok(()),
    };
    let kind = args.kind.as_deref().and_then(Kind::parse);
    let outcome = args.outcome.as_deref().and_then(Outcome::parse);
    word(&args.kind, &Kind::ALL.map(Kind::as_str).join(", "), kind.is_some())?;
    word(&args.outcome, &Outcome::ALL.map(Outcome::as_str).join(", "), outcome.is_some())?;
    let runs = reader.runs(&RunFilter {
        repository,
        kind,
        outcome,
        since: args.since.as_deref().map(since).transpose()?,
        before: None,
        limit: Some(args.limit),
    })?;
    if context.out.json {
        for run in &runs {
            context.out.object(&RunJson::new(run))?;
        }
    } else if runs.is_empty() {
        context.out.message("no runs yet");
    } else {
        table(context, &runs)?;
    }
    Ok(Verdict::default())
}

/// Turns `7d` into the moment so long ago; `yesterday`, `today` and `2026-11-01` into the start of that day.
pub fn since(text: &str) -> Result<Timestamp> {
    let today = engine::now().local_midnight();
    match text {
        "today" => return Ok(today),
        // The day before has 23 to 25 hours; a moment before midnight lies in it.
        "yesterday" => return Ok(Timestamp(today.0 - 1).local_midnight()),
        _ => {}
    }
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        return Ok(Timestamp::of_local_day(date));
    }
    let length = parse_duration(text)
        .map_err(|error| CliError::Usage(format!("{error}; or yesterday, today, or a day like 2026-11-01")))?;
    let milliseconds = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Ok(Timestamp(engine::now().0.saturating_sub(milliseconds)))
}

/// A number is a run. An id is one unless a repository has that name.
fn is_run(reader: &Reader, what: &str) -> Result<bool> {
    let names_repository = reader.repositories()?.iter().any(|repository| repository.name == what);
    let looks_like_id = what.len() == 26 && what.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_number = what.replace(',', "").parse::<i64>().is_ok();
    Ok(!names_repository && (is_number || looks_like_id))
}

fn table(context: &mut Context, runs: &[Run]) -> Result<()> {
    let number = |amount: i64| match amount {
        0 => Cell::toned(Tone::Dim, "0"),
        amount => count(amount.unsigned_abs()).into(),
    };
    let rows: Vec<Vec<Cell>> = runs
        .iter()
        .map(|run| {
            let tally = &run.tally;
            vec![
                run.number.to_string().into(),
                run.started_at.local().into(),
                Cell::toned(Tone::Bold, run.repository.clone()),
                kind_of(run).into(),
                run.trigger.clone().into(),
                Cell::toned(tone_of(run.outcome), outcome_of(run)),
                number(tally.scanned),
                number(tally.added),
                number(tally.updated),
                number(tally.moved),
                number(tally.removed),
                number(tally.problems),
                run.duration_ms.map_or("-".to_owned(), |ms| took(ms.unsigned_abs())).into(),
            ]
        })
        .collect();
    let columns = [
        "run>",
        "began",
        "repository",
        "kind",
        "trigger",
        "outcome",
        "files>",
        "added>",
        "updated>",
        "moved>",
        "removed>",
        "problems>",
        "took>",
    ];
    context.out.table(&columns, &rows)
}

/// The kind, and how many runs the row stands for.
fn kind_of(run: &Run) -> String {
    match run.folded {
        ..=1 => run.kind.as_str().to_owned(),
        runs => format!("{} x{}", run.kind.as_str(), count(runs.unsigned_abs())),
    }
}

fn outcome_of(run: &Run) -> String {
    match (run.folded, run.attempt, run.outcome) {
        (2.., _, _) => "found nothing".to_owned(),
        (_, _, None) => "running".to_owned(),
        (_, ..=1, Some(outcome)) => outcome.as_str().to_owned(),
        (_, attempt, Some(outcome)) => format!("{}, attempt {attempt}", outcome.as_str()),
    }
}

/// Returns the id of the verify that a run goes on with.
fn continued(run: &Run) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(run.metadata.as_deref()?).ok()?;
    metadata["continues"].as_str().map(str::to_owned)
}

fn one(context: &mut Context, reader: &Reader, run: &Run, with_log: bool) -> Result<()> {
    let log = reader.run_log(run.number)?;
    if context.out.json {
        let json = RunJson::new(run);
        return context.out.object(&if with_log { json.with_log(&log) } else { json });
    }
    let tally = &run.tally;
    let took_ms = run.duration_ms.map(i64::unsigned_abs);
    let mut lines = vec![
        ("run", format!("{} ({})", run.number, run.run_id)),
        ("repository", run.repository.clone()),
        ("kind", format!("{}, asked for by {}", kind_of(run), run.trigger)),
        ("outcome", outcome_of(run)),
        ("began", run.started_at.local()),
        ("took", took_ms.map_or("unknown".to_owned(), took)),
        ("looked at", format!("{} files in {} directories", count(tally.scanned.unsigned_abs()), tally.directories)),
        ("read", bytes(tally.bytes_hashed.unsigned_abs())),
        (
            "found",
            format!(
                "{} added, {} updated, {} moved, {} removed, {} damaged",
                tally.added, tally.updated, tally.moved, tally.removed, tally.damaged
            ),
        ),
        ("problems", tally.problems.to_string()),
        ("instance", run.instance.clone()),
    ];
    if run.folded > 1 {
        lines.push(("stands for", format!("{} runs of this day that found nothing; sums of all", run.folded)));
    }
    if let Some(id) = &run.retry_of {
        // The run that failed first may be too old to be kept.
        let before = reader.run(id).map_or_else(|_| id.clone(), |before| before.number.to_string());
        lines.push(("tries again", format!("run {before}")));
    }
    if let Some(id) = continued(run) {
        let before = reader.run(&id).map_or_else(|_| id.clone(), |before| before.number.to_string());
        lines.push(("goes on", format!("where run {before} gave way")));
    }
    if let Some(message) = &run.error_message {
        let class = run.error_class.as_deref().map(|class| format!(" ({class})")).unwrap_or_default();
        // A run that was held or gave way says so, and is no error.
        let label = if run.error_class.is_some() { "error" } else { "message" };
        lines.push((label, format!("{message}{class}")));
    }
    for (label, value) in lines {
        context.out.line(&format!("{label:<12} {}", crate::domain::show::show_message(&value)))?;
    }
    let by_verdict = reader.changes_by_verdict(run.number)?;
    if !by_verdict.is_empty() {
        let parts: Vec<String> =
            by_verdict.iter().map(|(verdict, amount)| format!("{amount} {}", verdict.as_str())).collect();
        context.out.line(&format!("{:<12} {}", "changes", parts.join(", ")))?;
    }
    if with_log {
        for line in &log {
            context.out.line(&format!("{}  {}", line.at.local(), crate::domain::show::show_message(&line.message)))?;
        }
    }
    Ok(())
}
