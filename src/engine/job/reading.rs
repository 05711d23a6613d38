//! Reads one file, and lets it be counted, stopped, and gone on with.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::shared::Shared;
use super::worker::Worker;
use crate::disk::{self, CHECKPOINT_BYTES, Directory, Hashed, ReadError, ResumePoint, Watch};
use crate::domain::problem::Class;
use crate::domain::record::Stamp;
use crate::engine::clock;
use crate::index::{Batch, Op, Result};

/// Watches a reading: counts it, stops it, and keeps the points from which a large one can go on.
struct Watching<'a> {
    shared: &'a Arc<Shared>,
    /// It can go on later from where it is: a verify that must end need not read it to its end.
    can_go_on: bool,
    /// Read by this run, and not by the one that it goes on from.
    bytes: u64,
}

impl Watch for Watching<'_> {
    fn bytes_read(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        self.shared.context.progress.bytes.fetch_add(bytes, Relaxed);
        let is_cut_off = self.can_go_on && self.shared.must_end_verify();
        !self.shared.is_cancelled() && !self.shared.has_failed() && !is_cut_off
    }

    fn checkpoint(&mut self, point: ResumePoint) {
        if self.shared.spec.plan {
            return;
        }
        // At once and not with the worker's next batch, which waits for this very file.
        let sent = self.shared.context.writer.send(Batch {
            run: Arc::clone(&self.shared.run),
            at_ms: clock::wall().0,
            ops: vec![Op::HashState { stamp: point.stamp, offset_bytes: point.offset_bytes, state: point.state }],
            tally: Default::default(),
        });
        if let Err(error) = sent {
            self.shared.fail(error);
        }
    }

    fn may_retry(&mut self) -> bool {
        !self.shared.is_cancelled()
    }
}

/// What reading one file came to.
pub(super) enum Reading {
    /// Not read on purpose: a symlink, or a repository without hashes.
    Stamp(Stamp),
    Content {
        hashed: Hashed,
        started_ns: i64,
    },
    Vanished,
    Cancelled,
    /// A verify must end, and goes on inside this file another time.
    CutOff,
    Problem(Class, String),
}

impl Worker {
    /// Reads one file that is no symlink, if files are read here.
    pub(super) fn read(
        &mut self,
        directory: &Directory,
        name: &[u8],
        stamp: &Stamp,
        from_disk: bool,
    ) -> Result<Reading> {
        if !self.shared.spec.hashing {
            return Ok(Reading::Stamp(*stamp));
        }
        let resume = match stamp.size_bytes as u64 > CHECKPOINT_BYTES {
            true => self.index.hash_state(self.shared.run.repository, stamp)?,
            false => None,
        };
        let resume = resume.map(|(offset_bytes, state)| ResumePoint { stamp: *stamp, offset_bytes, state });
        if let Some(point) = &resume {
            self.shared.give_back_to_budget(point.offset_bytes);
        }
        let started_ns = clock::wall_ns();
        let can_go_on = stamp.size_bytes as u64 > CHECKPOINT_BYTES;
        let mut watching = Watching { shared: &self.shared, can_go_on, bytes: 0 };
        let result = self.file_reader.hash(directory, name, stamp, from_disk, resume, &mut watching);
        self.sink.tally.bytes_hashed += watching.bytes as i64;
        Ok(match result {
            Ok(hashed) => Reading::Content { hashed, started_ns },
            Err(ReadError::Vanished) => Reading::Vanished,
            Err(ReadError::Cancelled) if self.shared.is_cancelled() || self.shared.has_failed() => Reading::Cancelled,
            Err(ReadError::Cancelled) => Reading::CutOff,
            Err(ReadError::Unstable) => {
                Reading::Problem(Class::Unstable, "it changed each time it was read".to_owned())
            }
            Err(ReadError::Failed(errno)) => {
                Reading::Problem(disk::class_of(errno), format!("it cannot be read: {errno}"))
            }
        })
    }
    /// Reads a file once more from the disk, and to its end: or else the damage of a huge file might never be told.
    pub(super) fn read_again(
        &mut self,
        directory: &Directory,
        name: &[u8],
        stamp: &Stamp,
    ) -> std::result::Result<Hashed, ReadError> {
        let mut watching = Watching { shared: &self.shared, can_go_on: false, bytes: 0 };
        self.file_reader.hash(directory, name, stamp, true, None, &mut watching)
    }
}
