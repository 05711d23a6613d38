//! The loop: waits for what comes first, lets [`update`] decide, carries out what it says. The only clock of the room.
//!
//! Drawing stands before waiting, so that no flood of news can starve it; input stands before news, so that none can
//! starve a key. All queues are bounded: news that do not fit make the subscription lag, and then comes a snapshot.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event as Input, EventStream};
use ratatui::layout::Size;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::escape::{ESC, Held};
use super::event::{Effect, Msg, Now};
use super::input::{is_gone, message, next_input, ready_input};
use super::keymap::Key;
use super::pace::{Pacer, Reason};
use super::reading::Reading;
use super::remember::{self, Memory, Remembering};
use super::state::State;
use super::terminal::TermGuard;
use super::theme::Theme;
use super::update::{read_all, update};
use super::view::view;
use super::{Exit, Options, TuiError, away, hangup};
use crate::domain::moment::Timestamp;
use crate::engine::Handle;
use crate::engine::protocol::{Answer, Command, Event, Refusal};

/// How many news, rows and panics wait for the screen.
const WAITING: usize = 64;
/// How much input is taken before the next frame.
const INPUT_AT_ONCE: usize = 64;
/// How many commands wait for their answers.
const COMMANDS: usize = 32;

/// What the loop holds beside the state.
struct Shell {
    state: State,
    pacer: Pacer,
    held: Held,
    started: Instant,
    terminal: TermGuard,
    /// `None` while another program has the terminal.
    input: Option<EventStream>,
    handle: Handle,
    answers: JoinSet<Msg>,
    reading: Reading,
    news: mpsc::Receiver<Msg>,
    signals: Signals,
    forwarding: JoinHandle<()>,
    remembering: Remembering,
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    resume: Signal,
}

/// What the loop woke up for.
enum Wake {
    Msg(Msg),
    Input(Option<io::Result<Input>>),
    /// What was held back is no beginning of a sequence.
    Overdue,
    Resume,
    Draw,
    End(Exit),
}

/// See [`super::run`].
pub async fn run(options: Options, handle: Handle, lost: impl FnOnce() + Send + 'static) -> Result<Exit, TuiError> {
    let watch = hangup::watch(lost).map_err(TuiError::Start)?;
    let mut shell = Shell::start(options, handle)?;
    let ended = shell.turn().await;
    watch.noticed();
    shell.forwarding.abort();
    shell.remembering.end(&shell.state).await;
    match ended {
        Ok(Exit::HungUp) => {
            // The reader thread of a stream on a dead terminal spins; ratatui writes to it and panics.
            shell.input = None;
            shell.terminal.abandon();
            Ok(Exit::HungUp)
        }
        other => other,
    }
}

impl Shell {
    fn start(options: Options, handle: Handle) -> Result<Shell, TuiError> {
        let (sender, news) = mpsc::channel(WAITING);
        let signals = Signals::listen().map_err(TuiError::Start)?;
        let path = remember::path(&options.index_path);
        let reading = Reading::start(options.index_path, sender.clone()).map_err(TuiError::Start)?;
        let (width, height) = crossterm::terminal::size().map_err(TuiError::Terminal)?;
        let mut terminal = TermGuard::take(sender.clone()).map_err(TuiError::Terminal)?;
        let started = Instant::now();
        let theme = Theme::new(options.theme, options.ascii);
        let mut state = State::new(theme, options.keys, Size { width, height }, now(started));
        state.mouse = options.mouse;
        terminal.set_mouse(options.mouse).map_err(TuiError::Terminal)?;
        state.has_service = options.has_service;
        state.forms.here = options.here;
        Memory::read(&path).restore(&mut state);
        let mut pacer = Pacer::default();
        pacer.want(Reason::Input);
        let forwarding = tokio::spawn(forward(handle.clone(), sender));
        let shell = Shell {
            state,
            pacer,
            held: Held::default(),
            started,
            terminal,
            input: Some(EventStream::new()),
            handle,
            answers: JoinSet::new(),
            reading,
            news,
            signals,
            forwarding,
            remembering: Remembering::at(path),
        };
        for effect in [read_all(&shell.state), away::ask(&shell.state)].concat() {
            if let Effect::Read(query) = effect {
                shell.reading.ask(query);
            }
        }
        Ok(shell)
    }

    async fn turn(&mut self) -> Result<Exit, TuiError> {
        loop {
            if !self.terminal.is_held() {
                return Err(TuiError::Panicked);
            }
            if let Some(exit) = self.draw_if_due()? {
                return Ok(exit);
            }
            let exit = match self.wait().await {
                Wake::End(exit) => Some(exit),
                Wake::Draw => None,
                Wake::Overdue => self.take_overdue()?,
                Wake::Resume => {
                    self.terminal.reenter().map_err(TuiError::Terminal)?;
                    self.apply(Msg::Resumed)?
                }
                Wake::Msg(msg) => self.apply(msg)?,
                Wake::Input(input) => self.take_input(input).await?,
            };
            if let Some(exit) = exit {
                return Ok(exit);
            }
        }
    }

