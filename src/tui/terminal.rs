//! The terminal: taken over at the start, given back at every end. The only place that writes to it.
//!
//! A frame is collected in one buffer and leaves in one write, between the marks of a synchronized update (mode 2026), so
//! that it never tears and never flickers. Everything that was turned on is turned off in one write: at the end, at an
//! error, at a panic of the UI thread. Another thread's panic leaves the screen alone and becomes a message on it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use crossterm::clipboard::CopyToClipboard;
use ratatui::backend::CrosstermBackend;
use rustix::termios::{self, OptionalActions, Termios};
use tokio::sync::mpsc;

use super::event::Msg;

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Alternate screen, cleared (a killed program may have left it on), bracketed paste, no cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?2004h\x1b[?25l";
/// Every "off", also of what a frame that was cut off may have left on.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?1049l\x1b[?25h";
/// Clicks and the wheel, not every move: `crossterm` would ask for those, too.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// A full frame of 200x60 is 18 kB; a larger one merely grows the buffer.
const FRAME_BYTES: usize = 64 * 1024;

/// What gives the terminal back; shared with the panic hook.
#[derive(Debug)]
struct Restore {
    is_ours: AtomicBool,
    /// As the shell had it.
    cooked: Mutex<Option<Termios>>,
}

static RESTORE: Restore = Restore { is_ours: AtomicBool::new(false), cooked: Mutex::new(None) };

/// Holds the terminal. Dropping it gives the terminal back.
pub struct TermGuard {
    terminal: Option<ratatui::Terminal<CrosstermBackend<FrameWriter>>>,
    previous_hook: Arc<Hook>,
    has_mouse: bool,
}

/// Collects a frame; a flush sends it in one write.
#[derive(Debug)]
pub struct FrameWriter {
    buffer: Vec<u8>,
    terminal: File,
}

impl TermGuard {
    /// Takes the terminal over; panics of other threads are sent to `panics` from now on.
    ///
    /// # Errors
    /// When standard output is no terminal, or cannot be set.
    pub fn take(panics: mpsc::Sender<Msg>) -> io::Result<TermGuard> {
        let terminal = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        RESTORE.enter()?;
        let previous_hook = install_hook(panics);
        let mut guard = TermGuard { terminal: None, previous_hook, has_mouse: false };
        let writer = FrameWriter { buffer: Vec::with_capacity(FRAME_BYTES), terminal };
        guard.terminal = Some(ratatui::Terminal::new(CrosstermBackend::new(writer))?);
        Ok(guard)
    }

    /// Tells whether the terminal is still held; a panic of the UI thread has given it back.
    pub fn is_held(&self) -> bool {
        RESTORE.is_ours.load(Ordering::SeqCst)
    }

    /// Draws one frame.
    ///
    /// # Errors
    /// When the terminal takes no more.
    pub fn draw(&mut self, view: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        match &mut self.terminal {
            Some(terminal) => terminal.draw(view).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Asks the terminal for clicks and the wheel, or leaves them to it.
    ///
    /// # Errors
    /// When the terminal takes no more.
    pub fn set_mouse(&mut self, is_on: bool) -> io::Result<()> {
        let is_new = std::mem::replace(&mut self.has_mouse, is_on) || is_on;
        if is_new { write_all(io::stdout().as_fd(), if is_on { MOUSE_ON } else { MOUSE_OFF }) } else { Ok(()) }
    }

    /// Hands text to the terminal's clipboard, the one on the person's own machine, by OSC 52. Whether the terminal takes
    /// it, it does not say.
    ///
    /// # Errors
    /// When the terminal takes no more.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        crossterm::execute!(bytes, CopyToClipboard::to_clipboard_from(text))?;
        if std::env::var_os("TMUX").is_some() {
            bytes = through_tmux(&bytes);
        }
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        terminal.backend_mut().write_all(&bytes)?;
        terminal.backend_mut().flush()
    }

    /// Lets the next frame be drawn in full.
    ///
    /// # Errors
    /// When the terminal takes no more.
    pub fn forget_frame(&mut self) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        // Not `Terminal::clear`: that asks the terminal where its cursor is, and waits for the answer.
        let area = terminal.size()?.into();
        terminal.resize(area)
    }

    /// Gives the terminal to the shell, with a last word, and stops this program's process group until the shell lets it
    /// go on.
    ///
    /// # Errors
    /// When the terminal cannot be set.
    pub fn suspend(&mut self) -> io::Result<()> {
        RESTORE.leave();
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        self.reenter()
    }

    /// Takes the terminal over again, such as after a stop that came from outside.
    ///
    /// # Errors
    /// When the terminal cannot be set.
    pub fn reenter(&mut self) -> io::Result<()> {
        RESTORE.enter()?;
        self.set_mouse(self.has_mouse)?;
        self.forget_frame()
    }

    /// Leaves a terminal alone that is gone: ratatui would write to it once more, fail and panic.
    #[expect(clippy::mem_forget, reason = "its drop writes to the terminal, which is gone")]
    pub fn abandon(mut self) {
        RESTORE.is_ours.store(false, Ordering::SeqCst);
        std::mem::forget(self.terminal.take());
    }
}

/// The terminal as it is now, for while another program has it, which may be killed before it gives it back.
#[derive(Debug)]
pub struct Kept(Option<Termios>);

impl Kept {
    pub fn now() -> Kept {
        Kept(termios::tcgetattr(io::stdin()).ok())
    }

    /// Puts it back; where the other program was cut off, also what it may have turned on.
    pub fn put_back(self, was_cut_off: bool) {
        if was_cut_off {
            let _gone = write_all(io::stdout().as_fd(), LEAVE);
        }
        if let Kept(Some(cooked)) = self {
            let _gone = termios::tcsetattr(io::stdin(), OptionalActions::Now, &cooked);
        }
    }
}

impl Drop for TermGuard {
    fn drop(&mut self) {
        RESTORE.leave();
        // The hook must not be touched by a thread that panics; the process is at its end then anyway.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.previous_hook);
            std::panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}

impl Restore {
    fn enter(&self) -> io::Result<()> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(&stdin)?;
        if !self.is_ours.swap(true, Ordering::SeqCst) {
            *self.cooked.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.clone());
        }
        let mut raw = before;
        raw.make_raw();
        let entered = termios::tcsetattr(&stdin, OptionalActions::Now, &raw)
            .map_err(io::Error::from)
            .and_then(|()| write_all(io::stdout().as_fd(), ENTER));
        if entered.is_err() {
            self.leave();
        }
        entered
    }

    /// Gives the terminal back, once. Errors are of no use here: there is no one to tell and nothing else to try.
    fn leave(&self) {
        if !self.is_ours.swap(false, Ordering::SeqCst) {
            return;
        }
        let _gone = write_all(io::stdout().as_fd(), LEAVE);
        if let Some(cooked) = &*self.cooked.lock().unwrap_or_else(PoisonError::into_inner) {
            let _gone = termios::tcsetattr(io::stdin(), OptionalActions::Now, cooked);
        }
    }
}

