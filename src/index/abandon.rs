//! What a run has found so far, and the end of a run whose threads no longer answer.

use super::apply::RunContext;
use super::runs::{CloseRun, Record};
use super::writer::Writer;
use super::{Result, settle};
use crate::domain::report::Run;

impl Writer {
    /// Returns how many differences a run has found so far. All batches that were sent before are committed then.
    ///
    /// # Errors
    /// Those of SQLite, or that an earlier batch could not be written.
    pub fn findings(&self, run: &RunContext) -> Result<i64> {
        self.call_for(run, |db, run| {
            let sql = "SELECT files_added + files_updated + files_removed + files_moved + files_damaged
                       FROM runs WHERE number = ?1";
            Ok(db.connection.prepare_cached(sql)?.query_row([run.number], |row| row.get(0))?)
        })
    }

    /// Forgets what a lane has parked and expected, whatever became of it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn forget_lane(&self, run: &RunContext) -> Result<()> {
        let run = run.clone();
        self.call(move |db| settle::forget(&db.connection, &run))
    }

    /// Closes a run whose threads hang, and refuses whatever they may still send when they come back.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn abandon_run(&self, context: &RunContext, close: CloseRun, record: impl Record) -> Result<Run> {
        let closed = self.close_run(context, close, record);
        self.refuse(context.number);
        closed
    }
}
