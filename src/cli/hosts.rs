//! `--host`: the screens of other machines, by the system's `ssh`. One host: its screen at once. Several: a list of all of them,
//! fed by `watchkeeper status --follow` on each.

mod lines;

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Sender, channel};

use lines::Lines;

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::open::theme_of;
use super::output::is_interactive;
use super::signals::any_signal;
use crate::tui::hosts::{self, Leave, News};
use crate::tui::{self, Kept, TuiError};

/// News that may wait while the screen of a host is open.
const WAITING: usize = 256;
/// A host that was lost is tried again after so long, and after twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that was heard for so long counts as found again.
const HEARD_WELL: Duration = Duration::from_secs(30);
/// Nobody can answer a question for a password here, and a line that is dead must be noticed.
const IN_SILENCE: [&str; 6] = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"];
/// An `ssh` that is told to end has so long.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(2);
/// Of what a program says against it so much is read.
const MOST_SAID: u64 = 64 * 1024;
const SIGHUP: u8 = 1;
/// What `ssh` ends with when it was its own failure.
const SSH_FAILED: i32 = 255;

/// Shows one screen, or the list.
pub fn run(context: &mut Context, names: Vec<String>, has_command: bool) -> Result<Verdict> {
    if let Some(name) = names.iter().find(|name| !is_host(name)) {
        return Err(CliError::Usage(format!("{name:?} is no host")));
    }
    if has_command {
        let name = &names[0];
        let message = format!("--host opens screens; for a command there: ssh {name} watchkeeper ...");
        return Err(CliError::Usage(message));
    }
    if !is_interactive() {
        let name = &names[0];
        return Err(CliError::Usage(format!("--host needs a terminal; without one: ssh {name} watchkeeper status")));
    }
    match names.as_slice() {
        [name] => {
            let verdict = |ended: ExitStatus| Verdict { failed: !ended.success(), ..Verdict::default() };
            Ok(screen_of(&crate::engine::runtime()?, name)?.map_or_else(ended_by, verdict))
        }
        _ => list(context, names),
    }
}

/// Tells whether `ssh` takes a word for a host: no option, and one word.
fn is_host(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(|sign: char| sign.is_whitespace() || sign.is_control())
}

fn ended_by(signal: u8) -> Verdict {
    Verdict { signal: Some(signal), ..Verdict::default() }
}

/// Shows the screen of a host until it ends, or a signal ends this one. The terminal is as it was then.
fn screen_of(runtime: &Runtime, name: &str) -> Result<std::result::Result<ExitStatus, u8>> {
    let kept = Kept::now();
    let mut child = ssh(&["-t"], name, &["watchkeeper"]).spawn().map_err(no_ssh)?;
    let pid = rustix::process::Pid::from_child(&child);
    let mut ended = runtime.spawn_blocking(move || child.wait());
    let shown = runtime.block_on(async {
        let signal = tokio::select! { biased;
            ended = &mut ended => return ended.map(|ended| ended.map(Ok)),
            signal = ending() => signal,
        };
        for how in [Signal::TERM, Signal::KILL] {
            // It may have ended just now.
            let _gone = rustix::process::kill_process(pid, how);
            if tokio::time::timeout(GIVES_UP_WITHIN, &mut ended).await.is_ok() {
                break;
            }
        }
        Ok(signal.map(Err))
    });
    let shown = shown.map_err(|_| CliError::failed("its thread panicked; this is a bug"))?;
    // The program there gives the terminal back itself, unless it was cut off.
    kept.put_back(!shown.as_ref().is_ok_and(|shown| shown.is_ok_and(|ended| ended.success())));
    Ok(shown?)
}

/// Waits for a signal that ends this program.
async fn ending() -> std::io::Result<u8> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = hangup.recv() => Ok(SIGHUP),
        signal = any_signal() => signal.map_err(|_| std::io::ErrorKind::Other.into()),
    }
}

/// Returns a call of `ssh` whose words reach the other side's shell as they are.
fn ssh(options: &[&str], name: &str, words: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command.args(options).arg("--").arg(name).args(words);
    command
}

fn no_ssh(error: std::io::Error) -> CliError {
    CliError::failed(format!("ssh: {error}"))
}

fn list(context: &mut Context, names: Vec<String>) -> Result<Verdict> {
    let ui = context.places.config()?.ui;
    let runtime = crate::engine::runtime()?;
    let (sender, mut news) = channel(WAITING);
    let mut listening = Vec::new();
    for (at, name) in names.iter().enumerate() {
        listening.push(Listening::start(at, name.clone(), sender.clone())?);
    }
    let asking = Asking::default();
    let failed = |error: TuiError| CliError::failed(error.to_string());
    let mut known = hosts::begin(names.clone()).map_err(failed)?;
    let theme = tui::Look::new(theme_of(ui.theme), ui.ascii);
    loop {
        let sync = |at: usize, repository| asking.ask(at, &names[at], repository, &sender);
        match runtime.block_on(hosts::run(&mut known, &mut news, theme, sync)).map_err(failed)? {
            Leave::Quit => return Ok(Verdict::default()),
            Leave::HungUp => return Ok(Verdict { signal: Some(1), ..Verdict::default() }),
            Leave::Ended(signal) => {
                return Ok(Verdict { signal: u8::try_from(signal).ok(), ..Verdict::default() });
            }
            Leave::Open(at) => match screen_of(&runtime, &names[at])? {
                Ok(ended) => {
                    let has_failed = ended.code() == Some(SSH_FAILED);
                    known.message = has_failed.then(|| format!("{}: ssh has failed", names[at]));
                }
                Err(signal) => return Ok(ended_by(signal)),
            },
        }
    }
}

