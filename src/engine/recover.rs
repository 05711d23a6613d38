//! What an engine finds when it starts: index and journal are brought to say the same before anything else happens.
//!
//! | found | done |
//! | --- | --- |
//! | no index, or a damaged one, beside a journal | what is left of it to `quarantine/`, a new one, replayed |
//! | a file that is not ours, or of a newer program | refused, every byte as it was |
//! | a restore that was cut off | carried on; and after every one everything is looked at |
//! | an older schema | backed up, then upgraded |
//! | a run, or its end, only in the journal | put into the index, which has gone back in time: everything is looked at again |
//! | a run only in the index | written into the journal |
//! | a row that differs, or whose sum does | the journal wins, the old row goes to `run_conflicts` |
//! | a start without an end | `interrupted`, in both |
//! | a repository that differs, or is only in the journal | the journal wins: what was never told to it was never acknowledged |
//! | a run that is another one in each | the journal is of another history: set aside, and written anew from the index |
//! | damage inside the journal, a file of it, or its last lines, missing | all of it set aside and written anew, from both |

use std::collections::BTreeMap;
use std::path::Path;

use super::ledger::{DIFFERED, Ledger, journal_failed};
use super::start::EngineError;
use super::{backup, restore};
use crate::config::Config;
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::domain::report::Run;
use crate::domain::run::Outcome;
use crate::index::{CUT_OFF, IndexError, Reader, Replay, Result, Seal, Writer};
use crate::journal::{
    Astray, Book, DIRECTORY, Difference, Event, Extent, Floor, Journal, Reading, Row, Written, clash, compare,
    compare_repositories, read, row_sum, set_aside,
};

/// The three files of a database: none of them is worth anything without the others.
pub(super) const INDEX_FILES: [&str; 3] = ["index.db", "index.db-wal", "index.db-shm"];

/// Both, saying the same.
pub(super) struct Recovered {
    pub writer: Writer,
    pub ledger: Ledger,
    /// The index is older than its history: everything is to be looked at.
    pub has_gone_back: bool,
}

/// Opens both, whatever an earlier process or a person has left. After one that was cut off all of both is looked at.
///
/// # Errors
/// When the index is not ours, or one of them can be neither used nor made anew.
pub(super) fn open(
    directory: &Path,
    config: &Config,
    was_cut_off: bool,
    at: Timestamp,
) -> std::result::Result<Recovered, EngineError> {
    let was_restored = restore::carry_on(directory, at)?;
    let has_journal = crate::journal::exists(directory);
    let len = |name: &str| std::fs::symlink_metadata(directory.join(name)).ok().map(|found| found.len());
    let wal_bytes = len("index.db-wal").unwrap_or(0);
    let batch_size = config.sync.batch_size;
    let lost = if len("index.db").unwrap_or(0) == 0 && (has_journal || wal_bytes > 0) {
        "the index was missing".to_owned()
    } else {
        let is_unclean = was_cut_off || was_restored || wal_bytes > 0;
        let upgradable = backup::before_upgrade(directory, config.backup.keep, at);
        match upgradable
            .and_then(|()| try_open(directory, batch_size, at, Past { is_unclean, was_restored, rebuilt: None }))
        {
            Err(error) if has_journal && is_damage(&error) => format!("the index was damaged ({error})"),
            other => return Ok(other?),
        }
    };
    let place = match INDEX_FILES.iter().any(|name| len(name).is_some()) {
        true => Some(set_aside(directory, &INDEX_FILES, at)?),
        false => None,
    };
    let reason = has_journal.then(|| format!("{lost}; it was made anew from the journal"));
    if let Some(reason) = &reason {
        tracing::error!(set_aside = ?place, "{reason}");
    }
    Ok(try_open(directory, batch_size, at, Past { is_unclean: false, was_restored, rebuilt: reason })?)
}

/// What is known of both before they are opened.
struct Past {
    is_unclean: bool,
    was_restored: bool,
    /// Why a new index is filled from the journal.
    rebuilt: Option<String>,
}

fn is_damage(error: &IndexError) -> bool {
    error.class() == Class::DatabaseCorrupt && !matches!(error, IndexError::Foreign(_) | IndexError::Newer { .. })
}

