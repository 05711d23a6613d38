//! What holds where nothing is set, and why it is this number.

use std::time::Duration;

use super::{Background, Backup, Guard, Hash, History, Hooks, Retry, Scheduler, Startup, Sync, Watch};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Returns the config file that says in words and values what holds by default.
pub fn default_text() -> &'static str {
    include_str!("../../assets/config.toml")
}

impl Default for Sync {
    fn default() -> Sync {
        Sync {
            // Nobody watched while no engine ran.
            startup: Startup::Full,
            // The watcher may miss what another machine writes to a network share; a day bounds how long.
            full_every: Some(DAY),
            full_at: None,
            incremental_every: Some(5 * MINUTE),
            // A week covers a holiday's worth of late writes and still touches few directories.
            incremental_window: 7 * DAY,
            // A month is what people scrub disks by.
            verify_every: Some(30 * DAY),
            verify_max_bytes: None,
            // An hour fits a night, and what is left over comes first next time.
            verify_max_time: Some(HOUR),
            // A full sync removes orphans anyway.
            cleanup_every: None,
            // Two keep a disk and a share busy side by side; more make one disk seek.
            repositories_at_once: 2,
            workers: 0,
            background: Background::Polite,
            // Longer than a sleeping disk, a slow robot or a reconnecting share takes.
            stall_timeout: 10 * MINUTE,
            // 100 is 20 % slower; more saves nothing that can be measured and loses more when killed.
            batch_size: 1_000,
            hash: Hash::Sha256,
        }
    }
}

impl Default for Scheduler {
    fn default() -> Scheduler {
        Scheduler { enabled: true }
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            enabled: true,
            // Editors save in several steps within a few hundred milliseconds.
            debounce: Duration::from_millis(500),
            // A directory that is written to without a pause is still shown as it grows.
            debounce_max: Duration::from_secs(5),
            poll_every: MINUTE,
        }
    }
}

impl Default for Guard {
    fn default() -> Guard {
        // Half of everything is a lost mount or a slip; up to a hundred files is a tidy afternoon.
        Guard { max_removed_percent: 50, max_removed_files: 100 }
    }
}

impl Default for Retry {
    fn default() -> Retry {
        // Local causes pass within seconds; what lasts longer is tried again by the schedule.
        Retry { attempts: 3, delay: Duration::from_secs(2), max_delay: 5 * MINUTE }
    }
}

impl Default for History {
    fn default() -> History {
        History {
            // People look back a season.
            keep: 90 * DAY,
            fold_after: 7 * DAY,
            // A count besides the age, so that a tree that churns cannot fill the disk with its own history.
            keep_changes: 1_000_000,
        }
    }
}

impl Default for Backup {
    fn default() -> Backup {
        // Everything is kept twice already; a third copy on the same disk is for those who ask. Three outlive a slip that
        // is noticed two backups later.
        Backup { every: None, keep: 3 }
    }
}

impl Default for Hooks {
    fn default() -> Hooks {
        // A mail or a web hook answers within seconds; a minute tells slow from stuck.
        Hooks { notify: Vec::new(), on_change: Vec::new(), timeout: MINUTE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_default_text_says_what_holds_without_a_file() {
        assert_eq!(Config::parse(default_text(), "config.toml").unwrap(), Config::default());
        assert_eq!(Config::parse("", "config.toml").unwrap(), Config::default());
    }

    #[test]
    fn the_default_text_names_every_setting() {
        let shown = Config::default().to_toml();
        let bare: Vec<&str> =
            default_text().lines().map(|line| line.split('#').next().unwrap_or_default().trim_end()).collect();
        assert_eq!(shown.lines().collect::<Vec<_>>(), bare);
    }
}
