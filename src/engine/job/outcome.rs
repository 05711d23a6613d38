//! Runs a job from its first look at the root to its outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::company::Company;
use super::confined::confine;
use super::open_run::{Ending, OpenRun};
use super::pace;
use super::prepare::{Part, prepare};
use super::serve::{Server, beside};
use super::settle::{Settled, settle};
use super::shared::{JobContext, JobSpec, Shared};
use super::targets;
use super::worker::run_round;
use crate::disk::count;
use crate::domain::amount::plural;
use crate::domain::guard::Reason;
use crate::domain::hint::Hints;
use crate::domain::problem::Class;
use crate::domain::report::{Run, StoredChange};
use crate::domain::run::{Kind, Outcome};
use crate::domain::show::show;
use crate::engine::clock;
use crate::engine::protocol::Expected;
use crate::engine::stop::Why;
use crate::index::{HoldResult, IndexError, Reader, Result};

/// What is said of a verify that stopped for another run, whoever reads the rest.
const GAVE_WAY: &str = "gave way to another run; what is left is read by the next verify";

/// A job that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub run: Run,
    /// What a plan would change, at most its first thousand.
    pub changes: Vec<StoredChange>,
    /// Hints that came while it ran and were not settled by it.
    pub again: Hints,
    /// It has looked at everything, to the end.
    pub has_seen_all: bool,
    /// A verify that stopped for another run.
    pub gave_way: bool,
    /// Its threads hang or have panicked: what they had in hand is not known.
    pub is_given_up: bool,
}

impl Finished {
    /// A run whose threads hang: somebody else wrote its end.
    pub fn given_up(run: Run) -> Finished {
        Finished {
            run,
            changes: Vec::new(),
            again: Hints::default(),
            has_seen_all: false,
            gave_way: false,
            is_given_up: true,
        }
    }
}

