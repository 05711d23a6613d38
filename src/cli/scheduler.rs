//! `scheduler`: what the schedule of a running engine is and does; start, stop and change it.

use super::Context;
use super::args::Scheduler;
use super::exit::{CliError, Result, Verdict};
use super::output::{Cell, Tone};
use super::session::Session;
use crate::domain::amount::{count, plural};
use crate::domain::show::show;
use crate::engine::protocol::{Command, SchedulerCommand, SchedulerStatus};
use crate::wire::SchedulerJson;

/// Runs a `scheduler` command.
pub fn run(context: &mut Context, command: Scheduler) -> Result<Verdict> {
    let (command, said) = match command {
        Scheduler::Status => return status(context),
        Scheduler::Start => (SchedulerCommand::Start, "the schedule runs"),
        Scheduler::Stop => (SchedulerCommand::Stop, "the schedule is stopped; what runs goes on"),
        Scheduler::Set { settings } => (SchedulerCommand::Set(changes(&settings)?), "the schedule is changed"),
    };
    let is_attached = Session::with(context, false, |_, session| {
        session.send(Command::Scheduler(command.clone())).map(|_done| session.is_attached())
    })?;
    context.out.message(match is_attached {
        true => said,
        false => "kept for the next engine that runs: `watchkeeper daemon`, or the screen",
    });
    Ok(Verdict::default())
}

fn changes(settings: &[String]) -> Result<Vec<(String, String)>> {
    let split = |setting: &String| match setting.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(CliError::Usage(format!("{} must be KEY=VALUE", show(setting.as_bytes())))),
    };
    settings.iter().map(split).collect()
}

fn status(context: &mut Context) -> Result<Verdict> {
    let none = || CliError::Failed {
        message: "no engine is running: nothing is scheduled".to_owned(),
        hint: Some("start one: `watchkeeper daemon`, or the screen with `watchkeeper`".to_owned()),
    };
    let session = Session::attach(context)?.ok_or_else(none)?;
    let snapshot = session.runtime.block_on(session.handle().snapshot());
    session.end(context);
    let status = snapshot.ok_or_else(none)?.scheduler;
    match context.out.json {
        true => context.out.object(&SchedulerJson::from(&status))?,
        false => show_status(context, &status)?,
    }
    Ok(Verdict::default())
}

fn show_status(context: &mut Context, status: &SchedulerStatus) -> Result<()> {
    let out = &mut context.out;
    let word = match status.running {
        true => out.tone(Tone::Good, "running"),
        false => out.tone(Tone::Attention, "stopped"),
    };
    let (started, skipped) = (plural(status.runs_started, "run", "runs"), count(status.runs_skipped));
    out.line(&format!("{word}, {started} started and {skipped} skipped since the engine began"))?;
    for (key, value) in &status.settings {
        out.line(&format!("{key:<18} {}", if value.is_empty() { "-" } else { value }))?;
    }
    if status.next.is_empty() {
        out.message("no run is due");
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = status
        .next
        .iter()
        .map(|run| {
            vec![run.at.local().into(), Cell::toned(Tone::Bold, run.repository.clone()), run.kind.as_str().into()]
        })
        .collect();
    out.table(&["next", "repository", "kind"], &rows)
}
