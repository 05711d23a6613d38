//! Measures the screen: `cargo bench --bench screen`. See `benches/README.md` for what and how to read it.
//!
//! Results go to standard output as Markdown, ready to be pasted; progress goes to standard error. Nothing is asserted.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own, whose output is the report")]

#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/machine.rs"]
mod machine;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/measure.rs"]
mod measure;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/table.rs"]
mod table;
mod terminal;
#[expect(dead_code, reason = "the bench of the peers needs all of it")]
#[path = "../peers/tree.rs"]
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use table::{Table, bytes, count, duration};
use terminal::Terminal;

/// What people press: each row of keys is pressed again and again, one after the other.
const SCRIPT: [(&str, &str, &[&str]); 8] = [
    ("show Status, show History", "3", &["1", "3"]),
    ("move in it", "3", &["j", "j", "k", "\u{4}", "G", "g"]),
    ("type a filter", "3/", &["f", "u", "l", "\u{7f}", "l"]),
    ("show Status, show Files", "\r5", &["1", "5"]),
    ("move in it", "5", &["j", "j", "\u{4}", "k", "G", "g"]),
    ("into a directory", "5g", &["\r", "\u{7f}"]),
    ("type a search", "5/", &["e", "0", "1", "\u{7f}", "2"]),
    ("show Status, show Changes", "\r6", &["1", "6"]),
];

/// A person types no faster.
const BETWEEN_KEYS: Duration = Duration::from_millis(60);
const PRESSES: usize = 60;

/// Measures the screen: its first frame, a key to its frame, what it writes.
#[derive(Debug, Parser)]
#[command(name = "screen")]
struct Args {
    /// Size of the tree, in small files.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    files: u64,

    /// How long what is written is counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Place for the tree and the index; a new directory is made inside and removed. Default: the temp directory.
    #[arg(long, value_name = "PLACE")]
    dir: Option<PathBuf>,

    /// The watchkeeper to measure. Default: the one cargo built for this bench.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,

    /// Given by `cargo bench`. `cargo test --all-targets` starts us without it, and must not wait for a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        println!("screen: measures only when started by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("screen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let temporary = tempfile::Builder::new().prefix("watchkeeper-screen-").tempdir_in(parent)?;
    let place = fs::canonicalize(temporary.path())?;
    let binary = fs::canonicalize(args.binary.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_watchkeeper"))))?;
    let tree = tree::small(&place, args.files, 2)?;
    let store = place.join("store");
    println!("{}", machine::describe(&place, 2));
    println!("\n### The screen, 120x40: {} small files\n", count(args.files));
    let mut table = Table::new(&["while", "what", "keys", "nothing drawn", "p50", "p99", "longest", "budget for p99"]);
    {
        eprintln!("first sync");
        let mut screen = Terminal::open(&binary, &store, &[&tree])?;
        let began = Instant::now();
        screen.frame(began);
        measure_keys("the first sync goes on, and then rests", &mut screen, &mut table)?;
        screen.press("v")?;
        eprintln!("verify");
        measure_keys("a verify reads all", &mut screen, &mut table)?;
    }
    println!("{table}");
    let mut table = Table::new(&["what", "measured", "budget"]);
    let began = Instant::now();
    let mut screen = Terminal::open(&binary, &store, &[])?;
    let first = screen.frame(began).unwrap_or(terminal::WAITS_AT_MOST);
    table.push(vec!["start to first frame".into(), duration(first), verdict(first, 50)]);
    eprintln!("what is written");
    let length = Duration::from_secs(args.seconds);
    screen.press("v")?;
    let busy = screen.listen(length) as f64 / length.as_secs_f64();
    table.push(vec!["written while a verify reads all".into(), format!("{}/s", bytes(busy)), "3 kB/s".into()]);
    screen.press("x")?;
    screen.press("y")?;
    // What the cancelled run changes is drawn; then nothing happens but the clock.
    screen.listen(Duration::from_secs(15));
    let idle = screen.listen(length);
    table.push(vec![format!("written in {} of nothing", duration(length)), bytes(idle as f64), "the clock".into()]);
    println!("{table}");
    Ok(())
}

/// Presses the script and pushes a row for each part of it.
fn measure_keys(meanwhile: &str, screen: &mut Terminal, table: &mut Table) -> io::Result<()> {
    for (what, way, keys) in SCRIPT {
        for key in way.chars() {
            screen.press(&key.to_string())?;
        }
        let (mut took, mut lost) = (Vec::new(), 0);
        for key in keys.iter().cycle().take(PRESSES) {
            screen.listen(BETWEEN_KEYS);
            match screen.press(key)? {
                Some(time) => took.push(time),
                None => lost += 1,
            }
        }
        took.sort();
        let at = |share: f64| took.get((took.len() as f64 * share) as usize).or(took.last()).copied();
        let (middle, high) = (at(0.5).unwrap_or_default(), at(0.99).unwrap_or_default());
        let longest = took.last().copied().unwrap_or_default();
        let figures = [middle, high, longest].map(duration);
        let row = [meanwhile.to_owned(), what.to_owned(), took.len().to_string(), lost.to_string()];
        table.push(row.into_iter().chain(figures).chain([verdict(high, 16)]).collect());
    }
    Ok(())
}

fn verdict(measured: Duration, limit_ms: u64) -> String {
    let is_kept = measured <= Duration::from_millis(limit_ms);
    format!("at most {limit_ms} ms: {}", if is_kept { "ok" } else { "over" })
}
