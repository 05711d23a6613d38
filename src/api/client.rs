//! The client: gives a [`Handle`] to an engine in another process. One thread answers its calls by HTTP over the socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::ApiError;
use super::other;
use super::service::PATIENCE;
use super::stream::{self, Stream};
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{
    AddRepository, Answer, Command, Event, Refusal, SchedulerCommand, Snapshot, Stay, SyncRequest,
};
use crate::engine::{Call, Handle, Outlet};
use crate::wire::path::split;
use crate::wire::request::{AddBody, IdsBody, NamesBody, PathBody, PathsBody, Settings, SyncBody};
use crate::wire::{AnswerJson, ErrorJson};

/// Calls that may wait.
const WAITING_CALLS: usize = 64;
/// How often a lost engine is looked for.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The largest answer is a plan: a thousand changes with two long paths each, for each repository.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// May start an engine in place of one that was to stay so long.
type Revive = Box<dyn FnMut(Stay) + Send>;

/// A connection to a running engine; it ends when this and all handles are gone.
#[derive(Debug)]
pub struct Client {
    pub handle: Handle,
}

/// Reaches the engine that serves `socket`, and listens to it until it is gone.
///
/// # Errors
/// When nobody serves it, or nobody answers in time.
pub fn connect(socket: &Path) -> Result<Client, ApiError> {
    start(socket, None)
}

/// As [`connect`], and when the engine is gone it looks for the next one, as long as there is a handle. `revive` is told
/// how long the last one was to stay, and may start another; it is asked again and again, on a thread that may block.
/// Listeners hear [`Event::Ended`], and a snapshot when one is found.
///
/// # Errors
/// As [`connect`].
pub fn attach(socket: &Path, revive: impl FnMut(Stay) + Send + 'static) -> Result<Client, ApiError> {
    start(socket, Some(Box::new(revive)))
}

fn start(socket: &Path, revive: Option<Revive>) -> Result<Client, ApiError> {
    let io = |source| ApiError::Io { path: socket.to_owned(), source };
    let runtime = crate::engine::runtime().map_err(io)?;
    let (sender, calls) = mpsc::channel(WAITING_CALLS);
    let events = Outlet::default();
    let handle = Handle::over(sender, events.clone());
    // The stream stands before anyone can subscribe, so that nothing is missed between a snapshot and the next event.
    let (stream, snapshot) = runtime.block_on(open(socket))?;
    let socket: Arc<Path> = Arc::from(socket);
    std::thread::Builder::new()
        .name("api-client".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::spawn(listen(stream, snapshot.stay, events, Arc::clone(&socket), revive));
                answer_all(calls, socket).await;
            });
        })
        .map_err(io)?;
    Ok(Client { handle })
}

/// Hands events on; when the engine is gone, and someone is to look for the next one, those of that.
async fn listen(mut stream: Stream, mut stay: Stay, events: Outlet, socket: Arc<Path>, mut revive: Option<Revive>) {
    loop {
        stream::relay(&mut stream, &events).await;
        let Some(mut reviving) = revive.take() else { return };
        (stream, stay) = loop {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            let revived = tokio::task::spawn_blocking(move || {
                reviving(stay);
                reviving
            });
            // It panicked, which the log tells: nobody looks any more.
            let Ok(given_back) = revived.await else { return };
            reviving = given_back;
            if let Ok((stream, snapshot)) = open(&socket).await {
                let stay = snapshot.stay;
                events.send(Event::Snapshot(snapshot));
                break (stream, stay);
            }
        };
        revive = Some(reviving);
    }
}

