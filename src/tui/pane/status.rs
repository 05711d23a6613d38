//! The selected repository at a glance: how it is, as of when, what runs, what ended last, what needs a person.
//!
//! ```text
//!   State      # held      12,431 removals wait for a decision
//!   As of      2026-11-20 11:20:04, 3 h ago
//!   Index      88,204 files, 1.2 TB
//!   Path       /srv/backup
//!   Read       96 % of the files were read within 30 days
//!   Next       incremental in 4 min, full in 3 h
//!
//!   (what each kind achieved, plots: see `kinds`)
//!
//!   Last runs
//!   11:24      # held        full · startup             0.2 s
//!
//!   Problems
//!   ! permission   home/anna/mail.db
//! ```

use ratatui::text::Line;

use super::super::paint::{self, piece};
use super::super::state::{Entry, State};
use super::super::text::{self, unsigned};
use super::super::theme::Tone;
use super::{activity, health, kinds, problems, progress};
use crate::domain::amount::{self, ago};
use crate::domain::report::{IndexStatus, Run};
use crate::domain::repository::State as Word;
use crate::domain::show::{show, show_message};
use crate::domain::status::WatchMode;
use crate::engine::protocol::Live;

/// How many runs and problems the glance shows.
const SHORT_LIST: usize = 8;

/// Returns the lines of the Status tab.
pub fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    let Some(entry) = state.entry() else { return Vec::new() };
    let mut lines = facts(state, entry, room);
    if let Some(run) = state.progress_of(&entry.status.repository.name) {
        lines.extend(progress::run_lines(state, run, room));
    }
    lines.extend(kinds::lines(state, entry, room));
    lines.extend(kinds::plots(state, room));
    if !state.runs().is_empty() {
        lines.extend([Line::default(), paint::line(&state.theme, [piece("  Last runs", Tone::Dim)])]);
        lines.extend(state.runs().iter().take(SHORT_LIST).map(|run| run_line(state, run, room)));
    }
    let troubles = state.troubles();
    if !troubles.is_empty() {
        lines.extend([Line::default(), paint::line(&state.theme, [piece("  Problems", Tone::Dim)])]);
        lines.extend(troubles.iter().take(SHORT_LIST).map(|trouble| problems::line(state, trouble, room)));
    }
    lines
}

fn facts(state: &State, entry: &Entry, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let status = &entry.status;
    let repository = &status.repository;
    let (sign, word, tone) = theme.state(entry.state);
    let mut lines = vec![paint::fact(theme, "State", [piece(format!("{sign} {word}"), tone)], room)];
    if let Some((words, hint)) = reason(entry) {
        lines.extend(paint::long_fact(theme, "", &words, Tone::Plain, room));
        lines.extend(paint::long_fact(theme, "Hint", &hint, Tone::Plain, room));
    }
    let as_of = state.true_as_of(entry).map_or_else(
        || "never listed to its end".to_owned(),
        |seen| format!("{}, {}", state.zone.exact(seen), ago(state.now.wall.since_ms(seen))),
    );
    lines.push(paint::fact(theme, "As of", [piece(as_of, Tone::Plain)], room));
    if let Some(live) = state.live_of(&repository.name).filter(|live| live.watch_mode != WatchMode::Off) {
        lines.push(paint::fact(theme, "Watch", [piece(watch(live), Tone::Plain)], room));
    }
    let files = amount::plural(unsigned(repository.total_files), "file", "files");
    let index = format!("{files}, {}", amount::bytes(unsigned(repository.total_bytes)));
    lines.push(paint::fact(theme, "Index", [piece(index, Tone::Plain)], room));
    let path = text::fit_path(&show(&repository.path), room.saturating_sub(paint::LABEL + 1), theme.signs.cut);
    lines.push(paint::fact(theme, "Path", [piece(path, Tone::Plain)], room));
    if let Some(read) = read_lately(state, entry) {
        lines.push(paint::fact(theme, "Read", [piece(read, Tone::Plain)], room));
    }
    if let Some(next) = next(state, entry) {
        lines.push(paint::fact(theme, "Next", [piece(next, Tone::Plain)], room));
    }
    lines.extend(open(state, status, room));
    lines
}

/// Says how much of the content was read lately: as doctor has counted it, else as it was when the last verify ended.
fn read_lately(state: &State, entry: &Entry) -> Option<String> {
    let repository = &entry.status.repository;
    if let Some(words) = health::coverage(state, &repository.name) {
        return Some(show_message(words).into_owned());
    }
    let (covered, files) = (repository.covered_files?, repository.total_files.max(1));
    // Rounded down: a hundred is all of them.
    Some(format!("{} % of the files in time, when the last verify ended", (100 * covered / files).min(100)))
}

