//! The options of the commands that look at what the index holds, and decide on it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Default, Args)]
pub struct Status {
    /// A repository [default: all]
    pub name: Option<String>,
    /// One line, and an exit code that says it
    #[arg(long)]
    pub check: bool,
    /// Again whenever something has changed, until it is ended
    #[arg(long, conflicts_with = "check")]
    pub follow: bool,
    /// With --check: fail when the last complete look is older
    #[arg(long, value_name = "26h", requires = "check")]
    pub max_age: Option<String>,
}

#[derive(Debug, Args)]
pub struct History {
    /// A repository, or a run by number or id
    #[arg(value_name = "NAME|RUN")]
    pub what: Option<String>,
    /// How many runs
    #[arg(short = 'n', long, default_value_t = 30)]
    pub limit: u64,
    #[arg(long)]
    pub kind: Option<String>,
    #[arg(long)]
    pub outcome: Option<String>,
    /// Only runs that began within this time, or since yesterday, today or a day like 2026-11-01
    #[arg(long, value_name = "7d")]
    pub since: Option<String>,
    /// With a run: what it decided and why
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub struct Changes {
    /// A repository [default: all]
    pub name: Option<String>,
    /// Those of one run, by number or id
    #[arg(long)]
    pub run: Option<String>,
    /// Only those found within this time, or since yesterday, today or a day like 2026-11-01
    #[arg(long, value_name = "1d")]
    pub since: Option<String>,
    /// added, edited, touched, moved, replaced, removed, damaged or restored
    #[arg(long)]
    pub verdict: Option<String>,
}

#[derive(Debug, Args)]
pub struct Digest {
    /// yesterday, today, a length of time like 7d, or a day like 2026-11-01
    #[arg(long, default_value = "yesterday")]
    pub since: String,
}

#[derive(Debug, Args)]
pub struct Problems {
    /// A repository [default: all]
    pub name: Option<String>,
    /// Closed ones too
    #[arg(long)]
    pub all: bool,
    /// I know of this one: it counts no more until it changes
    #[arg(long, value_name = "ID")]
    pub ack: Vec<i64>,
}

#[derive(Debug, Args)]
pub struct Damage {
    /// A repository [default: all]
    pub name: Option<String>,
    /// Only these files, or what is below
    pub paths: Vec<PathBuf>,
    /// The content that is there now is the right one from now on
    #[arg(long, requires = "name")]
    pub accept: bool,
}

#[derive(Debug, Args)]
pub struct Held {
    /// A repository [default: all]
    pub name: Option<String>,
    /// Look again, and remove from the index what is still gone
    #[arg(long, conflicts_with = "dismiss")]
    pub accept: bool,
    /// Keep the records, and ask again only when more is gone
    #[arg(long)]
    pub dismiss: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    Table,
    Json,
    Sha256sum,
    Print0,
}

#[derive(Debug, Args)]
pub struct Files {
    pub name: String,
    /// Only paths that match: a name at any depth, or with / a path
    pub glob: Option<String>,
    /// sha256sum: what `sha256sum -c` reads, from the repository's root
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
}

#[derive(Debug, Args)]
pub struct Why {
    pub name: String,
    pub path: PathBuf,
}

#[derive(Debug, Args)]
pub struct Stats {
    /// A repository [default: all]
    pub name: Option<String>,
    #[arg(long, default_value = "30d")]
    pub since: String,
}
