//! Settings of the whole program that were changed at run time: the table `settings`. What they mean is not known here.

use rusqlite::params;

use super::{Reader, Result, Writer};

impl Writer {
    /// Keeps a setting, `section.key` and the value as a person writes it; `None` takes it back.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.call(move |db| {
            db.write(|db| {
                match value {
                    Some(value) => db.execute(
                        "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                        params![key, value],
                    )?,
                    None => db.execute("DELETE FROM settings WHERE key = ?1", [key])?,
                };
                Ok(())
            })
        })
    }
}

impl Reader {
    /// Returns the settings that were kept, by key.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn settings(&self) -> Result<Vec<(String, String)>> {
        let mut statement = self.connection.prepare("SELECT key, value FROM settings ORDER BY key")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_kept_replaced_and_taken_back() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let reader = Reader::open(&path).unwrap().unwrap();
        let check = |expected: &[(&str, &str)]| {
            let known = reader.settings().unwrap();
            let known: Vec<(&str, &str)> = known.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(known, expected);
        };
        writer.set_setting("sync.full_every", Some("12h")).unwrap();
        writer.set_setting("scheduler.enabled", Some("true")).unwrap();
        writer.set_setting("sync.full_every", Some("6h")).unwrap();
        check(&[("scheduler.enabled", "true"), ("sync.full_every", "6h")]);
        writer.set_setting("sync.full_every", None).unwrap();
        writer.set_setting("sync.never_set", None).unwrap();
        check(&[("scheduler.enabled", "true")]);
    }
}
