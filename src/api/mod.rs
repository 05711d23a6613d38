//! The API: HTTP/1.1 over a Unix socket, and on a loopback address where that is asked for. A server before an engine,
//! and a client that gives the same [`Handle`](crate::engine::Handle) to one that runs in another process.
//!
//! Routes and shapes are the contract's; `body` and `shape` hold them once for both sides. Speaks to the engine through
//! its handle alone and reads the index read-only. Decides nothing.

mod answer;
mod body;
mod client;
mod describe;
mod event;
mod findings;
mod list;
mod looked;
mod network;
mod other;
mod place;
mod repositories;
mod route;
mod runs;
mod server;
mod service;
mod shape;
mod status;
mod stream;

pub use client::{Client, attach, connect, metrics, snapshot};
pub use network::Listen;
pub use place::socket_path;
pub use server::{Server, serve};
pub use shape::check_json;
pub use status::{Standing, Told};

use std::path::PathBuf;

/// Why the socket is not served, or nobody is reached through it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the socket's path {} has more than {} bytes", .0.display(), place::MAX_SOCKET_BYTES)]
    TooLong(PathBuf),
    #[error("{}: {reason}", .path.display())]
    Unsafe { path: PathBuf, reason: String },
    #[error("{address} cannot be listened on: {source}")]
    NoDoor { address: String, source: std::io::Error },
    #[error("{}: another engine serves this socket", .0.display())]
    Taken(PathBuf),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: nobody answers: {reason}", .path.display())]
    Unreachable { path: PathBuf, reason: String },
}

#[cfg(test)]
mod tests;