/// Says which runs the schedule starts next: `incremental in 4 min, full in 3 h`.
fn next(state: &State, entry: &Entry) -> Option<String> {
    let live = state.live_of(&entry.status.repository.name)?;
    if entry.state == Word::Missing {
        // Due runs are skipped while there is nothing to look at.
        return Some("runs wait until the root is back".to_owned());
    }
    let due = live.next_runs.iter().map(|next| {
        let kind = next.kind.as_str();
        match amount::age(next.at.since_ms(state.now.wall)).as_str() {
            "now" => format!("{kind} now"),
            left => format!("{kind} in {left}"),
        }
    });
    let words = due.collect::<Vec<_>>().join(", ");
    (!words.is_empty()).then_some(words)
}

/// Says what is watched, and what of it waits.
fn watch(live: &Live) -> String {
    let directories = amount::plural(live.watched_directories, "directory", "directories");
    let mut words = match live.watch_mode {
        WatchMode::Inotify => directories,
        WatchMode::Mixed => format!("{directories}; {} polled", amount::count(live.unwatched_directories)),
        WatchMode::Polling => "listed from time to time".to_owned(),
        WatchMode::Off => "off".to_owned(),
    };
    let waiting = (live.pending_hints > 0).then(|| amount::plural(live.pending_hints, "place waits", "places wait"));
    // Why it is behind may be just that, in other words.
    if let Some(why) = live.behind.as_ref().or(waiting.as_ref()) {
        words.push_str(&format!("; {why}"));
    }
    words
}

/// Returns why the state is what it is and what to do, where the last run says so.
fn reason(entry: &Entry) -> Option<(String, String)> {
    let run = entry.status.last_run.as_ref()?;
    if !matches!(entry.state, Word::Missing | Word::Failed) {
        return None;
    }
    let class = run.error_class.as_deref().unwrap_or_default();
    let message = run.error_message.as_deref().unwrap_or("no message was recorded");
    Some((show_message(message).into_owned(), super::super::trouble::class_hint(class).to_owned()))
}

fn open(state: &State, status: &IndexStatus, room: usize) -> Vec<Line<'static>> {
    let fact = |label, words, tone| paint::fact(&state.theme, label, [piece(words, tone)], room);
    let mut lines = Vec::new();
    if status.damaged > 0 {
        let files = amount::plural(unsigned(status.damaged), "file", "files");
        let words = format!("{} {files}: content changed, size and times did not", state.theme.signs.damaged);
        lines.push(fact("Damaged", words, Tone::Bad));
    }
    if status.undecided > 0 {
        let removals = amount::plural(unsigned(status.undecided), "removal waits", "removals wait");
        lines.push(fact("Held", format!("# {removals} for a decision"), Tone::Warn));
    }
    let kept = unsigned(status.held - status.undecided);
    if kept > 0 {
        let (records, files) =
            (amount::plural(kept, "record", "records"), if kept == 1 { "file is" } else { "files are" });
        lines.push(fact("Kept", format!("# {records} though the {files} gone"), Tone::Dim));
    }
    if status.open_problems > 0 {
        let (open, new) = (unsigned(status.open_problems), unsigned(status.new_problems));
        let tone = if new > 0 { Tone::Warn } else { Tone::Dim };
        lines.push(fact("Problems", format!("! {} open, {} new", amount::count(open), amount::count(new)), tone));
    }
    lines
}

fn run_line(state: &State, run: &Run, room: usize) -> Line<'static> {
    let cut = state.theme.signs.cut;
    let (sign, word, tone) = state.theme.outcome(run.outcome);
    let at = state.zone.brief(run.ended_at.unwrap_or(run.started_at), state.now.wall);
    let what_room = if room < 72 { 11 } else { 22 };
    let what = match what_room {
        11 => run.kind.as_str().to_owned(),
        _ => format!("{} {} {}", run.kind.as_str(), state.theme.signs.dot, run.trigger),
    };
    let took = run.duration_ms.map_or_else(String::new, |took| text::short_took(unsigned(took)));
    let changes_room = room.saturating_sub(38 + what_room);
    paint::line(
        &state.theme,
        [
            piece(format!("  {}", text::left(&at, 9, cut)), Tone::Dim),
            piece(format!("  {}", text::left(&format!("{sign} {word}"), 13, cut)), tone),
            piece(format!("  {}", text::left(&what, what_room, cut)), Tone::Plain),
            piece(format!("  {}", text::left(&activity::brief(run), changes_room, cut)), Tone::Plain),
            piece(format!("  {}", text::right(&took, 6, cut)), Tone::Dim),
        ],
    )
}
