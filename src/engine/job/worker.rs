//! A worker: takes pieces of work until there are none, with its own reader, buffers and sink.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;

use super::pace::Pace;
use super::shared::Shared;
use super::sink::Sink;
use super::stack::Work;
use crate::disk::{FileReader, Listing};
use crate::index::{IndexError, Reader, Result};

/// What one worker owns.
#[derive(Debug)]
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    pub index: Reader,
    pub sink: Sink,
    pub listing: Listing,
    pub file_reader: FileReader,
    /// The directory that is being looked at was opened, and is given back when its last part is read.
    pub is_opened: bool,
}

/// Runs a round of work on `workers` threads and waits for its end. Errors end up in `shared`.
pub(super) fn run_round(shared: &Arc<Shared>, workers: usize) {
    let threads: Vec<JoinHandle<()>> = (1..workers.max(1)).filter_map(|number| start(shared, number)).collect();
    // This thread is one of them: a round of one directory starts no thread.
    serve(shared);
    for thread in threads {
        if thread.join().is_err() {
            shared.fail(IndexError::broken("a worker has panicked; this is a bug"));
        }
    }
    if shared.is_cancelled() {
        shared.stack.clear();
    }
}

fn start(shared: &Arc<Shared>, number: usize) -> Option<JoinHandle<()>> {
    let theirs = Arc::clone(shared);
    let started = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || serve(&theirs));
    match started {
        Ok(thread) => Some(thread),
        Err(error) => {
            // Fewer hands, same work.
            tracing::warn!(%error, "no further worker could be started");
            None
        }
    }
}

/// Works until the stack is done. A panic in here must not leave the others waiting.
fn serve(shared: &Arc<Shared>) {
    let work = std::panic::AssertUnwindSafe(|| work_all(shared));
    match std::panic::catch_unwind(work) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => shared.fail(error),
        Err(_) => shared.fail(IndexError::broken("a worker has panicked; this is a bug")),
    }
}

fn work_all(shared: &Arc<Shared>) -> Result<()> {
    let index = shared.company.reader(&shared.context.index_path)?;
    let mut worker = Worker {
        shared: Arc::clone(shared),
        index,
        sink: Sink::new(Arc::clone(shared)),
        listing: Listing::default(),
        file_reader: FileReader::default(),
        is_opened: false,
    };
    let pace = Pace::new(shared);
    while let Some(work) = shared.stack.take()? {
        if !shared.should_stop() {
            worker.handle(work)?;
        }
        shared.stack.done();
        shared.context.progress.steps.fetch_add(1, Relaxed);
        worker.sink.flush_if_full()?;
        pace.rest(shared);
    }
    worker.sink.finish()?;
    shared.company.keep_reader(worker.index);
    let mut left_out = shared.left_out.lock().expect("no one panics while holding this lock");
    left_out.add(&worker.listing.left_out);
    Ok(())
}

impl Worker {
    fn handle(&mut self, work: Work) -> Result<()> {
        self.sink.begin();
        match work {
            Work::Directory(target) => self.look_at(target),
            Work::Files(opened, files) => self.read_part(&opened, files),
            Work::Unseen(opened, names) => self.read_unseen_part(&opened, names),
            Work::Arrivals(arrivals) => self.read_arrivals(arrivals),
        }
    }
}
