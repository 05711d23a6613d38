//! Takes the files that differ, are new, or are to be verified, one by one, and writes down what reading them says.

use std::sync::atomic::Ordering::Relaxed;

use super::comparison::path_of;
use super::directory::ToRead;
use super::opened::Opened;
use super::reading::Reading;
use super::worker::Worker;
use crate::disk::{CHECKPOINT_BYTES, ReadError};
use crate::domain::amount::plural;
use crate::domain::change::{Change, Judgement, Verdict, judge};
use crate::domain::path::join;
use crate::domain::problem::Class;
use crate::domain::record::{Flags, Record, Sha256, Stamp, flipped_bits};
use crate::domain::show::show;
use crate::engine::clock;
use crate::index::{FileRow, Op, Result};

/// A record read again so long after its stamp was first seen is trusted, even if the stamp lies in the future.
const RACY_OVER_AFTER_MS: i64 = 2_000;

/// From this size on a file is shown by name while it is read.
const SHOWN_FROM_BYTES: i64 = 64 << 20;

impl Worker {
    /// Reads a part of a directory's files.
    pub(super) fn read_part(&mut self, opened: &Opened, files: Vec<ToRead>) -> Result<()> {
        let mut last_read: Option<Vec<u8>> = None;
        for file in files {
            if self.shared.is_cancelled() || self.shared.has_failed() {
                opened.incomplete.store(true, Relaxed);
                break;
            }
            if !self.shared.take_from_budget(file.stamp.size_bytes) {
                opened.cut_off(last_read.take());
                break;
            }
            self.sink.make_way(file.stamp.size_bytes)?;
            let reading = self.read_one(opened, &file)?;
            if matches!(reading, Reading::CutOff) {
                opened.cut_off(last_read.take());
                break;
            }
            let name = self.shared.has_budget().then(|| file.name.clone());
            self.write_one(opened, file, reading)?;
            // Looked at once more, it was counted before.
            if !self.shared.relisting.load(Relaxed) {
                self.shared.context.progress.files.fetch_add(1, Relaxed);
            }
            last_read = name.or(last_read);
        }
        self.finish_part(opened)
    }

    /// Reads one of a directory's files, unless it was read under another name.
    fn read_one(&mut self, opened: &Opened, file: &ToRead) -> Result<Reading> {
        let known = if file.is_linked { self.shared.linked.find(&file.stamp) } else { None };
        // A small file is gone before anyone has read its name; a large one is what is waited for.
        if file.stamp.size_bytes > SHOWN_FROM_BYTES {
            self.shared.context.progress.set_current(&join(&opened.path, &file.name));
        }
        // Whether the disk still holds what was recorded is not for the page cache to say.
        let is_damaged = file.known.as_ref().is_some_and(|old| old.flags.has(Flags::DAMAGED));
        let reading = match known {
            Some((hashed, started_ns)) => Reading::Content { hashed, started_ns },
            None if file.is_symlink => Reading::Stamp(file.stamp),
            None => self.read(&opened.directory, &file.name, &file.stamp, is_damaged || self.shared.is_verify())?,
        };
        if let (true, Reading::Content { hashed, started_ns }) = (file.is_linked, &reading) {
            self.shared.linked.keep(hashed, *started_ns);
        }
        Ok(reading)
    }

