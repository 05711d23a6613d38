//! An engine for the time of one command: the one that runs already, or else one in this process, without watcher and
//! schedule.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Context;
use super::exit::{CliError, Result};
use super::follow;
use crate::api::{self, Client, Server};
use crate::config::Config;
use crate::engine::protocol::{Answer, Command, Snapshot};
use crate::engine::{Engine, EngineError, Handle, LockError, Options};

/// An engine that has taken the lock serves its socket a moment later.
const STARTING: Duration = Duration::from_millis(500);
/// Nobody wonders about so short a wait.
const UNNOTICED: Duration = Duration::from_secs(1);
/// So many engines in a row that end just when they are needed are no chance.
const TRIES: u32 = 3;

/// A running engine and a runtime to listen to it.
pub struct Session {
    place: Place,
    pub runtime: tokio::runtime::Runtime,
}

/// Where the engine runs.
enum Place {
    Here { engine: Engine, server: Option<Server>, is_resident: bool },
    Elsewhere(Client),
}

impl Session {
    /// Reaches the running engine, or starts one that only does what it is asked for.
    ///
    /// # Errors
    /// When another one has the data directory and cannot be reached, or the config or the index is not in order.
    pub fn start(context: &Context, counts_ahead: bool) -> Result<Session> {
        Session::open(context, |data_directory, config| Options {
            data_directory,
            config,
            counts_ahead,
            resident: false,
        })
    }

    /// Reaches the running engine, or starts one that watches and keeps the schedule.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub fn start_resident(context: &Context) -> Result<Session> {
        Session::open(context, |data_directory, config| Options {
            data_directory,
            config,
            // Someone may look on at any time.
            counts_ahead: true,
            resident: true,
        })
    }

    fn open(context: &Context, options: impl Fn(PathBuf, Config) -> Options) -> Result<Session> {
        let config = context.places.config()?;
        let data_directory = context.places.make_data_directory()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let since = Instant::now();
        loop {
            let options = options(data_directory.clone(), config.clone());
            let is_resident = options.resident;
            match Engine::start(options) {
                Ok(engine) => {
                    let server = serve(context, &engine, &data_directory);
                    return Ok(Session { place: Place::Here { engine, server, is_resident }, runtime });
                }
                Err(EngineError::Lock(LockError::Held { holder })) => {
                    match reach(context, &data_directory) {
                        Ok(client) => return Ok(Session { place: Place::Elsewhere(client), runtime }),
                        Err(_) if since.elapsed() > STARTING => return Err(CliError::Locked(holder)),
                        // It may just be starting, or ending: then the lock is free the next time.
                        Err(_) => std::thread::sleep(Duration::from_millis(50)),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does `work` with an engine and ends the session. Does it again with the next engine when one in another process
    /// was about to end and has not begun with it.
    ///
    /// # Errors
    /// Those of [`Session::start`] and of `work`.
    pub fn with<T>(
        context: &mut Context,
        counts_ahead: bool,
        mut work: impl FnMut(&mut Context, &Session) -> Result<T>,
    ) -> Result<T> {
        let mut tries = 0;
        loop {
            let session = Session::start(context, counts_ahead)?;
            let is_attached = session.is_attached();
            let result = work(context, &session);
            session.end(context);
            tries += 1;
            if !matches!(result, Err(CliError::Unavailable(_))) || !is_attached || tries == TRIES {
                return result;
            }
        }
    }

    /// Reaches the running engine; `None` when none runs.
    ///
    /// # Errors
    /// When one runs and cannot be reached.
    pub fn attach(context: &Context) -> Result<Option<Session>> {
        let Some(data_directory) = context.places.engine_directory() else { return Ok(None) };
        let client = reach(context, &data_directory).map_err(|_| {
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

    /// Takes no more commands from others. While the engine has its lock, the socket is surely its own.
    pub fn close(&mut self) {
        if let Place::Here { server: Some(server), .. } = &mut self.place {
            server.close();
        }
    }

    /// Ends the engine in this process, one for the time of a command when it has done what other commands have asked it
    /// for meanwhile; leaves one in another process alone. Returns whether it ended in order.
    pub fn end(self, context: &Context) -> bool {
        match self.place {
            Place::Here { engine, server: Some(server), is_resident: true } => server.stop(engine),
            Place::Here { engine, server: Some(mut server), is_resident: false } => {
                self.runtime.block_on(finish(context, &engine.handle));
                server.close();
                // What came while it closed.
                self.runtime.block_on(finish(context, &engine.handle));
                server.stop(engine)
            }
            Place::Here { engine, server: None, .. } => engine.stop(),
            Place::Elsewhere(_) => true,
        }
    }
}

fn reach(context: &Context, data_directory: &Path) -> Result<Client> {
    let reached = context.places.socket(data_directory).and_then(|socket| Ok(api::connect(&socket)?));
    if let Err(CliError::Failed { message, .. }) = &reached {
        tracing::info!(reason = message, "the running engine cannot be reached");
    }
    reached
}

/// Waits for the runs that others have asked for, unless a signal comes: that cancels them.
async fn finish(context: &Context, handle: &Handle) {
    let is_idle = |snapshot: &Snapshot| snapshot.running.is_empty() && snapshot.queued.is_empty();
    if handle.snapshot().await.is_none_or(|snapshot| is_idle(&snapshot)) {
        return;
    }
    if tokio::time::timeout(UNNOTICED, follow::until_idle(handle)).await.is_ok() {
        return;
    }
    context.out.message("going on until the runs that others have asked for have ended; Ctrl-C cancels them");
    tokio::select! {
        () = follow::until_idle(handle) => {}
        // Whatever came of it, the engine's end cancels what is left.
        _ = follow::any_signal() => {}
    }
}

/// Lets others reach this engine. Without that it works as well, only alone.
fn serve(context: &Context, engine: &Engine, data_directory: &Path) -> Option<Server> {
    let served = context
        .places
        .socket(data_directory)
        .and_then(|socket| Ok(api::serve(engine.handle.clone(), &data_directory.join("index.db"), socket)?));
    match served {
        Ok(server) => Some(server),
        Err(error) => {
            if let CliError::Failed { message, .. } = error {
                context.out.message(&format!("no other command can reach this engine: {message}"));
            }
            None
        }
    }
}
