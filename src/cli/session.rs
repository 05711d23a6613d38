//! An engine in this process: for the time of one command, or one that stays.

use std::path::PathBuf;

use super::Context;
use super::exit::{CliError, Result};
use crate::config::Config;
use crate::engine::protocol::{Answer, Command};
use crate::engine::{Engine, Handle, Options};

/// A running engine and a runtime to listen to it.
pub struct Session {
    engine: Engine,
    pub runtime: tokio::runtime::Runtime,
}

impl Session {
    /// Starts an engine that only does what it is asked for.
    ///
    /// # Errors
    /// When another one has the data directory, or the config or the index is not in order.
    pub fn start(context: &Context, counts_ahead: bool) -> Result<Session> {
        Session::with(context, |data_directory, config| Options {
            data_directory,
            config,
            counts_ahead,
            resident: false,
        })
    }

    /// Starts an engine that watches and keeps the schedule.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub fn start_resident(context: &Context) -> Result<Session> {
        Session::with(context, |data_directory, config| Options {
            data_directory,
            config,
            // Someone may look on at any time.
            counts_ahead: true,
            resident: true,
        })
    }

    fn with(context: &Context, options: impl FnOnce(PathBuf, Config) -> Options) -> Result<Session> {
        let config = context.places.config()?;
        let engine = Engine::start(options(context.places.make_data_directory()?, config))?;
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

    /// Ends the engine and waits for it. Returns whether it ended in order.
    pub fn end(self) -> bool {
        self.engine.stop()
    }
}
