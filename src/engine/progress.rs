//! How far a run is: counters that workers add to, and the sample that the shell takes of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::clock::Stopwatch;
use super::protocol::RunProgress;
use crate::domain::path::RelPath;
use crate::domain::run::Kind;

/// Unknown totals.
const UNKNOWN: u64 = u64::MAX;
/// A rate is taken over the last so many milliseconds at least, so that it does not jump.
const RATE_WINDOW_MS: u64 = 2_000;

/// Counters of one run. Relaxed: they are shown, never decided upon.
#[derive(Debug)]
pub struct Progress {
    pub files: AtomicU64,
    pub bytes: AtomicU64,
    pub problems: AtomicU64,
    /// Directories and batches; only for [`Progress::mark`].
    pub steps: AtomicU64,
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    current: Mutex<Vec<u8>>,
    started: Stopwatch,
    rate: Mutex<Rate>,
}

#[derive(Debug, Default)]
struct Rate {
    at_ms: u64,
    files: u64,
    bytes: u64,
    files_per_s: u64,
    bytes_per_s: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            files_total: AtomicU64::new(UNKNOWN),
            bytes_total: AtomicU64::new(UNKNOWN),
            current: Mutex::new(Vec::new()),
            started: Stopwatch::start(),
            rate: Mutex::new(Rate::default()),
        }
    }
}

impl Progress {
    pub fn set_files_total(&self, files: u64) {
        self.files_total.store(files, Relaxed);
    }

    pub fn set_bytes_total(&self, bytes: u64) {
        self.bytes_total.store(bytes, Relaxed);
    }

    /// Says what is being looked at. Skipped rather than waited for: another worker's word is as good.
    pub fn set_current(&self, path: &[u8]) {
        if let Ok(mut current) = self.current.try_lock() {
            current.clear();
            current.extend_from_slice(path);
        }
    }

    /// Returns a number that moves as long as the run does.
    pub fn mark(&self) -> u64 {
        let steps = self.steps.load(Relaxed);
        [&self.files, &self.bytes, &self.problems].iter().fold(steps, |sum, part| sum.wrapping_add(part.load(Relaxed)))
    }

    pub fn elapsed_ms(&self) -> u64 {
        self.started.elapsed_ms()
    }

    /// Takes a sample.
    pub fn sample(&self, run_id: &str, number: i64, repository: &str, kind: Kind) -> RunProgress {
        let known = |total: &AtomicU64| Some(total.load(Relaxed)).filter(|total| *total != UNKNOWN);
        let elapsed_ms = self.elapsed_ms();
        let (files, bytes) = (self.files.load(Relaxed), self.bytes.load(Relaxed));
        let (files_per_s, bytes_per_s) = self.rates(elapsed_ms, files, bytes);
        let mut sample = RunProgress {
            run_id: run_id.to_owned(),
            number,
            repository: repository.to_owned(),
            kind,
            elapsed_ms,
            files_done: files,
            files_total: known(&self.files_total).map(|total| total.max(files)),
            bytes_done: bytes,
            bytes_total: known(&self.bytes_total).map(|total| total.max(bytes)),
            files_per_s,
            bytes_per_s,
            eta_ms: None,
            problems: self.problems.load(Relaxed),
            current_path: RelPath::from_stored(self.current.lock().map(|current| current.clone()).unwrap_or_default()),
        };
        // Over all of the run: a rate of the moment makes the promise jump.
        sample.eta_ms = sample
            .percent()
            .filter(|percent| *percent >= 1.0 && elapsed_ms > 500)
            .map(|percent| (elapsed_ms as f64 * (100.0 - percent) / percent) as u64);
        sample
    }

    fn rates(&self, now_ms: u64, files: u64, bytes: u64) -> (u64, u64) {
        let Ok(mut rate) = self.rate.lock() else { return (0, 0) };
        let passed = now_ms.saturating_sub(rate.at_ms);
        if passed >= RATE_WINDOW_MS || (rate.at_ms == 0 && passed > 0) {
            let per_s = |now: u64, before: u64| now.saturating_sub(before) * 1000 / passed;
            rate.files_per_s = per_s(files, rate.files);
            rate.bytes_per_s = per_s(bytes, rate.bytes);
            if passed >= RATE_WINDOW_MS {
                (rate.at_ms, rate.files, rate.bytes) = (now_ms, files, bytes);
            }
        }
        (rate.files_per_s, rate.bytes_per_s)
    }
}
