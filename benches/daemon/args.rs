//! What the bench is told on its command line. Says what is wanted; does nothing itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures a daemon that watches a tree: delays, what idling costs, its first index.
#[derive(Debug, Parser)]
#[command(name = "daemon")]
pub struct Args {
    /// Size of the tree, in small files; 100 of them make one directory.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub files: u64,

    /// How long to write events, and to watch it idle.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,

    /// Only these sections, by name or number. Default: all.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Section>,

    /// Rounds of the first index that count; one more before them is discarded.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Place for the tree and the indexes; a new directory is made inside and removed. Default: the temp directory.
    #[arg(long, value_name = "PLACE")]
    pub dir: Option<PathBuf>,

    /// The watchkeeper to measure. Default: the one cargo built for this bench.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,

    /// Processor cores that everybody may use. The budgets are stated for two.
    #[arg(long, default_value_t = 2)]
    pub cores: usize,

    /// Given by `cargo bench`. `cargo test --all-targets` starts us without it, and must not wait for a benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Args {
    /// Returns whether the section was asked for.
    pub fn is_wanted(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// Returns how long one measurement by the clock takes.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// One part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// From a closed file to its record, while nothing else happens.
    #[value(alias = "1")]
    Delay,
    /// The same while the first sync, full runs and verifies of the repository go on.
    #[value(alias = "2")]
    Busy,
    /// CPU time, context switches and bytes written: idle, and at ten events a second.
    #[value(aliases = ["3", "5"])]
    Idle,
    /// How soon the API answers, while a first sync and a verify go on and at rest.
    #[value(alias = "7")]
    Answers,
    /// CPU share and length of runs that the schedule starts.
    #[value(alias = "6")]
    Scheduled,
    /// The first index with the watcher on, beside sha256sum.
    #[value(alias = "4")]
    First,
}
