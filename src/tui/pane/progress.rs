//! What runs and what waits, live.
//!
//! ```text
//!   ↻ photos   full   run 912                                        1 min 50 s
//!
//!   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  63 %   about 59 s left
//!
//!   files      1,911,300 of 3,033,000      17,400 files/s
//!   read       41 of 65 GB                 412 MB/s
//!   rate       ▂▃▅▆▇▇▆▆▇▇▅▆▇▇▆▇▇▆▆▇  at most 430 MB/s, 1 min 50 s
//!   at         2026/09/kisumu/IMG_20260914_…_final.raw
//!   problems   ! 2
//!
//! > . mail     full         waits for a free place
//! ```

use std::collections::{BTreeMap, VecDeque};

use ratatui::text::Line;

use super::super::event::Effect;
use super::super::paint::{self, piece};
use super::super::plot;
use super::super::state::{Overlay, Question, State};
use super::super::text::{columns, fit, fit_path, left};
use super::super::theme::{Theme, Tone};
use crate::domain::amount;
use crate::engine::protocol::{Command, QueuedRun, RunProgress};

/// How long a throughput is kept, a sample a second.
const SECONDS: usize = 300;

/// How fast runs were, and which one is selected.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// By id of the run.
    rates: BTreeMap<String, Rates>,
    /// Id of the selected run.
    at: Option<String>,
}

/// Bytes and files a second, the oldest first.
#[derive(Clone, Debug, Default)]
struct Rates {
    /// The second of the last sample, since the run's start.
    second: u64,
    samples: VecDeque<(u64, u64)>,
}

impl Model {
    /// Keeps how fast a run is, once a second.
    pub fn sample(&mut self, run: &RunProgress) {
        let rates = self.rates.entry(run.run_id.clone()).or_default();
        let second = run.elapsed_ms / 1_000;
        if second > rates.second {
            rates.second = second;
            rates.samples.push_back((run.bytes_per_s, run.files_per_s));
            let surplus = rates.samples.len().saturating_sub(SECONDS);
            rates.samples.drain(..surplus);
        }
    }

    /// Forgets all runs that have ended.
    pub fn retain(&mut self, running: &[RunProgress]) {
        self.rates.retain(|id, _| running.iter().any(|run| run.run_id == *id));
    }
}

/// Returns what runs, the selected repository's run first.
fn running(state: &State) -> Vec<&RunProgress> {
    let mut runs: Vec<&RunProgress> = state.running.iter().collect();
    runs.sort_by_key(|run| (Some(run.repository.as_str()) != state.name(), run.number));
    runs
}

/// Returns the ids of what runs and waits, in the order of the tab.
pub fn ids(state: &State) -> Vec<String> {
    let running = running(state).into_iter().map(|run| run.run_id.clone());
    running.chain(state.queued.iter().map(|run| run.run_id.clone())).collect()
}

/// Returns the id of the selected run: the first one, while none was selected that is still there.
pub fn selected(state: &State) -> Option<String> {
    let ids = ids(state);
    let chosen = state.progress.at.as_ref().filter(|at| ids.contains(at));
    chosen.or(ids.first()).cloned()
}

/// Selects a run and brings it into view.
pub fn select(state: &mut State, id: Option<String>) {
    state.progress.at = id;
    let room = usize::from(state.areas().unwrap_or_default().body_rows().width);
    let at = lines(state, room).iter().position(is_marked).unwrap_or(0);
    state.scroll = at.min(super::super::view::scroll_limit(state));
}

fn is_marked(line: &Line<'_>) -> bool {
    line.spans.first().is_some_and(|span| span.content.starts_with('>'))
}

/// Asks whether the selected run is to end.
pub fn cancel(state: &State) -> Option<Overlay> {
    let id = selected(state)?;
    let run = state.running.iter().find(|run| run.run_id == id);
    let waiting = state.queued.iter().find(|run| run.run_id == id);
    let name = run.map(|run| &run.repository).or(waiting.map(|run| &run.repository))?;
    let (what, yes) = match run {
        Some(run) => (format!("{}, run {}", run.kind.as_str(), amount::count(run.number.unsigned_abs())), "stop it"),
        None => (format!("{}, which waits", waiting?.kind.as_str()), "drop it"),
    };
    Some(Overlay::Ask(Question {
        title: format!("Cancel {name}?"),
        words: vec![what, "What was committed stays in the index.".to_owned()],
        yes: yes.to_owned(),
        then: vec![Effect::Send {
            command: Command::Cancel { names: Vec::new(), run: Some(id) },
            about: format!("cancel {name}"),
        }],
        typed: None,
    }))
}

