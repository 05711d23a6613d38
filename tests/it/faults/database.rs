//! The database in other hands: locked by another program, of a newer version, or no database at all.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::super::engine::Daemon;
use super::super::journal::{assert_agrees, history, quarantined};
use super::super::resident::QUICK;
use super::super::world::World;
use super::{assert_no_panic, sums};

/// A `sqlite3` in the middle of something; gone when dropped, as by `kill -9`.
pub struct Foreign(Child);

impl Foreign {
    /// Starts it, and waits until it has done this.
    pub fn that_did(world: &World, sql: &str) -> Foreign {
        let mut command = Command::new("sqlite3");
        command
            .args(["-bail", "-cmd", ".timeout 60000"])
            .arg(world.data.join("index.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{sql}; SELECT 'done';").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "done"), "{sql}");
        Foreign(child)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_foreign_write_lock_is_waited_for_and_no_change_is_lost() {
    let world = World::empty();
    // More tries than the lock lasts.
    world.config(&format!("[retry]\nattempts = 100\ndelay = \"50ms\"\n{QUICK}"));
    (0..50).for_each(|number| world.put(&format!("d{}/f{number}", number % 5)));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let runs = world.sqlite("SELECT count(*) FROM runs");
    let foreign = Foreign::that_did(&world, "BEGIN IMMEDIATE");
    world.put("new/file=1");
    fs::remove_file(world.path("d0/f0")).unwrap();
    world.put("d1/f1=edited while nobody could write it down");
    let says = |log: &String| log.contains("another program holds the index open for writing; close it (");
    world.wait("the log says who is in the way", || daemon.log(), says);
    let doctor = world.wk(&["doctor"]).out;
    let holder = format!("sqlite3 (process {}) has the index open for writing", foreign.0.id());
    assert!(doctor.contains(&holder), "{doctor}");
    // It answers, and promises nothing that is not so.
    assert_ne!(world.status()["state"], "in_sync");
    assert_eq!(world.sqlite("SELECT count(*) FROM runs"), runs);
    world.put("later=2");
    drop(foreign);
    world.wait_in_step();
    world.wait_for_state("tree", "in_sync");
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
    let log = daemon.stop();
    assert!(!log.contains("panicked") && !log.contains("this is a bug"), "{log}");
}

#[test]
fn a_command_that_meets_a_foreign_write_lock_says_so_and_loses_nothing() {
    let world = World::with(&["a=1"]);
    let foreign = Foreign::that_did(&world, "BEGIN IMMEDIATE");
    world.put("b=2");
    let said = world.exits(1, &["sync"]);
    assert!(said.err.contains("locked") && said.err.contains("close it"), "{said:?}");
    assert_no_panic(&said);
    world.ok(&["files", "tree"]);
    drop(foreign);
    world.ok(&["sync"]);
    world.assert_in_step();
}

#[test]
fn a_newer_database_is_refused_and_not_a_byte_of_it_or_its_wal_changes() {
    let world = World::with(&["a=1"]);
    // Killed before it could move its WAL into the database: the newer version stands in the WAL alone.
    drop(Foreign::that_did(&world, "PRAGMA wal_autocheckpoint=0; PRAGMA user_version=99; CREATE TABLE newer(x)"));
    let wal = fs::read(world.data.join("index.db-wal")).unwrap();
    assert!(!wal.is_empty());
    let all: [&[&str]; 5] = [&["sync"], &["daemon"], &["status"], &["files", "tree"], &["history"]];
    for _ in 0..2 {
        let before = sums(&world);
        for command in all {
            let said = world.exits(1, command);
            assert!(said.err.contains("newer watchkeeper") || said.out.contains("newer watchkeeper"), "{said:?}");
            assert_no_panic(&said);
            assert_eq!(sums(&world), before, "{command:?}");
        }
        // And once more when it has reached the database itself.
        world.sqlite("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

#[test]
fn what_is_no_database_is_refused_and_stays_as_it_is() {
    let world = World::empty();
    fs::create_dir(&world.data).unwrap();
    let index = world.data.join("index.db");
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    for case in 0..40 {
        let length = 1 + next() % if case % 2 == 0 { 600 } else { 20_000 };
        let mut bytes: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if case % 4 == 1 {
            // As a database begins, with pages of a size that can be.
            let head: &[u8] = b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20";
            bytes.splice(0..head.len().min(bytes.len()), head.iter().copied());
        }
        fs::write(&index, &bytes).unwrap();
        for command in [["status"], ["sync"]] {
            let said = world.exits(1, &command);
            assert!(said.err.contains("index"), "case {case}: {said:?}");
            assert_no_panic(&said);
            assert_eq!(fs::read(&index).unwrap(), bytes, "case {case}, {command:?}");
        }
        assert!(!world.data.join("index.db-wal").exists(), "case {case}");
    }
    fs::remove_file(&index).unwrap();
    // A directory, and a link to somebody's database.
    fs::create_dir(&index).unwrap();
    world.exits(1, &["sync"]);
    fs::remove_dir(&index).unwrap();
    let other = world.temp.path().join("other.db");
    let made = Command::new("sqlite3").arg(&other).arg("CREATE TABLE theirs(x)").status().unwrap();
    assert!(made.success());
    let before = fs::read(&other).unwrap();
    std::os::unix::fs::symlink(&other, &index).unwrap();
    world.exits(1, &["sync"]);
    assert_eq!(fs::read(&other).unwrap(), before);
    assert!(fs::symlink_metadata(&index).unwrap().is_symlink());
}

#[test]
fn a_stop_in_the_middle_of_a_run_leaves_no_wal_and_no_run_without_an_end() {
    let world = World::with(&["a=1"]);
    fs::File::create(world.path("large")).unwrap().set_len(4 << 40).unwrap();
    let daemon = Daemon::ready(&world);
    world.wait_for_sql("SELECT count(*) FROM runs WHERE outcome IS NULL", "1");
    daemon.stop();
    let wal = fs::metadata(world.data.join("index.db-wal")).map_or(0, |found| found.len());
    assert_eq!(wal, 0);
    assert_eq!(world.sqlite("SELECT outcome FROM runs ORDER BY number DESC LIMIT 1"), "cancelled");
}

#[test]
fn an_index_that_is_taken_away_under_a_daemon_is_opened_anew_with_every_run() {
    let ways = [
        ("rm index.db", true),
        ("rm index.db index.db-wal index.db-shm", false),
        ("rm index.db-wal", true),
        ("sqlite3 ../old.db .dump > /dev/null; cp ../old.db new; chmod 600 new; mv new index.db", true),
    ];
    for (way, leaves) in ways {
        let world = World::with(&["a=1", "d/b=2"]);
        world.config(QUICK);
        fs::copy(world.data.join("index.db"), world.temp.path().join("old.db")).unwrap();
        world.put("c=3");
        world.sync(&["--note", "kept"]);
        let daemon = Daemon::ready(&world);
        world.wait_for_state("tree", "in_sync");
        let before: Vec<_> = history(&world).into_iter().filter(|run| run["outcome"] == "completed").collect();
        let done = Command::new("sh").args(["-euc", way]).current_dir(&world.data).status().unwrap();
        assert!(done.success(), "{way}");
        world.put("new=4");
        world.wait(
            way,
            || (daemon.log(), world.wk(&["files", "tree"]).out),
            |(log, files)| log.contains("the index was opened anew") && files.contains("  new\n"),
        );
        world.wait_in_step();
        world.wait_for_state("tree", "in_sync");
        let log = daemon.stop();
        assert!(!log.contains("panicked") && !log.contains("this is a bug"), "{way}: {log}");
        assert!(log.contains("was moved away or replaced"), "{way}: {log}");
        let found = history(&world);
        assert!(before.iter().all(|run| found.contains(run)), "{way}: {before:#?}\n{found:#?}");
        assert_agrees(&world);
        assert_eq!(quarantined(&world).is_empty(), !leaves, "{way}");
        assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
    }
}

#[test]
fn a_daemon_leaves_what_was_put_in_the_place_of_its_index_as_it_is_and_says_so() {
    let world = World::with(&["a=1"]);
    world.config(QUICK);
    let mut daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let other = world.data.join("theirs");
    assert!(Command::new("sqlite3").arg(&other).arg("CREATE TABLE theirs(x)").status().unwrap().success());
    let theirs = fs::read(&other).unwrap();
    fs::rename(&other, world.data.join("index.db")).unwrap();
    world.put("b=2");
    let says = |log: &String| log.contains("index.db is not an index of watchkeeper; it was left as it is");
    world.wait("it says why it ends", || daemon.log(), says);
    assert_eq!(daemon.child.wait().unwrap().code(), Some(1));
    assert_eq!(fs::read(world.data.join("index.db")).unwrap(), theirs);
    fs::remove_file(world.data.join("index.db")).unwrap();
    world.ok(&["sync"]);
    world.assert_in_step();
    assert_agrees(&world);
}
