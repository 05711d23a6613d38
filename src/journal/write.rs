//! The one who writes: opens what an earlier process left, adds lines, begins new files, lets old ones go.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::book::Book;
use super::line::{Hash, decode, encode};
use super::read::{Extent, Part, Reading, path_of, read, segments};
use super::record::{Event, Head};
use super::segment::{Failure, Segment, make_directory, sync_directory};
use super::{DIRECTORY, JournalError, QUARANTINE, Result};
use crate::domain::moment::Timestamp;

/// A new file begins after so much. Small, as each start reads the last one.
const ROTATE_AT: u64 = 1 << 20;
/// So many lines are written at once.
const LINES_AT_ONCE: usize = 500;
/// An old file goes when less than this share of its lines still counts; they are written anew.
const WORTH_KEEPING: u64 = 8;

/// From where numbers go on, as the index knows it: a journal that is gone must not use them again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    pub seq: u64,
    pub number: i64,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub seq: u64,
    segment: u32,
    offset: u64,
}

/// The journal, open for writing. One per data directory, under the engine's lock.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    /// `None`: the last one must not be written to any more.
    segment: Option<Segment>,
    next_segment: u32,
    seq: u64,
    hash: Hash,
    /// What the next file begins with.
    book: Book,
}

/// Tells whether there is a journal in a data directory.
pub fn exists(directory: &Path) -> bool {
    segments(directory).is_ok_and(|numbers| !numbers.is_empty())
}

/// Writes one file of a journal that was copied ([`super::copy`]) into the journal of `directory`, which has none of this
/// number. On the disk when this returns, but for its entry.
///
/// # Errors
/// When it cannot be written.
pub fn write_copy(directory: &Path, segment: u32, lines: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path_of(directory, segment))?;
    file.write_all(lines)?;
    file.sync_all()
}

/// Moves files into a directory of their own below `quarantine/`; those that are not there are passed over.
///
/// # Errors
/// When one cannot be moved; then those that were are moved back.
pub fn set_aside(directory: &Path, names: &[&str], at: Timestamp) -> Result<PathBuf> {
    let place = quarantine(directory, at)?;
    let mut moved = Vec::new();
    for name in names {
        let (from, to) = (directory.join(name), place.join(Path::new(name).file_name().unwrap_or_default()));
        match std::fs::rename(&from, &to) {
            Ok(()) => moved.push((from, to)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                for (from, to) in moved.into_iter().rev() {
                    // What cannot be moved back either lies in quarantine, and is not lost.
                    let _back = std::fs::rename(to, from);
                }
                return Err(JournalError { path: from, source });
            }
        }
    }
    sync_directory(&place)?;
    sync_directory(directory)?;
    Ok(place)
}

/// Makes a new directory below `quarantine/`, named by the moment.
fn quarantine(directory: &Path, at: Timestamp) -> Result<PathBuf> {
    let all = directory.join(QUARANTINE);
    make_directory(&all)?;
    let base = at.rfc3339().replace(':', "-");
    let free = (1..).map(|number: u32| all.join(if number == 1 { base.clone() } else { format!("{base}-{number}") }));
    let place = free.into_iter().find(|place| !place.exists()).expect("there are more numbers than directories");
    make_directory(&place)?;
    Ok(place)
}

