//! The engine that stays: what it watches, what it does by itself, and what it leaves alone.

use super::engine::Daemon;
use super::world::{World, skipped};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const RUNS: &str = "SELECT count(*) FROM runs";
/// At work at once, so that tests need not wait.
pub const QUICK: &str = "[watch]\ndebounce = \"20ms\"\ndebounce_max = \"200ms\"\n";

/// A daemon that watches these files, and has looked at them.
fn watched(files: &[&str], config: &str) -> (World, Daemon) {
    let world = World::empty();
    world.config(&format!("{config}{QUICK}"));
    files.iter().for_each(|file| world.put(file));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    (world, daemon)
}

fn runs(world: &World, condition: &str) -> String {
    world.sqlite(&format!("{RUNS} WHERE {condition}"))
}

/// Waits until so many runs of the history are like this.
#[track_caller]
pub fn wait_for_runs(world: &World, condition: &str, count: &str) {
    world.wait_for_sql(&format!("{RUNS} WHERE {condition}"), count);
}

fn settings(world: &World) -> Value {
    world.json(&["scheduler", "status"])[0].clone()
}

pub fn can(test: &str, program: &[&str]) -> bool {
    let done = Command::new(program[0]).args(&program[1..]).output();
    let can = done.is_ok_and(|done| done.status.success());
    if !can {
        skipped(test, &format!("`{}` is not allowed or not there", program.join(" ")));
    }
    can
}

