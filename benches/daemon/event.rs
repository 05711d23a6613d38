//! Events and their records: writes small files into the tree, and waits for each to stand in the index with its hash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use watchkeeper::domain::path::RelPath;
use watchkeeper::domain::repository::RepositoryId;
use watchkeeper::index::Reader;

use crate::daemon::{Daemon, NAME};
use crate::tree::directory_name;

/// Time between two looks into the index: what a delay is too long by, at most.
const LOOKS_EVERY: Duration = Duration::from_millis(1);

/// What has no record by then counts as missing.
const GIVES_UP_AFTER: Duration = Duration::from_secs(30);

/// Neighbouring events go into directories that are this far apart, so that no order of rows is to their favour.
const STRIDE: u64 = 7_919;

/// How a file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Made under its name, written and closed.
    Written,
    /// Written elsewhere and renamed, as careful programs do.
    Renamed,
}

/// Writes files that no one has seen before.
pub struct Pen<'a> {
    tree: &'a Path,
    /// On the same file system, outside the tree.
    elsewhere: PathBuf,
    directories: u64,
    number: u64,
}

/// A file that was written.
struct Event {
    way: Way,
    path: RelPath,
    sha256: [u8; 32],
    closed: Instant,
}

impl<'a> Pen<'a> {
    /// Returns one for a tree with so many directories.
    pub fn new(tree: &'a Path, place: &Path, directories: u64) -> Self {
        Pen { tree, elsewhere: place.join("elsewhere"), directories, number: 0 }
    }

    /// Returns the directory whose turn it is; all come once before one comes again.
    pub fn next_directory(&self) -> u64 {
        // A whole multiple of the stride would only ever meet some of them.
        let stride = if self.directories.is_multiple_of(STRIDE) { 1 } else { STRIDE };
        (self.number * stride) % self.directories
    }

    /// Writes a file that is nobody's measure.
    pub fn write_next(&mut self) -> io::Result<()> {
        self.write(self.next_directory()).map(drop)
    }

    fn write(&mut self, directory: u64) -> io::Result<Event> {
        self.number += 1;
        let path = format!("{}/event-{:07}.data", directory_name(directory), self.number);
        let content = format!("{:01024}", self.number);
        let way = if self.number.is_multiple_of(2) { Way::Renamed } else { Way::Written };
        match way {
            Way::Written => fs::write(self.tree.join(&path), &content)?,
            Way::Renamed => {
                fs::write(&self.elsewhere, &content)?;
                fs::rename(&self.elsewhere, self.tree.join(&path))?;
            }
        }
        let closed = Instant::now();
        Ok(Event {
            way,
            path: RelPath::from_stored(path.into_bytes()),
            sha256: Sha256::digest(&content).into(),
            closed,
        })
    }
}

impl Event {
    fn has_record(&self, reader: &Reader, id: RepositoryId) -> io::Result<bool> {
        let record = reader.file(id, &self.path).map_err(io::Error::other)?;
        Ok(record.is_some_and(|record| record.sha256 == Some(self.sha256)))
    }
}

/// What comes next.
pub enum Next {
    /// A file in this directory.
    Write(u64),
    /// Nothing at this moment.
    Wait,
    /// Nothing any more.
    End,
}

/// How long each event took until its record stood.
#[derive(Debug, Default)]
pub struct Delays {
    taken: Vec<(Way, Duration)>,
    missing: Vec<Way>,
}

impl Delays {
    /// Returns the delays of one way, the shortest first.
    pub fn of(&self, way: Way) -> Vec<Duration> {
        let mut taken: Vec<_> = self.taken.iter().filter(|(of, _)| *of == way).map(|(_, delay)| *delay).collect();
        taken.sort_unstable();
        taken
    }

    /// Returns how many of one way never came.
    pub fn missing(&self, way: Way) -> usize {
        self.missing.iter().filter(|of| **of == way).count()
    }
}

/// Writes files as `next` says, `gap` apart, several under way at once, and waits for their records.
pub fn follow(
    daemon: &Daemon,
    pen: &mut Pen,
    gap: Duration,
    mut next: impl FnMut(&Pen, &Reader) -> io::Result<Next>,
) -> io::Result<Delays> {
    let reader = daemon.reader()?;
    let id = reader.repository(NAME).map_err(io::Error::other)?.id;
    let mut delays = Delays::default();
    let mut waiting: Vec<Event> = Vec::new();
    let (mut due, mut has_ended) = (Instant::now(), false);
    while !has_ended || !waiting.is_empty() {
        if !has_ended && Instant::now() >= due {
            match next(pen, &reader)? {
                Next::Write(directory) => {
                    waiting.push(pen.write(directory)?);
                    due = Instant::now() + gap;
                }
                Next::Wait => {}
                Next::End => has_ended = true,
            }
        }
        let mut still = Vec::new();
        for event in waiting {
            if event.has_record(&reader, id)? {
                delays.taken.push((event.way, event.closed.elapsed()));
            } else if event.closed.elapsed() > GIVES_UP_AFTER {
                delays.missing.push(event.way);
            } else {
                still.push(event);
            }
        }
        waiting = still;
        thread::sleep(LOOKS_EVERY);
    }
    Ok(delays)
}
