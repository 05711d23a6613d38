//! The guard object of a run: its start is written before any work, and whatever ends it, it is closed with an outcome.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{JobContext, JobSpec};
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::domain::report::{Run, StoredChange};
use crate::domain::run::{Outcome, Tally, Trigger};
use crate::domain::show::show;
use crate::engine::clock::{self, Stopwatch};
use crate::engine::ledger::Ledger;
use crate::engine::protocol::{Continued, PLAN_CHANGES};
use crate::engine::resources::Resources;
use crate::engine::stop::Stop;
use crate::index::{CloseRun, NewRun, Result, RunContext, Writer};

/// Pauses between tries to write a run's end, doubled each time; and how soon a word to stop is heard in one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(100);

/// How a run ends.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub outcome: Outcome,
    pub class: Option<Class>,
    /// What a person is told of it: what happened, and what to do.
    pub message: Option<String>,
    /// Set by a full run that reached its last directory.
    pub vouches_from_ms: Option<i64>,
}

impl Ending {
    /// `has_stalled`: not because anyone asked for it, but as nothing moved for too long.
    pub fn cancelled(has_stalled: bool) -> Ending {
        if has_stalled {
            let message = "nothing moved for longer than `stall_timeout`; what was committed stays";
            return Ending::failed(Class::Timeout, message);
        }
        Ending {
            outcome: Outcome::Cancelled,
            class: Some(Class::Cancelled),
            message: Some("cancelled; what was committed stays".to_owned()),
            vouches_from_ms: None,
        }
    }

    pub fn failed(class: Class, message: impl Into<String>) -> Ending {
        Ending { outcome: Outcome::Failed, class: Some(class), message: Some(message.into()), vouches_from_ms: None }
    }
}

/// A run that has begun. Dropped without an ending (a bug), it is closed as failed.
#[derive(Debug)]
pub(super) struct OpenRun {
    writer: Writer,
    ledger: Ledger,
    /// Set where the engine stays: an end that cannot be written now is written later, until the run is told to stop.
    stays: Option<Arc<Stop>>,
    pub context: RunContext,
    pub started_at: Timestamp,
    stopwatch: Stopwatch,
    before: Resources,
    attached: Attached,
    is_plan: bool,
    is_closed: bool,
}

impl OpenRun {
    /// Writes down that a run begins.
    pub fn open(spec: &JobSpec, context: &JobContext) -> Result<OpenRun> {
        let started_at = clock::wall();
        let attached = Attached::to(spec);
        let triggers: Vec<&str> = spec.triggers.iter().copied().map(Trigger::as_str).collect();
        let run = context.ledger.open_run(NewRun {
            run_id: spec.run_id.clone(),
            repository: spec.repository.id,
            name: spec.repository.name.clone(),
            kind: spec.kind,
            trigger: triggers.join(" "),
            started_ms: started_at.0,
            instance: context.instance.clone(),
            metadata: attached.at_start(),
            attempt: spec.attempt,
            retry_of: spec.retry_of.clone(),
            is_plan: spec.plan,
            first_line: first_line(spec),
        })?;
        if let Some(before) = &spec.continues {
            note_sequel(&context.writer, &run, before);
        }
        Ok(OpenRun {
            writer: context.writer.clone(),
            ledger: context.ledger.clone(),
            stays: context.inbox.is_some().then(|| Arc::clone(&context.stop)),
            context: run,
            started_at,
            stopwatch: Stopwatch::start(),
            before: Resources::now(),
            attached,
            is_plan: spec.plan,
            is_closed: false,
        })
    }

    /// Returns the run's row as it stands at its start.
    pub fn row(&self, spec: &JobSpec, context: &JobContext) -> Run {
        let triggers: Vec<&str> = spec.triggers.iter().copied().map(Trigger::as_str).collect();
        Run {
            run_id: spec.run_id.clone(),
            number: self.context.number,
            repository_id: spec.repository.id,
            repository: spec.repository.name.clone(),
            kind: spec.kind,
            trigger: triggers.join(" "),
            outcome: None,
            started_at: self.started_at,
            ended_at: None,
            duration_ms: None,
            tally: Tally::default(),
            error_class: None,
            error_message: None,
            attempt: spec.attempt,
            retry_of: spec.retry_of.clone(),
            folded: 1,
            instance: context.instance.clone(),
            metadata: None,
        }
    }

