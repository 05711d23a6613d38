//! `sync` and `cancel`.

use std::os::unix::ffi::OsStrExt;

use super::Context;
use super::args::{Cancel, KindChoice, Sync};
use super::exit::{CliError, Result, Verdict};
use super::follow::{self, Interrupt};
use super::session::Session;
use crate::domain::amount::{parse_bytes, parse_duration, plural};
use crate::domain::date_pattern::days;
use crate::domain::path::RelPath;
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::engine::protocol::{Answer, Command, PLAN_CHANGES, Plan, SyncRequest};
use crate::wire::{ChangeJson, QueuedJson};

/// Runs `sync`.
pub fn run(context: &mut Context, args: &Sync) -> Result<Verdict> {
    let request = request(context, args)?;
    let counts_ahead = context.out.shows_progress;
    Session::with(context, counts_ahead, |context, session| {
        let request = request.clone();
        match (args.plan, args.no_wait, session.is_attached()) {
            (true, ..) => plan(context, session, request),
            (false, true, true) => enqueue(context, session, request),
            (false, false, true) if !args.cancel_on_interrupt => follow::sync(context, session, request),
            (false, no_wait, is_attached) => {
                if no_wait && !is_attached {
                    context.out.message("no engine is running that could go on with it: waiting for the end");
                }
                follow::sync_until(context, session, request, Interrupt::Cancels)
            }
        }
    })
}

/// Hands a sync to the running engine and says which runs it became.
fn enqueue(context: &mut Context, session: &Session, request: SyncRequest) -> Result<Verdict> {
    let Answer::Accepted(runs) = session.send(Command::Sync(Box::new(request)))? else {
        return Err(CliError::failed("the engine gave an unexpected answer; this is a bug"));
    };
    for run in &runs {
        if context.out.json {
            context.out.object(&QueuedJson::from(run))?;
            continue;
        }
        let how = if run.joined { "joined one that was asked for before" } else { "queued" };
        context.out.line(&format!("{}: {} sync {how}, run {}", run.repository, run.kind.as_str(), run.run_id))?;
    }
    Ok(Verdict::default())
}

fn request(context: &Context, args: &Sync) -> Result<SyncRequest> {
    let usage = CliError::Usage;
    let kind = match args.kind {
        KindChoice::Full => Kind::Full,
        KindChoice::Incremental => Kind::Incremental,
        KindChoice::Verify => Kind::Verify,
        KindChoice::Cleanup => Kind::Cleanup,
    };
    let mut paths = Vec::new();
    for path in &args.path {
        paths.push(RelPath::parse(path.as_os_str().as_bytes()).map_err(|error| usage(error.to_string()))?);
    }
    let is_dated = args.date.is_some() || args.from.is_some();
    if is_dated {
        paths.extend(paths_of_days(context, args)?);
    }
    let is_single = is_dated || !paths.is_empty() || args.problems;
    if args.problems && !paths.is_empty() {
        return Err(usage("--problems stands alone, without --path or --date".to_owned()));
    }
    if kind != Kind::Verify && (args.max_bytes.is_some() || args.max_time.is_some()) {
        return Err(usage("--max-bytes and --max-time are the budget of --kind verify".to_owned()));
    }
    if kind != Kind::Incremental && args.since.is_some() {
        return Err(usage("--since widens --kind incremental".to_owned()));
    }
    let time = |text: &Option<String>| text.as_deref().map(parse_duration).transpose().map_err(usage);
    Ok(SyncRequest {
        paths,
        only_problems: args.problems,
        accept_removals: args.accept_removals,
        plan: args.plan,
        max_bytes: args.max_bytes.as_deref().map(parse_bytes).transpose().map_err(usage)?,
        max_time: time(&args.max_time)?,
        window: time(&args.since)?,
        note: args.note.clone(),
        ..SyncRequest::new(args.names.clone(), if is_single { Kind::Single } else { kind }, Trigger::User)
    })
}

/// Returns the paths of the days that were asked for, by the repositories' date patterns.
fn paths_of_days(context: &Context, args: &Sync) -> Result<Vec<RelPath>> {
    let (Some(from), Some(to)) = (args.date.or(args.from), args.date.or(args.to)) else {
        return Err(CliError::Usage("--from goes with --to".to_owned()));
    };
    if from > to {
        return Err(CliError::Usage(format!("--from {from} is after --to {to}")));
    }
    let reader = context.places.existing_reader()?;
    let [name] = args.names.as_slice() else {
        return Err(CliError::Usage("--date and --from need the name of one repository".to_owned()));
    };
    let repository = reader.repository(name)?;
    let Some(pattern) = &repository.settings.date_pattern else {
        return Err(CliError::Failed {
            message: format!("{name} has no date pattern"),
            hint: Some(format!("set one: watchkeeper repo set {name} date_pattern=%Y/%m/%d.md")),
        });
    };
    Ok(days(from, to).filter_map(|day| pattern.path_of(day)).collect())
}

fn plan(context: &mut Context, session: &Session, request: SyncRequest) -> Result<Verdict> {
    let planned = session.send(Command::Sync(Box::new(request))).map_err(|error| match error {
        // Someone has cancelled it, and would not want it to begin again.
        CliError::Unavailable(message) => CliError::failed(message),
        error => error,
    });
    let plans = match planned? {
        Answer::Planned(plans) => plans,
        _ => Vec::new(),
    };
    let mut verdict = Verdict::default();
    for plan in &plans {
        show_plan(context, plan)?;
        verdict.failed |= matches!(plan.run.outcome, Some(Outcome::Failed | Outcome::Cancelled));
        verdict.held |= plan.run.outcome == Some(Outcome::Held);
    }
    Ok(verdict)
}

fn show_plan(context: &mut Context, plan: &Plan) -> Result<()> {
    for change in &plan.changes {
        match context.out.json {
            true => context.out.object(&ChangeJson::from(change))?,
            false => super::findings::change_line(&mut context.out, change)?,
        }
    }
    let shown = plan.changes.len() as u64;
    if shown >= PLAN_CHANGES {
        context.out.message(&format!("only the first {} are shown", plural(shown, "change", "changes")));
    }
    let mut lines = follow::describe(&plan.run, 0);
    if let Some(first) = lines.first_mut() {
        *first = first.replace(&format!(" (run {})", plan.run.number), "; planned, nothing was written");
    }
    for line in lines {
        context.out.message(&line);
    }
    if let Some(message) = &plan.run.error_message {
        context.out.message(&format!("{}: {message}", plan.run.repository));
    }
    Ok(())
}

/// Runs `cancel`.
///
/// # Errors
/// When nothing runs or waits that could be cancelled, or the running engine cannot be reached.
pub fn cancel(context: &mut Context, args: &Cancel) -> Result<Verdict> {
    let Some(session) = Session::attach(context)? else {
        return Err(CliError::failed("no engine is running: nothing to cancel"));
    };
    let answer = session.send(Command::Cancel { names: args.names.clone(), run: args.run.clone() });
    session.end(context);
    match answer? {
        Answer::Done { count: 0 } => Err(CliError::failed("nothing of this runs or waits: nothing to cancel")),
        Answer::Done { count } => {
            context.out.message(&format!("{} cancelled; what was committed stays", plural(count, "run", "runs")));
            Ok(Verdict::default())
        }
        _ => Ok(Verdict::default()),
    }
}
