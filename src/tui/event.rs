//! What goes into and comes out of [`super::update`]: plain data, no I/O, no clock.

use crate::domain::change::Verdict;
use crate::domain::moment::Timestamp;
use crate::domain::report::{IndexStatus, LogLine, Run};
use crate::domain::repository::RepositoryId;
use crate::engine::protocol::{Answer, Command, Event};

use super::Exit;
use super::keymap::Key;
use super::reading::problems;
use crate::index::{Cause, Members};

/// The time, as the shell read it once for this message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed moment; never goes back.
    pub monotonic_ms: u64,
    pub wall: Timestamp,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(Key),
    /// Text was pasted.
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    Engine(Event),
    /// The answer to [`Effect::Send`], and what it was for, for people.
    Answered {
        to: String,
        answer: Answer,
    },
    Rows(Rows),
    /// Rows could not be read.
    Unread(String),
    /// A minute began: ages and the clock have moved.
    Minute,
    /// The screen is ours again after a suspension.
    Resumed,
    /// Another thread of this program panicked.
    Panicked(String),
}

impl Msg {
    /// Tells whether a person waits for the answer on the screen.
    pub fn is_input(&self) -> bool {
        matches!(self, Msg::Key(_) | Msg::Paste(_) | Msg::Resize { .. } | Msg::Resumed)
    }
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// `about` names it for people should it be refused: `sync photos`.
    Send {
        command: Command,
        about: String,
    },
    Read(Query),
    /// Hand this text to the terminal's clipboard.
    Copy(String),
    Suspend,
    Quit(Exit),
    /// Draw everything anew, not only what changed.
    Redraw,
}

/// What to read from the index. A newer query of the same sort replaces one that still waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Asked first, as it tells which repositories there are.
    Overview,
    Repository(RepositoryId),
    Run {
        repository: RepositoryId,
        number: i64,
    },
    Problems(problems::Ask),
    /// All paths of a cause that was decided on.
    Decided(problems::Decision),
}

/// What was read.
#[derive(Clone, Debug)]
pub enum Rows {
    Overview {
        statuses: Vec<IndexStatus>,
        /// Of all repositories, the newest first.
        latest: Vec<Run>,
    },
    Repository(Box<RepositoryRows>),
    Run(Box<RunRows>),
    Problems(Box<problems::Found>),
    Decided(problems::Decision, Members),
}

/// What the panes show of the selected repository.
#[derive(Clone, Debug)]
pub struct RepositoryRows {
    pub id: RepositoryId,
    /// The newest first, at most [`super::reading::RUNS`].
    pub runs: Vec<Run>,
    /// What needs a person, the worst first.
    pub causes: Vec<Cause>,
}

/// All of one run.
#[derive(Clone, Debug)]
pub struct RunRows {
    pub run: Run,
    pub verdicts: Vec<(Verdict, i64)>,
    /// Of the problems that this run met and none after it.
    pub causes: Vec<Cause>,
    /// The end of the log, at most [`super::reading::LOG_LINES`].
    pub log: Vec<LogLine>,
}
