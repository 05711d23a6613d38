//! Serves hints, batch by batch: as a realtime run of its own, or beside a run that goes on in the same repository.
//!
//! A batch is a small run: it looks at its places and settles by itself. Beside another run it has a lane of its own
//! for what it parks, counts in that run, and waits for nothing that the run has in its hands ([`super::company`]).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::company::Company;
use super::hinted::Hinted;
use super::open_run::{Ending, OpenRun};
use super::outcome;
use super::prepare::{Part, prepare};
use super::settle::{Settled, settle};
use super::shared::{JobContext, JobSpec, Shared};
use super::stack::Work;
use super::targets::hinted_targets;
use super::worker::run_round;
use crate::domain::hint::{Hints, Look};
use crate::domain::run::{Kind, Outcome};
use crate::engine::stop::Why;
use crate::index::{HoldResult, Reader, Result, RunContext};

/// So many places are worth more than one thread.
const PLACES_FOR_ONE: usize = 32;

/// Places that are looked at together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HintBatch {
    /// By directory.
    pub places: Vec<(Vec<u8>, Look)>,
    /// Directories that are not watched: they and everything below are listed.
    pub polls: Vec<Vec<u8>>,
    /// With it comes all that was withheld: its removals are decided on.
    pub judges_removals: bool,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// What still changes: to be looked at again when it has rested.
    pub again: Hints,
    /// What was in the hands of the run: to be looked at as soon as that has let it go.
    pub soon: Hints,
    /// What is gone, and may be part of a larger removal: to be judged with the rest when that is quiet.
    pub withheld: Hints,
    /// Something was different from what the index said.
    pub has_changed: bool,
    /// Directories that are gone, and stay in the index until the run beside which this was served has ended.
    pub postponed: u64,
}

/// Where a running job takes its hints from.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Option<HintBatch>,
    is_closed: bool,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().expect("no one panics while holding this lock")
    }

    /// Hands over a batch. The one before has been served: the engine gives one at a time.
    pub fn put(&self, batch: HintBatch) {
        self.state().batch = Some(batch);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next batch; `None` when nothing more comes.
    fn take(&self) -> Option<HintBatch> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(batch) = state.batch.take() {
                return Some(batch);
            }
            state = self.changed.wait(state).expect("no one panics while holding this lock");
        }
    }

    /// Returns what was handed over and not taken any more.
    pub fn take_left(&self) -> Option<HintBatch> {
        self.state().batch.take()
    }
}

impl HintBatch {
    /// Returns the places as hints, to be gathered anew.
    pub fn into_hints(self) -> Hints {
        let mut hints = Hints::default();
        for (directory, look) in self.places {
            match look {
                Look::Listing => hints.listing(&directory),
                Look::Names(names) => {
                    for (name, is_complete) in &names {
                        hints.name(&directory, name, *is_complete);
                    }
                }
            }
        }
        hints
    }
}

/// Numbers the lanes of batches that are served beside a run; below zero, where no run's number is.
static LANES: AtomicU64 = AtomicU64::new(0);

/// What serves the batches of one run.
pub(super) struct Server<'a> {
    pub spec: JobSpec,
    pub context: &'a JobContext,
    pub run: RunContext,
    pub open: &'a OpenRun,
    pub company: Arc<Company>,
    /// How many differences a realtime run has found so far.
    findings: AtomicI64,
}

