//! Runs one program of the person's: feeds it, keeps what it says, ends it when its time is up.
//!
//! One `poll` over its input, its output and its end, in the caller's thread: a program that does not read, says without
//! end, or leaves children behind that hold its pipes open cannot hang us.

use std::ffi::OsString;
use std::io::{self, BufWriter, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::domain::show::show;
use crate::engine::clock::Stopwatch;

/// So much of what a hook says is kept; a program that floods us is no reason to fill the index.
const KEPT_BYTES: usize = 64 * 1024;
/// From SIGTERM to SIGKILL, and from there until a process that even SIGKILL does not end is left behind.
const GRACE_MS: u64 = 2_000;
/// What belongs to this program and its service manager; a hook that spoke to the latter would speak in our name.
const NOT_INHERITED: [&str; 5] = ["WATCHKEEPER_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY"];

/// How a hook ended, and the first 64 KiB that it said on both outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEnd {
    pub outcome: HookOutcome,
    pub output: String,
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    Exited(i32),
    /// By this signal, and not by us.
    Signalled(i32),
    /// It was ended when its time was up.
    TimedOut,
    /// A sentence for people.
    NotStarted(String),
}

impl std::fmt::Display for HookOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HookOutcome::Exited(code) => write!(f, "exited with {code}"),
            HookOutcome::Signalled(signal) => write!(f, "ended by signal {signal}"),
            HookOutcome::TimedOut => f.write_str("ended by us: it took longer than `hooks.timeout`"),
            HookOutcome::NotStarted(message) => write!(f, "not started: {message}"),
        }
    }
}

/// Runs `argv` without a shell, in `/` and a process group of its own, and waits for its end.
///
/// `environment` is added to ours. What `input` writes goes to its standard input, as fast as it reads; when it does not
/// want to read on, `input` gets an error and that is fine. After `timeout` its group gets SIGTERM, and SIGKILL when it
/// has ended or two seconds later. What it leaves running in the background when it ends in time is left alone.
pub fn run(
    argv: &[String],
    environment: &[(&str, OsString)],
    input: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    timeout: Duration,
) -> HookEnd {
    match Hook::start(argv, environment, timeout) {
        Ok((mut hook, stdin)) => {
            hook.feed(stdin, input);
            hook.end()
        }
        Err(error) => {
            let program = show(argv.first().map_or(b"", |word| word.as_bytes()));
            let outcome = HookOutcome::NotStarted(format!("{program}: {error}"));
            HookEnd { outcome, output: String::new() }
        }
    }
}

struct Hook {
    process: std::process::Child,
    group: Pid,
    /// Readable when the process has ended.
    ended: OwnedFd,
    /// `None` when it was closed.
    output: Option<PipeReader>,
    kept: Vec<u8>,
    left_out: u64,
    since_start: Stopwatch,
    /// After so many milliseconds its time is up.
    until_ms: u64,
}

enum Turn {
    CanWrite,
    Ended,
    Late,
}

