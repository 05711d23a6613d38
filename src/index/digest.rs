//! Changes summed up by directory, for people who want to know what happened rather than read a million lines.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, params};

use super::{Reader, Result};
use crate::domain::change::Verdict;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{ChangeSummary, DirectoryChanges};
use crate::domain::repository::RepositoryId;

/// What a row of `changes` is summed up by: its verdict, the files that it stands for, where they are, and whence they
/// were moved. A directory without files counts as one change, or its move would be none.
pub(super) const PLACED: &str = "verdict, max(coalesce(directory_files, 1), 1) AS files,
     CASE WHEN directory_files IS NULL THEN directory_of(path) ELSE path END AS place,
     CASE WHEN verdict <> 'moved' OR old_path IS NULL THEN NULL
          WHEN directory_files IS NULL THEN directory_of(old_path) ELSE old_path END AS moved_from";

/// Teaches a connection the one thing about paths that SQL cannot say: `directory_of(path)`, where a file is.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("directory_of", 1, flags, |context| {
        let path = context.get_raw(0).as_blob()?;
        let length = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Ok(path[..length].to_vec())
    })?;
    Ok(())
}

impl Reader {
    /// Returns what changed in a repository since a moment, by directory; at most `limit` directories are named.
    ///
    /// A moved, removed or added directory stands for itself. SQLite sums up on disk: a million changes need no memory.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn changes_by_directory(
        &self,
        repository: RepositoryId,
        since: Timestamp,
        limit: usize,
    ) -> Result<ChangeSummary> {
        let by_verdict: String = Verdict::ALL
            .iter()
            .map(|verdict| format!(", sum(CASE verdict WHEN '{}' THEN files ELSE 0 END)", verdict.as_str()))
            .collect();
        let sql = format!(
            "WITH placed AS (SELECT {PLACED} FROM changes WHERE repository_id = ?1 AND at_ms >= ?2),
             summed AS (SELECT place, moved_from, sum(files) AS files {by_verdict}
                        FROM placed GROUP BY place, moved_from)
             SELECT count(*) OVER (), sum(files) OVER (), * FROM summed ORDER BY files DESC, place, moved_from LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![repository.0, since.0, limit as i64])?;
        let mut summary = ChangeSummary::default();
        while let Some(row) = rows.next()? {
            (summary.directories, summary.files) = (row.get(0)?, row.get(1)?);
            let mut files = Vec::new();
            for (column, verdict) in (5..).zip(Verdict::ALL) {
                files.push((verdict, row.get::<_, i64>(column)?));
            }
            files.retain(|(_, files)| *files > 0);
            summary.largest.push(DirectoryChanges {
                path: RelPath::from_stored(row.get(2)?),
                moved_from: row.get::<_, Option<Vec<u8>>>(3)?.map(RelPath::from_stored),
                files,
            });
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Settings;
    use crate::index::Writer;

    /// (verdict, path, old path, files of a directory).
    type Line<'a> = (&'a str, &'a [u8], Option<&'a [u8]>, Option<i64>);

    fn check(lines: &[Line<'_>], limit: usize, expected: &[&str]) -> ChangeSummary {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let repository = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        for (verdict, path, old, files) in lines {
            let (verdict, path, old, files) = ((*verdict).to_owned(), path.to_vec(), old.map(<[u8]>::to_vec), *files);
            let insert = "INSERT INTO changes (repository_id, run, at_ms, verdict, path, old_path, directory_files)
                          VALUES (?1, 1, 50, ?2, ?3, ?4, ?5)";
            let work = move |db: &mut crate::index::Db| {
                db.write(|db| Ok(db.execute(insert, params![repository.0, verdict, path, old, files])?))
            };
            writer.call(work).unwrap();
        }
        let reader = Reader::open(&path).unwrap().unwrap();
        assert_eq!(reader.changes_by_directory(repository, Timestamp(51), limit).unwrap(), ChangeSummary::default());
        let summary = reader.changes_by_directory(repository, Timestamp(50), limit).unwrap();
        let shown: Vec<String> = summary
            .largest
            .iter()
            .map(|entry| {
                let from = entry.moved_from.as_ref().map(|from| format!("{from} -> ")).unwrap_or_default();
                let files: Vec<String> = entry.files.iter().map(|(word, n)| format!("{n} {}", word.as_str())).collect();
                format!("{from}{}: {}", entry.path, files.join(" "))
            })
            .collect();
        assert_eq!(shown, expected);
        summary
    }

    #[test]
    fn changes_are_summed_up_by_directory_and_verdict() {
        check(
            &[
                ("added", b"a/b/1", None, None),
                ("edited", b"a/b/2", None, None),
                ("added", b"a/b/3", None, None),
                ("removed", b"top", None, None),
                ("added", b"a/4", None, None),
                ("added", b"bad\xff\xc3/x", None, None),
            ],
            10,
            &["a/b: 2 added 1 edited", ".: 1 removed", "a: 1 added", "bad\\xff\\xc3: 1 added"],
        );
    }

    #[test]
    fn a_moved_directory_stands_for_its_files_and_names_both_places() {
        check(
            &[
                ("moved", b"archive/2019", Some(b"2019"), Some(120)),
                ("moved", b"new/x", Some(b"old/x"), None),
                ("moved", b"new/y", Some(b"old/y"), None),
                ("moved", b"new/z", Some(b"z"), None),
                ("removed", b"gone", None, Some(0)),
            ],
            10,
            &["2019 -> archive/2019: 120 moved", "old -> new: 2 moved", "gone: 1 removed", ". -> new: 1 moved"],
        );
    }

    #[test]
    fn what_is_not_named_is_counted() {
        let names: Vec<Vec<u8>> = (0..25).map(|number| format!("d{number:02}/x").into_bytes()).collect();
        let lines: Vec<Line<'_>> = names.iter().map(|name| ("added", name.as_slice(), None, None)).collect();
        let summary = check(&lines, 2, &["d00: 1 added", "d01: 1 added"]);
        assert_eq!((summary.files, summary.directories), (25, 25));
    }
}
