//! States for tests: the repositories, runs and problems of one afternoon, at a fixed moment in UTC.

mod troubles;

use std::collections::BTreeMap;

use ratatui::layout::Size;

use super::event::{Msg, Now, RepositoryRows, Rows, RunRows};
use super::keymap::{Key, Keys};
use super::reading::problems::Found;
use super::state::{Engine, State};
use super::text::Zone;
use super::theme::{Choice, Theme};
use super::update::update;
use crate::domain::change::{Change, Verdict};
use crate::domain::guard::Reason;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{
    Damage, GoodCopy, Held, IndexStatus, KindStatus, LogLine, RecentRun, Repository, Run, StoredChange, StoredProblem,
};
use crate::domain::repository::{RepositoryId, Settings};
use crate::domain::run::{Kind, Outcome, Tally};
use crate::domain::status::WatchMode;
use crate::engine::protocol::{Event, Live, NextRun, QueuedRun, RunProgress, Snapshot, Stay};
use crate::index::{Cause, CauseKey, Members, Sort};

pub use troubles::*;

/// 2026-11-20 14:32:00 UTC, a Friday.
pub const NOW: Timestamp = Timestamp(1_795_185_120_000);
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub fn now(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall: NOW }
}

/// A state before anything was read.
pub fn blank(width: u16, height: u16) -> State {
    let theme = Theme::new(Choice::Auto, false);
    let mut state = State::new(theme, Keys::default(), Size { width, height }, now(0));
    state.zone = Zone::Utc;
    state.engine = Engine::WhileUsed;
    state
}

/// A state with four repositories, all well, the first selected and read.
pub fn idle(width: u16, height: u16) -> State {
    with(blank(width, height), quiet())
}

/// A state with what goes wrong in an afternoon; `nas-archive`, which failed, is selected and read.
pub fn afternoon(width: u16, height: u16) -> State {
    with(blank(width, height), busy())
}

/// Lets a state read these repositories.
pub fn with(mut state: State, statuses: Vec<IndexStatus>) -> State {
    let latest = latest(&statuses);
    tell(&mut state, Msg::Rows(Rows::Recent(recent(&statuses))));
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest }));
    read_selected(&mut state);
    state
}

fn latest(statuses: &[IndexStatus]) -> Vec<Run> {
    let mut latest: Vec<Run> = statuses.iter().filter_map(|status| status.last_run.clone()).collect();
    latest.sort_by_key(|run| -run.number);
    latest
}

/// Answers what the selection asked for.
pub fn read_selected(state: &mut State) {
    let Some(entry) = state.entry() else { return };
    let rows = rows(&entry.status);
    tell(state, Msg::Rows(Rows::Repository(Box::new(rows))));
}

/// Runs of `photos` and a waiting one of `mail`.
pub fn sync(state: &mut State) {
    let queued = QueuedRun { repository: "mail".to_owned(), run_id: "01Q".to_owned(), kind: Kind::Full, joined: false };
    let snapshot = Snapshot {
        queued: vec![queued],
        running: vec![progress("photos")],
        stay: Stay::WhileUsed,
        ..Snapshot::default()
    };
    tell(state, Msg::Engine(Event::Snapshot(snapshot)));
}

pub fn progress(name: &str) -> RunProgress {
    RunProgress {
        run_id: "01R".to_owned(),
        number: 4_180,
        repository: name.to_owned(),
        kind: Kind::Full,
        elapsed_ms: 110_000,
        files_done: 1_911_300,
        files_total: Some(3_033_000),
        bytes_done: 41_200_000_000,
        bytes_total: Some(65_400_000_000),
        files_per_s: 17_400,
        bytes_per_s: 412_000_000,
        eta_ms: Some(59_000),
        problems: 2,
        current_path: RelPath::from_stored(b"2026/09/kisumu/IMG_20260914_173355_panorama_final.raw".to_vec()),
    }
}

pub fn tell(state: &mut State, msg: Msg) -> Vec<super::event::Effect> {
    let at = state.now.monotonic_ms;
    update(state, msg, now(at))
}

/// Presses keys as they are written, such as `j j s` or `ctrl-c`; returns what the last one asked for.
pub fn press(state: &mut State, keys: &str) -> Vec<super::event::Effect> {
    let all: Vec<Key> = super::keymap::KEYMAP.iter().flat_map(|binding| binding.keys.iter().copied()).collect();
    let mut effects = Vec::new();
    for word in keys.split_whitespace() {
        let key = all.iter().find(|key| key.to_string() == word).unwrap_or_else(|| panic!("no key {word}"));
        effects = tell(state, Msg::Key(*key));
    }
    effects
}