    /// Waits for whatever comes first; what a person does goes before what happens by itself.
    async fn wait(&mut self) -> Wake {
        let until_minute = until_next_minute(now(self.started).wall);
        let due = self.pacer.due_ms().map(|due| self.started + Duration::from_millis(due));
        let draw_at = due.unwrap_or(self.started);
        let overdue = self.held.due_ms().map(|due| self.started + Duration::from_millis(due));
        let overdue_at = overdue.unwrap_or(self.started);
        tokio::select! { biased;
            Some(()) = self.signals.hangup.recv() => Wake::End(Exit::HungUp),
            Some(()) = self.signals.terminate.recv() => Wake::End(ended_by(SignalKind::terminate())),
            Some(()) = self.signals.interrupt.recv() => Wake::End(ended_by(SignalKind::interrupt())),
            Some(()) = self.signals.resume.recv() => Wake::Resume,
            input = next_input(&mut self.input) => Wake::Input(input),
            () = tokio::time::sleep_until(overdue_at.into()), if overdue.is_some() => Wake::Overdue,
            Some(answer) = self.answers.join_next(), if !self.answers.is_empty() => match answer {
                Ok(msg) => Wake::Msg(msg),
                // It was not cancelled by us, so it panicked: the hook has told of it, and the loop is about to end.
                Err(_) => Wake::Draw,
            },
            Some(msg) = self.news.recv() => Wake::Msg(msg),
            () = tokio::time::sleep_until(draw_at.into()), if due.is_some() => Wake::Draw,
            () = tokio::time::sleep(until_minute) => Wake::Msg(Msg::Minute),
        }
    }

    /// Takes the input that woke us and what else is ready, so that a held-down key is one frame and not many.
    async fn take_input(&mut self, first: Option<io::Result<Input>>) -> Result<Option<Exit>, TuiError> {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(input) = next {
            let input = match input {
                Some(Ok(input)) => input,
                // The end of input is the end of the terminal.
                None => return Ok(Some(Exit::HungUp)),
                Some(Err(error)) if is_gone(&error) => return Ok(Some(Exit::HungUp)),
                Some(Err(error)) => return Err(TuiError::Terminal(error)),
            };
            for msg in self.messages(&input) {
                if let Some(exit) = self.apply(msg)? {
                    return Ok(Some(exit));
                }
            }
            taken += 1;
            next = match &mut self.input {
                Some(stream) if taken < INPUT_AT_ONCE => ready_input(stream).await,
                _ => None,
            };
        }
        Ok(None)
    }

    /// Returns what input means; a lone Esc only when it is sure that it is one.
    fn messages(&mut self, input: &Input) -> Vec<Msg> {
        let Input::Key(key) = input else { return message(input).into_iter().collect() };
        // Esc and a letter in one packet come as Alt and the letter, which no key of ours has.
        if let Some(letter) = Key::behind_esc(key) {
            let now_ms = now(self.started).monotonic_ms;
            let esc = self.held.take(ESC, now_ms);
            return esc.into_iter().chain(self.held.take(letter, now_ms)).map(Msg::Key).collect();
        }
        let Some(key) = Key::from_event(key) else { return Vec::new() };
        let now_ms = now(self.started).monotonic_ms;
        self.held.take(key, now_ms).into_iter().map(Msg::Key).collect()
    }

    fn take_overdue(&mut self) -> Result<Option<Exit>, TuiError> {
        match self.held.overdue(now(self.started).monotonic_ms) {
            Some(key) => self.apply(Msg::Key(key)),
            None => Ok(None),
        }
    }

    /// Lets the state change and does what follows.
    fn apply(&mut self, msg: Msg) -> Result<Option<Exit>, TuiError> {
        let is_input = msg.is_input();
        self.pacer.want(if is_input { Reason::Input } else { Reason::Background });
        for effect in update(&mut self.state, msg, now(self.started)) {
            match effect {
                Effect::Quit(exit) => return Ok(Some(exit)),
                Effect::Read(query) => self.reading.ask(query),
                Effect::Send { command, about } => {
                    self.send(command, |answer| Msg::Answered { to: about, answer });
                }
                Effect::Ask { ticket, command, about } => {
                    self.send(command, move |answer| Msg::Told { ticket, about, answer });
                }
                Effect::AskSchedule => self.ask_schedule(),
                Effect::Write { path, text } => drop(self.answers.spawn_blocking(move || write_new(&path, &text))),
                Effect::Copy(text) => self.terminal.copy(&text).map_err(TuiError::Terminal)?,
                Effect::Mouse(is_on) => self.terminal.set_mouse(is_on).map_err(TuiError::Terminal)?,
                Effect::Redraw => self.terminal.forget_frame().map_err(TuiError::Terminal)?,
                Effect::Suspend => self.suspend()?,
            }
        }
        if is_input {
            self.remembering.write_now_and_then(&self.state);
        }
        Ok(None)
    }

