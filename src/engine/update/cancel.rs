//! Cancelling: what waits is dropped, what runs is stopped; of some repositories, of one run, or of all at the end.

use super::watchdog;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::JobSpec;
use crate::engine::protocol::{Answer, Event, Refusal};
use crate::engine::state::{Effect, PendingPlan, ReplyId, Running, State};
use crate::engine::stop::Why;

/// Drops what waits and stops what runs; returns how many runs.
pub(super) fn cancel(state: &mut State, names: &[String], run: Option<&str>, now: Now, fx: &mut Vec<Effect>) -> u64 {
    let is_meant = |name: &String, run_id: &str| match run {
        Some(wanted) => wanted == run_id,
        None => names.is_empty() || names.contains(name),
    };
    let before = state.waiting.len();
    let (dropped, kept) =
        std::mem::take(&mut state.waiting).into_iter().partition(|job| is_meant(&job.repository.name, &job.run_id));
    state.waiting = kept;
    let dropped: Vec<JobSpec> = dropped;
    tell_lost(&dropped, "cancelled before it began", fx);
    refuse_broken_plans(state, &dropped, fx);
    let mut count = (before - state.waiting.len()) as u64;
    let meant: Vec<String> = state
        .running
        .iter()
        .filter(|running| is_meant(&running.name, &running.run_id))
        .map(|running| running.run_id.clone())
        .collect();
    for run_id in meant {
        count += 1;
        stop(state, &run_id, now, fx);
    }
    count
}

/// Stops a run: in the middle of something as cancelled; a realtime run that only waits ends as what it is.
fn stop(state: &mut State, run_id: &str, now: Now, fx: &mut Vec<Effect>) {
    let is_serving = |id: RepositoryId| state.repositories.get(&id).is_some_and(|repo| repo.serving.is_some());
    let is_idle =
        |run: &&mut Running| run.run_id == run_id && run.kind == Kind::Realtime && !is_serving(run.repository);
    let Some(run) = state.running.iter_mut().find(is_idle) else {
        return watchdog::stop(state, run_id, Why::Cancelled, now, fx);
    };
    run.is_closing = true;
    run.stopping.get_or_insert((now.mono_ms + watchdog::PATIENCE_MS, Why::Cancelled));
    fx.push(Effect::NoMoreHints { run_id: run_id.to_owned() });
}

/// Drops what waits for a repository and nobody asked for: its root is not there.
pub(super) fn drop_own(state: &mut State, id: RepositoryId, fx: &mut Vec<Effect>) {
    let is_own = |job: &JobSpec| job.repository.id == id && !job.plan && !job.triggers.contains(&Trigger::User);
    let (dropped, kept) = std::mem::take(&mut state.waiting).into_iter().partition(is_own);
    state.waiting = kept;
    let dropped: Vec<JobSpec> = dropped;
    tell_lost(&dropped, "its root is not there", fx);
}

/// Tells who looks on that runs which waited do not begin. They were never told of realtime runs.
fn tell_lost(dropped: &[JobSpec], message: &str, fx: &mut Vec<Effect>) {
    for job in dropped.iter().filter(|job| job.kind != Kind::Realtime) {
        let (run_id, message) = (job.run_id.clone(), message.to_owned());
        fx.push(Effect::Publish(Event::RunLost { run_id, message }));
    }
}

/// Who waits for a plan of which a part was dropped is told now: the rest would never be whole.
fn refuse_broken_plans(state: &mut State, dropped: &[JobSpec], fx: &mut Vec<Effect>) {
    let replies: Vec<ReplyId> = state.plans.keys().copied().collect();
    for reply in replies {
        let is_hit = |plan: &PendingPlan| dropped.iter().any(|job| plan.run_ids.contains(&job.run_id));
        if state.plans.get(&reply).is_some_and(is_hit) {
            state.plans.remove(&reply);
            let refusal = Refusal::new("unavailable", "the plan was cancelled");
            fx.push(Effect::Answer(reply, Answer::Refused(refusal)));
        }
    }
}

/// Ends everything.
pub(super) fn stop_all(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let dropped = std::mem::take(&mut state.waiting);
    tell_lost(&dropped, "cancelled before it began", fx);
    refuse_broken_plans(state, &dropped, fx);
    let running: Vec<String> = state.running.iter().map(|run| run.run_id.clone()).collect();
    for run_id in running {
        stop(state, &run_id, now, fx);
    }
    // A service manager waits five seconds; the end of a run that hangs must be written before.
    for run in &mut state.running {
        let at_last = now.mono_ms + watchdog::PATIENCE_AT_END_MS;
        run.stopping = run.stopping.map(|(until, why)| (until.min(at_last), why));
    }
}
