//! `digest`: what has happened, in as few lines as that takes. For a mail: plain text, no colours, 80 columns.

use unicode_width::UnicodeWidthChar;

use super::Context;
use super::args::Digest;
use super::exit::{Result, Verdict};
use super::history::since;
use super::output::Output;
use super::status;
use crate::api::Standing;
use crate::domain::amount::{bytes, count, plural};
use crate::domain::moment::Timestamp;
use crate::domain::report::{Damage, DirectoryChanges, IndexStatus, Run};
use crate::domain::repository::State;
use crate::domain::run::Outcome;
use crate::domain::show::show_message;
use crate::index::{Reader, RunFilter};
use crate::wire::{DigestJson, DigestParts};

const COLUMNS: usize = 80;
/// Directories, problems, failed runs and damaged files that are named; the rest is counted.
const NAMED: usize = 10;

/// Runs `digest`; the exit code is that of `status --check`.
pub fn run(context: &mut Context, args: &Digest) -> Result<Verdict> {
    let from = since(&args.since)?;
    let statuses = status::read(context, None)?;
    let reader = context.places.reader()?;
    let mut verdict = Verdict::default();
    let mut quiet = (0, 0);
    let mut parts = Vec::new();
    for Standing { status: repository, state, .. } in statuses {
        let found = status::verdict_of(&repository, state);
        verdict = verdict.and(found);
        // There is no status without an index.
        let Some(reader) = &reader else { continue };
        let part = gather(reader, repository, state, from)?;
        if context.out.json {
            context.out.object(&DigestJson::new(&part, from))?;
        } else if found == Verdict::default() && is_quiet(&part) {
            quiet.0 += 1;
            quiet.1 += runs_of(&part);
            parts.push((part, true));
        } else {
            parts.push((part, false));
        }
    }
    if context.out.json {
        return Ok(verdict);
    }
    let moment = from.local();
    if parts.iter().all(|(_, is_quiet)| *is_quiet) {
        let runs = plural(quiet.1, "run", "runs");
        let repositories = plural(quiet.0, "repository", "repositories");
        context.out.line(&format!("nothing happened since {moment} ({runs}, {repositories})"))?;
        return Ok(verdict);
    }
    context.out.line(&format!("since {moment}"))?;
    for (part, is_quiet) in &parts {
        context.out.line("")?;
        tell(&mut context.out, part, *is_quiet)?;
    }
    Ok(verdict)
}

fn gather(reader: &Reader, status: IndexStatus, state: State, from: Timestamp) -> Result<DigestParts> {
    let id = status.repository.id;
    let mut runs: Vec<(Outcome, i64)> = Vec::new();
    for entry in reader.stats(Some(id), from)? {
        for (outcome, amount) in entry.by_outcome() {
            match runs.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, known)) => *known += amount,
                None => runs.push((outcome, amount)),
            }
        }
    }
    runs.sort_unstable_by_key(|(outcome, _)| *outcome);
    let failed = RunFilter {
        repository: Some(id),
        outcome: Some(Outcome::Failed),
        since: Some(from),
        limit: Some(NAMED as u64),
        ..RunFilter::default()
    };
    let mut new_problems = reader.problems(Some(id), false)?;
    new_problems.retain(|problem| problem.first_seen >= from);
    Ok(DigestParts {
        state,
        runs,
        failed_runs: reader.runs(&failed)?,
        changes: reader.changes_by_directory(id, from, NAMED)?,
        new_problems,
        damage: reader.damage(Some(id))?,
        status,
    })
}

/// Nothing but runs that completed.
fn is_quiet(part: &DigestParts) -> bool {
    let has_only_completed = part.runs.iter().all(|(outcome, _)| *outcome == Outcome::Completed);
    has_only_completed && part.changes.directories == 0 && part.new_problems.is_empty() && part.damage.is_empty()
}

fn runs_of(part: &DigestParts) -> u64 {
    part.runs.iter().map(|(_, runs)| runs.unsigned_abs()).sum()
}

fn tell(out: &mut Output, part: &DigestParts, is_quiet: bool) -> Result<()> {
    let repository = &part.status.repository;
    let files = plural(repository.total_files.unsigned_abs(), "file", "files");
    let head = format!(
        "{}: {}, {files}, {}",
        repository.name,
        status::word(part.state),
        bytes(repository.total_bytes.unsigned_abs())
    );
    say(out, 0, &if is_quiet { format!("{head}; nothing happened") } else { head })?;
    let by_outcome: Vec<String> = part
        .runs
        .iter()
        .map(|(outcome, runs)| format!("{} {}", count(runs.unsigned_abs()), outcome.as_str()))
        .collect();
    match by_outcome.is_empty() {
        true => say(out, 2, "no runs")?,
        false => say(out, 2, &format!("{}: {}", plural(runs_of(part), "run", "runs"), by_outcome.join(", ")))?,
    }
    tell_failures(out, part)?;
    tell_changes(out, part)?;
    let problems = part.new_problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
    let title = plural(part.new_problems.len() as u64, "new problem", "new problems");
    list(out, &title, problems, part.new_problems.len())?;
    let title = plural(part.damage.len() as u64, "damaged file", "damaged files");
    list(out, &title, part.damage.iter().map(damage_line), part.damage.len())?;
    if part.status.undecided > 0 {
        let removals = plural(part.status.undecided.unsigned_abs(), "removal is held", "removals are held");
        say(out, 2, &format!("{removals} and to be decided: watchkeeper held {}", repository.name))?;
    }
    Ok(())
}

