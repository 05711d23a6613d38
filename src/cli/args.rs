//! The command line as it is written: commands, options, help texts.

mod look;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::api::Listen;

pub use look::{Changes, Damage, Digest, FileFormat, Files, Held, History, Problems, Stats, Status, Why};

const EXAMPLES: &str = "Examples:
  watchkeeper ~/photos               add a tree, open the screen, sync it
  watchkeeper repo add ~/photos      the same for scripts: count, add, sync
  watchkeeper sync                   bring every index up to date
  watchkeeper sync photos --kind verify --max-time 1h
                                     read content again, the longest unread first
  watchkeeper status --check         one line and an exit code, for cron and monitoring
  watchkeeper changes --since 1d     what changed since yesterday
  watchkeeper files photos --format sha256sum > SUMS && (cd ~/photos && sha256sum -c SUMS)

Exit codes: 0 done, 1 it could not be done, 2 usage or config, 3 done with new problems, 4 removals are held,
5 damage is open, 6 another engine has the data directory, 130 and 143 ended by a signal.

watchkeeper only reads your files: it copies, moves and deletes nothing.";

/// Keeps an index true to directory trees, and shows what changed and what failed
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, after_help = EXAMPLES)]
#[command(disable_help_subcommand = false, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Option<Command>,
    /// In lines instead of a screen: says what happens and takes commands, for screen readers and dumb terminals
    #[arg(long)]
    pub plain: bool,
    /// The screen of another machine, over ssh; given more than once: a list of all of them, from which each is reached
    #[arg(long, value_name = "USER@HOST", conflicts_with_all = ["plain", "directories"])]
    pub host: Vec<String>,
    /// Directories to add as repositories, before the screen opens
    #[arg(value_name = "DIR")]
    pub directories: Vec<PathBuf>,
}

/// Options that every command has.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Where the index lives [default: $XDG_DATA_HOME/watchkeeper]
    #[arg(long, global = true, value_name = "DIR", env = "WATCHKEEPER_DATA_DIR", hide_env = true)]
    pub data_dir: Option<PathBuf>,
    /// The config file [default: $XDG_CONFIG_HOME/watchkeeper/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = "WATCHKEEPER_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Where a running engine is reached [default: engine.sock in the data directory]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Write the log to this file instead of standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// One JSON object per line on standard output, nothing else
    #[arg(long, global = true)]
    pub json: bool,
    /// Errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more (-v: what is done, -vv: how)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add, list, change and remove repositories
    #[command(subcommand)]
    Repo(Repo),
    /// Bring the index up to date with the disk
    Sync(Box<Sync>),
    /// Cancel what runs
    Cancel(Cancel),
    /// How each repository is doing
    Status(Status),
    /// The runs, newest first; or all of one run
    History(History),
    /// What runs found different
    Changes(Changes),
    /// What happened, in short: runs, changes by directory, new problems, damage; for a mail in the morning
    Digest(Digest),
    /// Paths that could not be handled
    Problems(Problems),
    /// Content that changed while size and times did not, and where a good copy is
    Damage(Damage),
    /// Removals that a guard has parked for you to decide
    Held(Held),
    /// The records of a repository
    Files(Files),
    /// What decided one record: rule, run, verdict, problem
    Why(Why),
    /// Success, durations and counts over time
    Stats(Stats),
    /// Numbers for Prometheus, as its text format (for node_exporter's textfile collector)
    Metrics,
    /// The schedule of a running engine: what comes next; start, stop and change it
    #[command(subcommand)]
    Scheduler(Scheduler),
    /// Whether journal and index tell the same history, run by run; names what does not agree
    VerifyLog,
    /// Index and journal to one new file, consistent and looked over, while everything runs
    Backup { file: PathBuf },
    /// Put a backup in the place of index and journal; what was there goes to quarantine/
    Restore {
        file: PathBuf,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Looks over database, journal, watches, space and clock
    Doctor,
    /// The engine without a screen, in the foreground, for systemd: watches, keeps the schedule
    Daemon {
        /// Leave the terminal, and end when nobody looks on any more and nothing runs: how a screen starts its engine
        #[arg(long)]
        while_used: bool,
        /// Serve the API on this loopback address, too, such as 127.0.0.1:8080, to who has the token in api.token
        #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "while_used")]
        listen: Option<Listen>,
    },
    /// The daemon as a service of systemd: install it, remove it, see how it is
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Settings: in force, where they live, defaults
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write the manual pages into a directory
    Man { directory: PathBuf },
}

