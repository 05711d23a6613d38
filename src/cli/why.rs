//! `why`: what decided one record.

use std::os::unix::ffi::OsStrExt;

use super::Context;
use super::args::Why as Args;
use super::exit::{CliError, Result, Verdict};
use crate::domain::amount::bytes;
use crate::domain::moment::rfc3339_nanos;
use crate::domain::path::RelPath;
use crate::domain::report::{FileEntry, Repository, Run};
use crate::domain::run::Outcome;
use crate::engine::why::{Why, why};
use crate::wire::{ChangeJson, FileJson, ProblemJson, RunJson, WhyJson};

/// Runs `why`.
pub fn run(context: &mut Context, args: &Args) -> Result<Verdict> {
    let path = RelPath::parse(args.path.as_os_str().as_bytes()).map_err(|error| CliError::Usage(error.to_string()))?;
    let reader = context.places.existing_reader()?;
    let repository = reader.repository(&args.name)?;
    let Why { record, left_out_by, written_by, changes, problem, damage } = why(&reader, &repository, &path)?;
    let rule = left_out_by.map_err(CliError::failed)?;
    let run = written_by.as_ref().and_then(|(_, run)| run.as_ref());
    let last_change = changes.first();
    if context.out.json {
        context.out.object(&WhyJson {
            repository: repository.name.clone(),
            path: path.to_string(),
            left_out_by: rule,
            record: record.as_ref().map(|entry| FileJson::new(&repository.name, entry)),
            run: run.map(RunJson::new),
            last_change: last_change.map(ChangeJson::from),
            problem: problem.as_ref().map(ProblemJson::from),
        })?;
        return Ok(Verdict::default());
    }
    let mut lines: Vec<(&str, String)> = Vec::new();
    match &record {
        Some(entry) => record_lines(&mut lines, &repository, entry),
        None => lines.push(("record", "none: it is not in the index".to_owned())),
    }
    lines.push(("rule", rule.map_or("no rule leaves it out".to_owned(), |rule| format!("left out: {rule}"))));
    lines.extend(written_by.iter().map(|(number, run)| ("written by", writer(*number, run.as_ref()))));
    match last_change {
        Some(change) => {
            let note = change.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            let verdict = change.change.verdict.as_str();
            lines.push(("last change", format!("{verdict}, {}{note}", change.at.local())));
        }
        None => lines.push(("last change", "none since the first full sync".to_owned())),
    }
    if let Some(problem) = problem {
        lines.push(("problem", format!("{}: {}, seen {} times", problem.class, problem.message, problem.count)));
    }
    if let Some(damage) = damage {
        let found: String = damage.found_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(("damaged", format!("content found {}: {found}", damage.found_at.local())));
    }
    for (label, value) in lines {
        context.out.line(&format!("{label:<12} {}", crate::domain::show::show_message(&value)))?;
    }
    Ok(Verdict::default())
}

fn writer(number: i64, run: Option<&Run>) -> String {
    let Some(run) = run else {
        return format!("run {number}, which the history keeps no more or has folded into another");
    };
    let outcome = run.outcome.map_or("running", Outcome::as_str);
    let (kind, trigger, began) = (run.kind.as_str(), &run.trigger, run.started_at.local());
    format!("run {number}, {kind} asked for by {trigger}, {outcome}, {began}")
}

fn record_lines(lines: &mut Vec<(&str, String)>, repository: &Repository, entry: &FileEntry) {
    let sum = entry.sha256.map_or("none".to_owned(), |sum| sum.iter().map(|byte| format!("{byte:02x}")).collect());
    lines.push(("path", entry.path.to_string()));
    lines
        .push(("size", format!("{} ({} bytes)", bytes(entry.stamp.size_bytes.unsigned_abs()), entry.stamp.size_bytes)));
    lines.push(("modified", rfc3339_nanos(entry.stamp.mtime_ns)));
    lines.push(("sha256", sum));
    lines.push(("read", entry.verified_at.map_or("never".to_owned(), |at| at.local())));
    lines.push(("in step", format!("as of {}", entry.last_scanned.local())));
    lines.push(("recorded", entry.created_at.local()));
    if entry.is_held {
        let name = &repository.name;
        lines.push(("held", format!("its removal waits for a decision; see `watchkeeper held {name}`")));
    }
}
