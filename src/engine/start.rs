//! How an engine begins: the lock, the index, what was cut off, and its thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock;
use super::commands::Desk;
use super::handle::Handle;
use super::lock::{Lock, LockError};
use super::lookups::Lookups;
use super::news::NewsSender;
use super::outlet::Outlet;
use super::protocol::{Command, Stay};
use super::recover::{self, Recovered};
use super::restore::RestoreError;
use super::runtime::runtime;
use super::shell::Shell;
use super::state::{Input, State};
use super::teller::Teller;
use crate::config::Config;
use crate::index::{IndexError, Reader};
use crate::journal::JournalError;

/// Commands and finished jobs that may wait.
const WAITING_INPUTS: usize = 64;
/// A hook that runs when an engine that stays is stopped has so long to end.
const HOOKS_AT_END: Duration = Duration::from_millis(500);

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Exists, is ours, and holds no symlink in its path.
    pub data_directory: PathBuf,
    pub config: Config,
    /// A first run counts ahead, as someone looks at its progress.
    pub counts_ahead: bool,
    /// One that stays watches and keeps the schedule.
    pub stay: Stay,
}

/// Why no engine runs.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// One that was cut off cannot be carried on with.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the data directory cannot be used: {0}")]
    DataDirectory(String),
    #[error("the engine's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// What is kept in the index does not go together with the config.
    #[error("{0}")]
    Refused(String),
}

/// A started engine: the handle to speak to it and the thread to wait for.
#[derive(Debug)]
pub struct Engine {
    pub handle: Handle,
    thread: std::thread::JoinHandle<Ending>,
}

/// How an engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    InOrder,
    /// Its index was moved away or replaced: the next engine opens what is there now, and mends it.
    IndexLost,
    /// Its thread panicked, which is a bug, and logged.
    Panicked,
}

impl Engine {
    /// Takes the data directory's lock, opens index and journal, mends what was left, and starts the engine's thread.
    ///
    /// # Errors
    /// When another engine has the data directory, or the index cannot be opened.
    pub fn start(options: Options) -> Result<Engine, EngineError> {
        refuse_network(&options.data_directory)?;
        let mut lock = Lock::take(&options.data_directory.join("engine.lock"))?;
        let index_path = options.data_directory.join("index.db");
        let Recovered { writer, ledger, has_gone_back } =
            recover::open(&options.data_directory, &options.config, lock.was_cut_off, clock::wall())?;
        lock.is_settled = true;
        let last_id = Reader::open(&index_path)?.map_or(Ok(0), |reader| reader.last_directory_id())?;
        let desk = Desk { writer, ledger, index_path, data_directory: options.data_directory, config: options.config };
        let config = desk.effective().map_err(|refusal| EngineError::Refused(refusal.message))?;
        let tracked = desk.tracked().map_err(|refusal| EngineError::Refused(refusal.message))?;
        let (calls, receiver) = mpsc::channel(WAITING_INPUTS);
        let events = Outlet::default();
        let (news, heard) = mpsc::channel(WAITING_INPUTS);
        let handle = Handle { calls, events: events.clone() };
        let runtime = runtime()?;
        let seed = clock::wall_ns().unsigned_abs();
        let mut state = State::new(config, options.stay.is_resident(), seed);
        state.has_gone_back = has_gone_back;
        state.backups.last = super::backup::kept(&desk.data_directory).last().map(|last| last.taken_at);
        let mut shell = Shell {
            state,
            teller: Teller::new(desk.clone()),
            desk,
            lookups: Lookups::default(),
            events,
            news: NewsSender(news),
            replies: HashMap::new(),
            snapshots: HashMap::new(),
            next_reply: 0,
            jobs: BTreeMap::new(),
            leaving: Vec::new(),
            next_directory_id: Arc::new(AtomicI64::new(last_id + 1)),
            counts_ahead: options.counts_ahead,
            stay: options.stay,
            watcher: None,
            told_limit: BTreeSet::new(),
            probes: BTreeMap::new(),
            _lock: lock,
        };
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            runtime.block_on(async {
                if options.stay.is_resident() {
                    shell.start_watcher();
                }
                shell.step(Input::Repositories(tracked));
                shell.run(receiver, heard).await;
            });
            // A command waits for what its runs have to tell; who stays is stopped by a manager that waits five seconds.
            let patience = if options.stay.is_resident() { HOOKS_AT_END } else { shell.desk.config.hooks.timeout * 2 };
            shell.teller.finish(patience);
            // A thread that is stuck on a dead mount must not hold up the end.
            runtime.shutdown_background();
            match shell.desk.writer.has_lost_index() {
                true => Ending::IndexLost,
                false => Ending::InOrder,
            }
        })?;
        Ok(Engine { handle, thread })
    }

    /// Ends the engine: cancels what runs, closes the index, waits until all is done.
    pub fn stop(self) -> Ending {
        // Refused only if it has ended already.
        let _ended = self.handle.send_blocking(Command::Shutdown);
        self.thread.join().unwrap_or_else(|_| {
            tracing::error!("the engine's thread panicked; this is a bug");
            Ending::Panicked
        })
    }
}

fn refuse_network(path: &std::path::Path) -> Result<(), EngineError> {
    let fail = |reason: String| EngineError::DataDirectory(format!("{}: {reason}", path.display()));
    let root = crate::disk::Root::open(path).map_err(|error| fail(error.to_string()))?;
    match root.directory(b"").and_then(|directory| directory.is_remote()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(fail("it is on a network file system, where SQLite cannot keep its promises".to_owned())),
        Err(errno) => Err(fail(errno.to_string())),
    }
}