pub fn select(state: &mut State, name: &str) {
    let entry = state.entries().iter().find(|entry| entry.status.repository.name == name);
    let id = entry.map(|entry| entry.status.repository.id);
    super::act::select(state, id);
    read_selected(state);
}

pub fn quiet() -> Vec<IndexStatus> {
    [("photos", 1_911_300, 412_000_000_000), ("mail", 640_112, 31_000_000_000), ("www", 18_400, 640_000_000)]
        .into_iter()
        .zip(1..)
        .map(|((name, files, bytes), id)| status(id, name, files, bytes, Outcome::Completed, id * 4 * MINUTE))
        .collect()
}

fn busy() -> Vec<IndexStatus> {
    let mut all = quiet();
    let mut archive = status(4, "nas-archive", 91_204, 1_400_000_000_000, Outcome::Failed, DAY + HOUR);
    let mut run = failed(archive.repository.id);
    run.ended_at = Some(Timestamp(NOW.0 - 12 * MINUTE));
    archive.last_run = Some(run);
    let mut backup = status(5, "backup-b", 88_204, 1_200_000_000_000, Outcome::Held, 3 * HOUR);
    (backup.held, backup.undecided) = (12_431, 12_431);
    let mut home = status(6, "home", 412_000, 96_000_000_000, Outcome::Partial, 2 * MINUTE);
    (home.open_problems, home.new_problems, home.damaged) = (205, 204, 1);
    let mut scratch = status(7, "scratch", 73_000, 8_200_000_000, Outcome::Completed, 9 * DAY);
    scratch.repository.paused_at = Some(Timestamp(NOW.0 - 9 * DAY));
    let mut fresh = status(8, "new-disk", 0, 0, Outcome::Completed, 0);
    (fresh.repository.seen_at, fresh.last_run) = (None, None);
    all.extend([archive, backup, home, scratch, fresh]);
    all
}

/// A repository that was listed `age_ms` ago.
pub fn status(id: i64, name: &str, files: i64, bytes: i64, outcome: Outcome, age_ms: i64) -> IndexStatus {
    let last = run(id, name, 4_170 + id, Kind::Full, outcome, age_ms);
    IndexStatus {
        repository: Repository {
            id: RepositoryId(id),
            name: name.to_owned(),
            path: format!("/srv/{name}").into_bytes(),
            settings: Settings::default(),
            identity: None,
            paused_at: None,
            created_at: Timestamp(NOW.0 - 90 * DAY),
            seen_generation: 1,
            seen_at: Some(Timestamp(NOW.0 - age_ms)),
            true_at: None,
            told_state: None,
            covered_files: None,
            total_files: files,
            total_bytes: bytes,
            left_out: Vec::new(),
        },
        open_problems: 0,
        new_problems: 0,
        damaged: 0,
        held: 0,
        undecided: 0,
        last_run: Some(last),
        by_kind: [Kind::Full, Kind::Verify].into_iter().zip(0..).map(|(kind, at)| by_kind(kind, at, age_ms)).collect(),
    }
}

fn by_kind(kind: Kind, failures: i64, age_ms: i64) -> KindStatus {
    KindStatus {
        kind,
        last_success_at: Some(Timestamp(NOW.0 - age_ms - failures * DAY)),
        last_attempt_at: Some(Timestamp(NOW.0 - age_ms)),
        last_outcome: None,
        last_error: None,
        success_count: 120,
        failure_count: failures,
        last_files_processed: 88_204,
    }
}

/// When the schedule starts the next runs of `photos` and `mail`, and what the watcher knows of them.
pub fn schedule(state: &mut State) {
    for (name, minutes) in [("photos", 4), ("mail", 200)] {
        let next =
            |kind, minutes: i64| NextRun { repository: name.to_owned(), kind, at: Timestamp(NOW.0 + minutes * MINUTE) };
        let live = Live {
            repository: name.to_owned(),
            watch_mode: WatchMode::Inotify,
            watched_directories: 1_204,
            pending_hints: 3,
            next_runs: vec![next(Kind::Full, minutes), next(Kind::Verify, 6 * 24 * 60)],
            ..Live::default()
        };
        tell(state, Msg::Engine(Event::Live(Box::new(live))));
    }
}

/// How the newest runs ended: some of each repository did not end well.
fn recent(statuses: &[IndexStatus]) -> BTreeMap<RepositoryId, Vec<RecentRun>> {
    let outcome = |at: i64| match at {
        5 => Outcome::Cancelled,
        8 => Outcome::Partial,
        _ => Outcome::Completed,
    };
    let runs = |status: &IndexStatus| -> Vec<RecentRun> {
        let last = status.last_run.as_ref().and_then(|run| run.outcome);
        let took = |at: i64| (800 + (at * status.repository.id.0) % 7 * 450).unsigned_abs();
        let before = (1..12).map(|at| RecentRun { outcome: outcome(at), took_ms: took(at) });
        before.chain(last.map(|outcome| RecentRun { outcome, took_ms: took(12) })).collect()
    };
    statuses.iter().map(|status| (status.repository.id, runs(status))).collect()
}