/// Asks the engine that serves `socket` what only it knows.
///
/// # Errors
/// When nobody serves it, or nobody answers in time.
pub fn snapshot(socket: &Path) -> Result<Snapshot, ApiError> {
    let io = |source| ApiError::Io { path: socket.to_owned(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    runtime.block_on(open(socket)).map(|(_, snapshot)| snapshot)
}

/// Asks the engine that serves `socket` for its numbers, in the text format of Prometheus.
///
/// # Errors
/// When nobody serves it, or nobody answers in time.
pub fn metrics(socket: &Path) -> Result<String, ApiError> {
    let io = |source| ApiError::Io { path: socket.to_owned(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let asking = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
        let (status, body) = request(stream, Method::GET, "/metrics", None).await?;
        let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        match status.is_success() {
            true => String::from_utf8(bytes.into()).map_err(|error| error.to_string()),
            false => Err(format!("it answered {status}")),
        }
    };
    let told = runtime.block_on(async { tokio::time::timeout(PATIENCE, asking).await });
    let told = told.unwrap_or_else(|_| Err("it does not answer".to_owned()));
    told.map_err(|reason| ApiError::Unreachable { path: socket.to_owned(), reason })
}

/// Opens the event stream and waits for its first event.
async fn open(socket: &Path) -> Result<(Stream, Snapshot), ApiError> {
    let opening = async {
        let mut stream = Stream::open(socket).await?;
        match stream.next().await? {
            Event::Snapshot(snapshot) => Ok((stream, snapshot)),
            _ => Err("it is about to end".to_owned()),
        }
    };
    let opened = tokio::time::timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err("it is silent".to_owned()));
    opened.map_err(|reason| ApiError::Unreachable { path: socket.to_owned(), reason })
}

/// Answers calls, each beside the others, until every handle is gone.
async fn answer_all(mut calls: mpsc::Receiver<Call>, socket: Arc<Path>) {
    while let Some(call) = calls.recv().await {
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            match call {
                Call::Command(command, reply) => {
                    let answer = carry(&socket, command).await.unwrap_or_else(Answer::Refused);
                    // Who asked has gone meanwhile: nobody misses the answer.
                    let _unheard = reply.send(answer);
                }
                Call::Snapshot(reply) => {
                    // Without a snapshot the reply is dropped, which says that the engine has ended.
                    if let Ok((_, snapshot)) = open(&socket).await {
                        let _unheard = reply.send(snapshot);
                    }
                }
            }
        });
    }
}

/// Sends a command as a request and reads its answer.
async fn carry(socket: &Path, command: Command) -> Result<Answer, Refusal> {
    let ask = ask(command)?;
    let gone = |reason: String| Refusal {
        code: "failed",
        message: format!("the engine went away before it had answered: {reason}"),
        hint: Some("see `watchkeeper status` and `watchkeeper history` for what it had done".to_owned()),
    };
    // It has heard nothing: who asks may try the next engine.
    let unheard = |error: std::io::Error| Refusal::new("unavailable", format!("the engine has ended: {error}"));
    let stream = UnixStream::connect(socket).await.map_err(unheard)?;
    let (status, body) = request(stream, ask.method, &ask.path, ask.body).await.map_err(gone)?;
    let bytes = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| gone(error.to_string()))?;
    match read_answer(status, &bytes.to_bytes()) {
        Some(answer) => answer,
        None => Err(other::refusal(socket).await),
    }
}

/// `None`: one of the two does not know the other's words.
fn read_answer(status: StatusCode, bytes: &[u8]) -> Option<Result<Answer, Refusal>> {
    fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        serde_json::from_slice(bytes).ok()
    }
    if !status.is_success() {
        let refusal = parsed(bytes).map(ErrorJson::into_refusal)?;
        let is_known = !matches!(refusal.code, "unknown_route" | "wrong_method");
        return is_known.then_some(Err(refusal));
    }
    parsed::<AnswerJson>(bytes).and_then(AnswerJson::into_answer).map(Ok)
}

/// Sends one request over a connection of its own.
///
/// # Errors
/// A sentence, when the connection breaks.
pub(super) async fn request(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<(StatusCode, Incoming), String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the answer's body; an error shows there, too.
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "watchkeeper");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = Full::new(Bytes::from(body.unwrap_or_default()));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    Ok((response.status(), response.into_body()))
}

/// A command as a request.
#[derive(Debug)]
struct Ask {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
}

