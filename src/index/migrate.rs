//! Brings an index to the schema that this program knows: one file of `assets/migrations` a step, one transaction each.
//! Under the engine's lock, and behind a backup. A new step needs `tests/fixtures/vN.sql`, from which it is tested for ever.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::pragma_i32;
use super::{IndexError, Result};

/// The steps; step `n` (counting from 1) brings `user_version` from `n - 1` to `n`.
const STEPS: &[&str] = &[
    include_str!("../../assets/migrations/0001.sql"),
    include_str!("../../assets/migrations/0002.sql"),
    include_str!("../../assets/migrations/0003.sql"),
];

/// Returns the schema that this program knows.
pub fn known() -> i32 {
    STEPS.len() as i32
}

/// Refuses an index of a newer program.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<()> {
    let found = pragma_i32(connection, "user_version")?;
    let known = known();
    if found > known {
        return Err(IndexError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Refuses an index that a reader cannot read yet: it lacks columns, and only a writer may add them.
pub(super) fn check_reached(found: i32, path: &Path) -> Result<()> {
    let known = known();
    match found < known {
        true => Err(IndexError::Older { path: path.to_owned(), found, known }),
        false => Ok(()),
    }
}

/// Runs the steps that are missing. A kill leaves the old or the new schema, never something between.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    check_version(connection, path)?;
    let found = pragma_i32(connection, "user_version")?;
    for (step, sql) in STEPS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
        tracing::info!("{}: now in schema {} of {}", path.display(), step + 1, STEPS.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("memory")).unwrap();
        let schema = |connection: &Connection| -> i64 {
            connection.pragma_query_value(None, "schema_version", |row| row.get(0)).unwrap()
        };
        let before = schema(&connection);
        migrate(&mut connection, Path::new("memory")).unwrap();
        assert_eq!(schema(&connection), before);
    }

    #[test]
    fn a_reader_of_an_index_that_is_not_yet_brought_up_to_date_says_what_to_do() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0]).unwrap();
        old.pragma_update(None, "application_id", crate::index::APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let add = "INSERT INTO repositories (name, path, settings, created_ms, seen_generation) VALUES ('a', x'2f61', '{}', 0, 7);
                   INSERT INTO runs (number, run_id, repository_id, repository, kind, trigger, outcome, started_ms, instance)
                   VALUES (7, 'x', 1, 'a', 'full', 'user', 'completed', 5, 'i')";
        old.execute_batch(add).unwrap();
        drop(old);
        let error = crate::index::Reader::open(&path).unwrap_err();
        assert!(matches!(error, IndexError::Older { found: 1, .. }), "{error}");
        assert!(error.to_string().contains("`watchkeeper sync`"), "{error}");
        drop(crate::index::Writer::open(&path, 10).unwrap());
        let reader = crate::index::Reader::open(&path).unwrap().unwrap();
        let run = reader.run("7").unwrap();
        assert_eq!((run.folded, run.attempt, run.retry_of), (1, 1, None));
        assert_eq!(reader.repository("a").unwrap().true_at, None);
    }
}
