//! How the newest runs of each repository ended: what a list draws as a row of bars.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Reader, Result};
use crate::domain::report::RecentRun;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome};

impl Reader {
    /// Returns the newest runs of each repository that have ended, at most `each`, the oldest first.
    ///
    /// Without those of the watcher: how long they took says how long they waited. Reads `each` rows of every kind by an
    /// index, however long the history is.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn recent_runs(&self, each: usize) -> Result<BTreeMap<RepositoryId, Vec<RecentRun>>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, outcome, coalesce(duration_ms, 0) / folded FROM runs
             WHERE repository_id = ?1 AND kind = ?2 AND outcome IS NOT NULL ORDER BY number DESC LIMIT ?3",
        )?;
        let mut recent = BTreeMap::new();
        for repository in self.repositories()? {
            let mut runs: Vec<(i64, String, i64)> = Vec::new();
            for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Realtime) {
                let key = params![repository.id.0, kind.as_str(), each as i64];
                let rows = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                for row in rows {
                    runs.push(row?);
                }
            }
            runs.sort_unstable();
            let newest = runs.split_off(runs.len().saturating_sub(each));
            let shape = |(_, outcome, took_ms): (i64, String, i64)| {
                Some(RecentRun { outcome: Outcome::parse(&outcome)?, took_ms: took_ms.unsigned_abs() })
            };
            recent.insert(repository.id, newest.into_iter().filter_map(shape).collect());
        }
        Ok(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Settings;
    use crate::index::Writer;

    /// Runs as (kind, outcome or none, took in ms); what comes back as (outcome, took in ms).
    fn check(runs: &[(&'static str, Option<&'static str>, i64)], each: usize, expected: &[(Outcome, u64)]) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let id = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let runs = runs.to_vec();
        let work = move |db: &mut crate::index::Db| {
            db.write(|db| {
                for (kind, outcome, took_ms) in runs {
                    db.execute(
                        "INSERT INTO runs (run_id, repository_id, repository, kind, trigger, outcome, started_ms,
                                duration_ms, instance)
                         VALUES (hex(randomblob(13)), 1, 'a', ?1, 'user', ?2, 0, ?3, 'x')",
                        params![kind, outcome, took_ms],
                    )?;
                }
                Ok(())
            })
        };
        writer.call(work).unwrap();
        let found = Reader::open(&path).unwrap().unwrap().recent_runs(each).unwrap();
        let found: Vec<_> = found[&id].iter().map(|run| (run.outcome, run.took_ms)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_newest_of_all_kinds_come_in_their_order_without_the_watcher_s_and_what_goes_on() {
        let (ok, bad) = (Some("completed"), Some("failed"));
        let runs = [
            ("full", ok, 1),
            ("full", ok, 2),
            ("verify", bad, 3),
            ("realtime", ok, 4),
            ("incremental", ok, 5),
            ("full", None, 6),
        ];
        check(&runs, 3, &[(Outcome::Completed, 2), (Outcome::Failed, 3), (Outcome::Completed, 5)]);
        check(&[], 3, &[]);
    }
}
