//! What one run of one program costs: wall time, CPU time, peak memory, bytes written. Does not know whose run it is.
//!
//! Where each number comes from, and why from there:
//!
//! - **Wall time**: our own clock, from before the start of the process to its end.
//! - **CPU time and bytes written**: `/proc/PID/stat` and `/proc/PID/io`, read after the process has ended and before it
//!   is reaped (`waitid` with `WNOWAIT`). A zombie keeps both, with those of the children that it waited for, so
//!   nothing is missed and nothing is sampled. `write_bytes` are the bytes for which pages were dirtied or written
//!   past the cache: what the disk will have to take, also if it takes it later. It is 0 on tmpfs.
//! - **Peak memory**: GNU time, which hands on `ru_maxrss` of `wait4`. A zombie has given up its memory, and with it
//!   `VmHWM`; std and rustix have no `wait4`; a control group's peak also counts the page cache. `ru_maxrss` is that of
//!   the largest single process, not the sum of a pipeline. Without GNU time `VmHWM` is sampled while the program runs:
//!   that misses what grows in the last moment, and children; the head of the output says so.
//!
//! All programs are wrapped alike, so what GNU time itself costs stands on both sides of a ratio.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Ticks a second in `/proc/PID/stat`: USER_HZ, which is 100 on every architecture that Rust's std runs on.
const TICKS_PER_S: u64 = 100;

/// Time between two looks at `VmHWM`, where GNU time is missing.
const SAMPLE_EVERY: Duration = Duration::from_millis(5);

/// The cost of one run. `None`: this machine does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
    pub peak_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

/// Runs programs and says what they cost.
pub struct Gauge {
    time: Option<PathBuf>,
}

impl Gauge {
    /// Returns a gauge that uses GNU time if `time` is it.
    pub fn new(time: Option<PathBuf>) -> Self {
        Gauge { time: time.filter(|path| is_gnu_time(path)) }
    }

    /// Returns one sentence on how peak memory is measured here.
    pub fn peak_memory_source(&self) -> &'static str {
        match self.time {
            Some(_) => "Peak memory is `ru_maxrss` of the largest process, from GNU time.",
            None => {
                "Peak memory is sampled (GNU time is not installed): a lower bound, and for a pipeline only its shell."
            }
        }
    }

    /// Runs the command to its end and returns its cost. Its standard output is thrown away.
    ///
    /// Fails if it cannot be started or does not exit with 0; what it said of that goes to our standard error.
    pub fn measure(&self, command: &Command) -> io::Result<Cost> {
        let mut wrapped = self.wrap(command);
        // A pipe, for a file would be counted in the bytes written.
        wrapped.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = wrapped.spawn()?;
        let (stderr, sampled_peak) = self.wait_for_end(&mut child)?;
        let wall = start.elapsed();
        let (cpu, written_bytes) = (cpu_time(child.id()), written_bytes(child.id()));
        let status = child.wait()?;
        let (stderr, peak_bytes) = match self.time {
            Some(_) => split_report(&stderr),
            None => (stderr.as_str(), sampled_peak),
        };
        if !status.success() {
            return Err(failure(command, &status.to_string(), stderr));
        }
        Ok(Cost { wall, cpu: cpu?, peak_bytes, written_bytes })
    }

    fn wrap(&self, command: &Command) -> Command {
        let mut wrapped = match &self.time {
            Some(time) => {
                let mut wrapped = Command::new(time);
                wrapped.args(["-q", "-f", r"\n%M"]).arg(command.get_program());
                wrapped
            }
            None => Command::new(command.get_program()),
        };
        wrapped.args(command.get_args());
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(key, value),
                None => wrapped.env_remove(key),
            };
        }
        wrapped
    }

    /// Waits until the process has ended, but leaves it to be reaped. Returns its standard error, and the sampled peak
    /// where that is needed.
    fn wait_for_end(&self, child: &mut Child) -> io::Result<(String, Option<u64>)> {
        let pid = Pid::from_child(child);
        let mut pipe = child.stderr.take().expect("standard error was asked to be a pipe");
        let mut wait = || {
            let mut stderr = Vec::new();
            pipe.read_to_end(&mut stderr)?;
            rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))?;
            Ok(String::from_utf8_lossy(&stderr).into_owned())
        };
        if self.time.is_some() {
            return wait().map(|stderr| (stderr, None));
        }
        let has_ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let sampler = scope.spawn(|| sample_peak(pid, &has_ended));
            let stderr = wait();
            has_ended.store(true, Ordering::Relaxed);
            let peak = sampler.join().expect("sampling does not panic");
            stderr.map(|stderr| (stderr, peak))
        })
    }
}

/// Takes the report of GNU time, its last line, off the standard error of both. Returns the rest, and the peak in bytes.
fn split_report(stderr: &str) -> (&str, Option<u64>) {
    let (rest, report) = stderr.trim_end().rsplit_once('\n').unwrap_or(("", stderr.trim_end()));
    (rest, report.parse::<u64>().ok().map(|kib| kib * 1024))
}

/// Runs a command whose cost does not matter, and returns its standard output. Fails like [`Gauge::measure`].
pub fn run_unmeasured(command: &mut Command) -> io::Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failure(command, &output.status.to_string(), &String::from_utf8_lossy(&output.stderr)))
    }
}

/// Names the program without its directory: what is printed may be pasted, and paths of a machine do not belong there.
fn failure(command: &Command, status: &str, stderr: &str) -> io::Error {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let last_line = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("");
    eprintln!("{program}: {last_line}");
    io::Error::other(format!("{program}: {status}"))
}

/// A shell's own `time`, or busybox's, knows other options.
fn is_gnu_time(path: &Path) -> bool {
    Command::new(path).arg("--version").output().is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).contains("GNU")
            || String::from_utf8_lossy(&output.stderr).contains("GNU")
    })
}

/// Returns the CPU time, user and system, of a process and of the children that it waited for.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may itself hold blanks and parentheses.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), where `after_name` begins with field 3.
    let ticks: u64 = after_name.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_S))
}

/// Returns the bytes that a process had written towards a disk; see the head.
pub fn written_bytes(pid: u32) -> Option<u64> {
    number_after(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?, "write_bytes:")
}

fn sample_peak(pid: Pid, has_ended: &AtomicBool) -> Option<u64> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let mut peak = None;
    while !has_ended.load(Ordering::Relaxed) {
        if let Some(kib) = fs::read_to_string(&path).ok().and_then(|status| number_after(&status, "VmHWM:")) {
            peak = peak.max(Some(kib * 1024));
        }
        thread::sleep(SAMPLE_EVERY);
    }
    peak
}

/// Returns the number that follows the key at the start of a line, as in most files of `/proc`.
pub fn number_after(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}
