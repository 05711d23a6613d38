//! What a form is for: turns its texts into a command, and says what it does in words.

use std::os::unix::ffi::OsStrExt;

use chrono::NaiveDate;

use super::{Blank, Counting, Fault, Here};
use crate::domain::date_pattern::{DatePattern, days};
use crate::domain::path::RelPath;
use crate::domain::repository::{Selection, Settings, check_name, name_from};
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{AddRepository, Command, Expected, SchedulerCommand, SyncRequest};
use crate::tui::theme::Tone;

/// A longer time is synced whole: each day is a path of its own.
const MOST_DAYS: usize = 3_660;

/// What becomes of a form.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// Counts before it adds.
    Add {
        counting: Option<Box<Counting>>,
    },
    Rename {
        name: String,
    },
    Move {
        name: String,
    },
    Set {
        name: String,
    },
    SyncPath {
        name: String,
    },
    SyncDates {
        name: String,
        pattern: DatePattern,
    },
    Schedule {
        is_running: bool,
    },
}

impl Purpose {
    pub fn title(&self) -> String {
        match self {
            Purpose::Add { .. } => "Add a repository".to_owned(),
            Purpose::Rename { name } => format!("Rename {name}"),
            Purpose::Move { name } => format!("Where is {name} now?"),
            Purpose::Set { name } => format!("Change a setting of {name}"),
            Purpose::SyncPath { name } => format!("Sync a part of {name}"),
            Purpose::SyncDates { name, .. } => format!("Sync some days of {name}"),
            Purpose::Schedule { .. } => "Change the schedule".to_owned(),
        }
    }

    /// Says what Enter does, or what it found so far.
    pub fn words(&self) -> Vec<(String, Tone)> {
        let dim = |words: String| vec![(words, Tone::Dim)];
        match self {
            Purpose::Add { counting: Some(counting) } => counting.words(),
            Purpose::Add { counting: None } => {
                dim("Enter counts what is there; it is added after that. Files are only read, never changed."
                    .to_owned())
            }
            Purpose::Rename { .. } => dim("Its records and its history stay.".to_owned()),
            Purpose::Move { .. } => {
                dim("For files that were moved by other means: the next full sync reads all and compares.".to_owned())
            }
            Purpose::Set { .. } => dim("key=value; without a value it is as in the config again.".to_owned()),
            Purpose::SyncPath { .. } => dim("A file or a directory. Only what is there is looked at.".to_owned()),
            Purpose::SyncDates { pattern, .. } => {
                dim(format!("The days' files are those of its date pattern {}.", pattern.as_str()))
            }
            Purpose::Schedule { is_running } => {
                let word = if *is_running { "runs" } else { "is stopped" };
                dim(format!("The schedule {word}. key=value; without a value it is as in the config again."))
            }
        }
    }

    /// Names what was asked for, should it be refused.
    pub fn about(&self) -> String {
        match self {
            Purpose::Add { .. } => "add a repository".to_owned(),
            Purpose::Rename { name } => format!("rename {name}"),
            Purpose::Move { name } => format!("move {name}"),
            Purpose::Set { name } => format!("set {name}"),
            Purpose::SyncPath { name } | Purpose::SyncDates { name, .. } => format!("sync {name}"),
            Purpose::Schedule { .. } => "change the schedule".to_owned(),
        }
    }

    /// Says that it was done; `None` where it shows itself.
    pub fn done(&self) -> Option<String> {
        match self {
            Purpose::Add { .. } | Purpose::SyncPath { .. } | Purpose::SyncDates { .. } => None,
            Purpose::Rename { name } => Some(format!("{name} has its new name")),
            Purpose::Move { name } => Some(format!("{name}: moved; the next full sync reads all and compares")),
            Purpose::Set { name } => Some(format!("{name}: set")),
            Purpose::Schedule { .. } => Some("the schedule is changed".to_owned()),
        }
    }

