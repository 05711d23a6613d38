//! What all workers of a job share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::io::Errno;

use super::company::Company;
use super::directory::Target;
use super::hinted::Hinted;
use super::linked::Linked;
use super::mounts::Mounts;
use super::serve::{Inbox, Served};
use super::stack::Stack;
use crate::disk::watch::Watcher;
use crate::disk::{Filter, LeftOutCounts, OwnFiles, Root};
use crate::domain::guard::Limits;
use crate::domain::path::RelPath;
use crate::domain::report::Repository;
use crate::domain::run::{Kind, Trigger};
use crate::engine::ledger::Ledger;
use crate::engine::progress::Progress;
use crate::engine::protocol::{Continued, Expected};
use crate::engine::stop::{Stop, Why};
use crate::index::{IndexError, KnownDirectory, OpenProblems, RunContext, Writer};

/// What a job is to do.
#[derive(Clone, Debug)]
pub struct JobSpec {
    pub run_id: String,
    pub repository: Repository,
    pub kind: Kind,
    pub triggers: Vec<Trigger>,
    /// For `single`.
    pub paths: Vec<RelPath>,
    pub only_problems: bool,
    pub accept_removals: bool,
    pub plan: bool,
    pub max_bytes: Option<u64>,
    pub max_time: Option<Duration>,
    pub window: Duration,
    pub note: Option<String>,
    /// For a first run: what it will find, counted by who asked for it.
    pub expected: Option<Expected>,
    pub limits: Limits,
    pub hashing: bool,
    pub workers: usize,
    /// From 1; a retry has a higher one, and names the run that it tries again.
    pub attempt: i64,
    pub retry_of: Option<String>,
    pub continues: Option<Continued>,
    pub manners: Manners,
    /// The rotating disk that it reads from, if it is one: such a disk serves one run at a time.
    pub disk: Option<u64>,
}

/// How a run uses the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manners {
    /// Someone waits for it: it takes all cores.
    #[default]
    Busy,
    /// It gives way to everything else.
    Polite,
    /// And it stays below a tenth of one core.
    Paced,
}

/// What a job works with.
#[derive(Clone, Debug)]
pub struct JobContext {
    pub writer: Writer,
    /// For the run's start and end, which stand in the journal too.
    pub ledger: Ledger,
    pub index_path: PathBuf,
    pub data_directory: PathBuf,
    pub next_directory_id: Arc<AtomicI64>,
    pub stop: Arc<Stop>,
    /// Someone waits for a run that began with manners: it hurries.
    pub hurry: Arc<AtomicBool>,
    pub progress: Arc<Progress>,
    /// Directories are watched before they are listed.
    pub watcher: Option<Watcher>,
    /// Hints are served while the run goes on; without it there are none.
    pub inbox: Option<Arc<Inbox>>,
    pub report: Report,
    pub instance: String,
    /// Someone looks at the progress: a first run counts ahead for them.
    pub counts_ahead: bool,
}

/// Tells the engine what became of a batch of hints.
#[derive(Clone)]
pub struct Report(Arc<Tell>);

type Tell = dyn Fn(&str, Served) + Send + Sync;

impl Report {
    pub fn new(tell: impl Fn(&str, Served) + Send + Sync + 'static) -> Report {
        Report(Arc::new(tell))
    }

