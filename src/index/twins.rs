//! Directories that two workers met at one path, as happens while they are renamed in the middle of a run: the row that
//! stands there first serves both. Runs on the writer thread, before a batch is applied.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::apply::{Batch, DirectoryRow, Op, RunContext};

/// Row numbers that were given to a second meeting, and the row that stands for both; by run, which alone knows them.
#[derive(Debug, Default)]
pub(super) struct Twins(HashMap<i64, HashMap<i64, i64>>);

impl Twins {
    /// Lets the rows of a batch go to the directories that stand at their paths.
    pub fn resolve(&mut self, db: &Connection, batch: &mut Batch) -> Result<()> {
        let Batch { run, ops, .. } = batch;
        for op in ops {
            if let Op::Directory(row) = op {
                self.meet(db, run, row)?;
            }
            if let Some(rows) = self.0.get(&run.number) {
                rename(rows, op);
            }
        }
        Ok(())
    }

    /// Forgets what a run has met; it is over. A daemon lives through millions of them.
    pub fn forget(&mut self, run: &RunContext) {
        self.0.remove(&run.number);
    }

    fn meet(&mut self, db: &Connection, run: &RunContext, row: &DirectoryRow) -> Result<()> {
        let at_path = "SELECT id FROM directories WHERE repository_id = ?1 AND path = ?2";
        let standing: Option<i64> =
            db.prepare_cached(at_path)?.query_row(params![run.repository.0, row.path], |row| row.get(0)).optional()?;
        let Some(standing) = standing.filter(|standing| *standing != row.id) else { return Ok(()) };
        let is_known: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM directories WHERE id = ?1)")?
            .query_row([row.id], |row| row.get(0))?;
        // A known row keeps the path that it has: writing it conflicts with nothing.
        if !is_known {
            self.0.entry(run.number).or_default().insert(row.id, standing);
        }
        Ok(())
    }
}

fn rename(rows: &HashMap<i64, i64>, op: &mut Op) {
    let rename = |id: &mut i64| *id = rows.get(id).copied().unwrap_or(*id);
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
        | Op::Repair { .. }
        | Op::Problem(_)
        | Op::CloseProblem { .. }
        | Op::HashState { .. }
        | Op::ForgetHashState { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::repository::RepositoryId;
    use crate::domain::run::Tally;
    use crate::index::connection;

    #[test]
    fn a_second_meeting_is_remembered_until_its_run_is_over_and_no_longer() {
        let temp = tempfile::tempdir().unwrap();
        let db = connection::open_writer(&temp.path().join("index.db")).unwrap();
        let sql = "INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms)
                   VALUES (1, 1, 0, x'61', 7, 0)";
        db.execute(sql, []).unwrap();
        let run = RunContext { stores_changes: true, ..RunContext::of(RepositoryId(1), 7) };
        let mut twins = Twins::default();
        let directory = DirectoryRow { id: 2, path: b"a".to_vec(), ..DirectoryRow::default() };
        let met = Op::Directory(Box::new(directory));
        let later = || Op::Unpark { directory_id: 2 };
        let mut resolve = |run: &RunContext, op: Op| {
            let mut batch = Batch { run: Arc::new(run.clone()), at_ms: 0, ops: vec![op], tally: Tally::default() };
            twins.resolve(&db, &mut batch).unwrap();
            match batch.ops.remove(0) {
                Op::Directory(row) => row.id,
                Op::Unpark { directory_id } => directory_id,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(resolve(&run, met), 1);
        assert_eq!(resolve(&RunContext { lane: -1, ..run.clone() }, later()), 1);
        assert_eq!(resolve(&RunContext { number: 8, ..run.clone() }, later()), 2);
        twins.forget(&run);
        assert!(twins.0.is_empty());
    }
}
