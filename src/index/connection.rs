//! Opens connections, all of them with the same settings, each read back after it was set.
//!
//! `synchronous=FULL` because WAL with NORMAL loses acknowledged commits in a power cut; `mmap_size=0` because an I/O error
//! in mapped memory is a signal; readers are read-only so that none can unlink a WAL that another still needs.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::wal::Wal;
use super::{APPLICATION_ID, IndexError, Result, migrate};

/// What `doctor` wants to know of the database itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub sqlite_version: String,
    pub schema: i32,
    /// Empty when everything is in order.
    pub integrity: Vec<String>,
}

/// How long a lock that another process holds is waited for.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Opens the read-write connection, creating and migrating the file when needed. `path`'s directory holds no symlink.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    check_before_opening(path)?;
    // Made beforehand so that the database, and the files that SQLite makes after its image, are private.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        // Closed before SQLite opens it: closed later it would drop SQLite's locks (invariant 11).
        Ok(file) => drop(file),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(IndexError::Open { path: path.to_owned(), source }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    harden(&connection)?;
    check_opened(&connection, path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    if pragma_i32(&connection, "application_id")? == 0 {
        // Before WAL, so that this mark is in the main file from the first moment: it is what a later start checks.
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(IndexError::Setting(format!("journal_mode is {mode}")));
    }
    set(&connection, "synchronous", 2)?;
    set(&connection, "foreign_keys", 1)?;
    set(&connection, "journal_size_limit", 64 << 20)?;
    set(&connection, "wal_autocheckpoint", 1000)?;
    // Temporary tables (what a run has parked) may grow with the tree: they belong on disk, not in memory.
    set(&connection, "temp_store", 1)?;
    migrate::migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a read-only connection to an existing index.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    check_before_opening(path)?;
    open_to_read(path, path, OpenFlags::SQLITE_OPEN_NOFOLLOW)
}

/// As [`open_reader`], for when no engine lives. Where no file can be made beside the index (a full disk, one that is
/// mounted read-only) it is read as a file that does not change: without a WAL all is in it. Under a living engine it might
/// change all the same, and what is read be wrong.
pub(super) fn open_reader_left_alone(path: &Path) -> Result<Connection> {
    match open_reader(path) {
        Err(error) if lacks_room_beside(&error) && Wal::of(path).bytes() == 0 => {
            open_to_read(path, immutable_uri(path), OpenFlags::SQLITE_OPEN_URI)
        }
        opened => opened,
    }
}

fn open_to_read(path: &Path, name: impl AsRef<Path>, how: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | how;
    let connection = Connection::open_with_flags(name, flags)?;
    harden(&connection)?;
    set(&connection, "query_only", 1)?;
    check_opened(&connection, path)?;
    Ok(connection)
}

/// Tells whether an index could not be opened because its `-wal` or `-shm` could not be made.
fn lacks_room_beside(error: &IndexError) -> bool {
    use rusqlite::ffi;
    let IndexError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = error else { return false };
    let sign = failure.extended_code;
    matches!(failure.code, ErrorCode::CannotOpen | ErrorCode::DiskFull)
        || [ffi::SQLITE_IOERR_SHMOPEN, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_SHMMAP].contains(&sign)
        || [ffi::SQLITE_READONLY_CANTINIT, ffi::SQLITE_READONLY_DIRECTORY].contains(&sign)
}

/// Tells whether an index was cut off while it was made: a rollback journal stands beside it, which there is only before
/// the WAL, and which only a writer may play back. Nothing is recorded in it yet.
pub(super) fn is_half_made(error: &IndexError) -> bool {
    let IndexError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = error else { return false };
    failure.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK
}

/// Refuses what is not ours before SQLite may write a byte (not even a `-shm` beside it).
///
/// `immutable` takes no lock and makes no file. It does not see the WAL, so [`migrate::check_version`] looks again.
fn check_before_opening(path: &Path) -> Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(IndexError::Open { path: path.to_owned(), source }),
    };
    if !found.is_file() {
        return Err(IndexError::Foreign(path.to_owned()));
    }
    if found.len() == 0 {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(immutable_uri(path), flags)?;
    match pragma_i32(&connection, "application_id") {
        Ok(APPLICATION_ID) => migrate::check_version(&connection, path),
        Ok(_) => Err(IndexError::Foreign(path.to_owned())),
        Err(IndexError::Sqlite(error)) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Err(IndexError::NoDatabase(path.to_owned())),
            // Cut off while the WAL was moved in: whole only together with it. The real opening looks again.
            Some(ErrorCode::DatabaseCorrupt) => Ok(()),
            _ => Err(IndexError::Sqlite(error)),
        },
        Err(error) => Err(error),
    }
}

/// Refuses a database that is not ours, as it is seen with its WAL; a new one has no mark and no table yet.
fn check_opened(connection: &Connection, path: &Path) -> Result<()> {
    let id = pragma_i32(connection, "application_id")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return migrate::check_version(connection, path);
    }
    Err(IndexError::Foreign(path.to_owned()))
}

