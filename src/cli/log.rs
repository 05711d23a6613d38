//! The log: where it goes, how a line looks there, and that one cause does not flood it.
//!
//! A line is one event; control characters in it are escaped, so that no file name can forge another. Where a process
//! stays for long, each cause gets one line a minute, and when the minute is over a second one that counts the others.
//! The cause is the place in the code, and the event's field `cause` where it has one.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

use super::args::{Cli, Command};
use super::exit::{CliError, Result};
use super::output;
use super::places::Places;
use crate::domain::moment::Timestamp;
use crate::domain::show::show_message;

/// A cause gets one line in this time.
const WINDOW: Duration = Duration::from_secs(60);
/// So many causes are told apart; those beyond share a line for each place in the code.
const MOST_CAUSES: usize = 1000;

/// The log of this process. Its clones are the same log.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Lines>>);

struct Lines {
    target: Box<dyn Write + Send>,
    style: Style,
    /// `None`: all is written.
    limiter: Option<Limiter>,
    started: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Timed,
    /// The journal has the time, and takes the priority off again.
    Journal,
}

/// Starts the log on standard error, or in a file: when one is named, and when a screen is up.
pub fn start(cli: &Cli, places: &Places) -> Result<Log> {
    let is_daemon = matches!(cli.command, Some(Command::Daemon { .. }));
    let has_screen = cli.command.is_none() && output::is_interactive();
    // Whoever looks at a screen sees there what a service's log would tell.
    let is_service = matches!(cli.command, Some(Command::Daemon { while_used: false, .. }));
    let level = match (cli.globals.quiet, cli.globals.verbose + u8::from(is_service)) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = std::env::var("WATCHKEEPER_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    let file = match has_screen {
        true => Some(places.screen_log()?),
        false => places.log_file().map(Path::to_owned),
    };
    let (target, style): (Box<dyn Write + Send>, Style) = match file {
        Some(path) => (Box::new(open(&path)?), Style::Timed),
        None if output::is_journal() => (Box::new(output::log_target()), Style::Journal),
        None => (Box::new(output::log_target()), if is_daemon { Style::Timed } else { Style::Plain }),
    };
    let limiter = (is_daemon || has_screen).then(Limiter::default);
    let log = Log(Arc::new(Mutex::new(Lines { target, style, limiter, started: Instant::now() })));
    let started = registry().with(filter).with(log.clone()).try_init();
    started.map_err(|error| CliError::failed(format!("the log cannot be started: {error}")))?;
    Ok(log)
}

fn open(path: &Path) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = std::fs::File::options().create(true).append(true).mode(0o600).open(path);
    opened.map_err(|error| CliError::failed(format!("log file {}: {error}", path.display())))
}

impl Log {
    /// Writes how many lines were held back in minutes that are over. Otherwise the next event of any cause does.
    pub fn count_up(&self) {
        self.with(|lines| lines.count_up(lines.started.elapsed()));
    }

    /// Writes how many lines were held back; the process is about to end.
    pub fn end(&self) {
        self.with(|lines| lines.count_up(Duration::MAX));
    }

    fn with(&self, work: impl FnOnce(&mut Lines)) {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let line = Line { level: *event.metadata().level(), text: one_line(&words) };
        let cause = (event.metadata().name(), words.cause);
        self.with(|lines| {
            let now = lines.started.elapsed();
            lines.count_up(now);
            if lines.limiter.as_mut().is_none_or(|limiter| limiter.admits(cause, &line, now)) {
                lines.write(&line);
            }
        });
    }
}

impl Lines {
    fn count_up(&mut self, now: Duration) {
        for line in self.limiter.as_mut().map(|limiter| limiter.due(now)).unwrap_or_default() {
            self.write(&line);
        }
    }

    fn write(&mut self, line: &Line) {
        let shaped = line.shaped(self.style, crate::engine::now());
        // A log that cannot be written is no reason to stop working, and there is no place to say it.
        let _lost = self.target.write_all(shaped.as_bytes());
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    level: Level,
    text: String,
}

impl Line {
    fn shaped(&self, style: Style, now: Timestamp) -> String {
        let Line { level, text } = self;
        match style {
            Style::Plain => format!("{level:>5} {text}\n"),
            Style::Timed => format!("{} {level:>5} {text}\n", now.rfc3339()),
            Style::Journal => format!("<{}>{text}\n", priority(*level)),
        }
    }
}

/// Returns the priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// What an event says.
#[derive(Default)]
struct Words {
    message: String,
    /// ` name=value` each.
    fields: String,
    cause: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "cause" => write!(self.cause, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("writing to a string cannot fail");
    }
}

fn one_line(words: &Words) -> String {
    show_message(&format!("{}{}", words.message, words.fields)).replace('\n', "\\x0a")
}

/// The place in the code, and what the event itself calls its cause.
type Cause = (&'static str, String);

/// Decides which lines are written. Asks no clock: `now` is the time since some start.
#[derive(Debug, Default)]
struct Limiter {
    told: BTreeMap<Cause, Told>,
}

#[derive(Debug)]
struct Told {
    at: Duration,
    line: Line,
    held_back: u64,
}

impl Limiter {
    /// Tells whether a line is to be written now; otherwise it is counted. What was due before has been taken.
    fn admits(&mut self, mut cause: Cause, line: &Line, now: Duration) -> bool {
        // Who asks for these wants them all.
        if line.level > Level::INFO {
            return true;
        }
        if self.told.len() >= MOST_CAUSES && !self.told.contains_key(&cause) {
            cause.1.clear();
        }
        match self.told.get_mut(&cause) {
            Some(told) => {
                told.held_back += 1;
                false
            }
            None => {
                self.told.insert(cause, Told { at: now, line: line.clone(), held_back: 0 });
                true
            }
        }
    }

    /// Ends the minutes that are over, and returns a line for each in which some were held back.
    fn due(&mut self, now: Duration) -> Vec<Line> {
        let mut due = Vec::new();
        self.told.retain(|_, told| {
            let goes_on = now < told.at.saturating_add(WINDOW);
            if !goes_on && told.held_back > 0 {
                let text = format!("{} ({} more in the last minute)", told.line.text, told.held_back);
                due.push(Line { level: told.line.level, text });
            }
            goes_on
        });
        due
    }
}

#[cfg(test)]
mod tests;
