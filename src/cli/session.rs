//! An engine for the time of one command: without watcher and schedule, in this process.

use super::Context;
use super::exit::{CliError, Result};
use crate::engine::protocol::{Answer, Command};
use crate::engine::{Engine, Handle, Options};

/// A running engine and a runtime to listen to it.
pub struct Session {
    engine: Engine,
    pub runtime: tokio::runtime::Runtime,
}

impl Session {
    /// Starts the engine.
    ///
    /// # Errors
    /// When another one has the data directory, or the config or the index is not in order.
    pub fn start(context: &Context, counts_ahead: bool) -> Result<Session> {
        let config = context.places.config()?;
        let data_directory = context.places.make_data_directory()?;
        let engine = Engine::start(Options { data_directory, config, counts_ahead, resident: false })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Session { engine, runtime })
    }

    pub fn handle(&self) -> &Handle {
        &self.engine.handle
    }

    /// Sends a command; a refusal becomes an error.
    ///
    /// # Errors
    /// The refusal.
    pub fn send(&self, command: Command) -> Result<Answer> {
        match self.handle().send_blocking(command) {
            Answer::Refused(refusal) => Err(CliError::from(refusal)),
            answer => Ok(answer),
        }
    }

    /// Ends the engine and waits for it.
    pub fn end(self) {
        self.engine.stop();
    }
}