    /// Writes down how it ended, and returns its row. A plan is undone instead, and returns what it would have changed.
    pub fn close(mut self, ending: Ending) -> Result<(Run, Vec<StoredChange>)> {
        self.is_closed = true;
        let closed = self.write_end(&self.closing(ending));
        match self.is_plan {
            true => self.writer.end_plan(&self.context, PLAN_CHANGES),
            false => Ok((closed?, Vec::new())),
        }
    }

    /// Writes the end, and where the engine stays tries again until there is room for it: the run is not over before.
    fn write_end(&self, close: &CloseRun) -> Result<Run> {
        let mut pause = FIRST_PAUSE;
        loop {
            let closed = self.ledger.close_run(&self.context, close.clone());
            let Err(error) = &closed else { return closed };
            let passes = matches!(error.class(), Class::DeviceFull | Class::Io | Class::DatabaseBusy);
            let Some(stop) = self.stays.as_ref().filter(|stop| passes && !stop.is_final()) else { return closed };
            tracing::error!(%error, run = self.context.number, "the end of a run cannot be written; it is tried again");
            let mut left = pause;
            while !left.is_zero() && !stop.is_final() {
                std::thread::sleep(STEP.min(left));
                left = left.saturating_sub(STEP);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn closing(&self, ending: Ending) -> CloseRun {
        CloseRun {
            outcome: ending.outcome,
            ended_ms: clock::wall().0,
            duration_ms: i64::try_from(self.stopwatch.elapsed_ms()).unwrap_or(i64::MAX),
            error_class: ending.class.map(Class::as_str),
            error_message: ending.message,
            metadata: Some(self.metadata()),
            vouches_from_ms: ending.vouches_from_ms,
        }
    }

    fn metadata(&self) -> String {
        let now = Resources::now();
        let used = serde_json::json!({
            "note": self.attached.note,
            "cpu_ms": now.cpu_ms.saturating_sub(self.before.cpu_ms),
            "peak_memory_bytes": now.peak_memory_bytes,
            "written_bytes": now.written_bytes.saturating_sub(self.before.written_bytes),
        });
        self.attached.with_link(used).to_string()
    }
}

/// What is written beside a run from its start on.
#[derive(Clone, Debug)]
struct Attached {
    note: Option<String>,
    /// Id of the verify that this one goes on with.
    continues: Option<String>,
}

impl Attached {
    fn to(spec: &JobSpec) -> Attached {
        let continues = spec.continues.as_ref().map(|before| before.run_id.clone());
        Attached { note: spec.note.clone(), continues }
    }

    fn at_start(&self) -> Option<String> {
        let is_empty = self.note.is_none() && self.continues.is_none();
        (!is_empty).then(|| self.with_link(serde_json::json!({ "note": self.note })).to_string())
    }

    fn with_link(&self, mut metadata: serde_json::Value) -> serde_json::Value {
        if let Some(run_id) = &self.continues {
            metadata["continues"] = run_id.as_str().into();
        }
        metadata
    }
}

/// Tells the log of the run that gave way which one goes on with it. That run may be too old to be kept.
fn note_sequel(writer: &Writer, run: &RunContext, before: &Continued) {
    let theirs = RunContext { number: before.number, ..run.clone() };
    let written = writer.log(&theirs, clock::wall().0, format!("run {} goes on with it", run.number));
    if let Err(error) = written {
        tracing::warn!(%error, "a log line could not be written");
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        let ending = Ending::failed(Class::Internal, "the run ended without an outcome; this is a bug");
        // Nobody is left to tell; the next start finds the run open and closes it as interrupted.
        let closed = match self.is_plan {
            true => self.writer.end_plan(&self.context, 0).map(|_| ()),
            false => self.ledger.close_run(&self.context, self.closing(ending)).map(|_| ()),
        };
        if let Err(error) = closed {
            tracing::error!(%error, "a run could not be closed");
        }
    }
}

fn first_line(spec: &JobSpec) -> String {
    let first = if spec.repository.seen_generation == 0 { ", the first: everything is read" } else { "" };
    let before =
        spec.continues.as_ref().map_or(String::new(), |run| format!(", going on where run {} gave way", run.number));
    format!("{} sync of {}{first}{before}", spec.kind.as_str(), show(&spec.repository.path))
}
