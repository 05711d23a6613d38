//! What the engine knows of its work: what waits, what runs, who waits for which answer.

use std::collections::HashMap;

use super::job::{Finished, JobSpec};
use super::protocol::{Answer, Event, Plan, QueuedRun};
use crate::domain::repository::RepositoryId;
use crate::domain::run::Kind;

/// Names an answer that someone waits for; the shell knows who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyId(pub u64);

/// What reaches the engine.
#[derive(Debug)]
pub enum Input {
    /// Jobs that were asked for by one request.
    Sync {
        jobs: Vec<JobSpec>,
        reply: ReplyId,
    },
    /// A job has ended; with an error when not even its end could be written.
    Finished {
        run_id: String,
        result: Result<Box<Finished>, String>,
    },
    /// Cancels what runs or waits: of these repositories (none: all), or one run.
    Cancel {
        names: Vec<String>,
        run: Option<String>,
        reply: ReplyId,
    },
    Shutdown {
        reply: ReplyId,
    },
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Effect {
    Start(Box<JobSpec>),
    /// Asks a running job to stop.
    Stop {
        run_id: String,
    },
    Answer(ReplyId, Answer),
    Publish(Event),
    /// Nothing runs any more, and nothing is to come.
    End,
}

/// All of it.
#[derive(Debug)]
pub struct State {
    /// How many repositories are worked on at the same time.
    pub(super) at_once: usize,
    pub(super) waiting: Vec<JobSpec>,
    pub(super) running: Vec<Running>,
    pub(super) plans: HashMap<ReplyId, PendingPlan>,
    pub(super) stopping: Option<ReplyId>,
}

/// A job that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub run_id: String,
    pub repository: RepositoryId,
    pub name: String,
    pub kind: Kind,
    /// Another request of the same sort is served by this run.
    pub is_plain: bool,
    pub is_plan: bool,
}

/// A plan of several repositories is answered when all are done.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingPlan {
    pub run_ids: Vec<String>,
    pub done: Vec<Plan>,
}

impl State {
    pub fn new(at_once: usize) -> State {
        State { at_once, waiting: Vec::new(), running: Vec::new(), plans: HashMap::new(), stopping: None }
    }

    /// Tells whether anything runs or waits for this repository.
    pub fn works_on(&self, name: &str) -> bool {
        self.running.iter().any(|running| running.name == name)
            || self.waiting.iter().any(|waiting| waiting.repository.name == name)
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    pub fn queued(&self) -> Vec<QueuedRun> {
        self.waiting.iter().map(|spec| queued(spec, false)).collect()
    }
}

pub(super) fn queued(spec: &JobSpec, joined: bool) -> QueuedRun {
    QueuedRun { repository: spec.repository.name.clone(), run_id: spec.run_id.clone(), kind: spec.kind, joined }
}
