//! Carries out the commands that change repositories or decide something, and turns a sync request into jobs.
//!
//! All of it blocks on the index; the shell gives it a thread.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::clock;
use super::job::{JobSpec, Manners};
use super::ledger::Ledger;
use super::protocol::{AddRepository, Answer, Command, Refusal, SyncRequest};
use crate::config::{Config, Hash, check_override, override_key};
use crate::disk::{Filter, Root, rotating_disk};
use crate::domain::date_pattern::DatePattern;
use crate::domain::report::Repository;
use crate::domain::repository::{Settings, check_name, name_from};
use crate::domain::show::show;
use crate::index::{IndexError, Reader, Writer};

/// What commands work with.
#[derive(Clone, Debug)]
pub struct Desk {
    pub writer: Writer,
    pub ledger: Ledger,
    pub index_path: PathBuf,
    pub data_directory: PathBuf,
    pub config: Config,
}

/// What an addition comes down to.
#[derive(Debug)]
pub(super) struct Addition {
    /// Its links resolved.
    pub path: PathBuf,
    pub name: String,
    pub is_new: bool,
}

pub(super) type Refused<T> = Result<T, Refusal>;

pub(super) fn index_failed(error: IndexError) -> Refusal {
    match error {
        IndexError::Invalid(message) => Refusal::new("invalid", message),
        other => {
            Refusal { code: other.code(), hint: Some(other.class().hint().to_owned()), message: other.to_string() }
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("invalid", message)
}

/// The words are wrong, not the world.
pub(super) fn usage(message: impl Into<String>) -> Refusal {
    Refusal::new("usage", message)
}

impl Desk {
    pub(super) fn reader(&self) -> Refused<Reader> {
        let reader = Reader::open(&self.index_path).map_err(index_failed)?;
        reader.ok_or_else(|| Refusal::new("failed", "the index file has gone"))
    }

    fn find(&self, name: &str) -> Refused<Repository> {
        self.reader()?.repository(name).map_err(|error| match error {
            IndexError::Invalid(message) => Refusal::new("unknown_repository", message),
            other => index_failed(other),
        })
    }

    fn find_all(&self, names: &[String]) -> Refused<Vec<Repository>> {
        if names.is_empty() {
            return self.reader()?.repositories().map_err(index_failed);
        }
        names.iter().map(|name| self.find(name)).collect()
    }

    /// Carries out a command that is not about runs.
    pub fn carry_out(&self, command: Command) -> Answer {
        let done = |count| Answer::Done { count };
        let changes_repositories = matches!(
            command,
            Command::AddRepository(_)
                | Command::SetRepository { .. }
                | Command::RenameRepository { .. }
                | Command::RemoveRepository { .. }
                | Command::Pause { .. }
                | Command::Resume { .. }
        );
        let answer = match command {
            Command::AddRepository(add) => self.add(add),
            Command::SetRepository { name, changes } => self.set(&name, &changes).map(done),
            Command::RenameRepository { name, new_name } => self.rename(&name, &new_name).map(done),
            Command::RemoveRepository { name } => self.remove(&name).map(done),
            Command::Pause { names } => self.pause(&names, Some(clock::wall().0)).map(done),
            Command::Resume { names } => self.pause(&names, None).map(done),
            Command::DismissHeld { names } => self.dismiss(&names).map(done),
            Command::AcceptDamage { name, paths } => self
                .find(&name)
                .and_then(|found| self.writer.accept_damage(found.id, paths, clock::wall().0).map_err(index_failed))
                .map(done),
            Command::AcknowledgeProblems { problem_ids } => {
                self.writer.acknowledge(problem_ids, clock::wall().0).map_err(index_failed).map(done)
            }
            Command::Scheduler(command) => self.schedule(&command).map(done),
            // The caller has taken it over; whether it goes together with what was set shows next.
            Command::Configure(_) => Ok(done(0)),
            Command::Sync(_)
            | Command::Cancel { .. }
            | Command::Complete { .. }
            | Command::Estimate(_)
            | Command::Examine
            | Command::Shutdown => {
                Err(Refusal::new("failed", "the engine sent this command the wrong way; this is a bug"))
            }
        };
        let noted = |answer| match changes_repositories {
            true => self.ledger.note_repositories(clock::wall()).map(|()| answer).map_err(index_failed),
            false => Ok(answer),
        };
        answer.and_then(noted).unwrap_or_else(Answer::Refused)
    }

    fn add(&self, add: AddRepository) -> Refused<Answer> {
        let Addition { path, name, is_new } = self.check_addition(&add)?;
        if is_new {
            let bytes = path.as_os_str().as_bytes();
            self.writer.add_repository(&name, bytes, &add.settings, clock::wall().0).map_err(index_failed)?;
        }
        Ok(Answer::Added { name, is_new })
    }

    /// Returns what would be added; nothing is yet.
    pub(super) fn check_addition(&self, add: &AddRepository) -> Refused<Addition> {
        let path = self.check_path(&add.path)?;
        self.check_settings(&add.settings)?;
        let repositories = self.reader()?.repositories().map_err(index_failed)?;
        if let Some(same) = repositories.iter().find(|known| known.path == path.as_os_str().as_bytes()) {
            let is_same_name = add.name.as_ref().is_none_or(|name| *name == same.name);
            if add.if_not_exists && is_same_name {
                return Ok(Addition { path, name: same.name.clone(), is_new: false });
            }
            return Err(Refusal::new("conflict", format!("{} is the repository {} already", shown(&path), same.name)));
        }
        refuse_overlap(&path, repositories.iter())?;
        let name = match &add.name {
            Some(name) => {
                check_name(name).map_err(usage)?;
                refuse_taken(name, repositories.iter())?;
                name.clone()
            }
            None => free_name(&path, &repositories),
        };
        Ok(Addition { path, name, is_new: true })
    }

    /// Returns the path with its links resolved, if it is a directory that can be a repository.
    fn check_path(&self, path: &Path) -> Refused<PathBuf> {
        let path = std::fs::canonicalize(path).map_err(|error| invalid(format!("{}: {error}", shown(path))))?;
        Root::open(&path).map_err(|error| invalid(error.to_string()))?;
        if path.starts_with(&self.data_directory) {
            return Err(invalid(format!("{} is watchkeeper's own data directory", shown(&path))));
        }
        Ok(path)
    }

    fn check_settings(&self, settings: &Settings) -> Refused<()> {
        Filter::new(&settings.selection).map_err(|error| usage(error.to_string()))?;
        self.config.with_overrides(&settings.overrides).map_err(|error| usage(error.to_string()))?;
        Ok(())
    }

    fn set(&self, name: &str, changes: &[(String, String)]) -> Refused<u64> {
        let repository = self.find(name)?;
        let mut settings = repository.settings.clone();
        let mut moved_to = None;
        for (key, value) in changes {
            if key == "path" {
                let path = self.check_path(Path::new(value))?;
                let others = self.reader()?.repositories().map_err(index_failed)?;
                refuse_overlap(&path, others.iter().filter(|other| other.id != repository.id))?;
                moved_to = Some(path);
            } else {
                change_setting(&mut settings, key, value)?;
            }
        }
        self.check_settings(&settings)?;
        if settings != repository.settings {
            self.writer.set_repository(repository.id, &settings).map_err(index_failed)?;
            // What belongs to it, or how it is proven, may be another now: nothing may be passed over as unchanged.
            self.writer.make_directories_due(repository.id).map_err(index_failed)?;
        }
        if let Some(path) = moved_to {
            self.writer.move_repository(repository.id, path.as_os_str().as_bytes()).map_err(index_failed)?;
        }
        Ok(changes.len() as u64)
    }

    fn rename(&self, name: &str, new_name: &str) -> Refused<u64> {
        check_name(new_name).map_err(usage)?;
        let repository = self.find(name)?;
        let others = self.reader()?.repositories().map_err(index_failed)?;
        refuse_taken(new_name, others.iter().filter(|other| other.id != repository.id))?;
        self.writer.rename_repository(repository.id, new_name).map_err(index_failed)?;
        Ok(1)
    }

    fn remove(&self, name: &str) -> Refused<u64> {
        let repository = self.find(name)?;
        self.ledger.note_removal(repository.id, clock::wall()).map_err(index_failed)?;
        self.writer.remove_repository(repository.id).map_err(index_failed)?;
        Ok(1)
    }

    fn pause(&self, names: &[String], at_ms: Option<i64>) -> Refused<u64> {
        let repositories = self.find_all(names)?;
        for repository in &repositories {
            self.writer.pause_repository(repository.id, at_ms).map_err(index_failed)?;
        }
        Ok(repositories.len() as u64)
    }

    fn dismiss(&self, names: &[String]) -> Refused<u64> {
        let mut count = 0;
        for repository in self.find_all(names)? {
            count += self.writer.dismiss_held(repository.id, clock::wall().0).map_err(index_failed)?;
        }
        Ok(count)
    }

    /// Turns a request into one job a repository; paused ones are passed over unless they were named.
    pub fn jobs(&self, request: &SyncRequest) -> Refused<Vec<JobSpec>> {
        let mut jobs = Vec::new();
        for repository in self.find_all(&request.names)? {
            if repository.paused_at.is_some() {
                if request.names.is_empty() {
                    continue;
                }
                let name = &repository.name;
                let message = format!("{name} is paused; `watchkeeper repo resume {name}` lets it run again");
                return Err(Refusal::new("conflict", message));
            }
            jobs.push(self.job(repository, request)?);
        }
        if jobs.is_empty() {
            let is_any = !self.find_all(&[])?.is_empty();
            let message = match is_any {
                true => "every repository is paused; `watchkeeper repo resume NAME` lets one run again",
                false => "there is no repository to sync; add one with `watchkeeper repo add PATH`",
            };
            return Err(Refusal::new("unknown_repository", message));
        }
        Ok(jobs)
    }

    fn job(&self, repository: Repository, request: &SyncRequest) -> Refused<JobSpec> {
        let overrides = &repository.settings.overrides;
        let config = self.effective()?.with_overrides(overrides).map_err(|error| invalid(error.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(JobSpec {
            run_id: ulid::Ulid::generate().to_string(),
            kind: request.kind,
            triggers: vec![request.trigger],
            paths: request.paths.clone(),
            only_problems: request.only_problems,
            accept_removals: request.accept_removals,
            plan: request.plan,
            max_bytes: request.max_bytes,
            max_time: request.max_time,
            window: request.window.unwrap_or(config.sync.incremental_window),
            note: request.note.clone(),
            expected: request.expected,
            limits: config.guard.limits(),
            hashing: config.sync.hash == Hash::Sha256,
            workers: if config.sync.workers == 0 { cores } else { config.sync.workers },
            attempt: request.attempt,
            retry_of: request.retry_of.clone(),
            continues: request.continues.clone(),
            // Who waits for an answer waits for the run, too; the engine's own requests get theirs after this.
            manners: Manners::Busy,
            disk: rotating_disk(Path::new(OsStr::from_bytes(&repository.path))),
            repository,
        })
    }
}

fn shown(path: &Path) -> String {
    show(path.as_os_str().as_bytes())
}

fn refuse_overlap<'a>(path: &Path, others: impl Iterator<Item = &'a Repository>) -> Refused<()> {
    for other in others {
        let known = Path::new(OsStr::from_bytes(&other.path));
        if known.starts_with(path) || path.starts_with(known) {
            let message = format!(
                "{} overlaps the repository {} at {}; each file belongs to one repository",
                shown(path),
                other.name,
                shown(known)
            );
            return Err(Refusal::new("conflict", message));
        }
    }
    Ok(())
}

fn refuse_taken<'a>(name: &str, mut others: impl Iterator<Item = &'a Repository>) -> Refused<()> {
    match others.any(|other| other.name == name) {
        true => Err(Refusal::new("conflict", format!("there is a repository {name} already; choose another name"))),
        false => Ok(()),
    }
}

fn free_name(path: &Path, repositories: &[Repository]) -> String {
    let base = name_from(path.file_name().map_or(b"", |name| name.as_bytes()));
    let is_free = |name: &str| repositories.iter().all(|known| known.name != name);
    if is_free(&base) {
        return base;
    }
    (2..)
        .map(|number: u64| format!("{base}-{number}"))
        .find(|name| is_free(name))
        .expect("there are more numbers than repositories")
}

/// Changes one setting as written on a command line. An empty value goes back to the default.
fn change_setting(settings: &mut Settings, key: &str, value: &str) -> Refused<()> {
    let list = || value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let truth = || match value {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" | "" => Ok(false),
        _ => Err(usage(format!("{key}: {value:?} must be true or false"))),
    };
    match key {
        "include" => settings.selection.include = list(),
        "exclude" => settings.selection.exclude = list(),
        "type" | "types" => settings.selection.types = list(),
        "hidden" => settings.selection.hidden = truth()?,
        "one_file_system" | "one-file-system" => settings.selection.one_file_system = truth()?,
        "date_pattern" | "date-pattern" if value.is_empty() => settings.date_pattern = None,
        "date_pattern" | "date-pattern" => {
            settings.date_pattern = Some(DatePattern::parse(value).map_err(invalid)?);
        }
        _ => {
            let key = if key == "watch" { "watch.enabled" } else { key };
            let (key, value) = match value.is_empty() {
                true => (override_key(key).map_err(|error| usage(error.to_string()))?, None),
                false => {
                    let (key, value) = check_override(key, value).map_err(|error| usage(error.to_string()))?;
                    (key, Some(value))
                }
            };
            settings.overrides.retain(|(known, _)| *known != key);
            settings.overrides.extend(value.map(|value| (key, value)));
        }
    }
    Ok(())
}
