//! What only the engine knows, as others are told of it.

use super::timers;
use crate::domain::amount::plural;
use crate::domain::moment::Timestamp;
use crate::domain::schedule::Now;
use crate::domain::status::WatchMode;
use crate::engine::protocol::{Event, Live, NextRun, SchedulerStatus};
use crate::engine::state::{Effect, Repo, State};

/// Tells of every repository that stands otherwise than it was told last.
pub(super) fn publish(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let is_scheduled = state.config.scheduler.enabled && state.is_resident;
    for repo in state.repositories.values_mut() {
        // A moment that moves on is news once a minute, a schedule that is wound up again by itself is none.
        let minute = |at: Timestamp| Timestamp(at.0 - at.0.rem_euclid(60_000));
        let known = Live { true_as_of: repo.true_as_of().map(minute), ..live_of(repo, false, now) };
        if known != repo.told {
            repo.told = known;
            fx.push(Effect::Publish(Event::Live(Box::new(live_of(repo, is_scheduled, now)))));
        }
    }
}

/// Returns how all repositories stand, by name.
pub fn live(state: &State, now: Now) -> Vec<Live> {
    let is_scheduled = state.config.scheduler.enabled && state.is_resident;
    let mut live: Vec<Live> = state.repositories.values().map(|repo| live_of(repo, is_scheduled, now)).collect();
    live.sort_by(|a, b| a.repository.cmp(&b.repository));
    live
}

fn live_of(repo: &Repo, is_scheduled: bool, now: Now) -> Live {
    let coverage = &repo.watch.coverage;
    let watch_mode = match (coverage.watched > 0, coverage.unwatched > 0 || coverage.is_remote) {
        _ if !repo.is_watched() || repo.away.is_some() => WatchMode::Off,
        (true, false) => WatchMode::Inotify,
        (true, true) => WatchMode::Mixed,
        (false, true) => WatchMode::Polling,
        (false, false) => WatchMode::Off,
    };
    let next = if is_scheduled && !repo.is_paused() { timers::next_runs(repo, now) } else { Vec::new() };
    let in_service = repo.serving.as_ref().map_or(0, |serving| serving.places) + repo.postponed;
    Live {
        repository: repo.name().to_owned(),
        watch_mode,
        watched_directories: coverage.watched as u64,
        unwatched_directories: coverage.unwatched as u64,
        pending_hints: repo.pending.len() as u64 + in_service,
        true_as_of: repo.true_as_of(),
        behind: behind(repo, in_service),
        is_missing: repo.away.is_some(),
        next_runs: next
            .into_iter()
            .map(|(kind, at)| NextRun { repository: repo.name().to_owned(), kind, at })
            .collect(),
    }
}

/// Returns why "true as of" does not move on; `None` when it does, or when nothing was ever to move it.
fn behind(repo: &Repo, in_service: u64) -> Option<String> {
    if repo.is_paused() || !repo.tracked.config.watch.enabled {
        return None;
    }
    let places = repo.pending.len() as u64 + in_service;
    let coverage = &repo.watch.coverage;
    let is_polled = coverage.unwatched > 0 || coverage.is_remote;
    Some(match () {
        () if repo.away.is_some() => "its root is not there".to_owned(),
        () if repo.is_stuck() => "its runs hang in the system; is a disk or share away?".to_owned(),
        () if repo.pending.why_everything().is_some() => {
            "more happened than could be told apart; a full sync is coming".to_owned()
        }
        () if places > 0 => format!("{} to be looked at", plural(places, "place waits", "places wait")),
        () if !(repo.watch.is_vouched || is_polled && coverage.watched == 0) => {
            "no full sync has ended since watching began".to_owned()
        }
        () => return None,
    })
}

/// Returns how the schedule stands.
pub fn scheduler(state: &State, now: Now) -> SchedulerStatus {
    let mut next: Vec<NextRun> = live(state, now).into_iter().flat_map(|live| live.next_runs).collect();
    next.sort_by(|a, b| (a.at, &a.repository, a.kind).cmp(&(b.at, &b.repository, b.kind)));
    SchedulerStatus {
        running: state.is_resident && state.config.scheduler.enabled,
        settings: state.config.schedule(),
        next,
        runs_started: state.runs_started,
        runs_skipped: state.runs_skipped,
    }
}
