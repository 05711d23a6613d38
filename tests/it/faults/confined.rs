//! Confined by the kernel: the threads that read trees, and no others.

use std::collections::BTreeMap;
use std::fs;

use super::super::engine::Daemon;
use super::super::resident::{QUICK, can};
use super::super::world::{World, skipped};

/// Returns the name of every thread of a daemon, and whether it has given up rights for good, as confining takes.
fn threads(daemon: &Daemon) -> BTreeMap<String, bool> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap().flatten();
    let of = |task: fs::DirEntry| {
        // A thread that has gone meanwhile says nothing.
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        (name.trim().to_owned(), status.contains("NoNewPrivs:\t1"))
    };
    tasks.map(of).filter(|(name, _)| !name.is_empty()).collect()
}

#[test]
fn every_thread_that_reads_a_tree_is_confined_and_no_other_is() {
    let world = World::empty();
    world.config(QUICK);
    fs::File::create(world.path("endless")).unwrap().set_len(4 << 40).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    let is_at_work = |seen: &BTreeMap<String, bool>| {
        seen.contains_key("job-tree") && seen.contains_key("hints") && seen["job-tree"] && seen["hints"]
    };
    if threads(&daemon).is_empty() {
        return skipped("every_thread_that_reads_a_tree", "/proc does not tell of threads");
    }
    let seen = world.wait("a run is at work", || threads(&daemon), is_at_work);
    for (name, is_confined) in &seen {
        let reads = ["job-", "worker-", "hints", "count-ahead"].iter().any(|thread| name.starts_with(thread));
        assert_eq!(*is_confined, reads, "{name}: {seen:?}");
    }
    assert!(
        ["engine", "index-writer", "hooks", "watch", "api"].iter().all(|name| seen.contains_key(*name)),
        "{seen:?}"
    );
    daemon.stop();
}

#[test]
fn under_a_kernel_without_landlock_runs_go_on_and_it_is_said_once() {
    let calls = ["strace", "-f", "-D", "-e", "trace=landlock_create_ruleset"];
    let inject = ["-e", "inject=landlock_create_ruleset:error=ENOSYS", "-o", "/dev/null"];
    let old = [&calls[..], &inject].concat();
    if !can("under_a_kernel_without_landlock", &[&old[..], &["true"]].concat()) {
        return;
    }
    let world = World::empty();
    world.config(QUICK);
    world.put("a=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready_in(&world, &old);
    world.wait_for_state("tree", "in_sync");
    world.put("b=2");
    world.wait_in_step();
    world.ok(&["sync", "--kind", "verify"]);
    let log = daemon.stop();
    assert_eq!(log.matches("runs are not confined").count(), 1, "{log}");
}
