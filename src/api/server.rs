//! The server: one thread that takes connections on the socket and answers them; the engine never waits for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

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

/// Starts to serve an engine on `socket`, for this user alone.
///
/// # Errors
/// When the socket's directory is not this user's alone, another engine serves the socket, or it cannot be bound.
pub fn serve(handle: Handle, index_path: &Path, socket: PathBuf) -> Result<Server, ApiError> {
    let io = |source| ApiError::Io { path: socket.clone(), source };
    place::check_directory(&socket)?;
    place::remove_stale(&socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let listener = {
        let _context = runtime.enter();
        UnixListener::bind(&socket).map_err(io)?
    };
    // A umask around the bind would be that of the whole process and hit what other threads create meanwhile. Until
    // this line the directory keeps others out, and it goes on doing so.
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).map_err(io)?;
    let (phase, phases) = watch::channel(Phase::Open);
    let router = route::router(Service::new(handle, index_path));
    let thread = std::thread::Builder::new()
        .name("api".to_owned())
        .spawn(move || runtime.block_on(accept(listener, router, phases)))
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

async fn accept(listener: UnixListener, router: Router, mut phases: watch::Receiver<Phase>) {
    let us = rustix::process::geteuid().as_raw();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut closing = phases.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = reached(&mut closing, Phase::Closing) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: it passes when a connection ends.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if !is_ours(&stream, us) {
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("more than {MAX_CONNECTIONS} connections: the newest was closed");
            continue;
        };
        let (router, phases) = (router.clone(), phases.clone());
        connections.spawn(async move {
            talk(stream, router, phases).await;
            drop(place);
        });
    }
    drop(listener);
    reached(&mut phases, Phase::Ending).await;
    let said = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, said).await.is_err() {
        tracing::debug!("some connections were cut off");
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

async fn talk(stream: UnixStream, router: Router, mut phases: watch::Receiver<Phase>) {
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
