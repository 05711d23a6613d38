//! Directories that two workers met at one path, as happens while they are renamed in the middle of a run: the row that
//! stands there first serves both. Runs on the writer thread, before a batch is applied.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::apply::{Batch, DirectoryRow, Op};
use crate::domain::repository::RepositoryId;

/// Row numbers that were given to a second meeting, and the row that stands for both.
#[derive(Debug, Default)]
pub(super) struct Twins(HashMap<i64, i64>);

impl Twins {
    /// Lets the rows of a batch go to the directories that stand at their paths.
    pub fn resolve(&mut self, db: &Connection, batch: &mut Batch) -> Result<()> {
        let repository = batch.run.repository;
        for op in &mut batch.ops {
            if let Op::Directory(row) = op {
                self.meet(db, repository, row)?;
            }
            if !self.0.is_empty() {
                self.rename(op);
            }
        }
        Ok(())
    }

    fn meet(&mut self, db: &Connection, repository: RepositoryId, row: &DirectoryRow) -> Result<()> {
        let at_path = "SELECT id FROM directories WHERE repository_id = ?1 AND path = ?2";
        let standing: Option<i64> =
            db.prepare_cached(at_path)?.query_row(params![repository.0, row.path], |row| row.get(0)).optional()?;
        let Some(standing) = standing.filter(|standing| *standing != row.id) else { return Ok(()) };
        let is_known: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM directories WHERE id = ?1)")?
            .query_row([row.id], |row| row.get(0))?;
        // A known row keeps the path that it has: writing it conflicts with nothing.
        if !is_known {
            self.0.insert(row.id, standing);
        }
        Ok(())
    }

    fn rename(&self, op: &mut Op) {
        let rename = |id: &mut i64| *id = self.0.get(id).copied().unwrap_or(*id);
        match op {
            Op::Directory(row) => {
                rename(&mut row.id);
                rename(&mut row.parent_id);
            }
            Op::File(row) | Op::Arrived(row) => rename(&mut row.directory_id),
            Op::MoveDirectory { id, parent_id, .. } => {
                rename(id);
                rename(parent_id);
            }
            Op::Park { directory_id, parent_id, .. } => {
                rename(directory_id);
                rename(parent_id);
            }
            Op::Unpark { directory_id }
            | Op::Found { directory_id, .. }
            | Op::Newer { directory_id, .. }
            | Op::Damage { directory_id, .. }
            | Op::Heal { directory_id, .. }
            | Op::Trouble { directory_id } => rename(directory_id),
            Op::Return { id, .. } => rename(id),
            Op::Unseen { .. }
            | Op::Lapse { .. }
            | Op::Problem(_)
            | Op::CloseProblem { .. }
            | Op::HashState { .. }
            | Op::ForgetHashState { .. } => {}
        }
    }
}
