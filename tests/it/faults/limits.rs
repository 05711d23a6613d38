//! Too little of something: descriptors, memory, the size that a file may have.

use std::process::Command;

use super::super::engine::Daemon;
use super::super::resident::{QUICK, can};
use super::super::world::{BINARY, Said, World, said};
use super::assert_no_panic;

/// What the issue promises to get along with.
const MEMORY_BYTES: u64 = 256 << 20;

fn limited(world: &World, limit: &str, args: &[&str]) -> Said {
    let mut command = Command::new("prlimit");
    command.args([limit, BINARY, "--data-dir"]).arg(&world.data).args(args).env("HOME", world.temp.path());
    said(&mut command)
}

fn wide(files: usize) -> World {
    let world = World::empty();
    (0..files).for_each(|number| world.put(&format!("d{}/e{}/f{number}={number}", number % 7, number % 11)));
    world
}

#[test]
fn without_descriptors_a_run_says_so_and_nothing_counts_as_deleted() {
    let world = wide(300);
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.put("new/one=1");
    let mut codes = Vec::new();
    for most in (8..40).step_by(2) {
        for kind in ["full", "verify", "cleanup"] {
            let said = limited(&world, &format!("--nofile={most}"), &["sync", "--kind", kind]);
            assert_no_panic(&said);
            // Either it was done, or it says that it was not.
            let named = format!("{}{}{}", said.out, said.err, world.wk(&["problems"]).out);
            assert!(
                said.code == 0 || named.contains("open files") || named.contains("open database"),
                "{most}: {said:?}"
            );
            assert!(world.index().len() >= 300, "{most}, {kind}: {said:?}");
            codes.push(said.code);
        }
    }
    assert_eq!(world.sqlite("SELECT sum(files_removed) FROM runs"), "0");
    assert!(codes.contains(&1) && codes.ends_with(&[0]), "the limits meet both ends: {codes:?}");
    world.ok(&["sync"]);
    world.assert_in_step();
    assert_eq!(world.json(&["problems"]).len(), 0);
}

#[test]
fn a_daemon_with_few_descriptors_ends_in_step_all_the_same() {
    if !can("a_daemon_with_few_descriptors", &["prlimit", "--nofile=48", "true"]) {
        return;
    }
    let world = wide(300);
    world.config(&format!("[retry]\nattempts = 100\ndelay = \"50ms\"\n{QUICK}"));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready_in(&world, &["prlimit", "--nofile=48"]);
    world.wait_in_step();
    (0..300).for_each(|number| world.put(&format!("d{}/new{number}", number % 7)));
    world.wait_in_step();
    daemon.stop();
}

#[test]
fn with_256_mb_of_memory_a_tree_is_synced_verified_and_watched() {
    let limit = format!("--data={MEMORY_BYTES}");
    if !can("with_256_mb_of_memory", &["prlimit", &limit, "true"]) {
        return;
    }
    let world = wide(5_000);
    let root = world.tree.to_str().unwrap();
    std::fs::File::create(world.path("large")).unwrap().set_len(300 << 20).unwrap();
    for args in [&["repo", "add", root, "--quiet"][..], &["sync"], &["sync", "--kind", "verify"]] {
        let said = limited(&world, &limit, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
    }
    world.assert_in_step();
    world.config(QUICK);
    let daemon = Daemon::ready_in(&world, &["prlimit", &limit]);
    world.wait_for_state("tree", "in_sync");
    (0..2_000).for_each(|number| world.put(&format!("burst/{number}")));
    world.wait_in_step();
    daemon.stop();
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_not_the_end() {
    let world = wide(400);
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    for args in [&["sync"][..], &["backup", "copy"]] {
        let said = limited(&world, "--fsize=70000", args);
        assert!(said.code == 1 && said.err.contains("watchkeeper: "), "{args:?}: {said:?}");
        assert_no_panic(&said);
    }
    world.ok(&["sync"]);
    world.assert_in_step();
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
}

/// As an ordinary user who may have so many threads and processes.
fn with_threads(world: &World, most: usize, args: &[&str]) -> Said {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=64123", "--regid=64123", "--clear-groups", "prlimit", &format!("--nproc={most}")]);
    command.arg(BINARY).arg("--data-dir").arg(&world.data).args(args).env("HOME", world.temp.path());
    said(command.env("RUST_BACKTRACE", "0"))
}

#[test]
fn without_threads_a_command_says_so_and_with_few_it_is_done() {
    let test = "without_threads";
    if !can(test, &["setpriv", "--reuid=64123", "--regid=64123", "--clear-groups", "prlimit", "--nproc=4", "true"]) {
        return;
    }
    let world = wide(100);
    for directory in [&world.temp.path().to_owned(), &world.data] {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let owned = Command::new("chown").args(["-R", "64123"]).arg(&world.data).status().unwrap();
    assert!(owned.success());
    let root = world.tree.to_str().unwrap();
    let mut codes = Vec::new();
    for most in 1..16 {
        for args in
            [&["repo", "add", root, "--if-not-exists"][..], &["sync"], &["sync", "--kind", "verify"], &["doctor"]]
        {
            let said = with_threads(&world, most, args);
            assert_no_panic(&said);
            assert!(
                said.code == 0 || said.code == 1 && said.err.contains("watchkeeper: "),
                "{most} {args:?}: {said:?}"
            );
            codes.push(said.code);
        }
    }
    assert!(codes.contains(&1) && codes.ends_with(&[0; 8]), "the limits meet both ends: {codes:?}");
    world.assert_in_step();
}

#[test]
fn where_nobody_hears_a_message_the_work_is_done_and_the_code_says_so() {
    let world = wide(3);
    let add = format!("{BINARY} --data-dir '{}' repo add '{}'", world.data.display(), world.tree.display());
    let rename = format!("{BINARY} --data-dir '{}' repo rename tree other", world.data.display());
    for command in [add, rename] {
        let said = said(Command::new("sh").args(["-c", &format!("{command} 2> /dev/full")]));
        assert_eq!(said.code, 0, "{command}: {said:?}");
    }
    assert_eq!(world.json(&["repo", "list"])[0]["repository"], "other");
}