    /// Writes down what reading a file came to.
    pub(super) fn write_one(&mut self, opened: &Opened, file: ToRead, reading: Reading) -> Result<()> {
        let listed = file.stamp;
        let (stamp, content, started_ns) = match reading {
            Reading::Stamp(stamp) => (stamp, None, None),
            Reading::Content { hashed, started_ns } => (hashed.stamp, Some(hashed.sha256), Some(started_ns)),
            Reading::Vanished => {
                self.shared.vanished.fetch_add(1, Relaxed);
                opened.troubled.store(true, Relaxed);
                return Ok(());
            }
            Reading::Cancelled | Reading::CutOff => {
                opened.incomplete.store(true, Relaxed);
                return Ok(());
            }
            Reading::Problem(Class::Unstable, _) if self.shared.hinted.is_some() => {
                // Still being written: its next hint, or a moment's rest, tells when it is worth reading.
                opened.troubled.store(true, Relaxed);
                self.shared.defer(&opened.path, &file.name);
                return Ok(());
            }
            Reading::Problem(class, message) => {
                opened.troubled.store(true, Relaxed);
                self.sink.problem(join(&opened.path, &file.name), class, message);
                match &file.known {
                    // It is there: that much is known of a new file.
                    None => self.write_new(opened, file, listed, None, None),
                    // What was recorded stays, and is to be read again although its stamp may not move.
                    Some(old) if !old.flags.has(Flags::UNREAD) => {
                        let record = Record { flags: old.flags.with(Flags::UNREAD), ..old.clone() };
                        self.push_row(opened, &file, record, None);
                    }
                    Some(_) => {}
                }
                return Ok(());
            }
        };
        if self.shared.open_problems.in_directory(&opened.path).contains(&file.name) {
            self.sink.push(Op::CloseProblem { path: join(&opened.path, &file.name) });
        }
        if stamp.size_bytes as u64 > CHECKPOINT_BYTES && content.is_some() {
            self.sink.push(Op::ForgetHashState { inode: stamp.inode });
        }
        match &file.known {
            None => self.write_new(opened, file, stamp, content, started_ns),
            Some(old) => self.write_known(opened, &file, old, stamp, content, started_ns)?,
        }
        Ok(())
    }

    fn write_new(
        &mut self,
        opened: &Opened,
        file: ToRead,
        stamp: Stamp,
        content: Option<Sha256>,
        started_ns: Option<i64>,
    ) {
        let now_ms = clock::wall().0;
        let reads = self.shared.spec.hashing && !file.is_symlink;
        let record = Record {
            stamp,
            sha256: content,
            flags: Flags::default()
                .set(Flags::SYMLINK, file.is_symlink)
                .set(Flags::LINKED, file.is_linked)
                .set(Flags::UNREAD, reads && content.is_none())
                .set(Flags::RACY, started_ns.is_some_and(|started| stamp.is_racy(started))),
            created_ms: now_ms,
            updated_ms: now_ms,
            hashed_ms: started_ns.map(|ns| ns.div_euclid(1_000_000)),
        };
        self.sink.tally.added += 1;
        // A first run only counts them: a path that nobody reads need not be put together.
        let change = self.shared.run.stores_changes.then(|| Change {
            new_size_bytes: Some(stamp.size_bytes),
            new_sha256: content,
            ..bare_change(opened, &file.name, Verdict::Added)
        });
        self.sink.push(Op::File(Box::new(FileRow {
            directory_id: opened.id,
            name: file.name,
            record,
            is_new: true,
            change,
            is_arrival: false,
        })));
    }

    fn write_known(
        &mut self,
        opened: &Opened,
        file: &ToRead,
        old: &Record,
        stamp: Stamp,
        content: Option<Sha256>,
        started_ns: Option<i64>,
    ) -> Result<()> {
        let damaged = match old.flags.has(Flags::DAMAGED) {
            true => self.index.damaged_content(opened.id, &file.name)?,
            false => None,
        };
        let was_symlink = old.flags.has(Flags::SYMLINK);
        let judgement = match was_symlink == file.is_symlink {
            true => judge(old, &stamp, content.as_ref(), damaged.as_ref()),
            false => Judgement { verdict: Some(Verdict::Replaced), note: None },
        };
        if let (Some(Verdict::Damaged), Some(found)) = (judgement.verdict, content) {
            return self.write_damage(opened, file, old, stamp, found, damaged, judgement);
        }
        if let Some(bits) = old.sha256.zip(content).and_then(|(old, content)| flipped_bits(&old, &content)) {
            let path = show(&join(&opened.path, &file.name));
            let bits = plural(bits.into(), "flipped bit", "flipped bits");
            let reason = format!("the recorded hash of {path} had {bits} and was put right; the file is as it was");
            tracing::warn!("{reason}");
            self.sink.push(Op::Repair { reason });
        }
        if old.flags.has(Flags::DAMAGED) {
            self.sink.push(Op::Heal { directory_id: opened.id, name: file.name.clone() });
        }
        let keeps_stamp = stamp == old.stamp;
        let racy = started_ns.is_some_and(|started| {
            let is_over =
                keeps_stamp && old.hashed_ms.is_some_and(|hashed| started / 1_000_000 - hashed >= RACY_OVER_AFTER_MS);
            stamp.is_racy(started) && !is_over
        });
        let reads = self.shared.spec.hashing && !file.is_symlink;
        let record = Record {
            stamp,
            sha256: if reads { content } else { None },
            flags: Flags::default()
                .set(Flags::SYMLINK, file.is_symlink)
                .set(Flags::LINKED, file.is_linked)
                .set(Flags::RACY, racy)
                .set(Flags::UNREAD, reads && content.is_none()),
            created_ms: old.created_ms,
            updated_ms: if judgement.verdict.is_some() { clock::wall().0 } else { old.updated_ms },
            hashed_ms: started_ns.map(|ns| ns.div_euclid(1_000_000)),
        };
        let is_news = judgement.verdict.is_some()
            || (record.stamp, record.sha256, record.flags) != (old.stamp, old.sha256, old.flags);
        // A verify that finds everything as it was says so once per directory.
        if !is_news {
            return Ok(());
        }
        let change = judgement.verdict.map(|verdict| {
            self.sink.tally.count(verdict, 1);
            change_of(opened, &file.name, old, &record, verdict, judgement.note)
        });
        self.push_row(opened, file, record, change);
        Ok(())
    }

