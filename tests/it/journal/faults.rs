//! Faults on purpose: syncs that fail, kills at every sync, a WAL that is damaged, a full disk, who looks on.

use super::super::engine::Daemon;
use super::super::resident::can;
use super::super::world::{BINARY, Said, World, in_mount_namespace, said};
use super::{assert_agrees, history, older, remove_index, segment, with_history};
use std::fs;
use std::process::{Command, Stdio};

/// Runs a sync under strace, its calls on the journal's first file made to fail as `inject` says.
fn sync_with_faults(test: &str, world: &World, inject: &str) -> Option<Said> {
    if !can(test, &["strace", "-o", "/dev/null", "true"]) {
        return None;
    }
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-P"]).arg(segment(world, 1)).args(["-P"]).arg(segment(world, 2));
    strace.args(["-e", "trace=fdatasync", "-e", inject]).arg(BINARY).arg("--data-dir").arg(&world.data);
    strace.args(["sync", "--quiet"]).env("HOME", world.temp.path()).stdin(Stdio::null());
    Some(said(&mut strace))
}

#[test]
fn after_a_sync_that_failed_once_the_journal_goes_on_in_a_new_file() {
    let world = with_history();
    let Some(said) = sync_with_faults("failed_once", &world, "inject=fdatasync:error=EIO:when=1") else { return };
    assert_eq!(said.code, 0, "{said:?}");
    assert!(segment(&world, 2).exists());
    assert_agrees(&world);
    let before = history(&world);
    remove_index(&world);
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
}

#[test]
fn while_syncs_fail_no_run_is_acknowledged() {
    let world = with_history();
    let before = history(&world);
    let Some(said) = sync_with_faults("fail_forever", &world, "inject=fdatasync:error=EIO:when=1+") else { return };
    assert!(said.code == 1 && said.err.contains("journal"), "{said:?}");
    assert!(history(&world).iter().all(|run| before.contains(run) || run["outcome"] != "completed"));
    world.sync(&[]);
    assert_eq!(&history(&world)[history(&world).len() - before.len()..], &before[..]);
    assert_agrees(&world);
}

#[test]
fn who_looks_into_the_index_of_the_daemon_that_made_it_takes_nothing_away() {
    let mut world = World::empty();
    // In the tree that it watches and reads.
    world.data = world.path("data");
    world.put("a=1");
    let daemon = Daemon::ready(&world);
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    // A shell that may write closes the file as if it were the last, unless our lock says that it is not.
    world.sqlite("SELECT count(*) FROM runs");
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.child.id())).unwrap();
    let gone: Vec<_> = open
        .filter_map(|fd| fs::read_link(fd.unwrap().path()).ok())
        .filter(|path| path.to_string_lossy().contains("index.db") && path.to_string_lossy().ends_with("(deleted)"))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
    // And its locks stand: whoever opens and closes a file drops all that its process has on it.
    let locked = |name: &str| {
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(world.data.join(name)).unwrap());
        let ours = format!(" {} ", daemon.child.id());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains(&ours) && line.contains(&format!(":{inode} ")))
    };
    world.sync(&["--kind", "verify"]);
    for name in ["index.db", "index.db-shm", "engine.lock"] {
        assert!(locked(name), "{name}");
    }
    daemon.stop();
    assert_agrees(&world);
}

/// Runs a sync that is killed at its `at`th sync of a file. Returns whether it ended before.
fn killed_at_sync(world: &World, at: u32) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
    strace.args(["-e", &format!("inject=fdatasync,fsync:signal=SIGKILL:when={at}")]).arg(BINARY);
    strace.arg("--data-dir").arg(&world.data).args(["sync", "--quiet"]).env("HOME", world.temp.path());
    said(strace.stdin(Stdio::null())).code == 0
}