/// Writes past the standard library's lock and line buffer: the hook may run while another thread holds them.
fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            self.buffer.extend_from_slice(FRAME_BEGIN);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.buffer.extend_from_slice(FRAME_END);
        let sent = self.terminal.write_all(&self.buffer);
        self.buffer.clear();
        sent
    }
}

/// Wraps a sequence so that tmux hands it on to the terminal that it runs in.
fn through_tmux(bytes: &[u8]) -> Vec<u8> {
    let doubled = bytes.iter().flat_map(|byte| if *byte == 0x1b { vec![0x1b, 0x1b] } else { vec![*byte] });
    b"\x1bPtmux;".iter().copied().chain(doubled).chain(*b"\x1b\\").collect()
}

/// Puts our hook around the one that is installed, and returns that one.
fn install_hook(panics: mpsc::Sender<Msg>) -> Arc<Hook> {
    let ui_thread = std::thread::current().id();
    let previous: Arc<Hook> = Arc::from(std::panic::take_hook());
    let inner = Arc::clone(&previous);
    std::panic::set_hook(Box::new(move |info| on_panic(info, ui_thread, &panics, &inner)));
    previous
}

fn on_panic(info: &PanicHookInfo<'_>, ui_thread: ThreadId, panics: &mpsc::Sender<Msg>, inner: &Arc<Hook>) {
    if std::thread::current().id() == ui_thread {
        RESTORE.leave();
        inner(info);
        // A task's panic is caught by the runtime: wakes the loop, so that it sees that the terminal was given back.
        let _full = panics.try_send(Msg::Minute);
        return;
    }
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("a thread");
    let payload = info.payload();
    let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let what = format!("{thread} panicked{place}: {message}");
    tracing::error!("{what}");
    // When the screen does not keep up it has this many panics to show already; the log has them all.
    let _full = panics.try_send(Msg::Panicked(what));
}
