//! Retention as it acts on generated histories.

use super::*;
use crate::domain::repository::Settings;
use crate::domain::run::{Kind, Tally};
use crate::index::{Reader, RunFilter};

const DAY: i64 = 86_400_000;
/// Noon of some local day, so that no test hangs on the zone that it runs in.
fn noon(days_ago: i64) -> i64 {
    Timestamp(1_795_166_730_123 - days_ago * DAY).local_midnight().0 + DAY / 2
}

const RULES: Retention = Retention {
    keep: Duration::from_secs(90 * 86_400),
    fold_after: Duration::from_secs(7 * 86_400),
    keep_changes: 1_000_000,
};

struct World {
    _temp: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 100).unwrap();
        writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let reader = Reader::open(&path).unwrap().unwrap();
        let world = World { _temp: temp, writer, reader };
        world.sql(
            "INSERT INTO sync_status (repository_id, kind, created_ms, updated_ms)
                   VALUES (1, 'full', 0, 0), (1, 'incremental', 0, 0), (1, 'realtime', 0, 0)",
        );
        world
    }

    fn sql(&self, sql: &str) {
        let sql = sql.to_owned();
        self.writer.call(move |db| db.write(|db| Ok(db.execute_batch(&sql)?))).unwrap();
    }

    fn count(&self, sql: &str) -> i64 {
        self.reader.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// A run that ended well; `more` are columns that differ.
    fn run(&self, kind: &str, started_ms: i64, more: &str) {
        self.sql(&format!(
            "INSERT INTO runs (run_id, repository_id, repository, kind, trigger, outcome, started_ms, ended_ms, duration_ms,
                    directories_listed, files_scanned, bytes_hashed, instance)
             VALUES (hex(randomblob(13)), 1, 'a', '{kind}', 'schedule', 'completed', {started_ms}, {started_ms} + 100,
                    100, 3, 5, 7, 'x');
             INSERT INTO run_log (run, at_ms, message) VALUES (last_insert_rowid(), 0, 'begun');
             {}",
            if more.is_empty() { String::new() } else { format!("UPDATE runs SET {more} WHERE number = (SELECT max(number) FROM runs);") }
        ));
    }

    fn retire(&self, rules: Retention) {
        for _ in 0..10_000 {
            if self.writer.retire(rules, Timestamp(noon(0)), |_, _| Ok(None)).unwrap() {
                return;
            }
        }
        panic!("a pass never ends");
    }

    /// Kind, days ago, folded; the newest first.
    fn rows(&self) -> Vec<(Kind, i64, i64)> {
        let runs = self.reader.runs(&RunFilter::default()).unwrap();
        runs.iter().map(|run| (run.kind, (noon(0) - run.started_at.0 + DAY / 2) / DAY, run.folded)).collect()
    }
}

use Kind::{Full, Incremental};

#[test]
fn old_runs_go_with_their_log_and_changes_and_the_newest_of_each_kind_stays() {
    let world = World::new();
    world.run("full", noon(200), "");
    world.run("full", noon(150), "files_added = 3");
    world.run("incremental", noon(100), "outcome = 'failed'");
    world.run("incremental", noon(89), "files_added = 1");
    world.sql("INSERT INTO changes (repository_id, run, at_ms, verdict, path) SELECT 1, number, started_ms, 'added', x'61' FROM runs");
    world.retire(RULES);
    assert_eq!(world.rows(), [(Incremental, 89, 1), (Full, 150, 1)]);
    assert_eq!((world.count("SELECT count(*) FROM changes"), world.count("SELECT count(*) FROM run_log")), (2, 2));
}

#[test]
fn a_run_that_something_refers_to_stays_and_so_does_one_that_is_going_on() {
    let world = World::new();
    for _ in 0..4 {
        world.run("full", noon(200), "");
    }
    world.run("full", noon(190), "outcome = NULL");
    world.run("full", noon(190), "outcome = 'failed'");
    world.sql(
        "UPDATE repositories SET seen_generation = 2;
               INSERT INTO held (repository_id, directory_id, path, files, bytes, reason, since_ms, run)
               VALUES (1, 1, x'61', 1, 1, 'mass_removal', 0, 3)",
    );
    world.retire(RULES);
    let numbers: Vec<i64> = world.reader.runs(&RunFilter::default()).unwrap().iter().map(|run| run.number).collect();
    assert_eq!(numbers, [6, 5, 3, 2]);
}