/// Whose service: one's own, or the machine's that runs as a person from boot on.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write the unit, enable and start it; a running engine is not interrupted, the service takes over when that ends
    Install {
        /// As a service of the machine that runs as this user, hardened, from boot on; needs root
        #[arg(long, value_name = "USER")]
        system: Option<String>,
    },
    /// Whether it is installed, enabled and running
    Status {
        /// That of the machine that runs as this user
        #[arg(long, value_name = "USER")]
        system: Option<String>,
    },
    /// Stop it, and take the unit away; the index stays
    Remove {
        /// That of the machine that runs as this user; needs root
        #[arg(long, value_name = "USER")]
        system: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Scheduler {
    /// Whether it runs, its settings, and what it will start when
    Status,
    /// Let runs start by the schedule
    Start,
    /// Let no run start by the schedule; what runs goes on
    Stop,
    /// Change settings, like full_every=12h; an empty value goes back to the config's
    Set {
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Repo {
    /// Count a tree, add it, and do its first sync
    Add(Box<RepoAdd>),
    /// All repositories
    List,
    /// One repository with its settings and what is left out
    Show { name: String },
    /// Change settings, like exclude=*.iso,cache/ or guard.max_removed_files=500; path=NEW when the library moved
    Set {
        name: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Let repositories rest: nothing syncs them
    Pause(Which),
    /// End a pause
    Resume(Which),
    /// Give a repository another name
    Rename { name: String, new_name: String },
    /// Remove a repository from the index, never from the disk
    Remove {
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Repositories by name; all of them only when that is said.
#[derive(Debug, Args)]
pub struct Which {
    #[arg(required_unless_present = "all", value_name = "NAME")]
    pub names: Vec<String>,
    /// All repositories
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct RepoAdd {
    pub path: PathBuf,
    /// [default: the last part of the path]
    #[arg(long)]
    pub name: Option<String>,
    /// Only files that match; may be given more than once
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Leave out what matches: a name at any depth, or with / a path from the root
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Only files of these types: image, video, audio, text, document, archive
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Names that begin with a dot belong to it too
    #[arg(long)]
    pub hidden: bool,
    /// What proves content: sha256, or none for sizes and times only
    #[arg(long, value_enum, default_value = "sha256")]
    pub hash: HashChoice,
    /// Stay on the root's file system
    #[arg(long)]
    pub one_file_system: bool,
    /// Do not watch it
    #[arg(long)]
    pub no_watch: bool,
    /// Where the file or folder of a day is, like %Y/%m/%d.md
    #[arg(long, value_name = "PATTERN")]
    pub date_pattern: Option<String>,
    /// It is fine if it is there already
    #[arg(long)]
    pub if_not_exists: bool,
    /// Add only; sync later
    #[arg(long)]
    pub no_sync: bool,
    /// Do not ask, even for /, a home directory or /proc
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HashChoice {
    Sha256,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindChoice {
    Full,
    Incremental,
    Verify,
    Cleanup,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  watchkeeper sync                          every repository, in full
  watchkeeper sync photos --plan            what would change; nothing is written
  watchkeeper sync photos --path 2026/11    only this file or folder
  watchkeeper sync journal --date 2026-11-20
  watchkeeper sync photos --kind verify --max-bytes 50GB")]
pub struct Sync {
    /// Repositories [default: all]
    pub names: Vec<String>,
    /// full: every directory; incremental: where something may have changed; verify: read content again;
    /// cleanup: only drop records whose file is gone
    #[arg(long, value_enum, default_value = "full")]
    pub kind: KindChoice,
    /// Only this file or folder, relative to the repository
    #[arg(long, value_name = "REL", conflicts_with = "kind")]
    pub path: Vec<PathBuf>,
    /// Only the file or folder of this day (the repository needs a date pattern)
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with_all = ["kind", "from", "to"])]
    pub date: Option<chrono::NaiveDate>,
    /// Only the days from this one on
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "kind", requires = "to")]
    pub from: Option<chrono::NaiveDate>,
    /// ... to this one
    #[arg(long, value_name = "YYYY-MM-DD", requires = "from")]
    pub to: Option<chrono::NaiveDate>,
    /// Only the paths with open problems
    #[arg(long, conflicts_with = "kind")]
    pub problems: bool,
    /// For incremental: list directories whose newest file changed within this time
    #[arg(long, value_name = "7d")]
    pub since: Option<String>,
    /// For verify: stop after reading so much
    #[arg(long, value_name = "N")]
    pub max_bytes: Option<String>,
    /// For verify: stop after so long
    #[arg(long, value_name = "T")]
    pub max_time: Option<String>,
    /// Show what would change, write nothing
    #[arg(long)]
    pub plan: bool,
    /// Removals pass the guards
    #[arg(long, conflicts_with = "plan")]
    pub accept_removals: bool,
    /// Attach a note to the run
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Wait for the end (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Return when the run is queued in a running engine
    #[arg(long)]
    pub no_wait: bool,
    /// Ctrl-C cancels the run in a running engine, too, instead of only looking away
    #[arg(long)]
    pub cancel_on_interrupt: bool,
}

#[derive(Debug, Args)]
pub struct Cancel {
    /// Repositories [default: all]
    pub names: Vec<String>,
    /// One run, by number or id
    #[arg(long)]
    pub run: Option<String>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// The settings in force
    Show,
    /// Where the config file is
    Path,
    /// The defaults, with comments
    Default,
}
