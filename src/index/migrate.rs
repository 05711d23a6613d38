//! Brings an index to the schema that this program knows: one file of `assets/migrations` a step, one transaction each.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::pragma_i32;
use super::{IndexError, Result};

/// The steps; step `n` (counting from 1) brings `user_version` from `n - 1` to `n`.
const STEPS: &[&str] =
    &[include_str!("../../assets/migrations/0001.sql"), include_str!("../../assets/migrations/0002.sql")];

/// Refuses an index of a newer program.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<()> {
    let found = pragma_i32(connection, "user_version")?;
    let known = STEPS.len() as i32;
    if found > known {
        return Err(IndexError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
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
}
