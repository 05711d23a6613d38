//! An engine for the time of one command: the one that runs already, or else one in this process, without watcher and
//! schedule.

use std::time::{Duration, Instant};

use super::Context;
use super::exit::{CliError, Result};
use crate::api::{self, Client, Server};
use crate::engine::protocol::{Answer, Command};
use crate::engine::{Engine, EngineError, Handle, LockError, Options};

/// An engine that has taken the lock serves its socket a moment later.
const STARTING: Duration = Duration::from_millis(500);

/// A running engine and a runtime to listen to it.
pub struct Session {
    place: Place,
    pub runtime: tokio::runtime::Runtime,
}

/// Where the engine runs.
enum Place {
    Here { engine: Engine, server: Option<Server> },
    Elsewhere(Client),
}

impl Session {
    /// Reaches the running engine, or starts one.
    ///
    /// # Errors
    /// When another one has the data directory and cannot be reached, or the config or the index is not in order.
    pub fn start(context: &Context, counts_ahead: bool) -> Result<Session> {
        let config = context.places.config()?;
        let data_directory = context.places.make_data_directory()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let since = Instant::now();
        loop {
            let options = Options { data_directory: data_directory.clone(), config: config.clone(), counts_ahead };
            match Engine::start(options) {
                Ok(engine) => {
                    let server = serve(context, &engine, &data_directory);
                    return Ok(Session { place: Place::Here { engine, server }, runtime });
                }
                Err(EngineError::Lock(LockError::Held { holder })) => {
                    match api::connect(&context.places.socket(&data_directory)?) {
                        Ok(client) => return Ok(Session { place: Place::Elsewhere(client), runtime }),
                        Err(error) if since.elapsed() > STARTING => {
                            tracing::info!(%error, "the running engine cannot be reached");
                            return Err(CliError::Locked(holder));
                        }
                        // It may just be starting, or ending: then the lock is free the next time.
                        Err(_) => std::thread::sleep(Duration::from_millis(50)),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reaches the running engine; `None` when none runs.
    ///
    /// # Errors
    /// When one runs and cannot be reached.
    pub fn attach(context: &Context) -> Result<Option<Session>> {
        let Some(data_directory) = context.places.engine_directory() else { return Ok(None) };
        let client = api::connect(&context.places.socket(&data_directory)?).map_err(|error| {
            tracing::info!(%error, "the running engine cannot be reached");
            let holder = std::fs::read_to_string(data_directory.join("engine.lock")).unwrap_or_default();
            CliError::Locked(holder.trim().to_owned())
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Some(Session { place: Place::Elsewhere(client), runtime }))
    }

    pub fn handle(&self) -> &Handle {
        match &self.place {
            Place::Here { engine, .. } => &engine.handle,
            Place::Elsewhere(client) => &client.handle,
        }
    }

    /// Tells whether the engine runs in another process and goes on without this one.
    pub fn is_attached(&self) -> bool {
        matches!(self.place, Place::Elsewhere(_))
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

    /// Ends the engine in this process and waits for it; leaves one in another process alone.
    pub fn end(self) {
        match self.place {
            Place::Here { engine, server: Some(server) } => server.stop(engine),
            Place::Here { engine, server: None } => engine.stop(),
            Place::Elsewhere(_) => {}
        }
    }
}

/// Lets others reach this engine. Without that it works as well, only alone.
fn serve(context: &Context, engine: &Engine, data_directory: &std::path::Path) -> Option<Server> {
    let served = context
        .places
        .socket(data_directory)
        .and_then(|socket| Ok(api::serve(engine.handle.clone(), &data_directory.join("index.db"), socket)?));
    match served {
        Ok(server) => Some(server),
        Err(error) => {
            let (CliError::Failed { message, .. } | CliError::Usage(message) | CliError::Locked(message)) = error
            else {
                return None;
            };
            tracing::warn!("no other command can reach this engine: {message}");
            None
        }
    }
}