#[test]
fn a_root_that_is_unmounted_fails_once_and_is_synced_when_it_returns() {
    if !can("a_root_that_is_unmounted", &["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        return;
    }
    let world = World::empty();
    world.config(&format!("[sync]\nincremental_every = \"1s\"\n{QUICK}"));
    let daemon = Daemon::ready_in(&world, &["unshare", "-m"]);
    let (disk, root) = (world.path("disk"), world.path("disk/photos"));
    fs::create_dir(&disk).unwrap();
    let source = world.temp.path().join("source");
    fs::create_dir_all(source.join("photos")).unwrap();
    fs::write(source.join("photos/a"), "1").unwrap();
    let (disk, root) = (disk.to_str().unwrap(), root.to_str().unwrap());
    let mount = format!("mount --bind {} {disk}", source.to_str().unwrap());
    assert!(daemon.inside(&mount));
    // Only the daemon sees this root.
    let (program, data) = (super::world::BINARY, world.data.to_str().unwrap());
    assert!(daemon.inside(&format!("{program} --data-dir {data} repo add {root}")));
    world.wait("unmounted", || daemon.inside(&format!("umount {disk}")), |done| *done);
    world.wait_for_state("photos", "missing");
    let skips = || settings(&world)["runs_skipped"].as_u64().unwrap();
    let before = skips();
    world.wait("two more runs are due", skips, |now| *now >= before + 2);
    assert_eq!(runs(&world, "outcome = 'failed' AND error_class = 'mount_missing'"), "1");
    assert_eq!(runs(&world, "outcome <> 'completed'"), "1", "{}", world.wk(&["history"]).out);
    assert_eq!(world.sqlite("SELECT count(*) FROM files"), "1", "nothing is removed");
    // Another disk at its place is not its return.
    assert!(daemon.inside(&format!("mount -t tmpfs none {disk}; mkdir {root}; echo 2 > {root}/b")));
    let before = skips();
    world.wait("two more runs are due", skips, |now| *now >= before + 2);
    world.wait("unmounted", || daemon.inside(&format!("umount {disk}")), |done| *done);
    fs::write(source.join("photos/c"), "3").unwrap();
    assert!(daemon.inside(&mount));
    world.wait_for_state("photos", "in_sync");
    wait_for_runs(&world, "kind = 'full' AND trigger = 'watch' AND outcome = 'completed'", "1");
    assert_eq!(world.sqlite("SELECT group_concat(name) FROM (SELECT name FROM files ORDER BY name)"), "a,c");
    daemon.stop();
}

#[test]
fn a_root_that_is_renamed_is_missed_and_taken_up_again() {
    let (world, daemon) = watched(&["a=1", "d/b=2"], "");
    let away = world.temp.path().join("away");
    fs::rename(&world.tree, &away).unwrap();
    world.wait_for_state("tree", "missing");
    fs::write(away.join("c"), "3").unwrap();
    wait_for_runs(&world, "outcome = 'failed' AND error_class = 'mount_missing'", "1");
    fs::rename(&away, &world.tree).unwrap();
    world.wait_for_state("tree", "in_sync");
    world.wait_in_step();
    assert_eq!(runs(&world, "kind = 'full' AND outcome = 'completed'"), "2");
    world.put("d/e=4");
    world.wait_in_step();
    assert_eq!(runs(&world, "outcome = 'failed'"), "1");
    daemon.stop();
}

#[test]
fn a_paused_repository_is_left_alone_over_a_restart_and_looked_at_when_it_resumes() {
    let (world, daemon) = watched(&["a=1"], "[sync]\nincremental_every = \"1s\"\n");
    world.ok(&["repo", "pause", "tree"]);
    world.wait_for_state("tree", "paused");
    wait_for_runs(&world, "outcome IS NULL", "0");
    world.put("b=2");
    daemon.stop();
    let before = world.sqlite(RUNS);
    assert_eq!(world.index().len(), 1);
    let daemon = Daemon::ready(&world);
    let other = world.temp.path().join("other");
    fs::create_dir(&other).unwrap();
    world.ok(&["repo", "add", other.to_str().unwrap()]);
    // Time goes by: another repository has its scheduled runs.
    let scheduled = format!("{RUNS} WHERE repository = 'other' AND trigger = 'schedule'");
    world.wait("time goes by", || world.sqlite(&scheduled), |runs| runs.parse::<u32>().unwrap() >= 2);
    assert_eq!(runs(&world, "repository = 'tree'"), before);
    world.ok(&["repo", "resume", "tree"]);
    wait_for_runs(&world, "repository = 'tree' AND kind = 'full' AND trigger = 'user' AND outcome = 'completed'", "1");
    assert_eq!(world.sqlite("SELECT count(*) FROM files"), "2");
    daemon.stop();
}

#[test]
fn what_is_set_at_run_time_holds_at_once_and_over_a_restart() {
    let (world, daemon) = watched(&["a=1"], "[sync]\nfull_every = \"2d\"\n");
    let in_force = |key: &str| settings(&world)[key].as_str().unwrap().to_owned();
    assert_eq!((in_force("full_every"), in_force("incremental_every")), ("2d".to_owned(), "5m".to_owned()));
    world.config(&format!("[sync]\nfull_every = \"3d\"\n{QUICK}"));
    daemon.reload();
    assert_eq!(in_force("full_every"), "3d");
    world.config("[sync]\nfull_every = \"soon\"\n");
    daemon.reload();
    assert_eq!(in_force("full_every"), "3d", "a wrong config is refused");
    world.config(&format!("[sync]\nfull_every = \"4d\"\n{QUICK}"));
    world.ok(&["scheduler", "set", "incremental_every=1s"]);
    world.exits(2, &["scheduler", "set", "incremental_every=soon"]);
    let scheduled = "kind = 'incremental' AND trigger = 'schedule' AND outcome = 'completed'";
    world.wait("scheduled runs", || runs(&world, scheduled), |runs| runs.parse::<u32>().unwrap() >= 2);
    daemon.stop();
    let daemon = Daemon::ready(&world);
    assert_eq!((in_force("full_every"), in_force("incremental_every")), ("4d".to_owned(), "1s".to_owned()));
    world.ok(&["scheduler", "stop"]);
    assert_eq!(settings(&world)["running"], false);
    // What was due just before has begun, and ended, when this has.
    world.ok(&["sync", "--quiet"]);
    wait_for_runs(&world, "outcome IS NULL", "0");
    let before = runs(&world, scheduled);
    // The watcher still works, and takes longer than a scheduled run would have.
    for file in ["b=1", "c=1", "d=1"] {
        world.put(file);
        world.wait_in_step();
    }
    assert_eq!(runs(&world, scheduled), before);
    daemon.stop();
}

#[test]
fn what_no_watch_is_left_for_is_polled() {
    let limited = ["unshare", "-Ur", "sh", "-euc", "echo 8 > /proc/sys/user/max_inotify_watches; exec \"$@\"", "sh"];
    if !can("what_no_watch_is_left_for", &[&limited[..], &["true"]].concat()) {
        return;
    }
    let world = World::empty();
    world.config(&format!("{QUICK}poll_every = \"1s\"\n"));
    (0..20).for_each(|number| world.put(&format!("d{number}/f")));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready_in(&world, &limited);
    world.wait_for_state("tree", "in_sync");
    world.wait("watch mode", || world.status(), |status| status["watch_mode"] == "mixed");
    (0..20).for_each(|number| world.put(&format!("d{number}/new")));
    world.wait_in_step();
    world.put("d7/f=edited in place");
    world.put("d19/f=edited in place");
    world.wait_in_step();
    let says = |log: &String| log.contains("raise fs.inotify.max_user_watches, now ") && log.contains("/etc/sysctl.d/");
    world.wait("the log says what to write where", || daemon.log(), says);
    daemon.stop();
}

#[test]
fn true_as_of_moves_on_while_nothing_happens() {
    let (world, daemon) = watched(&["a=1", "d/b=2"], "");
    let is_watched = |status: &Value| status["watching"] == true && status["watch_mode"] == "inotify";
    world.wait("it is watched", || world.status(), is_watched);
    let as_of = || world.sqlite(RUNS) + world.status()["true_as_of"].as_str().unwrap();
    let before = as_of();
    world.wait("true_as_of moves on", as_of, |now| *now > before);
    assert_eq!((&world.status()["pending_hints"], &world.status()["behind"]), (&0.into(), &Value::Null));
    assert_eq!(world.sqlite(RUNS), "1", "without a run");
    daemon.stop();
}

#[test]
fn a_file_that_is_still_written_is_recorded_when_it_is_done() {
    let (world, daemon) = watched(&["a=1"], "");
    let path = world.path("growing");
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt;
            let file = fs::File::create(&path).unwrap();
            for step in 0_u64.. {
                file.write_all_at(step.to_string().as_bytes(), step % 4096).unwrap();
                if is_done.load(Relaxed) {
                    break;
                }
            }
        });
        // News of it is served again and again: others that came later are in the index.
        for number in 0..10 {
            let other = format!("other{number}=1");
            world.put(&other);
            let name = other.trim_end_matches("=1");
            let seen = || world.sqlite(&format!("SELECT count(*) FROM files WHERE name = CAST('{name}' AS BLOB)"));
            world.wait(name, seen, |count| count == "1");
        }
        let half = world.sqlite("SELECT count(*) FROM files WHERE name = CAST('growing' AS BLOB)");
        is_done.store(true, Relaxed);
        assert_eq!(half, "0");
    });
    world.wait_in_step();
    assert_eq!(runs(&world, "outcome NOT IN ('completed')"), "0");
    daemon.stop();
}

