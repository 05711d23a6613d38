//! What follows when repositories are added, changed, paused or removed, and when the config is another.

use super::{cancel, timers, watchdog};
use crate::config::Config;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::Now;
use crate::engine::state::{Effect, Repo, Running, State, Tracked, Watching};
use crate::engine::stop::Why;

/// Takes all repositories as they are now. The first time, each gets its start-up sync.
pub(super) fn take(state: &mut State, all: Vec<Tracked>, now: Now, fx: &mut Vec<Effect>) {
    let is_start = !std::mem::replace(&mut state.has_started, true);
    let gone: Vec<RepositoryId> =
        state.repositories.keys().copied().filter(|id| all.iter().all(|t| t.repository.id != *id)).collect();
    for id in gone {
        state.repositories.remove(&id);
        state.retries.retain(|retry| retry.id != id);
        fx.push(Effect::Forget(id));
    }
    for mut tracked in all {
        // Who only does what is asked watches nothing.
        tracked.config.watch.enabled &= state.is_resident;
        let id = tracked.repository.id;
        match state.repositories.get_mut(&id) {
            Some(repo) => {
                let before = std::mem::replace(&mut repo.tracked, tracked);
                change(state, id, &before, now, fx);
            }
            None => {
                let mut repo = Repo::new(tracked, now);
                timers::wind_up(&mut repo, !is_start, now);
                if is_start && state.is_resident && !repo.is_paused() {
                    start_up(&mut repo, state.has_gone_back, fx);
                }
                state.repositories.insert(id, repo);
            }
        }
    }
}

fn start_up(repo: &mut Repo, has_gone_back: bool, fx: &mut Vec<Effect>) {
    let full = has_gone_back.then(|| timers::request(repo, Kind::Full, Trigger::Startup));
    if let Some(request) = full.or_else(|| timers::startup(repo)) {
        repo.asked.insert(request.kind);
        fx.push(Effect::Request(Box::new(request)));
    }
}

fn change(state: &mut State, id: RepositoryId, before: &Tracked, now: Now, fx: &mut Vec<Effect>) {
    if !state.is_resident {
        return;
    }
    let Some(repo) = state.repositories.get_mut(&id) else { return };
    let after = &repo.tracked;
    let old = &before.repository;
    let is_other = (&old.name, &old.path, &old.settings)
        != (&after.repository.name, &after.repository.path, &after.repository.settings);
    let was_watched = before.config.watch.enabled && before.repository.paused_at.is_none();
    let has_moved = before.repository.path != after.repository.path;
    let is_paused_now = repo.is_paused() && before.repository.paused_at.is_none();
    let is_resumed = !repo.is_paused() && before.repository.paused_at.is_some();
    if before.config.sync != after.config.sync {
        timers::wind_up(repo, false, now);
    }
    if was_watched && (!repo.is_watched() || has_moved) {
        repo.pending.clear();
        repo.rest = None;
        repo.watch = Watching { proven_at: repo.watch.proven_at, ..Watching::default() };
        repo.lose();
        fx.push(Effect::Forget(id));
    }
    if has_moved || is_resumed {
        repo.away = None;
        repo.hanging.clear();
        repo.probe_at = now.mono_ms;
    }
    // Nobody watched meanwhile, or nobody has watched there.
    let needs_look = is_resumed || (has_moved && !repo.is_paused()) || (!was_watched && repo.is_watched());
    if needs_look {
        // A run that goes on now may have begun without a watcher.
        repo.lose();
        let trigger = if is_resumed { Trigger::User } else { Trigger::Watch };
        repo.asked.insert(Kind::Full);
        fx.push(Effect::Request(Box::new(timers::request(repo, Kind::Full, trigger))));
    }
    // A realtime run works with what held when it began.
    let is_stale = |run: &&mut Running| run.repository == id && run.kind == Kind::Realtime && !run.is_closing;
    for run in state.running.iter_mut().filter(is_stale).filter(|_| is_other) {
        run.is_closing = true;
        fx.push(Effect::NoMoreHints { run_id: run.run_id.clone() });
    }
    if is_paused_now {
        let Some(repo) = state.repositories.get(&id) else { return };
        let name = repo.name().to_owned();
        state.retries.retain(|retry| retry.id != id);
        cancel::cancel(state, &[name], None, now, fx);
    }
}

/// Lets a repository go: what runs for it by itself ends, and what waits for it is dropped.
pub(super) fn leave(state: &mut State, name: &str, is_going: bool, now: Now, fx: &mut Vec<Effect>) {
    let Some((id, repo)) = state.repositories.iter_mut().find(|(_, repo)| repo.name() == name) else { return };
    repo.is_leaving = is_going;
    if !is_going {
        return;
    }
    repo.pending.clear();
    repo.lose();
    fx.push(Effect::Forget(*id));
    let id = *id;
    let is_serving = repo.serving.is_some();
    let realtime = state.running.iter_mut().find(|run| run.repository == id && run.kind == Kind::Realtime);
    if let Some(run) = realtime {
        run.is_closing = true;
        let run_id = run.run_id.clone();
        match is_serving {
            // It may be in the middle of a large file.
            true => watchdog::stop(state, &run_id, Why::Cancelled, now, fx),
            false => fx.push(Effect::NoMoreHints { run_id }),
        }
    }
    // Only realtime runs: with others the removal is refused.
    state.waiting.retain(|job| job.repository.id != id);
}

/// Takes what holds for the whole program. The repositories' own settings come with them.
pub(super) fn configure(state: &mut State, config: Config) {
    state.config = config;
}
