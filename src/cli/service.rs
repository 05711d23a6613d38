//! `service`: the engine as a service of systemd, of one person from the login on, or of the machine for that person from boot on.

mod unit;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Context;
use super::args::ServiceCommand;
use super::exit::{CliError, Result, Verdict};
use crate::engine::holder;
use crate::wire::ServiceJson;
use unit::Unit;

/// Installs, removes, or tells.
pub fn run(context: &mut Context, command: ServiceCommand) -> Result<Verdict> {
    match command {
        ServiceCommand::Install { system } => install(context, &Unit::new(system)?),
        ServiceCommand::Remove { system } => remove(context, &Unit::new(system)?),
        ServiceCommand::Status { system } => status(context, &Unit::new(system)?),
    }
}

fn install(context: &mut Context, unit: &Unit) -> Result<Verdict> {
    // A wrong config would end the service as soon as it begins.
    context.places.config()?;
    unit.check_manager()?;
    unit.check_home()?;
    let text = unit.text(&context.places.given_arguments()?)?;
    let mut file = unit.file()?;
    // A package's own unit says the same, and is kept up to date with the program.
    if !file.exists() && std::fs::read_to_string(unit.packaged()).is_ok_and(|packaged| packaged == text) {
        unit.packaged().clone_into(&mut file);
    }
    let before = std::fs::read(&file).ok();
    let is_it = unit.property("ActiveState")? == "active";
    let is_new = before.as_deref() != Some(text.as_bytes());
    unit.check_ours(&file)?;
    if is_new {
        write(&file, &text)?;
    }
    let name = unit.name();
    let begun = unit.systemctl(&["daemon-reload"]).and_then(|_| unit.systemctl(&["enable", &name]));
    if let Err(error) = begun {
        if is_new {
            put_back(&file, before.as_deref())?;
            // It has read the new one. That the first error is told matters more than this one.
            let _read_again = unit.systemctl(&["daemon-reload"]);
        }
        return Err(error);
    }
    context.out.message(&format!("{}: enabled", file.display()));
    let running = context.places.engine_directory().filter(|_| !unit.is_system());
    match running {
        // What runs now is asked to end by nobody: the service waits until it has.
        Some(directory) if !is_it => {
            unit.systemctl(&["start", "--no-block", &name])?;
            let holder = holder(&directory);
            context.out.message(&format!("it takes over when the engine that runs now has ended: {holder}"));
        }
        _ if is_it && !is_new => {
            context.out.message(&format!("{name} runs, and is as it was"));
        }
        _ => {
            unit.systemctl(&["restart", &name]).map_err(|error| match error {
                CliError::Failed { message, hint: None } => CliError::Failed {
                    message: format!("{name} is enabled and does not start: {message}"),
                    hint: Some(format!("`{}` says why; `watchkeeper service remove` takes it away", unit.journal())),
                },
                other => other,
            })?;
            context.out.message(&format!("{name} runs; `{}` shows its log", unit.journal()));
        }
    }
    if let Some(person) = unit.ends_with_login() {
        context.out.message(&format!(
            "it ends when you log out and begins when you log in; `loginctl enable-linger {person}` keeps it running"
        ));
    }
    Ok(Verdict::default())
}

/// Writes a file that is there whole or not at all.
fn write(file: &Path, text: &str) -> Result<()> {
    let fail = |error: std::io::Error| CliError::failed(format!("{}: {error}", file.display()));
    let directory = file.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory).map_err(fail)?;
    let new = file.with_extension("service.new");
    let written = std::fs::File::create_new(&new).and_then(|mut opened| opened.write_all(text.as_bytes()));
    let written = written.and_then(|()| std::fs::rename(&new, file));
    if written.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::AlreadyExists) {
        drop(std::fs::remove_file(&new));
    }
    written.map_err(fail)
}

fn put_back(file: &Path, before: Option<&[u8]>) -> Result<()> {
    match before {
        Some(text) => std::fs::write(file, text)?,
        None => std::fs::remove_file(file)?,
    }
    Ok(())
}

