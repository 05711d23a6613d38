//! Reads the files of a journal in order, and names everything that is not as it was written.

use std::path::{Path, PathBuf};

use super::book::Book;
use super::fault::Fault;
use super::line::{Hash, Line, decode};
use super::record::Event;
use super::{DIRECTORY, JournalError, Result};

/// Holds the last line of a file, and one that was torn after it.
const LONGEST_END: u64 = 256 << 10;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    All,
    /// Only the last file: it tells whether the index is behind, and costs nothing.
    Last,
}

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub number: u32,
    /// Of its first and last whole line; 0 when it has none.
    pub first_seq: u64,
    pub last_seq: u64,
    pub lines: u64,
    pub bytes: u64,
    /// Where its last whole line ends.
    pub good_bytes: u64,
    /// It has damaged lines between whole ones.
    pub is_damaged: bool,
    pub begins_well: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Reading {
    pub book: Book,
    pub faults: Vec<Fault>,
    /// Of the last whole line, and the first that was read; 0 when there is none.
    pub last_seq: u64,
    pub first_seq: u64,
    pub segments: usize,
    pub bytes: u64,
    pub(super) last_hash: Hash,
    /// What the first line was written after.
    first_prev: Hash,
    /// The lines of the file before: a file that begins after a failed sync goes on from one of them.
    trail: Vec<(u64, Hash)>,
    pub(super) parts: Vec<Part>,
}

pub(super) fn path_of(directory: &Path, segment: u32) -> PathBuf {
    directory.join(DIRECTORY).join(format!("{segment:06}.jsonl"))
}