/// Returns the lines of the Progress tab.
pub fn lines(state: &State, room: usize) -> Vec<Line<'static>> {
    // One needs no mark.
    let selected = selected(state).filter(|_| state.running.len() + state.queued.len() > 1);
    let marker = |id: &str| if selected.as_deref() == Some(id) { ">" } else { " " };
    let mut lines = Vec::new();
    for run in running(state) {
        lines.push(head(&state.theme, run, marker(&run.run_id), room));
        lines.extend(run_lines(state, run, room));
        lines.push(Line::default());
    }
    for run in &state.queued {
        let name = left(&run.repository, 20.min(room), state.theme.signs.cut);
        let words = format!("{name}  {}", left(run.kind.as_str(), 11, state.theme.signs.cut));
        let sign = [piece(marker(&run.run_id), Tone::Accent), piece(" . ", Tone::Dim)];
        let why = fit(&why(state, run), room.saturating_sub(39), state.theme.signs.cut);
        let pieces = [piece(words, Tone::Plain), piece(format!("  {why}"), Tone::Dim)];
        lines.push(paint::line(&state.theme, sign.into_iter().chain(pieces)));
    }
    if lines.is_empty() {
        lines.push(paint::line(&state.theme, [piece("  Nothing runs.", Tone::Dim)]));
    }
    lines
}

/// Says what a run waits for.
fn why(state: &State, queued: &QueuedRun) -> String {
    match state.progress_of(&queued.repository) {
        Some(run) => format!("waits until run {} ends", amount::count(run.number.unsigned_abs())),
        None if state.running.is_empty() => "is about to begin".to_owned(),
        None => "waits for a free place".to_owned(),
    }
}

fn head(theme: &Theme, run: &RunProgress, marker: &str, room: usize) -> Line<'static> {
    let name = format!("{} {}", theme.signs.syncing, run.repository);
    let number = if room < 50 { String::new() } else { format!("   run {}", amount::count(run.number.unsigned_abs())) };
    let what = format!("   {}{number}", run.kind.as_str());
    let took = amount::took(run.elapsed_ms);
    let blanks = room.saturating_sub(4 + columns(&name) + columns(&what) + columns(&took));
    let pieces = [piece(format!("{marker} "), Tone::Accent), piece(name, Tone::Accent), piece(what, Tone::Plain)];
    paint::line(theme, pieces.into_iter().chain([piece(format!("{}{took}", " ".repeat(blanks)), Tone::Dim)]))
}

/// Returns the bar and the figures of one run.
pub fn run_lines(state: &State, run: &RunProgress, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
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
    if let Some(graph) = graph(state, run, room) {
        fact("Rate", graph);
    }
    if run.problems > 0 {
        fact("Problems", vec![piece(format!("! {}", amount::count(run.problems)), Tone::Warn)]);
    }
    let path = if run.current_path.is_root() { String::new() } else { run.current_path.to_string() };
    let path = fit_path(&path, room.saturating_sub(paint::LABEL + 1), theme.signs.cut);
    fact("At", vec![piece(path, Tone::Plain)]);
    lines
}

/// Returns how fast a run was lately: by bytes where any were read, else by files. Nothing before the third second.
fn graph(state: &State, run: &RunProgress, room: usize) -> Option<Vec<paint::Piece>> {
    /// What stands behind the plot takes about as much.
    const WORDS: usize = 32;
    let rates = state.progress.rates.get(&run.run_id).filter(|rates| rates.samples.len() > 2)?;
    let reads = rates.samples.iter().any(|(bytes, _)| *bytes > 0);
    let value = |(bytes, files): &(u64, u64)| if reads { *bytes as f64 } else { *files as f64 };
    let values: Vec<f64> = rates.samples.iter().map(value).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let shown = plot::squeezed(&values, room.saturating_sub(paint::LABEL + WORDS).clamp(8, 60));
    let most_words = match reads {
        true => format!("{}/s", amount::bytes(most as u64)),
        false => format!("{} files/s", amount::count(most as u64)),
    };
    let span = amount::took(values.len() as u64 * 1_000);
    let blocks = plot::blocks(state.theme.signs, &shown, 0.0, most);
    Some(vec![piece(blocks, Tone::Accent), piece(format!("  at most {most_words}, {span}"), Tone::Dim)])
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
