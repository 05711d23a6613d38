//! Killed, or told of an error, at every single call that writes: what was acknowledged is there, what was cut off is said to
//! be.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::super::resident::can;
use super::super::world::{BINARY, World, said, text};

/// Calls by which something reaches the disk.
const CALLS: [&str; 6] = ["pwrite64", "write", "fdatasync", "ftruncate", "unlink", "openat"];
/// A sync of a few files makes fewer of each on one thread.
const MOST: usize = 400;
/// From so many on, every third will do.
const EVERY_ONE: usize = 20;

/// Runs a sync that is killed at the `nth` of these calls of a thread; returns whether it came to its end before.
fn ends_before(world: &World, call: &str, nth: usize) -> bool {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={nth}"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", &trace, "-e", &inject, BINARY, "--data-dir"]);
    strace.arg(&world.data).args(["sync", "--quiet"]).env("HOME", world.temp.path());
    let said = said(&mut strace);
    assert!(said.code == 0 || said.code == -1, "{call} {nth}: {said:?}");
    said.code == 0
}

#[test]
fn killed_at_any_call_that_writes_nothing_acknowledged_is_lost() {
    if !can("killed_at_any_call_that_writes", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::empty();
    (0..30).for_each(|number| world.put(&format!("d{}/f{number}={number}", number % 4)));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let mut acknowledged = BTreeSet::new();
    let mut kills = 0;
    for call in CALLS {
        let mut nth = 1;
        loop {
            world.put(&format!("d1/f1={call} {nth}"));
            world.put(&format!("new/{call}{nth}"));
            drop(fs::remove_file(world.path(&format!("new/{call}{}", nth - 1))));
            if ends_before(&world, call, nth) {
                break;
            }
            kills += 1;
            let run = world.sync(&[]);
            assert_eq!(run["outcome"], "completed", "{call} {nth}");
            acknowledged.insert(text(&run["run_id"]).unwrap());
            let sound =
                "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT count(*) FROM runs WHERE outcome IS NULL";
            assert_eq!(world.sqlite(sound), "ok\n0", "{call} {nth}");
            nth += if nth < EVERY_ONE { 1 } else { 3 };
            assert!(nth < MOST, "{call} has no end");
        }
        world.sync(&[]);
        world.assert_in_step();
    }
    let history = world.json(&["history", "-n", "10000"]);
    let kept: BTreeSet<String> = history.iter().filter_map(|run| text(&run["run_id"])).collect();
    assert_eq!(acknowledged.difference(&kept).count(), 0);
    let interrupted = history.iter().filter(|run| run["outcome"] == "interrupted").count();
    assert!(kills > 30 && interrupted > 0 && interrupted <= kills, "{interrupted} of {kills}");
}

/// What a call may fail with, on our own files.
const FAILURES: [(&str, &str); 8] = [
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("write", "EIO"),
    ("write", "ENOSPC"),
    ("fdatasync", "EIO"),
    ("ftruncate", "EIO"),
    ("unlink", "EIO"),
    ("openat", "EMFILE"),
];

/// Runs a sync of which the `nth` of these calls on our own files fails.
fn sync_with(world: &World, (call, error): (&str, &str), nth: usize) -> super::super::world::Said {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null"]);
    let ours = walkdir::WalkDir::new(&world.data).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let named = ["index.db-wal", "index.db-shm"].map(|name| world.data.join(name));
    for path in ours.map(walkdir::DirEntry::into_path).chain(named) {
        strace.arg("-P").arg(path);
    }
    strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={nth}"), BINARY]);
    strace.arg("--data-dir").arg(&world.data).args(["sync", "--quiet", "--json"]).env("HOME", world.temp.path());
    said(&mut strace)
}

#[test]
fn whatever_call_on_our_files_fails_nothing_acknowledged_is_lost_and_the_next_sync_mends_it() {
    if !can("whatever_call_on_our_files_fails", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    // By default only the first few; all of them take some minutes.
    let most: usize = std::env::var("SWEEP").map_or(6, |most| most.parse().unwrap());
    let world = World::empty();
    (0..30).for_each(|number| world.put(&format!("d{}/f{number}={number}", number % 4)));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let (mut acknowledged, mut failed) = (BTreeSet::new(), 0);
    for (call, error) in FAILURES {
        for nth in 1..=most {
            world.put(&format!("d1/f1={call} {error} {nth}"));
            let said = sync_with(&world, (call, error), nth);
            super::assert_no_panic(&said);
            assert!(said.code == 0 || said.code == 1 && !said.err.is_empty(), "{call} {error} {nth}: {said:?}");
            failed += usize::from(said.code == 1);
            let run = world.sync(&[]);
            assert_eq!(run["outcome"], "completed", "{call} {error} {nth}: {said:?}");
            let first = said.out.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let told = first.filter(|_| said.code == 0).and_then(|run| text(&run["run_id"]));
            acknowledged.extend([told, text(&run["run_id"])].into_iter().flatten());
            let sound = "PRAGMA integrity_check; SELECT count(*) FROM runs WHERE outcome IS NULL";
            assert_eq!(world.sqlite(sound), "ok\n0", "{call} {error} {nth}");
        }
        world.assert_in_step();
        super::super::journal::assert_agrees(&world);
    }
    let history = world.json(&["history", "-n", "10000"]);
    let kept: BTreeSet<String> = history.iter().filter_map(|run| text(&run["run_id"])).collect();
    assert_eq!(acknowledged.difference(&kept).count(), 0);
    assert!(failed > 5, "only {failed} failed");
}
