//! The journal: whichever of journal and index is damaged or gone, the other gives the history back, run by run.

mod faults;
mod strayed;

use super::world::{DEADLINE, World, stop};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

/// A tree with a history of every sort: a full first run, changes, a note, a failure, a retry of nothing.
pub fn with_history() -> World {
    let world = World::with(&["a=1", "b/c=2", "b/d=3"]);
    world.put("a=22");
    world.sync(&["--note", "by hand"]);
    world.put("b/e=4");
    world.sync(&["--kind", "incremental"]);
    fs::rename(&world.tree, world.temp.path().join("away")).unwrap();
    world.wk(&["sync", "--quiet"]);
    fs::rename(world.temp.path().join("away"), &world.tree).unwrap();
    world.sync(&["--kind", "verify"]);
    world
}

pub fn segment(world: &World, number: u32) -> PathBuf {
    world.data.join(format!("journal/{number:06}.jsonl"))
}

pub fn history(world: &World) -> Vec<Value> {
    world.json(&["history"])
}

/// The runs that stood before, in a history that may have got newer ones.
pub fn older(world: &World, before: &[Value]) -> Vec<Value> {
    let all = history(world);
    all[all.len() - before.len()..].to_vec()
}

pub fn remove_index(world: &World) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        drop(fs::remove_file(world.data.join(name)));
    }
}

#[track_caller]
pub fn assert_agrees(world: &World) {
    let said = world.wk(&["verify-log"]);
    assert!(said.code == 0 && said.out.contains("in both with equal sums"), "{said:?}");
}

pub fn quarantined(world: &World) -> Vec<String> {
    let files = walkdir::WalkDir::new(world.data.join("quarantine")).into_iter().flatten();
    let mut names: Vec<String> = files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What `doctor` says of one thing.
pub fn check(world: &World, name: &str) -> Option<Value> {
    world.json(&["doctor"]).into_iter().find(|check| check["check"] == name)
}

#[test]
fn every_run_stands_in_both_and_the_files_are_private() {
    let world = with_history();
    assert_agrees(&world);
    let verified = &world.json(&["verify-log"])[0];
    assert_eq!((&verified["agrees"], &verified["runs"]), (&true.into(), &history(&world).len().into()));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(world.data.join("journal")), mode(segment(&world, 1))), (0o700, 0o600));
    let check = check(&world, "journal").unwrap();
    assert_eq!((&check["state"], &check["value"]["disagreements"]), (&"ok".into(), &0.into()), "{check}");
    // A plan is no run.
    let before = fs::read(segment(&world, 1)).unwrap();
    world.put("f=5");
    world.ok(&["sync", "--plan"]);
    assert_eq!(fs::read(segment(&world, 1)).unwrap(), before);
}

#[test]
fn an_index_that_is_gone_is_made_anew_run_by_run() {
    let world = with_history();
    world.ok(&["repo", "set", "tree", "exclude=*.iso"]);
    let (before, repository) = (history(&world), world.json(&["repo", "show", "tree"])[0].clone());
    let by_kind = world.status()["by_kind"].clone();
    remove_index(&world);
    world.exits(1, &["verify-log"]);
    // Any command that starts an engine mends it; that of the hour is enough to have everything indexed again.
    let run = world.sync(&["--kind", "incremental"]);
    assert_eq!(older(&world, &before), before);
    assert_eq!(run["number"], before[0]["number"].as_i64().unwrap() + 1, "no number is used twice");
    assert_eq!(world.json(&["repo", "show", "tree"])[0]["exclude"], repository["exclude"]);
    assert_eq!(world.status()["by_kind"]["full"]["success_count"], by_kind["full"]["success_count"]);
    world.assert_in_step();
    assert_agrees(&world);
    let repairs = check(&world, "repairs").unwrap();
    assert!(repairs["message"].to_string().contains("made anew from the journal"), "{repairs}");
}

#[test]
fn leftovers_of_a_missing_index_are_set_aside() {
    let world = with_history();
    let before = history(&world);
    remove_index(&world);
    fs::write(world.data.join("index.db-wal"), "left over").unwrap();
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    assert_eq!(quarantined(&world), ["index.db-wal"]);
    assert_eq!(check(&world, "quarantine").unwrap()["state"], "warn");
}