/// The `ssh` of each sync that was asked for and is not yet answered, by host and repository; none while it starts.
type Children = Mutex<BTreeMap<(usize, String), Option<Child>>>;

/// Syncs that were asked for; those that are not answered yet are given up when this is dropped.
#[derive(Default)]
struct Asking {
    children: Arc<Children>,
}

impl Asking {
    /// Asks a host for a sync, on a thread, as it may not answer; once, however often the key is pressed.
    fn ask(&self, at: usize, name: &str, repository: String, sender: &Sender<(usize, News)>) {
        let key = (at, repository);
        if locked(&self.children).contains_key(&key) {
            return;
        }
        locked(&self.children).insert(key.clone(), None);
        let (children, name, sender) = (Arc::clone(&self.children), name.to_owned(), sender.clone());
        let asked = key.clone();
        let started = std::thread::Builder::new().name("ask".to_owned()).spawn(move || {
            let said = match ask_for(&children, &key, &name) {
                Ok(words) if words.is_empty() => format!("{}: asked for", key.1),
                Ok(words) => words,
                Err(error) => error.to_string(),
            };
            locked(&children).remove(&key);
            let _unheard = sender.blocking_send((at, News::Said(said)));
        });
        if let Err(error) = started {
            // The next press tries again.
            locked(&self.children).remove(&asked);
            tracing::error!(%error, "a sync could not be asked for");
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        std::mem::take(&mut *locked(&self.children)).into_values().flatten().for_each(end);
    }
}

/// Asks, and returns what was said against it; nothing when it was accepted.
fn ask_for(children: &Children, key: &(usize, String), name: &str) -> std::io::Result<String> {
    let word = shlex::try_quote(&key.1).map_err(|error| std::io::Error::other(error.to_string()))?;
    let words = ["watchkeeper", "sync", "--no-wait", "--quiet", &word];
    let mut sync = ssh(&IN_SILENCE, name, &words);
    sync.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = sync.spawn()?;
    let err = child.stderr.take();
    locked(children).insert(key.clone(), Some(child));
    let mut said = Vec::new();
    if let Some(err) = err {
        err.take(MOST_SAID).read_to_end(&mut said)?;
    }
    let Some(Some(mut child)) = locked(children).remove(key) else { return Ok(String::new()) };
    let ended = child.wait()?;
    let words = last_line(&said);
    Ok(match ended.success() {
        true => String::new(),
        false if words.is_empty() => format!("ended: {ended}"),
        false => words,
    })
}

fn end(mut child: Child) {
    // It may have ended already.
    let _gone = child.kill();
    let _gone = child.wait();
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears a host on a thread of its own, for as long as this is kept.
struct Listening {
    child: Arc<Mutex<Option<Child>>>,
}

impl Listening {
    fn start(at: usize, name: String, sender: Sender<(usize, News)>) -> Result<Listening> {
        let child = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&child);
        std::thread::Builder::new().name(format!("host-{at}")).spawn(move || {
            let mut pause = FIRST_PAUSE;
            loop {
                let since = Instant::now();
                let reason = match hear(at, &name, &shared, &sender) {
                    Ok(Some(reason)) => reason,
                    Ok(None) => return,
                    Err(error) => error.to_string(),
                };
                if since.elapsed() > HEARD_WELL {
                    pause = FIRST_PAUSE;
                }
                if sender.blocking_send((at, News::Lost(reason))).is_err() {
                    return;
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })?;
        Ok(Listening { child })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(child) = locked(&self.child).take() {
            end(child);
        }
    }
}

/// Hears a host until it says no more; returns why, or `None` when nobody wants to know.
fn hear(
    at: usize,
    name: &str,
    shared: &Mutex<Option<Child>>,
    sender: &Sender<(usize, News)>,
) -> std::io::Result<Option<String>> {
    let mut follow = ssh(&IN_SILENCE, name, &["watchkeeper", "status", "--follow", "--json"]);
    // In a group of its own: it must not read the person's keys.
    follow.process_group(0);
    let mut child = follow.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    *locked(shared) = Some(child);
    let out = out.ok_or(std::io::ErrorKind::BrokenPipe)?;
    let heard = pass_on(Lines::new(BufReader::new(out)), at, sender);
    if heard.is_err()
        && let Some(child) = locked(shared).take()
    {
        end(child);
    }
    if !heard? {
        return Ok(None);
    }
    let mut said = Vec::new();
    if let Some(err) = err {
        err.take(MOST_SAID).read_to_end(&mut said)?;
    }
    // Whoever drops the list takes it before.
    let child = locked(shared).take();
    let Some(mut child) = child else { return Ok(None) };
    let ended = child.wait()?;
    let words = last_line(&said);
    Ok(Some(if words.is_empty() { format!("ended: {ended}") } else { words }))
}

/// Passes each line on; returns whether somebody still wants to know.
fn pass_on(
    mut lines: Lines<impl std::io::BufRead>,
    at: usize,
    sender: &Sender<(usize, News)>,
) -> std::io::Result<bool> {
    while let Some(line) = lines.next()? {
        if sender.blocking_send((at, News::Line(line))).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The last thing that a program has said: the reason of its end.
fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
