//! `watchkeeper [DIR...]`: adds the directories, then opens the screen; without a terminal it syncs them in plain lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::follow;
use super::output::is_interactive;
use super::plain;
use super::repo::confirm_large_place;
use super::session::Session;
use crate::config::{self, ConfigError};
use crate::domain::run::{Kind, Trigger};
use crate::domain::show::show;
use crate::engine::Handle;
use crate::engine::protocol::{AddRepository, Answer, Command, Stay, SyncRequest};
use crate::tui::{self, Exit, Here, Keys};

/// Runs the program without a command.
pub fn open(context: &mut Context, directories: &[PathBuf], is_plain: bool) -> Result<Verdict> {
    let has_screen = is_interactive() && !context.out.json && !is_plain;
    if !has_screen && !is_plain && directories.is_empty() {
        return super::status::run(context, &super::args::Status::default());
    }
    // Before anything starts: a wrong config leaves everything as it was.
    let keys = if has_screen { keys_of(context)? } else { Keys::default() };
    for directory in directories {
        let path = canonical(directory)?;
        confirm_large_place(&path, false)?;
    }
    let session = match has_screen || is_plain {
        true => Session::look_on(context)?,
        false => Session::start(context, context.out.shows_progress)?,
    };
    let names = match add_all(&session, directories) {
        Ok(names) if has_screen => return screen(context, session, keys, names),
        Ok(names) => names,
        Err(error) => {
            session.end(context);
            return Err(error);
        }
    };
    let result = match is_plain {
        true => in_lines(context, &session, names),
        false => follow::sync(context, &session, SyncRequest::new(names, Kind::Full, Trigger::Startup)),
    };
    session.end(context);
    result
}

/// Tells whether the engine behind a screen is one that ends when nobody looks on.
fn ends_by_itself(session: &Session) -> bool {
    let snapshot = session.runtime.block_on(session.handle().snapshot());
    snapshot.is_some_and(|snapshot| snapshot.stay == Stay::WhileUsed)
}

/// Returns the keys as the config wants them.
fn keys_of(context: &Context) -> Result<Keys> {
    Keys::new(&context.places.config()?.ui.keys).map_err(|error| {
        let key = format!("ui.keys.{}", error.action);
        CliError::Usage(ConfigError::at_key(&context.places.config_file, &key, error.reason).to_string())
    })
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

/// Asks for the start-up sync of what was added.
fn sync_added(session: &Session, names: Vec<String>) -> Result<()> {
    if !names.is_empty() {
        session.send(Command::Sync(Box::new(SyncRequest::new(names, Kind::Full, Trigger::Startup))))?;
    }
    Ok(())
}

fn in_lines(context: &mut Context, session: &Session, names: Vec<String>) -> Result<Verdict> {
    // Subscribed before: a small directory is in step sooner than the first line is written.
    let events = session.handle().subscribe();
    sync_added(session, names)?;
    plain::run(context, session, events)
}

/// Shows the screen of this session's engine, which goes on without it as long as runs do, until it is left.
fn screen(context: &mut Context, session: Session, keys: Keys, names: Vec<String>) -> Result<Verdict> {
    let has_service = super::service::can_take_over(context);
    let exit = show_screen(context, &session, keys, names, has_service);
    match exit {
        Ok(Exit::QuitWhileRunning { cancel: true }) => session.runtime.block_on(cancel_all(session.handle())),
        Ok(Exit::Ended { .. }) => session.runtime.block_on(cancel_unless_service(session.handle())),
        _ => {}
    }
    // Who lost the line could not choose; a service that is enabled is there so that nothing stops.
    let is_left_alone = matches!(exit, Ok(Exit::HungUp)) && has_service && ends_by_itself(&session);
    session.end(context);
    match exit? {
        Exit::Quit | Exit::QuitWhileRunning { cancel: true } => Ok(Verdict::default()),
        Exit::QuitWhileRunning { cancel: false } => {
            context.out.message("the runs go on; `watchkeeper` shows them, `watchkeeper cancel` ends them");
            Ok(Verdict::default())
        }
        Exit::HandOver => {
            super::service::hand_over()?;
            context.out.message("handed over: the service begins when what runs has ended");
            Ok(Verdict::default())
        }
        // Not a word: there is no terminal any more.
        Exit::HungUp => {
            if is_left_alone {
                hand_over_unseen();
            }
            Ok(Verdict { signal: Some(1), ..Verdict::default() })
        }
        Exit::Ended { signal } => Ok(Verdict { signal: u8::try_from(signal).ok(), ..Verdict::default() }),
    }
}

/// Hands over where nobody can be told how that went.
fn hand_over_unseen() {
    if let Err(error) = super::service::hand_over() {
        tracing::warn!(?error, "the service could not be asked to take over");
    }
}

fn show_screen(
    context: &Context,
    session: &Session,
    keys: Keys,
    names: Vec<String>,
    has_service: bool,
) -> Result<Exit> {
    let config = context.places.config()?;
    sync_added(session, names)?;
    let options = tui::Options {
        index_path: context.places.make_data_directory()?.join("index.db"),
        theme: theme_of(config.ui.theme),
        ascii: config.ui.ascii,
        keys,
        mouse: config.ui.mouse,
        has_service,
        here: Here {
            home: std::env::var_os("HOME").map(PathBuf::from),
            directory: std::env::current_dir().unwrap_or_default(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        },
    };
    let hands_over = has_service && ends_by_itself(session);
    let lost = move || {
        if hands_over {
            hand_over_unseen();
        }
    };
    let shown = session.runtime.block_on(tui::run(options, session.handle().clone(), lost));
    shown.map_err(|error| CliError::failed(error.to_string()))
}

pub fn theme_of(chosen: config::Theme) -> tui::Theme {
    // A terminal without colours, or a person who wants none.
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return tui::Theme::Mono;
    }
    match chosen {
        config::Theme::Auto => tui::Theme::Auto,
        config::Theme::Dark => tui::Theme::Dark,
        config::Theme::Light => tui::Theme::Light,
        config::Theme::Mono => tui::Theme::Mono,
    }
}

/// Cancels everything, and waits until it has ended, for so long as a run may take to stop.
async fn cancel_all(handle: &Handle) {
    const STOPPED_WITHIN: Duration = Duration::from_secs(5);
    // Refused only when the engine has ended already. A run that does not stop is closed without us.
    let _answer = handle.send(Command::Cancel { names: Vec::new(), run: None }).await;
    let _late = tokio::time::timeout(STOPPED_WITHIN, follow::until_idle(handle)).await;
}

/// As [`cancel_all`], where the runs are not those of a service, which nobody who ends a screen means.
pub async fn cancel_unless_service(handle: &Handle) {
    if handle.snapshot().await.is_some_and(|snapshot| snapshot.stay != Stay::Service) {
        cancel_all(handle).await;
    }
}
