//! `backup` and `restore`: index and journal to one file, and back.

use std::path::Path;

use serde_json::json;

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::output::ask;
use super::signals::unless_signalled;
use crate::domain::amount::{bytes, plural};
use crate::domain::problem::Class;
use crate::domain::show::show;
use crate::engine::backup::{BackupError, back_up, give_up};
use crate::engine::restore::{RestoreError, prepare};
use crate::engine::{LockError, now};

/// Runs `backup`, beside whatever runs.
pub fn back_up_to(context: &mut Context, file: &Path) -> Result<Verdict> {
    let directory = context.places.data_directory()?.ok_or(BackupError::NoIndex)?;
    let file = std::path::absolute(file)?;
    let to = file.clone();
    let made = match unless_signalled(move || back_up(&directory, &to, now()))? {
        Ok(made) => made?,
        Err(signal) => {
            give_up(&file);
            context.out.message("there is no backup: it was cancelled before its end");
            return Ok(Verdict { signal: Some(signal), ..Verdict::default() });
        }
    };
    let (path, contents) = (show(made.path.as_os_str().as_encoded_bytes()), made.contents);
    if context.out.json {
        context.out.object(&json!({
            "path": path,
            "bytes": made.bytes,
            "runs": contents.runs,
            "taken_at": contents.taken_at.rfc3339(),
            "schema": contents.schema,
        }))?;
        return Ok(Verdict::default());
    }
    let runs = plural(contents.runs, "run", "runs");
    context.out.line(&format!("{path}: {}, with {runs}; looked over and synced", bytes(made.bytes)))?;
    Ok(Verdict::default())
}

/// Runs `restore`, while no engine has the data directory.
pub fn restore(context: &mut Context, file: &Path, yes: bool) -> Result<Verdict> {
    let directory = context.places.make_data_directory()?;
    let restore = prepare(&directory, file, now()).map_err(|error| match error {
        RestoreError::Lock(LockError::Held { holder }) => CliError::Busy(holder),
        other => other.into(),
    })?;
    let contents = restore.contents.clone();
    let what = format!("the backup of {} with {}", contents.taken_at.local(), plural(contents.runs, "run", "runs"));
    let question = format!("Put {what} in the place of index and journal? What is there now goes to quarantine/.");
    if !yes && !ask(&question) {
        return Err(CliError::Failed {
            message: "nothing was restored".to_owned(),
            hint: Some("say --yes to restore without a question".to_owned()),
        });
    }
    let place = restore.put_in_place(now())?;
    if context.out.json {
        context.out.object(&json!({
            "runs": contents.runs,
            "taken_at": contents.taken_at.rfc3339(),
            "schema": contents.schema,
            "set_aside": place.map(|place| show(place.as_os_str().as_encoded_bytes())),
        }))?;
        return Ok(Verdict::default());
    }
    context.out.line(&format!("restored {what}"))?;
    if let Some(place) = place {
        context.out.line(&format!("what was there is in {}", show(place.as_os_str().as_encoded_bytes())))?;
    }
    context.out.message("the next sync, daemon or screen compares everything with the trees, to the last directory");
    Ok(Verdict::default())
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> CliError {
        let hint = match &error {
            BackupError::Exists(_) => Some("give another name, or move that file away"),
            BackupError::Inside(_) => Some("give a place outside of the data directory, best on another disk"),
            BackupError::NoIndex => Some("add a directory: watchkeeper repo add PATH"),
            BackupError::DamagedJournal(_) => {
                Some("`watchkeeper verify-log` names it all; `watchkeeper sync` mends it")
            }
            BackupError::Index(_) | BackupError::Io { .. } => None,
            BackupError::Copy { .. } if error.class() == Class::DeviceFull => {
                Some("free some space where the backup is to go, or choose another place")
            }
            BackupError::Copy { .. } | BackupError::Journal(_) => Some(error.class().hint()),
        };
        let hint = hint.map(str::to_owned);
        match error {
            BackupError::Index(error) => error.into(),
            other => CliError::Failed { message: other.to_string(), hint },
        }
    }
}

impl From<RestoreError> for CliError {
    fn from(error: RestoreError) -> CliError {
        match error {
            RestoreError::Index(error) => error.into(),
            RestoreError::Backup(error) => error.into(),
            other => CliError::failed(other.to_string()),
        }
    }
}
