//! Which one word says how a repository is doing. Pure: whoever knows the engine says whether one runs.

use super::problem::Class;
use super::report::{IndexStatus, Run};
use super::repository::State;
use super::run::{Kind, Outcome};

/// What the engine has to do with a repository now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// None runs for this index: nobody looks.
    Absent,
    /// One runs, and knows of nothing that is not in the index.
    Idle,
    /// One runs, and something waits to be looked at, or nothing proves that all is seen.
    Behind,
    /// One runs, and a run of this repository is going on.
    Working,
}

/// How a repository's changes are noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchMode {
    /// Every directory is watched.
    Inotify,
    /// Some directories could not be watched, and are polled.
    Mixed,
    /// None is watched, all are polled: a network file system.
    Polling,
    /// Nobody looks: turned off, paused, or no engine runs.
    #[default]
    Off,
}

impl WatchMode {
    pub const ALL: [WatchMode; 4] = [WatchMode::Inotify, WatchMode::Mixed, WatchMode::Polling, WatchMode::Off];

    pub fn as_str(self) -> &'static str {
        match self {
            WatchMode::Inotify => "inotify",
            WatchMode::Mixed => "mixed",
            WatchMode::Polling => "polling",
            WatchMode::Off => "off",
        }
    }

    pub fn parse(text: &str) -> Option<WatchMode> {
        WatchMode::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Returns the first state that applies, in the contract's order.
///
/// Without an engine the answer is never [`State::InSync`]: it is true only as of the last complete listing.
pub fn state_of(status: &IndexStatus, engine: Engine) -> State {
    let last = status.last_run.as_ref();
    if status.repository.paused_at.is_some() {
        State::Paused
    } else if last.is_some_and(is_missing) {
        State::Missing
    } else if engine == Engine::Working {
        State::Syncing
    } else if last.is_some_and(|run| run.outcome == Some(Outcome::Failed) && !is_mistyped(run)) {
        State::Failed
    } else if status.undecided > 0 {
        State::Held
    } else if status.damaged > 0 {
        State::Damaged
    } else if status.new_problems > 0 {
        State::Partial
    } else if status.repository.seen_at.is_none()
        || last.is_some_and(|run| is_cut_off(run, engine))
        || engine == Engine::Behind
    {
        State::Pending
    } else if engine == Engine::Idle {
        State::InSync
    } else {
        State::Stale
    }
}

/// Tells whether a run ended because there was nothing to look at.
fn is_missing(run: &Run) -> bool {
    run.outcome == Some(Outcome::Failed) && run.error_class.as_deref() == Some(Class::MountMissing.as_str())
}

/// Tells whether a run was asked for a path that is nowhere: that says nothing of the repository.
fn is_mistyped(run: &Run) -> bool {
    run.kind == Kind::Single && run.error_class.as_deref() == Some(Class::NotFound.as_str())
}

/// Tells whether a run left something undone that it had been asked to bring up to date. A verify owes the index nothing.
fn is_cut_off(run: &Run, engine: Engine) -> bool {
    // The run of a watcher stays open while it waits for more.
    if run.kind == Kind::Realtime && run.outcome.is_none() && engine != Engine::Absent {
        return false;
    }
    // No outcome and not running: its process is gone, and the next engine will close it as interrupted.
    run.kind != Kind::Verify && matches!(run.outcome, None | Some(Outcome::Cancelled | Outcome::Interrupted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::moment::Timestamp;
    use crate::domain::report::Repository;
    use crate::domain::repository::{RepositoryId, Settings};
    use crate::domain::run::Tally;

    /// A repository in step with a completed full run, before `change`.
    fn check(change: impl Fn(&mut IndexStatus), expected: State) {
        let mut status = in_step();
        change(&mut status);
        assert_eq!(state_of(&status, Engine::Idle), expected);
    }

    fn in_step() -> IndexStatus {
        IndexStatus {
            repository: Repository {
                id: RepositoryId(1),
                name: "a".to_owned(),
                path: b"/a".to_vec(),
                settings: Settings::default(),
                identity: None,
                paused_at: None,
                created_at: Timestamp(0),
                seen_generation: 1,
                seen_at: Some(Timestamp(1)),
                true_at: None,
                told_state: None,
                covered_files: None,
                total_files: 1,
                total_bytes: 1,
                left_out: Vec::new(),
            },
            open_problems: 0,
            new_problems: 0,
            damaged: 0,
            held: 0,
            undecided: 0,
            last_run: Some(run(Some(Outcome::Completed), None)),
            by_kind: Vec::new(),
        }
    }

    fn run(outcome: Option<Outcome>, class: Option<Class>) -> Run {
        Run {
            run_id: "01".to_owned(),
            number: 1,
            repository_id: RepositoryId(1),
            repository: "a".to_owned(),
            kind: Kind::Full,
            trigger: "user".to_owned(),
            outcome,
            started_at: Timestamp(1),
            ended_at: Some(Timestamp(2)),
            duration_ms: Some(1),
            tally: Tally::default(),
            error_class: class.map(|class| class.as_str().to_owned()),
            error_message: None,
            attempt: 1,
            retry_of: None,
            folded: 1,
            instance: String::new(),
            metadata: None,
        }
    }

    #[test]
    fn the_first_state_that_applies_wins() {
        let ended = |outcome, class| move |status: &mut IndexStatus| status.last_run = Some(run(Some(outcome), class));
        check(|_| (), State::InSync);
        check(ended(Outcome::Failed, Some(Class::Io)), State::Failed);
        check(ended(Outcome::Failed, Some(Class::NotFound)), State::Failed);
        check(ended(Outcome::Failed, Some(Class::MountMissing)), State::Missing);
        check(ended(Outcome::Held, Some(Class::MountMissing)), State::InSync);
        check(ended(Outcome::Cancelled, None), State::Pending);
        check(ended(Outcome::Interrupted, None), State::Pending);
        check(|status| status.repository.seen_at = None, State::Pending);
        check(|status| status.new_problems = 1, State::Partial);
        check(|status| (status.new_problems, status.damaged) = (1, 1), State::Damaged);
        check(|status| (status.undecided, status.damaged) = (1, 1), State::Held);
        check(|status| (status.repository.paused_at, status.undecided) = (Some(Timestamp(1)), 1), State::Paused);
    }

    #[test]
    fn what_a_person_has_decided_or_seen_no_longer_counts() {
        check(|status| (status.held, status.undecided) = (9, 0), State::InSync);
        check(|status| (status.open_problems, status.new_problems) = (9, 0), State::InSync);
    }

    #[test]
    fn a_running_repository_is_syncing_unless_it_is_paused() {
        let mut status = in_step();
        status.last_run = Some(run(None, None));
        status.undecided = 1;
        assert_eq!(state_of(&status, Engine::Working), State::Syncing);
        status.repository.paused_at = Some(Timestamp(1));
        assert_eq!(state_of(&status, Engine::Working), State::Paused);
    }

    #[test]
    fn a_cut_off_verify_leaves_the_index_true() {
        let mut status = in_step();
        status.last_run = Some(Run { kind: Kind::Verify, ..run(Some(Outcome::Cancelled), None) });
        assert_eq!(state_of(&status, Engine::Idle), State::InSync);
    }

    #[test]
    fn without_an_engine_nothing_is_in_sync() {
        assert_eq!(state_of(&in_step(), Engine::Absent), State::Stale);
    }
}
