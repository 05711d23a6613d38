//! What surfaces and the engine say to each other. Commands go down and get one answer each; events come up.
//!
//! An accepted sync is answered with its run ids as soon as it is queued. Events are news, not truth: rows come from the
//! index. Who subscribes, or has missed some, first gets a [`Snapshot`] of what only the engine knows.

use std::path::PathBuf;

use super::doctor::Check;
use super::estimate::Estimate;
use crate::config::Config;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{Run, StoredChange};
use crate::domain::repository::Settings;
use crate::domain::run::{Kind, Trigger};
use crate::domain::status::WatchMode;

/// How many changes a plan shows one by one.
pub const PLAN_CHANGES: u64 = 1000;
/// How many directories are offered for a path that is being typed.
pub const COMPLETIONS: usize = 100;

/// What a surface asks for. Repositories are meant by name; no names mean all.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    AddRepository(AddRepository),
    /// Changes settings: `key` and `value` as a person writes them.
    SetRepository {
        name: String,
        changes: Vec<(String, String)>,
    },
    RenameRepository {
        name: String,
        new_name: String,
    },
    /// Removes a repository from the index, never from the disk.
    RemoveRepository {
        name: String,
    },
    Pause {
        names: Vec<String>,
    },
    Resume {
        names: Vec<String>,
    },
    Sync(Box<SyncRequest>),
    /// Cancels what runs or waits: of these repositories, or one run by id or number.
    Cancel {
        names: Vec<String>,
        run: Option<String>,
    },
    DismissHeld {
        names: Vec<String>,
    },
    AcceptDamage {
        name: String,
        paths: Vec<RelPath>,
    },
    AcknowledgeProblems {
        problem_ids: Vec<i64>,
    },
    /// Starts or stops the schedule, or changes it; kept over restarts.
    Scheduler(SchedulerCommand),
    /// Looks over index and machine, as `doctor` does. It takes a while, and holds up nothing else.
    Examine,
    /// Asks which directories a path that is being typed may become. Changes nothing.
    Complete {
        /// Absolute; what stands behind the last slash is the beginning of a name.
        path: PathBuf,
    },
    /// Asks what adding this repository would mean. Changes nothing.
    Estimate(Box<AddRepository>),
    /// Takes over a config that was read anew. Only the process that hosts the engine can send it.
    Configure(Box<Config>),
    /// Cancels everything, closes the index and ends the engine.
    Shutdown,
}

/// What is done to the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchedulerCommand {
    Start,
    Stop,
    /// `key` and `value` as a person writes them: `full_every`, `12h`. An empty value goes back to the config's.
    Set(Vec<(String, String)>),
}

/// A repository to be added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddRepository {
    /// Made absolute by the caller.
    pub path: PathBuf,
    /// `None`: made from the path.
    pub name: Option<String>,
    pub settings: Settings,
    /// A repository with this path is fine and is what the answer names.
    pub if_not_exists: bool,
}

/// A sync to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncRequest {
    pub names: Vec<String>,
    pub kind: Kind,
    pub trigger: Trigger,
    /// For `single`: files or subtrees.
    pub paths: Vec<RelPath>,
    /// For `single`: the paths with open problems.
    pub only_problems: bool,
    /// Removals pass the guards; refused while the root is missing or another file system.
    pub accept_removals: bool,
    /// Only show what would change.
    pub plan: bool,
    /// For `verify`: stop after so many bytes or so long.
    pub max_bytes: Option<u64>,
    pub max_time: Option<std::time::Duration>,
    /// For `incremental`: how recently a directory's newest file must have changed to be listed in any case.
    pub window: Option<std::time::Duration>,
    /// What the caller attaches to the run.
    pub note: Option<String>,
    /// What a first run will find, where the caller has just counted it: the run need not count ahead.
    pub expected: Option<Expected>,
    /// From 1; a retry has a higher one, and names the run that it tries again.
    pub attempt: i64,
    pub retry_of: Option<String>,
    /// For `verify`: what it goes on with. Only the engine itself asks for that.
    pub continues: Option<Continued>,
}

/// A verify that gave way, for the run that goes on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    pub run_id: String,
    pub number: i64,
    /// When the first of them began: directories that were verified since then are done.
    pub since: Timestamp,
}

impl SyncRequest {
    /// Returns a plain request.
    pub fn new(names: Vec<String>, kind: Kind, trigger: Trigger) -> SyncRequest {
        SyncRequest {
            names,
            kind,
            trigger,
            paths: Vec::new(),
            only_problems: false,
            accept_removals: false,
            plan: false,
            max_bytes: None,
            max_time: None,
            window: None,
            note: None,
            expected: None,
            attempt: 1,
            retry_of: None,
            continues: None,
        }
    }
}

/// How much there is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub files: u64,
    pub bytes: u64,
}

/// The one answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The runs that were queued, or that were waiting already and now do this too.
    Accepted(Vec<QueuedRun>),
    /// Done; for an added repository its name, otherwise how many things it was done to.
    Added {
        name: String,
        is_new: bool,
    },
    Done {
        count: u64,
    },
    Planned(Vec<Plan>),
    Examined(Vec<Check>),
    Completions(Completions),
    Estimated(Box<Estimated>),
    Refused(Refusal),
}

/// The directories that a path which is being typed may become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Absolute, by name, at most [`COMPLETIONS`].
    pub directories: Vec<PathBuf>,
    /// There are more.
    pub is_cut: bool,
}

