//! The one door for writing: a thread that holds the read-write connection and takes batches from a bounded queue.
//!
//! Batches are gathered into transactions of a set number of rows or one second. Everything else is a call that runs
//! between transactions, after all batches that were sent before it: so a caller sees its own writes committed. What is
//! urgent overtakes what is not ([`super::queue`]): who sends it makes sure that it does not depend on that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::apply::{Batch, RunContext, apply};
use super::place::Place;
use super::queue::{Call, Line, Message, Progress, Receiving, Sending, queue};
use super::reserve::Reserve;
use super::retention::Stage;
use super::twins::Twins;
use super::wal::{self, Wal};
use super::{IndexError, Result, connection, settle};
use crate::domain::problem::Class;

/// How long written rows may stay uncommitted.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(1);

/// Sends work to the writer thread. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: Sending,
    failed: Failed,
    place: Place,
    _thread: Arc<Joiner>,
}

/// The runs of which something could not be written, and why: nothing more of them is written, but their end.
type Failed = Arc<Mutex<BTreeMap<Lane, Failure>>>;

/// A run by its number, and what settles by itself within it.
type Lane = (i64, i64);

/// Returns under which lanes a failure stops something: its own, and that of the run itself.
fn lanes(run: &RunContext) -> [Lane; 2] {
    [(run.number, run.lane), (run.number, run.number)]
}

/// Why nothing more of a run is written.
#[derive(Debug)]
struct Failure {
    class: Class,
    message: String,
    /// Not even its end: it was given up, and somebody else has written that.
    is_final: bool,
}

/// Waits for the thread, so that a dropped writer has closed its connection (and its WAL).
#[derive(Debug)]
struct Joiner(Mutex<Option<JoinHandle<()>>>);

/// What runs on the writer thread: the connection, and the plan mode in which nothing is ever committed.
#[derive(Debug)]
pub struct Db {
    pub(super) connection: Connection,
    place: Place,
    /// While it is on, one transaction is open that will be rolled back.
    planning: bool,
    pub(super) retention: Stage,
    pub(super) reserve: Reserve,
    pub(super) twins: Twins,
}

impl Writer {
    /// Opens the index at `path` for writing, creating or migrating it, and starts the thread.
    ///
    /// `batch_size` is the number of rows of a transaction.
    ///
    /// # Errors
    /// When the index is not ours, newer than this program, or cannot be opened.
    pub fn open(path: &Path, batch_size: usize) -> Result<Writer> {
        let connection = connection::open_writer(path)?;
        let reserve = Reserve::take(path);
        settle::prepare(&connection)?;
        let place = Place::of(path);
        let (retention, twins) = Default::default();
        let mut db = Db { connection, place: place.clone(), planning: false, retention, reserve, twins };
        let wal = Wal::of(path);
        let (queue, mut receiving) = queue();
        let failed = Failed::default();
        let failed_there = Arc::clone(&failed);
        let thread = std::thread::Builder::new()
            .name("index-writer".to_owned())
            .spawn(move || serve(&mut db, &wal, &mut receiving, batch_size, &failed_there))
            .map_err(|source| IndexError::Open { path: path.to_owned(), source })?;
        Ok(Writer { queue, failed, place, _thread: Arc::new(Joiner(Mutex::new(Some(thread)))) })
    }

    /// Hands over a batch; waits while too many are waiting.
    ///
    /// # Errors
    /// When an earlier batch of this run could not be written: the run cannot go on.
    pub fn send(&self, batch: Batch) -> Result<()> {
        self.check(&batch.run)?;
        self.queue.send(batch.run.line(), Message::Batch(batch)).map_err(|_| stopped())
    }

