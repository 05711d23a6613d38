//! Whether every file's content is read again in time, and whether the verifies that ran can keep that up.

use std::time::Duration;

use serde_json::json;

use super::{Check, State, check};
use crate::config::{Config, Hash};
use crate::domain::amount::{bytes, plural};
use crate::domain::moment::Timestamp;
use crate::domain::report::Coverage;
use crate::domain::run::Kind;
use crate::index::{IndexError, Reader, RunFilter};

const DAY_MS: f64 = 86_400_000.0;
/// Enough to see the pace; of a repository that is verified every hour, four days.
const RUNS: u64 = 100;
/// A file that is read a little late is no fault of the budget.
const NEARLY_ALL: f64 = 0.95;

/// Looks at each repository.
pub(super) fn look(
    reader: &Reader,
    config: &Config,
    now: Timestamp,
    checks: &mut Vec<Check>,
) -> Result<(), IndexError> {
    let kept = reader.settings()?;
    for repository in reader.repositories()? {
        let own = repository.settings.overrides.iter();
        let overrides: Vec<_> = kept.iter().filter(|(key, _)| key.starts_with("sync.")).chain(own).cloned().collect();
        // What was kept is checked when it is set, and again when an engine starts.
        let sync = config.with_overrides(&overrides).unwrap_or_else(|_| config.clone()).sync;
        let name = &repository.name;
        let Some(every) = sync.verify_every.filter(|_| sync.hash != Hash::None) else {
            let why = if sync.hash == Hash::None { "hash = \"none\"" } else { "verify_every = \"never\"" };
            let message = format!("{name}: content is not read again ({why})");
            checks.push(check("coverage", State::Ok, message, json!({ "repository": name })));
            continue;
        };
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(now.0.saturating_sub(every_ms));
        let coverage = reader.coverage(repository.id, since)?;
        let runs = reader.runs(&RunFilter {
            repository: Some(repository.id),
            kind: Some(Kind::Verify),
            since: Some(since),
            limit: Some(RUNS),
            ..RunFilter::default()
        })?;
        let runs: Vec<_> = runs.iter().map(|run| (run.started_at, run.folded, run.tally.bytes_hashed)).collect();
        checks.push(judge(name, coverage, every, pace(&runs, now)));
    }
    Ok(())
}

/// What the verifies since some moment tell of their pace.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    None,
    /// One, which is too few to tell.
    One,
    BytesPerDay(f64),
}

/// Reads the pace from verifies, (start, how many, bytes read) each: all they read, from the start of the first until now.
fn pace(runs: &[(Timestamp, i64, i64)], now: Timestamp) -> Pace {
    let Some(first) = runs.iter().map(|(started, ..)| *started).min() else { return Pace::None };
    let days = now.since_ms(first) as f64 / DAY_MS;
    if days <= 0.0 || runs.iter().map(|(_, verifies, _)| verifies).sum::<i64>() < 2 {
        return Pace::One;
    }
    Pace::BytesPerDay(runs.iter().map(|(.., read)| read).sum::<i64>() as f64 / days)
}

fn judge(name: &str, coverage: Coverage, every: Duration, pace: Pace) -> Check {
    let days = every.as_secs_f64() * 1000.0 / DAY_MS;
    let share = match coverage.files {
        0 => 1.0,
        files => coverage.covered_files as f64 / files as f64,
    };
    let within = plural(days.round().max(1.0) as u64, "day", "days");
    // Rounded down: a hundred is all of them.
    let mut message = format!("{name}: {:.0} % of the files were read within {within}", (share * 100.0).floor());
    let mut state = State::Ok;
    let mut hint = None;
    match pace {
        _ if share >= NEARLY_ALL => {}
        Pace::BytesPerDay(pace) if pace * days < coverage.bytes as f64 => {
            state = State::Warn;
            let takes = (coverage.bytes as f64 / pace.max(1.0)).ceil();
            let takes = if takes < 36_500.0 { format!("takes {takes:.0} days") } else { "never ends".to_owned() };
            let (read, all) = (bytes(pace as u64), bytes(coverage.bytes.unsigned_abs()));
            message += &format!("; verifies read {read} a day, so reading all {all} {takes}");
            hint = Some("raise sync.verify_max_time or sync.verify_max_bytes, or verify more often".to_owned());
        }
        Pace::BytesPerDay(_) => {}
        Pace::One => message += "; one verify is too few to tell whether the rest will be read in time",
        Pace::None => {
            state = State::Warn;
            message += "; no verify ran in this time";
            hint = Some(format!("run one: watchkeeper sync {name} --kind verify"));
        }
    }
    let value = json!({
        "repository": name,
        "files": coverage.files,
        "covered_files": coverage.covered_files,
        "bytes": coverage.bytes,
        "covered_bytes": coverage.covered_bytes,
        "oldest_read_at": coverage.oldest.map(Timestamp::rfc3339),
        "bytes_per_day": match pace { Pace::BytesPerDay(pace) => Some(pace as u64), _ => None },
    });
    Check { hint, ..check("coverage", state, message, value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: i64 = 1_000_000_000;

    /// A repository of 100 files and 100 GB, of which so many files were read within 30 days.
    fn verdict(covered_files: i64, pace: Pace) -> (State, String) {
        let coverage = Coverage { files: 100, covered_files, bytes: 100 * GB, ..Coverage::default() };
        let check = judge("a", coverage, Duration::from_secs(30 * 86_400), pace);
        (check.state, check.message)
    }

    #[test]
    fn a_budget_that_cannot_keep_up_is_said_and_one_that_can_is_not() {
        let (state, message) = verdict(40, Pace::BytesPerDay(1.0 * GB as f64));
        assert!(
            state == State::Warn
                && message.ends_with("verifies read 1.0 GB a day, so reading all 100 GB takes 100 days"),
            "{message}"
        );
        assert!(verdict(40, Pace::BytesPerDay(4.0 * GB as f64)).0 == State::Ok);
        assert!(verdict(40, Pace::BytesPerDay(0.0)).1.ends_with("never ends"));
        assert!(verdict(100, Pace::BytesPerDay(0.0)).0 == State::Ok, "all was read when it was new");
        assert!(verdict(40, Pace::One).0 == State::Ok && verdict(40, Pace::None).0 == State::Warn);
        assert_eq!(verdict(99, Pace::None).1, "a: 99 % of the files were read within 30 days");
    }

    #[test]
    fn the_pace_is_all_that_was_read_since_the_first_verify() {
        let day = |days: i64| Timestamp(days * 86_400_000);
        assert_eq!(pace(&[], day(9)), Pace::None);
        assert_eq!(pace(&[(day(1), 1, 5)], day(9)), Pace::One);
        assert_eq!(pace(&[(day(3), 1, 30), (day(1), 1, 50)], day(9)), Pace::BytesPerDay(10.0));
        assert_eq!(pace(&[(day(1), 8, 80)], day(9)), Pace::BytesPerDay(10.0), "a folded row is many runs");
    }
}
