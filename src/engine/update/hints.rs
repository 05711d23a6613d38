//! Hints: gathered, served by the run that goes on or by a realtime run, and beyond a measure turned into a full sync.

use super::{proof, timers};
use crate::disk::watch::{Coverage, News};
use crate::domain::hint::Everything;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::{HintBatch, Served};
use crate::engine::protocol::{Event, SyncRequest};
use crate::engine::state::{Effect, Repo, Running, Serving, State};
use std::time::Duration;

/// A realtime run stays open until it was quiet for so long, so that the history does not drown in them.
const QUIET_MS: u64 = 10_000;
/// But no longer than this: its counts are for people.
const LONGEST_MS: u64 = 3_600_000;
/// What still changed when it was looked at is looked at again after so long.
const REST: Duration = Duration::from_secs(2);
/// Between two looks at everything: the second comes after this, and each further one after twice as long.
const FIRST_RESCAN_WAIT_MS: u64 = 10_000;
/// ... up to this; after as much quiet the next one comes at once again.
const LONGEST_RESCAN_WAIT_MS: u64 = 600_000;

impl Repo {
    /// Tells whether some of it is not watched and must be listed from time to time.
    fn is_polled(&self) -> bool {
        self.is_watched() && (self.watch.coverage.unwatched > 0 || self.watch.coverage.is_remote)
    }

    /// Tells whether a full sync has ever reached its end: before, nothing can be looked at in parts.
    fn is_seen(&self) -> bool {
        self.tracked.repository.seen_generation > 0
    }

    pub(in crate::engine) fn must_poll(&self) -> bool {
        self.is_polled() && self.is_seen() && self.watch.poll_at == 0
    }

    /// Returns how long a realtime run waits for more: a polled repository has one run for many polls.
    fn quiet_ms(&self) -> u64 {
        match self.is_polled() {
            true => self.tracked.config.watch.poll_every.as_millis() as u64 * 3 / 2,
            false => QUIET_MS,
        }
    }

    fn has_due_hints(&self, now: Now) -> bool {
        self.pending.next_due(self.patience()).is_some_and(|due| due <= now.mono_ms)
    }
}

/// Takes news from the watcher.
pub(super) fn hear(state: &mut State, news: News, now: Now, fx: &mut Vec<Effect>) {
    match news {
        News::Hints { tree, hints } => {
            let Some(repo) = state.repositories.get_mut(&RepositoryId(tree)) else { return };
            if !repo.is_watched() || repo.away.is_some() {
                return;
            }
            repo.watch.is_vouched &= hints.why_everything().is_none();
            repo.pending.add(hints, now.mono_ms, Duration::ZERO);
        }
        News::RootLost { tree } => {
            let id = RepositoryId(tree);
            let Some(repo) = state.repositories.get_mut(&id) else { return };
            repo.watch.is_vouched = false;
            repo.watch.coverage = Coverage::default();
            repo.probe_at = now.mono_ms;
            fx.push(Effect::Forget(id));
        }
        News::Proof(number) => proof::answered(state, number, now, fx),
        News::Down(reason) => proof::down(state, &reason, now, fx),
    }
}

/// Asks for the runs that hints need: a look at everything, or a realtime run when no other goes on.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let busy: Vec<RepositoryId> = state
        .running
        .iter()
        .map(|run| run.repository)
        .chain(state.waiting.iter().map(|job| job.repository.id))
        .collect();
    for (id, repo) in &mut state.repositories {
        if !repo.is_watched() || repo.away.is_some() {
            continue;
        }
        if repo.is_polled() && repo.watch.poll_at != 0 && repo.watch.poll_at <= now.mono_ms {
            repo.watch.poll_at = 0;
        }
        rescan(repo, now, fx);
        let needs_run = repo.is_seen() && repo.serving.is_none() && (repo.has_due_hints(now) || repo.must_poll());
        if needs_run && !busy.contains(id) && repo.asked.is_empty() {
            repo.asked.insert(Kind::Realtime);
            let request = SyncRequest::new(vec![repo.name().to_owned()], Kind::Realtime, Trigger::Watch);
            fx.push(Effect::Request(Box::new(request)));
        }
    }
}

