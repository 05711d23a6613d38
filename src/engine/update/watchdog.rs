//! What hangs, what is tried again, and the upkeep of the history.

use crate::domain::problem::Class;
use crate::domain::report::Run;
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::Finished;
use crate::engine::state::{Effect, Repo, Retry, Running, State};
use crate::engine::stop::Why;

/// A thread that does not stop within this is stuck in the kernel, and given up.
pub(super) const PATIENCE_MS: u64 = 5_000;
/// ... and at the engine's end within this.
pub(super) const PATIENCE_AT_END_MS: u64 = 3_000;
/// Progress is measured so often at most; a shorter `stall_timeout` needs a tenth of its time.
const MEASURE_EVERY_MS: u64 = 10_000;
/// The history is cleaned up this long after the start, and so often.
const FIRST_RETIRE_MS: u64 = 60_000;
const RETIRE_EVERY_MS: u64 = 3_600_000;
/// Between two steps of it, so that others come to write.
const RETIRE_PAUSE_MS: u64 = 200;

/// Asks a run to stop, and notes by when it has to have ended.
pub(super) fn stop(state: &mut State, run_id: &str, why: Why, now: Now, fx: &mut Vec<Effect>) {
    let Some(run) = state.running.iter_mut().find(|run| run.run_id == run_id) else { return };
    run.stopping.get_or_insert((now.mono_ms + PATIENCE_MS, why));
    fx.push(Effect::Stop { run_id: run_id.to_owned(), why });
}

fn measure_every(state: &State) -> u64 {
    let shortest = state.repositories.values().map(stall_ms).min().unwrap_or(u64::MAX);
    (shortest / 10).clamp(100, MEASURE_EVERY_MS)
}

fn stall_ms(repo: &Repo) -> u64 {
    u64::try_from(repo.tracked.config.sync.stall_timeout.as_millis()).unwrap_or(u64::MAX)
}

/// A realtime run that waits for hints does not move, and need not.
fn is_measured(state: &State, run: &Running) -> bool {
    let is_serving = || state.repositories.get(&run.repository).is_some_and(|repo| repo.serving.is_some());
    run.kind != Kind::Realtime || is_serving()
}

/// Gives up what does not stop, and asks how far runs are.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    for run in &mut state.running {
        if let Some((until, why)) = run.stopping.filter(|(until, _)| *until <= now.mono_ms) {
            // Once; its end is written by others now.
            run.stopping = Some((u64::MAX, why));
            if until != u64::MAX {
                fx.push(Effect::Abandon { run_id: run.run_id.clone(), why });
            }
        }
    }
    let is_any = state.running.iter().any(|run| is_measured(state, run));
    if is_any && state.measure_at <= now.mono_ms {
        state.measure_at = now.mono_ms + measure_every(state);
        fx.push(Effect::Measure);
    }
}

/// Notes that a run was given up while its threads hang, unless they came back in that very moment.
pub(super) fn note_hanging(state: &mut State, ended: &Running, result: &Result<Box<Finished>, String>) {
    let is_given_up = ended.stopping.is_some_and(|(until, _)| until == u64::MAX);
    let is_back = result.as_ref().is_ok_and(|finished| !finished.is_given_up);
    let Some(repo) = state.repositories.get_mut(&ended.repository).filter(|_| is_given_up && !is_back) else { return };
    repo.hanging.insert(ended.run_id.clone());
    if repo.is_stuck() {
        tracing::error!(
            repository = repo.name(),
            "its runs hang in the system, is a disk or share away? None begins by itself until one of them is back, \
             or the repository was paused and resumed"
        );
    }
}

/// The other end of a run that was given up: its threads are back, and that is written already.
pub(super) fn is_back(state: &mut State, run_id: &str, now: Now) {
    for repo in state.repositories.values_mut() {
        let was_stuck = repo.is_stuck();
        repo.hanging.remove(run_id);
        if was_stuck && !repo.is_stuck() && repo.is_watched() && repo.away.is_none() {
            repo.look_at_everything(now);
        }
    }
}