fn tell_failures(out: &mut Output, part: &DigestParts) -> Result<()> {
    let line = |run: &Run| {
        let message = run.error_message.as_deref().or(run.error_class.as_deref()).unwrap_or("no message");
        format!("{} run {}, {}: {message}", run.kind.as_str(), run.number, run.started_at.local())
    };
    let failed = part.runs.iter().find(|(outcome, _)| *outcome == Outcome::Failed).map_or(0, |(_, runs)| *runs);
    list(out, "failed", part.failed_runs.iter().map(line), failed.unsigned_abs() as usize)
}

fn tell_changes(out: &mut Output, part: &DigestParts) -> Result<()> {
    let changes = &part.changes;
    let files = plural(changes.files.unsigned_abs(), "change", "changes");
    let directories = changes.directories.unsigned_abs();
    let title = format!("{files} in {}", plural(directories, "directory", "directories"));
    list_of(out, &title, changes.largest.iter().map(change_line), directories as usize, "more directories")
}

fn change_line(changes: &DirectoryChanges) -> String {
    let from = changes.moved_from.as_ref().map(|from| format!("{from}/ -> ")).unwrap_or_default();
    let files: Vec<String> = changes
        .files
        .iter()
        .map(|(verdict, files)| format!("{} {}", count(files.unsigned_abs()), verdict.as_str()))
        .collect();
    format!("{from}{}/  {}", changes.path, files.join(", "))
}

fn damage_line(damage: &Damage) -> String {
    match damage.good_copies.first() {
        Some(copy) => format!("{}, good copy: {} {}", damage.path, copy.repository, copy.path),
        None => format!("{}, no good copy in any repository", damage.path),
    }
}

fn list(out: &mut Output, title: &str, lines: impl Iterator<Item = String>, total: usize) -> Result<()> {
    list_of(out, title, lines, total, "more")
}

/// Prints a title and what belongs to it, at most [`NAMED`] lines; nothing when there are none.
fn list_of(out: &mut Output, title: &str, lines: impl Iterator<Item = String>, total: usize, more: &str) -> Result<()> {
    if total == 0 {
        return Ok(());
    }
    say(out, 2, &format!("{title}:"))?;
    for line in lines.take(NAMED) {
        say(out, 4, &line)?;
    }
    if total > NAMED {
        say(out, 4, &format!("... and {} {more}", count((total - NAMED) as u64)))?;
    }
    Ok(())
}

fn say(out: &mut Output, indent: usize, text: &str) -> Result<()> {
    for line in wrap(&show_message(text), indent) {
        out.line(&line)?;
    }
    Ok(())
}

/// Breaks a text into lines of at most 80 columns: after a blank, or in the middle of what is longer than a line.
///
/// Nothing is cut off: a path must stay what it is.
fn wrap(text: &str, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let (mut width, mut break_at) = (indent, None);
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if c == '\n' || width + columns > COLUMNS {
            let rest = break_at.filter(|_| c != '\n').map_or(String::new(), |at| line.split_off(at));
            lines.push(line.trim_end().to_owned());
            line = format!("{}{rest}", " ".repeat(indent + 2));
            width = indent + 2 + rest.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
            break_at = None;
            if c == '\n' {
                continue;
            }
        }
        line.push(c);
        width += columns;
        if c == ' ' && width > indent + 2 {
            break_at = Some(line.len());
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, indent: usize, expected: &[&str]) {
        assert_eq!(wrap(text, indent), expected, "{text:?}");
    }

    #[test]
    fn a_line_breaks_after_a_word_and_what_follows_is_set_in() {
        check("short", 4, &["    short"]);
        check("two\nlines", 2, &["  two", "    lines"]);
        let word = "x".repeat(40);
        check(&format!("{word} {word}"), 2, &[&format!("  {word}"), &format!("    {word}")]);
        check(&format!("a {word} {word}"), 0, &[&format!("a {word}"), &format!("  {word}")]);
    }

    #[test]
    fn a_path_that_is_longer_than_a_line_is_broken_and_not_cut() {
        let path = "ä".repeat(200);
        let lines = wrap(&path, 4);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS));
        assert_eq!(lines.iter().map(|line| line.trim_start()).collect::<String>(), path);
        let wide = "界".repeat(100);
        assert!(wrap(&wide, 4).iter().all(|line| line.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>() <= 80));
    }
}
