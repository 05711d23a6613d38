//! The queue: merging, starting, ending, cancelling.

use super::{away, hints, proof, timers, watchdog};
use crate::disk::watch::Coverage;
use crate::domain::hint::Hints;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::{Finished, JobSpec, Manners};
use crate::engine::protocol::{Answer, Continued, Event, Plan, QueuedRun, Refusal};
use crate::engine::state::{Effect, PendingPlan, ReplyId, Running, Serving, State, queued};
use crate::engine::stop::Why;

/// Hints that a failed run leaves are looked at again after so long.
const REST_AFTER_FAILURE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) fn enqueue(state: &mut State, jobs: Vec<JobSpec>, reply: Option<ReplyId>, fx: &mut Vec<Effect>) {
    for job in &jobs {
        if let Some(repo) = state.repositories.get_mut(&job.repository.id).filter(|_| reply.is_none()) {
            repo.asked.remove(&job.kind);
        }
    }
    // It may have been paused or removed since the engine asked for this, or its root may have gone.
    let is_open = |job: &JobSpec| {
        let repo = state.repositories.get(&job.repository.id);
        repo.is_some_and(|repo| {
            !repo.is_paused() && !repo.is_stuck() && (repo.away.is_none() || job.kind == Kind::Full)
        })
    };
    let jobs: Vec<JobSpec> = jobs.into_iter().filter(|job| reply.is_some() || is_open(job)).collect();
    if state.stopping.is_some() {
        let refusal = Refusal::new("unavailable", "the engine is ending");
        fx.extend(reply.map(|reply| Effect::Answer(reply, Answer::Refused(refusal))));
        return;
    }
    let is_leaving = |job: &JobSpec| state.repositories.get(&job.repository.id).is_some_and(|repo| repo.is_leaving);
    if let Some(job) = jobs.iter().find(|job| is_leaving(job)) {
        let refusal = Refusal::new("conflict", format!("{} is being removed", job.repository.name));
        fx.extend(reply.map(|reply| Effect::Answer(reply, Answer::Refused(refusal))));
        return;
    }
    let mut accepted: Vec<QueuedRun> = Vec::new();
    let mut plan = PendingPlan::default();
    for job in jobs {
        if job.plan {
            plan.run_ids.push(job.run_id.clone());
            state.waiting.push(job);
        } else if let Some(joined) = join(state, &job, fx) {
            accepted.push(joined);
        } else {
            accepted.push(queued(&job, false));
            if job.kind != Kind::Realtime {
                fx.push(Effect::Publish(Event::RunQueued(queued(&job, false))));
            }
            state.waiting.push(job);
        }
    }
    let Some(reply) = reply else { return };
    if plan.run_ids.is_empty() {
        fx.push(Effect::Answer(reply, Answer::Accepted(accepted)));
    } else {
        state.plans.insert(reply, plan);
    }
}

/// A request of the engine's own came to nothing: the next time that it is due it is asked for again, and what was
/// needed for "true as of" as soon as may be.
pub(super) fn not_prepared(state: &mut State, name: &str, kind: Kind, message: &str, now: Now) {
    tracing::warn!(repository = name, kind = kind.as_str(), reason = message, "a run could not be prepared");
    for repo in state.repositories.values_mut().filter(|repo| repo.name() == name) {
        repo.asked.remove(&kind);
        match kind {
            Kind::Realtime => hints::rest(repo, now),
            Kind::Full if repo.is_watched() && !repo.watch.is_vouched => repo.look_at_everything(now),
            _ => {}
        }
    }
}

