//! The stack of work that a job's workers share: last in, first out, so that a tree is walked depth first and only the
//! directories beside the path to the present one wait in memory.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex};

use super::directory::{Target, ToRead};
use super::opened::Opened;
use crate::index::{Arrival, Result};

/// One piece of work.
#[derive(Debug)]
pub(super) enum Work {
    Directory(Target),
    /// A part of a directory's files that must be read.
    Files(Arc<Opened>, Vec<ToRead>),
    /// A part of a new directory's files that nobody has looked at.
    Unseen(Arc<Opened>, Vec<Vec<u8>>),
    Arrivals(Vec<Arrival>),
}

/// Gives more work when the stack is empty; `None` when there is none left.
pub(super) type Source = Box<dyn FnMut() -> Result<Option<Vec<Work>>> + Send>;

#[derive(Default)]
struct Inner {
    work: Vec<Work>,
    source: Option<Source>,
    /// Workers that may still push.
    busy: usize,
    closed: bool,
}

/// A stack that knows when all is done: nothing waits, nobody is busy, and the source has dried up.
#[derive(Default)]
pub(super) struct Stack {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stack")
    }
}

const LOCK: &str = "no one panics while holding this lock";

impl Stack {
    /// Begins a round of work. The stack must be empty.
    pub fn begin(&self, work: Vec<Work>, source: Option<Source>) {
        let mut inner = self.inner.lock().expect(LOCK);
        inner.work = work;
        inner.source = source;
    }

    /// Adds work; the last of it is taken first.
    pub fn push(&self, work: impl IntoIterator<Item = Work>) {
        let mut inner = self.inner.lock().expect(LOCK);
        let before = inner.work.len();
        inner.work.extend(work);
        match inner.work.len() - before {
            0 => {}
            1 => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
    }

    /// Takes the next piece of work and counts the caller as busy until [`Stack::done`]; `None` when all is done.
    ///
    /// # Errors
    /// Those of the source.
    pub fn take(&self) -> Result<Option<Work>> {
        let mut inner = self.inner.lock().expect(LOCK);
        loop {
            if inner.closed {
                return Ok(None);
            }
            if let Some(work) = inner.work.pop() {
                inner.busy += 1;
                return Ok(Some(work));
            }
            if let Some(mut source) = inner.source.take()
                && let Some(work) = source()?
            {
                inner.work = work;
                inner.source = Some(source);
                self.changed.notify_all();
                continue;
            }
            if inner.busy == 0 {
                self.changed.notify_all();
                return Ok(None);
            }
            inner = self.changed.wait(inner).expect(LOCK);
        }
    }

    /// Ends the piece of work that was taken last by this worker.
    pub fn done(&self) {
        let mut inner = self.inner.lock().expect(LOCK);
        inner.busy -= 1;
        if inner.busy == 0 && inner.work.is_empty() {
            self.changed.notify_all();
        }
    }

    /// Ends everything: the job has failed.
    pub fn close(&self) {
        let mut inner = self.inner.lock().expect(LOCK);
        inner.closed = true;
        inner.work.clear();
        inner.source = None;
        self.changed.notify_all();
    }

    pub fn is_closed(&self) -> bool {
        self.inner.lock().expect(LOCK).closed
    }

    /// Drops what waits, when a job is cancelled between two rounds.
    pub fn clear(&self) {
        let mut inner = self.inner.lock().expect(LOCK);
        inner.work.clear();
        inner.source = None;
    }
}
