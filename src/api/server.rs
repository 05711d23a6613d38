//! The server: one thread that takes connections and answers them, and more while it reads; the engine never waits for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::network::{self, Listen};
use super::service::Service;
use super::{ApiError, place, route};
use crate::engine::{Ending, Engine, Handle};

/// More are closed at once: someone holds on to them, and who comes next must hear so instead of waiting.
const MAX_CONNECTIONS: usize = 64;
/// Who has not sent a request's head by then has his connection closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long listeners have to take the last events when the engine has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A server at work.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    is_closed: bool,
    phase: watch::Sender<Phase>,
    thread: std::thread::JoinHandle<()>,
}

/// What the server does on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Takes no new connection; those that stand go on.
    Closing,
    /// The engine has ended: what has been begun is said to its end.
    Ending,
}

/// Where guests come in.
struct Doors {
    socket: UnixListener,
    router: Router,
    /// Its router asks for the token.
    network: Option<(TcpListener, Router)>,
}

/// Who has come in, and what serves him.
enum Guest {
    Local(UnixStream, Router),
    Network(TcpStream, Router),
}

/// Starts to serve an engine on `socket`, for this user alone; on `listen`, too, for who has the token.
///
/// # Errors
/// When the socket's directory is not this user's alone, another engine serves the socket, or one of both cannot be bound.
pub fn serve(handle: Handle, index_path: &Path, socket: PathBuf, listen: Option<Listen>) -> Result<Server, ApiError> {
    let io = |source| ApiError::Io { path: socket.clone(), source };
    place::check_directory(&socket)?;
    place::remove_stale(&socket)?;
    let runtime = crate::engine::runtime_that_may_block().map_err(io)?;
    let router = route::router(Service::new(handle, index_path));
    let context = runtime.enter();
    // First: where it cannot be had, no socket is left behind.
    let network = match listen {
        Some(listen) => {
            let (listener, gate) = network::open(listen, index_path.parent().unwrap_or(Path::new(".")))?;
            let check = axum::middleware::from_fn_with_state(gate, network::check);
            Some((listener, router.clone().layer(check)))
        }
        None => None,
    };
    let doors = Doors { socket: UnixListener::bind(&socket).map_err(io)?, router, network };
    drop(context);
    // A umask around the bind would be that of the whole process and hit what other threads create meanwhile. Until
    // this line the directory keeps others out, and it goes on doing so.
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).map_err(io)?;
    let (phase, phases) = watch::channel(Phase::Open);
    let thread = std::thread::Builder::new()
        .name("api".to_owned())
        // On the runtime's own thread: from here to there each new connection would have to wake it.
        .spawn(move || {
            let accepting = runtime.spawn(accept(doors, phases));
            runtime.block_on(accepting).expect("accepting does not panic");
        })
        .map_err(io)?;
    Ok(Server { socket, is_closed: false, phase, thread })
}

impl Server {
    /// Returns where it is reached.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Removes the socket and takes no new connection. Must come before the engine's end: only while that has its lock
    /// the socket is surely its own, and not that of the next one.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::warn!(%error, socket = %self.socket.display(), "the socket could not be removed");
        }
        self.phase.send_replace(Phase::Closing);
    }

    /// Closes, ends the engine, and lets those who listen hear of it.
    pub fn stop(mut self, engine: Engine) -> Ending {
        self.close();
        let ending = engine.stop();
        self.end();
        ending
    }

    fn end(self) {
        self.phase.send_replace(Phase::Ending);
        if self.thread.join().is_err() {
            tracing::error!("the server's thread panicked; this is a bug");
        }
    }

    /// Ends the server of an engine that is none.
    #[cfg(test)]
    pub(super) fn stop_alone(self) {
        self.end();
    }
}

async fn accept(doors: Doors, mut phases: watch::Receiver<Phase>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut closing = phases.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = reached(&mut closing, Phase::Closing) => break,
            Some(_) = connections.join_next() => continue,
            accepted = doors.next() => accepted,
        };
        let guest = match accepted {
            Ok(Some(guest)) => guest,
            Ok(None) => continue,
            Err(error) => {
                // Out of descriptors, most likely: it passes when a connection ends.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("more than {MAX_CONNECTIONS} connections: the newest was closed");
            continue;
        };
        let phases = phases.clone();
        connections.spawn(async move {
            match guest {
                Guest::Local(stream, router) => talk(stream, router, phases).await,
                Guest::Network(stream, router) => talk(stream, router, phases).await,
            }
            drop(place);
        });
    }
    drop(doors);
    reached(&mut phases, Phase::Ending).await;
    let said = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, said).await.is_err() {
        tracing::debug!("some connections were cut off");
    }
}

impl Doors {
    /// Waits for the next guest; `None` when he was turned away.
    async fn next(&self) -> std::io::Result<Option<Guest>> {
        let from_network = async {
            match &self.network {
                Some((listener, router)) => listener.accept().await.map(|(stream, _)| (stream, router)),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.socket.accept() => {
                let (stream, _) = accepted?;
                let is_ours = is_ours(&stream, rustix::process::geteuid().as_raw());
                Ok(is_ours.then(|| Guest::Local(stream, self.router.clone())))
            }
            accepted = from_network => {
                let (stream, router) = accepted?;
                Ok(Some(Guest::Network(stream, router.clone())))
            }
        }
    }
}

/// Waits until the server has come so far. One that was dropped has come to its end.
async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    let _dropped = phases.wait_for(|now| *now >= phase).await;
}

/// Tells whether this user or root is at the other end.
fn is_ours(stream: &UnixStream, us: u32) -> bool {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == us || peer.uid() == 0 => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "another user's connection was closed");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "a connection of nobody knows whom was closed");
            false
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut phases: watch::Receiver<Phase>,
) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = reached(&mut phases, Phase::Ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Who asked went away, or never said anything.
        tracing::debug!(%error, "a connection ended early");
    }
}
