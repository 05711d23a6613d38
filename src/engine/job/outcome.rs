//! Runs a job from its first look at the root to its outcome.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use super::linked::Linked;
use super::mounts::Mounts;
use super::open_run::{Ending, OpenRun};
use super::settle::{Settled, settle};
use super::shared::{JobContext, JobSpec, Shared};
use super::stack::Stack;
use super::targets;
use super::worker::run_round;
use crate::disk::{Filter, Identity, LeftOutCounts, OwnFiles, Root, RootError, count};
use crate::domain::amount::plural;
use crate::domain::guard::Reason;
use crate::domain::problem::Class;
use crate::domain::report::{Run, StoredChange};
use crate::domain::run::{Kind, Outcome};
use crate::domain::show::show;
use crate::engine::clock;
use crate::index::{HoldResult, IndexError, Reader, Result};

/// A job that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub run: Run,
    /// What a plan would change, at most its first thousand.
    pub changes: Vec<StoredChange>,
}

/// Runs a job to its end, and tells `started` its row once its start is written. It blocks; give it a thread of its own.
///
/// # Errors
/// When the run could be neither opened nor closed in the index. Everything else is the run's own outcome.
pub fn run(mut spec: JobSpec, context: JobContext, started: impl FnOnce(Run)) -> Result<Finished> {
    // While it waited, another run may have changed what is known of the repository.
    let reader = Reader::open(&context.index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    spec.repository = reader.repository_by_id(spec.repository.id)?;
    drop(reader);
    let open = OpenRun::open(&spec, &context)?;
    if !spec.plan {
        started(open.row(&spec, &context));
    }
    let ending = match catch_unwind(AssertUnwindSafe(|| work(&spec, &context, &open))) {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => Ending::failed(error.class(), error.to_string()),
        Err(_) => Ending::failed(Class::Internal, "a thread panicked; this is a bug, please report it with the log"),
    };
    let (run, changes) = open.close(ending)?;
    Ok(Finished { run, changes })
}

fn work(spec: &JobSpec, context: &JobContext, open: &OpenRun) -> Result<Ending> {
    let path = Path::new(OsStr::from_bytes(&spec.repository.path));
    let (root, identity) = match open_root(path) {
        Ok(found) => found,
        Err(ending) => return Ok(ending),
    };
    let known = spec.repository.identity.as_deref().and_then(Identity::parse);
    if let Some(ending) = refuse_other_place(spec, context, open, known.as_ref(), &identity)? {
        return Ok(ending);
    }
    let has_moved = known.is_none() && spec.repository.seen_generation > 0;
    if !spec.plan {
        // A library that was moved is compared by the next full run, whatever other run comes before it.
        if !has_moved {
            context.writer.set_identity(spec.repository.id, &identity.to_text())?;
        }
        context.writer.release_root(spec.repository.id)?;
    }
    let filter = match Filter::new(&spec.repository.settings.selection) {
        Ok(filter) => filter,
        Err(error) => return Ok(Ending::failed(Class::Config, error.to_string())),
    };
    let reader = Reader::open(&context.index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    let shared = Arc::new(Shared {
        run: Arc::new(open.context.clone()),
        started_ms: open.started_at.0,
        reads_all: has_moved,
        mounts: Mounts::look(&root, reader.known_mounts(spec.repository.id)?),
        identity: identity.to_text(),
        root,
        filter,
        own: OwnFiles::find(&context.data_directory),
        stack: Stack::default(),
        open_problems: reader.open_problem_paths(spec.repository.id)?,
        is_first: spec.repository.seen_generation == 0,
        adopts_mounts: known.is_none() || spec.accept_removals,
        linked: Linked::default(),
        moved: Mutex::new(Vec::new()),
        vanished: AtomicU64::new(0),
        verified_bytes: AtomicU64::new(0),
        unmet: Mutex::new(Vec::new()),
        left_out: Mutex::new(LeftOutCounts::default()),
        error: Mutex::new(None),
        relisting: AtomicBool::new(false),
        relisted: AtomicU64::new(0),
        arrivals_are_final: AtomicBool::new(false),
        is_settling: AtomicBool::new(false),
        counting: AtomicBool::new(true),
        spec: spec.clone(),
        context: context.clone(),
    });
    announce(&shared);
    let counter = count_ahead(&shared);
    let result = look_and_settle(&shared, &reader);
    if let Some(counter) = counter {
        shared.counting.store(false, Relaxed);
        // It only counts; a panic there has been logged and harms nobody.
        let _counted = counter.join();
    }
    conclude(&shared, result?)
}

/// Opens the root, or says why the run fails. The root may be missing for a while: nothing is removed for that.
fn open_root(path: &Path) -> std::result::Result<(Root, Identity), Ending> {
    let fail = |error: RootError| {
        let class = match &error {
            RootError::Missing(_) | RootError::NotADirectory(_) => Class::MountMissing,
            RootError::Unreadable(_, errno) => crate::disk::class_of(*errno),
        };
        Ending::failed(class, format!("{error}; nothing was removed. Mount it or bring it back, then sync again"))
    };
    let root = Root::open(path).map_err(fail)?;
    let identity = root.directory(b"").and_then(|directory| directory.identity());
    let identity = identity.map_err(|errno| fail(RootError::Unreadable(path.to_owned(), errno)))?;
    Ok((root, identity))
}

/// Ends the run when the root is on another file system than before: nothing there is read, nothing is removed.
fn refuse_other_place(
    spec: &JobSpec,
    context: &JobContext,
    open: &OpenRun,
    known: Option<&Identity>,
    now: &Identity,
) -> Result<Option<Ending>> {
    if known.is_none_or(|known| known.is_same_place(now)) {
        return Ok(None);
    }
    let held = context.writer.hold_root(&open.context, Reason::FilesystemChanged, clock::wall().0)?;
    let name = &spec.repository.name;
    let path = show(&spec.repository.path);
    let message = format!(
        "{path} is on another file system than before; nothing was read or removed. Mount the right one, or if the \
         library really is here now: watchkeeper repo set {name} path={path}"
    );
    let outcome = if held.undecided > 0 { Outcome::Held } else { Outcome::Completed };
    let class = Some(Class::FilesystemChanged);
    Ok(Some(Ending { outcome, class, message: Some(message), vouches_from_ms: None }))
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

/// Starts to count names and sizes ahead of a first run, if someone looks at the progress.
fn count_ahead(shared: &Arc<Shared>) -> Option<std::thread::JoinHandle<()>> {
    if !shared.is_first || !shared.context.counts_ahead || shared.spec.kind == Kind::Single {
        return None;
    }
    let theirs = Arc::clone(shared);
    let counting = std::thread::Builder::new().name("count-ahead".to_owned()).spawn(move || {
        let goes_on = || theirs.counting.load(Relaxed) && !theirs.should_stop();
        let counted = count(&theirs.root, &theirs.filter, &theirs.own, |_| goes_on());
        if goes_on() {
            theirs.context.progress.set_files_total(counted.files);
            if theirs.spec.hashing {
                theirs.context.progress.set_bytes_total(counted.bytes);
            }
        }
    });
    // Without it there is no percentage, and that is all.
    counting.ok()
}

fn look_and_settle(shared: &Arc<Shared>, reader: &Reader) -> Result<Settled> {
    let (work, source) = targets::first_work(shared, reader)?;
    shared.stack.begin(work, source);
    run_round(shared, shared.spec.workers);
    if let Some(error) = shared.error.lock().expect("no one panics while holding this lock").take() {
        return Err(error);
    }
    if shared.is_cancelled() {
        return Ok(Settled::default());
    }
    let settled = settle(shared)?;
    match shared.error.lock().expect("no one panics while holding this lock").take() {
        Some(error) => Err(error),
        None => Ok(settled),
    }
}

/// Turns what happened into an outcome.
fn conclude(shared: &Shared, settled: Settled) -> Result<Ending> {
    let spec = &shared.spec;
    if shared.is_cancelled() {
        return Ok(Ending {
            outcome: Outcome::Cancelled,
            class: Some(Class::Cancelled),
            message: Some("cancelled; what was committed stays".to_owned()),
            vouches_from_ms: None,
        });
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
    if shared.is_verify() && shared.is_budget_used_up() {
        shared.log("the budget is used up; the next verify goes on from here".to_owned());
    }
    let held = match settled.held {
        Some(held) => held,
        None => shared.context.writer.standing_holds(spec.repository.id)?,
    };
    let ending = |outcome| Ending {
        outcome,
        class: None,
        message: None,
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

fn say_held(spec: &JobSpec, held: &HoldResult) -> String {
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
        tracing::info!(run = self.run.number, "{message}");
        let written = self.context.writer.log(&self.run, clock::wall().0, message);
        if let Err(error) = written {
            tracing::warn!(%error, "a log line could not be written");
        }
    }
}