#[test]
fn a_library_that_goes_bit_by_bit_is_held_as_one() {
    let files: Vec<String> = (0..600).map(|number| format!("d{}/f{number}={number}", number % 12)).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (world, daemon) = watched(&files, "");
    for number in 0..12 {
        // At once: the part of it that had gone first might be a trifle.
        fs::rename(world.path(&format!("d{number}")), world.temp.path().join(format!("gone{number}"))).unwrap();
        // It answers when it has heard of all this.
        assert_ne!(world.status()["state"], "in_sync");
    }
    world.wait_for_state("tree", "held");
    assert_eq!(world.index().len(), 600);
    assert_eq!(runs(&world, "files_removed > 0"), "0");
    world.ok(&["held", "tree", "--accept"]);
    world.wait_in_step();
    daemon.stop();
}

#[test]
fn more_than_a_trifle_goes_when_it_was_quiet_and_a_trifle_at_once() {
    let files: Vec<String> = (0..300).map(|number| format!("f{number}=1")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (world, daemon) = watched(&files, "");
    (0..5).for_each(|number| fs::remove_file(world.path(&format!("f{number}"))).unwrap());
    world.wait_in_step();
    (5..100).for_each(|number| fs::remove_file(world.path(&format!("f{number}"))).unwrap());
    world.wait_in_step();
    assert_eq!(runs(&world, "outcome NOT IN ('completed')"), "0");
    daemon.stop();
}

#[test]
fn what_is_written_by_one_name_that_goes_at_once_is_found_by_the_others() {
    let (world, daemon) = watched(&["a/one=1", "b/keep=1"], "");
    fs::hard_link(world.path("a/one"), world.path("b/other")).unwrap();
    world.wait_in_step();
    world.wait_for_sql("SELECT count(*) FROM files WHERE flags & 64 <> 0", "2");
    daemon.signal(Signal::STOP);
    fs::write(world.path("a/one"), "much more").unwrap();
    fs::remove_file(world.path("a/one")).unwrap();
    daemon.signal(Signal::CONT);
    world.wait_in_step();
    daemon.stop();
}

#[test]
fn our_own_files_in_the_tree_make_no_endless_runs() {
    let mut world = World::empty();
    world.data = world.path("data");
    world.config(QUICK);
    world.put("a=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    world.put("b=2");
    // A realtime run ends when nothing more comes for a while.
    wait_for_runs(&world, "kind = 'realtime' AND outcome = 'completed'", "1");
    assert_eq!((world.sqlite(RUNS), world.sqlite("SELECT count(*) FROM files")), ("2".to_owned(), "2".to_owned()));
    daemon.stop();
}

#[test]
fn two_repositories_are_synced_at_the_same_time_and_a_third_one_waits() {
    let world = World::empty();
    for name in ["one", "two", "three"] {
        let root = world.temp.path().join(name);
        fs::create_dir(&root).unwrap();
        // No blocks, and minutes to hash.
        fs::File::create(root.join("large")).unwrap().set_len(200 << 30).unwrap();
        world.ok(&["repo", "add", root.to_str().unwrap(), "--no-sync"]);
    }
    let daemon = Daemon::ready(&world);
    wait_for_runs(&world, "outcome IS NULL", "2");
    let syncing = || world.json(&["status"]).iter().filter(|status| status["state"] == "syncing").count();
    world.wait("two run", syncing, |count| *count == 2);
    let name = world.sqlite("SELECT repository FROM runs WHERE outcome IS NULL LIMIT 1");
    let joined = world.ok(&["sync", &name, "--no-wait"]);
    assert!(format!("{}{}", joined.out, joined.err).contains("joined one that was asked for before"), "{joined:?}");
    world.ok(&["cancel", &name]);
    wait_for_runs(&world, "outcome = 'cancelled'", "1");
    wait_for_runs(&world, "outcome IS NULL", "2");
    assert_eq!(world.sqlite("SELECT count(DISTINCT repository) FROM runs"), "3");
    daemon.stop();
}

#[test]
fn a_run_that_failed_for_a_passing_cause_is_tried_again() {
    if !can("a_run_that_failed_for_a_passing_cause", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["a=1"]);
    world.config("[retry]\nattempts = 2\ndelay = \"10ms\"\n");
    let (tree, trace) = (world.tree.to_str().unwrap(), world.temp.path().join("trace"));
    // The root cannot be opened. `strace` stands beside the daemon, and not above it.
    let inject = ["-e", "trace=open,openat", "-e", "inject=open,openat:error=EIO"];
    let strace = [&["strace", "-f", "-D", "-o", trace.to_str().unwrap(), "-P", tree], &inject[..]].concat();
    let daemon = Daemon::ready_in(&world, &strace);
    wait_for_runs(&world, "attempt = 3 AND outcome = 'failed'", "1");
    let history = world.json(&["history", "-n", "3"]);
    let first = &history[2];
    assert_eq!((&first["trigger"], &first["attempt"]), (&"startup".into(), &1.into()), "{history:?}");
    assert_eq!((&first["outcome"], &first["error_class"]), (&"failed".into(), &"io".into()), "{history:?}");
    for (again, attempt) in [(&history[1], 2), (&history[0], 3)] {
        assert_eq!((&again["trigger"], &again["attempt"]), (&"retry".into(), &attempt.into()), "{history:?}");
        assert_eq!(again["retry_of"], first["run_id"], "{history:?}");
    }
    assert_eq!(world.sqlite("SELECT count(*) FROM files"), "1");
    daemon.stop();
}
