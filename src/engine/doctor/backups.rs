//! Whether there is a backup that was made by itself, and how old it is.

use std::path::Path;

use serde_json::json;

use super::{Check, State, check};
use crate::config::Config;
use crate::domain::amount::{age, plural};
use crate::domain::moment::Timestamp;
use crate::engine::backup::kept;

/// Looks at what lies in `backups/`.
pub(super) fn examine(directory: &Path, config: Option<&Config>, now: Timestamp, checks: &mut Vec<Check>) {
    let every = config.and_then(|config| config.backup.every);
    let all = kept(directory);
    let age_ms = all.last().map(|last| now.since_ms(last.taken_at).max(0));
    // One that is late by as much again will not come any more.
    let late_ms = every.map(|every| i64::try_from(every.as_millis() * 2).unwrap_or(i64::MAX));
    let is_late = late_ms.is_some_and(|late_ms| age_ms.is_none_or(|age_ms| age_ms > late_ms));
    let message = match (all.last(), age_ms) {
        (Some(last), Some(age_ms)) => {
            let count = plural(all.len() as u64, "backup", "backups");
            format!("{count} in backups/, the last of {} ({} old)", last.taken_at.local(), age(age_ms))
        }
        _ => "none lies in backups/; `watchkeeper backup FILE` makes one anywhere".to_owned(),
    };
    let value = json!({
        "last_at": all.last().map(|last| last.taken_at.rfc3339()),
        "age_s": age_ms.map(|age_ms| age_ms / 1000),
        "backups": all.len(),
        "every_s": every.map(|every| every.as_secs()),
    });
    let hint =
        is_late.then(|| "`backup.every` says more often; the daemon makes them, and its log says why not".to_owned());
    let state = if is_late { State::Warn } else { State::Ok };
    checks.push(Check { hint, ..check("backup", state, message, value) });
}
