//! An engine for the time of one command: the one that runs already, or else one in this process, without watcher and
//! schedule; for a screen one in a process of its own ([`super::background`]).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Context;
use super::background::Launcher;
use super::exit::{CliError, Result};
use super::follow;
use super::signals::any_signal;
use crate::api::{self, Client, Listen, Server};
use crate::config::Config;
use crate::engine::protocol::{Answer, Command, Stay};
use crate::engine::{Ending, Engine, EngineError, Handle, LockError, Options, holder};

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
    Here { engine: Engine, server: Option<Server>, stay: Stay },
    Elsewhere { client: Client, launcher: Option<Arc<Mutex<Launcher>>> },
}

impl Session {
    /// Reaches the running engine, or starts one that only does what it is asked for.
    ///
    /// # Errors
    /// When another one has the data directory and cannot be reached, or the config or the index is not in order.
    pub fn start(context: &Context, counts_ahead: bool) -> Result<Session> {
        Session::open(context, None, |data_directory, config| Options {
            data_directory,
            config,
            counts_ahead,
            stay: Stay::Command,
        })
    }

    /// Reaches the running engine, or starts one in this process that watches and keeps the schedule; on the network, too,
    /// where `listen` says so.
    ///
    /// # Errors
    /// As [`Session::start`]; also when nobody could reach one that only stays while it is used, or not as was asked for.
    pub fn start_resident(context: &Context, stay: Stay, listen: Option<Listen>) -> Result<Session> {
        Session::open(context, listen, |data_directory, config| Options {
            data_directory,
            config,
            // Someone may look on at any time.
            counts_ahead: true,
            stay,
        })
    }

    /// Reaches the running engine, or one in a process of its own that is started for it, and finds the next one when
    /// that is lost. A service is waited for; any other engine is replaced.
    ///
    /// # Errors
    /// When another one has the data directory and cannot be reached, or none can be started.
    pub fn look_on(context: &Context) -> Result<Session> {
        context.places.config()?;
        let data_directory = context.places.make_data_directory()?;
        let socket = context.places.socket(&data_directory)?;
        let launcher = Arc::new(Mutex::new(Launcher::new(&context.places)));
        let runtime = crate::engine::runtime()?;
        let (mut since, mut tries) = (Instant::now(), 0);
        loop {
            if tries < TRIES && !crate::engine::is_running(&data_directory) {
                let launched = lock(&launcher).launch();
                // Someone else was quicker: then that one is reached.
                if !matches!(launched, Err(CliError::Told { code: 6 })) {
                    launched?;
                }
                (since, tries) = (Instant::now(), tries + 1);
            }
            let shared = Arc::clone(&launcher);
            let revive = move |stay| {
                if stay != Stay::Service {
                    lock(&shared).relaunch();
                }
            };
            match api::attach(&socket, revive) {
                Ok(client) => {
                    return Ok(Session { place: Place::Elsewhere { client, launcher: Some(launcher) }, runtime });
                }
                Err(error) if since.elapsed() > STARTING => {
                    tracing::info!(%error, "the running engine cannot be reached");
                    return Err(CliError::Locked(holder(&data_directory)));
                }
                // It may just be starting, or ending: then the lock is free the next time.
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn open(
        context: &Context,
        listen: Option<Listen>,
        options: impl Fn(PathBuf, Config) -> Options,
    ) -> Result<Session> {
        let config = context.places.config()?;
        let data_directory = context.places.make_data_directory()?;
        let runtime = crate::engine::runtime()?;
        let since = Instant::now();
        loop {
            let options = options(data_directory.clone(), config.clone());
            let stay = options.stay;
            match Engine::start(options) {
                Ok(engine) => {
                    let server = match serve(context, &engine, &data_directory, listen) {
                        Ok(server) => Some(server),
                        Err(error) if stay == Stay::WhileUsed || listen.is_some() => {
                            engine.stop();
                            return Err(error);
                        }
                        // Without that it works as well, only alone.
                        Err(error) => {
                            if let CliError::Failed { message, .. } = error {
                                context.out.message(&format!("no other command can reach this engine: {message}"));
                            }
                            None
                        }
                    };
                    return Ok(Session { place: Place::Here { engine, server, stay }, runtime });
                }
                Err(EngineError::Lock(LockError::Held { holder })) => {
                    match reach(context, &data_directory) {
                        Ok(client) => return Ok(Session { place: elsewhere(client), runtime }),
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
        let client = reach(context, &data_directory).map_err(|_| CliError::Locked(holder(&data_directory)))?;
        let runtime = crate::engine::runtime()?;
        Ok(Some(Session { place: elsewhere(client), runtime }))
    }

    pub fn handle(&self) -> &Handle {
        match &self.place {
            Place::Here { engine, .. } => &engine.handle,
            Place::Elsewhere { client, .. } => &client.handle,
        }
    }

    /// Tells whether the engine runs in another process and goes on without this one.
    pub fn is_attached(&self) -> bool {
        matches!(self.place, Place::Elsewhere { .. })
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
    /// for meanwhile; leaves one in another process alone.
    pub fn end(self, context: &Context) -> Ending {
        let Session { place, runtime } = self;
        match place {
            Place::Here { engine, server: Some(server), stay } if stay.is_resident() => server.stop(engine),
            Place::Here { engine, server: Some(mut server), .. } => {
                runtime.block_on(finish(context, &engine.handle));
                server.close();
                // What came while it closed.
                runtime.block_on(finish(context, &engine.handle));
                server.stop(engine)
            }
            Place::Here { engine, server: None, .. } => engine.stop(),
            Place::Elsewhere { client, launcher } => {
                // Nobody looks on from here any more, not even a task that waits for events.
                drop((client, runtime));
                if let Some(launcher) = launcher {
                    lock(&launcher).wait();
                }
                Ending::InOrder
            }
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
    if handle.snapshot().await.is_none_or(|snapshot| snapshot.is_idle()) {
        return;
    }
    if tokio::time::timeout(UNNOTICED, follow::until_idle(handle)).await.is_ok() {
        return;
    }
    context.out.message("going on until the runs that others have asked for have ended; Ctrl-C cancels them");
    tokio::select! {
        () = follow::until_idle(handle) => {}
        // Whatever came of it, the engine's end cancels what is left.
        _ = any_signal() => {}
    }
}

/// Lets others reach this engine.
fn serve(context: &Context, engine: &Engine, data_directory: &Path, listen: Option<Listen>) -> Result<Server> {
    let socket = context.places.socket(data_directory)?;
    Ok(api::serve(engine.handle.clone(), &data_directory.join("index.db"), socket, listen)?)
}

fn elsewhere(client: Client) -> Place {
    Place::Elsewhere { client, launcher: None }
}

fn lock(launcher: &Mutex<Launcher>) -> MutexGuard<'_, Launcher> {
    launcher.lock().unwrap_or_else(PoisonError::into_inner)
}
