//! Decides what the engine does: queue, merging, starting, cancelling, ending. Pure: no I/O, no clock (invariant 6).

use super::job::JobSpec;
use super::protocol::{Answer, Event, Plan, QueuedRun, Refusal};
use super::state::{Effect, Input, PendingPlan, ReplyId, Running, State, queued};

/// Takes one input, changes the state, and returns what is to be done, in order.
pub fn update(state: &mut State, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    match input {
        Input::Sync { jobs, reply } => enqueue(state, jobs, reply, &mut effects),
        Input::Finished { run_id, result } => finish(state, &run_id, result, &mut effects),
        Input::Cancel { names, run, reply } => {
            let count = cancel(state, &names, run.as_deref(), &mut effects);
            effects.push(Effect::Answer(reply, Answer::Done { count }));
        }
        Input::Shutdown { reply } => {
            cancel(state, &[], None, &mut effects);
            state.stopping = Some(reply);
        }
    }
    start_what_fits(state, &mut effects);
    if let Some(reply) = state.stopping.filter(|_| state.is_idle()) {
        effects.push(Effect::Answer(reply, Answer::Done { count: 0 }));
        effects.push(Effect::Publish(Event::Ended));
        effects.push(Effect::End);
    }
    effects
}

fn enqueue(state: &mut State, jobs: Vec<JobSpec>, reply: ReplyId, effects: &mut Vec<Effect>) {
    if state.stopping.is_some() {
        let refusal = Refusal::new("unavailable", "the engine is ending");
        return effects.push(Effect::Answer(reply, Answer::Refused(refusal)));
    }
    let mut accepted: Vec<QueuedRun> = Vec::new();
    let mut plan = PendingPlan::default();
    for job in jobs {
        if job.plan {
            plan.run_ids.push(job.run_id.clone());
            state.waiting.push(job);
        } else if let Some(joined) = join(state, &job) {
            accepted.push(joined);
        } else {
            accepted.push(queued(&job, false));
            effects.push(Effect::Publish(Event::RunQueued(queued(&job, false))));
            state.waiting.push(job);
        }
    }
    if plan.run_ids.is_empty() {
        effects.push(Effect::Answer(reply, Answer::Accepted(accepted)));
    } else {
        state.plans.insert(reply, plan);
    }
}

/// Lets a request be served by a run that waits or runs already, if that does all that is asked for.
fn join(state: &mut State, job: &JobSpec) -> Option<QueuedRun> {
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
        return Some(queued(waiting, true));
    }
    let running = state.running.iter().find(|r| is_same(r.repository, r.kind) && r.is_plain)?;
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
}

/// Starts what may run: one run a repository, so many repositories at once.
fn start_what_fits(state: &mut State, effects: &mut Vec<Effect>) {
    let mut next = 0;
    while next < state.waiting.len() && state.running.len() < state.at_once {
        // A plan leaves a transaction open while it runs: nothing runs beside it.
        let has_plan = state.running.iter().any(|running| running.is_plan);
        let candidate = &state.waiting[next];
        let is_taken = state.running.iter().any(|running| running.repository == candidate.repository.id);
        if has_plan || is_taken || (candidate.plan && !state.running.is_empty()) {
            next += 1;
            continue;
        }
        let job = state.waiting.remove(next);
        state.running.push(Running {
            run_id: job.run_id.clone(),
            repository: job.repository.id,
            name: job.repository.name.clone(),
            kind: job.kind,
            is_plain: is_plain(&job),
            is_plan: job.plan,
        });
        effects.push(Effect::Start(Box::new(job)));
    }
}

fn finish(
    state: &mut State,
    run_id: &str,
    result: Result<Box<super::job::Finished>, String>,
    effects: &mut Vec<Effect>,
) {
    let was_plan = state.running.iter().any(|running| running.run_id == run_id && running.is_plan);
    state.running.retain(|running| running.run_id != run_id);
    let reply =
        state.plans.iter().find(|(_, plan)| plan.run_ids.iter().any(|id| id == run_id)).map(|(reply, _)| *reply);
    let Some(reply) = reply else {
        // Of a plan that was cancelled or failed in another part: there is nobody to tell, and no row.
        if was_plan {
            return;
        }
        match result {
            Ok(finished) => effects.push(Effect::Publish(Event::RunFinished(Box::new(finished.run)))),
            Err(message) => {
                effects.push(Effect::Publish(Event::RunLost { run_id: run_id.to_owned(), message }));
            }
        }
        return;
    };
    let finished = match result {
        Ok(finished) => finished,
        Err(message) => {
            state.plans.remove(&reply);
            return effects.push(Effect::Answer(reply, Answer::Refused(Refusal::new("failed", message))));
        }
    };
    let Some(plan) = state.plans.get_mut(&reply) else { return };
    plan.done.push(Plan { run: finished.run, changes: finished.changes });
    if plan.done.len() == plan.run_ids.len() {
        let plan = state.plans.remove(&reply).unwrap_or_default();
        effects.push(Effect::Answer(reply, Answer::Planned(plan.done)));
    }
}

/// Drops what waits and stops what runs; returns how many runs.
fn cancel(state: &mut State, names: &[String], run: Option<&str>, effects: &mut Vec<Effect>) -> u64 {
    let is_meant = |name: &String, run_id: &str| match run {
        Some(wanted) => wanted == run_id,
        None => names.is_empty() || names.contains(name),
    };
    let before = state.waiting.len();
    let (dropped, kept) =
        std::mem::take(&mut state.waiting).into_iter().partition(|job| is_meant(&job.repository.name, &job.run_id));
    state.waiting = kept;
    let dropped: Vec<JobSpec> = dropped;
    for job in &dropped {
        effects.push(Effect::Publish(Event::RunLost {
            run_id: job.run_id.clone(),
            message: "cancelled before it began".to_owned(),
        }));
    }
    // Who waits for a plan of which a part was dropped is told now: the rest would never be whole.
    let replies: Vec<ReplyId> = state.plans.keys().copied().collect();
    for reply in replies {
        let is_hit = |plan: &PendingPlan| dropped.iter().any(|job| plan.run_ids.contains(&job.run_id));
        if state.plans.get(&reply).is_some_and(is_hit) {
            state.plans.remove(&reply);
            let refusal = Refusal::new("unavailable", "the plan was cancelled");
            effects.push(Effect::Answer(reply, Answer::Refused(refusal)));
        }
    }
    let mut count = (before - state.waiting.len()) as u64;
    for running in state.running.iter().filter(|running| is_meant(&running.name, &running.run_id)) {
        effects.push(Effect::Stop { run_id: running.run_id.clone() });
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests;