/// Returns the numbers of the files that there are, in order.
pub(super) fn segments(directory: &Path) -> Result<Vec<u32>> {
    let path = directory.join(DIRECTORY);
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(JournalError { path, source }),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(JournalError::at(&path))?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|stem| stem.parse::<u32>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the journal in a data directory. Changes nothing.
///
/// # Errors
/// When a file cannot be read at all.
pub fn read(directory: &Path, extent: Extent) -> Result<Reading> {
    read_each(directory, extent, |_, _| Ok(()))
}

/// As [`read`], all of it, and hands over the number and the whole lines of each file: what it is just being written
/// to is cut off, so that someone may write meanwhile.
///
/// # Errors
/// As [`read`], and those of `take`.
pub fn copy<E: From<JournalError>>(
    directory: &Path,
    take: impl FnMut(u32, &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Reading, E> {
    read_each(directory, Extent::All, take)
}

fn read_each<E: From<JournalError>>(
    directory: &Path,
    extent: Extent,
    mut take: impl FnMut(u32, &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Reading, E> {
    let numbers = segments(directory)?;
    let from = match extent {
        Extent::All => 0,
        Extent::Last => numbers.len().saturating_sub(1),
    };
    let mut reading = Reading { segments: numbers.len(), ..Reading::default() };
    for (at, number) in numbers.iter().enumerate() {
        let path = path_of(directory, *number);
        if at < from {
            reading.bytes += std::fs::metadata(&path).map_err(JournalError::at(&path))?.len();
            continue;
        }
        if at > from {
            reading.faults.extend((numbers[at - 1] + 1..*number).map(|segment| Fault::NoSegment { segment }));
        }
        let bytes = read_file(&path).map_err(JournalError::at(&path))?;
        reading.read_segment(*number, &bytes, at + 1 == numbers.len());
        let whole = reading.parts.last().map_or(0, |part| part.good_bytes as usize);
        take(*number, &bytes[..whole])?;
    }
    if extent == Extent::All {
        reading.settle();
    }
    Ok(reading)
}

/// Reads a regular file; a pipe would be waited for.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    match std::fs::symlink_metadata(path)?.is_file() {
        true => std::fs::read(path),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

impl Reading {
    /// Reads one file after those before it.
    pub(super) fn read_segment(&mut self, number: u32, bytes: &[u8], is_last: bool) {
        let len = bytes.len() as u64;
        let mut part = Part {
            number,
            first_seq: 0,
            last_seq: 0,
            lines: 0,
            bytes: len,
            good_bytes: 0,
            is_damaged: false,
            begins_well: false,
        };
        // What may still turn out to be the end of the file.
        let mut bad: Vec<Fault> = Vec::new();
        let mut at = 0;
        for (index, piece) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            at += piece.len() as u64;
            let Some(line) = piece.strip_suffix(b"\n").and_then(decode) else {
                bad.push(Fault::Damaged { segment: number, line: index + 1 });
                continue;
            };
            part.is_damaged |= !bad.is_empty();
            self.faults.append(&mut bad);
            part.begins_well |= index == 0 && matches!(line.event, Some(Event::Segment(_)));
            part.first_seq = if part.lines == 0 { line.seq } else { part.first_seq };
            part.lines += 1;
            part.good_bytes = at;
            self.take(number, line);
            part.last_seq = self.last_seq;
        }
        if part.good_bytes < len {
            match is_last {
                true => self.faults.push(Fault::Torn { segment: number, bytes: len - part.good_bytes }),
                false => self.faults.append(&mut bad),
            }
        }
        self.bytes += len;
        self.parts.push(part);
    }

    fn take(&mut self, segment: u32, line: Line) {
        let is_first = self.last_seq == 0;
        let begins = matches!(line.event, Some(Event::Segment(_)));
        // After a sync that failed, a new file repeats what was never acknowledged.
        let resumes = begins && self.trail.contains(&(line.seq.saturating_sub(1), line.prev));
        if is_first {
            (self.first_seq, self.first_prev) = (line.seq, line.prev);
        } else if !resumes {
            if line.seq <= self.last_seq {
                self.faults.push(Fault::Misplaced { segment, seq: line.seq });
                return;
            }
            if line.seq > self.last_seq + 1 {
                self.faults.push(Fault::Missing { from: self.last_seq + 1, to: line.seq - 1 });
            } else if line.prev != self.last_hash {
                self.faults.push(Fault::Unchained { seq: line.seq });
            }
        }
        if begins {
            self.trail.clear();
        }
        (self.last_seq, self.last_hash) = (line.seq, line.hash);
        self.trail.push((line.seq, line.hash));
        match line.event {
            Some(event) => self.book.take(line.seq, event),
            None => self.faults.push(Fault::Newer { seq: line.seq }),
        }
    }

    /// Looks at what only the whole tells: whether the files that are not there any more went on purpose.
    fn settle(&mut self) {
        let kept_from = self.book.kept_from.max(1);
        if self.first_seq > kept_from {
            self.faults.insert(0, Fault::Missing { from: kept_from, to: self.first_seq - 1 });
        }
        // Damage at the end of a file, where the next one goes on without a gap, was never acknowledged.
        let parts = &self.parts;
        let is_harmless = |segment: u32| {
            let at = parts.iter().position(|part| part.number == segment);
            at.is_some_and(|at| {
                let next = parts.get(at + 1);
                !parts[at].is_damaged && next.is_some_and(|next| next.first_seq <= parts[at].last_seq + 1)
            })
        };
        self.faults.retain(|fault| !matches!(fault, Fault::Damaged { segment, .. } if is_harmless(*segment)));
    }

    /// Tells whether the file before the only one that was read ends where this one begins. Read of it is its end alone.
    pub(super) fn goes_on(&self, directory: &Path) -> Result<bool> {
        use std::os::unix::fs::FileExt;
        let numbers = segments(directory)?;
        let [.., before, _] = numbers[..] else { return Ok(true) };
        let path = path_of(directory, before);
        let failed = JournalError::at(&path);
        let file = std::fs::File::open(&path).map_err(&failed)?;
        let len = file.metadata().map_err(&failed)?.len();
        let from = len.saturating_sub(LONGEST_END);
        let mut bytes = vec![0; usize::try_from(len - from).unwrap_or_default()];
        file.read_exact_at(&mut bytes, from).map_err(&failed)?;
        let last = bytes.split(|byte| *byte == b'\n').rev().find_map(decode);
        Ok(last.is_some_and(|last| last.seq + 1 == self.first_seq && last.hash == self.first_prev))
    }

    /// Takes in that a line `seq` was written, as the index knows: when the journal ends before it, lines are missing.
    pub fn expect(&mut self, seq: u64) {
        if self.segments > 0 && self.last_seq < seq {
            self.faults.push(Fault::Missing { from: self.last_seq + 1, to: seq });
        }
    }

    /// Tells whether everything that was read is as it was written, but for an end that was torn off.
    pub fn is_whole(&self) -> bool {
        self.damage().is_none()
    }

    /// Returns the first thing that is not as it was written, but for an end that was torn off.
    pub fn damage(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| !matches!(fault, Fault::Newer { .. } | Fault::Torn { .. }))
    }
}
