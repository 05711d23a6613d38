//! Retention in both, and what is found when they are opened again.

use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::domain::repository::Settings;
use crate::domain::run::Kind;
use crate::engine::doctor::verify_log;
use crate::engine::recover;
use crate::index::RunFilter;
use crate::journal::{Extent, read};

const DAY: i64 = 86_400_000;
const NOW: Timestamp = Timestamp(1_795_166_730_123);
const RULES: Retention = Retention {
    keep: Duration::from_secs(90 * 86_400),
    fold_after: Duration::from_secs(7 * 86_400),
    keep_changes: 1_000_000,
};

fn open(directory: &Path) -> (Ledger, bool) {
    let recovered = recover::open(directory, &Config::default(), false, NOW).unwrap();
    (recovered.ledger, recovered.has_gone_back)
}

fn begin(ledger: &Ledger, started_ms: i64) -> RunContext {
    let new = NewRun {
        run_id: ulid::Ulid::generate().to_string(),
        repository: RepositoryId(1),
        name: "a".to_owned(),
        kind: Kind::Incremental,
        trigger: "schedule".to_owned(),
        started_ms,
        instance: "i".to_owned(),
        metadata: None,
        attempt: 1,
        retry_of: None,
        is_plan: false,
        first_line: "begun".to_owned(),
    };
    ledger.open_run(new).unwrap()
}

fn run(ledger: &Ledger, started_ms: i64) -> Run {
    let close = CloseRun {
        outcome: Outcome::Completed,
        ended_ms: started_ms + 10,
        duration_ms: 10,
        error_class: None,
        error_message: None,
        metadata: None,
        vouches_from_ms: None,
    };
    ledger.close_run(&begin(ledger, started_ms), close).unwrap()
}

fn history(directory: &Path) -> Vec<Run> {
    let reader = Reader::open(&directory.join("index.db")).unwrap().unwrap();
    reader.runs(&RunFilter::default()).unwrap()
}

#[track_caller]
fn assert_agrees(directory: &Path) {
    let verified = verify_log(directory).unwrap();
    assert_eq!((verified.disagreements, verified.runs), (vec![], history(directory).len()));
}

/// An index and a journal with a day of runs a hundred, thirty and one days ago each.
fn with_old_runs() -> (tempfile::TempDir, Ledger) {
    let temp = tempfile::tempdir().unwrap();
    let (ledger, _) = open(temp.path());
    ledger.writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
    ledger.note_repositories(NOW).unwrap();
    let noon = |days: i64| Timestamp(NOW.0 - days * DAY).local_midnight().0 + DAY / 2;
    for days in [100, 30, 1] {
        (0..20).for_each(|number| drop(run(&ledger, noon(days) + number)));
    }
    (temp, ledger)
}

#[test]
fn what_retention_folded_and_forgot_stays_so_when_the_index_is_made_anew_or_is_an_old_copy() {
    let (temp, ledger) = with_old_runs();
    drop(ledger);
    let copy = std::fs::read(temp.path().join("index.db")).unwrap();
    let (ledger, _) = open(temp.path());
    while !ledger.retire(RULES, NOW).unwrap() {}
    let before = history(temp.path());
    let folded: Vec<i64> = before.iter().map(|run| run.folded).filter(|folded| *folded > 1).collect();
    assert_eq!((before.len(), folded), (21, vec![20]));
    assert_agrees(temp.path());
    drop(ledger);
    for index in [None, Some(&copy)] {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _gone = std::fs::remove_file(temp.path().join(name));
        }
        if let Some(copy) = index {
            std::fs::write(temp.path().join("index.db"), copy).unwrap();
        }
        let (_ledger, has_gone_back) = open(temp.path());
        assert!(has_gone_back);
        assert_eq!(history(temp.path()), before);
        assert_agrees(temp.path());
    }
}

#[test]
fn a_journal_whose_runs_are_gone_grows_no_more() {
    let (temp, ledger) = with_old_runs();
    let old = NOW.0 - 100 * DAY;
    for _ in 0..2 {
        (0..500).for_each(|number| drop(run(&ledger, old + number)));
        while !ledger.retire(RULES, NOW).unwrap() {}
    }
    let reading = read(temp.path(), Extent::All).unwrap();
    assert!(reading.is_whole() && reading.bytes < 1_000_000, "{} bytes, {:?}", reading.bytes, reading.faults);
    assert!(reading.first_seq > 1, "the first file went");
    assert_agrees(temp.path());
}

#[test]
fn a_row_that_changed_behind_its_back_is_put_right_before_the_run_is_acknowledged() {
    let (temp, ledger) = with_old_runs();
    let context = begin(&ledger, NOW.0);
    let (last, mut record) = ledger.finish(NOW.0);
    let close = CloseRun {
        outcome: Outcome::Partial,
        ended_ms: NOW.0,
        duration_ms: 1,
        error_class: None,
        error_message: None,
        metadata: None,
        vouches_from_ms: None,
    };
    // What the journal was told is not what the index gets.
    let run = ledger.writer.close_run(&context, close, move |run| {
        run.tally.added = 7;
        record(run)
    });
    let run = Run { tally: crate::domain::run::Tally { added: 7, ..run.as_ref().unwrap().tally }, ..run.unwrap() };
    ledger.look_again(&run, &last).unwrap();
    assert_eq!(history(temp.path())[0], run);
    let conflicts = ledger.reader().unwrap().conflicts(Timestamp(0)).unwrap();
    assert_eq!(conflicts.iter().map(|conflict| conflict.run_id.as_ref()).collect::<Vec<_>>(), [Some(&run.run_id)]);
    assert_agrees(temp.path());
}

#[test]
fn a_row_that_was_edited_while_it_ran_is_put_right_by_the_next_pass() {
    let (temp, ledger) = with_old_runs();
    while !ledger.retire(RULES, NOW).unwrap() {}
    let before = history(temp.path());
    let sql = "UPDATE runs SET files_removed = 9, row_sum = NULL; DELETE FROM runs WHERE number = 45";
    let changed = std::process::Command::new("sqlite3").arg(temp.path().join("index.db")).arg(sql).status().unwrap();
    assert!(changed.success() && history(temp.path()) != before);
    while !ledger.retire(RULES, NOW).unwrap() {}
    assert_eq!(history(temp.path()), before);
    assert_agrees(temp.path());
}

#[test]
fn a_number_that_only_the_journal_gave_is_not_given_again() {
    let (temp, ledger) = with_old_runs();
    let next = begin(&ledger, NOW.0).number;
    ledger.writer.forget_runs(&[next]).unwrap();
    // As after a commit that was lost.
    let sql = "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'runs'";
    drop(ledger);
    let changed = std::process::Command::new("sqlite3").arg(temp.path().join("index.db")).arg(sql).status().unwrap();
    assert!(changed.success());
    let (ledger, _) = open(temp.path());
    assert_eq!(begin(&ledger, NOW.0).number, next + 1);
    assert_eq!(history(temp.path())[1].outcome, Some(Outcome::Interrupted));
}
