//! Settings: TOML as written becomes checked values with defaults. Touches its own file and nothing else.
//!
//! Every key is named once, in `settings`; what a default is and why stands in `defaults`. What an action of `[ui.keys]`
//! may be is known to the keymap alone; it reports a wrong one through [`ConfigError::at_key`].

mod defaults;
mod error;
mod overrides;
mod read;
mod settings;
mod slot;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveTime;

pub use defaults::default_text;
pub use error::{ConfigError, Origin};
pub use overrides::{check_override, override_key, override_keys};

use crate::domain::guard::Limits;

/// All settings, checked. `Default` is what holds without a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub sync: Sync,
    pub scheduler: Scheduler,
    pub watch: Watch,
    pub guard: Guard,
    pub retry: Retry,
    pub history: History,
    pub backup: Backup,
    pub hooks: Hooks,
    pub ui: Ui,
}

/// When runs start by themselves, and how they use the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Sync {
    /// What is synced when the engine starts.
    pub startup: Startup,
    /// `None`: never.
    pub full_every: Option<Duration>,
    /// Local time of day; then a full sync runs daily at this time instead of every `full_every`.
    pub full_at: Option<NaiveTime>,
    /// `None`: never.
    pub incremental_every: Option<Duration>,
    /// How far back an incremental run looks for changes.
    pub incremental_window: Duration,
    /// Within this time every file's content is read again; `None`: never.
    pub verify_every: Option<Duration>,
    /// Bytes that one verify may read; `None`: no limit.
    pub verify_max_bytes: Option<u64>,
    /// How long one verify may take; `None`: no limit.
    pub verify_max_time: Option<Duration>,
    /// `None`: never.
    pub cleanup_every: Option<Duration>,
    /// At least 1.
    pub repositories_at_once: usize,
    /// Threads per run; 0: as many as there are cores.
    pub workers: usize,
    pub background: Background,
    /// A run without any progress for this long ends as failed.
    pub stall_timeout: Duration,
    /// Records per transaction, at least 1.
    pub batch_size: usize,
    pub hash: Hash,
}

/// Whether scheduled runs take place.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduler {
    pub enabled: bool,
}

/// How changes are noticed between runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    pub enabled: bool,
    /// How long a directory must be quiet before it is looked at.
    pub debounce: Duration,
    /// It is looked at this long after the first hint, quiet or not. Never less than `debounce`.
    pub debounce_max: Duration,
    /// How often a directory that cannot be watched is listed.
    pub poll_every: Duration,
}

/// How many removals pass without a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// 0 to 100.
    pub max_removed_percent: u32,
    pub max_removed_files: u64,
}

impl Guard {
    /// Returns the settings as the rule takes them.
    pub fn limits(&self) -> Limits {
        Limits { max_removed_percent: self.max_removed_percent, max_removed_files: self.max_removed_files }
    }
}

/// How a failed run is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// 0: not at all.
    pub attempts: u32,
    /// Before the first retry; doubles each time.
    pub delay: Duration,
    /// Never less than `delay`.
    pub max_delay: Duration,
}

/// How long the past is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub keep: Duration,
    /// Older runs that found nothing become one row per day and kind.
    pub fold_after: Duration,
    /// Changes per repository; the oldest go first.
    pub keep_changes: u64,
}

/// Backups that are made by themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// `None`: never, but before an upgrade of the index.
    pub every: Option<Duration>,
    /// Of each schema; the oldest go first. At least 1.
    pub keep: usize,
}

/// Programs that are told. An empty argument vector means none.
#[derive(Clone, Debug, PartialEq)]
pub struct Hooks {
    pub notify: Vec<String>,
    pub on_change: Vec<String>,
    pub timeout: Duration,
}

/// How the terminal interface looks and what its keys are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ui {
    pub theme: Theme,
    pub mouse: bool,
    pub ascii: bool,
    /// The action's name and its key, as written; the keymap checks both.
    pub keys: BTreeMap<String, String>,
}

/// What is synced when the engine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startup {
    Full,
    Incremental,
    None,
}

impl Startup {
    pub const ALL: [Startup; 3] = [Startup::Full, Startup::Incremental, Startup::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Startup::Full => "full",
            Startup::Incremental => "incremental",
            Startup::None => "none",
        }
    }
}

/// How runs that nobody waits for use the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// They give way to everything else.
    Polite,
    /// They take all there is.
    Full,
}

impl Background {
    pub const ALL: [Background; 2] = [Background::Polite, Background::Full];

    pub fn as_str(self) -> &'static str {
        match self {
            Background::Polite => "polite",
            Background::Full => "full",
        }
    }
}

/// How content is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    /// Not at all: size and times decide, and damage goes unseen.
    None,
}

impl Hash {
    pub const ALL: [Hash; 2] = [Hash::Sha256, Hash::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha256",
            Hash::None => "none",
        }
    }
}

/// The colours of the terminal interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark or light, as the terminal is.
    #[default]
    Auto,
    Dark,
    Light,
    /// No colours.
    Mono,
}

impl Theme {
    pub const ALL: [Theme; 4] = [Theme::Auto, Theme::Dark, Theme::Light, Theme::Mono];

    pub fn as_str(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Dark => "dark",
            Theme::Light => "light",
            Theme::Mono => "mono",
        }
    }
}
