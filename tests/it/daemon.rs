//! The daemon as its service manager and its log see it.

use super::engine::Daemon;
use super::world::{BINARY, World, said, skipped};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// More than any machine reads while a test goes on; it takes no space.
const ENDLESS_BYTES: u64 = 4 << 40;

/// How many runs have begun and not ended.
const RUNS: &str = "SELECT count(*) FROM runs WHERE outcome IS NULL";

/// A tree whose first sync does not end while a test goes on.
fn endless() -> World {
    let world = World::empty();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    File::create(world.path("endless")).unwrap().set_len(ENDLESS_BYTES).unwrap();
    world
}

#[test]
fn a_daemon_says_that_it_is_ready_and_ends_in_order() {
    let world = World::with(&["a=1"]);
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start(&world, &[]);
        let status = daemon.wait_for("STATUS=");
        assert!(status.starts_with("STATUS=1 repository, "), "{status}");
        daemon.wait_for("READY=1");
        daemon.signal(Signal::PIPE);
        daemon.signal(signal);
        daemon.wait_for("STOPPING=1");
        let (code, log) = daemon.end(signal);
        assert_eq!(code, Some(0), "{log}");
        let (first, last) = (log.lines().next().unwrap(), log.lines().last().unwrap());
        assert!(first.starts_with("20") && first.contains("Z  INFO watchkeeper 0."), "{log}");
        assert!(last.ends_with("watchkeeper has stopped"), "{log}");
    }
}