    /// Writes damage, if a second reading from the disk agrees. The recorded hash is kept.
    #[expect(clippy::too_many_arguments, reason = "the facts of one finding; a struct for one call would hide them")]
    fn write_damage(
        &mut self,
        opened: &Opened,
        file: &ToRead,
        old: &Record,
        stamp: Stamp,
        found: Sha256,
        damaged: Option<Sha256>,
        judgement: Judgement,
    ) -> Result<()> {
        match self.read_again(&opened.directory, &file.name, &stamp) {
            Err(ReadError::Cancelled) => {
                opened.incomplete.store(true, Relaxed);
                return Ok(());
            }
            Ok(again) if again.sha256 == found && again.stamp == stamp => {}
            _ => {
                opened.troubled.store(true, Relaxed);
                let message = "two readings in a row gave different content; is the memory or the disk faulty?";
                self.sink.problem(join(&opened.path, &file.name), Class::Io, message.to_owned());
                return Ok(());
            }
        }
        self.sink.tally.damaged += 1;
        if damaged == Some(found) && stamp == old.stamp {
            return Ok(());
        }
        let record = Record {
            stamp,
            flags: old.flags.with(Flags::DAMAGED).without(Flags::HELD).without(Flags::RACY),
            updated_ms: clock::wall().0,
            ..old.clone()
        };
        self.sink.push(Op::Damage { directory_id: opened.id, name: file.name.clone(), found });
        let change = (damaged != Some(found)).then(|| Change {
            new_sha256: Some(found),
            ..change_of(opened, &file.name, old, &record, Verdict::Damaged, judgement.note)
        });
        self.push_row(opened, file, record, change);
        Ok(())
    }

    fn push_row(&mut self, opened: &Opened, file: &ToRead, record: Record, change: Option<Change>) {
        self.sink.push(Op::File(Box::new(FileRow {
            directory_id: opened.id,
            name: file.name.clone(),
            record,
            is_new: false,
            change,
            is_arrival: false,
        })));
    }
}

fn bare_change(opened: &Opened, name: &[u8], verdict: Verdict) -> Change {
    Change {
        verdict,
        path: path_of(&opened.path, name),
        old_path: None,
        directory_files: None,
        old_size_bytes: None,
        new_size_bytes: None,
        old_sha256: None,
        new_sha256: None,
        note: None,
    }
}

fn change_of(
    opened: &Opened,
    name: &[u8],
    old: &Record,
    new: &Record,
    verdict: Verdict,
    note: Option<&'static str>,
) -> Change {
    Change {
        old_size_bytes: Some(old.stamp.size_bytes),
        new_size_bytes: Some(new.stamp.size_bytes),
        old_sha256: old.sha256,
        new_sha256: new.sha256,
        note,
        ..bare_change(opened, name, verdict)
    }
}