impl<'a> Server<'a> {
    /// Makes one for a realtime run, or for the hints beside another run.
    pub fn new(spec: &JobSpec, context: &'a JobContext, open: &'a OpenRun, company: Arc<Company>) -> Server<'a> {
        let spec = JobSpec {
            kind: Kind::Realtime,
            accept_removals: false,
            max_bytes: None,
            max_time: None,
            paths: Vec::new(),
            only_problems: false,
            manners: Default::default(),
            ..spec.clone()
        };
        Server { spec, context, run: open.context.clone(), open, company, findings: AtomicI64::new(0) }
    }

    /// Serves batches until the inbox is closed. Returns how a realtime run ends, or why it ends early, and what of a
    /// batch was left undone.
    pub fn serve_all(&self, inbox: &Inbox) -> (Result<Ending>, Hints) {
        let mut held = None;
        while let Some(batch) = inbox.take() {
            match self.serve(&batch) {
                // Cut off: what of it was done is not known.
                Ok(Ok(_)) if self.context.stop.is_final() => return (Ok(self.ending(None)), batch.into_hints()),
                Ok(Ok((served, settled))) => {
                    held = settled.held.or(held);
                    self.context.report.tell(&self.spec.run_id, served);
                }
                // The run beside goes on, and so do its hints: it will find for itself what is wrong.
                Ok(Err(_)) if self.company.is_shared() => self.put_off(batch),
                Err(error) if self.company.is_shared() && self.context.writer.findings(&self.run).is_ok() => {
                    tracing::warn!(%error, repository = self.spec.repository.name, "hints could not be served");
                    self.put_off(batch);
                }
                Ok(Err(ending)) => return (Ok(ending), batch.into_hints()),
                Err(error) => return (Err(error), batch.into_hints()),
            }
        }
        (Ok(self.ending(held.filter(|held| held.undecided > 0).as_ref())), Hints::default())
    }

    /// Gives a batch back to be looked at later.
    fn put_off(&self, batch: HintBatch) {
        let postponed = self.company.postponed();
        let served = Served { again: batch.into_hints(), postponed, ..Served::default() };
        self.context.report.tell(&self.spec.run_id, served);
    }

    fn ending(&self, held: Option<&HoldResult>) -> Ending {
        if self.context.stop.is_final() {
            return Ending::cancelled(self.context.stop.why() == Some(Why::Stalled));
        }
        let had_problems = self.context.progress.problems.load(Relaxed) > 0;
        let outcome = match (held, had_problems) {
            (Some(_), _) => Outcome::Held,
            (None, true) => Outcome::Partial,
            (None, false) => Outcome::Completed,
        };
        let message = held.map(|held| outcome::say_held(&self.spec, held));
        Ending { outcome, class: None, message, vouches_from_ms: None }
    }

    fn serve(&self, batch: &HintBatch) -> Result<std::result::Result<(Served, Settled), Ending>> {
        let is_beside = self.company.is_shared();
        let lane = match is_beside {
            true => -1 - LANES.fetch_add(1, Relaxed) as i64,
            false => self.run.number,
        };
        let run = RunContext { lane, is_urgent: true, ..self.run.clone() };
        if !is_beside {
            // The batch before is written: the rows say where everything stands, and it may have moved again.
            self.company.forget_moved();
        }
        // The mount table and the root are looked at anew: a batch must not remove what lies on a disk that went away.
        let is_small = batch.polls.is_empty() && batch.places.len() <= PLACES_FOR_ONE;
        let part = Part {
            run,
            company: Arc::clone(&self.company),
            hinted: Some(Hinted::new(batch)),
            workers: if is_small { 1 } else { self.spec.workers },
        };
        let shared = match prepare(&self.spec, self.context, self.open, part)? {
            Ok(shared) => shared,
            Err(ending) => return Ok(Err(ending)),
        };
        // Whatever becomes of the batch: who waits for its directories must not wait for ever.
        let _given_back = GivenBack(&self.company);
        let mut again = Hints::default();
        let (mine, soon) = self.enter(batch, &shared)?;
        if mine.places.is_empty() && mine.polls.is_empty() && !soon.is_empty() {
            let postponed = self.company.postponed();
            return Ok(Ok((Served { soon, postponed, ..Served::default() }, Settled::default())));
        }
        let reader = self.company.reader(&self.context.index_path)?;
        let targets = hinted_targets(&shared, &reader, &mine)?;
        let (known, unknown): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|target| !is_beside || !target.path.is_empty() || target.known.is_some());
        if !unknown.is_empty() {
            // The run has not even written its root yet.
            again.merge(mine.into_hints());
        }
        shared.stack.begin(known.into_iter().map(Work::Directory).collect(), None);
        run_round(&shared, shared.workers);
        let result = outcome::first_error(&shared)
            .and_then(|()| self.look_at_other_names(&shared, &reader, &mut again))
            .and_then(|()| settle(&shared));
        self.company.keep_reader(reader);
        if !matches!(&result, Ok(settled) if settled.held.is_none()) {
            // What was parked and not removed would be settled once more with the next batch of this lane.
            self.context.writer.forget_lane(&shared.run)?;
        }
        let mut settled = result?;
        outcome::first_error(&shared)?;
        if let Some(hinted) = &shared.hinted {
            again.merge(hinted.take_deferred());
        }
        // Beside a run that may have found something too, nobody is made to wait for the count.
        let has_changed = is_beside || {
            let found = self.context.writer.findings(&shared.run)?;
            self.findings.swap(found, Relaxed) != found
        };
        let postponed = self.company.postponed();
        let withheld = std::mem::take(&mut settled.withheld);
        Ok(Ok((Served { again, soon, withheld, has_changed, postponed }, settled)))
    }
}