#[test]
fn killed_at_any_sync_of_a_file_both_agree_after_the_next_start() {
    if !can("killed_at_any_sync", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = with_history();
    let mut acknowledged = history(&world);
    let mut at = 1;
    loop {
        world.put(&format!("a={at}"));
        let has_ended = killed_at_sync(&world, at);
        // The one that mends it is acknowledged, and so is all that was before.
        world.sync(&["--kind", "incremental"]);
        assert_agrees(&world);
        let runs = history(&world);
        assert!(acknowledged.iter().all(|run| runs.contains(run)), "killed at sync {at}");
        assert!(runs.iter().all(|run| run["outcome"].is_string()));
        world.assert_in_step();
        acknowledged = runs;
        if has_ended {
            break;
        }
        at += 1;
    }
    assert!(at > 4, "there were {at} syncs");
}

#[test]
fn a_wal_that_is_cut_flipped_or_gone_costs_no_run() {
    if !can("a_wal_that_is_cut", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["a=1"]);
    world.put("a=22");
    // Killed when it begins to move the WAL into the index: all of the run is in the WAL.
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-P"]).arg(world.data.join("index.db"));
    strace.args(["-e", "trace=pwrite64", "-e", "inject=pwrite64:signal=SIGKILL:when=1"]).arg(BINARY);
    strace.arg("--data-dir").arg(&world.data).args(["sync", "--quiet"]).env("HOME", world.temp.path());
    said(strace.stdin(Stdio::null()));
    let saved = world.temp.path().join("saved");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(done.success());
    };
    copy(&world.data, &saved);
    let wal = fs::read(saved.join("index.db-wal")).unwrap();
    assert!(wal.len() > 4096, "{}", wal.len());
    let flipped = |at: usize| {
        let mut wal = wal.clone();
        wal[at] ^= 1;
        wal
    };
    let damaged = [
        Some(wal[..wal.len() - 1].to_vec()),
        Some(wal[..wal.len() / 2].to_vec()),
        Some(flipped(wal.len() / 2)),
        Some(vec![7; 9000]),
        None,
    ];
    for (case, damaged) in damaged.into_iter().enumerate() {
        fs::remove_dir_all(&world.data).unwrap();
        copy(&saved, &world.data);
        match damaged {
            Some(bytes) => fs::write(world.data.join("index.db-wal"), bytes).unwrap(),
            None => fs::remove_file(world.data.join("index.db-wal")).unwrap(),
        }
        world.sync(&["--kind", "incremental"]);
        let runs = history(&world);
        let told: Vec<_> = runs.iter().map(|run| (run["number"].as_i64().unwrap(), run["outcome"].as_str())).collect();
        let done = Some("completed");
        assert_eq!(told, [(3, done), (2, done), (1, done)], "case {case}");
        world.assert_in_step();
        assert_agrees(&world);
    }
}

#[test]
fn a_daemon_on_a_full_disk_tells_of_it_and_writes_the_end_of_its_run_when_there_is_room() {
    let world = World::empty();
    for number in 0..6_000 {
        world.put(&format!("d{}/a-file-with-a-rather-long-name-{number}", number % 20));
    }
    fs::create_dir(&world.data).unwrap();
    let script = "
        mount -t tmpfs -o size=1200k none $DATA
        $WK --data-dir $DATA repo add $TREE --no-sync --quiet
        $WK --data-dir $DATA daemon 2> log & daemon=$!
        until $WK --data-dir $DATA history --json 2> /dev/null | grep -q device_full || grep -q 'tried again' log; do :; done
        echo told
        mount -o remount,size=60m $DATA
        until $WK --data-dir $DATA history --json | grep -q '\"completed\"'; do $WK --data-dir $DATA sync --quiet 2> /dev/null || :; done
        kill $daemon; wait $daemon
        $WK --data-dir $DATA verify-log; $WK --data-dir $DATA history --json | grep -c '\"outcome\":null' || :
        $WK --data-dir $DATA files tree | wc -l
    ";
    let Some(said) = in_mount_namespace("a_daemon_on_a_full_disk", &world, script) else { return };
    assert!(said.code == 0 && said.out.contains("told") && said.out.contains("equal sums"), "{said:?}");
    assert!(said.out.ends_with("0\n6000\n"), "{said:?}");
}