/// Asks for a look at everything; the more often that happens, the longer it waits.
///
/// A full listing, not an incremental one: what was written to in place leaves no trace in its directory's stamp.
fn rescan(repo: &mut Repo, now: Now, fx: &mut Vec<Effect>) {
    if repo.pending.why_everything().is_none() || repo.asked.contains(&Kind::Full) {
        return;
    }
    let wait_ms = match repo.watch.rescan {
        Some((last_ms, wait_ms)) if now.mono_ms < last_ms + wait_ms => return,
        Some((last_ms, _)) if now.mono_ms >= last_ms + LONGEST_RESCAN_WAIT_MS => FIRST_RESCAN_WAIT_MS,
        Some((_, wait_ms)) => (wait_ms * 2).min(LONGEST_RESCAN_WAIT_MS),
        None => FIRST_RESCAN_WAIT_MS,
    };
    repo.watch.rescan = Some((now.mono_ms, wait_ms));
    let trigger = match repo.pending.take_everything() {
        Some(Everything::Overflow) => Trigger::Overflow,
        Some(Everything::Many) | None => Trigger::Watch,
    };
    repo.asked.insert(Kind::Full);
    fx.push(Effect::Request(Box::new(timers::request(repo, Kind::Full, trigger))));
}

/// Hands hints that are due to the run that goes on in their repository, and ends realtime runs that have been quiet.
pub(super) fn serve_due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    if !state.is_resident {
        return;
    }
    for run in state.running.iter_mut().filter(|run| !run.spec.plan && run.stopping.is_none()) {
        let Some(repo) = state.repositories.get_mut(&run.repository) else { continue };
        if repo.serving.is_some() || !repo.is_watched() {
            continue;
        }
        let is_quiet = now.mono_ms >= run.hinted_ms + repo.quiet_ms() || now.mono_ms >= run.started_ms + LONGEST_MS;
        // A verify that was told to give way takes hints to its end; a realtime run that was told to end does not.
        if run.kind == Kind::Realtime && run.is_closing {
            continue;
        }
        if repo.has_due_hints(now) || (repo.must_poll() && run.kind == Kind::Realtime) {
            serve(run, repo, now, fx);
        } else if run.kind == Kind::Realtime && is_quiet {
            run.is_closing = true;
            fx.push(Effect::NoMoreHints { run_id: run.run_id.clone() });
        }
    }
}

fn serve(run: &mut Running, repo: &mut Repo, now: Now, fx: &mut Vec<Effect>) {
    let places = repo.pending.take_due(now.mono_ms, repo.patience());
    // A full run lists everything anyway.
    let polls = repo.must_poll() && run.kind == Kind::Realtime;
    run.hinted_ms = now.mono_ms;
    repo.serving = Some(Serving {
        run_id: run.run_id.clone(),
        places: places.len() as u64 + u64::from(polls),
        polled_at: polls.then_some(now.wall),
    });
    let batch = HintBatch { places, polls: Vec::new() };
    fx.push(Effect::Serve { run_id: run.run_id.clone(), id: run.repository, batch, polls });
}

/// Notes what became of a batch.
pub(super) fn served(
    state: &mut State,
    run_id: &str,
    served: Served,
    coverage: Option<Coverage>,
    now: Now,
    fx: &mut Vec<Effect>,
) {
    let Some(run) = state.running.iter_mut().find(|run| run.run_id == run_id) else { return };
    run.hinted_ms = now.mono_ms;
    let Some(repo) = state.repositories.get_mut(&run.repository) else { return };
    let polled_at = repo.serving.take().and_then(|serving| serving.polled_at);
    if let Some(coverage) = coverage {
        repo.watch.coverage = coverage;
    }
    if polled_at.is_some() {
        repo.watch.polled_at = repo.watch.polled_at.max(polled_at);
        repo.watch.poll_at = now.mono_ms + repo.tracked.config.watch.poll_every.as_millis() as u64;
    }
    repo.pending.add(served.again, now.mono_ms, REST);
    if served.has_changed {
        fx.push(Effect::Publish(Event::Changed));
    }
}

/// Returns when a repository's hints, polls or realtime run need a look again.
pub(super) fn next_due(state: &State, id: RepositoryId, repo: &Repo) -> Option<u64> {
    if !repo.is_watched() || repo.away.is_some() {
        return None;
    }
    let run = state.running_in(id);
    let hints = repo.pending.next_due(repo.patience()).filter(|_| repo.is_seen() && repo.serving.is_none());
    let poll = (repo.is_polled() && repo.watch.poll_at > 0).then_some(repo.watch.poll_at);
    let rescan = repo.pending.why_everything().map(|_| repo.watch.rescan.map_or(0, |(last, wait)| last + wait));
    let quiet = run
        .filter(|run| run.kind == Kind::Realtime && !run.is_closing && repo.serving.is_none())
        .map(|run| (run.hinted_ms + repo.quiet_ms()).min(run.started_ms + LONGEST_MS));
    [hints, poll, rescan, quiet].into_iter().flatten().min()
}
