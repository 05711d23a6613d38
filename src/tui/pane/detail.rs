//! One run or one problem in full: nothing is cut, long messages wrap, the rest scrolls.
//!
//! ```text
//!   Run        4,179     # held     full · startup
//!   Error      ✗ mount_missing
//!              /srv/backup/b is no mount point any more
//!   Hint       mount it again; if it is gone for good: ...
//!   Started    2026-11-20 11:24:02, 3 h ago, took 3.1 s
//!   Looked at  88,204 files in 1,204 directories, read 0 B
//!   Counted    12,431 removed
//!   Changes    12,431 removed
//!
//!   Log
//!   11:24:02   ...
//! ```

mod linked;

use ratatui::text::Line;

use super::super::event::RunRows;
use super::super::paint::{self, piece};
use super::super::state::{Detail, State};
use super::super::text::unsigned;
use super::super::theme::Tone;
use super::super::trouble::{Trouble, class_hint};
use super::{compare, problems};
use crate::domain::amount::{self, ago};
use crate::domain::report::{Damage, Run};
use crate::domain::show::show_message;
use crate::index::Sort;

/// Returns the lines of what is open; none while it is read.
pub fn lines(state: &State, detail: &Detail, room: usize) -> Vec<Line<'static>> {
    match detail {
        Detail::Run { rows: None, .. } => Vec::new(),
        Detail::File { rows: None, .. } => Vec::new(),
        Detail::File { rows: Some(rows), .. } => super::files::lines(state, rows, room),
        Detail::Run { rows: Some(rows), .. } => run_lines(state, rows, room),
        Detail::Compare { older, newer } => compare::lines(state, *older, *newer, room),
        Detail::Trouble(key) => {
            let rows = problems::listed(state);
            let found = rows.iter().find(|trouble| trouble.key() == *key);
            found.map_or_else(Vec::new, |trouble| trouble_lines(state, trouble, room))
        }
    }
}

fn run_lines(state: &State, rows: &RunRows, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let heading = |title: &str| [Line::default(), paint::line(theme, [piece(format!("  {title}"), Tone::Dim)])];
    let mut lines = vec![title(state, &rows.run, room)];
    lines.extend(error_lines(state, &rows.run, room));
    lines.extend(facts(state, rows, room));
    if !rows.causes.is_empty() {
        lines.extend(heading("Problems that it met last"));
        for trouble in rows.causes.iter().map(Trouble::Cause) {
            lines.push(problems::line(state, &trouble, room));
            for words in [&*show_message(&trouble.message()), trouble.hint()] {
                lines.extend(paint::long_fact(theme, "", words, Tone::Dim, room));
            }
        }
    }
    if !rows.changes.is_empty() {
        lines.extend(heading("Changed, by verdict"));
        lines.extend(linked::change_lines(state, rows, room));
    }
    if !rows.log.is_empty() {
        lines.extend(heading("Log"));
        for line in &rows.log {
            let at = state.zone.exact(line.at);
            let time = at.split(' ').next_back().unwrap_or_default().to_owned();
            lines.extend(paint::long_fact(theme, &time, &show_message(&line.message), Tone::Plain, room));
        }
    }
    lines
}

fn title(state: &State, run: &Run, room: usize) -> Line<'static> {
    let theme = &state.theme;
    let (sign, word, tone) = theme.outcome(run.outcome);
    let what = format!("   {} {} {}", run.kind.as_str(), theme.signs.dot, run.trigger);
    let number = format!("{}   ", amount::count(unsigned(run.number)));
    let pieces = [piece(number, Tone::Strong), piece(format!("{sign} {word}"), tone), piece(what, Tone::Plain)];
    paint::fact(theme, "Run", pieces, room)
}

fn facts(state: &State, rows: &RunRows, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let run = &rows.run;
    let mut lines = Vec::new();
    let mut say = |label, words: String| lines.extend(paint::long_fact(theme, label, &words, Tone::Plain, room));
    let took = match (run.outcome, run.duration_ms) {
        (_, Some(took)) => format!(", took {}", amount::took(unsigned(took))),
        (None, None) => String::new(),
        (Some(_), None) => ", nobody knows how long".to_owned(),
    };
    let started = ago(state.now.wall.since_ms(run.started_at));
    say("Started", format!("{}, {started}{took}", state.zone.exact(run.started_at)));
    let tally = &run.tally;
    let files = amount::plural(unsigned(tally.scanned), "file", "files");
    let directories = amount::plural(unsigned(tally.directories), "directory", "directories");
    say("Looked at", format!("{files} in {directories}, read {}", amount::bytes(unsigned(tally.bytes_hashed))));
    let counts = [
        (tally.added, "added"),
        (tally.updated, "changed"),
        (tally.removed, "removed"),
        (tally.moved, "moved"),
        (tally.damaged, "damaged"),
        (tally.problems, if tally.problems == 1 { "problem" } else { "problems" }),
    ];
    say("Counted", list(counts.iter().map(|(count, word)| (*count, *word)), "nothing new"));
    say("Changes", list(rows.verdicts.iter().map(|(verdict, count)| (*count, verdict.as_str())), "none recorded"));
    for (label, words) in linked::facts(state, rows) {
        say(label, words);
    }
    say("Run id", run.run_id.clone());
    lines
}

