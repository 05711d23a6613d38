//! What engine and surfaces say to each other, into the shapes of `wire` and back: answers, snapshots, progress.

use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::run::Kind;
use crate::domain::status::WatchMode;
use crate::engine::doctor::{Check, State};
use crate::engine::protocol::{
    Answer, Completions, Live, NextRun, Plan, QueuedRun, RunProgress, SchedulerStatus, Snapshot, Stay,
};
use crate::wire::path::{joined, split};
use crate::wire::{
    AnswerJson, ChangeJson, CheckJson, EstimatedJson, LiveJson, NextJson, PathJson, PlanJson, ProgressJson, QueuedJson,
    RunJson, RunProgressJson, SchedulerJson, SnapshotJson,
};

/// The schedule's settings in the contract's order.
const SETTINGS: [&str; 6] = ["startup", "full_every", "full_at", "incremental_every", "verify_every", "cleanup_every"];

impl From<Answer> for AnswerJson {
    /// A refusal has a shape of its own ([`crate::wire::ErrorJson`]); it counts as nothing done.
    fn from(answer: Answer) -> AnswerJson {
        match answer {
            Answer::Accepted(runs) => AnswerJson::Accepted { runs: runs.iter().map(QueuedJson::from).collect() },
            Answer::Planned(plans) => AnswerJson::Planned { plans: plans.iter().map(PlanJson::from).collect() },
            Answer::Examined(checks) => AnswerJson::Examined { checks: checks.into_iter().map(check_json).collect() },
            Answer::Added { name, is_new } => AnswerJson::Added { repository: name, is_new },
            Answer::Done { count } => AnswerJson::Done { count },
            Answer::Completions(found) => AnswerJson::Completed {
                directories: found.directories.iter().map(|path| PathJson::from(path.as_path())).collect(),
                is_cut: found.is_cut,
            },
            Answer::Estimated(estimated) => AnswerJson::Estimated(EstimatedJson::from(&*estimated)),
            Answer::Refused(_) => AnswerJson::Done { count: 0 },
        }
    }
}

impl AnswerJson {
    /// Returns the answer; like all that is read here `None` when it holds words that this version does not know.
    pub fn into_answer(self) -> Option<Answer> {
        Some(match self {
            AnswerJson::Accepted { runs } => {
                Answer::Accepted(runs.into_iter().map(QueuedJson::into_run).collect::<Option<_>>()?)
            }
            AnswerJson::Planned { plans } => {
                Answer::Planned(plans.into_iter().map(PlanJson::into_plan).collect::<Option<_>>()?)
            }
            AnswerJson::Examined { checks } => {
                Answer::Examined(checks.into_iter().map(into_check).collect::<Option<_>>()?)
            }
            AnswerJson::Completed { directories, is_cut } => Answer::Completions(Completions {
                directories: directories.into_iter().map(PathJson::into_path).collect::<Option<_>>()?,
                is_cut,
            }),
            AnswerJson::Estimated(estimated) => Answer::Estimated(Box::new(estimated.into_estimated()?)),
            AnswerJson::Added { repository, is_new } => Answer::Added { name: repository, is_new },
            AnswerJson::Done { count } => Answer::Done { count },
        })
    }
}

/// Shapes a check as `doctor --json` prints it.
pub fn check_json(check: Check) -> CheckJson {
    let Check { name, state, message, hint, value } = check;
    CheckJson { check: name, state: state.as_str().to_owned(), message, hint, value }
}

fn into_check(json: CheckJson) -> Option<Check> {
    let CheckJson { check: name, state, message, hint, value } = json;
    Some(Check { name, state: State::parse(&state)?, message, hint, value })
}

impl From<&QueuedRun> for QueuedJson {
    fn from(run: &QueuedRun) -> QueuedJson {
        QueuedJson {
            repository: run.repository.clone(),
            run_id: run.run_id.clone(),
            kind: run.kind.as_str().to_owned(),
            joined: run.joined,
        }
    }
}

impl QueuedJson {
    pub fn into_run(self) -> Option<QueuedRun> {
        let kind = Kind::parse(&self.kind)?;
        Some(QueuedRun { repository: self.repository, run_id: self.run_id, kind, joined: self.joined })
    }
}

impl From<&Plan> for PlanJson {
    fn from(plan: &Plan) -> PlanJson {
        PlanJson { run: RunJson::new(&plan.run), changes: plan.changes.iter().map(ChangeJson::from).collect() }
    }
}

impl PlanJson {
    fn into_plan(self) -> Option<Plan> {
        let changes = self.changes.into_iter().map(ChangeJson::into_change).collect::<Option<_>>()?;
        Some(Plan { run: self.run.to_run()?, changes })
    }
}

/// Shapes a sample as it stands in a run.
pub fn progress(sample: &RunProgress) -> ProgressJson {
    ProgressJson {
        files_done: sample.files_done,
        files_total: sample.files_total,
        bytes_done: sample.bytes_done,
        bytes_total: sample.bytes_total,
        bytes_per_s: sample.bytes_per_s,
        eta_ms: sample.eta_ms,
        current_path: split(sample.current_path.as_bytes()).0,
    }
}