/// Compares how far runs are with how far they were, and stops those that have not moved for too long.
pub(super) fn measured(state: &mut State, measures: &[(String, u64)], now: Now, fx: &mut Vec<Effect>) {
    let mut stalled = Vec::new();
    // What passed while the machine slept counts for no run.
    let passed_ms = now.mono_ms.saturating_sub(state.measured_at).min(measure_every(state) * 2);
    state.measured_at = now.mono_ms;
    let resting: Vec<String> =
        state.running.iter().filter(|run| !is_measured(state, run)).map(|run| run.run_id.clone()).collect();
    for run in &mut state.running {
        let Some((_, measure)) = measures.iter().find(|(run_id, _)| *run_id == run.run_id) else { continue };
        run.measure = match *measure != run.measure.0 || resting.contains(&run.run_id) {
            true => (*measure, 0),
            false => (*measure, run.measure.1 + passed_ms.min(now.mono_ms - run.started_ms)),
        };
        let stall_ms = state.repositories.get(&run.repository).map_or(u64::MAX, stall_ms);
        if run.measure.1 >= stall_ms && run.stopping.is_none() {
            stalled.push(run.run_id.clone());
        }
    }
    for run_id in stalled {
        stop(state, &run_id, Why::Stalled, now, fx);
    }
}

/// Notes that a failed run is to be tried again, if its cause may pass.
pub(super) fn retry(state: &mut State, ended: &Running, run: &Run, now: Now) {
    let spread = state.draw();
    let spec = &ended.spec;
    // What a person asked for in words of their own is theirs to repeat; hints come back by themselves.
    let is_own = spec.paths.is_empty() && !spec.only_problems && !spec.accept_removals && ended.kind != Kind::Realtime;
    if run.outcome != Some(Outcome::Failed) || !is_own {
        return;
    }
    let class = run.error_class.as_deref().and_then(Class::parse).unwrap_or(Class::Internal);
    let Some(repo) = state.repositories.get(&ended.repository).filter(|repo| !repo.is_paused()) else { return };
    let attempt = u32::try_from(spec.attempt).unwrap_or(u32::MAX);
    let Some(wait) = Repo::retry_rules(&repo.tracked.config).wait(class, attempt, spread) else { return };
    let mut request = super::timers::request(repo, ended.kind, Trigger::Retry);
    (request.max_bytes, request.max_time, request.note) = (spec.max_bytes, spec.max_time, spec.note.clone());
    request.continues = spec.continues.clone();
    request.attempt = spec.attempt + 1;
    request.retry_of = Some(spec.retry_of.clone().unwrap_or_else(|| spec.run_id.clone()));
    state.retries.retain(|known| known.id != ended.repository || known.request.kind != ended.kind);
    state.retries.push(Retry { due_ms: now.mono_ms + wait.as_millis() as u64, id: ended.repository, request });
}

/// Cleans up the history from time to time, step by step.
pub(super) fn retire_due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    if state.retire_at == 0 {
        state.retired_at = Some(now);
        state.retire_at = now.mono_ms + FIRST_RETIRE_MS;
    } else if state.retire_at <= now.mono_ms {
        let drift_ms = |before: Now| {
            let passed_ms = now.mono_ms.saturating_sub(before.mono_ms) as i64;
            (now.wall.0 - before.wall.0 - passed_ms).unsigned_abs()
        };
        let has_jumped = state.retired_at.replace(now).is_some_and(|before| drift_ms(before) > RETIRE_EVERY_MS);
        if has_jumped {
            // A clock that is wrong for a while must not make everything old.
            state.retire_at = now.mono_ms + RETIRE_EVERY_MS;
            return;
        }
        // The end of the step sets the next time.
        state.retire_at = u64::MAX;
        fx.push(Effect::Retire);
    }
}

pub(super) fn retired(state: &mut State, is_done: bool, now: Now) {
    state.retire_at = now.mono_ms + if is_done { RETIRE_EVERY_MS } else { RETIRE_PAUSE_MS };
}

/// Returns when something may hang.
pub(super) fn next_stop(state: &State) -> Option<u64> {
    let stops = state.running.iter().filter_map(|run| run.stopping).map(|(until, _)| until);
    let measure = state.running.iter().any(|run| is_measured(state, run)).then_some(state.measure_at);
    stops.chain(measure).min()
}

/// Returns when something is to be done again.
pub(super) fn next_due(state: &State) -> Option<u64> {
    let retries = state.retries.iter().map(|retry| retry.due_ms);
    let retire = state.is_resident.then_some(state.retire_at);
    retries.chain(retire).min()
}
