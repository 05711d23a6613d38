//! How much of a repository's content was read lately: what a verify still owes.

use rusqlite::params;

use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::report::Coverage;
use crate::domain::repository::RepositoryId;

impl Reader {
    /// Returns which share of the files was read since a moment: hashed, or verified with its whole directory.
    ///
    /// Symlinks hold no content and do not count. Passes over all records once.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn coverage(&self, repository: RepositoryId, since: Timestamp) -> Result<Coverage> {
        // Flag 16: not read since it was found. A verify of its directory has not read it either.
        let sql = "SELECT count(*), coalesce(sum(read_ms >= ?2), 0), coalesce(sum(size_bytes), 0),
                          coalesce(sum(size_bytes) FILTER (WHERE read_ms >= ?2), 0), min(nullif(read_ms, 0))
                   FROM (SELECT f.size_bytes, max(coalesce(f.created_ms + f.hashed_after_created_ms, 0),
                             CASE WHEN f.sha256 IS NOT NULL AND f.flags & 16 = 0 THEN coalesce(d.verified_ms, 0) ELSE 0 END
                         ) AS read_ms
                         FROM directories d CROSS JOIN files f ON f.directory_id = d.id
                         WHERE d.repository_id = ?1 AND f.flags & 1 = 0)";
        Ok(self.connection.query_row(sql, params![repository.0, since.0.max(1)], |row| {
            Ok(Coverage {
                files: row.get(0)?,
                covered_files: row.get(1)?,
                bytes: row.get(2)?,
                covered_bytes: row.get(3)?,
                oldest: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            })
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Settings;
    use crate::index::Writer;

    /// Files of one directory that was verified at 500: (size, flags, created, hashed after that, has a hash).
    fn check(files: &[(i64, i64, i64, Option<i64>, bool)], since: i64, expected: (i64, i64, i64, i64, Option<i64>)) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let repository = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let directory =
            "INSERT INTO directories (id, repository_id, parent_id, path, verified_ms, generation, scanned_ms)
                         VALUES (1, 1, 0, x'', 500, 1, 0)";
        let file = "INSERT INTO files VALUES (1, CAST(?1 AS BLOB), ?2, 0, 0, 0, ?1, ?3, ?4, 1, ?5, 0, ?6)";
        let files = files.to_vec();
        let work = move |db: &mut crate::index::Db| {
            db.write(|db| {
                db.execute(directory, [])?;
                for (number, (size, flags, created, hashed, has_hash)) in (0..).zip(files) {
                    let number: i64 = number;
                    let hash = has_hash.then_some([1_u8; 32]);
                    db.execute(file, params![number, size, hash, flags, created, hashed])?;
                }
                Ok(())
            })
        };
        writer.call(work).unwrap();
        let found = Reader::open(&path).unwrap().unwrap().coverage(repository, Timestamp(since)).unwrap();
        let found = (found.files, found.covered_files, found.bytes, found.covered_bytes, found.oldest.map(|at| at.0));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_counts_as_read_when_it_was_hashed_or_verified_since() {
        let hashed_late = (10, 0, 400, Some(300), true);
        let verified = (20, 0, 100, Some(10), true);
        check(&[hashed_late, verified], 600, (2, 1, 30, 10, Some(500)));
        check(&[hashed_late, verified], 500, (2, 2, 30, 30, Some(500)));
        check(&[], 500, (0, 0, 0, 0, None));
    }

    #[test]
    fn what_was_never_read_is_not_covered_by_a_verify_of_its_directory() {
        let unread = (10, 16, 400, None, false);
        let unread_since_its_change = (10, 16, 400, Some(5), true);
        let symlink = (1, 1, 400, Some(1), true);
        check(&[unread, symlink], 0, (1, 0, 10, 0, None));
        check(&[unread_since_its_change], 500, (1, 0, 10, 0, Some(405)));
    }
}
