//! Settings of one repository, typed on a command line, laid over those of the config.

use super::read::did_you_mean;
use super::settings::{SETTINGS, Setting, contradiction, find};
use super::{Config, ConfigError, Origin};

/// The sections that a repository may set for itself. The rest belongs to the whole program.
const SECTIONS: [&str; 4] = ["sync", "watch", "guard", "hooks"];

impl Config {
    /// Returns these settings with `overrides` laid over them, each `section.key` and the value as typed.
    ///
    /// # Errors
    /// When a key is none that a repository may set, a value does not fit, or together they contradict.
    pub fn with_overrides(&self, overrides: &[(String, String)]) -> Result<Config, ConfigError> {
        let mut config = self.clone();
        for (key, typed) in overrides {
            put(&mut config, setting_for(key)?, typed)?;
        }
        match contradiction(&config) {
            None => Ok(config),
            Some((keys, reason)) => {
                // Settings that were checked agree with each other; the last that was laid over them broke it.
                let last = overrides.iter().rev().find(|(key, _)| keys.contains(&key.as_str()));
                let key = last.map_or(keys[0], |(key, _)| key);
                Err(ConfigError::Value { origin: Origin::Override, key: key.to_owned(), reason: reason.to_owned() })
            }
        }
    }
}

/// Checks one override, its key with or without its section, and returns it as it is stored: `section.key`, value.
///
/// Whether it agrees with the other settings shows only when all are laid together ([`Config::with_overrides`]).
///
/// # Errors
/// When the key is none that a repository may set, or could be more than one, or the value does not fit.
pub fn check_override(key: &str, value: &str) -> Result<(String, String), ConfigError> {
    let setting = setting_for(key)?;
    put(&mut Config::default(), setting, value)?;
    Ok((setting.key.to_owned(), value.trim().to_owned()))
}

/// Returns the full `section.key` of an override that is to be taken back.
///
/// # Errors
/// When the key is none that a repository may set, or could be more than one.
pub fn override_key(key: &str) -> Result<String, ConfigError> {
    setting_for(key).map(|setting| setting.key.to_owned())
}

/// Returns the keys that a repository may set for itself, each `section.key`.
pub fn override_keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|setting| SECTIONS.contains(&setting.section())).map(|setting| setting.key)
}

fn put(config: &mut Config, setting: &Setting, typed: &str) -> Result<(), ConfigError> {
    let slot = (setting.slot)(config);
    let written = slot.read_typed(typed.trim());
    slot.put(&written).map_err(|reason| ConfigError::Value {
        origin: Origin::Override,
        key: setting.key.to_owned(),
        reason,
    })
}

fn setting_for(key: &str) -> Result<&'static Setting, ConfigError> {
    let wrong = |hint| {
        let key = crate::domain::show::show_message(key).into_owned();
        Err(ConfigError::Key { origin: Origin::Override, key, hint })
    };
    // Bare `enabled` is refused although only [watch] may be set: whoever types it may mean the schedule.
    let meant: Vec<&Setting> = match find(key) {
        Some(setting) => vec![setting],
        None => SETTINGS.iter().filter(|setting| setting.name() == key).collect(),
    };
    let allowed: Vec<&Setting> =
        meant.iter().copied().filter(|setting| SECTIONS.contains(&setting.section())).collect();
    match (meant.as_slice(), allowed.as_slice()) {
        ([_], [setting]) => Ok(setting),
        ([], _) => wrong(format!("no such key{}", near(key))),
        (_, []) => wrong("holds for the whole program; set it in the config file".to_owned()),
        (_, allowed) => {
            let keys: Vec<&str> = allowed.iter().map(|setting| setting.key).collect();
            wrong(format!("could be more than one setting; write {}", keys.join(" or ")))
        }
    }
}

