//! The section of the large files: our bytes a second against what the processor can hash at all.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::budget;
use crate::machine;
use crate::measure::run_unmeasured;
use crate::peer::{Peer, Site, Task, sha256sum};
use crate::rounds::{Caches, Rounds, Sample, Summary, median, store_under, summary};
use crate::table::{ABSENT, Table, bytes, cpu_time, duration, or_absent, ratio};
use crate::tree::{self, LargeShape};

/// Block size of the reference: small enough for the cache, large enough that the cost of a call does not count.
const BLOCK_BYTES: &str = "16384";

/// Measures the section and prints its table.
pub fn print(bench: &Bench, shape: LargeShape) -> io::Result<()> {
    let total_bytes = shape.total_bytes();
    machine::require_room(&bench.place, total_bytes + total_bytes / 8, shape.files)?;
    let tree = tree::large(&bench.place, shape)?;
    let store = store_under(&bench.place, Peer::Watchkeeper);
    let site = Site { binary: &bench.binary, tree: &tree, store: &store, cores: bench.cores };
    let rounds = Rounds { gauge: &bench.gauge, count: bench.rounds, caches: Caches::Warm };
    let has_openssl = machine::find_program("openssl").is_some();
    let reference = || if has_openssl { openssl_rate() } else { sha256sum_rate(&tree) };

    let (mut ours, mut theirs, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=bench.rounds {
        eprintln!("  round {round}{}", if round == 0 { " (discarded)" } else { "" });
        Peer::Watchkeeper.open_store(Task::FirstIndex, site)?;
        let our_cost = rounds.measure(&Peer::Watchkeeper.command(Task::FirstIndex, site))?;
        let their_cost = rounds.measure(&sha256sum(site, "-n1"))?;
        let rate = reference()?;
        if round > 0 {
            ours.push(Sample { cost: our_cost, grown_bytes: None });
            theirs.push(Sample { cost: their_cost, grown_bytes: None });
            rates.push(rate);
        }
    }
    let core_rate = median(rates.into_iter()).unwrap_or(0) as f64;
    let source = if has_openssl { "openssl speed -evp sha256" } else { "sha256sum of one cached file (no openssl)" };
    print_table(
        bench,
        shape,
        &[("watchkeeper sync", summary(&ours)), ("find, xargs -n1 sha256sum", summary(&theirs))],
        core_rate,
        source,
    );
    bench.discard(&store)?;
    bench.discard_tree(&tree)
}

fn print_table(bench: &Bench, shape: LargeShape, rows: &[(&str, Summary)], core_rate: f64, source: &str) {
    let limit_rate = core_rate * bench.cores as f64;
    println!("\n### Large files, first index: {} x {} MiB, cached\n", shape.files, shape.mib_each);
    let mut table = Table::new(&["run", "wall", "range", "CPU", "peak memory", "bytes/s", "share of limit", "budget"]);
    for (index, (label, cost)) in rows.iter().enumerate() {
        let rate = shape.total_bytes() as f64 / cost.wall.as_secs_f64();
        let share = rate / limit_rate;
        let verdict = if index == 0 {
            format!("at least 0.90: {}", budget::LARGE_SHARE.verdict(share, shape.files))
        } else {
            String::new()
        };
        table.push(vec![
            (*label).into(),
            duration(cost.wall),
            format!("{} to {}", duration(cost.fastest), duration(cost.slowest)),
            cpu_time(cost.cpu),
            or_absent(cost.peak_bytes, |peak| bytes(peak as f64)),
            bytes(rate),
            ratio(share),
            verdict,
        ]);
    }
    let limit = format!("limit: {} cores x {}", bench.cores, bytes(core_rate));
    let blank = || ABSENT.to_owned();
    table.push(vec![limit, blank(), blank(), blank(), blank(), bytes(limit_rate), ratio(1.0)]);
    print!("{table}");
    println!("\nThe rate of one core is that of {source}, measured in the same rounds.");
}

/// Returns one core's bytes a second.
fn openssl_rate() -> io::Result<u64> {
    let mut openssl = Command::new("openssl");
    openssl.args(["speed", "-mr", "-evp", "sha256", "-bytes", BLOCK_BYTES, "-seconds", "1"]);
    let output = String::from_utf8_lossy(&run_unmeasured(&mut openssl)?).into_owned();
    // Machine-readable since 0.9: "+F:<number>:sha256:<bytes a second>", in some versions with more colons at the end.
    let result = output.lines().find_map(|line| line.strip_prefix("+F:"));
    let rate = result.and_then(|fields| fields.split(':').nth(2)).and_then(|rate| rate.trim().parse::<f64>().ok());
    rate.map(|rate| rate as u64).ok_or_else(|| io::Error::other("openssl speed: no rate in its output"))
}

/// Returns the same from a run over one cached file: a little low, for it also pays for reading.
fn sha256sum_rate(tree: &Path) -> io::Result<u64> {
    let first = std::fs::read_dir(tree)?.next().ok_or_else(|| io::Error::other("the large tree is empty"))??;
    let size_bytes = first.metadata()?.len();
    let start = Instant::now();
    run_unmeasured(Command::new("sha256sum").arg(first.path()))?;
    let took = start.elapsed().max(Duration::from_nanos(1));
    Ok((size_bytes as f64 / took.as_secs_f64()) as u64)
}