#[test]
fn runs_that_found_nothing_become_one_row_a_day_and_kind_and_no_sum_changes() {
    let world = World::new();
    for days_ago in [6, 7, 8, 9, 40] {
        for minute in 0..20 {
            world.run("incremental", noon(days_ago) + minute * 60_000, "");
            world.run(
                "realtime",
                noon(days_ago) + minute * 60_000,
                if minute % 2 == 0 { "" } else { "files_updated = 1" },
            );
        }
        world.run("incremental", noon(days_ago), "outcome = 'failed', error_class = 'io'");
    }
    let stats = || world.reader.stats(None, Timestamp(0)).unwrap();
    let before = stats();
    world.retire(RULES);
    let folded: Vec<_> = world.rows().into_iter().filter(|(_, _, folded)| *folded > 1).collect();
    assert_eq!(folded.len(), 6, "{folded:?}");
    assert!(folded.iter().all(|(kind, days, runs)| *days >= 8 && *runs == if *kind == Incremental { 20 } else { 10 }));
    assert_eq!(stats(), before);
    let runs = world.reader.runs(&RunFilter { kind: Some(Incremental), ..RunFilter::default() }).unwrap();
    let run = runs.iter().filter(|run| run.folded > 1).min_by_key(|run| run.started_at).unwrap();
    assert_eq!((run.started_at.0, run.ended_at.unwrap().0), (noon(40), noon(40) + 19 * 60_000 + 100));
    assert_eq!((run.duration_ms, run.folded), (Some(2_000), 20));
    assert_eq!(run.tally, Tally { scanned: 100, bytes_hashed: 140, directories: 60, ..Tally::default() });
    let rows = world.rows();
    world.retire(RULES);
    assert_eq!(world.rows(), rows, "a second pass finds nothing to do");
}

#[test]
fn what_is_worth_a_look_is_not_folded() {
    let world = World::new();
    for more in [
        "files_added = 1",
        "files_damaged = 1",
        "problems = 1",
        "outcome = 'partial'",
        "outcome = 'held'",
        "attempt = 2",
        "metadata = '{\"note\": \"before the move\"}'",
        "error_message = 'restored'",
        "",
        "",
    ] {
        world.run("incremental", noon(20), more);
    }
    // A restored file counts nowhere but is a change.
    world.sql(
        "INSERT INTO changes (repository_id, run, at_ms, verdict, path)
               SELECT 1, number, 0, 'restored', x'61' FROM runs WHERE error_message = 'restored'",
    );
    world.run("full", noon(20), "");
    world.run("full", noon(20), "");
    world.retire(RULES);
    assert_eq!(world.rows().len(), 12, "one could be folded, and is the newest of its kind");
    world.run("incremental", noon(1), "");
    world.retire(RULES);
    let rows = world.rows();
    assert_eq!((rows.len(), rows.iter().filter(|(_, _, folded)| *folded == 2).count()), (12, 1));
}

#[test]
fn a_day_is_folded_further_when_more_of_it_can_be() {
    let world = World::new();
    for _ in 0..1_203 {
        world.run("realtime", noon(20), "trigger = 'watch', metadata = '{\"note\": null, \"cpu_ms\": 1}'");
    }
    world.run("realtime", noon(20), "trigger = 'overflow schedule'");
    world.run("realtime", noon(0), "");
    world.retire(RULES);
    let runs = world.reader.runs(&RunFilter::default()).unwrap();
    let found: Vec<_> = runs.iter().map(|run| (run.folded, run.trigger.as_str(), run.metadata.as_deref())).collect();
    assert_eq!(found, [(1, "schedule", None), (1_204, "watch overflow schedule", None)]);
    assert_eq!(world.count("SELECT count(*) FROM run_log"), 1);
}

#[test]
fn changes_beyond_the_limit_go_the_oldest_first_and_per_repository() {
    let world = World::new();
    world.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
               INSERT INTO changes (repository_id, run, at_ms, verdict, path) SELECT 1, 1, i, 'added', x'61' FROM n;
               INSERT INTO changes (repository_id, run, at_ms, verdict, path) VALUES (2, 1, 0, 'added', x'61')",
    );
    world.retire(Retention { keep_changes: 100, ..RULES });
    assert_eq!(world.count("SELECT count(*) FROM changes WHERE repository_id = 1"), 100);
    assert_eq!(world.count("SELECT min(at_ms) FROM changes WHERE repository_id = 1"), 1_201);
    assert_eq!(world.count("SELECT count(*) FROM changes WHERE repository_id = 2"), 1);
}

