//! What the bench is told on its command line. Says what is wanted; does nothing itself.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::tree::LargeShape;

/// Measures watchkeeper beside its peers, on the same trees and the same machine.
#[derive(Debug, Parser)]
#[command(name = "peers")]
pub struct Args {
    /// Sizes of the trees of small files, in files.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub files: Vec<u64>,

    /// Place for trees and indexes; `watchkeeper-peers` is made inside. Default: a new directory under the temp directory.
    #[arg(long, value_name = "PLACE")]
    pub dir: Option<PathBuf>,

    /// Rounds that count; warm sections run one more before them, which is discarded.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Only these sections. Default: all.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Section>,

    /// Keeps the trees, so that the next run with the same --dir need not make them again.
    #[arg(long)]
    pub keep: bool,

    /// The watchkeeper to measure. Default: the one cargo built for this bench.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,

    /// The large files: how many, and MiB each.
    #[arg(long, value_name = "NxMIB", default_value = "8x256")]
    pub large: LargeShape,

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
}

/// One part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// A full run over an unchanged tree.
    Full,
    /// The first index, with SHA-256.
    First,
    /// The first index of a few large files, against the bare rate of SHA-256.
    Large,
    /// How our cost grows with the number of files; alone, it runs no peers.
    Scale,
    /// Both tasks with the caches dropped before each run.
    Cold,
}