impl Journal {
    /// Opens the journal in a data directory, or makes one; what is torn at its end is set aside and cut off.
    ///
    /// # Errors
    /// When files cannot be read, or a first one cannot be made.
    pub fn open(directory: &Path, mut extent: Extent, floor: Floor, at: Timestamp) -> Result<(Journal, Reading)> {
        make_directory(&directory.join(DIRECTORY))?;
        let mut reading = read(directory, extent)?;
        let begins_well = |part: &Part| part.begins_well && !part.is_damaged;
        let tells_all = || Ok(reading.parts.last().is_none_or(begins_well) && reading.goes_on(directory)?);
        if extent == Extent::Last && !tells_all()? {
            // It does not tell what came before it, or that is not what it was written after.
            extent = Extent::All;
            reading = read(directory, extent)?;
        }
        let last = reading.parts.last().cloned();
        let mut next_segment = last.as_ref().map_or(1, |part| part.number + 1);
        if let Some(part) = last.as_ref().filter(|part| part.good_bytes < part.bytes || part.lines == 0) {
            set_tail_aside(directory, part, at)?;
            next_segment -= u32::from(part.lines == 0);
        }
        // After damage, or when the index knows of later lines, a file of its own keeps what follows clean.
        let is_behind = reading.last_seq < floor.seq;
        let mut segment = None;
        if let Some(part) = last.as_ref().filter(|part| part.lines > 0) {
            let resumed = Segment::resume(path_of(directory, part.number), part.number, part.good_bytes)?;
            segment = Some(resumed).filter(|_| begins_well(part) && !is_behind);
        }
        let mut journal = Journal {
            directory: directory.to_owned(),
            segment,
            next_segment,
            seq: reading.last_seq.max(floor.seq),
            hash: if is_behind { Hash::default() } else { reading.last_hash },
            book: Book::default(),
        };
        journal.book.last_number = reading.book.last_number.max(floor.number);
        journal.book.repositories.clone_from(&reading.book.repositories);
        journal.book.kept_from = reading.book.kept_from;
        if reading.segments == 0 {
            // What came before is gone; the index has it.
            journal.book.kept_from = floor.seq + 1;
        }
        if journal.segment.is_none() {
            journal.begin_segment(at)?;
        }
        Ok((journal, reading))
    }

    /// Returns the number that the next run may have.
    pub fn next_number(&self) -> i64 {
        self.book.last_number + 1
    }

    /// Returns the repositories as the journal knows them.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Adds lines and returns where each of them is. On the disk when this returns.
    ///
    /// # Errors
    /// When they could not be written or synced; then none of the last five hundred counts.
    pub fn append(&mut self, at: Timestamp, events: &[Event]) -> Result<Vec<Written>> {
        let mut all = Vec::with_capacity(events.len());
        for some in events.chunks(LINES_AT_ONCE) {
            let is_due = self.segment.as_ref().is_none_or(|segment| segment.bytes >= ROTATE_AT);
            if is_due {
                match self.begin_segment(at) {
                    // A full disk takes no new file, but what was reserved in the old one.
                    Err(error) if self.segment.is_some() && error.is_full() => {}
                    other => other?,
                }
            }
            let written = match self.write(at, some) {
                Ok(written) => written,
                Err(Failure::Write(error)) => return Err(error),
                Err(Failure::Lost(error)) => {
                    tracing::error!(%error, "the journal goes on in a new file");
                    self.segment = None;
                    self.begin_segment(at)?;
                    self.write(at, some).map_err(|failure| {
                        // Its head counts; what comes next goes on from there, in yet another file.
                        self.segment = None;
                        failure.into_error()
                    })?
                }
            };
            all.extend(written);
        }
        Ok(all)
    }