/// Lets a request be served by a run that waits or runs already, if that does all that is asked for.
fn join(state: &mut State, job: &JobSpec, fx: &mut Vec<Effect>) -> Option<QueuedRun> {
    if !is_plain(job) {
        return None;
    }
    let is_same = |id, kind| id == job.repository.id && kind == job.kind;
    if let Some(waiting) = state.waiting.iter_mut().find(|w| is_same(w.repository.id, w.kind) && is_plain(w)) {
        for trigger in &job.triggers {
            if !waiting.triggers.contains(trigger) {
                waiting.triggers.push(*trigger);
            }
        }
        waiting.manners = waiting.manners.min(job.manners);
        return Some(queued(waiting, true));
    }
    // What the watcher asks for came after that run began, and may lie behind it.
    if job.triggers.iter().any(|trigger| matches!(trigger, Trigger::Overflow | Trigger::Watch)) {
        return None;
    }
    let is_served = |r: &&Running| is_same(r.repository, r.kind) && is_plain(&r.spec) && r.stopping.is_none();
    let running = state.running.iter().find(is_served)?;
    if job.manners == Manners::Busy && running.spec.manners != Manners::Busy {
        fx.push(Effect::Hurry { run_id: running.run_id.clone() });
    }
    Some(QueuedRun {
        repository: running.name.clone(),
        run_id: running.run_id.clone(),
        kind: running.kind,
        joined: true,
    })
}

/// Tells whether a job is nothing but its kind.
fn is_plain(job: &JobSpec) -> bool {
    job.paths.is_empty()
        && !job.only_problems
        && !job.accept_removals
        && !job.plan
        && job.max_bytes.is_none()
        && job.max_time.is_none()
        && job.note.is_none()
        && job.continues.is_none()
}

/// Starts what may run: one run a repository, so many repositories at once, one on a rotating disk. Realtime runs take
/// no slot, and end as soon as another run of their repository waits.
pub(super) fn start_what_fits(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    drop_idle_realtime(state);
    make_room(state, fx);
    let mut next = 0;
    while next < state.waiting.len() {
        if !may_start(state, &state.waiting[next]) {
            next += 1;
            continue;
        }
        let job = state.waiting.remove(next);
        state.running.push(Running {
            run_id: job.run_id.clone(),
            repository: job.repository.id,
            name: job.repository.name.clone(),
            kind: job.kind,
            started_ms: now.mono_ms,
            stopping: None,
            measure: (0, 0),
            losses: state.repositories.get(&job.repository.id).map_or(0, |repo| repo.losses),
            hinted_ms: now.mono_ms,
            is_closing: false,
            postponed: 0,
            spec: job.clone(),
        });
        timers::started(state, &job, now);
        fx.push(Effect::Start(Box::new(job)));
    }
}

/// A realtime run that has nothing to look at any more does not begin.
fn drop_idle_realtime(state: &mut State) {
    let repositories = &state.repositories;
    state.waiting.retain(|job| {
        let has_hints =
            || repositories.get(&job.repository.id).is_some_and(|repo| !repo.pending.is_empty() || repo.must_poll());
        job.kind != Kind::Realtime || has_hints()
    });
}

fn may_start(state: &State, job: &JobSpec) -> bool {
    // A plan leaves a transaction open while it runs: nothing runs beside it.
    let has_plan = state.running.iter().any(|running| running.spec.plan);
    let is_taken = state.running.iter().any(|running| running.repository == job.repository.id);
    if has_plan || is_taken || (job.plan && !state.running.is_empty()) {
        return false;
    }
    if job.kind == Kind::Realtime {
        // Whatever else begins now in the repository serves its hints, too; and a plan needs all of them to end.
        let is_next =
            |w: &JobSpec| w.repository.id == job.repository.id && w.kind != Kind::Realtime && has_slot(state, w);
        return !state.waiting.iter().any(|w| w.plan || is_next(w));
    }
    has_slot(state, job)
}

