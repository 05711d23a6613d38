//! `--host`: the screens of other machines, by the system's `ssh`. One host: its screen at once. Several: a list of all of them,
//! fed by `watchkeeper status --follow` on each.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Sender, channel};

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::open::theme_of;
use super::output::is_interactive;
use crate::tui::hosts::{self, Errand, News};
use crate::tui::{self, TuiError};

/// News that may wait while the screen of a host is open.
const WAITING: usize = 256;
/// A host that was lost is tried again after so long, and after twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that was heard for so long counts as found again.
const HEARD_WELL: Duration = Duration::from_secs(30);
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
            let ended = screen_of(name)?;
            Ok(Verdict { failed: !ended.success(), ..Verdict::default() })
        }
        _ => list(context, names),
    }
}

/// Tells whether `ssh` takes a word for a host: no option, and one word.
fn is_host(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(|sign: char| sign.is_whitespace() || sign.is_control())
}

/// Shows the screen of a host until it ends.
fn screen_of(name: &str) -> Result<ExitStatus> {
    let ended = ssh(&["-t"], name, &["watchkeeper"]).status().map_err(no_ssh)?;
    Ok(ended)
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
    let failed = |error: TuiError| CliError::failed(error.to_string());
    let mut known = hosts::begin(names.clone()).map_err(failed)?;
    let theme = tui::Look::new(theme_of(ui.theme), ui.ascii);
    loop {
        let sync = |at: usize, repository| ask(at, names[at].clone(), repository, sender.clone());
        match runtime.block_on(hosts::run(&mut known, &mut news, theme, sync)).map_err(failed)? {
            Errand::Quit => return Ok(Verdict::default()),
            Errand::HungUp => return Ok(Verdict { signal: Some(1), ..Verdict::default() }),
            Errand::Ended(signal) => {
                return Ok(Verdict { signal: u8::try_from(signal).ok(), ..Verdict::default() });
            }
            Errand::Sync(at, repository) => ask(at, names[at].clone(), repository, sender.clone()),
            Errand::Open(at) => {
                let ended = screen_of(&names[at])?;
                known.message = (ended.code() == Some(SSH_FAILED)).then(|| format!("{}: ssh has failed", names[at]));
            }
        }
    }
}

/// Asks a host for a sync, on a thread: it may not answer.
fn ask(at: usize, name: String, repository: String, sender: Sender<(usize, News)>) {
    let started = std::thread::Builder::new().name("ask".to_owned()).spawn(move || {
        let refused = match shlex::try_quote(&repository) {
            Ok(word) => {
                let words = ["watchkeeper", "sync", "--no-wait", "--quiet", &word];
                match ssh(&["-o", "BatchMode=yes"], &name, &words).stdin(Stdio::null()).output() {
                    Ok(done) if done.status.success() => return,
                    Ok(done) => last_line(&done.stderr),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        let _unheard = sender.blocking_send((at, News::Refused(refused)));
    });
    if let Err(error) = started {
        tracing::error!(%error, "a sync could not be asked for");
    }
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
        if let Some(mut child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It may have ended already.
            let _gone = child.kill();
            let _gone = child.wait();
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
    // Nobody can answer a question for a password here, and a line that is dead must be noticed.
    let options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"];
    let mut follow = ssh(&options, name, &["watchkeeper", "status", "--follow", "--json"]);
    let mut child = follow.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    for line in BufReader::new(out.into_iter().next().ok_or(std::io::ErrorKind::BrokenPipe)?).lines() {
        if sender.blocking_send((at, News::Line(line?))).is_err() {
            return Ok(None);
        }
    }
    let mut said = Vec::new();
    if let Some(mut err) = err {
        err.read_to_end(&mut said)?;
    }
    // Whoever drops the list takes it before.
    let child = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut child) = child else { return Ok(None) };
    let ended = child.wait()?;
    let words = last_line(&said);
    Ok(Some(if words.is_empty() { format!("ended: {ended}") } else { words }))
}

/// The last thing that a program has said: the reason of its end.
fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
