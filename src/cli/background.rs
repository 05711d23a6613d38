//! The engine behind a screen: a process of its own, so that no screen's end, stop or panic reaches the work.
//!
//! The first screen starts it, as `watchkeeper daemon --while-used`; it ends by itself when nobody looks on any more and
//! nothing runs. Standard error is its only way back: what it says there before it is ready is an answer to the person,
//! and it lets go of it when it is ready.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::exit::{CliError, Result};
use super::output;
use super::places::Places;

/// An engine that has nothing to do ends in much less; one that others look at stays, and nobody waits for that.
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// An engine that ends as soon as it is started is not started again and again.
const LAUNCH_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Starts engines, one after the other, and knows the last one.
#[derive(Debug)]
pub struct Launcher {
    places: Places,
    child: Option<Child>,
    launched: Option<Instant>,
}

impl Launcher {
    pub fn new(places: &Places) -> Launcher {
        Launcher { places: places.clone(), child: None, launched: None }
    }

    /// Starts an engine and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot start; it has said why.
    pub fn launch(&mut self) -> Result<()> {
        let data_directory = self.places.make_data_directory()?;
        // The program that runs, even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("watchkeeper").arg("daemon").arg("--while-used").args(self.places.arguments()?);
        command.arg("--log-file").arg(self.places.screen_log()?);
        // It holds no directory that someone may want to unmount, and is no part of a service that we are.
        command.current_dir(data_directory).env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        self.launched = Some(Instant::now());
        let mut said = Vec::new();
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut said)?;
        }
        output::pass_on(&said);
        if let Some(ended) = child.try_wait()? {
            return Err(CliError::Told { code: ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1) });
        }
        self.child = Some(child);
        Ok(())
    }

    /// Starts an engine where none runs any more. Failing is no news: the screen shows that there is none.
    pub fn relaunch(&mut self) {
        let is_early = self.launched.is_some_and(|launched| launched.elapsed() < LAUNCH_AGAIN_AFTER);
        if self.has_ended() && !is_early && self.places.engine_directory().is_none() {
            match self.launch() {
                Ok(()) => tracing::info!("the engine was lost; another one has been started"),
                Err(error) => tracing::error!(?error, "the engine was lost, and another one cannot be started"),
            }
        }
    }

    /// Waits a moment for the end of the engine that was started here, so that who comes next finds the place free.
    pub fn wait(&mut self) {
        let since = Instant::now();
        while !self.has_ended() && since.elapsed() < ENDS_WITHIN {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn has_ended(&mut self) -> bool {
        // What cannot be asked for is not ours to wait for.
        self.child.as_mut().is_none_or(|child| child.try_wait().map_or(true, |ended| ended.is_some()))
    }
}

/// Makes this process one that no terminal's end reaches.
///
/// # Errors
/// When it is not allowed to have a session of its own: it was started as the first of a group.
pub fn leave_terminal() -> Result<()> {
    rustix::process::setsid().map_err(|errno| CliError::failed(format!("no session of its own: {errno}")))?;
    Ok(())
}

/// Says to who has started this process that it is ready, by letting go of standard error; from now on that is `log`.
///
/// # Errors
/// When the file cannot be opened.
pub fn be_ready(log: &PathBuf) -> Result<()> {
    let file = std::fs::File::options().append(true).open(log)?;
    rustix::stdio::dup2_stderr(&file).map_err(std::io::Error::from)?;
    Ok(())
}