impl Hook {
    fn start(argv: &[String], environment: &[(&str, OsString)], timeout: Duration) -> io::Result<(Hook, ChildStdin)> {
        let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (output, says) = io::pipe()?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(says.try_clone()?).stderr(says);
        for (name, _) in std::env::vars_os() {
            let bytes = name.as_encoded_bytes();
            if NOT_INHERITED.iter().any(|ours| bytes.starts_with(ours.as_bytes())) {
                command.env_remove(name);
            }
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut process = command.spawn()?;
        let stdin = process.stdin.take().expect("it was asked for");
        let group = Pid::from_child(&process);
        let opened = pidfd_open(group, PidfdFlags::empty()).and_then(|ended| {
            rustix::io::ioctl_fionbio(&stdin, true)?;
            Ok(ended)
        });
        let ended = opened.inspect_err(|_| {
            // It would run unwatched.
            let _gone = kill_process_group(group, Signal::KILL);
            let _reaped = process.wait();
        })?;
        let until_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let hook = Hook {
            process,
            group,
            ended,
            output: Some(output),
            kept: Vec::new(),
            left_out: 0,
            since_start: Stopwatch::start(),
            until_ms,
        };
        Ok((hook, stdin))
    }

    fn feed(&mut self, stdin: ChildStdin, input: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut buffered = BufWriter::new(Input { hook: self, stdin });
        let fed = input(&mut buffered).and_then(|()| buffered.flush());
        // What could not be written is of no use any more, and dropping the buffer would try again.
        let (input, _) = buffered.into_parts();
        drop(input);
        match fed.as_ref().map_err(io::Error::kind) {
            // It need not read, and that its time is up is told by its end.
            Ok(()) | Err(io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut) => {}
            Err(_) => {
                let error = fed.expect_err("it is one of the errors");
                self.keep(format!("(its input was cut off: {error})\n").as_bytes());
            }
        }
    }

    /// Waits until it can be written to, where that is asked for, has ended, or its time is up. Reads what it says.
    fn turn(&mut self, stdin: Option<BorrowedFd<'_>>) -> Turn {
        loop {
            let Some(left_ms) = self.until_ms.checked_sub(self.since_start.elapsed_ms()).filter(|left| *left > 0)
            else {
                return Turn::Late;
            };
            let mut waited = vec![PollFd::new(&self.ended, PollFlags::IN)];
            waited.extend(stdin.map(|stdin| PollFd::from_borrowed_fd(stdin, PollFlags::OUT)));
            let says_at = waited.len();
            waited.extend(self.output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
            // A day is as good as for ever, and fits.
            let left =
                Timespec { tv_sec: (left_ms / 1000).min(86_400) as i64, tv_nsec: (left_ms % 1000 * 1_000_000) as i64 };
            if poll(&mut waited, Some(&left)).is_err() {
                // Interrupted by a signal: looked at again.
                continue;
            }
            let is_ready = |at: usize| waited.get(at).is_some_and(|fd| !fd.revents().is_empty());
            let (has_ended, can_write, says) = (is_ready(0), stdin.is_some() && is_ready(1), is_ready(says_at));
            if says {
                self.listen();
            }
            if has_ended {
                return Turn::Ended;
            }
            if can_write {
                return Turn::CanWrite;
            }
        }
    }

    /// Reads what is there; returns whether there may be more.
    fn listen(&mut self) -> bool {
        let Some(output) = &mut self.output else { return false };
        let mut buffer = [0; 16 * 1024];
        match output.read(&mut buffer) {
            Ok(0) => {
                self.output = None;
                false
            }
            Ok(length) => {
                self.keep(&buffer[..length]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    fn keep(&mut self, said: &[u8]) {
        let fits = said.len().min(KEPT_BYTES.saturating_sub(self.kept.len()));
        self.kept.extend_from_slice(&said[..fits]);
        self.left_out += (said.len() - fits) as u64;
    }

    /// Waits for the end, and makes one when the time is up.
    fn end(mut self) -> HookEnd {
        let is_late = matches!(self.turn(None), Turn::Late);
        let mut has_ended = !is_late;
        if is_late {
            for signal in [Signal::TERM, Signal::KILL] {
                // Not reaped yet, so the group's number is still its own; whoever else is in it goes, too.
                let _gone = kill_process_group(self.group, signal);
                self.until_ms = self.since_start.elapsed_ms() + GRACE_MS;
                has_ended = matches!(self.turn(None), Turn::Ended);
            }
        }
        // What it had said is all in the pipe. A bound, as what it left running may go on for ever.
        let _rest = (0..16).all(|_| self.listen());
        let status = if has_ended { self.process.wait().ok() } else { None };
        let outcome = match status {
            _ if is_late => HookOutcome::TimedOut,
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => HookOutcome::Exited(code),
                (None, signal) => HookOutcome::Signalled(signal.unwrap_or_default()),
            },
            None => HookOutcome::NotStarted("its end cannot be read".to_owned()),
        };
        let mut output = String::from_utf8_lossy(&self.kept).into_owned();
        if self.left_out > 0 {
            output.push_str(&format!("\n({} more bytes were left out)\n", self.left_out));
        }
        HookEnd { outcome, output }
    }
}

/// Its standard input. Hears what it says meanwhile, so that neither waits for the other.
struct Input<'a> {
    hook: &'a mut Hook,
    stdin: ChildStdin,
}

impl Write for Input<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.hook.turn(Some(self.stdin.as_fd())) {
                Turn::CanWrite => match self.stdin.write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other,
                },
                Turn::Ended => return Err(io::ErrorKind::BrokenPipe.into()),
                Turn::Late => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
