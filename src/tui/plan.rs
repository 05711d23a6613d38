//! What a sync would change, before it does: asked for, shown, and done for real only when a person says so. Pure.

use super::event::Effect;
use super::state::{Overlay, State};
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::engine::protocol::{Command, Plan, SyncRequest};

/// Asks for the plan of the selected repository.
pub fn ask(state: &mut State) -> Vec<Effect> {
    let Some(name) = state.name().map(str::to_owned) else { return Vec::new() };
    state.note(format!("planning {name}: nothing is written"));
    let about = format!("plan {name}");
    let request = SyncRequest { plan: true, ..SyncRequest::new(vec![name], Kind::Full, Trigger::User) };
    vec![Effect::Send { command: Command::Sync(Box::new(request)), about }]
}

/// Takes a plan and shows it, unless something else is being done: nothing pushes itself in front of that.
pub fn take(state: &mut State, plans: Vec<Plan>) {
    let Some(plan) = plans.into_iter().next() else { return };
    let name = plan.run.repository.clone();
    state.forms.plan = Some(Box::new(plan));
    match state.overlay {
        None => state.overlay = Some(Overlay::Plan { scroll: 0 }),
        Some(_) => state.note(format!("the plan of {name} is there: show plan, among the commands")),
    }
}

/// Shows the last plan again.
pub fn show(state: &mut State) {
    state.overlay = Some(Overlay::Plan { scroll: 0 });
}

/// Does what was planned.
pub fn run(state: &mut State) -> Vec<Effect> {
    state.overlay = None;
    // What it says is over as soon as it is done.
    let Some(plan) = state.forms.plan.take() else { return Vec::new() };
    let name = plan.run.repository;
    let about = format!("sync {name}");
    let request = SyncRequest::new(vec![name], Kind::Full, Trigger::User);
    vec![Effect::Send { command: Command::Sync(Box::new(request)), about }]
}

/// Tells whether the plan came to its end, so that it may be done.
pub fn is_whole(state: &State) -> bool {
    let outcome = state.forms.plan.as_ref().and_then(|plan| plan.run.outcome);
    outcome.is_some_and(|outcome| !matches!(outcome, Outcome::Failed | Outcome::Cancelled | Outcome::Interrupted))
}
