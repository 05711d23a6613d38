//! Hints: gathered, served by the run that goes on or by a realtime run, and beyond a measure turned into a full sync.

use super::{proof, queue, timers};
use crate::disk::watch::{Coverage, News};
use crate::domain::hint::{Everything, Hints};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::{HintBatch, JobSpec, Served};
use crate::engine::protocol::{Event, SyncRequest};
use crate::engine::state::{Effect, Repo, Running, Serving, State};
use std::time::Duration;

/// A realtime run stays open until it was quiet for so long, so that the history does not drown in them.
const QUIET_MS: u64 = 10_000;
/// But no longer than this: its counts are for people.
const LONGEST_MS: u64 = 3_600_000;
/// What still changed when it was looked at is looked at again after so long.
const REST: Duration = Duration::from_secs(2);
/// A directory that a run has in its hands is asked for again after this; a moment was waited for it already.
const IN_OTHER_HANDS_MS: u64 = 5;
/// After a look at hints has failed; doubles with each further one, as far as the wait for a look at everything.
const FIRST_REST_MS: u64 = 5_000;
/// Between two looks at everything: the second comes after this, and each further one after twice as long.
const FIRST_RESCAN_WAIT_MS: u64 = 10_000;
/// ... up to this; after as much quiet the next one comes at once again.
const LONGEST_RESCAN_WAIT_MS: u64 = 600_000;

impl Repo {
    /// Notes that not everything is told: nothing is proven until a full run that begins now has ended.
    pub(super) fn lose(&mut self) {
        self.watch.is_vouched = false;
        self.losses += 1;
    }

    /// Adds hints that came now, or are to be looked at no sooner than after a rest.
    pub(super) fn add_hints(&mut self, hints: Hints, now: Now, rest: Duration) {
        self.pending.add(hints, now.mono_ms, rest);
        if self.pending.why_everything().is_some() {
            self.lose();
        }
    }

    /// Adds hints that were due already and could not be looked at; they wait for so long once more.
    pub(super) fn add_soon(&mut self, hints: Hints, wait_ms: u64, now: Now) {
        self.pending.add_soon(hints, now.mono_ms, wait_ms, self.patience());
        if self.pending.why_everything().is_some() {
            self.lose();
        }
    }

    /// Keeps what is gone until all that goes with it is known.
    fn withhold(&mut self, hints: Hints, now: Now) {
        self.pending.withhold(hints, now.mono_ms);
        if self.pending.why_everything().is_some() {
            self.lose();
        }
    }

    /// Asks for a look at everything: nobody knows what has happened.
    pub(super) fn look_at_everything(&mut self, now: Now) {
        let mut hints = Hints::default();
        hints.everything(Everything::Overflow);
        self.add_hints(hints, now, Duration::ZERO);
    }

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
            repo.add_hints(hints, now, Duration::ZERO);
        }
        News::RootLost { tree } => {
            let id = RepositoryId(tree);
            let Some(repo) = state.repositories.get_mut(&id) else { return };
            repo.watch.coverage = Coverage::default();
            repo.probe_at = now.mono_ms;
            fx.push(Effect::Forget(id));
            // If it is back already, or another is there, nobody would notice otherwise.
            if repo.is_watched() && repo.away.is_none() {
                let mut hints = Hints::default();
                hints.everything(Everything::Many);
                repo.add_hints(hints, now, Duration::ZERO);
            }
        }
        News::Proof(number) => proof::answered(state, number, now, fx),
        News::Down(reason) => proof::down(state, &reason, now, fx),
    }
}

/// Asks for the runs that hints need: a look at everything, or a realtime run when no other goes on.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    let busy: Vec<RepositoryId> = state.repositories.keys().copied().filter(|id| is_busy(state, *id)).collect();
    for (id, repo) in &mut state.repositories {
        if !repo.is_watched() || repo.away.is_some() {
            continue;
        }
        if repo.is_polled() && repo.watch.poll_at != 0 && repo.watch.poll_at <= now.mono_ms {
            repo.watch.poll_at = 0;
        }
        if repo.is_stuck() {
            continue;
        }
        rescan(repo, now, fx);
        let is_rested = repo.rest.is_none_or(|(until, _)| until <= now.mono_ms);
        let needs_run = repo.is_seen() && is_rested && (repo.has_due_hints(now) || repo.must_poll());
        if needs_run && !busy.contains(id) && repo.asked.is_empty() {
            repo.asked.insert(Kind::Realtime);
            let request = SyncRequest::new(vec![repo.name().to_owned()], Kind::Realtime, Trigger::Watch);
            fx.push(Effect::Request(Box::new(request)));
        }
    }
}

/// Tells whether a run goes on that serves hints, or one is about to begin.
fn is_busy(state: &State, id: RepositoryId) -> bool {
    let is_next =
        |job: &JobSpec| job.repository.id == id && (job.kind == Kind::Realtime || queue::has_slot(state, job));
    state.running_in(id).is_some() || state.waiting.iter().any(|job| job.plan || is_next(job))
}

/// After a look at hints has failed, the next one comes later and later.
pub(super) fn rest(repo: &mut Repo, now: Now) {
    let wait_ms = repo.rest.map_or(FIRST_REST_MS, |(_, wait_ms)| (wait_ms * 2).min(LONGEST_RESCAN_WAIT_MS));
    repo.rest = Some((now.mono_ms + wait_ms, wait_ms));
}

