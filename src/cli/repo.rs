//! `repo`: add, list, show, set, pause, resume, rename, remove.

use std::path::Path;

use super::Context;
use super::args::{HashChoice, Repo, RepoAdd, Which};
use super::exit::{CliError, Result, Verdict};
use super::follow;
use super::output::{Cell, Tone, ask};
use super::session::Session;
use crate::domain::amount::{bytes, count, plural, took};
use crate::domain::date_pattern::DatePattern;
use crate::domain::report::Repository;
use crate::domain::repository::{Selection, Settings};
use crate::domain::run::{Kind, Trigger};
use crate::domain::show::show;
use crate::engine::estimate::{Estimate, estimate, whole_place};
use crate::engine::protocol::{AddRepository, Answer, Command, Expected, SyncRequest};
use crate::wire::RepositoryJson;

/// Runs a `repo` command.
pub fn run(context: &mut Context, command: Repo) -> Result<Verdict> {
    match command {
        Repo::Add(args) => add(context, &args),
        Repo::List => list(context),
        Repo::Show { name } => show_one(context, &name),
        Repo::Set { name, settings } => set(context, &name, &settings),
        Repo::Pause(which) => tell_which(context, which, |names| Command::Pause { names }, "paused"),
        Repo::Resume(which) => tell_which(context, which, |names| Command::Resume { names }, "resumed"),
        Repo::Rename { name, new_name } => {
            let said = format!("{name} is {new_name} now");
            tell(context, Command::RenameRepository { name, new_name }, &said)
        }
        Repo::Remove { name, yes } => remove(context, name, yes),
    }
}

fn tell(context: &mut Context, command: Command, said: &str) -> Result<Verdict> {
    Session::with(context, false, |_, session| session.send(command.clone()))?;
    context.out.message(said);
    Ok(Verdict::default())
}

fn tell_which(
    context: &mut Context,
    which: Which,
    command: impl Fn(Vec<String>) -> Command,
    said: &str,
) -> Result<Verdict> {
    let whom = if which.all { "all repositories".to_owned() } else { which.names.join(", ") };
    // To the engine no name means all of them.
    tell(context, command(which.names), &format!("{whom}: {said}"))
}

/// Returns what the options of `repo add` say about the repository.
pub fn settings_of(args: &RepoAdd) -> Result<Settings> {
    let mut overrides = Vec::new();
    if args.hash == HashChoice::None {
        overrides.push(("sync.hash".to_owned(), "none".to_owned()));
    }
    if args.no_watch {
        overrides.push(("watch.enabled".to_owned(), "false".to_owned()));
    }
    let pattern = args.date_pattern.as_deref().map(DatePattern::parse).transpose().map_err(CliError::Usage)?;
    Ok(Settings {
        selection: Selection {
            include: args.include.clone(),
            exclude: args.exclude.clone(),
            types: args.types.clone(),
            hidden: args.hidden,
            one_file_system: args.one_file_system,
        },
        date_pattern: pattern,
        overrides,
    })
}

fn add(context: &mut Context, args: &RepoAdd) -> Result<Verdict> {
    let settings = settings_of(args)?;
    let path = std::fs::canonicalize(&args.path)
        .map_err(|error| CliError::failed(format!("{}: {error}", show(args.path.as_os_str().as_encoded_bytes()))))?;
    confirm_large_place(&path, args.yes)?;
    let add = AddRepository { path, name: args.name.clone(), settings, if_not_exists: args.if_not_exists };
    let mut added = None;
    let counts_ahead = context.out.shows_progress;
    Session::with(context, counts_ahead, |context, session| {
        // Done once, also when the engine that was to sync it went away.
        let (name, expected) = match added.take() {
            Some(done) => done,
            None => add_one(context, session, args, &add)?,
        };
        added = Some((name.clone(), expected));
        if args.no_sync {
            return Ok(Verdict::default());
        }
        let request = SyncRequest::new(vec![name], Kind::Full, Trigger::Startup);
        follow::sync(context, session, SyncRequest { expected: Some(expected), ..request })
    })
}

/// Says how large it is and adds it; returns its name, and what the first sync will find.
fn add_one(
    context: &mut Context,
    session: &Session,
    args: &RepoAdd,
    add: &AddRepository,
) -> Result<(String, Expected)> {
    let data_directory = context.places.make_data_directory()?;
    let estimate = estimate(&add.path, &data_directory, &add.settings, || true).map_err(CliError::failed)?;
    say_estimate(context, &add.path, &estimate);
    let (name, is_new) = match session.send(Command::AddRepository(add.clone()))? {
        Answer::Added { name, is_new } => (name, is_new),
        _ => return Err(CliError::failed("the engine gave an unexpected answer; this is a bug")),
    };
    let reader = context.places.existing_reader()?;
    if context.out.json && (args.no_sync || !is_new) {
        context.out.object(&RepositoryJson::from(&reader.repository(&name)?))?;
    }
    context.out.message(&format!("{name}: {}", if is_new { "added" } else { "is there already" }));
    Ok((name, Expected { files: estimate.files, bytes: estimate.bytes }))
}