    /// Runs `work` on the writer thread when everything that was sent before is committed, and returns its answer.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn call<T: Send + 'static>(&self, work: impl FnOnce(&mut Db) -> Result<T> + Send + 'static) -> Result<T> {
        self.call_in(Line::Ordinary, work)
    }

    fn call_in<T: Send + 'static>(
        &self,
        line: Line,
        work: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, wait) = sync_channel(1);
        let call: Call = Box::new(move |db| {
            // The caller waits for it; if it is gone (its thread was given up), nobody misses the answer.
            let _unheard = answer.send(work(db));
        });
        self.queue.send(line, Message::Call(call)).map_err(|_| stopped())?;
        wait.recv().map_err(|_| stopped())?
    }

    /// As [`Writer::call`], for a run that cannot go on when something of it could not be written.
    ///
    /// # Errors
    /// Those of `work`, or that an earlier batch of the run could not be written.
    pub fn call_for<T: Send + 'static>(
        &self,
        run: &RunContext,
        work: impl FnOnce(&mut Db, &RunContext) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let context = run.clone();
        let answer = self.call_in(run.line(), move |db| work(db, &context))?;
        self.check(run)?;
        Ok(answer)
    }

    /// Tells how far this has come with the batches that are not urgent.
    pub fn progress(&self) -> Progress {
        self.queue.progress()
    }

    /// Waits until every batch that is not urgent and was sent before is committed.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn catch_up(&self) -> Result<()> {
        self.call(|_| Ok(()))
    }

    /// Moves the WAL into the main file and cuts it off, when readers do not stand in the way for long.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn checkpoint(&self) -> Result<()> {
        self.call(|db| wal::move_in_within(&db.connection, wal::How::CutOff, wal::READERS_GO_WITHIN))
    }

    /// Looks whether the index was moved away or replaced: from then on nothing is written any more.
    pub fn has_lost_index(&self) -> bool {
        self.place.check().is_err()
    }

    /// Returns which files of a lost index stand where they stood: worth nothing without the others, and harmful to what
    /// has come in their place.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        self.place.left_behind()
    }

    /// Forgets that a run has failed, so that its end can be written.
    ///
    /// # Errors
    /// When somebody else has written its end.
    pub(super) fn forget_failure(&self, run: &RunContext) -> Result<()> {
        let mut failed = self.failed.lock().expect("no one panics while holding this lock");
        if failed.get(&(run.number, run.number)).is_some_and(|failure| failure.is_final) {
            return Err(IndexError::broken("the run was given up before"));
        }
        failed.retain(|(number, _), _| *number != run.number);
        Ok(())
    }

    /// Refuses all that a run may still send, its end too.
    pub(super) fn refuse(&self, run: i64) {
        let message = "the run was given up: it did not answer".to_owned();
        let failure = Failure { class: Class::Cancelled, message, is_final: true };
        self.failed.lock().expect("no one panics while holding this lock").insert((run, run), failure);
    }

    fn check(&self, run: &RunContext) -> Result<()> {
        let failed = self.failed.lock().expect("no one panics while holding this lock");
        match lanes(run).iter().find_map(|lane| failed.get(lane)) {
            Some(failure) => Err(IndexError::Stopped { class: failure.class, message: failure.message.clone() }),
            None => Ok(()),
        }
    }
}

impl Drop for Joiner {
    fn drop(&mut self) {
        // Every sender is dropped before: fields are dropped in their order, and each writer has its own.
        if let Some(thread) = self.0.lock().ok().and_then(|mut thread| thread.take()) {
            // A panic there was a bug that its callers have already met as `Stopped`.
            let _ended = thread.join();
        }
    }
}

fn stopped() -> IndexError {
    IndexError::Stopped { class: Class::Internal, message: "its thread has ended".to_owned() }
}

fn serve(db: &mut Db, wal: &Wal, queue: &mut Receiving, batch_size: usize, failed: &Failed) {
    let mut next = wal.wait(&db.connection, queue);
    while let Some(message) = next.take() {
        let followed_by = match message {
            Message::Call(call) => {
                call(db);
                None
            }
            Message::Batch(batch) => {
                let followed_by = gather(db, batch, queue, batch_size, failed);
                queue.is_written();
                followed_by
            }
        };
        next = followed_by.or_else(|| wal.wait(&db.connection, queue));
    }
}

