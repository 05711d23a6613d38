//! Reads what has arrived in a run and turned out to be no proven move.

use std::sync::atomic::Ordering::Relaxed;

use super::reading::Reading;
use super::worker::Worker;
use crate::disk::Directory;
use crate::domain::path::join;
use crate::domain::problem::Class;
use crate::domain::record::{Flags, Record};
use crate::index::{Arrival, FileRow, Op, Result};

impl Worker {
    /// Reads what has arrived and is no proven move. Its change is written when the run has settled.
    pub(super) fn read_arrivals(&mut self, arrivals: Vec<Arrival>) -> Result<()> {
        let mut open: Option<(Vec<u8>, Directory)> = None;
        for arrival in arrivals {
            if self.shared.is_cancelled() || self.shared.has_failed() {
                break;
            }
            let is_symlink = arrival.record.flags.has(Flags::SYMLINK);
            if is_symlink || !self.shared.spec.hashing {
                continue;
            }
            self.shared.context.progress.set_current(&arrival.directory);
            if open.as_ref().is_none_or(|(path, _)| *path != arrival.directory) {
                open = self.shared.root.directory(&arrival.directory).ok().map(|d| (arrival.directory.clone(), d));
            }
            // Gone again: the next run sees it, and the record says that it is unread.
            let Some((_, directory)) = &open else { continue };
            self.read_arrival(directory, arrival)?;
            self.sink.flush_if_full()?;
        }
        Ok(())
    }

    fn read_arrival(&mut self, directory: &Directory, arrival: Arrival) -> Result<()> {
        let old = &arrival.record;
        match self.read(directory, &arrival.name, &old.stamp, self.shared.is_verify())? {
            Reading::Content { hashed, started_ns } => {
                if self.shared.open_problems.in_directory(&arrival.directory).contains(&arrival.name) {
                    self.sink.push(Op::CloseProblem { path: join(&arrival.directory, &arrival.name) });
                }
                let is_final = self.shared.arrivals_are_final.load(Relaxed);
                let record = Record {
                    stamp: hashed.stamp,
                    sha256: Some(hashed.sha256),
                    flags: old
                        .flags
                        .without(Flags::UNREAD)
                        .set(Flags::ARRIVAL, !is_final)
                        .set(Flags::RACY, hashed.stamp.is_racy(started_ns)),
                    hashed_ms: Some(started_ns.div_euclid(1_000_000)),
                    ..old.clone()
                };
                self.sink.push(Op::Arrived(Box::new(FileRow {
                    directory_id: arrival.directory_id,
                    name: arrival.name,
                    record,
                    is_new: false,
                    change: None,
                    is_arrival: false,
                })));
            }
            Reading::Problem(Class::Unstable, _) if self.shared.hinted.is_some() => {
                self.shared.defer(&arrival.directory, &arrival.name);
            }
            Reading::Problem(class, message) => {
                self.sink.problem(join(&arrival.directory, &arrival.name), class, message);
                self.sink.push(Op::Trouble { directory_id: arrival.directory_id });
            }
            Reading::Stamp(_) | Reading::Vanished | Reading::Cancelled | Reading::CutOff => {}
        }
        Ok(())
    }
}