    fn ask_schedule(&mut self) {
        let handle = self.handle.clone();
        self.answers.spawn(async move {
            // An engine that has ended says so by its events.
            Msg::Scheduler(handle.snapshot().await.unwrap_or_default().scheduler)
        });
    }

    fn send(&mut self, command: Command, told: impl FnOnce(Answer) -> Msg + Send + 'static) {
        let handle = self.handle.clone();
        let is_full = self.answers.len() >= COMMANDS;
        self.answers.spawn(async move {
            let answer = match is_full {
                true => {
                    Answer::Refused(Refusal::new("unavailable", "the engine has not answered earlier commands yet"))
                }
                false => handle.send(command).await,
            };
            told(answer)
        });
    }

    /// The stream is dropped first: its thread would read what is meant for the shell.
    fn suspend(&mut self) -> Result<(), TuiError> {
        self.input = None;
        let suspended = self.terminal.suspend().map_err(TuiError::Terminal);
        self.input = Some(EventStream::new());
        suspended
    }

    fn draw_if_due(&mut self) -> Result<Option<Exit>, TuiError> {
        let now_ms = now(self.started).monotonic_ms;
        if self.pacer.due_ms().is_none_or(|due| due > now_ms) {
            return Ok(None);
        }
        let state = &self.state;
        match self.terminal.draw(|frame| view(state, frame)) {
            Ok(()) => {}
            Err(error) if is_gone(&error) => return Ok(Some(Exit::HungUp)),
            Err(error) => return Err(TuiError::Terminal(error)),
        }
        let drawn_ms = now(self.started).monotonic_ms;
        self.pacer.drawn(drawn_ms, drawn_ms.saturating_sub(now_ms));
        Ok(None)
    }
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            resume: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// Passes the engine's events on. A task of its own, as waiting for one must not be given up half-way.
async fn forward(handle: Handle, news: mpsc::Sender<Msg>) {
    let mut subscription = handle.subscribe();
    loop {
        let event = subscription.next().await;
        let is_over = event == Event::Ended && handle.is_over();
        if news.send(Msg::Engine(event)).await.is_err() || is_over {
            return;
        }
    }
}

fn write_new(path: &Path, text: &str) -> Msg {
    let write = || {
        let path = std::path::absolute(path)?;
        File::create_new(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    };
    Msg::Written(write().map_err(|error: io::Error| format!("{}: {error}", path.display())))
}

fn ended_by(kind: SignalKind) -> Exit {
    Exit::Ended { signal: kind.as_raw_value() }
}

fn now(started: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        monotonic_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        wall: Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
    }
}

fn until_next_minute(wall: Timestamp) -> Duration {
    Duration::from_millis(60_000 - u64::try_from(wall.0.rem_euclid(60_000)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FakeEngine;
    use crate::engine::protocol::Snapshot;

    #[tokio::test]
    async fn the_engine_s_news_begin_with_a_snapshot_and_go_on_with_the_next_engine() {
        let (handle, engine) = FakeEngine::new();
        let events = engine.events.clone();
        let (sender, mut news) = mpsc::channel(WAITING);
        let serving = tokio::spawn(engine.serve(Snapshot::default(), |_, _| Answer::Done { count: 0 }));
        let forwarding = tokio::spawn(forward(handle, sender));
        assert!(matches!(news.recv().await, Some(Msg::Engine(Event::Snapshot(_)))));
        for event in [Event::Changed, Event::Ended, Event::Snapshot(Snapshot::default())] {
            events.send(event.clone());
            assert!(matches!(news.recv().await, Some(Msg::Engine(heard)) if heard == event));
        }
        // Nobody answers any more, and nobody will.
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        events.send(Event::Ended);
        assert!(matches!(news.recv().await, Some(Msg::Engine(Event::Ended))));
        forwarding.await.unwrap();
    }

    #[test]
    fn the_clock_is_drawn_when_a_minute_begins() {
        assert_eq!(until_next_minute(Timestamp(59_999)), Duration::from_millis(1));
        assert_eq!(until_next_minute(Timestamp(60_000)), Duration::from_secs(60));
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        assert!(matches!(write_new(&path, "a"), Msg::Written(Ok(at)) if at == path));
        assert!(matches!(write_new(&path, "b"), Msg::Written(Err(error)) if error.contains("x.csv: ")));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a");
    }
}
