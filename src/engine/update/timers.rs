//! The schedule: which kinds are due, which are passed over, when they come again.

use crate::config::{Hash, Startup};
use crate::domain::moment::Timestamp;
use crate::domain::report::Run;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::{Now, daily, first_due, next_due, verify_interval, verify_share};
use crate::engine::job::JobSpec;
use crate::engine::protocol::SyncRequest;
use crate::engine::state::{Effect, Repo, Running, State};
use std::time::Duration;

/// The kinds that come by themselves; where two are due, the one that says more goes first.
pub(super) const SCHEDULED: [Kind; 4] = [Kind::Full, Kind::Incremental, Kind::Cleanup, Kind::Verify];

/// Returns how often a kind comes; `None`: never, or at a time of day.
pub(super) fn interval(repo: &Repo, kind: Kind) -> Option<Duration> {
    let sync = &repo.tracked.config.sync;
    match kind {
        Kind::Full if sync.full_at.is_some() => None,
        Kind::Full => sync.full_every,
        Kind::Incremental => sync.incremental_every,
        Kind::Cleanup => sync.cleanup_every,
        // Without hashes there is nothing to compare content with.
        Kind::Verify if sync.hash == Hash::None => None,
        Kind::Verify => sync.verify_every.map(verify_interval),
        Kind::Single | Kind::Realtime => None,
    }
}

/// Winds up the timers of a repository: from the last time on, or when it is `new` a whole interval from now.
pub(super) fn wind_up(repo: &mut Repo, is_new: bool, now: Now) {
    repo.timers.clear();
    for kind in SCHEDULED {
        let Some(every) = interval(repo, kind) else { continue };
        let last = match repo.tracked.last_of(kind) {
            // The first full sync does what the others would do again. Not from now: a machine that is on for some
            // hours a day would never come to it.
            None if is_new => Some(now.wall),
            None if kind != Kind::Full => Some(repo.tracked.repository.created_at),
            last => last,
        };
        repo.timers.insert(kind, first_due(every, last, now));
    }
    if is_new {
        repo.last_full = Some(now);
    }
}

/// Returns the request for the sync that the engine's start asks for.
pub(super) fn startup(repo: &Repo) -> Option<SyncRequest> {
    let kind = match repo.tracked.config.sync.startup {
        Startup::Full => Kind::Full,
        Startup::Incremental => Kind::Incremental,
        Startup::None => return None,
    };
    Some(request(repo, kind, Trigger::Startup))
}

/// Returns a request of the engine's own.
pub(super) fn request(repo: &Repo, kind: Kind, trigger: Trigger) -> SyncRequest {
    SyncRequest::new(vec![repo.name().to_owned()], kind, trigger)
}

/// Returns how much a scheduled verify may read, and for how long: its share of all that is to be read in time.
fn verify_budget(repo: &Repo, now: Now) -> (Option<u64>, Option<Duration>) {
    let sync = &repo.tracked.config.sync;
    let total_bytes = repo.tracked.repository.total_bytes.max(0).unsigned_abs();
    let since_last = repo.tracked.last_of(Kind::Verify).map_or(0, |last| now.wall.since_ms(last).unsigned_abs());
    let share = sync.verify_every.map(|every| verify_share(total_bytes, every, Duration::from_millis(since_last)));
    (share.into_iter().chain(sync.verify_max_bytes).min(), sync.verify_max_time)
}

/// Asks for what is due.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let ids: Vec<RepositoryId> = state.repositories.keys().copied().collect();
    if state.config.scheduler.enabled {
        for id in ids {
            // A clock that was set back by a year must not make the daily run wait for that year.
            let last_full = state.repositories.get_mut(&id).and_then(|repo| repo.last_full.as_mut());
            if let Some(last) = last_full.filter(|last| last.wall > now.wall) {
                *last = now;
            }
            for kind in SCHEDULED {
                if is_due(&state.repositories[&id], kind, now) {
                    ask(state, id, kind, now, fx);
                }
            }
        }
    }
    let (due, later) = std::mem::take(&mut state.retries).into_iter().partition(|retry| retry.due_ms <= now.mono_ms);
    state.retries = later;
    let due: Vec<crate::engine::state::Retry> = due;
    for retry in due {
        let repo = state.repositories.get(&retry.id);
        if let Some(repo) = repo.filter(|repo| !repo.is_paused() && !repo.is_stuck() && repo.away.is_none()) {
            // It may have got another name meanwhile.
            let names = vec![repo.name().to_owned()];
            fx.push(Effect::Request(Box::new(SyncRequest { names, ..retry.request })));
        }
    }
}

