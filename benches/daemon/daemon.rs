//! A daemon under measurement: started with an empty store, driven by the command line as people do, seen through its
//! index and `/proc`, ended when dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use watchkeeper::domain::report::Run;
use watchkeeper::domain::run::Kind;
use watchkeeper::index::{Reader, RunFilter};

use crate::measure::{cpu_time, number_after, run_unmeasured, written_bytes};

/// The name of the repository in the index.
pub const NAME: &str = "bench";

/// Far more than a start takes on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// Far more than a first index of a million files takes, also on a slow disk.
const INDEXES_WITHIN: Duration = Duration::from_secs(1200);

/// Each look costs the daemon an answer, so none is taken while something is measured.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// A running daemon with one repository, or none yet.
pub struct Daemon {
    child: Child,
    binary: PathBuf,
    store: PathBuf,
}

impl Daemon {
    /// Empties the store and starts a daemon there, with this config. Returns when it answers.
    pub fn start(binary: &Path, store: &Path, config: &str) -> io::Result<Daemon> {
        if store.exists() {
            fs::remove_dir_all(store)?;
        }
        // It opens its socket only where nobody else can come.
        fs::DirBuilder::new().mode(0o700).create(store)?;
        fs::write(store.join("config.toml"), config)?;
        let mut child = watchkeeper(binary, store).arg("daemon").stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // By a pipe, as to a service manager: a file would be counted in the bytes that the daemon writes.
        let mut log = child.stderr.take().expect("standard error was asked to be a pipe");
        let mut kept = File::create(store.join("log"))?;
        thread::spawn(move || io::copy(&mut log, &mut kept));
        let daemon = Daemon { child, binary: binary.to_owned(), store: store.to_owned() };
        wait_until(STARTS_WITHIN, || Ok(daemon.store.join("engine.sock").exists()))?;
        Ok(daemon)
    }

    /// Returns the command that adds the tree as the repository and waits for its first sync.
    pub fn add(&self, tree: &Path) -> Command {
        let mut add = watchkeeper(&self.binary, &self.store);
        add.args(["repo", "add", "--name", NAME, "--yes", "--quiet"]).arg(tree);
        add
    }

    /// Returns the command that has a run carried out and waits for it.
    pub fn sync(&self, kind: Kind) -> Command {
        let mut sync = watchkeeper(&self.binary, &self.store);
        sync.args(["sync", NAME, "--quiet", "--kind", kind.as_str()]);
        sync
    }

    /// Adds the tree and waits until all of it is indexed and watched.
    pub fn take_in(&self, tree: &Path) -> io::Result<()> {
        run_unmeasured(&mut self.add(tree))?;
        self.wait_until_in_sync()
    }

    /// Adds the tree and returns when its first sync has begun; what is returned waits for its end.
    pub fn begin_first_sync(&self, tree: &Path) -> io::Result<Client> {
        self.start_client(self.add(tree), Kind::Full)
    }

    /// Asks for a run and returns when it has begun.
    pub fn begin(&self, kind: Kind) -> io::Result<Client> {
        self.start_client(self.sync(kind), kind)
    }