/// Asks for a look at everything; the more often that happens, the longer it waits.
///
/// A full listing, not an incremental one: what was written to in place leaves no trace in its directory's stamp.
fn rescan(repo: &mut Repo, now: Now, fx: &mut Vec<Effect>) {
    let is_due = repo.pending.everything_due_ms().is_some_and(|due_ms| due_ms <= now.mono_ms);
    if !is_due || repo.asked.contains(&Kind::Full) {
        return;
    }
    let wait_ms = match repo.watch.rescan {
        Some((last_ms, wait_ms)) if now.mono_ms < last_ms + wait_ms => return,
        Some((last_ms, wait_ms)) if now.mono_ms >= last_ms + wait_ms + LONGEST_RESCAN_WAIT_MS => FIRST_RESCAN_WAIT_MS,
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
    for run in state.running.iter_mut().filter(|run| takes_hints(run)) {
        let is_realtime = run.kind == Kind::Realtime;
        let repo = state.repositories.get_mut(&run.repository).filter(|repo| repo.is_watched() && repo.away.is_none());
        if repo.as_ref().is_some_and(|repo| repo.serving.is_some()) {
            continue;
        }
        // Where nobody watches any more nothing comes.
        let is_over = repo.as_ref().is_none_or(|repo| ends_ms(run, repo) <= now.mono_ms);
        let is_old = now.mono_ms >= run.started_ms + LONGEST_MS;
        let due = repo.filter(|repo| repo.has_due_hints(now) || (repo.must_poll() && is_realtime));
        if let Some(repo) = due.filter(|_| !(is_realtime && is_old)) {
            serve(run, repo, now, fx);
        } else if is_realtime && is_over {
            run.is_closing = true;
            fx.push(Effect::NoMoreHints { run_id: run.run_id.clone() });
        }
    }
}

/// A verify that was told to give way takes hints to its end; a realtime run that was told to end does not.
fn takes_hints(run: &Running) -> bool {
    !run.spec.plan && run.stopping.is_none() && !(run.kind == Kind::Realtime && run.is_closing)
}

/// Returns when a realtime run ends if nothing more comes.
fn ends_ms(run: &Running, repo: &Repo) -> u64 {
    (run.hinted_ms + repo.quiet_ms()).min(run.started_ms + LONGEST_MS)
}

fn serve(run: &mut Running, repo: &mut Repo, now: Now, fx: &mut Vec<Effect>) {
    let judges_removals = repo.pending.release_withheld(now.mono_ms);
    let places = repo.pending.take_due(now.mono_ms, repo.patience());
    // A full run lists everything anyway.
    let polls = repo.must_poll() && run.kind == Kind::Realtime;
    run.hinted_ms = now.mono_ms;
    repo.serving = Some(Serving {
        run_id: run.run_id.clone(),
        places: places.len() as u64 + u64::from(polls),
        polled_at: polls.then_some(now.wall),
    });
    let batch = HintBatch { places, polls: Vec::new(), judges_removals };
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
    (run.hinted_ms, run.postponed) = (now.mono_ms, served.postponed);
    let Some(repo) = state.repositories.get_mut(&run.repository) else { return };
    repo.postponed = served.postponed;
    let polled_at = repo.serving.take().and_then(|serving| serving.polled_at);
    proof::cover(repo, coverage, state.proof.down.is_some());
    repo.rest = None;
    if let Some(polled_at) = polled_at {
        repo.watch.polled_at = proof::later(repo.watch.polled_at, polled_at, now);
        repo.watch.poll_at = now.mono_ms + repo.tracked.config.watch.poll_every.as_millis() as u64;
    }
    repo.add_hints(served.again, now, REST);
    repo.add_soon(served.soon, IN_OTHER_HANDS_MS, now);
    repo.withhold(served.withheld, now);
    if served.has_changed {
        fx.push(Effect::Publish(Event::Changed));
    }
}

/// Returns when a repository's hints, polls or realtime run need a look again.
pub(super) fn next_due(state: &State, id: RepositoryId, repo: &Repo) -> Option<u64> {
    if !repo.is_watched() || repo.away.is_some() {
        return None;
    }
    // Without one of these it is an input that changes things.
    let can_serve = match state.running_in(id) {
        Some(run) => repo.serving.is_none() && takes_hints(run),
        None => repo.is_seen() && repo.asked.is_empty() && !repo.is_stuck() && !is_busy(state, id),
    };
    let rest = repo.rest.filter(|_| state.running_in(id).is_none()).map_or(0, |(until, _)| until);
    let must_poll = repo.must_poll() && state.running_in(id).is_none_or(|run| run.kind == Kind::Realtime);
    let hints = repo.pending.next_due(repo.patience()).into_iter().chain(must_poll.then_some(0)).min();
    let hints = hints.filter(|_| can_serve).map(|at| at.max(rest));
    let poll = (repo.is_polled() && repo.watch.poll_at > 0).then_some(repo.watch.poll_at);
    let rested = repo.watch.rescan.map_or(0, |(last, wait)| last + wait);
    let rescan = repo.pending.everything_due_ms().map(|due_ms| due_ms.max(rested));
    let rescan = rescan.filter(|_| !repo.asked.contains(&Kind::Full) && !repo.is_stuck());
    let quiet =
        state.running_in(id).filter(|run| run.kind == Kind::Realtime && can_serve).map(|run| ends_ms(run, repo));
    [hints, poll, rescan, quiet].into_iter().flatten().min()
}
