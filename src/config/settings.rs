//! Every setting, named once: its key and its slot in [`Config`]. Reading, overriding and showing all walk this table.
//!
//! To add a setting: a field in its section, a default, a row here, a line in `assets/config.toml`.

use std::time::Duration;

use super::Config;
use super::slot::Slot;

/// One setting of the config.
pub(super) struct Setting {
    /// `section.key`.
    pub key: &'static str,
    pub slot: fn(&mut Config) -> Slot<'_>,
}

impl Setting {
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').expect("every key of the table has a section").0
    }

    /// Returns the key without its section.
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').expect("every key of the table has a section").1
    }
}

const ANY: Duration = Duration::ZERO;
/// What comes back by itself waits at least this long, or it would never rest.
const SECOND: Duration = Duration::from_secs(1);
/// A typing slip must not start a million threads, or hold a million records in memory at once.
const MAX_THREADS: usize = 256;
const MAX_BATCH: usize = 100_000;
/// ... or fill the disk.
const MAX_BACKUPS: usize = 1_000;

/// All settings in the order in which they are shown. The free keys of `[ui.keys]` are not among them.
pub(super) const SETTINGS: &[Setting] = &[
    Setting { key: "sync.startup", slot: |c| Slot::Startup(&mut c.sync.startup) },
    Setting { key: "sync.full_every", slot: |c| Slot::Every(&mut c.sync.full_every) },
    Setting { key: "sync.full_at", slot: |c| Slot::TimeOfDay(&mut c.sync.full_at) },
    Setting { key: "sync.incremental_every", slot: |c| Slot::Every(&mut c.sync.incremental_every) },
    Setting { key: "sync.incremental_window", slot: |c| Slot::Length(&mut c.sync.incremental_window, SECOND) },
    Setting { key: "sync.verify_every", slot: |c| Slot::Every(&mut c.sync.verify_every) },
    Setting { key: "sync.verify_max_bytes", slot: |c| Slot::MaxBytes(&mut c.sync.verify_max_bytes) },
    Setting { key: "sync.verify_max_time", slot: |c| Slot::MaxTime(&mut c.sync.verify_max_time) },
    Setting { key: "sync.cleanup_every", slot: |c| Slot::Every(&mut c.sync.cleanup_every) },
    Setting {
        key: "sync.repositories_at_once",
        slot: |c| Slot::Size(&mut c.sync.repositories_at_once, 1..=MAX_THREADS),
    },
    Setting { key: "sync.workers", slot: |c| Slot::Size(&mut c.sync.workers, 0..=MAX_THREADS) },
    Setting { key: "sync.background", slot: |c| Slot::Background(&mut c.sync.background) },
    Setting { key: "sync.stall_timeout", slot: |c| Slot::Length(&mut c.sync.stall_timeout, SECOND) },
    Setting { key: "sync.batch_size", slot: |c| Slot::Size(&mut c.sync.batch_size, 1..=MAX_BATCH) },
    Setting { key: "sync.hash", slot: |c| Slot::Hash(&mut c.sync.hash) },
    Setting { key: "scheduler.enabled", slot: |c| Slot::Switch(&mut c.scheduler.enabled) },
    Setting { key: "watch.enabled", slot: |c| Slot::Switch(&mut c.watch.enabled) },
    Setting { key: "watch.debounce", slot: |c| Slot::Length(&mut c.watch.debounce, ANY) },
    Setting { key: "watch.debounce_max", slot: |c| Slot::Length(&mut c.watch.debounce_max, ANY) },
    Setting { key: "watch.poll_every", slot: |c| Slot::Length(&mut c.watch.poll_every, SECOND) },
    Setting { key: "guard.max_removed_percent", slot: |c| Slot::Small(&mut c.guard.max_removed_percent, 0..=100) },
    Setting { key: "guard.max_removed_files", slot: |c| Slot::Count(&mut c.guard.max_removed_files) },
    Setting { key: "retry.attempts", slot: |c| Slot::Small(&mut c.retry.attempts, 0..=100) },
    Setting { key: "retry.delay", slot: |c| Slot::Length(&mut c.retry.delay, ANY) },
    Setting { key: "retry.max_delay", slot: |c| Slot::Length(&mut c.retry.max_delay, ANY) },
    Setting { key: "history.keep", slot: |c| Slot::Length(&mut c.history.keep, ANY) },
    Setting { key: "history.fold_after", slot: |c| Slot::Length(&mut c.history.fold_after, ANY) },
    Setting { key: "history.keep_changes", slot: |c| Slot::Count(&mut c.history.keep_changes) },
    Setting { key: "backup.every", slot: |c| Slot::Every(&mut c.backup.every) },
    Setting { key: "backup.keep", slot: |c| Slot::Size(&mut c.backup.keep, 1..=MAX_BACKUPS) },
    Setting { key: "hooks.notify", slot: |c| Slot::Command(&mut c.hooks.notify) },
    Setting { key: "hooks.on_change", slot: |c| Slot::Command(&mut c.hooks.on_change) },
    Setting { key: "hooks.timeout", slot: |c| Slot::Length(&mut c.hooks.timeout, SECOND) },
    Setting { key: "ui.theme", slot: |c| Slot::Theme(&mut c.ui.theme) },
    Setting { key: "ui.mouse", slot: |c| Slot::Switch(&mut c.ui.mouse) },
    Setting { key: "ui.ascii", slot: |c| Slot::Switch(&mut c.ui.ascii) },
];

/// The sections in the order in which they are shown.
pub(super) const SECTIONS: [&str; 9] =
    ["sync", "scheduler", "watch", "guard", "retry", "history", "backup", "hooks", "ui"];

/// Finds a setting by `section.key`.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Returns what contradicts itself: the two keys and why. Which of them a person wrote is for the caller to know.
pub(super) fn contradiction(config: &Config) -> Option<([&'static str; 2], &'static str)> {
    if config.watch.debounce > config.watch.debounce_max {
        return Some((["watch.debounce", "watch.debounce_max"], "debounce must not be longer than debounce_max"));
    }
    if config.retry.delay > config.retry.max_delay {
        return Some((["retry.delay", "retry.max_delay"], "delay must not be longer than max_delay"));
    }
    None
}

/// Returns the candidate that a misspelt word most likely meant; `None` when none is near.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate))
        // Below 0.8 the words share little more than some letters, and a wrong guess costs more than none.
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_stands_once_in_a_section_that_exists() {
        let keys: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        let mut sections: Vec<&str> = SETTINGS.iter().map(Setting::section).collect();
        sections.dedup();
        assert_eq!(sections, SECTIONS);
    }

    #[test]
    fn a_slip_is_led_back_to_the_word_that_was_meant() {
        let names = || SETTINGS.iter().map(Setting::name);
        for (word, meant) in [("full_evry", Some("full_every")), ("Debounce", Some("debounce")), ("xyz", None)] {
            assert_eq!(nearest(word, names()), meant, "{word}");
        }
    }
}
