//! Whether journal and index say the same, what had to be mended, and what lies in quarantine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Check, State, check};
use crate::domain::amount::{bytes, plural};
use crate::domain::moment::Timestamp;
use crate::engine::ledger::journal_failed;
use crate::engine::open_index;
use crate::index::{IndexError, Reader};
use crate::journal::{Difference, Extent, QUARANTINE, Row, compare, compare_repositories, read};

/// What an engine is just writing agrees a moment later.
const LOOKS: usize = 30;
const PAUSE: Duration = Duration::from_millis(100);
/// What was mended is told for so long.
const TOLD_MS: i64 = 7 * 86_400_000;

/// What does not agree: a run, a repository, or the journal with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    pub run_id: Option<String>,
    pub number: Option<i64>,
    pub message: String,
}

/// The journal beside the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// In both, with equal sums.
    pub runs: usize,
    pub segments: usize,
    pub bytes: u64,
    pub last_seq: u64,
    pub disagreements: Vec<Disagreement>,
}

/// Reads all of the journal and compares it with the index. Changes nothing; an engine may run meanwhile.
///
/// # Errors
/// When one of them cannot be read.
pub fn verify_log(directory: &Path) -> Result<Verified, IndexError> {
    let mut verified = look(directory)?;
    for _ in 1..LOOKS {
        if verified.disagreements.is_empty() || !crate::engine::is_running(directory) {
            break;
        }
        std::thread::sleep(PAUSE);
        let again = look(directory)?;
        // What is wrong stays wrong; what was on its way has arrived.
        let stays = |found: &Disagreement| again.disagreements.contains(found);
        let disagreements = verified.disagreements.into_iter().filter(stays).collect();
        verified = Verified { disagreements, ..again };
    }
    Ok(verified)
}

fn look(directory: &Path) -> Result<Verified, IndexError> {
    // The journal first: what is newer in the index is on its way, and no disagreement.
    let reading = read(directory, Extent::All).map_err(journal_failed)?;
    let (rows, definitions) = match open_index(directory) {
        Ok(Some(reader)) => (reader.sealed_runs(None)?, reader.definitions()?),
        // Then all that the journal has is what the index has not.
        Ok(None) | Err(IndexError::Missing(_)) => Default::default(),
        Err(error) => return Err(error),
    };
    let astray = compare_repositories(&reading.book, &definitions);
    let is_newer = |number: i64| reading.segments > 0 && number > reading.book.last_number;
    let rows: BTreeMap<String, Row> =
        rows.into_iter().filter(|(run, _)| !is_newer(run.number)).map(|row| (row.0.run_id.clone(), row)).collect();
    let found = compare(&reading.book, &rows);
    let open = found.iter().filter(|difference| matches!(difference, Difference::Open(_))).count();
    let of_no_run = |message: String| Disagreement { run_id: None, number: None, message };
    let of_journal = reading.faults.iter().map(|fault| of_no_run(format!("the journal: {fault}")));
    let of_repositories = astray.iter().map(|found| of_no_run(found.to_string()));
    let of_runs = found.iter().filter(|difference| !matches!(difference, Difference::Open(_)));
    let disagreements: Vec<Disagreement> = of_journal
        .chain(of_repositories)
        .chain(of_runs.map(|difference| Disagreement {
            run_id: Some(difference.run().run_id.clone()),
            number: Some(difference.run().number),
            message: difference.to_string(),
        }))
        .collect();
    let apart = disagreements.iter().filter(|disagreement| disagreement.run_id.is_some()).count();
    let all = rows.len() + found.iter().filter(|difference| matches!(difference, Difference::OnlyJournal(_))).count();
    Ok(Verified {
        runs: all.saturating_sub(apart + open),
        segments: reading.segments,
        bytes: reading.bytes,
        last_seq: reading.last_seq,
        disagreements,
    })
}

/// Looks the journal over.
pub(super) fn examine(directory: &Path, reader: Option<&Reader>, now: Timestamp, checks: &mut Vec<Check>) {
    match verify_log(directory) {
        Ok(verified) => checks.push(judge(&verified)),
        Err(error) => checks.push(check("journal", State::Fail, error.to_string(), json!(null))),
    }
    let since = Timestamp(now.0.saturating_sub(TOLD_MS));
    // An index that cannot be read has its own check.
    let repairs = reader.and_then(|reader| reader.conflicts(since).ok()).unwrap_or_default();
    if let Some(last) = repairs.first() {
        let count = plural(repairs.len() as u64, "repair", "repairs");
        let message = format!("{count} within a week; the last, {}: {}", last.found_at.local(), last.reason);
        let hint = "index and journal agree again; is the disk, or the memory, well?".to_owned();
        let value = json!({ "repairs": repairs.len(), "last_at": last.found_at.rfc3339(), "run_id": last.run_id });
        checks.push(Check { hint: Some(hint), ..check("repairs", State::Warn, message, value) });
    }
    if crate::engine::restore::is_unfinished(directory) {
        let message = "a restored backup is not in its place yet; what is read here is what was before".to_owned();
        let hint = "`watchkeeper sync`, or the next start of the daemon, goes on with it, and says what is in the way";
        checks.push(Check { hint: Some(hint.to_owned()), ..check("restore", State::Fail, message, json!(null)) });
    }
    let place = directory.join(QUARANTINE);
    let entries = std::fs::read_dir(&place).map_or(0, |entries| entries.flatten().count());
    if entries > 0 {
        let message =
            format!("files that were damaged, or replaced by a restore, were set aside in {}", place.display());
        let hint = "keep them until you know that they are not needed; then remove them".to_owned();
        checks.push(Check { hint: Some(hint), ..check("quarantine", State::Warn, message, json!(entries)) });
    }
}

fn judge(verified: &Verified) -> Check {
    let value = json!({
        "runs": verified.runs,
        "segments": verified.segments,
        "bytes": verified.bytes,
        "last_seq": verified.last_seq,
        "disagreements": verified.disagreements.len(),
    });
    let size = format!("{} in {}", bytes(verified.bytes), plural(verified.segments as u64, "file", "files"));
    match verified.disagreements.first() {
        None => {
            let runs = plural(verified.runs as u64, "run is", "runs are");
            check("journal", State::Ok, format!("{runs} in journal and index with equal sums; {size}"), value)
        }
        Some(first) => {
            let count = plural(verified.disagreements.len() as u64, "disagreement", "disagreements");
            let hint = "`watchkeeper verify-log` names them all; the next start of an engine mends them".to_owned();
            let message = format!("{count} of journal and index: {}", first.message);
            Check { hint: Some(hint), ..check("journal", State::Fail, message, value) }
        }
    }
}
