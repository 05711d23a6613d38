//! Measures a daemon that watches: `cargo bench --bench daemon`. See `benches/README.md` for what and how to read it.
//!
//! Results go to standard output as Markdown, ready to be pasted; progress goes to standard error. Nothing is asserted.
//!
//! This file is the plan. Floors, from above: `main`; the sections `answer`, `delay`, `idle`, `first`; `event`; `daemon`; `args`,
//! and what the benches share: `measure`, `machine`, `tree`, `table`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own, whose output is the report")]

mod answer;
mod args;
mod daemon;
mod delay;
mod event;
mod first;
mod idle;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/machine.rs"]
mod machine;
#[path = "../peers/measure.rs"]
mod measure;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/table.rs"]
mod table;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/tree.rs"]
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Args, Section};
use daemon::Daemon;
use event::Pen;
use measure::Gauge;

/// Room on disk per small file: its block in the tree, and the index.
const ROOM_PER_FILE_BYTES: u64 = 2 * 4096;

/// What all sections need to know.
pub struct Bench {
    binary: PathBuf,
    place: PathBuf,
    pub tree: PathBuf,
    pub gauge: Gauge,
    pub files: u64,
    pub cores: usize,
    /// How long one measurement by the clock takes.
    pub length: Duration,
}

impl Bench {
    /// Starts a daemon with this config in an empty store; that of the section before has ended.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, config: &str) -> io::Result<Daemon> {
        Daemon::start(&self.binary, &self.place.join("store"), config)
    }

    /// Returns how many directories there are below the root of the tree.
    pub fn directories(&self) -> u64 {
        tree::directories(self.files)
    }

    /// Returns the size of the tree as a heading says it.
    pub fn size(&self) -> String {
        format!("{} small files", table::count(self.files))
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        println!("daemon: measures only when started by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daemon: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let cores = machine::keep_to_cores(args.cores)?;
    let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    fs::create_dir_all(&parent)?;
    let temporary = tempfile::Builder::new().prefix("watchkeeper-daemon-").tempdir_in(parent)?;
    let place = fs::canonicalize(temporary.path())?;
    machine::require_room(&place, args.files * ROOM_PER_FILE_BYTES, args.files + args.files / 20)?;
    let bench = Bench {
        binary: fs::canonicalize(args.binary.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_watchkeeper"))))?,
        tree: tree::small(&place, args.files, cores as u64)?,
        gauge: Gauge::new(machine::find_program("time")),
        files: args.files,
        cores,
        length: args.length(),
        place,
    };
    println!("{}", machine::describe(&bench.place, bench.cores));
    println!("{}.", machine::version(&bench.binary, "watchkeeper", "--version").unwrap_or_default());
    measure_all(&bench, args);
    Ok(())
}

/// A section that cannot be measured says so, and the others go on. The first index goes first, for it counts the files.
fn measure_all(bench: &Bench, args: &Args) {
    // What one section wrote stays: the next one takes other names.
    let mut pen = Pen::new(&bench.tree, &bench.place, bench.directories());
    let mut measure = |section: Section, print: &mut dyn FnMut(&mut Pen) -> io::Result<()>| {
        if args.is_wanted(section) {
            eprintln!("{section:?}");
            if let Err(error) = print(&mut pen) {
                println!("\n**Not measured:** {section:?}: {error}.");
            }
        }
    };
    measure(Section::First, &mut |_| first::print(bench, args.rounds));
    measure(Section::Delay, &mut |pen| delay::print_quiet(bench, pen));
    measure(Section::Busy, &mut |pen| delay::print_busy(bench, pen));
    measure(Section::Idle, &mut |pen| idle::print_idle(bench, pen));
    measure(Section::Answers, &mut |_| answer::print(bench));
    measure(Section::Scheduled, &mut |_| idle::print_scheduled(bench));
}
