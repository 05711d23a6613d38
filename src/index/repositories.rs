//! Repositories: added, changed and removed here; they live in the index, not in the config.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writer::Writer;
use super::{IndexError, Reader, Result, settings};
use crate::domain::moment::Timestamp;
use crate::domain::report::Repository;
use crate::domain::repository::{RepositoryId, Settings};
use crate::domain::show::show;

const REPOSITORY: &str = "SELECT id, name, path, settings, identity, paused_ms, created_ms, seen_generation, seen_ms, \
                          total_files, total_bytes, left_out, true_ms, told_state, covered_files FROM repositories";

pub(super) fn repository(row: &Row<'_>) -> rusqlite::Result<Repository> {
    let json = |column: usize, error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    };
    Ok(Repository {
        id: RepositoryId(row.get(0)?),
        name: row.get(1)?,
        path: row.get(2)?,
        settings: settings::from_json(&row.get::<_, String>(3)?).map_err(|error| json(3, error))?,
        identity: row.get(4)?,
        paused_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        created_at: Timestamp(row.get(6)?),
        seen_generation: row.get(7)?,
        seen_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        total_files: row.get(9)?,
        total_bytes: row.get(10)?,
        left_out: left_out_from_json(&row.get::<_, String>(11)?).map_err(|error| json(11, error))?,
        true_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
        told_state: row.get(13)?,
        covered_files: row.get(14)?,
    })
}

fn left_out_from_json(json: &str) -> serde_json::Result<Vec<(String, u64)>> {
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)?;
    let mut rules: Vec<_> = map.into_iter().filter_map(|(rule, count)| Some((rule, count.as_u64()?))).collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(rules)
}

pub(super) fn left_out_to_json(rules: &[(String, u64)]) -> String {
    let map: serde_json::Map<_, _> = rules.iter().map(|(rule, count)| (rule.clone(), (*count).into())).collect();
    serde_json::Value::Object(map).to_string()
}

impl Writer {
    /// Adds a repository; `path` is absolute.
    ///
    /// # Errors
    /// When the name or the path is taken.
    pub fn add_repository(&self, name: &str, path: &[u8], settings: &Settings, at_ms: i64) -> Result<RepositoryId> {
        let (name, path, json) = (name.to_owned(), path.to_owned(), settings::to_json(settings));
        self.call(move |db| {
            db.write(|db| {
                let taken = "SELECT EXISTS (SELECT 1 FROM repositories WHERE name = ?1)";
                if db.query_row(taken, [&name], |row| row.get(0))? {
                    return Err(IndexError::Invalid(format!(
                        "there is a repository {name} already; choose another --name"
                    )));
                }
                db.execute(
                    "INSERT INTO repositories (name, path, settings, created_ms) VALUES (?1, ?2, ?3, ?4)",
                    params![name, path, json, at_ms],
                )?;
                Ok(RepositoryId(db.last_insert_rowid()))
            })
        })
    }

    /// Gives a repository another name.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn rename_repository(&self, id: RepositoryId, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.call(move |db| {
            db.write(|db| {
                let taken = "SELECT EXISTS (SELECT 1 FROM repositories WHERE name = ?1 AND id <> ?2)";
                if db.query_row(taken, params![name, id.0], |row| row.get(0))? {
                    return Err(IndexError::Invalid(format!("there is a repository {name} already")));
                }
                db.execute("UPDATE repositories SET name = ?2 WHERE id = ?1", params![id.0, name])?;
                Ok(())
            })
        })
    }

    /// Replaces a repository's settings.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_repository(&self, id: RepositoryId, settings: &Settings) -> Result<()> {
        let json = settings::to_json(settings);
        self.update(id, "settings", json)
    }

    /// Lets a repository stand at another path; what stands there is taken for the library whatever disk it is on.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn move_repository(&self, id: RepositoryId, path: &[u8]) -> Result<()> {
        self.update(id, "path", path.to_owned())?;
        self.call(move |db| {
            db.write(|db| {
                db.execute("DELETE FROM held WHERE repository_id = ?1 AND path = x''", [id.0])?;
                // Mount points are other ones at another place; the next full run writes them down anew.
                db.execute("UPDATE directories SET mount = NULL WHERE repository_id = ?1", [id.0])?;
                db.execute("UPDATE repositories SET identity = NULL WHERE id = ?1", [id.0])?;
                Ok(())
            })
        })
    }

    /// Forgets when directories were listed: the next incremental run lists all of them.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn make_directories_due(&self, id: RepositoryId) -> Result<()> {
        self.call(move |db| {
            db.write(|db| {
                let sql = "UPDATE directories SET mtime_ns = NULL, ctime_ns = NULL WHERE repository_id = ?1";
                db.execute(sql, [id.0])?;
                Ok(())
            })
        })
    }

    /// Writes down which directory on which file system the root is.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_identity(&self, id: RepositoryId, identity: &str) -> Result<()> {
        self.update(id, "identity", identity.to_owned())
    }

    /// Pauses a repository, or with `None` resumes it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn pause_repository(&self, id: RepositoryId, at_ms: Option<i64>) -> Result<()> {
        self.update(id, "paused_ms", at_ms)
    }

    /// Writes down what the last full run left out, by rule, if that is news.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_left_out(&self, id: RepositoryId, rules: &[(String, u64)]) -> Result<()> {
        self.update(id, "left_out", left_out_to_json(rules))
    }

    /// Writes down the latest moment for which a watcher has proven that all was in the index; `None` forgets it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_true_as_of(&self, id: RepositoryId, at: Option<Timestamp>) -> Result<()> {
        self.update(id, "true_ms", at.map(|at| at.0))
    }

    /// Writes down the state that the notify hook was told of.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_told_state(&self, id: RepositoryId, state: &str) -> Result<()> {
        self.update(id, "told_state", state.to_owned())
    }

    /// Writes down how many files a verify or a first reading has read within `verify_every` ([`Reader::coverage`]).
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_covered(&self, id: RepositoryId, files: i64) -> Result<()> {
        self.update(id, "covered_files", files)
    }

    /// `column` is one of our own words.
    fn update(
        &self,
        id: RepositoryId,
        column: &'static str,
        value: impl rusqlite::ToSql + Send + 'static,
    ) -> Result<()> {
        self.call(move |db| {
            db.write(|db| {
                let sql = format!("UPDATE repositories SET {column} = ?2 WHERE id = ?1 AND {column} IS NOT ?2");
                db.execute(&sql, params![id.0, value])?;
                Ok(())
            })
        })
    }

    /// Removes a repository and everything that is known of it from the index.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn remove_repository(&self, id: RepositoryId) -> Result<()> {
        const DIRECTORIES_PER_STEP: i64 = 500;
        loop {
            let done = self.call(move |db| {
                db.write(|db| {
                    let some = "SELECT id FROM directories WHERE repository_id = ?1 LIMIT ?2";
                    for table in ["files", "damage"] {
                        db.execute(
                            &format!("DELETE FROM {table} WHERE directory_id IN ({some})"),
                            params![id.0, DIRECTORIES_PER_STEP],
                        )?;
                    }
                    let sql = format!("DELETE FROM directories WHERE id IN ({some})");
                    Ok(db.execute(&sql, params![id.0, DIRECTORIES_PER_STEP])? == 0)
                })
            })?;
            if done {
                break;
            }
        }
        self.call(move |db| db.write(|db| forget_repository(db, id)))
    }
}

