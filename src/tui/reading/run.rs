//! Reads all of one run: its log and problems, what it changed, the runs that it is linked with.

use super::super::attached;
use super::super::event::RunRows;
use super::LOG_LINES;
use crate::domain::report::Run;
use crate::domain::repository::RepositoryId;
use crate::index::{IndexError, Reader};

/// How many changes of a run are at hand; all of them are for `watchkeeper changes`.
const CHANGES: u64 = 200;
/// How many attempts before a run are named.
const ATTEMPTS: usize = 5;

/// Reads the run of a number.
pub fn read(reader: &Reader, repository: RepositoryId, number: i64) -> Result<RunRows, IndexError> {
    let run = reader.run(&number.to_string())?;
    let causes = match run.tally.problems {
        0 => Vec::new(),
        _ => reader.causes_met_last_by(repository, number)?,
    };
    let mut log = reader.run_log(number)?;
    log.drain(..log.len().saturating_sub(LOG_LINES));
    let changes = reader.changes_of_run(number, 0, CHANGES)?.into_iter().map(|(_, change)| change).collect();
    let before = attempts(reader, &run)?;
    // What it goes on with may be too old to be kept.
    let continues = attached::of(&run).continues.and_then(|id| reader.run(&id).ok());
    Ok(RunRows { verdicts: reader.changes_by_verdict(number)?, changes, attempts: before, continues, causes, log, run })
}

/// Returns the runs that this one tries again, the newest first, as far as they are kept.
fn attempts(reader: &Reader, run: &Run) -> Result<Vec<Run>, IndexError> {
    let mut before: Vec<Run> = Vec::new();
    let mut next = run.retry_of.clone();
    while let Some(id) = next.filter(|_| before.len() < ATTEMPTS) {
        let found = match reader.run(&id) {
            Ok(found) => found,
            Err(IndexError::Invalid(_)) => break,
            Err(error) => return Err(error),
        };
        next = found.retry_of.clone();
        before.push(found);
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::repository::Settings;
    use crate::domain::run::Kind;
    use crate::index::{NewRun, Writer, unsealed};

    #[test]
    fn a_run_comes_with_those_that_it_tries_again_and_the_one_that_it_goes_on_with() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        let repository = writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let open = |run_id: &str, retry_of: Option<&str>, metadata: Option<&str>| {
            let run = NewRun {
                run_id: run_id.to_owned(),
                repository,
                name: "a".to_owned(),
                kind: Kind::Verify,
                trigger: "retry".to_owned(),
                started_ms: 1,
                instance: String::new(),
                metadata: metadata.map(str::to_owned),
                attempt: 1,
                retry_of: retry_of.map(str::to_owned),
                is_plan: false,
                first_line: "begun".to_owned(),
            };
            writer.open_run(run, unsealed).unwrap().number
        };
        // The first of all is too old to be kept.
        open("01A", Some("00Z"), None);
        open("01B", Some("01A"), None);
        let last = open("01C", Some("01B"), Some(r#"{"continues":"01A"}"#));
        let rows = read(&Reader::open(&path).unwrap().unwrap(), repository, last).unwrap();
        let before: Vec<&str> = rows.attempts.iter().map(|run| run.run_id.as_str()).collect();
        assert_eq!((before, rows.log.len(), rows.changes.len()), (vec!["01B", "01A"], 1, 0));
        assert_eq!(rows.continues.map(|run| run.run_id), Some("01A".to_owned()));
    }
}