impl Server<'_> {
    /// Takes the places of a batch that no worker of the run beside has in its hands, and returns them and the others.
    fn enter(&self, batch: &HintBatch, shared: &Shared) -> Result<(HintBatch, Hints)> {
        let mut written = 0;
        let mut enter = |(directory, _): &(Vec<u8>, Look)| {
            let entered = self.company.enter_for_hint(directory);
            written = written.max(entered.unwrap_or_default());
            entered.is_some()
        };
        let (mut places, mut taken): (Vec<_>, Vec<_>) = batch.places.iter().cloned().partition(&mut enter);
        if places.is_empty() && !taken.is_empty() && batch.polls.is_empty() {
            self.company.wait_for_run();
            (places, taken) = taken.into_iter().partition(&mut enter);
        }
        shared.wait_until_written(written)?;
        let soon = HintBatch { places: taken, ..HintBatch::default() }.into_hints();
        Ok((HintBatch { places, ..batch.clone() }, soon))
    }

    /// Looks at the other names of changed files that have several.
    fn look_at_other_names(&self, shared: &Arc<Shared>, reader: &Reader, again: &mut Hints) -> Result<()> {
        let inodes = shared.linked.take_changed();
        if inodes.is_empty() {
            return Ok(());
        }
        let mut hints = Hints::default();
        let places = reader.places_of_inodes(self.run.repository, &inodes)?;
        for (directory, name) in places.into_iter().filter(|place| !shared.linked.is_missing(place)) {
            match self.company.enter_for_hint(&directory) {
                Some(written) => {
                    shared.wait_until_written(written)?;
                    hints.name(&directory, &name, true);
                }
                None => again.name(&directory, &name, true),
            }
        }
        if let Some(why) = hints.why_everything() {
            again.everything(why);
        }
        let places = hints.into_places().into_iter().map(|(directory, place)| (directory, place.look)).collect();
        let targets = hinted_targets(shared, reader, &HintBatch { places, ..HintBatch::default() })?;
        shared.stack.begin(targets.into_iter().map(Work::Directory).collect(), None);
        run_round(shared, 1);
        outcome::first_error(shared)
    }
}

/// Gives the directories of a batch back when it is over, also by an error or a panic.
struct GivenBack<'a>(&'a Company);

impl Drop for GivenBack<'_> {
    fn drop(&mut self) {
        self.0.leave_hints();
    }
}

/// Serves hints beside a run while `work` does the run itself; returns its answer and what is left to be looked at.
pub(super) fn beside<T>(server: &Server<'_>, inbox: Option<&Inbox>, work: impl FnOnce() -> T) -> (T, Hints) {
    let Some(inbox) = inbox else { return (work(), Hints::default()) };
    std::thread::scope(|scope| {
        let serving = std::thread::Builder::new().name("hints".to_owned()).spawn_scoped(scope, || {
            let (ended, left) = server.serve_all(inbox);
            if let Err(error) = ended {
                tracing::warn!(%error, "hints can no longer be served beside the run");
            }
            left
        });
        let answer = work();
        inbox.close();
        let mut left = match serving.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(left)) => left,
            // A panic there has been logged; without the thread nothing was taken.
            Ok(Err(_)) | Err(_) => Hints::default(),
        };
        if let Some(batch) = inbox.take_left() {
            left.merge(batch.into_hints());
        }
        left.merge(server.company.take_postponed());
        (answer, left)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Look {
        Look::Names(list.iter().map(|name| (name.as_bytes().to_vec(), true)).collect())
    }

    #[test]
    fn a_batch_that_nobody_took_becomes_hints_again() {
        let inbox = Inbox::default();
        inbox.put(HintBatch {
            places: vec![(b"a".to_vec(), names(&["f"])), (b"b".to_vec(), Look::Listing)],
            ..HintBatch::default()
        });
        inbox.close();
        assert_eq!(inbox.take(), None);
        let left = inbox.take_left().unwrap().into_hints().into_places();
        assert_eq!((left[&b"a"[..]].look.clone(), left[&b"b"[..]].look.clone()), (names(&["f"]), Look::Listing));
    }
}
