//! A screen in a pseudo-terminal: keys go in, and the end of each frame comes out, by the mark that closes it.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What closes a frame: the end of a synchronized update.
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// A key that has changed nothing draws nothing: after this time none is expected any more.
pub const WAITS_AT_MOST: Duration = Duration::from_millis(500);

/// A running screen of 120 columns and 40 rows.
pub struct Terminal {
    output: Receiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Of what was read last: a mark may come in two parts.
    tail: Vec<u8>,
    pub bytes: u64,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Opens the screen on a store, with further arguments.
    pub fn open(binary: &Path, store: &Path, more: &[&Path]) -> io::Result<Terminal> {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).map_err(io::Error::other)?;
        let mut command = CommandBuilder::new(binary);
        command.arg("--data-dir");
        command.arg(store);
        command.args(more);
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).map_err(io::Error::other)?;
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().map_err(io::Error::other)?;
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let input = pty.master.take_writer().map_err(io::Error::other)?;
        Ok(Terminal { output, input, child, tail: Vec::new(), bytes: 0, _master: pty.master })
    }

    /// Presses keys and returns how long the next whole frame took; `None` when none came.
    pub fn press(&mut self, keys: &str) -> io::Result<Option<Duration>> {
        self.listen(Duration::ZERO);
        let began = Instant::now();
        self.input.write_all(keys.as_bytes())?;
        self.input.flush()?;
        Ok(self.frame(began))
    }

    /// Waits for the end of a frame; returns how long after `began` it came.
    pub fn frame(&mut self, began: Instant) -> Option<Duration> {
        loop {
            let left = WAITS_AT_MOST.saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) if self.take(&bytes) => return Some(began.elapsed()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Reads for so long; returns how many bytes came.
    pub fn listen(&mut self, length: Duration) -> u64 {
        let (before, began) = (self.bytes, Instant::now());
        while let Ok(bytes) = self.output.recv_timeout(length.saturating_sub(began.elapsed())) {
            self.take(&bytes);
        }
        self.bytes - before
    }

    /// Counts bytes; tells whether a frame has ended in them.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.bytes += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let has_ended = self.tail.windows(FRAME_END.len()).any(|window| window == FRAME_END);
        let kept = self.tail.len().min(FRAME_END.len() - 1);
        self.tail = if has_ended { Vec::new() } else { self.tail.split_off(self.tail.len() - kept) };
        has_ended
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It is over either way; what is left of it must not stay.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
