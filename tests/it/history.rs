//! The history: how it is summed up, told in a mail, scraped, and what an index of an older version says.

use super::world::World;
use std::fs;
use std::process::{Command, Stdio};

/// A tree with a history: 288 runs of ten days ago as one row, and a failed one that came after.
fn with_folded_runs() -> World {
    let world = World::with(&["a=1", "2019/x=1", "2019/y=2", "2020/z=3"]);
    world.sqlite(
        "INSERT INTO runs (run_id, repository_id, repository, kind, trigger, outcome, started_ms, ended_ms, duration_ms,
                files_scanned, folded, instance)
         SELECT 'folded', 1, 'tree', 'incremental', 'schedule', 'completed', started_ms - 864000000,
                started_ms - 864000000 + 86000000, 2880, 1152, 288, 'h:1:2' FROM runs WHERE number = 1;
         INSERT INTO runs (run_id, repository_id, repository, kind, trigger, outcome, started_ms, duration_ms, error_class,
                error_message, attempt, retry_of, instance)
         SELECT 'again', 1, 'tree', 'incremental', 'retry', 'failed', started_ms - 864000000, 5, 'io', 'I/O error', 2,
                'folded', 'h:1:2' FROM runs WHERE number = 1",
    );
    world
}

#[test]
fn a_folded_row_is_shown_as_what_it_stands_for_and_counted_as_all_of_them() {
    let world = with_folded_runs();
    let said = world.ok(&["history"]);
    assert!(said.out.contains("incremental x288") && said.out.contains("found nothing"), "{said:?}");
    assert!(said.out.contains("failed, attempt 2"), "{said:?}");
    let runs = world.json(&["history", "--kind", "incremental"]);
    assert_eq!(
        (&runs[0]["attempt"], &runs[0]["retry_of"], &runs[0]["folded"]),
        (&2.into(), &"folded".into(), &1.into())
    );
    assert_eq!((&runs[1]["retry_of"], &runs[1]["folded"]), (&serde_json::Value::Null, &288.into()));
    assert!(world.ok(&["history", "2"]).out.contains("288 runs of this day that found nothing"));
    assert!(world.ok(&["history", "3"]).out.contains("tries again  run 2"));
    let stats = &world.json(&["stats", "--since", "30d"])[1];
    assert_eq!((&stats["runs"], &stats["completed"], &stats["failed"]), (&289.into(), &288.into(), &1.into()));
    assert_eq!((&stats["duration_ms"]["p50"], &stats["duration_ms"]["max"]), (&10.into(), &10.into()));
}

#[test]
fn a_run_that_is_gone_breaks_nobody_who_asks_for_what_it_wrote() {
    let world = World::with(&["a=1"]);
    world.put("a=22");
    world.sync(&[]);
    world.let_stamps_age();
    world.sync(&[]);
    world.sqlite("DELETE FROM runs WHERE number < (SELECT max(number) FROM runs)");
    assert!(world.ok(&["why", "tree", "a"]).out.contains("which the history keeps no more"));
    assert_eq!(world.json(&["why", "tree", "a"])[0]["last_change"]["verdict"], "edited");
    assert_eq!(world.json(&["changes"])[0]["run_id"], "");
    for command in [&["files", "tree"][..], &["stats"], &["status"], &["digest"], &["metrics"], &["history"]] {
        world.ok(command);
    }
    assert!(world.exits(1, &["doctor"]).out.contains("in the journal and not in the index"));
    world.exits(1, &["history", "2"]);
    world.put("b=1");
    world.sync(&[]);
    world.assert_in_step();
}

#[test]
fn a_digest_of_a_day_without_news_is_one_line() {
    let world = World::with(&["a=1"]);
    let said = world.ok(&["digest"]);
    assert!(said.out.starts_with("nothing happened since ") && said.out.lines().count() == 1, "{said:?}");
    assert!(said.out.contains("(1 run, 1 repository)"), "{said:?}");
    let objects = world.json(&["digest"]);
    assert_eq!((&objects[0]["runs"]["completed"], &objects[0]["changed_files"]), (&1.into(), &0.into()));
    assert!(World::empty().ok(&["digest"]).out.starts_with("nothing happened since "));
}

