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

/// Reading a file of this size takes longer than a hint should wait for what the worker has gathered.
const LONG_FROM_BYTES: i64 = 8 << 20;

/// One worker's findings.
#[derive(Debug)]
pub(super) struct Sink {
    shared: Arc<Shared>,
    ops: Vec<Op>,
    /// How many of these were there when the present piece of work began.
    ops_before: usize,
    /// Directories whose last row waits here.
    done: Vec<Vec<u8>>,
    /// How often hints had waited for such when the last went out.
    heard: u64,
    pub tally: Tally,
}

impl Sink {
    pub fn new(shared: Arc<Shared>) -> Sink {
        Sink { shared, ops: Vec::new(), ops_before: 0, done: Vec::new(), heard: 0, tally: Tally::default() }
    }

    /// Begins a piece of work.
    pub fn begin(&mut self) {
        self.ops_before = self.ops.len();
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
        // Nothing of it waits here: a full run that finds little would else have the whole tree in its hands.
        if self.ops.len() == self.ops_before {
            company.leave(path, self.shared.context.writer.progress());
        } else {
            self.done.push(path.to_vec());
        }
        self.flush_if_wanted()
    }

    /// Sends what has gathered before a file of this size is read, if that takes long or a hint waits for it.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn make_way(&mut self, size_bytes: i64) -> Result<()> {
        if size_bytes > LONG_FROM_BYTES { self.flush() } else { self.flush_if_wanted() }
    }

    /// Sends what has gathered when a hint waits for it, and not for a batch to fill; batches of one directory each would
    /// cost a first index a fifth of its time.
    fn flush_if_wanted(&mut self) -> Result<()> {
        let wanted = self.shared.company.wanted();
        if wanted == self.heard {
            return Ok(());
        }
        self.heard = wanted;
        self.flush()
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
        let writer = &self.shared.context.writer;
        writer.send(batch)?;
        self.ops_before = 0;
        if !self.done.is_empty() {
            let progress = writer.progress();
            for path in self.done.drain(..) {
                self.shared.company.leave(&path, progress);
            }
        }
        Ok(())
    }
}
