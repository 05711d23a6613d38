//! What runs and what waits, live.
//!
//! ```text
//!   ↻ photos   full   run 912                                        1 min 50 s
//!
//!   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  63 %   about 59 s left
//!
//!   files      1,911,300 of 3,033,000      17,400 files/s
//!   read       41 of 65 GB                 412 MB/s
//!   at         2026/09/kisumu/IMG_20260914_…_final.raw
//!   problems   ! 2
//! ```

use ratatui::text::Line;

use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::{columns, fit, fit_path, left};
use super::super::theme::{Theme, Tone};
use crate::domain::amount;
use crate::engine::protocol::RunProgress;

/// Returns the lines of the Progress tab: the selected repository's run first.
pub fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    let mut runs: Vec<&RunProgress> = state.running.iter().collect();
    runs.sort_by_key(|run| (Some(run.repository.as_str()) != state.name(), run.number));
    let mut lines = Vec::new();
    for run in runs {
        lines.push(head(&state.theme, run, room));
        lines.extend(run_lines(&state.theme, run, room));
        lines.push(Line::default());
    }
    for run in &state.queued {
        let name = left(&run.repository, 20.min(room), state.theme.signs.cut);
        let words = format!("{name}  {}", left(run.kind.as_str(), 11, state.theme.signs.cut));
        let pieces = [piece("  . ", Tone::Dim), piece(words, Tone::Plain), piece("  waits", Tone::Dim)];
        lines.push(paint::line(&state.theme, pieces));
    }
    if lines.is_empty() {
        lines.push(paint::line(&state.theme, [piece("  Nothing runs.", Tone::Dim)]));
    }
    lines
}

fn head(theme: &Theme, run: &RunProgress, room: usize) -> Line<'static> {
    let name = format!("{} {}", theme.signs.syncing, run.repository);
    let what = format!("   {}   run {}", run.kind.as_str(), amount::count(run.number.unsigned_abs()));
    let took = amount::took(run.elapsed_ms);
    let blanks = room.saturating_sub(4 + columns(&name) + columns(&what) + columns(&took));
    let pieces = [piece("  ", Tone::Plain), piece(name, Tone::Accent), piece(what, Tone::Plain)];
    paint::line(theme, pieces.into_iter().chain([piece(format!("{}{took}", " ".repeat(blanks)), Tone::Dim)]))
}

/// Returns the bar and the figures of one run.
pub fn run_lines(theme: &Theme, run: &RunProgress, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default(), gauge(theme, run, room), Line::default()];
    let mut fact = |label: &str, pieces: Vec<paint::Piece>| lines.push(paint::fact(theme, label, pieces, room));
    let files = match run.files_total {
        Some(total) => format!("{} of {}", amount::count(run.files_done), amount::count(total)),
        None => amount::count(run.files_done),
    };
    fact("Files", figures(theme, files, format!("{} files/s", amount::count(run.files_per_s))));
    let read = match run.bytes_total {
        Some(total) => format!("{} of {}", amount::bytes(run.bytes_done), amount::bytes(total)),
        None => amount::bytes(run.bytes_done),
    };
    fact("Read", figures(theme, read, format!("{}/s", amount::bytes(run.bytes_per_s))));
    if run.problems > 0 {
        fact("Problems", vec![piece(format!("! {}", amount::count(run.problems)), Tone::Warn)]);
    }
    let path = if run.current_path.is_root() { String::new() } else { run.current_path.to_string() };
    let path = fit_path(&path, room.saturating_sub(paint::LABEL + 1), theme.signs.cut);
    fact("At", vec![piece(path, Tone::Plain)]);
    lines
}

fn figures(theme: &Theme, done: String, rate: String) -> Vec<paint::Piece> {
    vec![piece(left(&done, 26, theme.signs.cut), Tone::Plain), piece(rate, Tone::Dim)]
}

/// Returns the bar with percent and the time that is left; without a total, what is known instead.
fn gauge(theme: &Theme, run: &RunProgress, room: usize) -> Line<'static> {
    let Some(percent) = run.percent() else {
        return paint::line(theme, [piece("  counting, the total is not known yet", Tone::Dim)]);
    };
    let about = if room < 60 { "" } else { "about " };
    let left = run.eta_ms.map_or_else(String::new, |eta| format!("   {about}{} left", amount::took(eta)));
    let words = fit(&format!("{percent:>4.0} %{left}"), room / 2, theme.signs.cut);
    let bar_room = room.saturating_sub(columns(&words) + 3).min(60);
    let bar = paint::bar(theme, percent, bar_room);
    paint::line(theme, [piece("  ", Tone::Plain)].into_iter().chain(bar).chain([piece(words, Tone::Plain)]))
}