fn say_estimate(context: &Context, path: &Path, estimate: &Estimate) {
    let free = estimate.watches_free.map(|free| format!(" of {} free", count(free))).unwrap_or_default();
    let out = &context.out;
    out.message(&format!(
        "{}: {}, {}; {} needed{free}; the first sync takes about {}",
        show(path.as_os_str().as_encoded_bytes()),
        plural(estimate.files, "file", "files"),
        bytes(estimate.bytes),
        plural(estimate.watches_needed, "watch", "watches"),
        took(estimate.first_sync_ms)
    ));
    if estimate.unreadable > 0 {
        let directories = plural(estimate.unreadable, "directory", "directories");
        out.message(&format!("{directories} cannot be listed by this user"));
    }
}

/// Asks before a whole system or a home directory is taken.
pub fn confirm_large_place(path: &Path, yes: bool) -> Result<()> {
    let Some(what) = whole_place(path).filter(|_| !yes) else { return Ok(()) };
    if ask(&format!("{} is {what}. Index it?", path.display())) {
        return Ok(());
    }
    Err(CliError::Failed {
        message: format!("{} is {what}; it was not added", path.display()),
        hint: Some("name a directory below it, or say --yes".to_owned()),
    })
}

fn list(context: &mut Context) -> Result<Verdict> {
    let repositories = match context.places.reader()? {
        Some(reader) => reader.repositories()?,
        None => Vec::new(),
    };
    if context.out.json {
        for repository in &repositories {
            context.out.object(&RepositoryJson::from(repository))?;
        }
        return Ok(Verdict::default());
    }
    if repositories.is_empty() {
        context.out.message("no repositories yet; add one: watchkeeper repo add PATH");
        return Ok(Verdict::default());
    }
    let rows: Vec<Vec<Cell>> = repositories
        .iter()
        .map(|repository| {
            vec![
                Cell::toned(Tone::Bold, repository.name.clone()),
                count(repository.total_files.max(0) as u64).into(),
                bytes(repository.total_bytes.max(0) as u64).into(),
                repository.seen_at.map_or("never".to_owned(), |at| at.local()).into(),
                show(&repository.path).into(),
            ]
        })
        .collect();
    context.out.table(&["name", "files>", "size>", "true as of", "path"], &rows)?;
    Ok(Verdict::default())
}

fn show_one(context: &mut Context, name: &str) -> Result<Verdict> {
    let repository = context.places.existing_reader()?.repository(name)?;
    if context.out.json {
        context.out.object(&RepositoryJson::from(&repository))?;
        return Ok(Verdict::default());
    }
    let mut lines = vec![
        ("path", show(&repository.path)),
        ("files", count(repository.total_files.max(0) as u64)),
        ("size", bytes(repository.total_bytes.max(0) as u64)),
        ("added", repository.created_at.local()),
        ("true as of", repository.seen_at.map_or("never".to_owned(), |at| at.local())),
    ];
    if let Some(at) = repository.paused_at {
        lines.push(("paused since", at.local()));
    }
    lines.extend(setting_lines(&repository));
    for (label, value) in lines {
        context.out.line(&format!("{label:<14} {value}"))?;
    }
    let left_out: u64 = repository.left_out.iter().map(|(_, count)| count).sum();
    context.out.line(&format!("{:<14} {}", "left out", plural(left_out, "entry", "entries")))?;
    for (rule, amount) in &repository.left_out {
        context.out.line(&format!("{:>16} {rule}", count(*amount)))?;
    }
    Ok(Verdict::default())
}

fn setting_lines(repository: &Repository) -> Vec<(&'static str, String)> {
    let selection = &repository.settings.selection;
    let mut lines = Vec::new();
    for (label, list) in [("include", &selection.include), ("exclude", &selection.exclude), ("type", &selection.types)]
    {
        if !list.is_empty() {
            lines.push((label, list.join(",")));
        }
    }
    if selection.hidden {
        lines.push(("hidden", "true".to_owned()));
    }
    if selection.one_file_system {
        lines.push(("one_file_system", "true".to_owned()));
    }
    if let Some(pattern) = &repository.settings.date_pattern {
        lines.push(("date_pattern", pattern.as_str().to_owned()));
    }
    let overrides = repository.settings.overrides.iter().map(|(key, value)| ("setting", format!("{key}={value}")));
    lines.extend(overrides);
    lines
}

fn set(context: &mut Context, name: &str, settings: &[String]) -> Result<Verdict> {
    let mut changes = Vec::new();
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(CliError::Usage(format!("{} must be KEY=VALUE", show(setting.as_bytes()))));
        };
        let value = match key {
            // Relative to where the person stands, not to where the engine does.
            "path" => std::path::absolute(value)?.to_string_lossy().into_owned(),
            _ => value.to_owned(),
        };
        changes.push((key.to_owned(), value));
    }
    let moved = changes.iter().any(|(key, _)| key == "path");
    let command = Command::SetRepository { name: name.to_owned(), changes };
    let then = if moved { "; the next full sync reads all and compares" } else { "" };
    tell(context, command, &format!("{name}: set{then}"))
}

fn remove(context: &mut Context, name: String, yes: bool) -> Result<Verdict> {
    let repository = context.places.existing_reader()?.repository(&name)?;
    let files = plural(repository.total_files.max(0) as u64, "record", "records");
    let question = format!("Remove {name} with {files} and its history from the index? The files themselves stay.");
    if !yes && !ask(&question) {
        return Err(CliError::Failed {
            message: format!("{name} was not removed"),
            hint: Some("say --yes to remove it without a question".to_owned()),
        });
    }
    tell(context, Command::RemoveRepository { name: name.clone() }, &format!("{name}: removed from the index"))
}