    /// Reads a line back from its file and tells whether it says this.
    pub fn holds(&self, written: Written, event: &Event) -> bool {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; 128 << 10];
        let read = std::fs::File::open(path_of(&self.directory, written.segment))
            .and_then(|file| file.read_at(&mut bytes, written.offset));
        let line = read.ok().and_then(|read| decode(bytes[..read].split(|byte| *byte == b'\n').next()?));
        line.is_some_and(|line| line.seq == written.seq && line.event.as_ref() == Some(event))
    }

    fn write(&mut self, at: Timestamp, events: &[Event]) -> std::result::Result<Vec<Written>, Failure> {
        let Some(segment) = self.segment.as_mut() else {
            let source = std::io::Error::other("no file can be written to");
            return Err(Failure::Write(JournalError { path: self.directory.join(DIRECTORY), source }));
        };
        let (mut seq, mut hash, mut bytes, mut all) = (self.seq, self.hash, Vec::new(), Vec::new());
        for event in events {
            seq += 1;
            all.push(Written { seq, segment: segment.number, offset: segment.bytes + bytes.len() as u64 });
            hash = encode(seq, at, event, hash, &mut bytes);
        }
        segment.append(&bytes)?;
        (self.seq, self.hash) = (seq, hash);
        for (event, written) in events.iter().zip(&all) {
            if matches!(event, Event::Repository(_) | Event::Gone(_)) {
                self.book.take(written.seq, event.clone());
            }
            self.book.last_number = self.book.last_number.max(event.run().map_or(0, |run| run.number));
        }
        Ok(all)
    }

    /// Begins a file; if that fails, it was never there.
    fn begin_segment(&mut self, at: Timestamp) -> Result<()> {
        let path = path_of(&self.directory, self.next_segment);
        let before = (self.segment.take(), self.seq, self.hash);
        let made = Segment::create(path, self.next_segment).and_then(|segment| {
            self.segment = Some(segment);
            let head = Head {
                repositories: self.book.repositories.values().map(|(definition, _)| definition.clone()).collect(),
                last_number: self.book.last_number,
                kept_from: self.book.kept_from,
            };
            self.write(at, &[Event::Segment(head)]).map_err(Failure::into_error)?;
            sync_directory(&self.directory.join(DIRECTORY))
        });
        match made {
            Ok(()) => self.next_segment += 1,
            Err(error) => {
                if let Some(segment) = self.segment.take() {
                    // Nothing in it was acknowledged. If it stays, the next number is free.
                    let _removed = std::fs::remove_file(&segment.path);
                    self.next_segment += u32::from(segment.path.exists());
                }
                (self.segment, self.seq, self.hash) = before;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Lets old files go whose runs are gone; the few that still count are written anew first.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn tidy(&mut self, at: Timestamp) -> Result<()> {
        if segments(&self.directory)?.len() < 2 {
            return Ok(());
        }
        let reading = read(&self.directory, Extent::All)?;
        let (mut going, mut alive) = (Vec::new(), Vec::new());
        for (part, next) in reading.parts.iter().zip(reading.parts.iter().skip(1)) {
            let counts = |seq: u64| (part.first_seq..=part.last_seq).contains(&seq);
            let here = || reading.book.runs.values().filter(|entry| counts(entry.seq));
            if here().count() as u64 * WORTH_KEEPING > part.lines {
                break;
            }
            alive.extend(here().map(|entry| Event::Backfill(entry.run.clone())));
            self.book.kept_from = next.first_seq;
            going.push(part);
        }
        if going.is_empty() {
            return Ok(());
        }
        // Its head says from where on lines are kept.
        self.begin_segment(at)?;
        self.append(at, &alive)?;
        for part in going {
            let path = path_of(&self.directory, part.number);
            match part.is_damaged {
                true => drop(set_aside(&self.directory, &[&name_of(part.number)], at)?),
                false => std::fs::remove_file(&path).map_err(JournalError::at(&path))?,
            }
        }
        sync_directory(&self.directory.join(DIRECTORY))
    }

    /// Writes everything anew and moves all files aside that were there: what was damaged is whole again.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn renew(&mut self, at: Timestamp, alive: &[Event]) -> Result<()> {
        let before: Vec<String> = segments(&self.directory)?.into_iter().map(name_of).collect();
        self.book.kept_from = self.seq + 1;
        self.begin_segment(at)?;
        self.append(at, alive)?;
        let names: Vec<&str> = before.iter().map(String::as_str).collect();
        set_aside(&self.directory, &names, at)?;
        sync_directory(&self.directory.join(DIRECTORY))
    }
}

/// Keeps the end of a file that is no whole line, or the whole file when it has none.
fn set_tail_aside(directory: &Path, part: &Part, at: Timestamp) -> Result<()> {
    let path = path_of(directory, part.number);
    if part.bytes == 0 {
        // Cut off when it had just been made.
        return std::fs::remove_file(&path).map_err(JournalError::at(&path));
    }
    if part.lines == 0 {
        return set_aside(directory, &[&name_of(part.number)], at).map(drop);
    }
    let bytes = std::fs::read(&path).map_err(JournalError::at(&path))?;
    let place = quarantine(directory, at)?;
    let tail = place.join(format!("{:06}.tail", part.number));
    let mut options = std::fs::File::options();
    let written = options.write(true).create_new(true).mode(0o600).open(&tail).and_then(|mut file| {
        file.write_all(&bytes[part.good_bytes as usize..])?;
        file.sync_all()
    });
    written.map_err(JournalError::at(&tail))?;
    sync_directory(&place)
}

/// Returns a file's name below the data directory.
fn name_of(segment: u32) -> String {
    format!("{DIRECTORY}/{segment:06}.jsonl")
}