    /// Tells whether it may be submitted: an addition was counted, so that the person knows what it begins.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Purpose::Add { counting } => counting.as_ref().is_some_and(|counting| counting.told.is_some()),
            _ => true,
        }
    }

    /// Returns what the first sync of an added repository will find, where that is known.
    pub(super) fn expected(&self) -> Option<Expected> {
        match self {
            Purpose::Add { counting } => counting.as_ref()?.expected(),
            _ => None,
        }
    }

    pub(super) fn command(&self, blanks: &[Blank], here: &Here) -> Result<Command, Fault> {
        match self {
            Purpose::Add { counting } => {
                let whole = counting.as_ref().and_then(|counting| counting.told.as_ref()?.whole.as_ref());
                match (whole, blanks.iter().position(|blank| blank.label == super::answers::SURE)) {
                    (Some(whole), Some(at)) if blanks[at].text() != "yes" => {
                        Err(Fault::at(at, format!("it is {whole}: y if that is meant")))
                    }
                    _ => Purpose::add(blanks, here).map(Command::AddRepository),
                }
            }
            Purpose::Rename { name } => {
                let new_name = text(blanks, 0, "a name is needed")?;
                check_name(&new_name).map_err(|words| Fault::at(0, words))?;
                Ok(Command::RenameRepository { name: name.clone(), new_name })
            }
            Purpose::Move { name } => {
                let path = here.absolute(&text(blanks, 0, "a directory is needed")?);
                let path = path.to_string_lossy().into_owned();
                Ok(Command::SetRepository { name: name.clone(), changes: vec![("path".to_owned(), path)] })
            }
            Purpose::Set { name } => Ok(Command::SetRepository { name: name.clone(), changes: vec![setting(blanks)?] }),
            Purpose::Schedule { .. } => Ok(Command::Scheduler(SchedulerCommand::Set(vec![setting(blanks)?]))),
            Purpose::SyncPath { name } => {
                let typed = text(blanks, 0, "a path is needed")?;
                let path = RelPath::parse(typed.as_bytes()).map_err(|error| Fault::at(0, error.to_string()))?;
                Ok(single(name, vec![path]))
            }
            Purpose::SyncDates { name, pattern } => {
                let (from, to) = (day(blanks, 0)?, day(blanks, 1)?);
                if to < from {
                    return Err(Fault::at(1, "is before the first day"));
                }
                let mut paths: Vec<RelPath> =
                    days(from, to).take(MOST_DAYS + 1).filter_map(|day| pattern.path_of(day)).collect();
                // A file may hold a month.
                paths.dedup();
                if paths.len() > MOST_DAYS {
                    return Err(Fault::at(1, "is more than ten years later: sync all of it"));
                }
                Ok(single(name, paths))
            }
        }
    }

    /// Returns the addition that blanks describe.
    pub(super) fn add(blanks: &[Blank], here: &Here) -> Result<AddRepository, Fault> {
        let path = here.absolute(&text(blanks, 0, "a directory is needed")?);
        let name = Some(blanks[1].text().to_owned()).filter(|name| !name.is_empty());
        if let Some(name) = &name {
            check_name(name).map_err(|words| Fault::at(1, words))?;
        }
        let exclude = blanks[2].text().split(',').map(str::trim).filter(|glob| !glob.is_empty());
        let selection = Selection {
            exclude: exclude.map(str::to_owned).collect(),
            hidden: blanks[3].text() == "yes",
            ..Selection::default()
        };
        let settings = Settings { selection, ..Settings::default() };
        Ok(AddRepository { path, name, settings, if_not_exists: false })
    }
}

/// Returns the name that a typed path suggests; empty without one.
pub(super) fn suggested(typed: &str, here: &Here) -> String {
    if typed.trim().is_empty() {
        return String::new();
    }
    name_from(here.absolute(typed).file_name().map_or(b"", |name| name.as_bytes()))
}

fn text(blanks: &[Blank], at: usize, missing: &str) -> Result<String, Fault> {
    let text = blanks[at].text();
    if text.is_empty() { Err(Fault::at(at, missing)) } else { Ok(text.to_owned()) }
}

fn setting(blanks: &[Blank]) -> Result<(String, String), Fault> {
    match blanks[0].text().split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Fault::at(0, "write key=value")),
    }
}

fn day(blanks: &[Blank], at: usize) -> Result<NaiveDate, Fault> {
    let day = blanks[at].text().parse::<NaiveDate>();
    day.map_err(|_| Fault::at(at, "is no date: write it like 2026-11-20"))
}

fn single(name: &str, paths: Vec<RelPath>) -> Command {
    let request = SyncRequest::new(vec![name.to_owned()], Kind::Single, Trigger::User);
    Command::Sync(Box::new(SyncRequest { paths, ..request }))
}