/// Tells whether fewer other runs go on than may, and none on the same rotating disk. A realtime run that ends to make
/// room keeps the place for the run that waits for it.
pub(super) fn has_slot(state: &State, job: &JobSpec) -> bool {
    let is_awaited = |id: RepositoryId| state.waiting.iter().any(|w| w.repository.id == id && w.kind != Kind::Realtime);
    let keeps_place =
        |run: &Running| run.is_closing && run.repository != job.repository.id && is_awaited(run.repository);
    let slots = state.running.iter().filter(|run| run.kind != Kind::Realtime || keeps_place(run));
    let is_disk_busy = || slots.clone().any(|running| job.disk.is_some() && running.spec.disk == job.disk);
    slots.clone().count() < state.config.sync.repositories_at_once && !is_disk_busy()
}

/// Asks runs that stand in the way of others, and can, to make room.
fn make_room(state: &mut State, fx: &mut Vec<Effect>) {
    let next: Vec<RepositoryId> =
        state.waiting.iter().filter(|job| has_slot(state, job)).map(|job| job.repository.id).collect();
    let State { waiting, running, repositories, .. } = state;
    for run in running.iter_mut().filter(|run| !run.is_closing && run.stopping.is_none()) {
        let repo = repositories.get(&run.repository);
        match run.kind {
            Kind::Realtime => {
                let is_serving = repo.is_some_and(|repo| repo.serving.is_some());
                let is_in_the_way = next.contains(&run.repository) || waiting.iter().any(|job| job.plan);
                if is_in_the_way && !is_serving {
                    run.is_closing = true;
                    fx.push(Effect::NoMoreHints { run_id: run.run_id.clone() });
                }
            }
            Kind::Verify => {
                // A watched repository does not need its scheduled incremental run this minute.
                let can_wait = |job: &JobSpec| {
                    job.kind == Kind::Incremental
                        && job.triggers == [Trigger::Schedule]
                        && repo.is_some_and(|repo| repo.watch.coverage.watched > 0)
                };
                let is_waited_for = |job: &&JobSpec| job.repository.id == run.repository && job.kind != Kind::Verify;
                if waiting.iter().filter(is_waited_for).any(|job| !can_wait(job)) {
                    run.is_closing = true;
                    fx.push(Effect::Stop { run_id: run.run_id.clone(), why: Why::GiveWay });
                }
            }
            _ => {}
        }
    }
}

pub(super) fn finish(
    state: &mut State,
    run_id: &str,
    result: Result<Box<Finished>, String>,
    coverage: Option<Coverage>,
    now: Now,
    fx: &mut Vec<Effect>,
) {
    let Some(at) = state.running.iter().position(|running| running.run_id == run_id) else {
        return watchdog::is_back(state, run_id, now);
    };
    let ended = state.running.remove(at);
    if ended.spec.plan {
        return finish_plan(state, run_id, result, fx);
    }
    watchdog::note_hanging(state, &ended, &result);
    let id = ended.repository;
    let is_success = result.as_ref().is_ok_and(|finished| finished.run.outcome.is_some_and(Outcome::is_success));
    if let Some(repo) = state.repositories.get_mut(&id) {
        repo.postponed = 0;
        let unserved = repo.serving.take_if(|serving| serving.run_id == run_id);
        proof::cover(repo, coverage, state.proof.down.is_some());
        if ended.kind == Kind::Realtime && !is_success {
            hints::rest(repo, now);
        }
        let left = result.as_ref().map_or_else(|_| Hints::default(), |finished| finished.again.clone());
        let is_hinted = repo.is_watched() && repo.away.is_none();
        let had_places = |serving: Serving| serving.places > u64::from(serving.polled_at.is_some());
        // A run that could not even be opened, or whose threads hang, gives nothing back.
        let is_lost = ended.postponed > 0 || (ended.kind == Kind::Full && !repo.watch.is_vouched);
        let is_broken = result.as_ref().map_or(true, |finished| finished.is_given_up) && is_lost;
        if is_hinted && (is_broken || (left.is_empty() && unserved.is_some_and(had_places))) {
            // They went down with the thread that had them.
            repo.look_at_everything(now);
        } else if is_hinted && !left.is_empty() {
            match is_success {
                // Nobody has them in his hands any more.
                true => repo.add_soon(left, 0, now),
                false => repo.add_hints(left, now, REST_AFTER_FAILURE),
            }
        }
    }
    match result {
        Ok(finished) => {
            after(state, &ended, &finished, now, fx);
            fx.push(Effect::Publish(Event::RunFinished(Box::new(finished.run))));
        }
        Err(message) => fx.push(Effect::Publish(Event::RunLost { run_id: run_id.to_owned(), message })),
    }
    fx.push(Effect::Tell(id));
}

