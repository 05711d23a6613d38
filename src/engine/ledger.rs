//! A run's way into both, the journal and the index: first there, then here, then looked at again (invariant 10).
//!
//! The journal is written on the writer's thread, inside the transaction that it goes before: so the two cannot tell of
//! runs in another order, and a row that was counted cannot change between them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::recover::{self, settle};
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::domain::report::Run;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Outcome;
use crate::index::{CloseRun, IndexError, NewRun, Reader, Replay, Result, Retention, RunContext, Seal, Writer};
use crate::journal::{Difference, Event, Extent, Journal, JournalError, Written, read, row_sum};

/// What is kept of a row that was not what the journal says, as a reason.
pub(super) const DIFFERED: &str = "the row was not what the journal says; the journal's was put in its place";

/// Writes runs into both. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    journal: Arc<Mutex<Journal>>,
    writer: Writer,
    directory: PathBuf,
}

/// The line that a row was written to, for who looks at it afterwards.
type Last = Arc<Mutex<Option<(Event, Written)>>>;

pub(super) fn journal_failed(error: JournalError) -> IndexError {
    let class = if error.is_full() { Class::DeviceFull } else { Class::Io };
    IndexError::Stopped { class, message: error.to_string() }
}

impl Ledger {
    pub(super) fn new(journal: Journal, writer: Writer, directory: &Path) -> Ledger {
        Ledger { journal: Arc::new(Mutex::new(journal)), writer, directory: directory.to_owned() }
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no one panics while holding this lock")
    }

    fn reader(&self) -> Result<Reader> {
        Reader::open(&self.directory.join("index.db"))?.ok_or_else(|| IndexError::broken("the index file has gone"))
    }

    /// Writes a line of a row, and returns the row's seal.
    fn record(&self, last: &Last, at: Timestamp, event: Event) -> Result<Option<Seal>> {
        let written = self.journal().append(at, std::slice::from_ref(&event)).map_err(journal_failed)?;
        let seal = match (event.run(), written.last()) {
            (Some(run), Some(written)) => Some(Seal { journal_seq: written.seq, row_sum: row_sum(run) }),
            _ => None,
        };
        let mut last = last.lock().expect("no one panics while holding this lock");
        *last = written.last().map(|written| (event, *written));
        Ok(seal)
    }

    /// Writes the start of a run into both, before any of its work.
    ///
    /// # Errors
    /// When one of them cannot be written. Where the journal has the start by then, it gets an end, too.
    pub fn open_run(&self, new: NewRun) -> Result<RunContext> {
        let (at, last, theirs) = (Timestamp(new.started_ms), Last::default(), self.clone());
        let begun = Arc::clone(&last);
        let opened = self.writer.open_run(new, move |run| {
            run.number = run.number.max(theirs.journal().next_number());
            theirs.record(&begun, at, Event::Start(run.clone()))
        });
        if let (Err(error), Some((Event::Start(run), _))) = (&opened, take(&last)) {
            self.fail(run, error);
        }
        opened
    }

    /// Writes the end of a run that the index could not even begin. It has nothing else, so the index may follow later.
    fn fail(&self, run: Run, error: &IndexError) {
        let at = super::clock::wall();
        let run = Run {
            outcome: Some(Outcome::Failed),
            ended_at: Some(at),
            duration_ms: Some(at.since_ms(run.started_at)),
            error_class: Some(error.class().as_str().to_owned()),
            error_message: Some(error.to_string()),
            ..run
        };
        let written = self.record(&Last::default(), at, Event::Finish(run.clone()));
        let followed = written.and_then(|seal| {
            let rows = seal.map(|seal| Replay { run, seal, reason: None });
            self.writer.replay(rows.into_iter().collect(), at)
        });
        if let Err(error) = followed {
            tracing::warn!(%error, "a run that could not begin is not in the index; the next start puts it there");
        }
    }

    /// Writes the end of a run into both and looks at what stands there. A plan's end stands nowhere.
    ///
    /// # Errors
    /// When one of them cannot be written, or does not hold it: then the run must not be acknowledged.
    pub fn close_run(&self, context: &RunContext, close: CloseRun) -> Result<Run> {
        let (last, record) = self.finish(close.ended_ms);
        let run = self.writer.close_run(context, close, record)?;
        self.look_again(&run, &last)?;
        Ok(run)
    }

    /// As [`Ledger::close_run`], for a run whose threads hang: what they may still send is refused.
    ///
    /// # Errors
    /// As for [`Ledger::close_run`].
    pub fn abandon_run(&self, context: &RunContext, close: CloseRun) -> Result<Run> {
        let (last, record) = self.finish(close.ended_ms);
        let run = self.writer.abandon_run(context, close, record)?;
        self.look_again(&run, &last)?;
        Ok(run)
    }

    fn finish(&self, ended_ms: i64) -> (Last, impl FnMut(&mut Run) -> Result<Option<Seal>> + Send + 'static) {
        let (last, theirs) = (Last::default(), self.clone());
        let written = Arc::clone(&last);
        let record = move |run: &mut Run| theirs.record(&written, Timestamp(ended_ms), Event::Finish(run.clone()));
        (last, record)
    }

