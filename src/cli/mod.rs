//! The command line: parses, wires the rooms together, prints, and says how it ended. The composition root.

mod args;
mod background;
mod backup;
mod daemon;
mod digest;
mod doctor;
mod exit;
mod files;
mod findings;
mod follow;
mod history;
mod hosts;
mod log;
mod metrics;
mod open;
mod output;
mod places;
mod plain;
mod repo;
mod scheduler;
mod service;
mod session;
mod signals;
mod stats;
mod status;
mod sync;
mod verify_log;
mod why;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tokio::signal::unix::SignalKind;

use args::{Cli, Command, ConfigCommand};
use exit::{CliError, Result, Verdict};
use log::Log;
use output::Output;
use places::Places;

/// What every command works with.
pub(crate) struct Context {
    out: Output,
    places: Places,
    log: Log,
}

/// Runs the program and returns its exit code; the only caller is `main`.
pub fn run() -> ExitCode {
    let _outlives_limit = outlive_file_limit();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = check_words(&cli).and_then(|()| Places::find(&cli.globals)).and_then(|places| {
        let log = log::start(&cli, &places)?;
        let mut context = Context { out: Output::new(&cli.globals), places, log };
        let ended = dispatch(&mut context, cli);
        context.log.end();
        let verdict = ended?;
        context.out.flush()?;
        Ok(verdict)
    });
    match result {
        Ok(verdict) => ExitCode::from(verdict.code()),
        Err(error) => {
            report(&error);
            ExitCode::from(error.code())
        }
    }
}

/// A limit on the size of files (`ulimit -f`) fails a write, as a full disk does, and does not end the program: once a handler
/// stands it stands to the end.
fn outlive_file_limit() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    tokio::signal::unix::signal(kind).map(drop)
}

fn dispatch(context: &mut Context, cli: Cli) -> Result<Verdict> {
    if !cli.host.is_empty() {
        return hosts::run(context, cli.host, cli.command.is_some());
    }
    let Some(command) = cli.command else { return open::open(context, &cli.directories, cli.plain) };
    match command {
        Command::Repo(repo) => repo::run(context, repo),
        Command::Sync(sync) => sync::run(context, &sync),
        Command::Cancel(cancel) => sync::cancel(context, &cancel),
        Command::Status(status) => status::run(context, &status),
        Command::History(history) => history::run(context, &history),
        Command::Changes(changes) => findings::changes(context, &changes),
        Command::Problems(problems) => findings::problems(context, &problems),
        Command::Damage(damage) => findings::damage(context, &damage),
        Command::Held(held) => findings::held(context, &held),
        Command::Files(files) => files::run(context, &files),
        Command::Why(why) => why::run(context, &why),
        Command::Stats(stats) => stats::run(context, &stats),
        Command::Digest(digest) => digest::run(context, &digest),
        Command::Metrics => metrics::run(context),
        Command::Scheduler(command) => scheduler::run(context, command),
        Command::VerifyLog => verify_log::run(context),
        Command::Backup { file } => backup::back_up_to(context, &file),
        Command::Restore { file, yes } => backup::restore(context, &file, yes),
        Command::Doctor => doctor::run(context),
        Command::Daemon { while_used, listen } => daemon::run(context, while_used, listen),
        Command::Service(command) => service::run(context, command),
        Command::Config(command) => config(context, command),
        Command::Completions { shell } => completions(context, shell),
        Command::Man { directory } => man(context, &directory),
    }
}

fn config(context: &mut Context, command: ConfigCommand) -> Result<Verdict> {
    let text = match command {
        ConfigCommand::Show => context.places.config()?.to_toml(),
        ConfigCommand::Default => crate::config::default_text().to_owned(),
        ConfigCommand::Path => {
            let path = context.places.config_file.display().to_string();
            match context.out.json {
                true => context.out.object(&serde_json::json!({ "path": path }))?,
                false => context.out.line(&path)?,
            }
            return Ok(Verdict::default());
        }
    };
    match context.out.json {
        // It is TOML that this program has written or checked.
        true => {
            let table: toml::Table = text.parse().map_err(|error| CliError::failed(format!("config: {error}")))?;
            context.out.object(&table)?;
        }
        false => context.out.raw(text.as_bytes())?,
    }
    Ok(Verdict::default())
}

fn completions(context: &mut Context, shell: clap_complete::Shell) -> Result<Verdict> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watchkeeper", &mut script);
    context.out.raw(&script)?;
    Ok(Verdict::default())
}

fn man(context: &mut Context, directory: &std::path::Path) -> Result<Verdict> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    context.out.message(&format!("manual pages written to {}", directory.display()));
    Ok(Verdict::default())
}

/// Refuses a word that is neither a command nor a directory, and names the nearest command.
fn check_words(cli: &Cli) -> Result<()> {
    let Some(at) = cli.directories.iter().position(|word| !word.is_dir()) else { return Ok(()) };
    let given = &cli.directories[at];
    let word = given.to_string_lossy();
    let commands = Cli::command();
    if at > 0 && commands.find_subcommand(&*word).is_some() {
        return Err(CliError::Usage("either directories or a command, not both".to_owned()));
    }
    let nearest = commands
        .get_subcommands()
        .map(|command| (strsim::damerau_levenshtein(&word, command.get_name()), command.get_name().to_owned()))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(2));
    let guess = nearest.map_or_else(
        || "see `watchkeeper --help`".to_owned(),
        |(_, name)| format!("did you mean `watchkeeper {name}`?"),
    );
    let shown = crate::domain::show::show(given.as_os_str().as_encoded_bytes());
    Err(CliError::Usage(format!("{shown} is neither a command nor a directory; {guess}")))
}

fn usage(error: &clap::Error) -> ExitCode {
    // Help and version are answers, the rest goes to standard error; a closed pipe is no error.
    let text = error.render().to_string();
    if crate::domain::show::show_message(&text) == text {
        let _printed = error.print();
    } else {
        // It repeats what was typed, and lets some of what a terminal obeys pass (invariant 12).
        output::pass_on(text.as_bytes());
    }
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

fn report(error: &CliError) {
    match error {
        CliError::NobodyReads | CliError::Told { .. } => {}
        CliError::Usage(message) | CliError::Unavailable(message) => output::error(message, None),
        CliError::Running(holder) => output::error(
            &format!("a watchkeeper is running already for this data directory: {holder}"),
            Some("look at it with `watchkeeper status`; another --data-dir makes a second one"),
        ),
        CliError::Busy(holder) => output::error(
            &format!("a watchkeeper has this data directory, and nothing may be replaced under it: {holder}"),
            Some("end it first: `systemctl stop`, Ctrl-C, or `q` in the screen"),
        ),
        CliError::Locked(holder) => output::error(
            &format!("another watchkeeper has this data directory and cannot be reached: {holder}"),
            Some("end it, or wait until it has ended; or use another --data-dir"),
        ),
        CliError::Failed { message, hint } => output::error(message, hint.as_deref()),
    }
}