#[test]
fn a_damaged_index_is_set_aside_and_made_anew_or_the_damage_was_harmless() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for round in 0..24 {
        let world = World::with(&["a=1", "b/c=2"]);
        world.sync(&[]);
        let before = history(&world);
        let path = world.data.join("index.db");
        let mut bytes = fs::read(&path).unwrap();
        let at = next(bytes.len());
        match round % 4 {
            0 => bytes[at] ^= 1 << next(8),
            1 => bytes.truncate(at),
            2 => bytes[at / 4096 * 4096..][..4096].fill(0),
            _ => bytes.iter_mut().skip(at).take(500).for_each(|byte| *byte = next(256) as u8),
        }
        fs::write(&path, &bytes).unwrap();
        // As after a kill: a clean stop leaves no WAL.
        fs::write(world.data.join("index.db-wal"), [0; 32]).unwrap();
        let said = world.wk(&["sync", "--quiet"]);
        assert!(!said.err.contains("panicked"), "round {round}: {said:?}");
        // A bit in the mark that says whose file it is: refused, and nothing lost.
        if said.err.contains("not an index of watchkeeper") || said.err.contains("newer watchkeeper") {
            assert_eq!(fs::read(&path).unwrap(), bytes);
            continue;
        }
        world.wk(&["sync", "--quiet"]);
        assert_eq!(older(&world, &before), before, "round {round}, byte {at}: {said:?}");
        world.assert_in_step();
        assert_agrees(&world);
    }
}

