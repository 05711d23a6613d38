//! Runs several programs in turn, round after round, and sums up what each of them cost.
//!
//! In turn, because a machine's speed drifts: run one after the other, whoever came in a slow minute would lose. Each
//! round begins with another program, so that nobody always runs in the wake of the same neighbour.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::machine;
use crate::measure::{Cost, Gauge, run_unmeasured};
use crate::peer::{IndexSize, Peer, Site, Task};

/// Whether the caches are full or empty when a program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// As the programs before left them; one round that fills them is discarded.
    Warm,
    /// Page, dentry and inode caches are dropped before each run.
    Cold,
}

/// What one program cost over all rounds: medians, but of peak memory the largest.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub wall: Duration,
    pub fastest: Duration,
    pub slowest: Duration,
    pub cpu: Duration,
    pub peak_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
    /// By how much a round made our own index larger; `None` for the peers.
    pub grown_bytes: Option<u64>,
}

/// One program's place in a table: what it is, and what it cost or why that is not known.
pub struct Entry {
    pub peer: Peer,
    pub outcome: Result<Summary, String>,
}

/// How the rounds are run.
pub struct Rounds<'a> {
    pub gauge: &'a Gauge,
    pub count: u32,
    pub caches: Caches,
}

impl Rounds<'_> {
    /// Lets each peer do the task on the tree of `site`, in its own store under `place`.
    ///
    /// One that fails drops out, with its error as its outcome; the others go on.
    pub fn run(&self, peers: &[Peer], task: Task, site: Site, place: &Path) -> Vec<Entry> {
        let stores: Vec<_> = peers.iter().map(|&peer| store_under(place, peer)).collect();
        let mut costs: Vec<Result<Vec<Sample>, String>> = vec![Ok(Vec::new()); peers.len()];
        if task == Task::NoChange {
            for ((peer, store), costs) in peers.iter().zip(&stores).zip(&mut costs) {
                eprintln!("  {}: set-up", peer.label(task));
                if let Err(error) = index_once(*peer, Site { store, ..site }) {
                    *costs = Err(error.to_string());
                }
            }
        }
        let discarded = if self.caches == Caches::Warm { 1 } else { 0 };
        for round in 0..self.count + discarded {
            eprintln!("  round {round}{}", if round < discarded { " (discarded)" } else { "" });
            for turn in 0..peers.len() {
                let index = (turn + round as usize) % peers.len();
                let Ok(samples) = &mut costs[index] else { continue };
                match self.one(peers[index], task, Site { store: &stores[index], ..site }) {
                    Ok(sample) if round >= discarded => samples.push(sample),
                    Ok(_) => {}
                    Err(error) => costs[index] = Err(error.to_string()),
                }
            }
        }
        peers
            .iter()
            .zip(costs)
            .map(|(&peer, costs)| Entry { peer, outcome: costs.map(|costs| summary(&costs)) })
            .collect()
    }

    fn one(&self, peer: Peer, task: Task, site: Site) -> io::Result<Sample> {
        if task == Task::FirstIndex {
            peer.open_store(task, site)?;
        }
        let command = peer.command(task, site);
        let before = (peer == Peer::Watchkeeper).then(|| IndexSize::total_bytes(site.store));
        let cost = self.measure(&command)?;
        let grown_bytes = before.map(|before| IndexSize::total_bytes(site.store).saturating_sub(before));
        Ok(Sample { cost, grown_bytes })
    }

    /// Measures a command with the caches as they should be.
    pub fn measure(&self, command: &Command) -> io::Result<Cost> {
        match self.caches {
            Caches::Cold => machine::drop_caches()?,
            // Nobody shall wait for the disk while it takes what another one wrote.
            Caches::Warm => rustix::fs::sync(),
        }
        self.gauge.measure(command)
    }
}

/// The cost of one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub cost: Cost,
    pub grown_bytes: Option<u64>,
}

fn index_once(peer: Peer, site: Site) -> io::Result<()> {
    peer.open_store(Task::NoChange, site)?;
    match peer {
        // They keep nothing between two runs.
        Peer::Find | Peer::Sha256sum | Peer::Hashdeep => Ok(()),
        Peer::Watchkeeper | Peer::Git | Peer::Aide | Peer::Restic => {
            run_unmeasured(&mut peer.command(Task::FirstIndex, site)).map(drop)
        }
    }
}

/// Returns the summary of at least one sample.
pub fn summary(samples: &[Sample]) -> Summary {
    let walls = || samples.iter().map(|sample| sample.cost.wall);
    let median_of = |field: fn(&Sample) -> Option<u64>| median(samples.iter().filter_map(field));
    Summary {
        wall: median(walls()).unwrap_or_default(),
        fastest: walls().min().unwrap_or_default(),
        slowest: walls().max().unwrap_or_default(),
        cpu: median(samples.iter().map(|sample| sample.cost.cpu)).unwrap_or_default(),
        peak_bytes: samples.iter().filter_map(|sample| sample.cost.peak_bytes).max(),
        written_bytes: median_of(|sample| sample.cost.written_bytes),
        grown_bytes: median_of(|sample| sample.grown_bytes),
    }
}

/// Returns the middle value; of two middle ones the larger, which flatters nobody.
pub fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Returns the summary of a peer, if it took part and did not fail.
pub fn find(entries: &[Entry], peer: Peer) -> Option<Summary> {
    entries.iter().find(|entry| entry.peer == peer)?.outcome.as_ref().ok().copied()
}

/// Returns the directory that a peer has for itself under `place`.
pub fn store_under(place: &Path, peer: Peer) -> PathBuf {
    place.join(format!("store-{}", peer.program().map_or("watchkeeper", |(name, _)| name)))
}