/// Returns `3 added, 1 moved`: what is not zero, or `none`.
fn list<'a>(counts: impl Iterator<Item = (i64, &'a str)>, none: &str) -> String {
    let words: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", amount::count(unsigned(count))))
        .collect();
    if words.is_empty() { none.to_owned() } else { words.join(", ") }
}

fn error_lines(state: &State, run: &Run, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    if run.error_class.is_none() && run.error_message.is_none() {
        return Vec::new();
    }
    let class = run.error_class.as_deref().unwrap_or_default();
    let message = show_message(run.error_message.as_deref().unwrap_or("no message was recorded"));
    let mut lines = Vec::new();
    if !class.is_empty() {
        let words = format!("{} {}", theme.signs.failed, show_message(class));
        lines.push(paint::fact(theme, "Error", [piece(words, Tone::Bad)], room));
    }
    lines.extend(paint::long_fact(theme, if class.is_empty() { "Message" } else { "" }, &message, Tone::Plain, room));
    let hint = class_hint(class);
    if !hint.is_empty() {
        lines.extend(paint::long_fact(theme, "Hint", hint, Tone::Plain, room));
    }
    lines
}

/// Returns one cause, problem, held removal or damaged file in full.
pub fn trouble_lines(state: &State, trouble: &Trouble<'_>, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let when = |at| format!("{}, {}", state.zone.exact(at), ago(state.now.wall.since_ms(at)));
    let mut lines = Vec::new();
    let mut say = |label, words: &str| lines.extend(paint::long_fact(theme, label, words, Tone::Plain, room));
    let paths = match trouble.paths() {
        1 => String::new(),
        paths => format!(": {} paths in it or below", amount::count(paths)),
    };
    say("Where", &format!("{}{paths}", trouble.path()));
    say("What", &show_message(&trouble.message()));
    say("Hint", trouble.hint());
    let (count, acknowledged_at) = match trouble {
        Trouble::Cause(cause) if cause.key.sort == Sort::Problem => (cause.count, None),
        Trouble::Problem(problem) => (problem.count, problem.acknowledged_at),
        Trouble::Cause(_) | Trouble::Damaged(_) | Trouble::Held(_) => (0, None),
    };
    say("Since", &when(trouble.since()));
    if count > 0 {
        let times = amount::plural(unsigned(count), "time", "times");
        say("Seen", &format!("{times}, last {}", when(trouble.last_seen())));
    }
    if let Some(at) = acknowledged_at {
        say("Known", &when(at));
    }
    if let Trouble::Held(held) = trouble {
        say("Held by", &format!("run {}", held.run_id));
    }
    if let Trouble::Damaged(damage) = trouble {
        lines.extend(damage_lines(state, damage, room));
    }
    lines
}

/// Says what the content was and is, and where a good copy stands.
fn damage_lines(state: &State, damage: &Damage, room: usize) -> Vec<Line<'static>> {
    /// More than these are all alike.
    const COPIES: usize = 20;
    let mut lines = Vec::new();
    let mut say = |label: &str, words: &str, tone| {
        lines.extend(paint::long_fact(&state.theme, label, words, tone, room));
    };
    let hex = |sum: &[u8]| sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    say("Recorded", &damage.recorded_sha256.map_or_else(|| "nothing".to_owned(), |sum| hex(&sum)), Tone::Plain);
    say("Found", &hex(&damage.found_sha256), Tone::Bad);
    let open = state.problems.open.as_ref().and_then(|open| open.damaged.as_ref());
    let Some(looked) = open.filter(|looked| looked.path == damage.path) else {
        say("Good copy", "enter looks for one", Tone::Dim);
        return lines;
    };
    if looked.good_copies.is_empty() {
        say("Good copy", "in no repository; look for the recorded content in your backups", Tone::Plain);
    }
    for (at, copy) in looked.good_copies.iter().take(COPIES).enumerate() {
        let read = copy
            .verified_at
            .map_or_else(|| "not read since".to_owned(), |read| format!("read {}", ago(state.now.wall.since_ms(read))));
        let label = if at == 0 { "Good copy" } else { "" };
        say(label, &format!("{} in {}, {read}", copy.path, show_message(&copy.repository)), Tone::Plain);
    }
    if let Some(more @ 1..) = looked.good_copies.len().checked_sub(COPIES) {
        say("", &format!("and {} more", amount::count(more as u64)), Tone::Dim);
    }
    lines
}