    fn start_client(&self, mut command: Command, kind: Kind) -> io::Result<Client> {
        let mut client = Client(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let reader = self.reader()?;
        while !is_going_on(&reader, kind)? && client.goes_on()? {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(client)
    }

    /// Opens a connection to its socket.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.store.join("engine.sock"))
    }

    /// Waits until the daemon says that the index is true. Fails when it does not watch every directory.
    pub fn wait_until_in_sync(&self) -> io::Result<()> {
        wait_until(INDEXES_WITHIN, || Ok(self.status()?["state"] == "in_sync"))?;
        match self.status()?["watch_mode"].as_str() {
            Some("inotify") => Ok(()),
            mode => Err(io::Error::other(format!("not all is watched (watch_mode {mode:?}); see fs.inotify"))),
        }
    }

    fn status(&self) -> io::Result<serde_json::Value> {
        let mut status = watchkeeper(&self.binary, &self.store);
        Ok(serde_json::from_slice(&run_unmeasured(status.args(["status", NAME, "--json"]))?)?)
    }

    /// Opens the index read-only. There is none before the daemon has made it.
    pub fn reader(&self) -> io::Result<Reader> {
        let reader = Reader::open(&self.store.join("index.db")).map_err(io::Error::other)?;
        reader.ok_or_else(|| io::Error::other("the daemon has made no index"))
    }

    /// Returns what the daemon has used since its start.
    pub fn usage(&self) -> io::Result<Usage> {
        let pid = self.child.id();
        Ok(Usage {
            at: Instant::now(),
            cpu: cpu_time(pid)?,
            switches: context_switches(pid)?,
            written_bytes: written_bytes(pid),
        })
    }

    /// Returns the most memory that it ever had.
    pub fn peak_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        number_after(&status, "VmHWM:").map(|kib| kib * 1024)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to tell, and waiting returns at once.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        drop(self.child.wait());
    }
}

/// A command that goes on while we measure.
pub struct Client(Child);

impl Client {
    fn goes_on(&mut self) -> io::Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Waits for its end.
    pub fn wait(mut self) -> io::Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("watchkeeper: {status}"))) }
    }
}

fn wait_until(limit: Duration, is_so: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > limit {
            let message = format!("the daemon was waited for in vain, for {} s", limit.as_secs());
            return Err(io::Error::other(message));
        }
        thread::sleep(LOOKS_EVERY);
    }
    Ok(())
}

/// Returns the newest run of a kind.
pub fn newest_run(reader: &Reader, kind: Kind) -> io::Result<Option<Run>> {
    let filter = RunFilter { kind: Some(kind), limit: Some(1), ..RunFilter::default() };
    Ok(reader.runs(&filter).map_err(io::Error::other)?.into_iter().next())
}

/// Tells whether a run of this kind has begun and not ended.
pub fn is_going_on(reader: &Reader, kind: Kind) -> io::Result<bool> {
    Ok(newest_run(reader, kind)?.is_some_and(|run| run.outcome.is_none()))
}

/// Returns the value that so many percent do not exceed; with few values the largest.
pub fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied()
}

/// What a process has used since its start, or between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Instant,
    pub cpu: Duration,
    /// Of the threads that still live: what ended ones did is lost.
    pub switches: u64,
    pub written_bytes: Option<u64>,
}

impl Usage {
    /// Returns the time from `earlier` to this moment, and what was used within it.
    pub fn since(&self, earlier: &Usage) -> (Duration, Usage) {
        let used = Usage {
            at: self.at,
            cpu: self.cpu.saturating_sub(earlier.cpu),
            switches: self.switches.saturating_sub(earlier.switches),
            written_bytes: self.written_bytes.zip(earlier.written_bytes).map(|(now, before)| now - before),
        };
        (self.at - earlier.at, used)
    }
}

/// A process's own `status` counts those of its first thread only.
fn context_switches(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        // A thread may have ended since it was listed.
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let kinds = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
        sum += kinds.iter().filter_map(|kind| number_after(&status, kind)).sum::<u64>();
    }
    Ok(sum)
}

fn watchkeeper(binary: &Path, store: &Path) -> Command {
    let mut watchkeeper = Command::new(binary);
    watchkeeper.arg("--data-dir").arg(store).arg("--config").arg(store.join("config.toml"));
    // The user's own settings are not ours to measure; nor is a service manager's socket ours to write to.
    for variable in ["WATCHKEEPER_DATA_DIR", "WATCHKEEPER_CONFIG", "WATCHKEEPER_LOG", "NOTIFY_SOCKET", "JOURNAL_STREAM"]
    {
        watchkeeper.env_remove(variable);
    }
    watchkeeper
}