/// Draws what follows from a run that has ended.
fn after(state: &mut State, ended: &Running, finished: &Finished, now: Now, fx: &mut Vec<Effect>) {
    let run = &finished.run;
    if let Some(repo) = state.repositories.get_mut(&ended.repository)
        && finished.has_seen_all
        && repo.is_watched()
        && repo.losses == ended.losses
    {
        repo.watch.is_vouched = true;
        repo.watch.proven_at = proof::later(repo.watch.proven_at, run.started_at, now);
        repo.watch.polled_at = proof::later(repo.watch.polled_at, run.started_at, now);
    }
    away::after_run(state, ended, run, now, fx);
    timers::ended(state, ended, run, now);
    if state.is_resident {
        watchdog::retry(state, ended, run, now);
        go_on_verifying(state, ended, finished, fx);
    }
}

/// A verify that gave way takes its turn again with what is left of its budget.
fn go_on_verifying(state: &State, ended: &Running, finished: &Finished, fx: &mut Vec<Effect>) {
    let run = &finished.run;
    let gave_way = ended.kind == Kind::Verify && ended.is_closing && run.outcome.is_some_and(Outcome::is_success);
    let Some(repo) = state.repositories.get(&ended.repository).filter(|_| gave_way && finished.gave_way) else {
        return;
    };
    let took = std::time::Duration::from_millis(run.duration_ms.unwrap_or(0).unsigned_abs());
    let spec = &ended.spec;
    let mut request = timers::request(repo, Kind::Verify, spec.triggers.first().copied().unwrap_or(Trigger::Schedule));
    let since = spec.continues.as_ref().map_or(run.started_at, |before| before.since);
    request.continues = Some(Continued { run_id: run.run_id.clone(), number: run.number, since });
    request.max_bytes = spec.max_bytes.map(|most| most.saturating_sub(run.tally.bytes_hashed.unsigned_abs()));
    request.max_time = spec.max_time.map(|most| most.saturating_sub(took));
    if request.max_bytes != Some(0) && request.max_time != Some(std::time::Duration::ZERO) {
        fx.push(Effect::Request(Box::new(request)));
    }
}

fn finish_plan(state: &mut State, run_id: &str, result: Result<Box<Finished>, String>, fx: &mut Vec<Effect>) {
    // Its start was told: whoever looks on must hear that it is over, also of one that nobody waits for any more.
    fx.push(Effect::Publish(match &result {
        Ok(finished) => Event::RunFinished(Box::new(finished.run.clone())),
        Err(message) => Event::RunLost { run_id: run_id.to_owned(), message: message.clone() },
    }));
    let reply =
        state.plans.iter().find(|(_, plan)| plan.run_ids.iter().any(|id| id == run_id)).map(|(reply, _)| *reply);
    // Of a plan that was cancelled or failed in another part: there is nobody to tell, and no row.
    let Some(reply) = reply else { return };
    let finished = match result {
        Ok(finished) => finished,
        Err(message) => {
            state.plans.remove(&reply);
            return fx.push(Effect::Answer(reply, Answer::Refused(Refusal::new("failed", message))));
        }
    };
    let Some(plan) = state.plans.get_mut(&reply) else { return };
    plan.done.push(Plan { run: finished.run, changes: finished.changes });
    if plan.done.len() == plan.run_ids.len() {
        let plan = state.plans.remove(&reply).unwrap_or_default();
        fx.push(Effect::Answer(reply, Answer::Planned(plan.done)));
    }
}
