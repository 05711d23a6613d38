//! What every route works with: the engine's handle and the index, neither of which may hold up the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::Failure;
use crate::domain::report::Repository;
use crate::engine::Handle;
use crate::engine::protocol::{Answer, Command, Snapshot};
use crate::index::{IndexError, Reader};
use crate::wire::AnswerJson;

/// An engine that says nothing for so long does not answer.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// So many connections to the index stay open between two requests. To open one takes 2 ms, ten times as long as a status.
const READERS_KEPT: usize = 2;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    pub handle: Handle,
    index_path: Arc<Path>,
    readers: Arc<Mutex<Vec<Reader>>>,
}

impl Service {
    pub fn new(handle: Handle, index_path: &Path) -> Service {
        Service { handle, index_path: Arc::from(index_path), readers: Arc::default() }
    }

    /// Returns a connection that is open, if it reads what stands there now, else a new one.
    fn reader(&self) -> Result<Reader, Failure> {
        // In a statement of its own: the lock is not held while one is looked at or opened.
        let kept = self.kept().pop();
        if let Some(reader) = kept.filter(Reader::is_current) {
            return Ok(reader);
        }
        Reader::open(&self.index_path)?.ok_or_else(|| Failure::new("unavailable", "there is no index yet"))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command and shapes its answer.
    ///
    /// # Errors
    /// The refusal.
    pub async fn command(&self, command: Command) -> Result<AnswerJson, Failure> {
        match self.handle.send(command).await {
            Answer::Refused(refusal) => Err(refusal.into()),
            answer => Ok(AnswerJson::from(answer)),
        }
    }

    /// Asks the engine what only it knows.
    ///
    /// # Errors
    /// When it has ended or does not answer.
    pub async fn snapshot(&self) -> Result<Snapshot, Failure> {
        match tokio::time::timeout(PATIENCE, self.handle.snapshot()).await {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => Err(Failure::new("unavailable", "the engine has ended")),
            Err(_) => Err(Failure::new("unavailable", "the engine does not answer")),
        }
    }

    /// Reads the index over a connection that nobody else uses meanwhile. It may block: the runtime's other work moves to
    /// another thread. To hand the reading over instead costs two wake-ups, each of which waits for its turn while a sync
    /// keeps all cores busy: 5 ms in place of 3.5 at p99 during a first sync on two cores.
    ///
    /// # Errors
    /// Those of the index and of `read`.
    pub fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Failure>) -> Result<T, Failure> {
        let read = || {
            let reader = self.reader()?;
            let found = read(&reader)?;
            // Only one that has just done its work.
            let mut kept = self.kept();
            if kept.len() < READERS_KEPT {
                kept.push(reader);
            }
            Ok(found)
        };
        // A reader in which something panicked is gone with it.
        tokio::task::block_in_place(|| catch_unwind(AssertUnwindSafe(read)))
            .unwrap_or_else(|_| Err(Failure::new("failed", "reading the index panicked; this is a bug")))
    }
}

/// Finds a repository by name.
///
/// # Errors
/// When there is none of this name.
pub fn repository(reader: &Reader, name: &str) -> Result<Repository, Failure> {
    reader.repository(name).map_err(|error| match error {
        IndexError::Invalid(message) => Failure::new("unknown_repository", message),
        other => other.into(),
    })
}
