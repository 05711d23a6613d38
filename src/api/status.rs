//! How a repository is doing: what the index says and what a running engine adds to it. For command line and API alike.

use super::shape::progress;
use crate::domain::moment::Timestamp;
use crate::domain::report::IndexStatus;
use crate::domain::repository::State;
use crate::domain::run::Kind;
use crate::domain::status::{Engine, state_of};
use crate::engine::protocol::{Live, Snapshot};
use crate::wire::{ProgressJson, StatusExtra, StatusJson};

/// What is known of the engine.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// None runs.
    Nothing,
    /// One has the data directory and does not answer: it proves nothing.
    Silence,
    All(&'a Snapshot),
}

/// What index and engine together know of one repository.
#[derive(Clone, Debug)]
pub struct Standing {
    pub status: IndexStatus,
    pub state: State,
    live: Live,
    progress: Option<ProgressJson>,
}

impl Standing {
    pub fn new(status: IndexStatus, told: Told<'_>) -> Standing {
        let name = &status.repository.name;
        let (live, progress) = match told {
            Told::Nothing | Told::Silence => (None, None),
            Told::All(snapshot) => {
                let last = status.last_run.as_ref().map(|run| run.run_id.as_str());
                let sample = snapshot.running.iter().find(|sample| Some(sample.run_id.as_str()) == last);
                (snapshot.live_of(name).cloned(), sample.map(progress))
            }
        };
        let is_missing = live.as_ref().is_some_and(|live| live.is_missing) && status.repository.paused_at.is_none();
        let state = if is_missing { State::Missing } else { state_of(&status, engine_of(&status, told)) };
        Standing { status, state, live: live.unwrap_or_default(), progress }
    }

    /// Returns as of when the index is true: proven by the watcher, or the last complete listing.
    pub fn true_as_of(&self) -> Option<Timestamp> {
        let repository = &self.status.repository;
        self.live.true_as_of.max(repository.true_at).max(repository.seen_at)
    }

    /// Returns what metrics are made of: the index's status, as of when the engine proves it, and the state.
    pub fn for_metrics(mut self) -> (IndexStatus, State) {
        self.status.repository.true_at = self.true_as_of();
        (self.status, self.state)
    }

    /// Returns what only the engine knows; all at rest when none answered.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Returns the object of `status --json`.
    pub fn json(&self) -> StatusJson {
        let extra = StatusExtra {
            state: self.state,
            watch_mode: self.live.watch_mode,
            pending_hints: self.live.pending_hints,
            true_as_of: self.true_as_of(),
            behind: self.live.behind.clone(),
            next_runs: self.live.next_runs.iter().map(|run| (run.kind, run.at)).collect(),
            progress: self.progress.clone(),
        };
        StatusJson::new(&self.status, extra)
    }
}

/// Returns what the engine has to do with a repository.
fn engine_of(status: &IndexStatus, told: Told<'_>) -> Engine {
    let name = &status.repository.name;
    match told {
        Told::Nothing => Engine::Absent,
        Told::Silence if status.last_run.as_ref().is_some_and(|run| run.outcome.is_none()) => Engine::Working,
        Told::Silence => Engine::Absent,
        Told::All(snapshot) => {
            // The run of the watcher is always open; what it has to do are the hints.
            let works = |kind: Kind, repository: &String| kind != Kind::Realtime && repository == name;
            let live = snapshot.live_of(name);
            if snapshot.running.iter().any(|run| works(run.kind, &run.repository)) {
                Engine::Working
            } else if live.is_none_or(|live| live.pending_hints > 0 || live.behind.is_some()) {
                Engine::Behind
            } else {
                Engine::Idle
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tests::{progress_of, status_of};

    #[test]
    fn only_an_engine_that_watches_and_has_nothing_to_do_says_in_sync() {
        let live = |pending_hints, behind: Option<&str>, is_missing| Live {
            repository: "a".to_owned(),
            pending_hints,
            behind: behind.map(str::to_owned),
            is_missing,
            ..Live::default()
        };
        let check = |live: Vec<Live>, running: &[Kind], expected| {
            let running = running.iter().map(|kind| progress_of("a", *kind)).collect();
            let snapshot = Snapshot { live, running, ..Snapshot::default() };
            assert_eq!(Standing::new(status_of("a"), Told::All(&snapshot)).state, expected);
        };
        check(vec![live(0, None, false)], &[], State::InSync);
        check(vec![live(0, None, false)], &[Kind::Realtime], State::InSync);
        check(vec![live(0, None, false)], &[Kind::Full], State::Syncing);
        check(vec![live(3, None, false)], &[], State::Pending);
        check(vec![live(0, Some("an overflow"), false)], &[], State::Pending);
        check(vec![live(0, None, true)], &[], State::Missing);
        check(Vec::new(), &[], State::Pending);
        assert_eq!(Standing::new(status_of("a"), Told::Nothing).state, State::Stale);
        assert_eq!(Standing::new(status_of("a"), Told::Silence).state, State::Stale);
    }

    #[test]
    fn the_watcher_moves_true_as_of_on_and_never_back() {
        let at = |seen, proven| {
            let mut status = status_of("a");
            status.repository.seen_at = seen;
            let live = Live { repository: "a".to_owned(), true_as_of: proven, ..Live::default() };
            let snapshot = Snapshot { live: vec![live], ..Snapshot::default() };
            let standing = Standing::new(status, Told::All(&snapshot));
            let (of_metrics, _) = standing.clone().for_metrics();
            assert_eq!(of_metrics.repository.true_at, standing.true_as_of());
            standing.true_as_of()
        };
        assert_eq!(at(Some(Timestamp(5)), Some(Timestamp(9))), Some(Timestamp(9)));
        assert_eq!(at(Some(Timestamp(5)), None), Some(Timestamp(5)));
        assert_eq!(at(Some(Timestamp(9)), Some(Timestamp(5))), Some(Timestamp(9)));
        assert_eq!(at(None, None), None);
    }
}