pub(super) fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => write!(uri, "%{other:02X}").expect("writing to a string cannot fail"),
        }
    }
    uri + "?immutable=1"
}

pub(super) fn harden(connection: &Connection) -> Result<()> {
    use DbConfig as Db;
    for (config, value) in [
        (Db::SQLITE_DBCONFIG_DEFENSIVE, true),
        (Db::SQLITE_DBCONFIG_DQS_DML, false),
        (Db::SQLITE_DBCONFIG_DQS_DDL, false),
        (Db::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (Db::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        // Until it is known that it is ours: closing it would move a WAL into a file that is to stay as it is.
        (Db::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        (Db::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        // A statement is planned once and not anew for other values: that was a tenth of what an event costs.
        (Db::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        (Db::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
    ] {
        if connection.set_db_config(config, value)? != value {
            return Err(IndexError::Setting(format!("{config:?}")));
        }
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 16 << 20),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
        (Limit::SQLITE_LIMIT_ATTACHED, 1),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.busy_timeout(BUSY_TIMEOUT)?;
    set(connection, "cell_size_check", 1)?;
    set(connection, "mmap_size", 0)?;
    // A run asks for the same dozen statements again and again.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Sets a pragma and reads it back.
fn set(connection: &Connection, name: &str, value: i64) -> Result<()> {
    connection.pragma_update(None, name, value)?;
    let got: Option<i64> = connection.pragma_query_value(None, name, |row| row.get(0)).ok();
    // `mmap_size` answers nothing at all where memory mapping was left out of the build.
    if got.is_some_and(|got| got != value) {
        return Err(IndexError::Setting(format!("{name} is {got:?}, not {value}")));
    }
    Ok(())
}

pub(super) fn pragma_i32(connection: &Connection, name: &str) -> Result<i32> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Looks a database over: every page, every index.
pub(super) fn health(connection: &Connection) -> Result<Health> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Health {
        sqlite_version: rusqlite::version().to_owned(),
        schema: pragma_i32(connection, "user_version")?,
        integrity: lines.into_iter().filter(|line| line != "ok").collect(),
    })
}

/// Looks over the structure of a database; what it finds first.
pub(super) fn quick_check(connection: &Connection) -> Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_sqlite_has_no_known_wal_defect() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }

    #[test]
    fn only_when_no_engine_lives_an_index_is_read_as_it_lies() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        drop(open_writer(&path).unwrap());
        // What SQLite needs beside it cannot be made here.
        std::os::unix::fs::symlink("nowhere", temp.path().join("index.db-shm")).unwrap();
        assert!(lacks_room_beside(&open_reader(&path).unwrap_err()));
        let reader = open_reader_left_alone(&path).unwrap();
        assert_eq!(pragma_i32(&reader, "application_id").unwrap(), APPLICATION_ID);
        assert!(reader.execute("DELETE FROM settings", []).is_err());
        // What is in the WAL would be missing.
        std::fs::write(temp.path().join("index.db-wal"), "rows").unwrap();
        assert!(open_reader_left_alone(&path).is_err());
    }

    #[test]
    fn every_connection_holds_the_settings_of_its_role() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        for (connection, name, expected) in [
            (&writer, "synchronous", 2),
            (&writer, "foreign_keys", 1),
            (&writer, "application_id", i64::from(APPLICATION_ID)),
            (&reader, "query_only", 1),
            (&reader, "cell_size_check", 1),
        ] {
            let value: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert_eq!(value, expected, "{name}");
        }
        assert!(reader.execute("DELETE FROM runs", []).is_err());
        use std::os::unix::fs::PermissionsExt;
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let mode = std::fs::metadata(temp.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_foreign_or_newer_database_is_refused_and_stays_byte_for_byte() {
        let temp = tempfile::tempdir().unwrap();
        let make = |name: &str, sql: &str| {
            let path = temp.path().join(name);
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            path
        };
        let newer = format!("PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=999; CREATE TABLE t(x);");
        let text = temp.path().join("text.db");
        std::fs::write(&text, b"not a database, but long enough to be mistaken for one by somebody".repeat(20))
            .unwrap();
        let directory = temp.path().join("directory.db");
        std::fs::create_dir(&directory).unwrap();
        for path in [make("other.db", "CREATE TABLE t(x)"), make("newer.db", &newer), text] {
            let before = std::fs::read(&path).unwrap();
            let is_refused =
                |error| matches!(error, IndexError::Foreign(_) | IndexError::NoDatabase(_) | IndexError::Newer { .. });
            assert!(open_writer(&path).is_err_and(is_refused), "{path:?}");
            assert!(open_reader(&path).is_err_and(is_refused), "{path:?}");
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
        assert!(matches!(open_writer(&directory), Err(IndexError::Foreign(_))));
        let names: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 4, "no file was left beside them: {names:?}");
    }
}
