//! When the WAL is moved into the main file: while nobody waits for the writer.
//!
//! A checkpoint takes as long as dozens of commits. Left to SQLite it falls into the commit that fills the WAL, and at a
//! run's end it stood in the way of the next one: events that came then were the slowest of all (127 ms). SQLite's own
//! limit stays for a writer that never rests.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use super::Result;
use super::connection::BUSY_TIMEOUT;

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
        let mut name = index_path.as_os_str().to_owned();
        name.push("-wal");
        Wal(name.into())
    }

    /// Asked by name: opening and closing it would drop SQLite's locks (invariant 11).
    fn bytes(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |found| found.len())
    }

    /// Waits for the next message, and uses the time. `None`: there will be none.
    pub fn wait<T>(&self, connection: &Connection, messages: &Receiver<T>) -> Option<T> {
        for (length, worth) in [(BREATH, WORTH_A_BREATH), (REST, 1)] {
            if self.bytes() == 0 || !connection.is_autocommit() {
                break;
            }
            match messages.recv_timeout(length) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.bytes() < worth => {}
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = move_in(connection) {
                        tracing::warn!(%error, "the WAL could not be moved into the index");
                    }
                }
            }
        }
        messages.recv().ok()
    }
}

/// Moves the WAL into the main file and cuts it off, as far as no reader stands in the way: that one is not waited for.
pub(super) fn move_in(connection: &Connection) -> Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(moved?)
}

#[cfg(test)]
mod tests {
    use super::super::connection;
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_writer_that_rests_empties_the_wal_and_one_that_is_asked_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let connection = connection::open_writer(&path).unwrap();
        let wal = Wal::of(&path);
        connection.execute("INSERT INTO settings (key, value) VALUES ('a', 'b')", []).unwrap();
        assert!(wal.bytes() > 0);
        let (sender, messages) = sync_channel(1);
        sender.send(1).unwrap();
        assert_eq!(wal.wait(&connection, &messages), Some(1));
        assert!(wal.bytes() > 0, "it was not waited for");
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || {
                let wal = Wal::of(&path);
                while wal.bytes() > 0 {
                    std::thread::yield_now();
                }
                sender.send(2).unwrap();
            }
        });
        assert_eq!(wal.wait(&connection, &messages), Some(2), "the other side sends when it is empty");
        waiting.join().unwrap();
        assert_eq!(wal.wait(&connection, &messages), None);
    }

    #[test]
    fn a_reader_that_looks_at_an_old_state_is_not_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let connection = connection::open_writer(&path).unwrap();
        let reader = connection::open_reader(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM settings").unwrap();
        connection.execute("INSERT INTO settings (key, value) VALUES ('a', 'b')", []).unwrap();
        move_in(&connection).unwrap();
        assert!(Wal::of(&path).bytes() > 0);
        reader.execute_batch("COMMIT").unwrap();
        move_in(&connection).unwrap();
        assert_eq!(Wal::of(&path).bytes(), 0);
    }
}