fn try_open(directory: &Path, batch_size: usize, at: Timestamp, past: Past) -> Result<Recovered> {
    let Past { is_unclean, was_restored, rebuilt } = past;
    let index_path = directory.join("index.db");
    let writer = Writer::open(&index_path, batch_size)?;
    let reader = Reader::open(&index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    if let Some(found) = if is_unclean { reader.quick_check()? } else { None } {
        return Err(IndexError::Stopped { class: Class::DatabaseCorrupt, message: found });
    }
    let (seq, number) = reader.journal_mark()?;
    let extent = if is_unclean || rebuilt.is_some() { Extent::All } else { Extent::Last };
    let opened = Journal::open(directory, extent, Floor { seq, number }, at);
    let (mut journal, reading) = opened.map_err(journal_failed)?;
    let Compared { reading, extent, mut differences, mut astray } =
        compare_both(directory, &reader, reading, extent, seq)?;
    if let Some(number) = clash(&differences) {
        set_foreign_aside(directory, &writer, number, at)?;
        drop((journal, reader, writer));
        return try_open(directory, batch_size, at, Past { is_unclean: true, was_restored, rebuilt });
    }
    // A journal that has lost lines does not know better.
    let is_complete = reading.is_whole() && reading.segments > 0;
    astray.retain(|found| is_complete && found.is_behind());
    let is_behind = differences.iter().any(Difference::is_behind) || !astray.is_empty();
    let has_gone_back = was_restored || rebuilt.is_some() || is_behind;
    if has_gone_back {
        restore_repositories(&writer, &reader, &reading.book)?;
        differences = self::differences(&reader, &reading, extent)?;
    }
    note(&writer, &differences, &astray, &reading, seq, rebuilt, at)?;
    settle(&writer, |events| journal.append(at, events).map_err(journal_failed), differences, at)?;
    if has_gone_back {
        // The next run of any kind lists everything, also when this process does not live to ask for one.
        reader.definitions()?.iter().try_for_each(|definition| writer.make_directories_due(definition.id))?;
    }
    if was_restored {
        tracing::warn!("index and journal were restored from a backup; everything is compared with the trees");
        restore::forget(directory).map_err(|error| IndexError::broken(&error.to_string()))?;
    }
    if !reading.is_whole() {
        let alive: Vec<Event> = reader.sealed_runs(None)?.into_iter().map(|(run, _)| Event::Backfill(run)).collect();
        journal.renew(at, &alive).map_err(journal_failed)?;
    }
    let ledger = Ledger::new(journal, writer.clone(), directory);
    ledger.note_repositories(at)?;
    Ok(Recovered { writer, ledger, has_gone_back })
}

/// The two beside each other, and how much of the journal that took.
struct Compared {
    reading: Reading,
    extent: Extent,
    differences: Vec<Difference>,
    astray: Vec<Astray>,
}

/// Compares the two; all of them where a first look, at the end of the journal, gives a reason to. The index knows of a
/// line `seq`.
fn compare_both(
    directory: &Path,
    reader: &Reader,
    mut reading: Reading,
    mut extent: Extent,
    seq: u64,
) -> Result<Compared> {
    loop {
        reading.expect(seq);
        let differences = differences(reader, &reading, extent)?;
        let astray = compare_repositories(&reading.book, &reader.definitions()?);
        let is_fine = differences.is_empty() && astray.is_empty() && reading.is_whole();
        if is_fine || extent == Extent::All {
            return Ok(Compared { reading, extent, differences, astray });
        }
        extent = Extent::All;
        reading = read(directory, extent).map_err(journal_failed)?;
    }
}

/// Sets a journal aside that tells of another history: there `number` is another run.
fn set_foreign_aside(directory: &Path, writer: &Writer, number: i64, at: Timestamp) -> Result<()> {
    let place = set_aside(directory, &[DIRECTORY], at).map_err(journal_failed)?;
    let reason = format!("the journal was not of this index: run {number} is another one there; it was written anew");
    tracing::error!(set_aside = ?place, "{reason}");
    writer.note_conflict(at, reason)
}

/// Compares the two. Where only the last file was read, only with what it is about.
pub(super) fn differences(reader: &Reader, reading: &Reading, extent: Extent) -> Result<Vec<Difference>> {
    let from = (extent == Extent::Last).then_some(reading.first_seq);
    let rows = reader.sealed_runs(from)?.into_iter();
    let mut rows: BTreeMap<String, Row> = rows.map(|row| (row.0.run_id.clone(), row)).collect();
    if extent == Extent::Last {
        for run_id in reading.book.runs.keys() {
            if !rows.contains_key(run_id) {
                rows.extend(reader.sealed_run(run_id)?.map(|row| (run_id.clone(), row)));
            }
        }
    }
    Ok(compare(&reading.book, &rows))
}

/// Gives an index that has gone back in time the repositories that the journal knows.
fn restore_repositories(writer: &Writer, reader: &Reader, book: &Book) -> Result<()> {
    let there = reader.definitions()?;
    for definition in &there {
        let is_same = |known: &crate::domain::report::Definition| known.created_at == definition.created_at;
        let known = book.repositories.get(&definition.id).map(|(known, _)| known);
        if book.gone_repositories.contains(&definition.id) || known.is_some_and(|known| !is_same(known)) {
            writer.remove_repository(definition.id)?;
        }
    }
    let definitions = book.repositories.values().map(|(definition, _)| definition);
    let missing: Vec<_> = definitions.filter(|definition| !there.contains(definition)).cloned().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => writer.restore_repositories(missing),
    }
}

