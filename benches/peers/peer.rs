//! Who is measured, and by which commands: watchkeeper and its peers. Knows no clock and no table.
//!
//! A peer's output goes to `/dev/null`, also where a user would keep it: that is to the peer's favour, not to ours.

mod watchkeeper;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::measure::run_unmeasured;

pub use watchkeeper::{IndexSize, last_run_scanned};

/// The longest list of paths for one `sha256sum`, as in the budget.
const PATHS_PER_PROCESS: &str = "-n200";

/// What everybody has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Read every file for the first time and keep its SHA-256.
    FirstIndex,
    /// Find out that nothing has changed.
    NoChange,
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Watchkeeper,
    Find,
    Sha256sum,
    Hashdeep,
    Git,
    Aide,
    Restic,
}

/// Where a peer works.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The watchkeeper to measure.
    pub binary: &'a Path,
    /// The tree that is looked at. Nobody writes there.
    pub tree: &'a Path,
    /// The peer's own directory, for its index, repository or configuration.
    pub store: &'a Path,
    pub cores: usize,
}

impl Peer {
    pub const ALL: [Peer; 7] =
        [Peer::Watchkeeper, Peer::Find, Peer::Sha256sum, Peer::Hashdeep, Peer::Git, Peer::Aide, Peer::Restic];

    /// Returns the program that must be installed, and the argument that makes it tell its version. None: it is ours.
    pub fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Peer::Watchkeeper => None,
            Peer::Find => Some(("find", "--version")),
            Peer::Sha256sum => Some(("sha256sum", "--version")),
            Peer::Hashdeep => Some(("hashdeep", "-V")),
            Peer::Git => Some(("git", "--version")),
            Peer::Aide => Some(("aide", "--version")),
            Peer::Restic => Some(("restic", "version")),
        }
    }

    /// Returns whether the peer has an answer to the task, and one that is worth waiting for at this size.
    pub fn can_do(self, task: Task, files: u64) -> bool {
        match (self, task) {
            (Peer::Watchkeeper | Peer::Aide | Peer::Restic, _) => true,
            (Peer::Find, Task::NoChange) | (Peer::Sha256sum | Peer::Hashdeep, Task::FirstIndex) => true,
            // Its index hashes with SHA-1, so it is no peer for the first index; above this size its set-up, which
            // copies every file, is more than a second answer to the same question is worth.
            (Peer::Git, Task::NoChange) => files <= 100_000,
            (Peer::Find, Task::FirstIndex)
            | (Peer::Sha256sum | Peer::Hashdeep, Task::NoChange)
            | (Peer::Git, Task::FirstIndex) => false,
        }
    }

    /// Returns what the peer runs, for the reader of the table.
    pub fn label(self, task: Task) -> &'static str {
        match (self, task) {
            (Peer::Watchkeeper, _) => "watchkeeper sync",
            (Peer::Find, _) => "find -type f -printf",
            (Peer::Sha256sum, _) => "find, xargs sha256sum",
            (Peer::Hashdeep, _) => "hashdeep -c sha256",
            (Peer::Git, _) => "git status",
            (Peer::Aide, Task::FirstIndex) => "aide --init",
            (Peer::Aide, Task::NoChange) => "aide --check",
            (Peer::Restic, Task::FirstIndex) => "restic backup, first (also copies)",
            (Peer::Restic, Task::NoChange) => "restic backup, again",
        }
    }

    /// Empties the peer's store and makes all that its first index needs but does not do itself.
    pub fn open_store(self, task: Task, site: Site) -> io::Result<()> {
        if site.store.exists() {
            fs::remove_dir_all(site.store)?;
        }
        fs::create_dir_all(site.store)?;
        match self {
            Peer::Watchkeeper => watchkeeper::add_repository(site),
            Peer::Git => run_unmeasured(git(site).args(["init", "--quiet"])).map(drop),
            Peer::Aide => fs::write(site.store.join("aide.conf"), aide_config(task, site)),
            Peer::Restic => run_unmeasured(restic(site).arg("init")).map(drop),
            Peer::Find | Peer::Sha256sum | Peer::Hashdeep => Ok(()),
        }
    }

    /// Returns the command that does the task. For [`Task::NoChange`] that for the first index must have run before.
    pub fn command(self, task: Task, site: Site) -> Command {
        match (self, task) {
            (Peer::Watchkeeper, _) => watchkeeper::sync(site),
            (Peer::Find, _) => {
                let mut find = Command::new("find");
                find.arg(site.tree).args(["-type", "f", "-printf", r"%s %T@ %p\n"]);
                find
            }
            (Peer::Sha256sum, _) => sha256sum(site, PATHS_PER_PROCESS),
            (Peer::Hashdeep, _) => {
                let mut hashdeep = Command::new("hashdeep");
                hashdeep.args(["-c", "sha256", "-r", "-l"]).arg(site.tree);
                hashdeep
            }
            (Peer::Git, Task::FirstIndex) => {
                let mut add = git(site);
                // Everything is "big", so it goes into one pack instead of one loose object per file.
                add.args(["-c", "core.bigFileThreshold=1", "-c", "core.compression=0", "add", "--all"]);
                add
            }
            (Peer::Git, Task::NoChange) => {
                let mut status = git(site);
                status.args(["status", "--porcelain"]);
                status
            }
            (Peer::Aide, Task::FirstIndex) => aide(site, "--init"),
            (Peer::Aide, Task::NoChange) => aide(site, "--check"),
            (Peer::Restic, _) => {
                let mut backup = restic(site);
                backup.args(["backup", "--quiet"]).arg(site.tree);
                backup
            }
        }
    }
}

/// Returns the pipeline that hashes the tree, with `-nN` paths per process.
pub fn sha256sum(site: Site, paths_per_process: &str) -> Command {
    let mut shell = Command::new("sh");
    let pipeline =
        format!("find \"$1\" -type f -print0 | LC_ALL=C xargs -0 {paths_per_process} -P{} sha256sum", site.cores);
    shell.args(["-c", &pipeline, "sh"]).arg(site.tree);
    shell
}

/// The repository stands outside the tree, so that all peers see the same files.
fn git(site: Site) -> Command {
    let mut git = Command::new("git");
    git.env("GIT_DIR", site.store.join("repository")).env("GIT_WORK_TREE", site.tree);
    // The user's own settings (a file system monitor, an ignore file, line ends) would change what is measured.
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(site.tree);
    git
}

fn aide(site: Site, action: &str) -> Command {
    let mut aide = Command::new("aide");
    aide.arg(format!("--config={}", site.store.join("aide.conf").display())).arg(action);
    aide
}

/// The check compares what `stat` gives, and no content, as our full run does; so its database has no hashes either.
fn aide_config(task: Task, site: Site) -> String {
    let database = site.store.join("aide.db");
    let attributes = match task {
        Task::FirstIndex => "ftype+s+m+c+i+sha256",
        Task::NoChange => "ftype+s+m+c+i",
    };
    let mut tree = String::new();
    for c in site.tree.display().to_string().chars() {
        if !c.is_alphanumeric() && c != '/' {
            tree.push('\\');
        }
        tree.push(c);
    }
    format!(
        "database_in=file:{0}\ndatabase_out=file:{0}\ngzip_dbout=no\nreport_url=stdout\n{tree} {attributes}\n",
        database.display()
    )
}

fn restic(site: Site) -> Command {
    let mut restic = Command::new("restic");
    restic.arg("-r").arg(site.store.join("repository")).arg("--cache-dir").arg(site.store.join("cache"));
    restic.env("RESTIC_PASSWORD", "bench");
    restic
}