/// Writes `first` and what follows it in one transaction, until it is full, a second old, or a call is waiting; returns
/// that call. If it cannot be written, every run in it has failed, and no later row of theirs may stand without it. A
/// batch that is wrong in itself is taken back alone.
fn gather(db: &mut Db, first: Batch, queue: &mut Receiving, batch_size: usize, failed: &Failed) -> Option<Message> {
    let mut followed_by = None;
    let mut runs = BTreeSet::new();
    let fail = |lane: Lane, error: &IndexError| {
        tracing::error!(%error, "a batch could not be written");
        let failure = || Failure { class: error.class(), message: error.to_string(), is_final: false };
        failed.lock().expect("no one panics while holding this lock").entry(lane).or_insert_with(failure);
    };
    let has_failed = |run: &RunContext| {
        let failed = failed.lock().expect("no one panics while holding this lock");
        lanes(run).iter().any(|lane| failed.contains_key(lane))
    };
    // Taken out of what writes, as that is lent away meanwhile.
    let mut twins = std::mem::take(&mut db.twins);
    let result = db.write(|transaction| {
        // The batches' own times tell how old the transaction is: this room asks no clock.
        let begun_ms = first.at_ms;
        let mut rows = 0;
        let mut next = Some(first);
        while let Some(mut batch) = next.take() {
            let is_full = batch.at_ms.saturating_sub(begun_ms) >= LONGEST_TRANSACTION.as_millis() as i64;
            if !has_failed(&batch.run) {
                runs.insert((batch.run.number, batch.run.lane));
                rows += batch.len();
                if let Err(error) = write_batch(transaction, &mut twins, &mut batch)? {
                    fail((batch.run.number, batch.run.lane), &error);
                }
            }
            if is_full || rows >= batch_size {
                break;
            }
            match queue.next(LONGEST_TRANSACTION) {
                Ok(Message::Batch(batch)) => next = Some(batch),
                Ok(call) => followed_by = Some(call),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        Ok(())
    });
    db.twins = twins;
    if let Err(error) = result {
        for lane in runs {
            fail(lane, &error);
        }
    }
    followed_by
}

/// Writes one batch, or none of it when a row of it does not fit to the others; that error is the inner one.
fn write_batch(db: &Connection, twins: &mut Twins, batch: &mut Batch) -> Result<Result<()>> {
    db.prepare_cached("SAVEPOINT batch")?.execute([])?;
    let written = twins.resolve(db, batch).and_then(|()| apply(db, batch));
    let is_alone = |error: &IndexError| matches!(error.class(), Class::Unstable | Class::Internal | Class::Config);
    match written {
        Err(error) if is_alone(&error) && !db.is_autocommit() => {
            db.prepare_cached("ROLLBACK TO batch")?.execute([])?;
            db.prepare_cached("RELEASE batch")?.execute([])?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
        Ok(()) => {
            db.prepare_cached("RELEASE batch")?.execute([])?;
            Ok(Ok(()))
        }
    }
}

impl Db {
    /// Runs `work` in a transaction that takes the write lock at once: a deferred one gets BUSY when it first writes.
    pub(super) fn write<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.planning {
            // SQLite undoes a transaction by itself when the disk is full: from then on a write would stay.
            if self.connection.is_autocommit() {
                let message = "the plan was undone in the middle, as when a disk is full".to_owned();
                return Err(IndexError::Stopped { class: Class::DeviceFull, message });
            }
            return work(&self.connection);
        }
        self.place.check()?;
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let answer = work(&transaction)?;
        self.place.check()?;
        transaction.commit()?;
        Ok(answer)
    }

    /// As [`Db::write`], by the space that is kept for a full disk when there is no other.
    pub(super) fn write_by_all_means<T>(&mut self, mut work: impl FnMut(&Connection) -> Result<T>) -> Result<T> {
        let written = self.write(&mut work);
        if written.as_ref().is_err_and(|error| error.class() == Class::DeviceFull) && self.reserve.give_up() {
            return self.write(work);
        }
        if written.is_ok() {
            self.reserve.fill();
        }
        written
    }

    /// Begins a plan: from here to [`Db::end_plan`] nothing is committed.
    pub(super) fn begin_plan(&mut self) -> Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.planning = true;
        Ok(())
    }

    /// Undoes everything since [`Db::begin_plan`].
    pub(super) fn end_plan(&mut self) -> Result<()> {
        self.planning = false;
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    pub(super) fn is_planning(&self) -> bool {
        self.planning
    }
}
