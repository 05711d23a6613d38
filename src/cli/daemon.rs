//! `watchkeeper daemon`: the engine without a screen, in the foreground, as a service manager wants it.

mod supervisor;
mod turn;

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, timeout};

use supervisor::Supervisor;
use turn::Turn;

use super::Context;
use super::background;
use super::exit::{CliError, Result, Verdict};
use super::follow::describe;
use super::session::Session;
use super::signals::Signals;
use crate::api::Listen;
use crate::domain::amount::plural;
use crate::domain::report::Run;
use crate::domain::run::{Outcome, Tally};
use crate::domain::show::show;
use crate::engine::holder;
use crate::engine::protocol::{Answer, Command, Event, Stay};
use crate::engine::{self, Ending, Handle, Subscription};
use crate::index::Reader;

/// Runs that are told to stop do so within this time; what remains of five seconds is for closing the index.
const RUNS_STOP_WITHIN: Duration = Duration::from_secs(4);
/// An engine that does not answer for so long does not hold up the signals.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// An index that is lost sooner than this after it was opened anew will be lost again.
const LEAST_BETWEEN_LOSSES: Duration = Duration::from_secs(1);
/// A service manager that did not read is told again after this.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often an engine that stays while it is used looks whether it is.
const LOOK_FOR_USERS_EVERY: Duration = Duration::from_millis(100);
/// Who has started it comes at once; after ten seconds he will not come any more.
const LOOKS_FOR_THE_FIRST: u32 = 100;
/// How often the log says what it held back.
const COUNT_UP_EVERY: Duration = Duration::from_secs(60);

/// Runs the command until a signal ends it, or until nobody needs it any more.
pub fn run(context: &Context, while_used: bool, listen: Option<Listen>) -> Result<Verdict> {
    if while_used {
        background::leave_terminal()?;
    }
    let stay = if while_used { Stay::WhileUsed } else { Stay::Service };
    let supervisor = Supervisor::new(std::env::var_os("NOTIFY_SOCKET"));
    let listening = match turn::wait(context, &supervisor)? {
        Turn::AtOnce => None,
        Turn::Come(signals) => Some(signals),
        Turn::Stopped => return Ok(Verdict::default()),
    };
    let mut session = start(context, stay, listen)?;
    if while_used {
        background::be_ready(&context.places.screen_log()?)?;
    }
    let directory = context.places.make_data_directory()?;
    let shown = show(directory.as_os_str().as_encoded_bytes());
    tracing::info!("watchkeeper {} has started, data directory {shown}", env!("CARGO_PKG_VERSION"));
    let mut signals = match listening {
        Some(signals) => signals,
        None => session.runtime.block_on(async { Signals::listen() })?,
    };
    let mut opened_anew: Option<Instant> = None;
    loop {
        match watch_over(context, session, stay, &supervisor, &mut signals)? {
            Ending::InOrder => break,
            Ending::IndexLost if opened_anew.is_some_and(|at| at.elapsed() < LEAST_BETWEEN_LOSSES) => {
                return Err(CliError::failed("the index was replaced again just after it was opened anew"));
            }
            Ending::IndexLost => {
                session = start(context, stay, listen)?;
                opened_anew = Some(Instant::now());
                tracing::warn!("the index was opened anew");
            }
            Ending::Panicked => {
                return Err(CliError::failed("the engine has ended by itself; this is a bug, and the log says where"));
            }
        }
    }
    tracing::info!("watchkeeper has stopped");
    Ok(Verdict::default())
}

fn start(context: &Context, stay: Stay, listen: Option<Listen>) -> Result<Session> {
    let session = Session::start_resident(context, stay, listen)?;
    match session.is_attached() {
        true => Err(CliError::Running(holder(&context.places.make_data_directory()?))),
        false => Ok(session),
    }
}

