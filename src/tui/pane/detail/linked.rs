//! The parts of a run's page that stand beside its own figures: what it used, what it is linked with, what it changed.

use ratatui::text::Line;

use super::super::super::attached;
use super::super::super::event::RunRows;
use super::super::super::paint::{self, piece};
use super::super::super::state::State;
use super::super::super::text::{fit_path, left, unsigned};
use super::super::super::theme::Tone;
use crate::domain::amount::{self, bytes, count};
use crate::domain::change::Verdict;
use crate::domain::report::{Run, StoredChange};
use crate::domain::show::show_message;

/// Returns what stands beside the figures, each as a label and words.
pub fn facts(state: &State, rows: &RunRows) -> Vec<(&'static str, String)> {
    let run = &rows.run;
    let mut facts = Vec::new();
    if run.folded > 1 {
        let runs = count(unsigned(run.folded));
        facts.push(("Stands for", format!("{runs} runs of this day that found nothing; sums of all")));
    }
    let attached = attached::of(run);
    let used: Vec<String> = [
        attached.cpu_ms.map(|cpu| format!("{} CPU", amount::took(cpu))),
        attached.peak_memory_bytes.filter(|peak| *peak > 0).map(|peak| format!("{} memory at most", bytes(peak))),
        attached.written_bytes.map(|written| format!("{} written", bytes(written))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !used.is_empty() {
        facts.push(("Used", used.join(", ")));
    }
    if let Some(id) = &attached.continues {
        let before = rows.continues.as_ref().map_or_else(
            || format!("where {id} stopped, which is too old to be kept"),
            |run| format!("where {} stopped", named(state, run)),
        );
        facts.push(("Goes on", before));
    }
    if run.attempt > 1 {
        facts.push(("Attempt", count(unsigned(run.attempt))));
    }
    let labels = std::iter::once("Retries").chain(std::iter::repeat(""));
    facts.extend(labels.zip(rows.attempts.iter().map(|run| named(state, run))));
    if let Some(note) = attached.note {
        facts.push(("Note", show_message(&note).into_owned()));
    }
    facts
}

/// Returns `run 4,170, ✗ failed, 14:02`.
fn named(state: &State, run: &Run) -> String {
    let (sign, word, _) = state.theme.outcome(run.outcome);
    let at = state.zone.brief(run.started_at, state.now.wall);
    format!("run {}, {sign} {word}, {at}", count(unsigned(run.number)))
}

/// Returns the first changes, by verdict and in the order in which they were found.
pub fn change_lines(state: &State, rows: &RunRows, room: usize) -> Vec<Line<'static>> {
    let mut changes: Vec<&StoredChange> = rows.changes.iter().collect();
    changes.sort_by_key(|stored| stored.change.verdict);
    let mut lines: Vec<Line<'_>> = changes.into_iter().map(|stored| change_line(state, stored, room)).collect();
    let all: i64 = rows.verdicts.iter().map(|(_, count)| count).sum();
    let hidden = unsigned(all).saturating_sub(lines.len() as u64);
    if hidden > 0 {
        let words = format!("  and {} more; watchkeeper changes shows them", count(hidden));
        lines.push(paint::line(&state.theme, [piece(words, Tone::Dim)]));
    }
    lines
}

fn change_line(state: &State, stored: &StoredChange, room: usize) -> Line<'static> {
    const WORD: usize = 12;
    const SIZE: usize = 18;
    let (theme, change) = (&state.theme, &stored.change);
    let (sign, tone) = match change.verdict {
        Verdict::Added => ("+", Tone::Plain),
        Verdict::Edited | Verdict::Touched | Verdict::Replaced => ("~", Tone::Plain),
        Verdict::Moved => ("=", Tone::Plain),
        Verdict::Removed => ("-", Tone::Plain),
        Verdict::Damaged => (theme.signs.damaged, Tone::Bad),
        Verdict::Restored => (theme.signs.done, Tone::Plain),
    };
    let size = |size: Option<i64>| size.map(|size| bytes(unsigned(size)));
    let sizes = match (change.directory_files, size(change.old_size_bytes), size(change.new_size_bytes)) {
        (Some(files), ..) => amount::plural(unsigned(files), "file", "files"),
        (None, Some(old), Some(new)) if old != new => format!("{old} to {new}"),
        (None, old, new) => new.or(old).unwrap_or_default(),
    };
    // On the smallest screens the path is worth more than its size.
    let size_room = if room < 60 { 0 } else { SIZE };
    let path_room = room.saturating_sub(WORD + 4 + size_room);
    let path = match &change.old_path {
        Some(old) => format!("{old} to {}", change.path),
        None => change.path.to_string(),
    };
    let path = left(&fit_path(&path, path_room, theme.signs.cut), path_room, theme.signs.cut);
    let word = left(&format!("  {sign} {}", change.verdict.as_str()), WORD + 1, theme.signs.cut);
    let sizes = if size_room == 0 { String::new() } else { format!("  {sizes}") };
    paint::line(theme, [piece(word, tone), piece(format!(" {path}"), Tone::Plain), piece(sizes, Tone::Dim)])
}
