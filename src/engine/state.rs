//! What the engine knows of its work: what waits, what runs, what is hinted at, what is due, who waits for which answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::job::{Finished, HintBatch, JobSpec, Served};
use super::pending::Pending;
use super::protocol::{Answer, Event, Live, Plan, QueuedRun, SyncRequest};
use super::stop::Why;
use crate::config::{Background, Config};
use crate::disk::watch::{Coverage, News};
use crate::domain::moment::Timestamp;
use crate::domain::report::Repository;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Kind;
use crate::domain::schedule::Now;

/// Names an answer that someone waits for; the shell knows who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyId(pub u64);

/// What reaches the engine.
#[derive(Debug)]
pub enum Input {
    /// Jobs that were asked for by one request; by nobody who waits, if there is no `reply`.
    Sync {
        jobs: Vec<JobSpec>,
        reply: Option<ReplyId>,
    },
    /// A request of the engine's own could not be turned into a job.
    NotPrepared {
        name: String,
        kind: Kind,
        message: String,
    },
    /// A job has ended; with an error when not even its end could be written.
    Finished {
        run_id: String,
        result: Result<Box<Finished>, String>,
        coverage: Option<Coverage>,
    },
    /// A batch of hints has been looked at.
    Served {
        run_id: String,
        served: Served,
        coverage: Option<Coverage>,
    },
    /// Cancels what runs or waits: of these repositories (none: all), or one run.
    Cancel {
        names: Vec<String>,
        run: Option<String>,
        reply: ReplyId,
    },
    /// All repositories with what holds for each, after something about them was changed.
    Repositories(Vec<Tracked>),
    /// A repository is about to be removed, or after all is not: nothing may start for it meanwhile.
    Leaving {
        name: String,
        is_going: bool,
    },
    /// What holds for the whole program.
    Config(Box<Config>),
    Watch(News),
    /// A watcher is there, which watches nothing yet.
    WatcherStarted,
    /// Whether a root is there, and the place that it was.
    Probed {
        id: RepositoryId,
        is_there: bool,
    },
    /// How far each run is, in any unit that grows.
    Measured(Vec<(String, u64)>),
    /// Someone asks what only the engine knows.
    Snapshot {
        reply: ReplyId,
    },
    /// A step of cleaning up the history has been done.
    Retired {
        is_done: bool,
    },
    /// A backup has been made at that moment; `None`: it could not be.
    BackedUp {
        at: Option<Timestamp>,
    },
    /// A deadline may have come.
    Tick,
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
        why: Why,
    },
    /// Closes a run whose threads no longer answer, and goes on without them.
    Abandon {
        run_id: String,
        why: Why,
    },
    /// Lets a run that began with manners take what there is.
    Hurry {
        run_id: String,
    },
    /// Turns a request of the engine's own into jobs.
    Request(Box<SyncRequest>),
    /// Hands hints to a running job. With `polls`, what is not watched is listed too.
    Serve {
        run_id: String,
        id: RepositoryId,
        batch: HintBatch,
        polls: bool,
    },
    /// No more hints come for this run: a realtime run ends.
    NoMoreHints {
        run_id: String,
    },
    /// Asks the watcher for a proof that everything before has been told.
    AskProof(u64),
    StartWatcher,
    Forget(RepositoryId),
    Probe(RepositoryId),
    Measure,
    /// Does a step of cleaning up the history.
    Retire,
    /// Backs index and journal up, and lets an old backup go.
    BackUp,
    /// Looks whether a repository's state is news for the notify hook.
    Tell(RepositoryId),
    Snapshot(ReplyId),
    Answer(ReplyId, Answer),
    Publish(Event),
    /// Nothing runs any more, and nothing is to come.
    End,
}

/// What the engine must know of a repository to run it by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    pub repository: Repository,
    /// With what the repository sets for itself.
    pub config: Config,
    /// When a run of each kind began last.
    pub last: Vec<(Kind, Timestamp)>,
}

/// All of it.
#[derive(Debug)]
pub struct State {
    /// The engine watches and follows the schedule; otherwise it only does what it is asked.
    pub(super) is_resident: bool,
    pub(super) config: Config,
    pub(super) waiting: Vec<JobSpec>,
    pub(super) running: Vec<Running>,
    pub(super) plans: HashMap<ReplyId, PendingPlan>,
    pub(super) stopping: Option<ReplyId>,
    /// The repositories have been taken once.
    pub(super) has_started: bool,
    /// The index is older than its history: everything is looked at first.
    pub(super) has_gone_back: bool,
    pub(super) repositories: BTreeMap<RepositoryId, Repo>,
    pub(super) retries: Vec<Retry>,
    pub(super) proof: Proof,
    pub(super) measure_at: u64,
    pub(super) measured_at: u64,
    pub(super) retire_at: u64,
    /// Both clocks when the history was last looked at for that.
    pub(super) retired_at: Option<Now>,
    pub(super) backups: Backups,
    pub(super) runs_started: u64,
    pub(super) runs_skipped: u64,
    seed: u64,
}

/// One repository.
#[derive(Debug)]
pub(super) struct Repo {
    pub tracked: Tracked,
    /// When each kind is due, by the monotonic clock.
    pub timers: BTreeMap<Kind, u64>,
    /// When the last full run began: a daily one is due by the wall clock.
    pub last_full: Option<Now>,
    /// What was asked for and is not queued yet.
    pub asked: BTreeSet<Kind>,
    pub pending: Pending,
    pub serving: Option<Serving>,
    /// It is being removed.
    pub is_leaving: bool,
    /// Places whose look waits for the end of the run that goes on.
    pub postponed: u64,
    pub watch: Watching,
    pub away: Option<Away>,
    pub is_probed: bool,
    pub probe_at: u64,
    /// How often news of it were lost: who began before the last time has not seen everything.
    pub losses: u64,
    /// Runs that were given up, and whose threads have not come back from the system.
    pub hanging: BTreeSet<String>,
    /// After a look at hints has failed: until when there is no other, and how long that rest was.
    pub rest: Option<(u64, u64)>,
    /// As it was told last.
    pub told: Live,
}

