//! Before any work: opens the root, makes sure that it is the place that it was, and gathers what all workers share.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use super::company::Company;
use super::hinted::Hinted;
use super::linked::Linked;
use super::mounts::Mounts;
use super::open_run::{Ending, OpenRun};
use super::shared::{JobContext, JobSpec, Shared};
use super::stack::Stack;
use crate::disk::{Identity, LeftOutCounts, Root, RootError};
use crate::domain::guard::Reason;
use crate::domain::problem::Class;
use crate::domain::run::{Kind, Outcome};
use crate::domain::show::show;
use crate::engine::clock;
use crate::index::{Result, RunContext};

/// Which part of a run is prepared.
pub(super) struct Part {
    pub run: RunContext,
    pub company: Arc<Company>,
    pub hinted: Option<Hinted>,
    /// Threads that it is worth.
    pub workers: usize,
}

/// Returns what the workers share; or how the run ends, when there is nothing that may be looked at.
pub(super) fn prepare(
    spec: &JobSpec,
    context: &JobContext,
    open: &OpenRun,
    part: Part,
) -> Result<std::result::Result<Arc<Shared>, Ending>> {
    let path = Path::new(OsStr::from_bytes(&spec.repository.path));
    let (root, identity) = match open_root(path) {
        Ok(found) => found,
        Err(ending) => return Ok(Err(ending)),
    };
    let known = spec.repository.identity.as_deref().and_then(Identity::parse);
    if let Some(ending) = refuse_other_place(spec, context, open, known.as_ref(), &identity)? {
        return Ok(Err(ending));
    }
    let has_moved = known.is_none() && spec.repository.seen_generation > 0;
    if !spec.plan && spec.kind != Kind::Realtime {
        // A library that was moved is compared by the next full run, whatever other run comes before it.
        if !has_moved {
            context.writer.set_identity(spec.repository.id, &identity.to_text())?;
        }
        context.writer.release_root(spec.repository.id)?;
    }
    let filter = match part.company.filter(&spec.repository.settings.selection) {
        Ok(filter) => filter,
        Err(error) => return Ok(Err(Ending::failed(Class::Config, error.to_string()))),
    };
    let reader = part.company.reader(&context.index_path)?;
    let shared = Shared {
        run: Arc::new(part.run),
        started_ms: open.started_at.0,
        reads_all: has_moved,
        mounts: Mounts::look(&root, reader.known_mounts(spec.repository.id)?),
        identity: identity.to_text(),
        root,
        filter,
        own: part.company.own(&context.data_directory),
        stack: Stack::default(),
        open_problems: reader.open_problem_paths(spec.repository.id)?,
        is_first: spec.repository.seen_generation == 0,
        adopts_mounts: known.is_none() || spec.accept_removals,
        linked: Linked::default(),
        company: part.company,
        hinted: part.hinted,
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
        workers: part.workers,
        spec: spec.clone(),
        context: context.clone(),
    };
    shared.company.keep_reader(reader);
    Ok(Ok(Arc::new(shared)))
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
