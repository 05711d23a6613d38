//! The only place that prints: answers to standard output, everything else to standard error.

use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::exit::Result;
use crate::domain::show::show_message;

/// How a word is set off on a terminal with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Bold,
    Dim,
    Good,
    Attention,
    Bad,
}

/// Prints for one command.
#[derive(Debug)]
pub struct Output {
    out: BufWriter<std::io::Stdout>,
    pub json: bool,
    pub quiet: bool,
    colours: bool,
    /// Standard error is a terminal that can show a progress bar.
    pub shows_progress: bool,
}

impl Output {
    pub fn new(globals: &super::args::Globals) -> Output {
        let (json, quiet) = (globals.json, globals.quiet);
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = std::io::stdout().is_terminal();
        let forced = set("CLICOLOR_FORCE");
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Output {
            out: BufWriter::with_capacity(64 * 1024, std::io::stdout()),
            json,
            quiet,
            colours: !json && !no_colour && (forced || (is_terminal && !dumb)),
            shows_progress: !quiet && !json && !dumb && std::io::stderr().is_terminal(),
        }
    }

    /// Prints a line that answers the command.
    pub fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// Prints bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        Ok(())
    }

    /// Prints one JSON object on its own line.
    pub fn object(&mut self, object: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.out, object).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Hands over what was printed.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush()?;
        Ok(())
    }

    /// Tells whether whoever read standard output has gone: else only the next line would find out.
    pub fn has_no_reader(&self) -> bool {
        let out = std::io::stdout();
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|found| found > 0)
            && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Prints a message for a person to standard error, unless they want it quiet.
    pub fn message(&self, text: &str) {
        if !self.quiet {
            error_line(text);
        }
    }

    /// Returns the word in a tone, where there are colours.
    pub fn tone(&self, tone: Tone, word: &str) -> String {
        let code = match tone {
            Tone::Plain => return word.to_owned(),
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Attention => "33",
            Tone::Bad => "31",
        };
        if self.colours { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
    }

    /// Prints rows with aligned columns; a column whose name ends in `>` is aligned to the right.
    pub fn table(&mut self, columns: &[&str], rows: &[Vec<Cell>]) -> Result<()> {
        use unicode_width::UnicodeWidthStr;
        let titles: Vec<&str> = columns.iter().map(|name| name.trim_end_matches('>')).collect();
        let mut widths: Vec<usize> = titles.iter().map(|title| title.width()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let title_row: Vec<Cell> = titles.iter().map(|title| Cell::toned(Tone::Dim, *title)).collect();
        for row in std::iter::once(&title_row).chain(rows) {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[index] - cell.text.width());
                let word = self.tone(cell.tone, &cell.text);
                let is_last = index + 1 == row.len();
                match (columns[index].ends_with('>'), is_last) {
                    (true, _) => line.push_str(&format!("{padding}{word}")),
                    (false, true) => line.push_str(&word),
                    (false, false) => line.push_str(&format!("{word}{padding}")),
                }
                if !is_last {
                    line.push_str("  ");
                }
            }
            self.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn toned(tone: Tone, text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::toned(Tone::Plain, text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::toned(Tone::Plain, text)
    }
}

/// Prints an error: what, on what; and what to do.
pub fn error(message: &str, hint: Option<&str>) {
    error_line(&format!("watchkeeper: {message}"));
    if let Some(hint) = hint {
        error_line(&format!("  {hint}"));
    }
}

/// Prints on standard error what another process of this program wanted to say there.
pub fn pass_on(said: &[u8]) {
    String::from_utf8_lossy(said).lines().for_each(error_line);
}

fn error_line(text: &str) {
    // Where nobody can hear it the work is done all the same, and the exit code tells.
    let _unheard = writeln!(std::io::stderr(), "{}", show_message(text));
}

/// Returns where the progress bar draws: standard error.
pub fn progress_target() -> indicatif::ProgressDrawTarget {
    indicatif::ProgressDrawTarget::stderr_with_hz(10)
}

/// Returns where the log goes while no file takes it: standard error.
pub fn log_target() -> std::io::Stderr {
    std::io::stderr()
}

/// Tells whether standard error goes straight to systemd's journal, by the rule of systemd.exec(5): the variable names
/// its device and inode.
pub fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    std::fs::File::from(stderr).metadata().is_ok_and(|found| named == format!("{}:{}", found.dev(), found.ino()))
}

/// Asks a yes-or-no question on the terminal; anything but a clear yes, or no terminal, is no.
pub fn ask(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    let mut stderr = std::io::stderr();
    if write!(stderr, "{} [y/N] ", show_message(question)).and_then(|()| stderr.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Tells whether both ends are a terminal on which a screen can be drawn.
pub fn is_interactive() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb
}
