//! The shell around `update`: one stream of inputs, threads for jobs, the sampling of progress, answers and events.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

use super::commands::Desk;
use super::handle::{Call, Handle};
use super::job::{self, Finished, JobContext, JobSpec};
use super::lock::{Lock, LockError};
use super::progress::Progress;
use super::protocol::{Answer, Command, Event, Refusal, Snapshot};
use super::state::{Effect, Input, ReplyId, State};
use super::update::update;
use super::{clock, instance};
use crate::config::Config;
use crate::domain::report::Run;
use crate::index::{IndexError, Reader, Writer};

/// Commands and finished jobs that may wait.
const WAITING_INPUTS: usize = 64;
/// Events that a slow listener may be behind before it gets a snapshot instead.
const EVENTS_KEPT: usize = 256;
/// Progress is sampled so often while something runs and someone listens.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Exists, is ours, and holds no symlink in its path.
    pub data_directory: PathBuf,
    pub config: Config,
    /// A first run counts ahead, as someone looks at its progress.
    pub counts_ahead: bool,
    /// It stays: watches and keeps the schedule. Otherwise it only does what it is asked for.
    pub resident: bool,
}

/// Why no engine runs.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the data directory cannot be used: {0}")]
    DataDirectory(String),
    #[error("the engine's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A started engine: the handle to speak to it and the thread to wait for.
#[derive(Debug)]
pub struct Engine {
    pub handle: Handle,
    thread: std::thread::JoinHandle<()>,
}

impl Engine {
    /// Takes the data directory's lock, opens the index, closes what was cut off, and starts the engine's thread.
    ///
    /// # Errors
    /// When another engine has the data directory, or the index cannot be opened.
    pub fn start(options: Options) -> Result<Engine, EngineError> {
        refuse_network(&options.data_directory)?;
        let lock = Lock::take(&options.data_directory.join("engine.lock"))?;
        let index_path = options.data_directory.join("index.db");
        let writer = Writer::open(&index_path, options.config.sync.batch_size)?;
        let interrupted = writer.close_interrupted(clock::wall().0)?;
        if !interrupted.is_empty() {
            tracing::warn!(runs = ?interrupted, "runs of an earlier process were cut off");
        }
        let last_id = Reader::open(&index_path)?.map_or(Ok(0), |reader| reader.last_directory_id())?;
        let (calls, receiver) = mpsc::channel(WAITING_INPUTS);
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let handle = Handle { calls, events: events.clone() };
        let at_once = options.config.sync.repositories_at_once;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let shell = Shell {
            state: State::new(at_once),
            desk: Desk { writer, index_path, data_directory: options.data_directory, config: options.config },
            events,
            replies: HashMap::new(),
            next_reply: 0,
            jobs: BTreeMap::new(),
            next_directory_id: Arc::new(AtomicI64::new(last_id + 1)),
            counts_ahead: options.counts_ahead,
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || runtime.block_on(shell.run(receiver)))?;
        Ok(Engine { handle, thread })
    }

    /// Ends the engine: cancels what runs, closes the index, waits until all is done. Returns whether it ended in order:
    /// a panic of its thread is a bug, and logged.
    pub fn stop(self) -> bool {
        // Refused only if it has ended already.
        let _ended = self.handle.send_blocking(Command::Shutdown);
        let ended = self.thread.join();
        if ended.is_err() {
            tracing::error!("the engine's thread panicked; this is a bug");
        }
        ended.is_ok()
    }
}

fn refuse_network(path: &std::path::Path) -> Result<(), EngineError> {
    let fail = |reason: String| EngineError::DataDirectory(format!("{}: {reason}", path.display()));
    let root = crate::disk::Root::open(path).map_err(|error| fail(error.to_string()))?;
    match root.directory(b"").and_then(|directory| directory.is_remote()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(fail("it is on a network file system, where SQLite cannot keep its promises".to_owned())),
        Err(errno) => Err(fail(errno.to_string())),
    }
}

struct RunningJob {
    spec: JobSpec,
    cancel: Arc<AtomicBool>,
    progress: Arc<Progress>,
    number: i64,
}