fn remove(context: &mut Context, unit: &Unit) -> Result<Verdict> {
    unit.check_manager()?;
    let file = unit.file()?;
    let is_known = unit.property("LoadState")? == "loaded";
    if !is_known && !file.exists() {
        context.out.message(&format!("{} is not installed", unit.name()));
        return Ok(Verdict::default());
    }
    unit.check_ours(&file)?;
    if is_known {
        unit.systemctl(&["disable", "--now", &unit.name()])?;
    }
    // The template stays where others may have units of it; a packaged one is the package's.
    if !unit.is_system() && file.exists() {
        std::fs::remove_file(&file).map_err(|error| CliError::failed(format!("{}: {error}", file.display())))?;
    }
    unit.systemctl(&["daemon-reload"])?;
    context.out.message(&format!("{} has ended and does not come back; the index stays", unit.name()));
    Ok(Verdict::default())
}

fn status(context: &mut Context, unit: &Unit) -> Result<Verdict> {
    unit.check_manager()?;
    let state = unit.property("ActiveState")?;
    // Of one that has ended systemd keeps what it said last.
    let says = if state == "active" { Some(unit.property("StatusText")?) } else { None };
    let known = ServiceJson {
        unit: unit.name(),
        file: Some(PathBuf::from(unit.property("FragmentPath")?)).filter(|path| !path.as_os_str().is_empty()),
        installed: unit.property("LoadState")? == "loaded",
        enabled: unit.property("UnitFileState")? == "enabled",
        state,
        pid: unit.property("MainPID")?.parse().ok().filter(|pid| *pid != 0),
        says: says.filter(|text| !text.is_empty()),
        stays_after_logout: unit.stays_after_logout(),
    };
    if context.out.json {
        context.out.object(&known)?;
        return Ok(Verdict::default());
    }
    if !known.installed {
        context.out.line(&format!("{}: not installed; `watchkeeper service install` does so", known.unit))?;
        return Ok(Verdict::default());
    }
    let enabled = if known.enabled { "enabled" } else { "not enabled" };
    let pid = known.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
    context.out.line(&format!("{}: {}{pid}, {enabled}", known.unit, known.state))?;
    if let Some(says) = &known.says {
        context.out.line(&format!("  {says}"))?;
    }
    if let Some(file) = &known.file {
        context.out.line(&format!("  {}", file.display()))?;
    }
    if let Some(person) = unit.ends_with_login() {
        context.out.line(&format!("  ends when you log out; `loginctl enable-linger {person}` keeps it running"))?;
    }
    Ok(Verdict::default())
}

/// Tells whether the person has a service that is enabled, which an engine that ends by itself can hand over to. Both must have
/// the places where everyone looks: with others it would be another engine.
pub fn can_take_over(context: &Context) -> bool {
    Unit::Own.is_enabled_here() && context.places.given_arguments().is_ok_and(|given| given.is_empty())
}

/// Lets the person's service begin as soon as the engine that runs now has ended, which nobody asks it to.
///
/// # Errors
/// When its manager cannot be reached or refuses.
pub fn hand_over() -> Result<()> {
    Unit::Own.systemctl(&["start", "--no-block", &Unit::Own.name()]).map(drop)
}

/// Runs a program of the system and returns what it said.
fn call(program: &str, arguments: &[&str]) -> Result<String> {
    let done = Command::new(program).args(arguments).output().map_err(|error| CliError::Failed {
        message: format!("{program}: {error}"),
        hint: Some("without systemd, let what starts services here run `watchkeeper daemon`".to_owned()),
    })?;
    let text = |bytes: &[u8]| crate::domain::show::show_message(String::from_utf8_lossy(bytes).trim()).into_owned();
    match done.status.success() {
        true => Ok(text(&done.stdout)),
        false => Err(CliError::failed(format!("`{program} {}`: {}", arguments.join(" "), text(&done.stderr)))),
    }
}