#[test]
fn a_digest_tells_what_happened_by_directory_in_80_columns() {
    let world = with_folded_runs();
    fs::create_dir(world.path("archive")).unwrap();
    fs::rename(world.path("2019"), world.path("archive/2019")).unwrap();
    world.put("a=another");
    for number in 0..12 {
        world.put(&format!("a-directory-with-a-long-name-so-that-lines-are-broken/and-another-one-in-it-{number}/new"));
    }
    world.sync(&[]);
    let said = world.ok(&["digest", "--since", "today"]);
    for line in [
        "tree: stale, 16 files, ",
        "  2 runs: 2 completed",
        "  15 changes in 14 directories:",
        "    2019/ -> archive/2019/  2 moved",
        "    ... and 4 more directories",
    ] {
        assert!(said.out.contains(&format!("\n{line}")), "{line:?} in {}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 80) && !said.out.contains('\x1b'), "{}", said.out);
    let object = &world.json(&["digest"])[0];
    assert_eq!((&object["changed_files"], &object["changed_directories"]), (&15.into(), &14.into()));
    assert_eq!(object["changes"][0]["old_path"], "2019");
    assert!(world.ok(&["digest", "--since", "20d"]).out.contains("291 runs"), "folded ones count");
    assert!(world.ok(&["digest", "--since", "20d"]).out.contains("incremental run 3, "));
    world.exits(2, &["digest", "--since", "lately"]);
    world.exits(0, &["changes", "--since", "2026-01-01"]);
}

#[test]
fn a_digest_ends_as_status_check_does() {
    let world = World::with(&["a=1", "b=2"]);
    for name in ["a", "b"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    world.exits(4, &["sync"]);
    let said = world.exits(4, &["digest"]);
    assert!(said.out.contains("watchkeeper held tree"), "{said:?}");
    world.exits(4, &["status", "--check"]);
    let moved = world.temp.path().join("elsewhere");
    fs::rename(&world.tree, &moved).unwrap();
    world.exits(1, &["sync"]);
    let said = world.exits(1, &["digest"]);
    assert!(said.out.contains("  failed:\n    full run 3, "), "{said:?}");
    assert_eq!(world.json(&["digest"])[0]["failed_runs"][0]["error_class"], "mount_missing");
    world.exits(1, &["status", "--check"]);
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let world = with_folded_runs();
    let text = world.ok(&["metrics"]).out;
    for line in [
        "# TYPE watchkeeper_runs_total counter",
        "watchkeeper_runs_total{repository=\"tree\",kind=\"full\",result=\"success\"} 1.0",
        "watchkeeper_history_runs{repository=\"tree\",kind=\"incremental\",outcome=\"completed\"} 288.0",
        "watchkeeper_files{repository=\"tree\"} 4.0",
        "watchkeeper_repository_state{repository=\"tree\",state=\"failed\"} 1.0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    let mut series: Vec<&str> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    series.sort_unstable();
    assert!(series.windows(2).all(|pair| pair[0] != pair[1]), "{text}");
    world.ok(&["repo", "rename", "tree", "wood"]);
    assert!(!world.ok(&["metrics"]).out.contains("\"tree\""));
    assert!(World::empty().ok(&["metrics"]).out.contains("watchkeeper_build_info"));
}

#[test]
fn an_index_of_an_older_version_is_not_half_read() {
    let world = World::with(&["a=1"]);
    fs::remove_file(world.data.join("index.db")).unwrap();
    fs::remove_dir_all(world.data.join("journal")).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/migrations/0001.sql");
    let mut shell = Command::new("sqlite3").arg(world.data.join("index.db")).stdin(Stdio::piped()).spawn().unwrap();
    let script = format!(
        ".read {schema}\nPRAGMA application_id = 2003529842;\nPRAGMA user_version = 1;\nPRAGMA journal_mode = WAL;\n
         INSERT INTO repositories (name, path, settings, created_ms) VALUES ('old', CAST('{}' AS BLOB), '{{}}', 0);\n",
        world.tree.display()
    );
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
    for command in [&["status"][..], &["history"], &["digest"], &["metrics"], &["files", "old"], &["doctor"], &[]] {
        let said = world.exits(1, command);
        let message = format!("{}{}", said.out, said.err);
        assert!(message.contains("older watchkeeper (schema 1") && message.contains("watchkeeper sync"), "{said:?}");
    }
    world.ok(&["sync"]);
    world.ok(&["doctor"]);
    assert_eq!(world.json(&["history"])[0]["repository"], "old");
    world.assert_in_step();
}

#[test]
fn doctor_says_what_share_was_read_lately() {
    let world = World::with(&["a=1", "b=2"]);
    let coverage = || world.json(&["doctor"]).into_iter().find(|check| check["check"] == "coverage").unwrap();
    assert_eq!((&coverage()["value"]["covered_files"], &coverage()["state"]), (&2.into(), &"ok".into()));
    world.sqlite("UPDATE files SET hashed_after_created_ms = -8640000000 WHERE name = x'61'");
    assert_eq!((&coverage()["value"]["covered_files"], &coverage()["state"]), (&1.into(), &"warn".into()));
    world.sync(&["--kind", "verify"]);
    assert_eq!((&coverage()["value"]["covered_files"], &coverage()["state"]), (&2.into(), &"ok".into()));
    world.ok(&["repo", "set", "tree", "verify_every=never"]);
    assert!(coverage()["message"].as_str().unwrap().contains("not read again"));
}
