//! The sections of the small files: one task, one size, one table. Hands on our own figures for the tables at the end.

use std::io;
use std::path::Path;

use crate::Bench;
use crate::budget::{self, Budget};
use crate::peer::{IndexSize, Peer, Site, Task, last_run_scanned};
use crate::rounds::{Caches, Entry, Rounds, Summary, find, store_under};
use crate::table::{ABSENT, Table, bytes, count, cpu_time, duration, or_absent, ratio};

/// What we cost, for one task at one size, warm.
pub struct OurFigures {
    pub task: Task,
    pub files: u64,
    pub cost: Summary,
    pub index: IndexSize,
}

/// Measures a task on a tree of `files` small files, prints the table, and returns our own figures if we did not fail.
pub fn print(
    bench: &Bench,
    task: Task,
    caches: Caches,
    (tree, files): (&Path, u64),
    peers: &[Peer],
) -> io::Result<Option<OurFigures>> {
    println!("\n### {}\n", title(task, caches, files));
    let peers: Vec<Peer> = peers.iter().copied().filter(|peer| peer.can_do(task, files)).collect();
    let store = store_under(&bench.place, Peer::Watchkeeper);
    let site = Site { binary: &bench.binary, tree, store: &store, cores: bench.cores };
    let rounds = Rounds { gauge: &bench.gauge, count: bench.rounds, caches };
    let entries = rounds.run(&peers, task, site, &bench.place);

    let ours = find(&entries, Peer::Watchkeeper);
    print!("{}", table_of(&entries, task, caches, files));
    if ours.is_some() {
        match last_run_scanned(site) {
            Some(scanned) if scanned == files => {}
            Some(scanned) => {
                println!("\n**Not valid:** our last run looked at {} of {} files.", count(scanned), count(files))
            }
            None => println!("\n**Not checked:** our last run does not tell how many files it looked at."),
        }
    }
    let figures = ours.map(|cost| OurFigures { task, files, cost, index: IndexSize::of(&store) });
    for peer in peers {
        bench.discard(&store_under(&bench.place, peer))?;
    }
    Ok(figures)
}

fn title(task: Task, caches: Caches, files: u64) -> String {
    let task = match task {
        Task::FirstIndex => "First index with SHA-256",
        Task::NoChange => "Nothing changed",
    };
    let caches = match caches {
        Caches::Warm => "warm",
        Caches::Cold => "cold",
    };
    format!("{task}: {} small files, {caches}", count(files))
}

fn table_of(entries: &[Entry], task: Task, caches: Caches, files: u64) -> Table {
    let mut table =
        Table::new(&["run", "wall", "range", "CPU", "peak memory", "written", "our wall / its wall", "budget"]);
    let ours = find(entries, Peer::Watchkeeper);
    for entry in entries {
        let label = entry.peer.label(task).to_owned();
        let cost = match &entry.outcome {
            Ok(cost) => cost,
            Err(error) => {
                table.push(vec![label, format!("failed ({error})")]);
                continue;
            }
        };
        let our_ratio = ours
            .filter(|_| entry.peer != Peer::Watchkeeper)
            .map(|ours| ours.wall.as_secs_f64() / cost.wall.as_secs_f64());
        table.push(vec![
            label,
            duration(cost.wall),
            format!("{} to {}", duration(cost.fastest), duration(cost.slowest)),
            cpu_time(cost.cpu),
            or_absent(cost.peak_bytes, |peak| bytes(peak as f64)),
            or_absent(cost.written_bytes, |written| bytes(written as f64)),
            or_absent(our_ratio, ratio),
            budget_cell(entry.peer, task, caches, our_ratio, files),
        ]);
    }
    table
}

/// Only two peers carry a budget, and only with warm caches: cold, everybody waits for the same disk.
fn budget_cell(peer: Peer, task: Task, caches: Caches, our_ratio: Option<f64>, files: u64) -> String {
    let (limit, budget): (&str, Budget) = match (peer, task, caches) {
        (Peer::Find, Task::NoChange, Caches::Warm) => ("0.70", budget::NO_CHANGE_RATIO),
        (Peer::Sha256sum, Task::FirstIndex, Caches::Warm) => ("0.50", budget::FIRST_INDEX_RATIO),
        _ => return String::new(),
    };
    our_ratio.map_or_else(|| ABSENT.into(), |value| format!("at most {limit}: {}", budget.verdict(value, files)))
}