#[test]
fn a_second_daemon_is_turned_away_and_told_who_has_the_data_directory() {
    let world = World::with(&["a=1"]);
    let daemon = Daemon::ready(&world);
    let said = world.exits(6, &["daemon"]);
    assert!(said.err.contains(&format!("pid {}", daemon.child.id())), "{said:?}");
    assert_eq!(daemon.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_service_waits_for_the_end_of_the_engine_that_runs_and_begins_then() {
    let world = World::with(&["a=1"]);
    let first = world.command(&["daemon"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    world.wait("the first engine runs", || world.data.join("engine.sock").exists(), |runs| *runs);
    let waits = format!("STATUS=waits for the end of pid {} since", first.id());
    let stopped = Daemon::start(&world, &[]);
    assert!(stopped.wait_for("READY=1").contains(&waits));
    let log = stopped.stop();
    assert!(log.contains("waits until the engine that runs now has ended") && !log.contains("has started"), "{log}");
    let second = Daemon::start(&world, &[("WATCHDOG_USEC", "2000000")]);
    assert!(second.wait_for("READY=1").contains(&waits));
    second.signal(Signal::HUP);
    second.wait_for("WATCHDOG=1");
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0), "nobody but its own signal ends it");
    second.wait_for("STATUS=1 repository, ");
    second.stop();
}

#[test]
fn the_watchdog_is_fed_while_the_engine_answers() {
    let world = World::with(&["a=1"]);
    let daemon = Daemon::start(&world, &[("WATCHDOG_USEC", "100000")]);
    for _ in 0..3 {
        daemon.wait_for("WATCHDOG=1");
    }
    assert_eq!(daemon.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_wrong_config_is_refused_with_its_line_and_the_daemon_goes_on() {
    let world = World::with(&["a=1"]);
    let daemon = Daemon::ready(&world);
    let config = world.temp.path().join(".config/watchkeeper/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "[sync]\nfull_every = \"soon\"\n").unwrap();
    daemon.signal(Signal::HUP);
    let message = daemon.wait_for("RELOADING=1");
    assert!(message.contains("\nMONOTONIC_USEC="), "{message}");
    daemon.wait_for("READY=1");
    let (code, log) = daemon.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("config.toml:2: sync.full_every"), "{log}");
    world.exits(2, &["daemon"]);
}

#[test]
fn in_the_journal_a_line_has_a_priority_and_no_time() {
    let world = World::with(&["a=1"]);
    let daemon = Daemon::start(&world, &[("JOURNAL_STREAM", "the log")]);
    daemon.wait_for("READY=1");
    let (_, log) = daemon.end(Signal::TERM);
    assert!(log.lines().count() > 1 && log.lines().all(|line| line.starts_with("<6>")), "{log}");
    let daemon = Daemon::start(&world, &[("JOURNAL_STREAM", "1:1")]);
    daemon.wait_for("READY=1");
    let (_, log) = daemon.end(Signal::TERM);
    assert!(!log.contains('<'), "another's journal is none: {log}");
}

#[test]
fn a_run_that_was_killed_is_closed_as_interrupted_by_the_next_daemon() {
    let world = endless();
    let mut sync = world.command(&["sync"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    world.wait_for_sql(RUNS, "1");
    sync.kill().unwrap();
    sync.wait().unwrap();
    fs::remove_file(world.path("endless")).unwrap();
    let daemon = Daemon::ready(&world);
    assert_eq!(world.sqlite("SELECT outcome FROM runs WHERE number = 1"), "interrupted");
    let (_, log) = daemon.end(Signal::TERM);
    assert!(log.contains("WARN runs of an earlier process were cut off"), "{log}");
}

#[test]
fn a_run_that_was_asked_for_lets_the_rest_of_the_engine_go_first() {
    let world = endless();
    let daemon = Daemon::ready(&world);
    world.wait_for_sql(RUNS, "1");
    world.ok(&["cancel", "--quiet"]);
    world.ok(&["sync", "--no-wait", "--quiet"]);
    world.wait_for_sql(&format!("{RUNS} AND trigger = 'user'"), "1");
    // The nineteenth field of the line, counted from its start; a thread's name may hold blanks, not parentheses.
    let nice = |task: fs::DirEntry| {
        let line = fs::read_to_string(task.path().join("stat")).ok()?;
        let (head, tail) = line.rsplit_once(") ")?;
        Some((head.split_once('(')?.1.to_owned(), tail.split(' ').nth(16)?.parse().ok()?))
    };
    let tasks = || fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap().flatten();
    let threads = || tasks().filter_map(nice).collect::<BTreeMap<String, i32>>();
    let own = rustix::process::getpriority_process(None).unwrap();
    let is_nice = |threads: &BTreeMap<String, i32>| threads.get("job-tree") == Some(&own.max(10));
    let threads = world.wait("its thread is nice", threads, is_nice);
    assert!(["engine", "index-writer", "api"].iter().all(|name| threads.get(*name) == Some(&own)), "{threads:?}");
}

#[test]
fn a_daemon_that_is_told_to_stop_cancels_its_run_and_is_gone_in_five_seconds() {
    let world = endless();
    let mut daemon = Daemon::ready(&world);
    world.wait_for_sql(RUNS, "1");
    daemon.signal(Signal::TERM);
    let code = daemon.child.wait().unwrap().code();
    assert_eq!(code, Some(0), "it would fail if its run took longer: {}", daemon.log());
    assert_eq!(world.sqlite("SELECT group_concat(outcome) FROM runs"), "cancelled");
    assert!(daemon.log().contains("INFO tree: full sync cancelled"), "{}", daemon.log());
}

#[test]
fn a_daemon_that_was_killed_leaves_a_run_that_the_next_one_closes_as_interrupted() {
    let world = endless();
    let daemon = Daemon::ready(&world);
    world.wait_for_sql(RUNS, "1");
    assert_eq!(world.status()["last_run"]["outcome"], Value::Null);
    assert_eq!(daemon.end(Signal::KILL).0, None);
    // Nobody has written that yet.
    assert_eq!(world.sqlite(RUNS), "1");
    assert_eq!(world.status()["last_run"]["outcome"], "interrupted");
    assert_eq!(world.json(&["history", "--outcome", "interrupted"])[0]["outcome"], "interrupted");
    for command in [&["status"][..], &["history"], &["history", "1"]] {
        let said = world.ok(command);
        assert!(said.out.contains("interrupted") && !said.out.contains("running"), "{said:?}");
    }
    assert_eq!(world.sqlite(RUNS), "1");
    fs::remove_file(world.path("endless")).unwrap();
    let daemon = Daemon::ready(&world);
    assert_eq!(world.sqlite("SELECT outcome FROM runs WHERE number = 1"), "interrupted");
    assert_eq!(daemon.end(Signal::TERM).0, Some(0));
}

#[test]
fn the_units_are_in_order_and_keep_their_sandbox() {
    let test = "the_units_are_in_order_and_keep_their_sandbox";
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return skipped(test, "no systemd-analyze");
    }
    let temp = tempfile::tempdir().unwrap();
    let analyze = |words: &[&str]| {
        said(Command::new("systemd-analyze").args(words).env("XDG_RUNTIME_DIR", temp.path()).env("SYSTEMD_COLORS", "0"))
    };
    // The most exposure, in tenths. Without user namespaces a user's unit can have no better one.
    for (source, unit, manager, exposure) in [
        ("watchkeeper@.service", "watchkeeper@someone.service", "--system", 20),
        ("watchkeeper.service", "watchkeeper.service", "--user", 65),
    ] {
        let source = format!("{}/assets/systemd/{source}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(source).unwrap();
        assert!(text.contains("ExecStart=/usr/local/bin/watchkeeper daemon\n"), "{text}");
        let path = temp.path().join(unit);
        fs::write(&path, text.replace("/usr/local/bin/watchkeeper ", &format!("{BINARY} "))).unwrap();
        let path = path.to_str().unwrap();
        let verified = analyze(&["verify", "--man=no", manager, path]);
        assert!(verified.code == 0 && !verified.err.contains(unit), "{verified:?}");
        let judged = analyze(&["security", "--offline=yes", &format!("--threshold={exposure}"), path]);
        assert_eq!(judged.code, 0, "{}\n{}", judged.out, judged.err);
    }
}

#[test]
fn a_verify_gives_way_inside_a_huge_file_and_the_run_that_goes_on_reads_only_the_rest() {
    const HUGE_BYTES: u64 = 3 << 30;
    let world = World::empty();
    File::create(world.path("huge")).unwrap().set_len(HUGE_BYTES).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let daemon = Daemon::ready(&world);
    // The start-up run is over: a sync would join it instead of asking the verify to give way.
    world.wait_for_sql("SELECT count(*) FROM runs WHERE outcome = 'completed'", "2");
    let verifies = |of: &str| format!("SELECT count(*) FROM runs WHERE kind = 'verify'{of}");
    let gave_way = || world.sqlite("SELECT min(run) FROM run_log WHERE message LIKE '%gave way to another run%'");
    // One that was done before it could be asked to give way is followed by another one.
    for attempt in 1.. {
        world.wait_for_sql(&verifies(" AND outcome IS NULL"), "0");
        world.ok(&["sync", "--kind", "verify", "--no-wait"]);
        world.wait_for_sql(&verifies(""), &attempt.to_string());
        world.ok(&["sync"]);
        if !gave_way().is_empty() {
            break;
        }
    }
    let first = gave_way();
    world.wait_for_sql(&verifies(&format!(" AND outcome = 'completed' AND number > {first}")), "1");
    let read = world.sqlite(&format!("SELECT sum(bytes_hashed) FROM runs WHERE kind = 'verify' AND number >= {first}"));
    assert_eq!(read, HUGE_BYTES.to_string());
    let second = world.sqlite("SELECT max(number) FROM runs WHERE kind = 'verify'");
    let of_first = world.ok(&["history", &first, "--log"]).out;
    for expected in ["gave way to another run".to_owned(), format!("run {second} goes on with it")] {
        assert!(of_first.contains(&expected), "{expected}: {of_first}");
    }
    let of_second = world.ok(&["history", &second]).out;
    assert!(of_second.contains(&format!("where run {first} gave way")), "{of_second}");
    assert_eq!(daemon.end(Signal::TERM).0, Some(0));
}