pub fn run(id: i64, name: &str, number: i64, kind: Kind, outcome: Outcome, age_ms: i64) -> Run {
    let took = 800 + number % 7 * 450;
    Run {
        run_id: format!("01JCXR5Y8Q{number:016}"),
        number,
        repository_id: RepositoryId(id),
        repository: name.to_owned(),
        kind,
        trigger: if number % 3 == 0 { "user" } else { "schedule" }.to_owned(),
        outcome: Some(outcome),
        started_at: Timestamp(NOW.0 - age_ms),
        ended_at: Some(Timestamp(NOW.0 - age_ms + took)),
        duration_ms: Some(took),
        tally: Tally {
            scanned: 88_204,
            added: number % 5,
            updated: number % 13,
            removed: number % 3,
            moved: number % 2,
            bytes_hashed: number * 1_000,
            directories: 1_204,
            ..Tally::default()
        },
        error_class: None,
        error_message: None,
        attempt: 1,
        retry_of: None,
        folded: 1,
        instance: "atlas:412:1795".to_owned(),
        metadata: None,
    }
}

fn failed(id: RepositoryId) -> Run {
    Run {
        error_class: Some("io".to_owned()),
        error_message: Some(
            "cannot list /srv/nas-archive/2019/scans: Input/output error (os error 5), after 91,204 of 91,310 files"
                .to_owned(),
        ),
        tally: Tally { scanned: 91_204, problems: 1, directories: 1_204, ..Tally::default() },
        ..run(id.0, "nas-archive", 4_179, Kind::Full, Outcome::Failed, 12 * MINUTE + 3_000)
    }
}

/// What the reading thread would find for a repository.
pub fn rows(status: &IndexStatus) -> RepositoryRows {
    let Repository { id, name, .. } = &status.repository;
    let kinds = [Kind::Full, Kind::Incremental, Kind::Realtime, Kind::Verify];
    let outcomes = [Outcome::Completed, Outcome::Completed, Outcome::Cancelled, Outcome::Interrupted];
    let older = (0..30_usize).map(|back| {
        let number = 4_100 - back as i64 * 3;
        let age = 7 * HOUR + back as i64 * 11 * HOUR;
        run(id.0, name, number, kinds[back % 4], outcomes[back / 2 % 4], age)
    });
    let runs: Vec<Run> = status.last_run.clone().into_iter().chain(older).collect();
    let is_new = status.last_run.is_none();
    RepositoryRows { id: *id, runs: if is_new { Vec::new() } else { runs }, causes: causes(status) }
}

/// What the reading thread would find for a run.
pub fn run_rows(run: &Run) -> RunRows {
    let log = [
        ("started: full, asked for by a schedule", 0),
        ("retry 1 of 3 in 2 s: cannot list 2019/scans: Input/output error", 900),
        ("failed: cannot list 2019/scans: Input/output error (os error 5)", 2_600),
    ];
    RunRows {
        run: run.clone(),
        verdicts: vec![(Verdict::Added, 12), (Verdict::Edited, 3), (Verdict::Moved, 1)],
        changes: changes(),
        attempts: Vec::new(),
        continues: None,
        causes: causes(&IndexStatus { open_problems: 5, ..status(1, "x", 0, 0, Outcome::Failed, 0) }),
        log: log
            .into_iter()
            .map(|(message, after)| LogLine { at: Timestamp(run.started_at.0 + after), message: message.to_owned() })
            .collect(),
    }
}

fn changes() -> Vec<StoredChange> {
    let path = |text: &str| RelPath::from_stored(text.as_bytes().to_vec());
    let change = |verdict, text: &str, was: Option<i64>, is: Option<i64>| StoredChange {
        run_id: "01R".to_owned(),
        repository: "photos".to_owned(),
        at: NOW,
        change: Change {
            verdict,
            path: path(text),
            old_path: (verdict == Verdict::Moved).then(|| path("draft/a.md")),
            directory_files: None,
            old_size_bytes: was,
            new_size_bytes: is,
            old_sha256: None,
            new_sha256: None,
            note: None,
        },
        note: None,
    };
    vec![
        change(Verdict::Moved, "posts/a.md", Some(3_000), Some(3_000)),
        change(Verdict::Added, "img/2026/logo.svg", None, Some(4_100)),
        change(Verdict::Edited, "index.html", Some(11_000), Some(12_000)),
    ]
}