    /// Reports for the run of this id.
    pub fn tell(&self, run_id: &str, served: Served) {
        (self.0)(run_id, served);
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

/// A directory that was found at another place than its row says.
#[derive(Clone, Debug)]
pub(super) struct MovedDirectory {
    pub id: i64,
    pub from: RelPath,
    pub to: RelPath,
}

/// One job's state, shared by its workers.
#[derive(Debug)]
pub(super) struct Shared {
    pub spec: JobSpec,
    pub context: JobContext,
    pub run: Arc<RunContext>,
    pub started_ms: i64,
    pub root: Root,
    pub filter: Arc<Filter>,
    pub own: Arc<OwnFiles>,
    pub stack: Stack,
    pub mounts: Mounts,
    pub open_problems: OpenProblems,
    /// No full run has reached its last directory yet: what is new cannot be a move, and is read at once.
    pub is_first: bool,
    /// Mount points may be written down as they are: the library was moved, or a person accepted.
    pub adopts_mounts: bool,
    /// Which directory on which file system the root is.
    pub identity: String,
    /// The library was moved to another place: every file is read and compared once.
    pub reads_all: bool,
    pub linked: Linked,
    pub company: Arc<Company>,
    /// Set when this is a batch of hints.
    pub hinted: Option<Hinted>,
    /// Directories or files that went away between being listed and being looked at.
    pub vanished: AtomicU64,
    /// Bytes that a verify has taken from its budget.
    pub verified_bytes: AtomicU64,
    /// Asked-for paths that are neither on disk nor in the index.
    pub unmet: Mutex<Vec<Vec<u8>>>,
    pub left_out: Mutex<LeftOutCounts>,
    /// The error that stops the job: of the index, as a path's trouble is a problem.
    pub error: Mutex<Option<IndexError>>,
    /// Listing again what moved while the run went on: counts nothing twice.
    pub relisting: AtomicBool,
    pub relisted: AtomicU64,
    /// Nothing can be a move any more: arrivals are finished as they are read.
    pub arrivals_are_final: AtomicBool,
    /// The last directory has been looked at. A used-up budget stops nothing any more: half a settling would be wrong.
    pub is_settling: AtomicBool,
    /// On so many threads.
    pub workers: usize,
    /// The thread that counts ahead is still wanted.
    pub counting: AtomicBool,
}

impl Shared {
    pub fn is_cancelled(&self) -> bool {
        self.context.stop.is_final()
    }

    /// Tells whether workers should stop: cancelled, failed, or the budget of a verify is used up.
    pub fn should_stop(&self) -> bool {
        self.is_cancelled() || self.has_failed() || (self.is_budget_used_up() && !self.is_settling.load(Relaxed))
    }

    pub fn has_failed(&self) -> bool {
        self.stack.is_closed()
    }

    pub fn fail(&self, error: IndexError) {
        let mut first = self.error.lock().expect("no one panics while holding this lock");
        first.get_or_insert(error);
        self.stack.close();
    }

    /// Tells whether a verify stops here for another run of the repository.
    pub fn gives_way(&self) -> bool {
        self.is_verify() && self.context.stop.why() == Some(Why::GiveWay)
    }

    /// Tells whether this is a batch of hints that is served beside a run of another kind.
    pub fn is_beside(&self) -> bool {
        self.run.lane != self.run.number
    }

    pub fn has_budget(&self) -> bool {
        self.spec.max_bytes.is_some() || self.spec.max_time.is_some()
    }

    pub fn is_budget_used_up(&self) -> bool {
        self.gives_way()
            || self.spec.max_bytes.is_some_and(|most| self.verified_bytes.load(Relaxed) >= most)
            || self.is_out_of_time()
    }

    fn is_out_of_time(&self) -> bool {
        self.spec.max_time.is_some_and(|most| self.context.progress.elapsed_ms() >= most.as_millis() as u64)
    }

    /// Tells whether a verify does not even wait for the end of a huge file, which it can go on with later.
    ///
    /// Not for its bytes: those of a file are taken from the budget before it is read.
    pub fn must_end_verify(&self) -> bool {
        self.is_verify() && !self.is_settling.load(Relaxed) && (self.gives_way() || self.is_out_of_time())
    }

    /// Takes a file of this size from a verify's budget before it is read; `false` when the budget is used up. What is
    /// read in the end is over the budget by less than one file, however many workers there are.
    pub fn take_from_budget(&self, size_bytes: i64) -> bool {
        if self.is_budget_used_up() {
            return false;
        }
        let most = self.spec.max_bytes.unwrap_or(u64::MAX);
        self.verified_bytes.fetch_add(size_bytes.unsigned_abs(), Relaxed) < most
    }

    /// Gives back what an earlier run has read of a file.
    pub fn give_back_to_budget(&self, bytes: u64) {
        let without = |taken: u64| Some(taken.saturating_sub(bytes));
        // It always gives a number: nothing can fail.
        let _taken = self.verified_bytes.fetch_update(Relaxed, Relaxed, without);
    }

    /// Takes a directory that was found at another place, unless its row belongs to a directory that stands where the
    /// row says, or someone has taken it already.
    ///
    /// The row may still hold the path of before a move of a directory above it: that move is counted in. All of it
    /// under one lock, or else one row could be taken both by its name and by its inode.
    pub fn claim_moved(&self, known: &KnownDirectory, path: &[u8]) -> bool {
        let mut moved = self.company.moved.lock().expect("no one panics while holding this lock");
        if moved.iter().any(|other| other.id == known.id) {
            return false;
        }
        let mut stands_at = known.path.clone();
        for other in moved.iter() {
            if other.from.covers(&stands_at) {
                stands_at = [other.to.as_bytes(), &stands_at[other.from.as_bytes().len()..]].concat();
            }
        }
        if stands_at == path || !matches!(self.root.directory(&stands_at), Err(Errno::NOENT | Errno::NOTDIR)) {
            return false;
        }
        moved.push(MovedDirectory {
            id: known.id,
            from: RelPath::from_stored(known.path.clone()),
            to: RelPath::from_stored(path.to_vec()),
        });
        true
    }

    /// Tells whether a row was taken for a directory at another path than this: then it is not that of this path.
    pub fn is_taken_elsewhere(&self, known: &KnownDirectory, path: &[u8]) -> bool {
        let moved = self.company.moved.lock().expect("no one panics while holding this lock");
        moved.iter().any(|directory| directory.id == known.id && directory.to.as_bytes() != path)
    }

    /// Tells whether a directory that comes by itself is looked at already with a moved one above it. Its own row may
    /// still hold the path of before the move, or that of after it.
    pub fn is_below_moved(&self, target: &Target) -> bool {
        // What is hinted at was asked for by its name, and may have changed since.
        if !target.comes_by_itself() || self.relisting.load(Relaxed) || self.hinted.is_some() {
            return false;
        }
        let moved = self.company.moved.lock().expect("no one panics while holding this lock");
        moved.iter().any(|directory| directory.from.covers(&target.path) || directory.to.covers(&target.path))
    }

    /// Waits until so many batches of the run beside stand in the index; returns whether they did not yet.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn wait_until_written(&self, batches: u64) -> Result<bool, IndexError> {
        let writer = &self.context.writer;
        let is_early = writer.progress().written < batches;
        if is_early {
            writer.catch_up()?;
        }
        Ok(is_early)
    }

    pub fn is_verify(&self) -> bool {
        self.spec.kind == Kind::Verify
    }

    pub fn next_directory_id(&self) -> i64 {
        self.context.next_directory_id.fetch_add(1, Relaxed)
    }
}
