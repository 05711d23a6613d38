//! `--plain`: the program in lines, for screen readers and terminals that can do nothing else. Says what happens as it
//! happens, and takes every command of this program, without its first word.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;

use tokio::sync::mpsc::{Receiver, channel};

use super::Context;
use super::exit::{Result, Verdict};
use super::follow::{describe, until_idle};
use super::open::cancel_unless_service;
use super::session::Session;
use super::signals::any_signal;
use super::status;
use crate::domain::amount::plural;
use crate::domain::report::Run;
use crate::domain::run::Kind;
use crate::domain::show::show_message;
use crate::engine::protocol::{Event, RunProgress};
use crate::engine::{self, Handle, Subscription};

const HELP: &str = "Any command of watchkeeper without its first word, such as:
status, history photos, changes --since 1d, problems, held, sync photos, cancel, repo add /srv/music, doctor.
help COMMAND says what a command can do. quit leaves; what runs goes on, and cancel ends it.";

/// How a session in lines goes on.
enum Next {
    Line(String),
    Event(Event),
    Signal(u8),
    /// Nobody types any more.
    Closed,
}

/// What was said last, so that only what is new is said.
#[derive(Default)]
struct Said {
    states: BTreeMap<String, String>,
    /// By run: the quarter that was told.
    quarters: BTreeMap<String, u8>,
}

/// Runs until the person leaves, nobody types any more and nothing runs, or a signal comes.
pub fn run(context: &mut Context, session: &Session, mut events: Subscription) -> Result<Verdict> {
    let standings = status::read(context, None)?;
    let count = plural(standings.len() as u64, "repository", "repositories");
    context.out.line(&format!("watchkeeper, {count}. Type help for help, quit to leave."))?;
    status::show(context, &standings)?;
    context.out.flush()?;
    let mut said = Said::default();
    said.note_states(context)?;
    let mut lines = lines()?;
    loop {
        match session.runtime.block_on(next(&mut events, &mut lines))? {
            Next::Event(Event::Ended) => {
                context.out.line("The engine has ended.")?;
                if session.handle().is_over() {
                    return Ok(Verdict::default());
                }
            }
            Next::Event(event) => said.tell(context, &event)?,
            Next::Line(line) => match line.trim() {
                "" => {}
                "help" | "?" => context.out.line(HELP)?,
                "quit" | "exit" | "q" => {
                    let runs = session.runtime.block_on(running(session.handle()));
                    if runs > 0 {
                        let runs = plural(runs as u64, "run goes", "runs go");
                        context.out.line(&format!("{runs} on; `watchkeeper cancel` ends what runs."))?;
                    }
                    return Ok(Verdict::default());
                }
                line => carry_out(context, line)?,
            },
            Next::Closed => {
                session.runtime.block_on(until_idle(session.handle()));
                return Ok(Verdict::default());
            }
            Next::Signal(number) => {
                session.runtime.block_on(cancel_unless_service(session.handle()));
                return Ok(Verdict { signal: Some(number), ..Verdict::default() });
            }
        }
        context.out.flush()?;
    }
}

async fn next(events: &mut Subscription, lines: &mut Receiver<String>) -> Result<Next> {
    Ok(tokio::select! {
        signal = any_signal() => Next::Signal(signal?),
        line = lines.recv() => line.map_or(Next::Closed, Next::Line),
        event = events.next() => Next::Event(event),
    })
}

async fn running(handle: &Handle) -> usize {
    let snapshot = handle.snapshot().await.unwrap_or_default();
    snapshot.queued.len() + snapshot.running.iter().filter(|run| run.kind != Kind::Realtime).count()
}

/// Runs one command as a person would in a shell: it reaches this engine by its socket.
fn carry_out(context: &mut Context, line: &str) -> Result<()> {
    let Some(words) = shlex::split(line) else {
        return context.out.line("A quotation mark is missing its partner.");
    };
    // Who is used to write it may write it.
    let words = words.iter().skip_while(|word| *word == "watchkeeper");
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(context.places.arguments()?);
    let ended: io::Result<ExitStatus> = command.args(words).stdin(std::process::Stdio::null()).status();
    match ended?.code() {
        Some(0) => Ok(()),
        Some(code) => context.out.line(&format!("(exit code {code})")),
        None => context.out.line("(ended by a signal)"),
    }
}

impl Said {
    fn tell(&mut self, context: &mut Context, event: &Event) -> Result<()> {
        match event {
            Event::RunStarted(run) if run.kind != Kind::Realtime => {
                say(context, &format!("{}: {} has started, run {}", run.repository, run.kind.as_str(), run.number))?;
            }
            Event::Progress(progress) => self.tell_quarter(context, progress)?,
            Event::RunFinished(run) => {
                self.quarters.remove(&run.run_id);
                if run.kind != Kind::Realtime || has_found(run) {
                    for line in describe(run, 0) {
                        say(context, &line)?;
                    }
                    let why = run.error_message.iter().map(|message| show_message(message).into_owned());
                    for why in why {
                        say(context, &format!("{}: {why}", run.repository))?;
                    }
                }
                self.tell_states(context)?;
            }
            Event::RunLost { message, .. } => say(context, &show_message(message))?,
            Event::Changed | Event::Live(_) | Event::Snapshot(_) => self.tell_states(context)?,
            Event::RunQueued(_) | Event::RunStarted(_) | Event::Ended => {}
        }
        Ok(())
    }

    /// Says of a run that it is a quarter, a half or three quarters done, each once.
    fn tell_quarter(&mut self, context: &mut Context, progress: &RunProgress) -> Result<()> {
        let Some(percent) = progress.percent() else { return Ok(()) };
        let quarter = (percent / 25.0) as u8;
        let before = self.quarters.insert(progress.run_id.clone(), quarter).unwrap_or(0);
        if quarter > before && quarter < 4 {
            let (name, kind) = (&progress.repository, progress.kind.as_str());
            say(context, &format!("{name}: {kind} is {} % done", u32::from(quarter) * 25))?;
        }
        Ok(())
    }

    fn note_states(&mut self, context: &Context) -> Result<()> {
        let states = status::read(context, None)?;
        self.states = states.iter().map(|one| (one.status.repository.name.clone(), status::word(one.state))).collect();
        Ok(())
    }

    /// Says which repositories are in another state than before.
    fn tell_states(&mut self, context: &mut Context) -> Result<()> {
        let before = std::mem::take(&mut self.states);
        self.note_states(context)?;
        for (name, state) in &self.states {
            if before.get(name) != Some(state) {
                say(context, &format!("{name} is {state}"))?;
            }
        }
        Ok(())
    }
}

fn say(context: &mut Context, words: &str) -> Result<()> {
    let now = engine::now().local_time();
    context.out.line(&format!("{now} {words}"))
}

fn has_found(run: &Run) -> bool {
    let tally = &run.tally;
    tally.added + tally.updated + tally.removed + tally.moved + tally.damaged + tally.problems > 0
}

/// Reads lines on a thread of its own. It waits for the next one when the program ends, and nobody waits for it.
fn lines() -> io::Result<Receiver<String>> {
    let (sender, lines) = channel(1);
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        for line in io::stdin().lines().map_while(io::Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}
