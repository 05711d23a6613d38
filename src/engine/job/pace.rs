//! Manners: how a run that nobody waits for leaves the machine to others.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::shared::{JobContext, JobSpec, Manners, Shared};
use crate::engine::clock::{Stopwatch, thread_cpu_ms};

/// Of one core, for all workers of a paced run together. Less than the tenth that is promised: the writer and the
/// settling come on top.
const CPU_SHARE: u64 = 8;
/// Rests are cut into pieces, so that a cancel takes effect at once.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// A run that a person waits for, too, lets pass what is short: a key, an answer of the API, a hint, the writer. On an idle
/// machine it still has all cores. During a first sync on two of them a status came at p99 after 6 ms or more with 0, after
/// 4 to 7 ms with 5, after 3.5 to 4.5 ms with 10; a custom slice (`sched_setattr`) for either side changed nothing.
const NICE: i32 = 10;

/// Puts the calling thread, and those that it starts, behind the rest of the program; the reading of a run that nobody waits
/// for behind everyone's.
pub(super) fn take_manners(spec: &JobSpec) {
    // Who was started with more keeps it.
    let own = rustix::process::getpriority_process(None).unwrap_or(0);
    if own < NICE
        && let Err(error) = rustix::process::setpriority_process(None, NICE)
    {
        tracing::debug!(%error, "the run keeps its CPU priority");
    }
    if spec.manners == Manners::Busy {
        return;
    }
    // There is no safe call for it in the libraries that we trust; the program of util-linux is on every machine.
    let thread = rustix::thread::gettid().as_raw_pid().to_string();
    let idle = std::process::Command::new("ionice")
        .args(["-c", "3", "-p", &thread])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    if !idle.is_ok_and(|status| status.success()) {
        tracing::debug!("the run keeps its I/O priority: ionice is missing or refused");
    }
}

/// Returns on how many threads a run works.
pub(super) fn workers(spec: &JobSpec) -> usize {
    match spec.manners {
        // Two heads of one disk seek against each other; and a share of one core needs no second thread.
        Manners::Paced => 1,
        Manners::Polite if spec.disk.is_some() => 1,
        Manners::Busy | Manners::Polite => spec.workers,
    }
}

/// Keeps one worker of a paced run below its share of the CPU.
#[derive(Debug)]
pub(super) struct Pace {
    started: Stopwatch,
    cpu_before_ms: u64,
    is_paced: bool,
}

impl Pace {
    pub fn new(shared: &Shared) -> Pace {
        Pace {
            started: Stopwatch::start(),
            cpu_before_ms: thread_cpu_ms(),
            is_paced: shared.spec.manners == Manners::Paced,
        }
    }

    /// Rests until the CPU time so far is within the share. Not while hints are waited for, nor once someone waits.
    pub fn rest(&self, shared: &Shared) {
        if !self.is_paced {
            return;
        }
        while !shared.should_stop() && !hurries(&shared.context) {
            let used_ms = thread_cpu_ms().saturating_sub(self.cpu_before_ms);
            let due_ms = (used_ms * 100 / CPU_SHARE).saturating_sub(self.started.elapsed_ms());
            if due_ms == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(due_ms).min(LONGEST_REST));
        }
    }
}

fn hurries(context: &JobContext) -> bool {
    context.hurry.load(Relaxed)
}
