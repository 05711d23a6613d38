//! Server and client against an engine that does nothing but answer: what is refused, what a command becomes and back.

mod other;
mod requests;
mod round_trip;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::Server;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{IndexStatus, Repository, Run};
use crate::domain::repository::{RepositoryId, Settings};
use crate::domain::run::{Kind, Outcome, Tally};
use crate::engine::protocol::{Answer, Command, RunProgress, Snapshot};
use crate::engine::{FakeEngine, Handle};
use crate::index::Writer;

/// A server before a fake engine, with an index that holds the repository `a`.
pub(super) struct World {
    pub socket: PathBuf,
    pub events: crate::engine::Outlet,
    /// What reached the engine.
    pub heard: Arc<Mutex<Vec<Command>>>,
    server: Option<Server>,
    _handle: Handle,
    _temp: tempfile::TempDir,
}

impl World {
    pub fn new(snapshot: Snapshot, answer: impl Fn(&Command) -> Answer + Send + 'static) -> World {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("data");
        let socket = directory.join("engine.sock");
        super::place::check_directory(&socket).unwrap();
        let index_path = directory.join("index.db");
        let writer = Writer::open(&index_path, 10).unwrap();
        writer.add_repository("a", b"/a", &Settings::default(), 1).unwrap();
        let (handle, engine) = FakeEngine::new();
        let (events, heard) = (engine.events.clone(), Arc::new(Mutex::new(Vec::new())));
        let theirs = Arc::clone(&heard);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(engine.serve(snapshot, move |command, _| {
                theirs.lock().unwrap().push(command.clone());
                answer(&command)
            }));
        });
        let server = super::serve(handle.clone(), &index_path, socket.clone(), None).unwrap();
        World { socket, events, heard, server: Some(server), _handle: handle, _temp: temp }
    }

    /// An engine that has nothing to do and says that all was done to one thing.
    pub fn idle() -> World {
        World::new(Snapshot::default(), |_| Answer::Done { count: 1 })
    }

    /// Sends bytes and returns status, head and body of what comes back.
    pub fn raw(&self, request: &[u8]) -> (u16, String, String) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// Sends a request; a body goes as JSON.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let media = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{media}");
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let (status, _, body) = self.raw(request.as_bytes());
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{method} {path}: {body:?}")))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop_alone();
        }
    }
}

pub(super) fn run_of(repository: &str, outcome: Option<Outcome>) -> Run {
    Run {
        run_id: "01JD".to_owned(),
        number: 7,
        repository_id: RepositoryId(1),
        repository: repository.to_owned(),
        kind: Kind::Full,
        trigger: "user startup".to_owned(),
        outcome,
        started_at: Timestamp(1_000),
        ended_at: outcome.map(|_| Timestamp(2_000)),
        duration_ms: outcome.map(|_| 1_000),
        tally: Tally { scanned: 9, added: 1, updated: 2, removed: 3, moved: 4, damaged: 5, ..Tally::default() },
        error_class: Some("io".to_owned()),
        error_message: Some("a \u{1b} message".to_owned()),
        attempt: 1,
        retry_of: None,
        folded: 1,
        instance: "host:1:2".to_owned(),
        metadata: Some(r#"{"note":"x"}"#.to_owned()),
    }
}

/// In step, without a live engine's word.
pub(super) fn status_of(repository: &str) -> IndexStatus {
    IndexStatus {
        repository: Repository {
            id: RepositoryId(1),
            name: repository.to_owned(),
            path: b"/a".to_vec(),
            settings: Settings::default(),
            identity: None,
            paused_at: None,
            created_at: Timestamp(0),
            seen_generation: 1,
            seen_at: Some(Timestamp(1)),
            true_at: None,
            told_state: None,
            covered_files: None,
            total_files: 1,
            total_bytes: 1,
            left_out: Vec::new(),
        },
        open_problems: 0,
        new_problems: 0,
        damaged: 0,
        held: 0,
        undecided: 0,
        last_run: Some(run_of(repository, Some(Outcome::Completed))),
        by_kind: Vec::new(),
    }
}

pub(super) fn progress_of(repository: &str, kind: Kind) -> RunProgress {
    RunProgress {
        run_id: "01JE".to_owned(),
        number: 8,
        repository: repository.to_owned(),
        kind,
        elapsed_ms: 1,
        files_done: 2,
        files_total: Some(3),
        bytes_done: 4,
        bytes_total: None,
        files_per_s: 5,
        bytes_per_s: 6,
        eta_ms: Some(u64::MAX),
        problems: 7,
        current_path: RelPath::from_stored(b"d/\xff".to_vec()),
    }
}