#[test]
fn what_is_no_database_and_never_was_ours_is_left_alone() {
    let world = World::empty();
    fs::create_dir(&world.data).unwrap();
    let text = b"notes of somebody else".repeat(100);
    fs::write(world.data.join("index.db"), &text).unwrap();
    let said = world.exits(1, &["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    assert!(said.err.contains("is no database"), "{said:?}");
    assert_eq!(fs::read(world.data.join("index.db")).unwrap(), text);
    assert!(!world.data.join("quarantine").exists());
}

#[test]
fn a_row_that_was_edited_by_hand_is_reported_and_put_right() {
    let world = with_history();
    let before = history(&world);
    world.sqlite("UPDATE runs SET files_added = 7000 WHERE number = 2; DELETE FROM runs WHERE number = 1");
    let said = world.exits(1, &["verify-log"]);
    assert!(said.out.contains("run 2 (") && said.out.contains("is not in the index as the journal has it"), "{said:?}");
    assert!(said.out.contains("run 1 (") && said.out.contains("is in the journal and not in the index"), "{said:?}");
    assert_eq!(check(&world, "journal").unwrap()["state"], "fail");
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    let kept = "SELECT row ->> '$.number', row ->> '$.files_added' FROM run_conflicts WHERE row IS NOT NULL";
    assert_eq!(world.sqlite(kept), "2|7000", "the row as it stood is kept");
    assert_agrees(&world);
}

#[test]
fn an_old_copy_of_the_index_gets_its_history_and_looks_at_everything() {
    let world = World::with(&["a=1", "b/c=2"]);
    world.let_stamps_age();
    let copy = fs::read(world.data.join("index.db")).unwrap();
    world.put("b/new=3");
    world.sync(&[]);
    world.ok(&["repo", "set", "tree", "exclude=*.iso"]);
    world.let_stamps_age();
    let before = history(&world);
    fs::write(world.data.join("index.db"), copy).unwrap();
    // Its directories are as they were then: an ordinary incremental run would pass them over.
    world.sync(&["--kind", "incremental"]);
    assert_eq!(older(&world, &before), before);
    assert_eq!(world.json(&["repo", "show", "tree"])[0]["exclude"], serde_json::json!(["*.iso"]));
    world.assert_in_step();
    assert_agrees(&world);
}

#[test]
fn a_journal_that_is_gone_is_written_anew_from_the_index() {
    let world = with_history();
    let before = history(&world);
    fs::remove_dir_all(world.data.join("journal")).unwrap();
    world.exits(1, &["verify-log"]);
    world.sync(&[]);
    assert_agrees(&world);
    assert!(check(&world, "repairs").unwrap()["message"].to_string().contains("anew from the index"));
    remove_index(&world);
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    assert_agrees(&world);
}

#[test]
fn a_damaged_line_is_named_and_its_run_written_anew_from_the_index() {
    let world = with_history();
    let before = history(&world);
    let mut bytes = fs::read(segment(&world, 1)).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    fs::write(segment(&world, 1), &bytes).unwrap();
    let said = world.exits(1, &["verify-log"]);
    assert!(said.out.contains("of 000001.jsonl is damaged") && said.out.contains("seq"), "{said:?}");
    world.sync(&[]);
    assert_agrees(&world);
    assert!(quarantined(&world).contains(&"000001.jsonl".to_owned()));
    remove_index(&world);
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
}

#[test]
fn a_journal_that_has_lost_its_last_line_is_whole_again_after_one_start() {
    let world = with_history();
    let before = history(&world);
    let text = fs::read_to_string(segment(&world, 1)).unwrap();
    let kept = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(segment(&world, 1), &text[..kept]).unwrap();
    world.sync(&[]);
    assert_agrees(&world);
    let repairs = check(&world, "repairs").unwrap()["message"].to_string();
    assert!(repairs.contains("is missing); it was set aside"), "{repairs}");
    remove_index(&world);
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
}

#[test]
fn a_run_that_was_killed_is_interrupted_in_both() {
    let world = World::with(&["a=1"]);
    let daemon = || world.command(&["daemon"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Stopped between its start and its end, wherever that is, then killed.
    let mut child = daemon();
    let started = std::time::Instant::now();
    while world.sqlite("SELECT count(*) FROM runs") == "1" {
        assert!(started.elapsed() < DEADLINE);
    }
    stop(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    // As if it had been killed between the two: the journal has a start, the index has nothing.
    world.sqlite("UPDATE runs SET outcome = NULL WHERE number = 2");
    let text = fs::read_to_string(segment(&world, 1)).unwrap();
    let start = text.rfind("\"ev\":\"start\"").unwrap();
    let kept = &text[..start + text[start..].find('\n').unwrap() + 1];
    fs::write(segment(&world, 1), kept).unwrap();
    world.sync(&[]);
    let runs = history(&world);
    assert_eq!((&runs[1]["outcome"], &runs[1]["number"]), (&"interrupted".into(), &2.into()), "{runs:?}");
    assert_eq!(world.sqlite("SELECT count(*) FROM runs WHERE outcome IS NULL"), "0");
    assert_agrees(&world);
}

#[test]
fn a_run_whose_end_only_the_journal_has_is_put_into_the_index_once() {
    let world = World::with(&["a=1"]);
    world.sync(&[]);
    let before = history(&world);
    world.sqlite("UPDATE runs SET outcome = NULL, ended_ms = NULL, journal_seq = journal_seq - 1, row_sum = NULL WHERE number = 2");
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    assert!(check(&world, "repairs").is_none(), "a kill is no damage");
    assert_agrees(&world);
}

#[test]
fn an_older_index_without_a_journal_gets_one() {
    let world = with_history();
    let before = history(&world);
    fs::remove_dir_all(world.data.join("journal")).unwrap();
    world.sqlite("UPDATE runs SET journal_seq = NULL, row_sum = NULL");
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    assert!(check(&world, "repairs").is_none());
    assert_agrees(&world);
}

#[test]
fn a_removed_repository_does_not_come_back_with_the_journal() {
    let world = with_history();
    world.ok(&["repo", "remove", "tree", "--yes"]);
    assert_agrees(&world);
    remove_index(&world);
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--name", "other", "--quiet"]);
    let names: Vec<Value> =
        world.json(&["repo", "list"]).into_iter().map(|found| found["repository"].clone()).collect();
    assert_eq!((names, history(&world).len()), (vec!["other".into()], 1));
}
