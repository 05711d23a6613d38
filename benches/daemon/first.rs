//! The section of the first index with the watcher on: `repo add` through a daemon, beside `find | xargs sha256sum`.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use watchkeeper::domain::run::Kind;

use crate::Bench;
use crate::daemon::newest_run;
use crate::measure::{Cost, run_unmeasured};
use crate::table::{ABSENT, Table, bytes, count, cpu_time, duration, or_absent, ratio};

/// Our wall time over that of the peer, for the sync.
const RATIO_BUDGET: f64 = 0.5;

/// Peak memory of the daemon with two workers; 1.5 MB for each further one.
const MEMORY_BUDGET_BYTES: f64 = 32e6;

/// What one round costs us.
struct Round {
    /// From the start of the command to its end: it counts the tree before it adds it.
    command: Duration,
    /// The run within it.
    sync: Duration,
    /// Of the daemon.
    cpu: Duration,
    peak_bytes: Option<u64>,
    written_bytes: Option<u64>,
    scanned: u64,
}

/// Measures in turn, and prints the medians.
pub fn print(bench: &Bench, rounds: u32) -> io::Result<()> {
    println!("\n### First index with the watcher on: {}, warm\n", bench.size());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        eprintln!("  round {round}{}", if round == 0 { " (discarded)" } else { "" });
        let (our_round, their_cost) = (watch_and_index(bench)?, bench.gauge.measure(&sha256sum(bench))?);
        if round > 0 {
            ours.push(our_round);
            theirs.push(their_cost);
        }
    }
    print!("{}", table(bench, &ours, &theirs));
    if let Some(round) = ours.iter().find(|round| round.scanned < bench.files) {
        println!("\n**Not valid:** a run looked at {} of {} files.", count(round.scanned), count(bench.files));
    }
    Ok(())
}

fn watch_and_index(bench: &Bench) -> io::Result<Round> {
    let daemon = bench.start("")?;
    rustix::fs::sync();
    let (before, began) = (daemon.usage()?, Instant::now());
    run_unmeasured(&mut daemon.add(&bench.tree))?;
    let command = began.elapsed();
    let (_, used) = daemon.usage()?.since(&before);
    daemon.wait_until_in_sync()?;
    let run = newest_run(&daemon.reader()?, Kind::Full)?.ok_or_else(|| io::Error::other("there was no full run"))?;
    Ok(Round {
        command,
        sync: Duration::from_millis(run.duration_ms.unwrap_or(0).unsigned_abs()),
        cpu: used.cpu,
        peak_bytes: daemon.peak_bytes(),
        written_bytes: used.written_bytes,
        scanned: run.tally.scanned.unsigned_abs(),
    })
}

/// As in the bench of the peers.
fn sha256sum(bench: &Bench) -> Command {
    let mut shell = Command::new("sh");
    let pipeline = format!("find \"$1\" -type f -print0 | LC_ALL=C xargs -0 -n200 -P{} sha256sum", bench.cores);
    shell.args(["-c", &pipeline, "sh"]).arg(&bench.tree);
    shell
}

fn table(bench: &Bench, ours: &[Round], theirs: &[Cost]) -> Table {
    let median = |of: fn(&Round) -> Duration| middle(ours.iter().map(of));
    let (sync, command, their_wall) =
        (median(|round| round.sync), median(|round| round.command), middle(theirs.iter().map(|cost| cost.wall)));
    let peak_bytes = ours.iter().filter_map(|round| round.peak_bytes).max();
    let written_bytes = ours.iter().filter_map(|round| round.written_bytes).max();
    let to_theirs = |wall: Duration| wall.as_secs_f64() / their_wall.as_secs_f64();
    let verdict = |is_ok: bool| if is_ok { "ok" } else { "over" };
    let memory_limit = MEMORY_BUDGET_BYTES + 1.5e6 * bench.cores.saturating_sub(2) as f64;
    let memory_verdict = peak_bytes.map_or("", |peak| verdict(peak as f64 <= memory_limit));

    let mut table = Table::new(&["run", "wall", "CPU", "peak memory", "written", "our wall / its wall", "budget"]);
    table.push(vec![
        "first sync in the daemon".into(),
        duration(sync),
        cpu_time(median(|round| round.cpu)),
        or_absent(peak_bytes, |peak| bytes(peak as f64)),
        or_absent(written_bytes, |written| bytes(written as f64)),
        ABSENT.into(),
        format!("memory at most {}: {memory_verdict}", bytes(memory_limit)),
    ]);
    table.push(vec![
        "repo add, with its counting".into(),
        duration(command),
        ABSENT.into(),
        ABSENT.into(),
        ABSENT.into(),
        ABSENT.into(),
    ]);
    table.push(vec![
        "find, xargs sha256sum".into(),
        duration(their_wall),
        cpu_time(middle(theirs.iter().map(|cost| cost.cpu))),
        or_absent(theirs.iter().filter_map(|cost| cost.peak_bytes).max(), |peak| bytes(peak as f64)),
        or_absent(theirs.iter().filter_map(|cost| cost.written_bytes).max(), |written| bytes(written as f64)),
        format!("{} (repo add: {})", ratio(to_theirs(sync)), ratio(to_theirs(command))),
        format!("at most {}: {}", ratio(RATIO_BUDGET), verdict(to_theirs(sync) <= RATIO_BUDGET)),
    ]);
    table
}

/// The middle one; of two the longer, which flatters nobody.
fn middle(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