/// Serves one engine to its end.
fn watch_over(
    context: &Context,
    mut session: Session,
    stay: Stay,
    supervisor: &Supervisor,
    signals: &mut Signals,
) -> Result<Ending> {
    let mut daemon = Daemon::new(context, session.handle().clone(), stay, supervisor.clone());
    let mut events = daemon.handle.subscribe();
    let has_ended = session.runtime.block_on(daemon.serve(&mut events, signals));
    session.close();
    if !has_ended && !session.runtime.block_on(daemon.stop(&mut events)) {
        // Waiting for its thread would be waiting for them. Killed as well, the index would be behind, never wrong.
        let seconds = RUNS_STOP_WITHIN.as_secs();
        return Err(CliError::failed(format!(
            "a run did not stop within {seconds} s; it will be closed as interrupted"
        )));
    }
    Ok(session.end(context))
}

struct Daemon<'a> {
    context: &'a Context,
    handle: Handle,
    stay: Stay,
    reader: Option<Reader>,
    repositories: usize,
    waiting: BTreeSet<String>,
    running: BTreeSet<String>,
    supervisor: Supervisor,
    /// As it was told last.
    status: String,
}

impl Daemon<'_> {
    fn new(context: &Context, handle: Handle, stay: Stay, supervisor: Supervisor) -> Daemon<'_> {
        let (waiting, running) = Default::default();
        let (reader, repositories, status) = Default::default();
        Daemon { context, handle, stay, reader, repositories, waiting, running, supervisor, status }
    }

    /// Serves until a signal or the engine's end. Returns whether the engine has ended by itself.
    async fn serve(&mut self, events: &mut Subscription, signals: &mut Signals) -> bool {
        // The engine's first answer: it is ready.
        self.hear(events.next().await);
        self.supervisor.tell(&[NotifyState::Ready]);
        tokio::spawn(keep_watchdog(self.handle.clone(), self.supervisor.clone()));
        let mut minute = interval(COUNT_UP_EVERY);
        let mut again = interval(TELL_AGAIN_AFTER);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let handle = self.handle.clone();
        let mut unused = pin!(unused(handle.clone()));
        loop {
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.hang_up.recv() => self.reload().await,
                // Before the events: in a stream of them its turn would not come.
                _ = again.tick(), if self.supervisor.has_missed() => self.supervisor.tell(&[]),
                event = events.next() => match event {
                    Event::Ended => return true,
                    event => self.hear(event),
                },
                // It panicked, and no event says so; whoever waits for its thread learns of it.
                () = handle.ended() => return true,
                () = &mut unused, if self.stay == Stay::WhileUsed => break,
                _ = minute.tick() => self.context.log.count_up(),
            }
        }
        false
    }

    /// Cancels everything, and returns whether it has ended in time.
    async fn stop(&mut self, events: &mut Subscription) -> bool {
        self.supervisor.tell(&[NotifyState::Stopping]);
        tracing::info!("watchkeeper is stopping");
        let handle = self.handle.clone();
        let mut stopped = pin!(timeout(RUNS_STOP_WITHIN, handle.send(Command::Shutdown)));
        loop {
            tokio::select! {
                biased;
                // How each run ended is said before the answer.
                event = events.next() => match event {
                    Event::Ended => return stopped.await.is_ok(),
                    event => self.hear(event),
                },
                answer = &mut stopped => return answer.is_ok(),
            }
        }
    }

    /// Reads the config again. A wrong one is refused, and the old one stays.
    async fn reload(&mut self) {
        // The service manager waits for the end of what began at this moment.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.supervisor.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read"),
        }
        match self.take_over_config().await {
            // Each is the answer to somebody who asked for it.
            Ok(()) => tracing::info!(cause = engine::now().0.to_string(), "the config was read again"),
            Err(reason) => tracing::error!(
                cause = engine::now().0.to_string(),
                "the config was not taken over, the old one stays: {reason}"
            ),
        }
        self.supervisor.tell(&[NotifyState::Ready]);
    }

    async fn take_over_config(&self) -> std::result::Result<(), String> {
        let config =
            crate::config::Config::load(&self.context.places.config_file).map_err(|error| error.to_string())?;
        let answer = timeout(ANSWERS_WITHIN, self.handle.send(Command::Configure(Box::new(config)))).await;
        match answer.map_err(|_| "the engine does not answer".to_owned())? {
            Answer::Refused(refusal) => Err(refusal.message),
            _ => Ok(()),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Snapshot(snapshot) => {
                self.waiting = snapshot.queued.into_iter().map(|run| run.run_id).collect();
                self.running = snapshot.running.into_iter().map(|run| run.run_id).collect();
                self.count_repositories();
            }
            Event::RunQueued(run) => {
                self.waiting.insert(run.run_id);
            }
            Event::RunStarted(run) => {
                self.waiting.remove(&run.run_id);
                self.running.insert(run.run_id);
            }
            Event::RunFinished(run) => {
                self.forget(&run.run_id);
                log_end(&run);
            }
            Event::RunLost { run_id, message } => {
                self.forget(&run_id);
                tracing::warn!("a run was not recorded: {message}");
            }
            Event::Changed => self.count_repositories(),
            Event::Progress(_) | Event::Live(_) | Event::Ended => return,
        }
        self.tell_status();
    }

    fn forget(&mut self, run_id: &str) {
        self.waiting.remove(run_id);
        self.running.remove(run_id);
    }

    fn count_repositories(&mut self) {
        // Kept: opened for each change that is heard of, it took a quarter of the daemon's time at ten files a second.
        if self.reader.is_none() {
            self.reader = self.context.places.reader().ok().flatten();
        }
        match self.reader.as_ref().map(Reader::repositories) {
            Some(Ok(repositories)) => self.repositories = repositories.len(),
            Some(Err(error)) => tracing::debug!(%error, "the repositories cannot be counted"),
            None => {}
        }
    }

    fn tell_status(&mut self) {
        let mut status = format!(
            "{}, {} running",
            plural(self.repositories as u64, "repository", "repositories"),
            self.running.len()
        );
        if !self.waiting.is_empty() {
            status.push_str(&format!(", {} waiting", self.waiting.len()));
        }
        if status != self.status {
            self.supervisor.tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }
}