fn is_due(repo: &Repo, kind: Kind, now: Now) -> bool {
    if repo.is_paused() {
        return false;
    }
    let is_daily = || match (kind, repo.tracked.config.sync.full_at) {
        (Kind::Full, Some(at)) => daily(at, repo.last_full, now).is_ok(),
        _ => false,
    };
    repo.timers.get(&kind).is_some_and(|due| *due <= now.mono_ms) || is_daily()
}

/// Asks for a run of the schedule, unless one like it is on its way, the root is not there, or runs of it hang.
fn ask(state: &mut State, id: RepositoryId, kind: Kind, now: Now, fx: &mut Vec<Effect>) {
    let spread = state.draw();
    let is_covered = |known: Kind| known == kind || (known == Kind::Full && kind != Kind::Verify);
    let is_on_its_way = state.running.iter().any(|run| run.repository == id && is_covered(run.kind))
        || state.waiting.iter().any(|job| job.repository.id == id && is_covered(job.kind))
        || state.retries.iter().any(|retry| retry.id == id && is_covered(retry.request.kind));
    let Some(repo) = state.repositories.get_mut(&id) else { return };
    if let Some(every) = interval(repo, kind) {
        repo.timers.insert(kind, next_due(every, now.mono_ms, now, spread));
    }
    if kind == Kind::Full {
        repo.last_full = Some(now);
    }
    let has_asked = repo.asked.iter().any(|known| is_covered(*known));
    if let Some(away) = &mut repo.away {
        away.skipped += 1;
    }
    if is_on_its_way || has_asked || repo.away.is_some() || repo.is_stuck() {
        state.runs_skipped += 1;
        return;
    }
    repo.asked.insert(kind);
    state.runs_started += 1;
    let mut request = request(repo, kind, Trigger::Schedule);
    if kind == Kind::Verify {
        (request.max_bytes, request.max_time) = verify_budget(repo, now);
    }
    fx.push(Effect::Request(Box::new(request)));
}

/// Notes that a run begins: its kind, and what it does besides, is not due before its next time.
pub(super) fn started(state: &mut State, job: &JobSpec, now: Now) {
    if job.plan || matches!(job.kind, Kind::Single | Kind::Realtime) {
        return;
    }
    let Some(repo) = state.repositories.get_mut(&job.repository.id) else { return };
    if job.kind == Kind::Full {
        repo.last_full = Some(now);
    }
    rewind(state, job.repository.id, job.kind, now.mono_ms, now);
}

/// Notes that a run has ended: the next one leaves a pause after it.
pub(super) fn ended(state: &mut State, ended: &Running, run: &Run, now: Now) {
    if run.outcome.is_some_and(crate::domain::run::Outcome::is_success) {
        // A newer run did what these were to do again.
        let (id, kind) = (ended.repository, ended.kind);
        state.retries.retain(|retry| retry.id != id || !(retry.request.kind == kind || kind == Kind::Full));
    }
    if !matches!(ended.kind, Kind::Single | Kind::Realtime) {
        rewind(state, ended.repository, ended.kind, ended.started_ms, now);
    }
}

fn rewind(state: &mut State, id: RepositoryId, kind: Kind, started_ms: u64, now: Now) {
    let spread = state.draw();
    let Some(repo) = state.repositories.get_mut(&id) else { return };
    let does_too: &[Kind] = match kind {
        Kind::Full => &[Kind::Full, Kind::Incremental, Kind::Cleanup],
        _ => &[kind],
    };
    for kind in does_too {
        if let Some(every) = interval(repo, *kind) {
            repo.timers.insert(*kind, next_due(every, started_ms, now, spread));
        }
    }
}

/// Returns when each kind of a repository comes next, by the wall clock.
pub(super) fn next_runs(repo: &Repo, now: Now) -> Vec<(Kind, Timestamp)> {
    let mut next: Vec<(Kind, Timestamp)> =
        repo.timers.iter().map(|(kind, due)| (*kind, now.wall_at((*due).max(now.mono_ms)))).collect();
    if let Some(at) = repo.tracked.config.sync.full_at {
        next.push((Kind::Full, daily(at, repo.last_full, now).err().unwrap_or(now.wall)));
    }
    next.sort_by_key(|(kind, at)| (*at, *kind));
    next
}
