//! What goes into and comes out of [`super::update`]: plain data, no I/O, no clock.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::changes::{GroupQuery, Pages, PagesQuery};
use crate::domain::change::Verdict;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{IndexStatus, LogLine, RecentRun, Run, StoredChange};
use crate::domain::repository::RepositoryId;
use crate::engine::protocol::{Answer, Command, Event, SchedulerStatus};
use crate::index::Away;

use super::Exit;
use super::form::Ticket;
use super::keymap::Key;
use super::pane::files;
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
    Pointer(Pointer),
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
    /// How [`Effect::Write`] went: where the file is, or why it could not be written.
    Written(Result<PathBuf, String>),
    /// The answer to [`Effect::Ask`].
    Told {
        ticket: Ticket,
        about: String,
        answer: Answer,
    },
    /// The schedule, anew.
    Scheduler(SchedulerStatus),
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
        matches!(self, Msg::Key(_) | Msg::Paste(_) | Msg::Pointer(_) | Msg::Resize { .. } | Msg::Resumed)
    }
}

/// What was done with the mouse; columns and rows from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    Click { x: u16, y: u16 },
    WheelUp,
    WheelDown,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// `about` names it for people should it be refused: `sync photos`.
    Send {
        command: Command,
        about: String,
    },
    /// As [`Effect::Send`], for a form: `ticket` names the question, an empty `about` one that only looks something up.
    Ask {
        ticket: Ticket,
        command: Command,
        about: String,
    },
    /// Ask the engine what the schedule is now.
    AskSchedule,
    Read(Query),
    /// Write this text to a file that is not there yet.
    Write {
        path: PathBuf,
        text: String,
    },
    /// Hand this text to the terminal's clipboard.
    Copy(String),
    /// Ask the terminal for the mouse, or give it back to the terminal's own selection.
    Mouse(bool),
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
    /// How the newest runs of every repository ended.
    Recent,
    Repository(RepositoryId),
    Run {
        repository: RepositoryId,
        number: i64,
    },
    Files(files::Ask),
    File {
        repository: RepositoryId,
        path: RelPath,
    },
    /// Parts of the timeline.
    Changes(PagesQuery),
    /// Changes of the group that is open.
    Group(GroupQuery),
    /// What happened since a moment.
    Away(Timestamp),
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
    Recent(BTreeMap<RepositoryId, Vec<RecentRun>>),
    Repository(Box<RepositoryRows>),
    Run(Box<RunRows>),
    Files(Box<files::Told>),
    File(Box<files::FileRows>),
    Changes(Pages),
    Group(GroupQuery, Vec<(i64, StoredChange)>),
    Away(Timestamp, Away),
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
    /// The first ones.
    pub changes: Vec<StoredChange>,
    /// The runs that this one tries again, the newest first, as far as they are kept.
    pub attempts: Vec<Run>,
    /// What it goes on with, if that is kept.
    pub continues: Option<Run>,
    /// Of the problems that this run met and none after it.
    pub causes: Vec<Cause>,
    /// The end of the log, at most [`super::reading::LOG_LINES`].
    pub log: Vec<LogLine>,
}