fn forget_repository(db: &Connection, id: RepositoryId) -> Result<()> {
    db.execute("DELETE FROM run_log WHERE run IN (SELECT number FROM runs WHERE repository_id = ?1)", [id.0])?;
    for table in ["changes", "problems", "held", "damage", "hash_states", "sync_status", "runs"] {
        db.execute(&format!("DELETE FROM {table} WHERE repository_id = ?1"), [id.0])?;
    }
    db.execute("DELETE FROM repositories WHERE id = ?1", [id.0])?;
    Ok(())
}

impl Reader {
    /// Returns all repositories by name.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn repositories(&self) -> Result<Vec<Repository>> {
        let mut statement = self.connection.prepare_cached(&format!("{REPOSITORY} ORDER BY name"))?;
        Ok(statement.query_map([], repository)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the repository of a row number.
    ///
    /// # Errors
    /// When it has been removed.
    pub fn repository_by_id(&self, id: RepositoryId) -> Result<Repository> {
        let sql = format!("{REPOSITORY} WHERE id = ?1");
        let found = self.connection.query_row(&sql, [id.0], repository).optional()?;
        found.ok_or_else(|| IndexError::Invalid("the repository has been removed meanwhile".to_owned()))
    }

    /// Returns the repository of a name.
    ///
    /// # Errors
    /// When there is none, with the names that there are.
    pub fn repository(&self, name: &str) -> Result<Repository> {
        let sql = format!("{REPOSITORY} WHERE name = ?1");
        if let Some(found) = self.connection.query_row(&sql, [name], repository).optional()? {
            return Ok(found);
        }
        let known: Vec<String> = self.repositories()?.into_iter().map(|repository| repository.name).collect();
        let known = match known.len() {
            0 => "there are none yet; add one with `watchkeeper repo add PATH`".to_owned(),
            _ => format!("there are {}", known.join(", ")),
        };
        Err(IndexError::Invalid(format!("there is no repository {}; {known}", show(name.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::{Kind, Outcome};
    use crate::index::{CloseRun, NewRun, unsealed};

    #[test]
    fn what_a_watcher_has_proven_holds_until_a_full_run_has_seen_more() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let id = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let reader = Reader::open(&path).unwrap().unwrap();
        let known = || reader.repository_by_id(id).unwrap();
        writer.set_told_state(id, "held").unwrap();
        writer.set_covered(id, 12).unwrap();
        writer.set_true_as_of(id, Some(Timestamp(70))).unwrap();
        let told = known();
        assert_eq!((told.told_state.as_deref(), told.covered_files), (Some("held"), Some(12)));
        for (number, vouches_from_ms, true_ms) in [(1, Some(60), Some(70)), (2, None, Some(70)), (3, Some(80), None)] {
            let run_id = format!("run {number}");
            let retry_of = (number == 2).then(|| "run 1".to_owned());
            let run = writer
                .open_run(
                    NewRun {
                        run_id,
                        repository: id,
                        name: "a".to_owned(),
                        kind: Kind::Full,
                        trigger: "retry".to_owned(),
                        started_ms: 50,
                        instance: "i".to_owned(),
                        metadata: None,
                        attempt: number,
                        retry_of: retry_of.clone(),
                        is_plan: false,
                        first_line: String::new(),
                    },
                    unsealed,
                )
                .unwrap();
            let outcome = Outcome::Completed;
            let close = CloseRun {
                outcome,
                ended_ms: 90,
                duration_ms: 1,
                error_class: None,
                error_message: None,
                metadata: None,
                vouches_from_ms,
            };
            let run = writer.close_run(&run, close, unsealed).unwrap();
            assert_eq!((run.attempt, run.retry_of, run.folded), (number, retry_of, 1));
            assert_eq!(known().true_at, true_ms.map(Timestamp), "run {number}");
        }
        writer.set_true_as_of(id, Some(Timestamp(99))).unwrap();
        assert_eq!(known().true_at, Some(Timestamp(99)));
        writer.set_true_as_of(id, None).unwrap();
        assert_eq!(known().true_at, None);
    }
}
