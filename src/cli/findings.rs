//! `changes`, `problems`, `damage`, `held`: what runs found, and what people decide about it.

use std::os::unix::ffi::OsStrExt;

use super::Context;
use super::args::{Changes, Damage, Held, Problems};
use super::exit::{CliError, Result, Verdict};
use super::follow;
use super::history::since;
use super::output::{Cell, Output, Tone};
use super::session::Session;
use crate::domain::amount::{bytes, count, plural};
use crate::domain::change::Verdict as Difference;
use crate::domain::guard::Reason;
use crate::domain::path::RelPath;
use crate::domain::problem::Class;
use crate::domain::report::{Held as HeldRow, StoredChange};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::show::show;
use crate::engine::protocol::{Answer, Command, SyncRequest};
use crate::index::{ChangeFilter, IndexError, Reader};
use crate::wire::{ChangeJson, DamageJson, HeldJson, ProblemJson};

fn id_of(reader: &Reader, name: Option<&str>) -> Result<Option<RepositoryId>> {
    Ok(name.map(|name| reader.repository(name)).transpose()?.map(|repository| repository.id))
}

/// Runs `changes`.
pub fn changes(context: &mut Context, args: &Changes) -> Result<Verdict> {
    let reader = context.places.existing_reader()?;
    let verdict = match args.verdict.as_deref() {
        Some(word) => Some(Difference::parse(word).ok_or_else(|| {
            let known = Difference::ALL.map(Difference::as_str).join(", ");
            CliError::Usage(format!("{} is none of {known}", show(word.as_bytes())))
        })?),
        None => None,
    };
    let filter = ChangeFilter {
        repository: id_of(&reader, args.name.as_deref())?,
        run: args.run.as_deref().map(|run| reader.run(run)).transpose()?.map(|run| run.number),
        since: args.since.as_deref().map(since).transpose()?,
        verdict,
        limit: None,
    };
    let mut stopped = None;
    let result = reader.for_each_change(&filter, |change| {
        let printed = match context.out.json {
            true => context.out.object(&ChangeJson::from(&change)),
            false => change_line(&mut context.out, &change),
        };
        printed.map_err(|error| {
            stopped = Some(error);
            IndexError::broken("standard output")
        })
    });
    match (stopped, result) {
        (Some(error), _) => Err(error),
        (None, result) => Ok(result.map(|()| Verdict::default())?),
    }
}

/// Prints one change on one line.
pub fn change_line(out: &mut Output, stored: &StoredChange) -> Result<()> {
    let change = &stored.change;
    let (sign, tone) = match change.verdict {
        Difference::Added => ("+", Tone::Good),
        Difference::Edited | Difference::Replaced => ("~", Tone::Plain),
        Difference::Touched => ("·", Tone::Dim),
        Difference::Moved => ("=", Tone::Plain),
        Difference::Removed => ("-", Tone::Attention),
        Difference::Damaged => ("!", Tone::Bad),
        Difference::Restored => ("✓", Tone::Good),
    };
    let slash = if change.directory_files.is_some() { "/" } else { "" };
    let path = format!("{}{slash}", show(change.path.as_bytes()));
    let path = match &change.old_path {
        Some(old) => format!("{}{slash} -> {path}", show(old.as_bytes())),
        None => path,
    };
    let size = match (change.old_size_bytes, change.new_size_bytes, change.directory_files) {
        (_, _, Some(files)) => plural(files.unsigned_abs(), "file", "files"),
        (Some(old), Some(new), _) if old != new => {
            format!("{} -> {}", bytes(old.unsigned_abs()), bytes(new.unsigned_abs()))
        }
        (old, new, _) => bytes(new.or(old).unwrap_or(0).unsigned_abs()),
    };
    let note = stored.note.as_deref().map(|note| format!("  ({note})")).unwrap_or_default();
    let word = out.tone(tone, &format!("{sign} {:<8}", change.verdict.as_str()));
    let place = out.tone(Tone::Dim, &format!("{}  {}", stored.at.local(), stored.repository));
    out.line(&format!("{place}  {word}  {path}  {size}{note}"))
}

