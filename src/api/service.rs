//! What every route works with: the engine's handle and the index, neither of which may hold up the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Failure;
use super::shape::AnswerJson;
use crate::domain::report::Repository;
use crate::engine::Handle;
use crate::engine::protocol::{Answer, Command, Snapshot};
use crate::index::{IndexError, Reader};

/// An engine that says nothing for so long does not answer.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    pub handle: Handle,
    index_path: Arc<Path>,
}

impl Service {
    pub fn new(handle: Handle, index_path: &Path) -> Service {
        Service { handle, index_path: Arc::from(index_path) }
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

    /// Reads the index on a thread that may block, over a connection of its own.
    ///
    /// # Errors
    /// Those of the index and of `read`.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let index_path = Arc::clone(&self.index_path);
        let reading = tokio::task::spawn_blocking(move || {
            let reader = Reader::open(&index_path)?;
            read(&reader.ok_or_else(|| Failure::new("unavailable", "there is no index yet"))?)
        });
        reading.await.unwrap_or_else(|_| Err(Failure::new("failed", "reading the index panicked; this is a bug")))
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