    /// Reads both back, by a connection and a descriptor of their own, and puts right what is not as it was written.
    fn look_again(&self, run: &Run, last: &Last) -> Result<()> {
        let Some((event, written)) = take(last) else { return Ok(()) };
        let sum = row_sum(run);
        let stands =
            || -> Result<bool> { Ok(self.reader()?.sealed_run(&run.run_id)? == Some((run.clone(), Some(sum)))) };
        let at = super::clock::wall();
        if !self.journal().holds(written, &event) {
            tracing::error!(run = run.number, "the journal does not hold what was written; it is written again");
            self.writer.note_conflict(at, format!("the journal had lost the end of run {}", run.number))?;
            self.journal().append(at, &[Event::Backfill(run.clone())]).map_err(journal_failed)?;
        }
        if stands()? {
            return self.note_repositories(at);
        }
        tracing::error!(run = run.number, "the index does not hold what was written; it is written again");
        let seal = Seal { journal_seq: written.seq, row_sum: sum };
        self.writer.replay(vec![Replay { run: run.clone(), seal, reason: Some(DIFFERED) }], at)?;
        match stands()? {
            true => Ok(()),
            false => Err(IndexError::Stopped {
                class: Class::DatabaseCorrupt,
                message: "it does not hold the end of a run; was the file replaced? Start watchkeeper anew".to_owned(),
            }),
        }
    }

    /// Writes down the repositories that are other than the journal knows them.
    ///
    /// # Errors
    /// When the index cannot be read or the journal not written.
    pub fn note_repositories(&self, at: Timestamp) -> Result<()> {
        let mut journal = self.journal();
        let definitions = self.reader()?.definitions()?;
        let known = &journal.book().repositories;
        let is_new = |id: &RepositoryId| definitions.iter().all(|definition| definition.id != *id);
        let mut events: Vec<Event> = known.keys().copied().filter(is_new).map(Event::Gone).collect();
        let is_other = |definition: &&crate::domain::report::Definition| {
            known.get(&definition.id).map(|(d, _)| d) != Some(definition)
        };
        events.extend(definitions.iter().filter(is_other).cloned().map(Event::Repository));
        if !events.is_empty() {
            journal.append(at, &events).map_err(journal_failed)?;
        }
        Ok(())
    }

    /// Writes down that a repository goes, before it does: a removal that is cut off is then carried on.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn note_removal(&self, id: RepositoryId, at: Timestamp) -> Result<()> {
        self.journal().append(at, &[Event::Gone(id)]).map(drop).map_err(journal_failed)
    }

    /// Does one small step of retention in both. Returns whether a whole pass has ended.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn retire(&self, rules: Retention, now: Timestamp) -> Result<bool> {
        let theirs = self.clone();
        let has_ended = self.writer.retire(rules, now, move |run, gone| {
            let event = match run {
                Some(run) => Event::Fold(run, gone),
                None => Event::Forget(gone),
            };
            theirs.record(&Last::default(), now, event)
        })?;
        if has_ended {
            self.journal().tidy(now).map_err(journal_failed)?;
            self.look_over(now)?;
        }
        Ok(has_ended)
    }

    /// Compares all of both, as a start does only when it has a reason to, and puts right what differs in two looks: what is
    /// on its way from one to the other has mostly arrived by the second, and is written twice otherwise, which is no harm.
    fn look_over(&self, now: Timestamp) -> Result<()> {
        if let Some(fault) = read(&self.directory, Extent::All).map_err(journal_failed)?.damage() {
            self.renew(&fault.to_string(), now)?;
        }
        let first = self.differences()?;
        if first.is_empty() {
            return Ok(());
        }
        let mut stays = self.differences()?;
        stays.retain(|difference| first.contains(difference));
        for difference in &stays {
            tracing::error!("{difference}; it is put right");
        }
        settle(&self.writer, |events| self.journal().append(now, events).map_err(journal_failed), stays, now)
    }

    /// Writes a damaged journal anew from the index. A run that ends meanwhile looks for its line, and writes it again.
    fn renew(&self, fault: &str, now: Timestamp) -> Result<()> {
        let reason = format!("the journal was damaged ({fault}); it was set aside and written anew");
        tracing::error!("{reason}");
        self.writer.note_conflict(now, reason)?;
        let mut journal = self.journal();
        let alive: Vec<Event> =
            self.reader()?.sealed_runs(None)?.into_iter().map(|(run, _)| Event::Backfill(run)).collect();
        journal.renew(now, &alive).map_err(journal_failed)
    }

    /// Returns what does not agree, but for what runs. The journal is read first: what is newer in the index is on its way.
    fn differences(&self) -> Result<Vec<Difference>> {
        let reading = read(&self.directory, Extent::All).map_err(journal_failed)?;
        let mut differences = recover::differences(&self.reader()?, &reading, Extent::All)?;
        let is_newer = |run: &Run| run.number > reading.book.last_number;
        differences.retain(|found| !matches!(found, Difference::Open(_)) && !is_newer(found.run()));
        Ok(differences)
    }
}

fn take(last: &Last) -> Option<(Event, Written)> {
    last.lock().expect("no one panics while holding this lock").take()
}

#[cfg(test)]
mod tests;