/// Names the nearest key, or all that a repository may set.
fn near(key: &str) -> String {
    let may_be_set = || SETTINGS.iter().filter(|setting| SECTIONS.contains(&setting.section()));
    let (_, name) = key.rsplit_once('.').unwrap_or(("", key));
    let guess = did_you_mean(key, may_be_set().map(|setting| setting.key));
    if !guess.is_empty() && key.contains('.') {
        return guess;
    }
    let guess = did_you_mean(name, may_be_set().map(Setting::name));
    if !guess.is_empty() {
        return guess;
    }
    let all: Vec<&str> = may_be_set().map(|setting| setting.key).collect();
    format!("; a repository can set {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn stored(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_repository_lays_what_was_typed_over_the_config() {
        let base = Config::parse("[sync]\nworkers = 3", "config.toml").unwrap();
        let config = base
            .with_overrides(&stored(&[
                ("sync.full_at", "03:00"),
                ("sync.incremental_every", "5m"),
                ("sync.cleanup_every", "never"),
                ("sync.verify_max_bytes", ""),
                ("watch.enabled", "false"),
                ("guard.max_removed_files", "10"),
                ("hooks.on_change", r#"["a","b c"]"#),
            ]))
            .unwrap();
        assert_eq!(config.sync.full_at, chrono::NaiveTime::from_hms_opt(3, 0, 0));
        assert_eq!(config.sync.incremental_every, Some(Duration::from_secs(300)));
        assert_eq!((config.sync.cleanup_every, config.sync.verify_max_bytes), (None, None));
        assert_eq!((config.watch.enabled, config.guard.max_removed_files), (false, 10));
        assert_eq!(config.hooks.on_change, ["a", "b c"]);
        assert_eq!(config.sync.workers, 3);
        assert_eq!(base.with_overrides(&[]).unwrap(), base);
    }

    #[test]
    fn a_key_is_found_with_or_without_its_section() {
        for (key, value, full) in [
            ("guard.max_removed_files", " 7 ", ("guard.max_removed_files", "7")),
            ("max_removed_files", "7", ("guard.max_removed_files", "7")),
            ("timeout", "5m", ("hooks.timeout", "5m")),
            ("watch.enabled", "true", ("watch.enabled", "true")),
        ] {
            let (found, stored) = check_override(key, value).unwrap();
            assert_eq!((found.as_str(), stored.as_str()), full);
        }
    }

    #[test]
    fn a_wrong_override_says_what_would_be_right() {
        for (key, value, message) in [
            ("max_removed_fils", "7", "max_removed_fils: no such key, did you mean \"max_removed_files\"?"),
            ("guard.max_removed_fils", "7", "did you mean \"guard.max_removed_files\"?"),
            ("xyz", "7", "a repository can set sync.startup, "),
            ("enabled", "false", "enabled: could be more than one setting; write watch.enabled"),
            ("retry.delay", "1s", "retry.delay: holds for the whole program"),
            ("theme", "dark", "theme: holds for the whole program"),
            ("workers", "many", "sync.workers: \"many\" does not fit; write a whole number from 0 to 256"),
            ("full_every", "24x", "sync.full_every: \"24x\" is no length of time"),
            ("watch.enabled", "yes", "watch.enabled: \"yes\" does not fit; write true or false"),
            ("on_change", "mail", "hooks.on_change: \"mail\" does not fit; write a program and its arguments"),
            ("on_change", "[1]", "hooks.on_change: a list with anything but texts"),
            ("\u{1b}[31m", "1", "\\x1b[31m: no such key"),
        ] {
            let found = check_override(key, value).unwrap_err().to_string();
            assert!(found.contains(message), "{key}={value} gave {found:?}");
        }
    }

    #[test]
    fn an_override_that_contradicts_the_config_is_named() {
        let base = Config::default();
        let wrong = base.with_overrides(&stored(&[("watch.debounce", "6s")])).unwrap_err().to_string();
        assert_eq!(wrong, "watch.debounce: debounce must not be longer than debounce_max");
        assert!(base.with_overrides(&stored(&[("watch.debounce", "6s"), ("watch.debounce_max", "7s")])).is_ok());
    }
}
