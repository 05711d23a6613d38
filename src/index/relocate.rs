//! A directory that stands at another path now.

use rusqlite::{Connection, params};

use super::apply::{Batch, add_tally};
use super::changes::insert_change;
use super::known;
use super::{IndexError, Result};
use crate::domain::change::{Change, Verdict};
use crate::domain::path::{RelPath, below};
use crate::domain::run::Tally;
use crate::domain::show::show;

/// Gives a directory, with everything in it, another path; two updates, however much that is.
///
/// # Errors
/// Unstable, when others stand at the new path or below it: they have gone elsewhere, and are found there later.
pub(super) fn move_directory(
    db: &Connection,
    batch: &Batch,
    id: i64,
    parent_id: i64,
    old_path: &[u8],
    new_path: &[u8],
) -> Result<()> {
    let run = &batch.run;
    let Some(stored) = known::path_of_directory(db, id)? else { return Ok(()) };
    let (from, to) = below(&stored);
    let (new_from, new_to) = below(new_path);
    let taken =
        "SELECT EXISTS (SELECT 1 FROM directories WHERE repository_id = ?1 AND (path = ?2 OR path >= ?3 AND path < ?4)
                 AND NOT (path = ?5 OR path >= ?6 AND path < ?7))";
    let places = params![run.repository.0, new_path, new_from, new_to, stored, from, to];
    if db.prepare_cached(taken)?.query_row(places, |row| row.get(0))? {
        let path = show(new_path);
        return Err(IndexError::Unstable(format!(
            "{path} was renamed again and again while it was looked at; sync again"
        )));
    }
    let files: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM files WHERE directory_id IN (SELECT id FROM directories WHERE repository_id = ?1
             AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3))",
        )?
        .query_row(params![run.repository.0, stored, from, to], |row| row.get(0))?;
    // What is still gone is parked again, at its new path.
    db.prepare_cached(
        "DELETE FROM held WHERE repository_id = ?1 AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)",
    )?
    .execute(params![run.repository.0, stored, from, to])?;
    // `substr` counts bytes in a BLOB, from 1.
    db.prepare_cached(
        "UPDATE directories SET path = CAST(?5 || substr(path, ?6) AS BLOB)
         WHERE repository_id = ?1 AND path >= ?2 AND path < ?4 AND (path = ?2 OR path >= ?3)",
    )?
    .execute(params![run.repository.0, stored, from, to, new_path, stored.len() as i64 + 1])?;
    db.prepare_cached("UPDATE directories SET parent_id = ?2 WHERE id = ?1")?.execute(params![id, parent_id])?;
    let change = Change {
        verdict: Verdict::Moved,
        path: RelPath::from_stored(new_path.to_vec()),
        old_path: Some(RelPath::from_stored(old_path.to_vec())),
        directory_files: Some(files),
        old_size_bytes: None,
        new_size_bytes: None,
        old_sha256: None,
        new_sha256: None,
        note: None,
    };
    if run.stores_changes {
        insert_change(db, run, batch.at_ms, &change)?;
    }
    add_tally(db, run.number, &Tally { moved: files, ..Tally::default() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::apply::{Op, RunContext, apply};
    use super::*;
    use crate::domain::repository::RepositoryId;
    use crate::index::connection;

    #[test]
    fn a_directory_does_not_take_a_place_below_which_others_stand() {
        let temp = tempfile::tempdir().unwrap();
        let db = connection::open_writer(&temp.path().join("index.db")).unwrap();
        let sql = "INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms)
                   VALUES (?1, 1, 0, CAST(?2 AS BLOB), 7, 0)";
        for (id, path) in [(1, "a"), (2, "a/x"), (3, "b/x"), (4, "c")] {
            db.execute(sql, params![id, path]).unwrap();
        }
        let run = Arc::new(RunContext::of(RepositoryId(1), 7));
        let moved = |new_path: &[u8]| {
            let op = Op::MoveDirectory { id: 1, parent_id: 0, old_path: b"a".to_vec(), new_path: new_path.to_vec() };
            apply(&db, &Batch { run: Arc::clone(&run), at_ms: 0, ops: vec![op], tally: Tally::default() })
        };
        for taken in [&b"b"[..], b"c"] {
            assert!(matches!(moved(taken), Err(IndexError::Unstable(_))));
        }
        moved(b"d").unwrap();
        let paths = "SELECT group_concat(CAST(path AS TEXT)) FROM (SELECT path FROM directories ORDER BY path)";
        assert_eq!(db.query_row(paths, [], |row| row.get::<_, String>(0)).unwrap(), "b/x,c,d,d/x");
    }
}