/// A batch that is being looked at.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub run_id: String,
    pub places: u64,
    /// Set when the batch lists what is not watched: when that began.
    pub polled_at: Option<Timestamp>,
}

/// How far a repository can be trusted to be as the index says.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    pub coverage: Coverage,
    /// A full listing has ended since the watches stand, and nothing was lost since.
    pub is_vouched: bool,
    /// The watcher has proven that all was in the index then.
    pub proven_at: Option<Timestamp>,
    /// When the last listing of what is not watched began.
    pub polled_at: Option<Timestamp>,
    pub poll_at: u64,
    /// When the last look at everything was asked for, and how long the next has to wait after it.
    pub rescan: Option<(u64, u64)>,
}

/// The root is not there, or another one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away {
    /// Its runs that were due meanwhile.
    pub skipped: u64,
}

/// What is under way to know whether the watcher has told everything.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub number: u64,
    /// Asked when, by both clocks.
    pub asked: Option<(u64, Timestamp)>,
    pub answered_at: u64,
    /// Proofs that did not come in time, one after the other.
    pub missed: u32,
    /// Set while no watcher answers: when one is started again, and how long the time after that.
    pub down: Option<(u64, u64)>,
    /// Who waits for a snapshot, and until when at most.
    pub waiting: VecDeque<(ReplyId, u64)>,
}

/// The backups that are made by themselves.
#[derive(Debug, Default)]
pub(super) struct Backups {
    pub last: Option<Timestamp>,
    /// What `due` was reckoned by.
    pub every: Option<std::time::Duration>,
    pub due: Option<u64>,
    pub is_going_on: bool,
}

/// A job that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub run_id: String,
    pub repository: RepositoryId,
    pub name: String,
    pub kind: Kind,
    pub spec: JobSpec,
    pub started_ms: u64,
    /// By when it must have ended after it was asked to, and why it was.
    pub stopping: Option<(u64, Why)>,
    /// Its last measure, and for how long it has not moved.
    pub measure: (u64, u64),
    /// How often news of its repository had been lost when it began.
    pub losses: u64,
    /// For a realtime run: when it was last given hints.
    pub hinted_ms: u64,
    /// No more hints are given to it.
    pub is_closing: bool,
    /// What was hinted at and waits for its end.
    pub postponed: u64,
}

/// A run that is to be tried again.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    pub due_ms: u64,
    pub id: RepositoryId,
    pub request: SyncRequest,
}

/// A plan of several repositories is answered when all are done.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingPlan {
    pub run_ids: Vec<String>,
    pub done: Vec<Plan>,
}

impl State {
    /// `seed` spreads what must not come all at once.
    pub fn new(config: Config, is_resident: bool, seed: u64) -> State {
        State {
            is_resident,
            config,
            waiting: Vec::new(),
            running: Vec::new(),
            plans: HashMap::new(),
            stopping: None,
            has_started: false,
            has_gone_back: false,
            repositories: BTreeMap::new(),
            retries: Vec::new(),
            proof: Proof::default(),
            measure_at: 0,
            measured_at: 0,
            retire_at: 0,
            retired_at: None,
            backups: Backups::default(),
            runs_started: 0,
            runs_skipped: 0,
            seed,
        }
    }

    /// Tells whether anything runs or waits for this repository, but a realtime run, which ends when it is asked to.
    pub fn works_on(&self, name: &str) -> bool {
        self.running.iter().any(|running| running.name == name && running.kind != Kind::Realtime)
            || self.waiting.iter().any(|waiting| waiting.repository.name == name && waiting.kind != Kind::Realtime)
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns what waits and was asked for. What the watcher has asked for shows as pending hints.
    pub fn queued(&self) -> Vec<QueuedRun> {
        self.waiting.iter().filter(|spec| spec.kind != Kind::Realtime).map(|spec| queued(spec, false)).collect()
    }

    /// Returns how runs that nobody waits for use the machine.
    pub fn background(&self) -> Background {
        self.config.sync.background
    }

    /// Tells whether a repository is to be watched.
    pub fn is_watched(&self, id: RepositoryId) -> bool {
        self.is_resident && self.repositories.get(&id).is_some_and(Repo::is_watched)
    }

    /// Returns the moments for which the watcher has proven each repository, to be kept when the engine ends.
    pub fn proven(&self) -> Vec<(RepositoryId, Timestamp)> {
        self.repositories.iter().filter_map(|(id, repo)| Some((*id, repo.true_as_of()?))).collect()
    }

    /// Draws a number that spreads what must not come all at once.
    pub(super) fn draw(&mut self) -> u16 {
        // Numerical Recipes' generator: good enough to be unlike its neighbours, and pure.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 48) as u16
    }

    pub(super) fn running_in(&self, id: RepositoryId) -> Option<&Running> {
        self.running.iter().find(|running| running.repository == id)
    }
}

pub(super) fn queued(spec: &JobSpec, joined: bool) -> QueuedRun {
    QueuedRun { repository: spec.repository.name.clone(), run_id: spec.run_id.clone(), kind: spec.kind, joined }
}
