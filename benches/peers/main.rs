//! Measures watchkeeper beside its peers: `cargo bench --bench peers`. See `benches/README.md` for what and how to read it.
//!
//! Results go to standard output as Markdown, ready to be pasted; progress goes to standard error. Nothing is asserted:
//! speed is a matter of the machine, so the tables give ratios to peers that ran in the same minutes.
//!
//! This file is the plan: which sections run, on which trees. Floors, from above: `main`; the sections `small`, `large`,
//! `ours`; `rounds`; `peer`; `measure`, `machine`, `tree`, `budget`, `table`, `args`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own, whose output is the report")]

mod args;
mod budget;
mod large;
mod machine;
mod measure;
mod ours;
mod peer;
mod rounds;
mod small;
mod table;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Section};
use measure::Gauge;
use peer::{Peer, Task};
use rounds::Caches;
use small::OurFigures;

/// A cold run waits for the disk at every file; one size up to this is enough to see whether we read more than others.
const MOST_FILES_COLD: u64 = 100_000;

/// Room on disk per small file: its block in the tree, a copy in a peer's store, and the indexes.
const ROOM_PER_FILE_BYTES: u64 = 3 * 4096;

/// Memory per small file that must be free for "warm" to be true: its page, dentry, inode, and the same of a copy.
const MEMORY_PER_FILE_BYTES: u64 = 8 * 1024;

/// What all sections need to know.
pub struct Bench {
    pub binary: PathBuf,
    /// Where trees and stores are made.
    pub place: PathBuf,
    pub gauge: Gauge,
    pub rounds: u32,
    pub cores: usize,
    installed: Vec<Peer>,
    keep: bool,
}

impl Bench {
    /// Removes what one section made and the next does not need.
    ///
    /// # Errors
    /// The file system's.
    pub fn discard(&self, path: &Path) -> io::Result<()> {
        if path.exists() { fs::remove_dir_all(path) } else { Ok(()) }
    }

    /// Removes a tree, unless it is to be kept for the next run.
    ///
    /// # Errors
    /// The file system's.
    pub fn discard_tree(&self, tree: &Path) -> io::Result<()> {
        if self.keep { Ok(()) } else { self.discard(tree) }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        println!("peers: measures only when started by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let cores = machine::keep_to_cores(args.cores)?;
    // Removed at the end, unless it was given or is kept.
    let mut temporary = None;
    let place = match &args.dir {
        Some(dir) => dir.join("watchkeeper-peers"),
        None => temporary.insert(tempfile::Builder::new().prefix("watchkeeper-peers-").tempdir()?).path().to_owned(),
    };
    fs::create_dir_all(&place)?;
    let is_installed = |peer: &Peer| peer.program().is_none_or(|(name, _)| machine::find_program(name).is_some());
    let bench = Bench {
        binary: fs::canonicalize(args.binary.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_watchkeeper"))))?,
        gauge: Gauge::new(machine::find_program("time")),
        rounds: args.rounds,
        cores,
        installed: Peer::ALL.into_iter().filter(is_installed).collect(),
        keep: args.keep,
        // Peers that change their directory must still find it.
        place: fs::canonicalize(&place)?,
    };
    print_head(&bench);
    measure_all(&bench, args);
    if args.keep {
        eprintln!("kept: {}", place.display());
        temporary.map(tempfile::TempDir::keep);
    } else if temporary.is_none() {
        fs::remove_dir_all(&place)?;
    }
    Ok(())
}

/// Says on what and with whom: a ratio without the versions of both sides means little.
fn print_head(bench: &Bench) {
    println!("{}", machine::describe(&bench.place, bench.cores));
    let versions: Vec<String> = (bench.installed.iter())
        .filter_map(|peer| match peer.program() {
            Some((name, argument)) => machine::version(Path::new(name), name, argument),
            None => machine::version(&bench.binary, "watchkeeper", "--version"),
        })
        .collect();
    println!("Versions: {}.", versions.join("; "));
    let missing: Vec<&str> = (Peer::ALL.iter())
        .filter(|peer| !bench.installed.contains(peer))
        .filter_map(|peer| peer.program().map(|(name, _)| name))
        .collect();
    if !missing.is_empty() {
        println!("Not installed, so not measured: {}.", missing.join(", "));
    }
    println!("Programs ran in turn. Median of {} rounds. {}", bench.rounds, bench.gauge.peak_memory_source());
    if machine::file_system(&bench.place).is_some_and(|kind| kind == "tmpfs") {
        println!("**On tmpfs nothing is written to a disk:** the bytes written are 0 (use --dir).");
    }
}

/// A section that cannot be measured says so, and the others go on.
fn measure_all(bench: &Bench, args: &Args) {
    let mut figures = Vec::new();
    let sections = [Section::First, Section::Full, Section::Scale, Section::Cold];
    if sections.into_iter().any(|section| args.is_wanted(section)) {
        for &files in &args.files {
            if let Err(error) = measure_size(bench, args, files, &mut figures) {
                println!("\n**Not measured:** {} small files: {error}.", table::count(files));
            }
        }
    }
    if args.is_wanted(Section::Large)
        && let Err(error) = large::print(bench, args.large)
    {
        println!("\n**Not measured:** large files: {error}.");
    }
    if args.is_wanted(Section::Scale) {
        ours::print_growth(&figures);
    }
    ours::print_footprint(&figures, bench.cores);
}

fn measure_size(bench: &Bench, args: &Args, files: u64, figures: &mut Vec<OurFigures>) -> io::Result<()> {
    machine::require_room(&bench.place, files * ROOM_PER_FILE_BYTES, files + files / 20)?;
    let tree = tree::small(&bench.place, files, bench.cores as u64)?;
    if machine::available_memory_bytes().is_some_and(|available| available < files * MEMORY_PER_FILE_BYTES) {
        println!("\n**Not warm:** too little memory to keep {} files cached.", table::count(files));
    }
    let tasks = [(Section::First, Task::FirstIndex), (Section::Full, Task::NoChange)];
    for (section, task) in tasks {
        let peers: &[Peer] = if args.is_wanted(section) { &bench.installed } else { &[Peer::Watchkeeper] };
        if args.is_wanted(section) || args.is_wanted(Section::Scale) {
            eprintln!("{task:?}, {files} files");
            figures.extend(small::print(bench, task, Caches::Warm, (&tree, files), peers)?);
        }
    }
    if args.is_wanted(Section::Cold) && files == size_for_cold(&args.files) {
        measure_cold(bench, &tree, files)?;
    }
    bench.discard_tree(&tree)
}

/// Only beside the two peers that the budgets name: each cold run waits for the disk, and the others would tell no more.
fn measure_cold(bench: &Bench, tree: &Path, files: u64) -> io::Result<()> {
    if let Err(error) = machine::drop_caches() {
        println!("\n### Cold caches\n\nSkipped: the caches cannot be dropped here ({error}).");
        return Ok(());
    }
    let peers = [Peer::Watchkeeper, Peer::Find, Peer::Sha256sum];
    for task in [Task::FirstIndex, Task::NoChange] {
        eprintln!("{task:?}, {files} files, cold");
        small::print(bench, task, Caches::Cold, (tree, files), &peers)?;
    }
    Ok(())
}

/// Returns the largest size that is not too large, or else the smallest.
fn size_for_cold(sizes: &[u64]) -> u64 {
    let fitting = sizes.iter().copied().filter(|&files| files <= MOST_FILES_COLD).max();
    fitting.or_else(|| sizes.iter().copied().min()).unwrap_or(0)
}
