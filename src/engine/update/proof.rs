//! Proofs: the watcher shows that all it had to tell has been told, so that "true as of" may move on.

use crate::disk::watch::Coverage;
use crate::domain::moment::Timestamp;
use crate::domain::schedule::Now;
use crate::engine::state::{Effect, Proof, ReplyId, Repo, Running, State};

/// While anything is watched, so often; it costs an open and a close of a file of our own, and writes nothing.
const EVERY_MS: u64 = 10_000;
/// A watcher that takes longer than this twice in a row is down.
const LONGEST_MS: u64 = 10_000;
/// Who asks for a snapshot waits for a proof no longer than this.
const SNAPSHOT_WAITS_MS: u64 = 200;
/// A watcher that is down is started again after a minute, then after twice as long each time, up to an hour.
const FIRST_RESTART_MS: u64 = 60_000;
const LONGEST_RESTART_MS: u64 = 3_600_000;

fn is_watching(state: &State) -> bool {
    state.repositories.values().any(|repo| repo.watch.coverage.watched > 0)
}

/// It is watched, and a full run has ended since.
fn can_be_proven(repo: &Repo) -> bool {
    repo.watch.is_vouched && repo.watch.coverage.watched > 0
}

/// Takes a wish for a snapshot: it is answered when a proof has come, so that it says how things stand now; at once where no
/// proof can move anything, as in a first sync.
pub(super) fn snapshot(state: &mut State, reply: ReplyId, now: Now, fx: &mut Vec<Effect>) {
    if !state.repositories.values().any(can_be_proven) || state.proof.down.is_some() {
        return fx.push(Effect::Snapshot(reply));
    }
    state.proof.waiting.push_back((reply, now.mono_ms + SNAPSHOT_WAITS_MS));
}

/// Asks when it is time, gives up what does not come, restarts a watcher that is down.
pub(super) fn due(state: &mut State, now: Now, fx: &mut Vec<Effect>) {
    while state.proof.waiting.front().is_some_and(|(_, until)| *until <= now.mono_ms) {
        fx.extend(state.proof.waiting.pop_front().map(|(reply, _)| Effect::Snapshot(reply)));
    }
    if let Some((at, wait_ms)) = state.proof.down {
        if at <= now.mono_ms && state.stopping.is_none() {
            state.proof.down = Some((now.mono_ms + wait_ms * 2, (wait_ms * 2).min(LONGEST_RESTART_MS)));
            fx.push(Effect::StartWatcher);
        }
        return;
    }
    if state.proof.asked.is_some_and(|(at, _)| at + LONGEST_MS <= now.mono_ms) {
        // Twice: this process itself may have been stopped for a while.
        state.proof.asked = None;
        state.proof.missed += 1;
        if state.proof.missed > 1 {
            return down(state, "it does not answer", now, fx);
        }
    }
    let is_time = !state.proof.waiting.is_empty() || state.proof.answered_at + EVERY_MS <= now.mono_ms;
    if state.proof.asked.is_none() && is_time && is_watching(state) {
        state.proof.number += 1;
        state.proof.asked = Some((now.mono_ms, now.wall));
        fx.push(Effect::AskProof(state.proof.number));
    }
}

/// Moves "true as of" on to when the proof was asked for, wherever nothing waits and nothing was lost.
pub(super) fn answered(state: &mut State, number: u64, now: Now, fx: &mut Vec<Effect>) {
    if number != state.proof.number {
        // Too late to prove anything, but a sign of life.
        state.proof.missed = 0;
        return;
    }
    let Some((_, asked_at)) = state.proof.asked.take() else { return };
    (state.proof.missed, state.proof.answered_at) = (0, now.mono_ms);
    for (id, repo) in &mut state.repositories {
        let is_busy = repo.serving.is_some() || !repo.pending.is_empty() || repo.away.is_some();
        // A run may have found that its own look at a directory failed or was cut off; its end tells.
        let is_sure = can_be_proven(repo) && !is_busy;
        let has_postponed = |run: &Running| run.repository == *id && (run.spec.plan || run.postponed > 0);
        if is_sure && !state.running.iter().any(has_postponed) {
            repo.watch.proven_at = later(repo.watch.proven_at, asked_at, now);
        }
    }
    // Who came after this proof was asked for wants a newer one only if something is on its way.
    fx.extend(state.proof.waiting.drain(..).map(|(reply, _)| Effect::Snapshot(reply)));
}

/// Returns the later of two moments. A clock that was set back takes the proven moment along.
pub(super) fn later(before: Option<Timestamp>, at: Timestamp, now: Now) -> Option<Timestamp> {
    before.filter(|before| *before <= now.wall).max(Some(at.min(now.wall)))
}

/// Takes how much of a repository is watched. While no watcher answers that is nothing, whatever it said last.
pub(super) fn cover(repo: &mut Repo, told: Option<Coverage>, is_down: bool) {
    let is_unwatched = is_down && repo.is_watched();
    let coverage = &mut repo.watch.coverage;
    if is_unwatched {
        // At least its root: what is not watched at all must be listed, too.
        let unwatched = (coverage.watched + coverage.unwatched).max(1);
        *coverage = Coverage { watched: 0, unwatched, ..*coverage };
    } else if let Some(told) = told {
        *coverage = told;
    }
}

/// The watcher is gone: everything is listed from time to time until it is back.
pub(super) fn down(state: &mut State, reason: &str, now: Now, fx: &mut Vec<Effect>) {
    tracing::error!(reason, "the watcher is down; directories are listed from time to time instead");
    let wait_ms = state.proof.down.map_or(FIRST_RESTART_MS, |(_, wait_ms)| wait_ms);
    state.proof.down = Some((now.mono_ms + wait_ms, wait_ms));
    (state.proof.asked, state.proof.missed) = (None, 0);
    for repo in state.repositories.values_mut() {
        cover(repo, None, true);
        repo.lose();
    }
    fx.extend(state.proof.waiting.drain(..).map(|(reply, _)| Effect::Snapshot(reply)));
}

/// A watcher is there again: everything is looked at once more, and so gets its watches.
pub(super) fn started(state: &mut State, now: Now) {
    state.proof = Proof { number: state.proof.number, ..Proof::default() };
    for repo in state.repositories.values_mut().filter(|repo| repo.is_watched()) {
        repo.look_at_everything(now);
    }
}

/// Returns when proofs need a look again.
pub(super) fn next_due(state: &State) -> Option<u64> {
    let waiting = state.proof.waiting.front().map(|(_, until)| *until);
    let next = match (state.proof.down, state.proof.asked) {
        (Some((at, _)), _) => Some(at),
        (None, Some((at, _))) => Some(at + LONGEST_MS),
        (None, None) if is_watching(state) => Some(state.proof.answered_at + EVERY_MS),
        (None, None) => None,
    };
    [waiting, next].into_iter().flatten().min()
}