/// Runs `problems`.
pub fn problems(context: &mut Context, args: &Problems) -> Result<Verdict> {
    if !args.ack.is_empty() {
        Session::with(context, false, |_, session| {
            session.send(Command::AcknowledgeProblems { problem_ids: args.ack.clone() })
        })?;
        context.out.message(&format!("{} acknowledged", plural(args.ack.len() as u64, "problem", "problems")));
        return Ok(Verdict::default());
    }
    let reader = context.places.existing_reader()?;
    let problems = reader.problems(id_of(&reader, args.name.as_deref())?, args.all)?;
    let mut verdict = Verdict::default();
    for problem in &problems {
        verdict.problems |= problem.closed_at.is_none() && problem.acknowledged_at.is_none();
        if context.out.json {
            context.out.object(&ProblemJson::from(problem))?;
        }
    }
    if context.out.json {
        return Ok(verdict);
    }
    if problems.is_empty() {
        context.out.message("no open problems");
    }
    let rows: Vec<Vec<Cell>> = problems
        .iter()
        .map(|problem| {
            let state = match (problem.closed_at, problem.acknowledged_at) {
                (Some(_), _) => Cell::toned(Tone::Dim, "closed"),
                (None, Some(_)) => Cell::toned(Tone::Dim, "known"),
                (None, None) => Cell::toned(Tone::Attention, "new"),
            };
            vec![
                problem.problem_id.to_string().into(),
                state,
                Cell::toned(Tone::Bold, problem.repository.clone()),
                problem.class.clone().into(),
                problem.last_seen.local().into(),
                count(problem.count.unsigned_abs()).into(),
                format!("{}: {}", problem.path, crate::domain::show::show_message(&problem.message)).into(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        context.out.table(&["id>", "state", "repository", "class", "last seen", "seen>", "what"], &rows)?;
        let mut hints: Vec<&str> =
            problems.iter().filter(|p| p.closed_at.is_none()).map(|p| p.class.as_str()).collect();
        hints.sort_unstable();
        hints.dedup();
        for class in hints.into_iter().filter_map(Class::parse) {
            context.out.message(&format!("{}: {}", class.as_str(), class.hint()));
        }
    }
    Ok(verdict)
}

/// Runs `damage`.
pub fn damage(context: &mut Context, args: &Damage) -> Result<Verdict> {
    let paths: std::result::Result<Vec<RelPath>, _> =
        args.paths.iter().map(|path| RelPath::parse(path.as_os_str().as_bytes())).collect();
    let paths = paths.map_err(|error| CliError::Usage(error.to_string()))?;
    if let Some(name) = args.name.as_ref().filter(|_| args.accept) {
        let accepted = match Session::with(context, false, |_, session| {
            session.send(Command::AcceptDamage { name: name.clone(), paths: paths.clone() })
        })? {
            Answer::Done { count } => count,
            _ => 0,
        };
        context.out.message(&format!("{}: the content of {} is accepted", name, plural(accepted, "file", "files")));
        return Ok(Verdict::default());
    }
    let reader = context.places.existing_reader()?;
    let mut damage = reader.damage(id_of(&reader, args.name.as_deref())?)?;
    damage.retain(|entry| paths.is_empty() || paths.iter().any(|path| path.covers(entry.path.as_bytes())));
    let verdict = Verdict { damaged: !damage.is_empty(), ..Verdict::default() };
    if damage.is_empty() {
        context.out.message("no open damage");
    }
    for entry in &damage {
        if context.out.json {
            context.out.object(&DamageJson::from(entry))?;
            continue;
        }
        let word = context.out.tone(Tone::Bad, "! damaged");
        context.out.line(&format!("{word}  {}  {}  found {}", entry.repository, entry.path, entry.found_at.local()))?;
        if entry.good_copies.is_empty() {
            context.out.line("    no good copy in any repository; look in your backups for the recorded content")?;
        }
        for copy in &entry.good_copies {
            let read = copy.verified_at.map(|at| format!(", read {}", at.local())).unwrap_or_default();
            context.out.line(&format!("    good copy: {}  {}{read}", copy.repository, copy.path))?;
        }
    }
    if !damage.is_empty() {
        context.out.message(
            "put the good content back and sync; or take what is there now: watchkeeper damage NAME PATH --accept",
        );
    }
    Ok(verdict)
}

/// Runs `held`.
pub fn held(context: &mut Context, args: &Held) -> Result<Verdict> {
    let names: Vec<String> = args.name.iter().cloned().collect();
    if args.dismiss {
        let dismissed = match Session::with(context, false, |_, session| {
            session.send(Command::DismissHeld { names: names.clone() })
        })? {
            Answer::Done { count } => count,
            _ => 0,
        };
        context.out.message(&format!("{} dismissed; the records stay", plural(dismissed, "hold", "holds")));
        return Ok(Verdict::default());
    }
    if args.accept {
        return accept_held(context, names);
    }
    let reader = context.places.existing_reader()?;
    let held = reader.held(id_of(&reader, args.name.as_deref())?)?;
    let verdict = Verdict { held: held.iter().any(|entry| entry.dismissed_at.is_none()), ..Verdict::default() };
    if context.out.json {
        for entry in &held {
            context.out.object(&HeldJson::from(entry))?;
        }
        return Ok(verdict);
    }
    if held.is_empty() {
        context.out.message("nothing is held");
    }
    show_held(&mut context.out, &held)?;
    if verdict.held {
        context
            .out
            .message("--accept looks again and removes from the index what is still gone; --dismiss keeps the records");
    }
    Ok(verdict)
}

fn accept_held(context: &mut Context, mut names: Vec<String>) -> Result<Verdict> {
    if names.is_empty() {
        // Only those that hold something: an accepting cleanup of another one would accept what nobody has seen.
        let held = context.places.existing_reader()?.held(None)?;
        names = held.into_iter().map(|entry| entry.repository).collect();
        names.dedup();
        if names.is_empty() {
            context.out.message("nothing is held");
            return Ok(Verdict::default());
        }
    }
    let request = SyncRequest { accept_removals: true, ..SyncRequest::new(names, Kind::Cleanup, Trigger::User) };
    let counts_ahead = context.out.shows_progress;
    Session::with(context, counts_ahead, |context, session| follow::sync(context, session, request.clone()))
}

/// Prints what is held, grouped by directory.
fn show_held(out: &mut Output, held: &[HeldRow]) -> Result<()> {
    let mut groups: Vec<(String, Vec<&HeldRow>)> = Vec::new();
    for entry in held {
        let place = match (entry.is_directory, entry.path.split()) {
            (false, Some((directory, _))) => directory.to_string(),
            _ => entry.path.to_string(),
        };
        match groups.last_mut().filter(|(known, rows)| *known == place && rows[0].repository == entry.repository) {
            Some((_, rows)) => rows.push(entry),
            None => groups.push((place, vec![entry])),
        }
    }
    for (place, rows) in groups {
        let files: i64 = rows.iter().map(|row| row.files).sum();
        let size: i64 = rows.iter().map(|row| row.bytes).sum();
        let reason = rows[0].reason.map_or("unknown", Reason::sentence);
        let dismissed = if rows.iter().all(|row| row.dismissed_at.is_some()) { ", dismissed" } else { "" };
        let word = out.tone(Tone::Attention, "# held");
        out.line(&format!(
            "{word}  {}  {place}/  {}, {}: {reason}, since {}{dismissed}",
            rows[0].repository,
            plural(files.unsigned_abs(), "file", "files"),
            bytes(size.unsigned_abs()),
            rows[0].since.local()
        ))?;
    }
    Ok(())
}
