//! What an engine that stays must know: the settings in force, and each repository with its own.

use super::clock;
use super::commands::{Desk, Refused, index_failed, usage};
use super::job::Manners;
use super::protocol::{Refusal, SchedulerCommand};
use super::state::Tracked;
use crate::config::{Background, Config, check_override, override_key};
use crate::domain::moment::Timestamp;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Trigger;
use crate::index::Result;

/// Set by `scheduler start` and `stop`; every other key is one of the config.
const ENABLED: &str = "scheduler.enabled";

impl Desk {
    /// Returns the config with what was set at run time laid over it.
    ///
    /// # Errors
    /// When the index cannot be read, or what was set no longer goes together with the config file.
    pub fn effective(&self) -> Refused<Config> {
        let settings = self.reader()?.settings().map_err(index_failed)?;
        self.lay_over(settings)
    }

    fn lay_over(&self, mut settings: Vec<(String, String)>) -> Refused<Config> {
        let enabled = settings.iter().position(|(key, _)| key == ENABLED).map(|at| settings.remove(at).1);
        let mut config = self.config.with_overrides(&settings).map_err(|error| Refusal {
            code: "usage",
            message: format!("set by `scheduler set`: {error}"),
            hint: Some("take it back with an empty value: watchkeeper scheduler set KEY=".to_owned()),
        })?;
        if let Some(enabled) = enabled {
            config.scheduler.enabled = enabled == "true";
        }
        Ok(config)
    }

    /// Returns all repositories with what holds for each.
    ///
    /// # Errors
    /// When the index cannot be read, or settings do not go together.
    pub fn tracked(&self) -> Refused<Vec<Tracked>> {
        let effective = self.effective()?;
        let statuses = self.reader()?.statuses().map_err(index_failed)?;
        statuses
            .into_iter()
            .map(|status| {
                let config = effective.with_overrides(&status.repository.settings.overrides);
                let config = config.map_err(|error| usage(format!("{}: {error}", status.repository.name)))?;
                let last = status.by_kind.iter().filter_map(|kind| Some((kind.kind, kind.last_attempt_at?))).collect();
                Ok(Tracked { config, last, repository: status.repository })
            })
            .collect()
    }

    /// Carries out a command about the schedule; returns how many settings it changed.
    ///
    /// # Errors
    /// When a key or value is wrong, or together they contradict: then nothing is changed.
    pub fn schedule(&self, command: &SchedulerCommand) -> Refused<u64> {
        let set = |key: &str, value: Option<&str>| self.writer.set_setting(key, value).map_err(index_failed);
        match command {
            SchedulerCommand::Start => set(ENABLED, Some("true")).map(|()| 1),
            SchedulerCommand::Stop => set(ENABLED, Some("false")).map(|()| 1),
            SchedulerCommand::Set(changes) => {
                let mut checked: Vec<(String, Option<String>)> = Vec::new();
                for (key, value) in changes {
                    checked.push(check(key, value)?);
                }
                let mut settings = self.reader()?.settings().map_err(index_failed)?;
                settings.retain(|(known, _)| checked.iter().all(|(key, _)| key != known));
                settings.extend(checked.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))));
                let effective = self.lay_over(settings)?;
                for status in self.reader()?.repositories().map_err(index_failed)? {
                    let together = effective.with_overrides(&status.settings.overrides);
                    together.map_err(|error| usage(format!("{}: {error}", status.name)))?;
                }
                for (key, value) in &checked {
                    set(key, value.as_deref())?;
                }
                Ok(checked.len() as u64)
            }
        }
    }

    /// Counts how much of a repository was read within its `verify_every`, and writes it down.
    ///
    /// # Errors
    /// Those of the index.
    pub fn count_coverage(&self, id: RepositoryId) -> Result<()> {
        let Ok(tracked) = self.tracked() else { return Ok(()) };
        let Some(every) = tracked.iter().find(|t| t.repository.id == id).and_then(|t| t.config.sync.verify_every)
        else {
            return Ok(());
        };
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(clock::wall().0.saturating_sub(every_ms));
        if let Ok(reader) = self.reader() {
            self.writer.set_covered(id, reader.coverage(id, since)?.covered_files)?;
        }
        Ok(())
    }
}

/// Checks one setting of the schedule; an empty value takes it back.
fn check(key: &str, value: &str) -> Refused<(String, Option<String>)> {
    let known = match value.is_empty() {
        true => override_key(key).map(|key| (key, None)),
        false => check_override(key, value).map(|(key, value)| (key, Some(value))),
    };
    let (key, value) = known.map_err(|error| usage(error.to_string()))?;
    if !key.starts_with("sync.") {
        return Err(usage(format!("{key}: is no setting of the schedule; those are the keys of [sync]")));
    }
    Ok((key, value))
}

/// Returns how a run that nobody waits for uses the machine.
pub(super) fn manners(trigger: Trigger, background: Background) -> Manners {
    match (background, trigger) {
        (Background::Full, _) | (_, Trigger::User) => Manners::Busy,
        (Background::Polite, Trigger::Schedule) => Manners::Paced,
        // Until these have ended nobody knows whether the index is true.
        (Background::Polite, Trigger::Startup | Trigger::Watch | Trigger::Overflow | Trigger::Retry) => Manners::Polite,
    }
}
