//! Roots that are not there: such a repository starts no runs, and gets a full sync when its root returns.

use super::{cancel, timers};
use crate::disk::watch::Coverage;
use crate::domain::problem::Class;
use crate::domain::report::Run;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::domain::schedule::Now;
use crate::engine::state::{Away, Effect, Repo, Running, State};

/// A root is looked for so often: an unmount reaches the watcher only when it is the watched directory's own.
const EVERY_MS: u64 = 10_000;
/// ... and while it is away, so often.
const EVERY_WHILE_AWAY_MS: u64 = 5_000;

/// Asks whether roots are there.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    for (id, repo) in &mut state.repositories {
        if repo.is_probed || repo.is_paused() || repo.probe_at > now.mono_ms {
            continue;
        }
        repo.is_probed = true;
        repo.probe_at = now.mono_ms + if repo.away.is_some() { EVERY_WHILE_AWAY_MS } else { EVERY_MS };
        fx.push(Effect::Probe(*id));
    }
}

/// Takes the answer. A root that has gone gets one run, which writes down that it failed; a root that has returned gets
/// a full sync.
pub(super) fn probed(state: &mut State, id: RepositoryId, is_there: bool, now: Now, fx: &mut Vec<Effect>) {
    let is_running = state.running_in(id).is_some_and(|run| run.kind != Kind::Realtime);
    let Some(repo) = state.repositories.get_mut(&id) else { return };
    repo.is_probed = false;
    if repo.is_paused() || repo.away.is_none() == is_there {
        return;
    }
    if is_there {
        repo.away = None;
        repo.watch.rescan = None;
    } else {
        leave(repo, id, now, fx);
        cancel::drop_own(state, id, fx);
    }
    let Some(repo) = state.repositories.get_mut(&id) else { return };
    // A run that goes on, or is about to, will find out and say so.
    if (!is_there && is_running) || !repo.asked.insert(Kind::Full) {
        return;
    }
    fx.push(Effect::Request(Box::new(timers::request(repo, Kind::Full, Trigger::Watch))));
}

/// A run that found no root has written that down: no other is needed for it. One that found it ends the waiting.
pub(super) fn after_run(state: &mut State, ended: &Running, run: &Run, now: Now, fx: &mut Vec<Effect>) {
    if !state.is_resident {
        return;
    }
    let Some(repo) = state.repositories.get_mut(&ended.repository) else { return };
    let class = run.error_class.as_deref();
    if run.outcome == Some(Outcome::Failed) && class == Some(Class::MountMissing.as_str()) {
        if repo.away.is_none() {
            leave(repo, ended.repository, now, fx);
        }
        cancel::drop_own(state, ended.repository, fx);
    } else if run.outcome.is_some_and(Outcome::is_success) && class.is_none() {
        let was_away = repo.away.take().is_some();
        // What the run has not looked at is not watched either; and one that began before the root was lost saw both.
        if was_away && repo.is_watched() && !repo.watch.is_vouched {
            repo.watch.rescan = None;
            repo.look_at_everything(now);
        }
    }
}

fn leave(repo: &mut Repo, id: RepositoryId, now: Now, fx: &mut Vec<Effect>) {
    repo.away = Some(Away { skipped: 0 });
    repo.probe_at = now.mono_ms + EVERY_WHILE_AWAY_MS;
    repo.pending.clear();
    repo.lose();
    repo.watch.coverage = Coverage::default();
    fx.push(Effect::Forget(id));
}