#[test]
fn closed_problems_and_half_hashed_files_are_forgotten_and_open_ones_are_not() {
    let world = World::new();
    world.sql(&format!(
        "INSERT INTO problems (repository_id, path, class, message, first_seen_ms, last_seen_ms, last_run, closed_ms)
         VALUES (1, x'61', 'io', '', 0, 0, 1, {}), (1, x'62', 'io', '', 0, 0, 1, {}), (1, x'63', 'io', '', 0, 0, 1, NULL);
         INSERT INTO hash_states VALUES (1, 1, 1, 1, 1, 1, x'', {}), (1, 2, 1, 1, 1, 1, x'', {})",
        noon(91),
        noon(89),
        noon(31),
        noon(29)
    ));
    world.retire(RULES);
    assert_eq!(world.count("SELECT count(*) FROM problems"), 2);
    assert_eq!(world.count("SELECT min(inode) FROM hash_states"), 2);
}

#[test]
fn each_step_of_a_long_history_writes_few_rows() {
    let world = World::new();
    // One every minute for 70 days before today, the last week of it untouched, and as much again that has expired.
    world.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
         INSERT INTO runs (run_id, repository_id, repository, kind, trigger, outcome, started_ms, ended_ms, duration_ms, instance)
         SELECT 'r' || i, 1, 'a', 'realtime', 'watch', 'completed', {} + i * 120000, 0, i % 7, 'x' FROM n;
         INSERT INTO run_log (run, at_ms, message) SELECT number, 0, 'x' FROM runs;
         INSERT INTO run_log (run, at_ms, message) SELECT number, 0, 'y' FROM runs",
        noon(138)
    ));
    let kept = world.count(&format!("SELECT count(*) FROM runs WHERE started_ms >= {}", noon(90)));
    let written =
        || world.writer.call(|db| Ok(db.connection.query_row("SELECT total_changes()", [], |row| row.get(0))?));
    let mut last: i64 = written().unwrap();
    let mut most = 0;
    while !world.writer.retire(RULES, Timestamp(noon(0)), |_, _| Ok(None)).unwrap() {
        let now = written().unwrap();
        most = most.max(now - last);
        last = now;
    }
    assert!((1..=ROWS).contains(&most), "{most} rows in one step");
    assert_eq!(world.count("SELECT sum(folded) FROM runs"), kept);
    let days =
        world.count(&format!("SELECT count(*) FROM runs WHERE started_ms < {}", Timestamp(noon(7)).local_midnight().0));
    assert!((83..=84).contains(&days), "{days} rows for 90 days without the last seven");
}

#[test]
fn a_step_finds_its_rows_by_an_index() {
    let world = World::new();
    for sql in [
        format!(
            "SELECT r.number FROM runs r WHERE r.started_ms < 5 AND r.outcome IS NOT NULL AND NOT {IS_PINNED} ORDER BY r.started_ms LIMIT 500"
        ),
        "SELECT id FROM problems WHERE closed_ms < 5".to_owned(),
        "SELECT id FROM changes WHERE repository_id = 1 ORDER BY at_ms, id LIMIT 500".to_owned(),
        "SELECT count(*) FROM changes c WHERE c.repository_id = 1".to_owned(),
    ] {
        let mut statement = world.reader.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        let is_good = |line: &String| {
            line != "SCAN r"
                && !line.starts_with("SCAN r ")
                && !line.contains("SCAN changes")
                && !line.contains("SCAN h")
                && !line.contains("TEMP B-TREE")
        };
        assert!(plan.iter().all(is_good), "{sql}: {plan:?}");
    }
}

#[test]
fn a_plan_is_not_disturbed() {
    let world = World::new();
    world.run("full", noon(200), "");
    world.run("full", noon(1), "");
    world.writer.call(|db| db.begin_plan()).unwrap();
    assert!(!world.writer.retire(RULES, Timestamp(noon(0)), |_, _| Ok(None)).unwrap());
    world.writer.call(|db| db.end_plan()).unwrap();
    assert_eq!(world.rows().len(), 2);
    world.retire(RULES);
    assert_eq!(world.rows().len(), 1);
}