enum News {
    Finished { run_id: String, result: Result<Box<Finished>, String> },
    Started { run_id: String, run: Box<Run> },
    Sync { jobs: Result<Vec<JobSpec>, Refusal>, reply: ReplyId },
}

struct Shell {
    state: State,
    desk: Desk,
    events: broadcast::Sender<Event>,
    replies: HashMap<ReplyId, oneshot::Sender<Answer>>,
    next_reply: u64,
    jobs: BTreeMap<String, RunningJob>,
    next_directory_id: Arc<AtomicI64>,
    counts_ahead: bool,
    _lock: Lock,
}

impl Shell {
    async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        let (news_sender, mut news) = mpsc::channel(WAITING_INPUTS);
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let goes_on = tokio::select! {
                biased;
                Some(news) = news.recv() => self.hear(news, &news_sender),
                call = calls.recv() => match call {
                    Some(call) => self.take(call, &news_sender),
                    // Every handle is gone: nobody can ask for anything any more.
                    None => false,
                },
                _ = sample.tick(), if !self.jobs.is_empty() && self.events.receiver_count() > 0 => {
                    self.publish_progress();
                    true
                }
            };
            if !goes_on {
                break;
            }
        }
        if let Err(error) = self.desk.writer.checkpoint() {
            tracing::warn!(%error, "the WAL could not be moved into the index");
        }
    }

    fn reply_to(&mut self, sender: oneshot::Sender<Answer>) -> ReplyId {
        self.next_reply += 1;
        let reply = ReplyId(self.next_reply);
        self.replies.insert(reply, sender);
        reply
    }

    fn take(&mut self, call: Call, news: &mpsc::Sender<News>) -> bool {
        match call {
            Call::Snapshot(sender) => {
                let running = self.jobs.values().map(sample_of).collect();
                // Who asked has gone meanwhile: nobody misses it.
                let _unheard = sender.send(Snapshot { queued: self.state.queued(), running, ..Snapshot::default() });
                true
            }
            Call::Command(Command::Sync(request), sender) => {
                let reply = self.reply_to(sender);
                let (desk, news) = (self.desk.clone(), news.clone());
                tokio::task::spawn_blocking(move || {
                    // The engine has ended: so has everything.
                    let _unheard = news.blocking_send(News::Sync { jobs: desk.jobs(&request), reply });
                });
                true
            }
            Call::Command(Command::Cancel { names, run }, sender) => {
                let run = run.map(|wanted| self.run_id_of(wanted));
                let reply = self.reply_to(sender);
                self.step(Input::Cancel { names, run, reply }, news)
            }
            Call::Command(Command::Shutdown, sender) => {
                let reply = self.reply_to(sender);
                self.step(Input::Shutdown { reply }, news)
            }
            Call::Command(command, sender) => {
                if let Some(refusal) = self.refuse_while_busy(&command) {
                    let _unheard = sender.send(Answer::Refused(refusal));
                    return true;
                }
                let (desk, events) = (self.desk.clone(), self.events.clone());
                tokio::task::spawn_blocking(move || {
                    let answer = desk.carry_out(command);
                    let _unheard = sender.send(answer);
                    // Nobody listens: nobody misses it.
                    let _unheard = events.send(Event::Changed);
                });
                true
            }
        }
    }

    /// A run's number stands for its id.
    fn run_id_of(&self, wanted: String) -> String {
        let number = wanted.parse::<i64>().ok();
        let found = self.jobs.iter().find(|(_, job)| Some(job.number) == number);
        found.map_or(wanted, |(run_id, _)| run_id.clone())
    }

    /// A plan's transaction will be undone, and a run works with the settings that it began with.
    fn refuse_while_busy(&self, command: &Command) -> Option<Refusal> {
        if self.jobs.values().any(|job| job.spec.plan) {
            return Some(Refusal::new("conflict", "a plan is being made; try again when it is done"));
        }
        let name = match command {
            Command::SetRepository { name, .. }
            | Command::RenameRepository { name, .. }
            | Command::RemoveRepository { name } => name,
            _ => return None,
        };
        self.state.works_on(name).then(|| Refusal {
            code: "conflict",
            message: format!("{name} is being synced"),
            hint: Some(format!("wait for it, or `watchkeeper cancel {name}`")),
        })
    }

    fn hear(&mut self, heard: News, news: &mpsc::Sender<News>) -> bool {
        match heard {
            News::Started { run_id, run } => {
                if let Some(job) = self.jobs.get_mut(&run_id) {
                    job.number = run.number;
                }
                self.publish(Event::RunStarted(run));
                true
            }
            News::Finished { run_id, result } => {
                self.jobs.remove(&run_id);
                let goes_on = self.step(Input::Finished { run_id, result }, news);
                if goes_on && self.jobs.is_empty() {
                    self.checkpoint();
                }
                goes_on
            }
            News::Sync { jobs: Ok(jobs), reply } => self.step(Input::Sync { jobs, reply }, news),
            News::Sync { jobs: Err(refusal), reply } => {
                self.answer(reply, Answer::Refused(refusal));
                true
            }
        }
    }

    /// Lets `update` decide, and carries it out. Returns whether the engine goes on.
    fn step(&mut self, input: Input, news: &mpsc::Sender<News>) -> bool {
        let mut goes_on = true;
        for effect in update(&mut self.state, input) {
            match effect {
                Effect::Start(spec) => self.start(*spec, news),
                Effect::Stop { run_id } => {
                    if let Some(job) = self.jobs.get(&run_id) {
                        job.cancel.store(true, Relaxed);
                    }
                }
                Effect::Answer(reply, answer) => self.answer(reply, answer),
                Effect::Publish(event) => self.publish(event),
                Effect::End => goes_on = false,
            }
        }
        goes_on
    }

    /// Moves the WAL into the index while nothing runs.
    fn checkpoint(&self) {
        let writer = self.desk.writer.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = writer.checkpoint() {
                tracing::warn!(%error, "the WAL could not be moved into the index");
            }
        });
    }

    fn answer(&mut self, reply: ReplyId, answer: Answer) {
        if let Some(sender) = self.replies.remove(&reply) {
            // Who asked has gone meanwhile: nobody misses the answer.
            let _unheard = sender.send(answer);
        }
    }

    fn publish(&self, event: Event) {
        // Fails when nobody listens.
        let _unheard = self.events.send(event);
    }

    fn publish_progress(&self) {
        for job in self.jobs.values() {
            self.publish(Event::Progress(sample_of(job)));
        }
    }

    fn start(&mut self, spec: JobSpec, news: &mpsc::Sender<News>) {
        let context = JobContext {
            writer: self.desk.writer.clone(),
            index_path: self.desk.index_path.clone(),
            data_directory: self.desk.data_directory.clone(),
            next_directory_id: Arc::clone(&self.next_directory_id),
            cancel: Arc::default(),
            progress: Arc::default(),
            instance: instance::name(),
            counts_ahead: self.counts_ahead,
        };
        let running = RunningJob {
            spec: spec.clone(),
            cancel: Arc::clone(&context.cancel),
            progress: Arc::clone(&context.progress),
            number: 0,
        };
        self.jobs.insert(spec.run_id.clone(), running);
        let run_id = spec.run_id.clone();
        let (theirs, failed) = (news.clone(), news.clone());
        let started = std::thread::Builder::new().name(format!("job-{}", spec.repository.name)).spawn(move || {
            let run_id = spec.run_id.clone();
            let started = |run: Run| {
                // The engine has ended: so has everything.
                let _unheard = theirs.blocking_send(News::Started { run_id: run.run_id.clone(), run: Box::new(run) });
            };
            let result = job::run(spec, context, started).map(Box::new).map_err(|error| describe(&error));
            let _unheard = theirs.blocking_send(News::Finished { run_id, result });
        });
        if let Err(error) = started {
            let result = Err(format!("no thread could be started for the run: {error}"));
            tokio::spawn(async move {
                let _unheard = failed.send(News::Finished { run_id, result }).await;
            });
        }
    }
}

fn sample_of(job: &RunningJob) -> super::protocol::RunProgress {
    job.progress.sample(&job.spec.run_id, job.number, &job.spec.repository.name, job.spec.kind)
}

fn describe(error: &IndexError) -> String {
    let class = error.class();
    format!("{error} ({}): {}", class.as_str(), class.hint())
}