fn ask(command: Command) -> Result<Ask, Refusal> {
    let names = |names: Vec<String>| NamesBody { repositories: Some(names).filter(|names| !names.is_empty()) };
    match command {
        Command::AddRepository(add) => send(Method::POST, "/api/sync/repositories", &add_body(add)),
        Command::SetRepository { name, changes } => send(Method::PATCH, &repository(&name, ""), &settings(changes)),
        Command::RenameRepository { name, new_name } => {
            send(Method::PATCH, &repository(&name, ""), &settings(vec![("name".to_owned(), new_name)]))
        }
        Command::RemoveRepository { name } => {
            Ok(Ask { method: Method::DELETE, path: repository(&name, ""), body: None })
        }
        Command::Pause { names: wanted } => send(Method::POST, "/api/sync/pause", &names(wanted)),
        Command::Resume { names: wanted } => send(Method::POST, "/api/sync/resume", &names(wanted)),
        Command::Sync(request) => sync(*request),
        Command::Cancel { run: Some(run), .. } => {
            Ok(Ask { method: Method::POST, path: format!("/api/sync/runs/{}/cancel", escape(&run)), body: None })
        }
        Command::Cancel { names: wanted, run: None } => send(Method::POST, "/api/sync/cancel", &names(wanted)),
        Command::DismissHeld { names: wanted } => send(Method::POST, "/api/sync/held/dismiss", &names(wanted)),
        Command::AcceptDamage { name, paths } => {
            send(Method::POST, &repository(&name, "/damage/accept"), &PathsBody::of(&paths))
        }
        Command::AcknowledgeProblems { problem_ids: ids } => {
            send(Method::POST, "/api/sync/problems/ack", &IdsBody { ids })
        }
        Command::Scheduler(SchedulerCommand::Set(changes)) => {
            send(Method::PATCH, "/api/sync/scheduler", &settings(changes))
        }
        Command::Scheduler(SchedulerCommand::Start) => {
            Ok(Ask { method: Method::POST, path: "/api/sync/scheduler/start".to_owned(), body: None })
        }
        Command::Scheduler(SchedulerCommand::Stop) => {
            Ok(Ask { method: Method::POST, path: "/api/sync/scheduler/stop".to_owned(), body: None })
        }
        Command::Examine => Ok(Ask { method: Method::GET, path: "/api/sync/doctor".to_owned(), body: None }),
        Command::Complete { path } => {
            let (path, path_b64) = split(path.as_os_str().as_encoded_bytes());
            send(Method::POST, "/api/sync/complete", &PathBody { path, path_b64 })
        }
        Command::Estimate(add) => send(Method::POST, "/api/sync/estimate", &add_body(*add)),
        Command::Configure(_) | Command::Shutdown => {
            Err(Refusal::new("usage", "only the process that hosts the engine can do this"))
        }
    }
}

fn send(method: Method, path: &str, body: &impl Serialize) -> Result<Ask, Refusal> {
    let body = serde_json::to_vec(body).map_err(|error| Refusal::new("failed", error.to_string()))?;
    Ok(Ask { method, path: path.to_owned(), body: Some(body) })
}

fn sync(request: SyncRequest) -> Result<Ask, Refusal> {
    if request.kind == Kind::Realtime {
        return Err(Refusal::new("usage", "nobody but the watcher starts a realtime run"));
    }
    let milliseconds = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let PathsBody { paths, paths_b64 } = PathsBody::of(&request.paths);
    let body = SyncBody {
        repositories: Some(request.names).filter(|names| !names.is_empty()),
        paths,
        paths_b64,
        problems: request.only_problems,
        accept_removals: request.accept_removals,
        plan: request.plan,
        max_bytes: request.max_bytes,
        max_time_ms: request.max_time.map(milliseconds),
        window_ms: request.window.map(milliseconds),
        note: request.note,
        expected_files: request.expected.map(|expected| expected.files),
        expected_bytes: request.expected.map(|expected| expected.bytes),
        trigger: (request.trigger == Trigger::Startup).then(|| "startup".to_owned()),
        ..SyncBody::default()
    };
    send(Method::POST, &format!("/api/sync/{}", request.kind.as_str()), &body)
}

fn add_body(add: AddRepository) -> AddBody {
    let (path, path_b64) = split(add.path.as_os_str().as_encoded_bytes());
    let selection = add.settings.selection;
    AddBody {
        path,
        path_b64,
        name: add.name,
        include: selection.include,
        exclude: selection.exclude,
        types: selection.types,
        hidden: selection.hidden,
        one_file_system: selection.one_file_system,
        date_pattern: add.settings.date_pattern.map(|pattern| pattern.as_str().to_owned()),
        settings: settings(add.settings.overrides),
        if_not_exists: add.if_not_exists,
    }
}

fn settings(changes: Vec<(String, String)>) -> Settings {
    changes.into_iter().map(|(key, value)| (key, value.into())).collect()
}

fn repository(name: &str, rest: &str) -> String {
    format!("/api/sync/repositories/{}{rest}", escape(name))
}

/// Writes a name so that it is one part of a path, whatever a person has typed.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(char::from(byte)),
            // The dot, too: `..` would climb.
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
