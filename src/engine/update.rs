//! Decides what the engine does: queue, hints, schedule, retries, proofs, what hangs. Pure: no I/O, no clock (invariant 6).
//!
//! Every input is followed by the same round of questions: what is due, what may start, which hints can be served, what
//! hangs, what has changed for those who look on.

mod away;
mod backups;
mod cancel;
mod deadlines;
mod hints;
mod live;
mod proof;
mod queue;
mod repositories;
mod timers;
mod watchdog;

pub use deadlines::next_deadline;
pub use live::{live, scheduler};

use super::protocol::{Answer, Event};
use super::state::{Effect, Input, State};
use crate::domain::schedule::Now;

/// Takes one input, changes the state, and returns what is to be done, in order.
pub fn update(state: &mut State, input: Input, now: Now) -> Vec<Effect> {
    let mut effects = Vec::new();
    let fx = &mut effects;
    match input {
        Input::Sync { jobs, reply } => queue::enqueue(state, jobs, reply, fx),
        Input::NotPrepared { name, kind, message } => queue::not_prepared(state, &name, kind, &message, now),
        Input::Finished { run_id, result, coverage } => queue::finish(state, &run_id, result, coverage, now, fx),
        Input::Served { run_id, served, coverage } => hints::served(state, &run_id, served, coverage, now, fx),
        Input::Cancel { names, run, reply } => {
            let count = cancel::cancel(state, &names, run.as_deref(), now, fx);
            fx.push(Effect::Answer(reply, Answer::Done { count }));
        }
        Input::Repositories(tracked) => repositories::take(state, tracked, now, fx),
        Input::Leaving { name, is_going } => repositories::leave(state, &name, is_going, now, fx),
        Input::Config(config) => repositories::configure(state, *config),
        Input::Watch(news) => hints::hear(state, news, now, fx),
        Input::WatcherStarted => proof::started(state, now),
        Input::Probed { id, is_there } => away::probed(state, id, is_there, now, fx),
        Input::Measured(measures) => watchdog::measured(state, &measures, now, fx),
        Input::Snapshot { reply } => proof::snapshot(state, reply, now, fx),
        Input::Retired { is_done } => watchdog::retired(state, is_done, now),
        Input::BackedUp { at } => backups::ended(state, at, now),
        Input::Tick => {}
        Input::Shutdown { reply } => {
            cancel::stop_all(state, now, fx);
            state.stopping = Some(reply);
        }
    }
    if state.stopping.is_none() {
        if state.is_resident {
            away::due(state, now, fx);
            timers::due(state, now, fx);
            hints::due(state, now, fx);
            watchdog::retire_due(state, now, fx);
            backups::due(state, now, fx);
        }
        queue::start_what_fits(state, now, fx);
        hints::serve_due(state, now, fx);
    }
    proof::due(state, now, fx);
    watchdog::due(state, now, fx);
    live::publish(state, now, fx);
    if let Some(reply) = state.stopping.filter(|_| state.is_idle()) {
        effects.push(Effect::Answer(reply, Answer::Done { count: 0 }));
        effects.push(Effect::Publish(Event::Ended));
        effects.push(Effect::End);
    }
    effects
}

#[cfg(test)]
mod tests;