/// Runs a job to its end, and tells `started` its row once its start is written. It blocks; give it a thread of its own.
///
/// # Errors
/// When the run could be neither opened nor closed in the index. Everything else is the run's own outcome.
pub fn run(mut spec: JobSpec, context: JobContext, started: impl FnOnce(Run)) -> Result<Finished> {
    confine(&context.data_directory);
    // While it waited, another run may have changed what is known of the repository.
    let reader = Reader::open(&context.index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    spec.repository = reader.repository_by_id(spec.repository.id)?;
    drop(reader);
    let open = OpenRun::open(&spec, &context)?;
    if !spec.plan {
        started(open.row(&spec, &context));
    }
    let is_realtime = spec.kind == Kind::Realtime;
    let company = Arc::new(Company::new(!is_realtime && context.inbox.is_some()));
    let server = Server::new(&spec, &context, &open, Arc::clone(&company));
    let inbox = context.inbox.as_deref();
    let run_all = || match inbox.filter(|_| is_realtime) {
        Some(inbox) => {
            let (ending, mut left) = server.serve_all(inbox);
            left.merge(inbox.take_left().unwrap_or_default().into_hints());
            (ending, left)
        }
        None => beside(&server, inbox, || work(&spec, &context, &open, company)),
    };
    let (ending, again) = match catch_unwind(AssertUnwindSafe(run_all)) {
        Ok((ending, again)) => (Ok(ending), again),
        Err(panic) => (Err(panic), Hints::default()),
    };
    let is_given_up = ending.is_err();
    let ending = match ending {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => Ending::failed(error.class(), error.to_string()),
        Err(_) => Ending::failed(Class::Internal, "a thread panicked; this is a bug, please report it with the log"),
    };
    let has_seen_all = ending.vouches_from_ms.is_some();
    let gave_way = context.stop.why() == Some(Why::GiveWay);
    let (run, changes) = open.close(ending)?;
    Ok(Finished { run, changes, again, has_seen_all, gave_way, is_given_up })
}

fn work(spec: &JobSpec, context: &JobContext, open: &OpenRun, company: Arc<Company>) -> Result<Ending> {
    // Not before the thread for hints has been started: that one is in a hurry.
    pace::take_manners(spec);
    let part = Part { run: open.context.clone(), company, hinted: None, workers: pace::workers(spec) };
    let shared = match prepare(spec, context, open, part)? {
        Ok(shared) => shared,
        Err(ending) => return Ok(ending),
    };
    let reader = Reader::open(&context.index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    let walk = context.watcher.as_ref().map(|watcher| (watcher, watcher.begin_walk()));
    announce(&shared);
    let counter = count_ahead(&shared);
    let result = look_and_settle(&shared, &reader);
    if let Some(counter) = counter {
        shared.counting.store(false, Relaxed);
        // It only counts; a panic there has been logged and harms nobody.
        let _counted = counter.join();
    }
    let ending = conclude(&shared, result?)?;
    if let Some((watcher, walk)) = walk.filter(|_| ending.vouches_from_ms.is_some()) {
        watcher.sweep(spec.repository.id.0, walk);
    }
    Ok(ending)
}

fn announce(shared: &Shared) {
    let spec = &shared.spec;
    if !shared.is_first && spec.kind == Kind::Full {
        shared.context.progress.set_files_total(spec.repository.total_files.max(0) as u64);
    }
    if spec.kind == Kind::Verify && !shared.is_first {
        shared.context.progress.set_files_total(spec.repository.total_files.max(0) as u64);
        let bytes = spec.repository.total_bytes.max(0) as u64;
        shared.context.progress.set_bytes_total(spec.max_bytes.map_or(bytes, |most| most.min(bytes)));
    }
}

/// Starts to count names and sizes ahead of a first run, if someone looks at the progress and nobody has counted yet.
fn count_ahead(shared: &Arc<Shared>) -> Option<std::thread::JoinHandle<()>> {
    if !shared.is_first || !shared.context.counts_ahead || shared.spec.kind == Kind::Single {
        return None;
    }
    if let Some(expected) = shared.spec.expected {
        announce_first(shared, expected);
        return None;
    }
    let theirs = Arc::clone(shared);
    let counting = std::thread::Builder::new().name("count-ahead".to_owned()).spawn(move || {
        let goes_on = || theirs.counting.load(Relaxed) && !theirs.should_stop();
        let counted = count(&theirs.root, &theirs.filter, &theirs.own, |_| goes_on());
        if goes_on() {
            announce_first(&theirs, Expected { files: counted.files, bytes: counted.bytes });
        }
    });
    // Without it there is no percentage, and that is all.
    counting.ok()
}

fn announce_first(shared: &Shared, expected: Expected) {
    shared.context.progress.set_files_total(expected.files);
    if shared.spec.hashing {
        shared.context.progress.set_bytes_total(expected.bytes);
    }
}

fn look_and_settle(shared: &Arc<Shared>, reader: &Reader) -> Result<Settled> {
    let (work, source) = targets::first_work(shared, reader)?;
    shared.stack.begin(work, source);
    run_round(shared, shared.workers);
    first_error(shared)?;
    if shared.is_cancelled() {
        return Ok(Settled::default());
    }
    let settled = settle(shared)?;
    first_error(shared)?;
    Ok(settled)
}

/// Returns the error that stopped the workers, if one did.
pub(super) fn first_error(shared: &Shared) -> Result<()> {
    match shared.error.lock().expect("no one panics while holding this lock").take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Turns what happened into an outcome.
fn conclude(shared: &Shared, settled: Settled) -> Result<Ending> {
    let spec = &shared.spec;
    if shared.is_cancelled() {
        return Ok(Ending::cancelled(shared.context.stop.why() == Some(Why::Stalled)));
    }
    if let Some(ending) = nothing_there(shared) {
        return Ok(ending);
    }
    let reaches_all = matches!(spec.kind, Kind::Full) || (shared.is_first && spec.kind != Kind::Single);
    let reaches_all = reaches_all && !shared.is_budget_used_up() && spec.kind != Kind::Cleanup;
    if reaches_all {
        let counts = shared.left_out.lock().expect("no one panics while holding this lock");
        shared.context.writer.set_left_out(spec.repository.id, &shared.filter.describe(&counts))?;
        if shared.reads_all {
            shared.context.writer.set_identity(spec.repository.id, &shared.identity)?;
        }
    }
    if shared.gives_way() {
        shared.log(GAVE_WAY.to_owned());
    } else if shared.is_verify() && shared.is_budget_used_up() {
        shared.log("the budget is used up; the next verify goes on from here".to_owned());
    }
    let held = match settled.held {
        Some(held) => held,
        None => shared.context.writer.standing_holds(spec.repository.id)?,
    };
    let ending = |outcome| Ending {
        outcome,
        class: None,
        message: shared.gives_way().then(|| GAVE_WAY.to_owned()),
        vouches_from_ms: reaches_all.then_some(shared.started_ms),
    };
    if held.undecided > 0 {
        let class = match held.reason {
            Some(Reason::MountMissing) => Some(Class::MountMissing),
            Some(Reason::FilesystemChanged) => Some(Class::FilesystemChanged),
            _ => None,
        };
        return Ok(Ending { class, message: Some(say_held(spec, &held)), ..ending(Outcome::Held) });
    }
    let had_problems = shared.context.progress.problems.load(Relaxed) > 0;
    Ok(ending(if had_problems { Outcome::Partial } else { Outcome::Completed }))
}

pub(super) fn say_held(spec: &JobSpec, held: &HoldResult) -> String {
    let removals = plural(held.undecided_files.max(held.undecided).unsigned_abs(), "removal is", "removals are");
    let reason = held.reason.map_or("", Reason::sentence);
    let name = &spec.repository.name;
    format!("{removals} held: {reason}. See `watchkeeper held {name}`; then `--accept` or `--dismiss`")
}

/// Ends a run as failed when nothing that was asked for by path is on disk or in the index.
fn nothing_there(shared: &Shared) -> Option<Ending> {
    let unmet = shared.unmet.lock().expect("no one panics while holding this lock");
    if unmet.is_empty() {
        return None;
    }
    for path in unmet.iter().take(20) {
        shared.log(format!("{}: not on disk, not in the index, or left out", show(path)));
    }
    let asked = shared.spec.paths.len();
    (asked > 0 && unmet.len() >= asked).then(|| {
        let paths: Vec<String> = shared.spec.paths.iter().take(3).map(ToString::to_string).collect();
        let message = format!("{}: not on disk, not in the index, or left out by a rule", paths.join(", "));
        Ending::failed(Class::NotFound, message)
    })
}

impl Shared {
    /// Writes a line into the run's log. That a log line is lost is no reason to stop.
    pub(super) fn log(&self, message: String) {
        tracing::debug!(repository = self.spec.repository.name, run = self.run.number, "{message}");
        let written = self.context.writer.log(&self.run, clock::wall().0, message);
        if let Err(error) = written {
            tracing::warn!(%error, "a log line could not be written");
        }
    }
}