/// Writes down, for `doctor`, what should not have happened. That a process was killed is no such thing.
fn note(
    writer: &Writer,
    differences: &[Difference],
    astray: &[Astray],
    reading: &Reading,
    known_seq: u64,
    rebuilt: Option<String>,
    at: Timestamp,
) -> Result<()> {
    let count = |wanted: fn(&Difference) -> bool| differences.iter().filter(|difference| wanted(difference)).count();
    let lost = count(|difference| matches!(difference, Difference::OnlyJournal(_) | Difference::Gone(_)));
    let mut notes: Vec<String> = rebuilt.iter().cloned().collect();
    if lost > 0 && rebuilt.is_none() {
        notes.push(format!("the index was older than the journal by {lost} runs, which were put back"));
    }
    if rebuilt.is_none() {
        notes.extend(astray.iter().map(|found| format!("{found}; it was put right")));
    }
    let unknown = count(|difference| matches!(difference, Difference::OnlyIndex(_)));
    if unknown > 0 && known_seq > 0 {
        notes.push(format!("the journal did not have {unknown} runs, which were written anew from the index"));
    }
    let faults: Vec<String> = reading.faults.iter().take(5).map(ToString::to_string).collect();
    if !reading.is_whole() {
        notes.push(format!("the journal was damaged ({}); it was set aside and written anew", faults.join("; ")));
    }
    for note in notes {
        tracing::warn!("{note}");
        writer.note_conflict(at, note)?;
    }
    Ok(())
}

/// Brings both to say the same, run by run. `append` writes into the journal.
pub(super) fn settle(
    writer: &Writer,
    append: impl FnOnce(&[Event]) -> Result<Vec<Written>>,
    differences: Vec<Difference>,
    at: Timestamp,
) -> Result<()> {
    let (mut rows, mut events, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for difference in differences {
        match difference {
            Difference::OnlyJournal(entry) | Difference::Unended(entry) => {
                rows.push(replay(entry.run, entry.seq, None))
            }
            Difference::Other(entry) => rows.push(replay(entry.run, entry.seq, Some(DIFFERED))),
            Difference::OnlyIndex(run) => events.push(Event::Backfill(run)),
            Difference::Gone(run) => gone.push(run.number),
            Difference::Open(run) => {
                events.push(Event::Interrupted(cut_off(run)));
            }
        }
    }
    let cut_off: Vec<i64> = events
        .iter()
        .filter_map(|event| matches!(event, Event::Interrupted(_)).then(|| event.run().map(|run| run.number))?)
        .collect();
    if !cut_off.is_empty() {
        tracing::warn!(runs = ?cut_off, "runs of an earlier process were cut off");
    }
    let written = append(&events)?;
    let told = events.iter().zip(written).filter_map(|(event, written)| Some((event.run()?.clone(), written.seq)));
    rows.extend(told.map(|(run, seq)| replay(run, seq, None)));
    rows.sort_by_key(|row| row.run.number);
    if !gone.is_empty() {
        writer.forget_runs(&gone)?;
    }
    match rows.is_empty() {
        true => Ok(()),
        false => writer.replay(rows, at),
    }
}

fn replay(run: Run, journal_seq: u64, reason: Option<&'static str>) -> Replay {
    let row_sum = row_sum(&run);
    Replay { run, seal: Seal { journal_seq, row_sum }, reason }
}

/// Nobody knows when it ended, nor how long it took.
fn cut_off(run: Run) -> Run {
    Run { outcome: Some(Outcome::Interrupted), error_message: Some(CUT_OFF.to_owned()), ..run }
}