/// Waits until nobody listens but this process itself, and nothing runs.
async fn unused(handle: Handle) {
    let mut again = interval(LOOK_FOR_USERS_EVERY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks_left = LOOKS_FOR_THE_FIRST;
    loop {
        again.tick().await;
        let is_used = handle.listeners() > 1;
        looks_left = if is_used { 0 } else { looks_left.saturating_sub(1) };
        if !is_used && looks_left == 0 && handle.snapshot().await.is_none_or(|snapshot| snapshot.is_idle()) {
            return;
        }
    }
}

/// Tells the service manager that the engine lives, as long as it answers.
async fn keep_watchdog(handle: Handle, supervisor: Supervisor) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    // One that has waited for its turn has had more time.
    supervisor.tell(&[NotifyState::WatchdogUsec(u32::try_from(limit.as_micros()).unwrap_or(u32::MAX))]);
    let mut half = interval(limit / 2);
    half.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        half.tick().await;
        match timeout(limit / 2, handle.snapshot()).await {
            Ok(Some(_)) => supervisor.tell(&[NotifyState::Watchdog]),
            Ok(None) => return,
            Err(_) => tracing::error!("the engine has not answered for {} s", limit.as_secs() / 2),
        }
    }
}

/// Says in one line what a run did.
fn log_end(run: &Run) {
    let mut line = describe(run, 0).swap_remove(0);
    if let Some(message) = &run.error_message {
        line.push_str(&format!(": {message}"));
    }
    // No run's end is held back: its numbers are not those of another.
    let cause = &run.run_id;
    match run.outcome {
        Some(Outcome::Failed) => tracing::error!(cause, "{line}"),
        Some(Outcome::Held | Outcome::Partial | Outcome::Interrupted) => tracing::warn!(cause, "{line}"),
        // Those of the schedule are many, and the history has them.
        Some(Outcome::Completed) if has_found_nothing(&run.tally) => tracing::debug!(cause, "{line}"),
        Some(Outcome::Completed | Outcome::Cancelled) | None => tracing::info!(cause, "{line}"),
    }
}

fn has_found_nothing(tally: &Tally) -> bool {
    tally.added + tally.updated + tally.removed + tally.moved + tally.damaged == 0
}
