//! What the bench is told on its command line. Says what is wanted; does nothing itself.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};

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

/// How many large files, and how large.
#[derive(Clone, Copy, Debug)]
pub struct LargeShape {
    pub files: u64,
    pub mib_each: u64,
}

impl LargeShape {
    /// Returns the bytes of all files together.
    pub fn total_bytes(self) -> u64 {
        self.files * self.mib_each * 1024 * 1024
    }
}

impl FromStr for LargeShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form 8x256");
        let (files, mib_each) = text.split_once('x').ok_or_else(wrong)?;
        let shape =
            LargeShape { files: files.parse().map_err(|_| wrong())?, mib_each: mib_each.parse().map_err(|_| wrong())? };
        if shape.files == 0 || shape.mib_each == 0 { Err(wrong()) } else { Ok(shape) }
    }
}
