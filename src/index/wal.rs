//! When the WAL is moved into the main file: while nobody waits for the writer.
//!
//! A checkpoint takes as long as dozens of commits. Left to SQLite it falls into the commit that fills the WAL, and at a
//! run's end it stood in the way of the next one: events that came then were the slowest of all (127 ms). SQLite's own
//! limit stays for a writer that never rests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use rusqlite::Connection;

use super::Result;
use super::connection::BUSY_TIMEOUT;
use super::queue::{Message, Receiving};

/// A writer that had nothing to do for so long is between two events.
const BREATH: Duration = Duration::from_millis(20);
/// From here on a breath is used: half of what SQLite waits for by itself.
const WORTH_A_BREATH: u64 = 2 << 20;
/// A writer that had nothing to do for so long rests.
const REST: Duration = Duration::from_secs(1);

/// The WAL of the writer's connection.
#[derive(Debug)]
pub(super) struct Wal(PathBuf);

impl Wal {
    pub fn of(index_path: &Path) -> Wal {
        Wal(beside(index_path, "-wal"))
    }

    /// Asked by name: opening and closing it would drop SQLite's locks (invariant 11).
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |found| found.len())
    }

    /// Waits for the next message, and uses the time. `None`: there will be none.
    pub fn wait(&self, connection: &Connection, queue: &mut Receiving) -> Option<Message> {
        for (length, worth, how) in [(BREATH, WORTH_A_BREATH, How::Copy), (REST, 0, How::CutOff)] {
            if self.bytes() == 0 || !connection.is_autocommit() {
                break;
            }
            match queue.next(length) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let is_worth_it = || Ok(worth == 0 || bytes_to_copy(connection)? >= worth);
                    let moved = is_worth_it().and_then(|it_is| if it_is { move_in(connection, how) } else { Ok(()) });
                    if let Err(error) = moved {
                        tracing::warn!(%error, "the WAL could not be moved into the index");
                    }
                }
            }
        }
        queue.next(Duration::MAX).ok()
    }
}

/// Returns the name of what SQLite puts beside an index.
pub(super) fn beside(index_path: &Path, end: &str) -> PathBuf {
    let mut name = index_path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// At the end readers of runs that were cut short are waited for: they are about to go.
pub(super) const READERS_GO_WITHIN: Duration = Duration::from_millis(500);

/// What becomes of the WAL when it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It stays as long as it is, and is written anew from its start. Who opens the index meanwhile waits for nothing.
    Copy,
    /// It is empty afterwards; who opens the index at that moment waits, for 30 ms on a slow disk.
    CutOff,
}

/// Returns how much of the WAL is not in the main file yet. A WAL that was copied stays as long as it was, and moving it
/// again with every event cost 1.5 % of a core.
fn bytes_to_copy(connection: &Connection) -> Result<u64> {
    let page_bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (in_wal, copied) = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], pages)?;
    Ok(u64::try_from(in_wal - copied).unwrap_or(0) * u64::from(page_bytes))
}

/// Moves the WAL into the main file, as far as no reader stands in the way: that one is not waited for.
pub(super) fn move_in(connection: &Connection, how: How) -> Result<()> {
    move_in_within(connection, how, Duration::ZERO)
}

/// As [`move_in`], and waits so long for readers.
pub(super) fn move_in_within(connection: &Connection, how: How, patience: Duration) -> Result<()> {
    connection.busy_timeout(patience)?;
    let sql = match how {
        How::Copy => "PRAGMA wal_checkpoint(PASSIVE)",
        How::CutOff => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let moved = connection.query_row(sql, [], |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(moved?)
}

#[cfg(test)]
mod tests {
    use super::super::connection;
    use super::super::queue::{Line, queue};
    use super::*;

    #[test]
    fn a_writer_that_rests_empties_the_wal_and_one_that_is_asked_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let connection = connection::open_writer(&path).unwrap();
        let wal = Wal::of(&path);
        connection.execute("INSERT INTO settings (key, value) VALUES ('a', 'b')", []).unwrap();
        assert!(wal.bytes() > 0);
        let (sending, mut receiving) = queue();
        let word = || Message::Call(Box::new(|_| ()));
        sending.send(Line::Ordinary, word()).unwrap();
        assert!(wal.wait(&connection, &mut receiving).is_some());
        assert!(wal.bytes() > 0, "it was not waited for");
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || {
                let wal = Wal::of(&path);
                while wal.bytes() > 0 {
                    std::thread::yield_now();
                }
                sending.send(Line::Ordinary, word()).unwrap();
            }
        });
        assert!(wal.wait(&connection, &mut receiving).is_some(), "the other side sends when it is empty");
        waiting.join().unwrap();
        assert!(wal.wait(&connection, &mut receiving).is_none());
    }

    #[test]
    fn what_was_copied_is_not_copied_again() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let connection = connection::open_writer(&path).unwrap();
        let write =
            |key: &str| connection.execute("INSERT INTO settings (key, value) VALUES (?1, 'b')", [key]).unwrap();
        for key in 0..20 {
            write(&key.to_string());
        }
        let first = bytes_to_copy(&connection).unwrap();
        assert!(first >= 20 * 4096, "{first}");
        move_in(&connection, How::Copy).unwrap();
        assert!(Wal::of(&path).bytes() > first, "it is as long as it was");
        assert_eq!(bytes_to_copy(&connection).unwrap(), 0);
        write("more");
        let more = bytes_to_copy(&connection).unwrap();
        assert!(0 < more && more < first, "{more} of {first}");
    }

    #[test]
    fn a_reader_that_looks_at_an_old_state_is_not_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let connection = connection::open_writer(&path).unwrap();
        let reader = connection::open_reader(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM settings").unwrap();
        connection.execute("INSERT INTO settings (key, value) VALUES ('a', 'b')", []).unwrap();
        move_in(&connection, How::CutOff).unwrap();
        assert!(Wal::of(&path).bytes() > 0);
        reader.execute_batch("COMMIT").unwrap();
        move_in(&connection, How::CutOff).unwrap();
        assert_eq!(Wal::of(&path).bytes(), 0);
    }
}