/// What adding a repository would mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimated {
    /// Its links resolved.
    pub path: PathBuf,
    /// What it would be called.
    pub name: String,
    /// What it is, where few people mean that: `your whole home directory`.
    pub whole: Option<String>,
    pub estimate: Estimate,
}

/// A run that waits or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRun {
    pub repository: String,
    pub run_id: String,
    pub kind: Kind,
    /// The request joined a run that another one had asked for.
    pub joined: bool,
}

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Never stored; its tally and outcome are those that the run would have had.
    pub run: Run,
    /// At most [`PLAN_CHANGES`].
    pub changes: Vec<StoredChange>,
}

/// Why a command was not carried out, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For machines: `unknown_repository`, `conflict`, `usage`, `invalid`, `unavailable`, `failed`.
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), hint: None }
    }
}

/// News from the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// All that only the engine knows; comes first, and again after some events were missed.
    Snapshot(Snapshot),
    RunQueued(QueuedRun),
    RunStarted(Box<Run>),
    /// Replaces the last one of the same run; at most 10 a second.
    Progress(RunProgress),
    /// The row as it stands in the index; a plan has none there.
    RunFinished(Box<Run>),
    /// A run has no row to show: it was cancelled while it waited, or the index could not be written.
    RunLost {
        run_id: String,
        message: String,
    },
    /// What only the engine knows of one repository is another now. Not sent for `true_as_of` alone.
    Live(Box<Live>),
    /// Repositories were added, changed or removed, or something was decided: read again.
    Changed,
    /// The engine has ended; nothing comes any more.
    Ended,
}

/// What only the engine knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub queued: Vec<QueuedRun>,
    pub running: Vec<RunProgress>,
    /// By name.
    pub live: Vec<Live>,
    pub scheduler: SchedulerStatus,
    pub stay: Stay,
}

/// How long an engine goes on by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// Until it has done what it was asked for: it does not watch, and keeps no schedule.
    #[default]
    Command,
    /// As long as someone looks on or something runs: a screen has started it.
    WhileUsed,
    /// Until it is told to end.
    Service,
}

impl Stay {
    const ALL: [(Stay, &str); 3] =
        [(Stay::Command, "command"), (Stay::WhileUsed, "while_used"), (Stay::Service, "service")];

    /// Tells whether it watches and keeps the schedule.
    pub fn is_resident(self) -> bool {
        self != Stay::Command
    }

    pub fn as_str(self) -> &'static str {
        Stay::ALL.iter().find(|(stay, _)| *stay == self).map_or("", |(_, word)| *word)
    }

    pub fn parse(word: &str) -> Option<Stay> {
        Stay::ALL.iter().find(|(_, known)| *known == word).map(|(stay, _)| *stay)
    }
}

impl Snapshot {
    /// Tells whether nothing waits or runs. A realtime run mostly waits, and what the watcher finds meanwhile is looked at
    /// when the next engine starts.
    pub fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.running.iter().all(|run| run.kind == Kind::Realtime)
    }

    /// Returns what is known of one repository.
    pub fn live_of(&self, repository: &str) -> Option<&Live> {
        self.live.iter().find(|live| live.repository == repository)
    }
}

/// What only the engine knows of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    pub repository: String,
    pub watch_mode: WatchMode,
    pub watched_directories: u64,
    /// Directories that could not be watched, and are polled.
    pub unwatched_directories: u64,
    /// Places that wait to be looked at or are being looked at.
    pub pending_hints: u64,
    /// Proven by the watcher; `None`: what the index says holds.
    pub true_as_of: Option<Timestamp>,
    /// Why `true_as_of` does not move on: a sentence for people.
    pub behind: Option<String>,
    /// Its root is not there: no run starts until it returns.
    pub is_missing: bool,
    /// By time.
    pub next_runs: Vec<NextRun>,
}

/// A run that the schedule will start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRun {
    pub repository: String,
    pub kind: Kind,
    pub at: Timestamp,
}

/// The schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulerStatus {
    pub running: bool,
    /// `startup`, `full_every`, ... as they are in force without a repository's own settings.
    pub settings: Vec<(String, String)>,
    /// By time.
    pub next: Vec<NextRun>,
    /// Since the engine started.
    pub runs_started: u64,
    /// Due runs that were not started, as one like them was going on or the root was missing.
    pub runs_skipped: u64,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct RunProgress {
    pub run_id: String,
    pub number: i64,
    pub repository: String,
    pub kind: Kind,
    pub elapsed_ms: u64,
    pub files_done: u64,
    /// Of the last full run, or counted ahead; `None` when neither is known.
    pub files_total: Option<u64>,
    /// Read and hashed so far.
    pub bytes_done: u64,
    /// All there is to read, where that is known.
    pub bytes_total: Option<u64>,
    pub files_per_s: u64,
    pub bytes_per_s: u64,
    pub eta_ms: Option<u64>,
    pub problems: u64,
    /// Relative to the repository.
    pub current_path: RelPath,
}

impl RunProgress {
    /// Returns how much is done, in percent from 0 to 100; `None` when the total is not known.
    ///
    /// By bytes where these are known (a first index reads everything), else by files.
    pub fn percent(&self) -> Option<f64> {
        let share = |done: u64, total: Option<u64>| {
            total.filter(|total| *total > 0).map(|total| (done as f64 / total as f64 * 100.0).min(100.0))
        };
        share(self.bytes_done, self.bytes_total).or_else(|| share(self.files_done, self.files_total))
    }
}
