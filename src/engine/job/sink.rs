//! Gathers what one worker finds and hands it to the writer in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::shared::Shared;
use crate::domain::path::RelPath;
use crate::domain::problem::{Class, Problem};
use crate::domain::run::Tally;
use crate::engine::clock;
use crate::index::{Batch, Op, Result};

/// A batch goes out when it holds so many rows. Only between two directories, so that a small directory's rows stand in
/// one transaction.
const ROWS_PER_BATCH: usize = 256;

/// One worker's findings.
#[derive(Debug)]
pub(super) struct Sink {
    shared: Arc<Shared>,
    ops: Vec<Op>,
    /// Directories whose last row waits here.
    done: Vec<Vec<u8>>,
    pub tally: Tally,
}

impl Sink {
    pub fn new(shared: Arc<Shared>) -> Sink {
        Sink { shared, ops: Vec::new(), done: Vec::new(), tally: Tally::default() }
    }

    pub fn push(&mut self, op: Op) {
        match op {
            // The run beside may be inside it, and would write rows into a directory that is gone.
            Op::Park { name: None, path, .. } if self.shared.is_beside() => {
                if let Some((directory, name)) = RelPath::from_stored(path).split() {
                    self.shared.company.postpone(directory.as_bytes(), name);
                }
            }
            op => self.ops.push(op),
        }
    }

    /// Gives a directory back for others to look at, as soon as its rows are on their way.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn done_with(&mut self, path: &[u8]) -> Result<()> {
        let company = &self.shared.company;
        if !company.is_shared() || self.shared.is_beside() {
            return Ok(());
        }
        if self.ops.is_empty() {
            company.leave(path);
            return Ok(());
        }
        self.done.push(path.to_vec());
        // A hint for it must not wait for a batch to fill; but batches of one directory each would cost a first index a
        // fifth of its time.
        if company.take_wanted() { self.flush() } else { Ok(()) }
    }

    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Reports a problem with one path.
    pub fn problem(&mut self, path: Vec<u8>, class: Class, message: String) {
        self.tally.problems += 1;
        self.shared.context.progress.problems.fetch_add(1, Relaxed);
        self.push(Op::Problem(Problem { path: RelPath::from_stored(path), class, message }));
    }

    /// Sends what has gathered, if it is a batch's worth.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn flush_if_full(&mut self) -> Result<()> {
        if self.ops.len() >= ROWS_PER_BATCH { self.flush() } else { Ok(()) }
    }

    /// Sends what has gathered.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn flush(&mut self) -> Result<()> {
        if self.ops.is_empty() {
            return Ok(());
        }
        self.send()
    }

    /// Sends the rest, counts without rows among it.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn finish(&mut self) -> Result<()> {
        if self.ops.is_empty() && self.tally.is_zero() {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> Result<()> {
        let batch = Batch {
            run: Arc::clone(&self.shared.run),
            at_ms: clock::wall().0,
            ops: std::mem::take(&mut self.ops),
            tally: std::mem::take(&mut self.tally),
        };
        self.shared.context.writer.send(batch)?;
        for path in self.done.drain(..) {
            self.shared.company.leave(&path);
        }
        Ok(())
    }
}