impl From<&RunProgress> for RunProgressJson {
    fn from(sample: &RunProgress) -> RunProgressJson {
        RunProgressJson {
            run_id: sample.run_id.clone(),
            number: sample.number,
            repository: sample.repository.clone(),
            kind: sample.kind.as_str().to_owned(),
            elapsed_ms: sample.elapsed_ms,
            files_per_s: sample.files_per_s,
            problems: sample.problems,
            current_path_b64: split(sample.current_path.as_bytes()).1,
            progress: progress(sample),
        }
    }
}

impl RunProgressJson {
    pub fn into_sample(self) -> Option<RunProgress> {
        let progress = self.progress;
        let current = joined(progress.current_path, self.current_path_b64.as_deref())?;
        Some(RunProgress {
            run_id: self.run_id,
            number: self.number,
            repository: self.repository,
            kind: Kind::parse(&self.kind)?,
            elapsed_ms: self.elapsed_ms,
            files_done: progress.files_done,
            files_total: progress.files_total,
            bytes_done: progress.bytes_done,
            bytes_total: progress.bytes_total,
            files_per_s: self.files_per_s,
            bytes_per_s: progress.bytes_per_s,
            eta_ms: progress.eta_ms,
            problems: self.problems,
            current_path: RelPath::from_stored(current),
        })
    }
}

fn next(run: &NextRun) -> NextJson {
    NextJson { repository: Some(run.repository.clone()), kind: run.kind.as_str().to_owned(), at: run.at.rfc3339() }
}

fn into_next(run: NextJson) -> Option<NextRun> {
    Some(NextRun { repository: run.repository?, kind: Kind::parse(&run.kind)?, at: Timestamp::parse(&run.at)? })
}

impl From<&Live> for LiveJson {
    fn from(live: &Live) -> LiveJson {
        LiveJson {
            repository: live.repository.clone(),
            watch_mode: live.watch_mode.as_str().to_owned(),
            watched_directories: live.watched_directories,
            unwatched_directories: live.unwatched_directories,
            pending_hints: live.pending_hints,
            true_as_of: live.true_as_of.map(Timestamp::rfc3339),
            behind: live.behind.clone(),
            is_missing: live.is_missing,
            next_runs: live.next_runs.iter().map(next).collect(),
        }
    }
}

impl LiveJson {
    pub fn into_live(self) -> Option<Live> {
        Some(Live {
            repository: self.repository,
            watch_mode: WatchMode::parse(&self.watch_mode)?,
            watched_directories: self.watched_directories,
            unwatched_directories: self.unwatched_directories,
            pending_hints: self.pending_hints,
            true_as_of: match self.true_as_of {
                Some(text) => Some(Timestamp::parse(&text)?),
                None => None,
            },
            behind: self.behind,
            is_missing: self.is_missing,
            next_runs: self.next_runs.into_iter().map(into_next).collect::<Option<_>>()?,
        })
    }
}

impl From<&SchedulerStatus> for SchedulerJson {
    fn from(status: &SchedulerStatus) -> SchedulerJson {
        SchedulerJson {
            running: status.running,
            next: status.next.iter().map(next).collect(),
            runs_started: status.runs_started,
            runs_skipped: status.runs_skipped,
            settings: status.settings.iter().cloned().collect(),
        }
    }
}

impl SchedulerJson {
    fn into_status(self) -> Option<SchedulerStatus> {
        let mut settings: Vec<(String, String)> = self.settings.into_iter().collect();
        settings.sort_by_key(|(key, _)| SETTINGS.iter().position(|known| known == key).unwrap_or(SETTINGS.len()));
        Some(SchedulerStatus {
            running: self.running,
            settings,
            next: self.next.into_iter().map(into_next).collect::<Option<_>>()?,
            runs_started: self.runs_started,
            runs_skipped: self.runs_skipped,
        })
    }
}

impl From<&Snapshot> for SnapshotJson {
    fn from(snapshot: &Snapshot) -> SnapshotJson {
        SnapshotJson {
            queued: snapshot.queued.iter().map(QueuedJson::from).collect(),
            running: snapshot.running.iter().map(RunProgressJson::from).collect(),
            live: snapshot.live.iter().map(LiveJson::from).collect(),
            scheduler: SchedulerJson::from(&snapshot.scheduler),
            stay: snapshot.stay.as_str().to_owned(),
        }
    }
}

impl SnapshotJson {
    pub fn into_snapshot(self) -> Option<Snapshot> {
        Some(Snapshot {
            queued: self.queued.into_iter().map(QueuedJson::into_run).collect::<Option<_>>()?,
            running: self.running.into_iter().map(RunProgressJson::into_sample).collect::<Option<_>>()?,
            live: self.live.into_iter().map(LiveJson::into_live).collect::<Option<_>>()?,
            scheduler: self.scheduler.into_status()?,
            stay: Stay::parse(&self.stay)?,
        })
    }
}
