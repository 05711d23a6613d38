//! Trees that go away, come back, change while they are read, or may not be touched.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rustix::process::Signal;
use serde_json::Value;

use super::super::engine::Daemon;
use super::super::resident::{QUICK, can};
use super::super::world::{BINARY, World, in_mount_namespace, said, skipped};
use super::{assert_no_panic, inside};

#[test]
fn a_root_that_is_unmounted_lazily_under_the_daemon_removes_nothing_and_is_taken_up_again() {
    if !can("a_root_that_is_unmounted_lazily", &["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        return;
    }
    let world = World::empty();
    world.config(&format!("[sync]\nincremental_every = \"1s\"\n{QUICK}"));
    let source = world.temp.path().join("source");
    fs::create_dir(&source).unwrap();
    (0..30).for_each(|number| fs::write(source.join(format!("f{number}")), "1").unwrap());
    let daemon = Daemon::ready_in(&world, &["unshare", "-m"]);
    let mount = format!("mount --bind {} $TREE", source.display());
    assert_eq!(inside(&daemon, &world, &format!("{mount}; $WK repo add $TREE --quiet")).code, 0);
    world.wait_for_state("tree", "in_sync");
    // A file that is open keeps the old mount alive, as on a desk where someone still looks at a picture.
    assert_eq!(inside(&daemon, &world, "exec 9< $TREE/f1; umount -l $TREE").code, 0);
    let is_away = |status: &Value| ["missing", "held", "failed"].iter().any(|state| status["state"] == *state);
    world.wait("it is missed", || world.status(), is_away);
    let skipped = || world.json(&["scheduler", "status"])[0]["runs_skipped"].as_u64().unwrap();
    let ended = || world.sqlite("SELECT count(*) FROM runs").parse::<u64>().unwrap() + skipped();
    let before = ended();
    world.wait("more runs are due", ended, |now| *now >= before + 2);
    assert_eq!(world.sqlite("SELECT count(*) FROM files"), "30");
    assert_eq!(world.sqlite("SELECT coalesce(sum(files_removed), 0) FROM runs"), "0");
    fs::write(source.join("new"), "2").unwrap();
    assert_eq!(inside(&daemon, &world, &mount).code, 0);
    world.wait_for_sql("SELECT count(*) FROM files", "31");
    world.wait_for_state("tree", "in_sync");
    assert_eq!(world.sqlite("SELECT coalesce(sum(files_removed), 0) FROM runs"), "0");
    daemon.stop();
}

#[test]
fn whatever_stands_in_a_tree_is_neither_opened_nor_followed_unless_it_is_a_file() {
    let test = "whatever_stands_in_a_tree";
    if !can(test, &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::empty();
    world.put("d/file=1");
    for (target, link) in [("/", "root"), ("/etc", "outside"), ("nowhere", "dangling"), ("loop2", "loop1")] {
        symlink(target, world.path(link)).unwrap();
    }
    symlink("loop1", world.path("loop2")).unwrap();
    symlink(".", world.path("d/here")).unwrap();
    assert!(Command::new("mkfifo").arg(world.path("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    // A terminal and the zeroes that never end.
    for (device, numbers) in [("tty", ["5", "0"]), ("zero", ["1", "5"])] {
        let made = Command::new("mknod").arg(world.path(device)).arg("c").args(numbers).status();
        if !made.is_ok_and(|made| made.success()) {
            skipped(test, "devices cannot be made (needs root): the rest is tested");
        }
    }
    let special = fs::read_dir(&world.tree).unwrap().filter(|entry| {
        let kind = entry.as_ref().unwrap().file_type().unwrap();
        kind.is_fifo() || kind.is_socket() || kind.is_char_device()
    });
    let special = special.count();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let trace = world.temp.path().join("trace");
    for kind in ["full", "verify", "incremental"] {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-e", "trace=open,openat,openat2,connect", "-o"]).arg(&trace).arg(BINARY);
        command.arg("--data-dir").arg(&world.data).args(["sync", "--kind", kind]).env("HOME", world.temp.path());
        let said = said(&mut command);
        assert_eq!(said.code, 0, "{said:?}");
        let tree = world.tree.to_str().unwrap();
        for line in fs::read_to_string(&trace).unwrap().lines().filter(|line| line.contains(tree)) {
            let names =
                ["\"fifo", "\"socket", "\"tty", "\"zero", "\"root", "\"outside", "\"dangling", "\"loop", "here\""];
            let only_looks = line.contains("O_PATH") && line.contains("O_NOFOLLOW") || line.contains("ELOOP");
            assert!(!names.iter().any(|name| line.contains(name)) || only_looks, "{kind}: {line}");
        }
    }
    let left_out = &world.json(&["repo", "show", "tree"])[0]["left_out"];
    assert_eq!(left_out["FIFO, socket or device"], special as u64);
    world.assert_in_step();
}

#[test]
fn a_file_two_thousand_levels_down_is_found_read_and_missed_when_it_is_gone() {
    let world = World::with(&["top=1"]);
    // No path of this length can be given to the kernel at once.
    let dig = r#"for (1..2000) { mkdir "d" or die; chdir "d" or die } open(my $file, ">", "f") or die; print $file "2"; close $file"#;
    let levels = |script: &str| {
        let done = Command::new("perl").args(["-e", script]).current_dir(&world.tree).status().unwrap();
        assert!(done.success());
    };
    levels(dig);
    let run = world.sync(&[]);
    assert_eq!((&run["outcome"], &run["files_added"]), (&"completed".into(), &1.into()));
    let path = format!("{}f", "d/".repeat(2000));
    let file = world.json(&["files", "tree"]).into_iter().find(|file| file["path"] == path.as_str()).unwrap();
    assert_eq!(file["sha256"], "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35");
    levels(r#"for (1..2000) { chdir "d" or die } unlink "f" or die"#);
    assert_eq!(world.sync(&[])["files_removed"], 1);
}

#[test]
fn files_that_grow_shrink_and_are_replaced_while_they_are_read_end_in_the_index_as_they_are() {
    let world = World::with(&["stays=1"]);
    let names = ["grows", "shrinks", "replaced", "rewritten"];
    let large = vec![7_u8; 3 << 20];
    names.iter().for_each(|name| fs::write(world.path(name), &large).unwrap());
    let (is_done, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let open = |name: &str| File::options().write(true).open(world.path(name)).unwrap();
            let (grows, shrinks, rewritten) = (open("grows"), open("shrinks"), open("rewritten"));
            while !is_done.load(Relaxed) {
                let round = rounds.fetch_add(1, Relaxed);
                grows.write_all_at(&[1; 4096], (round % 2000) * 4096).unwrap();
                shrinks.set_len((3 << 20) - (round % 700) * 4096).unwrap();
                rewritten.write_all_at(&round.to_le_bytes(), round % (3 << 20)).unwrap();
                fs::write(world.path(".next"), &large[..(round % 1000) as usize * 1000]).unwrap();
                fs::rename(world.path(".next"), world.path("replaced")).unwrap();
            }
        });
        for kind in ["full", "verify", "full", "incremental", "verify"] {
            let before = rounds.load(Relaxed);
            let said = world.wk(&["sync", "--kind", kind]);
            // Half a file is a problem, and never a record, nor damage.
            assert!([0, 3].contains(&said.code), "{said:?}");
            assert_no_panic(&said);
            assert!(rounds.load(Relaxed) > before, "it was written to meanwhile");
        }
        is_done.store(true, Relaxed);
    });
    world.ok(&["sync"]);
    world.assert_in_step();
    assert_eq!((world.json(&["problems"]).len(), world.json(&["damage"]).len()), (0, 0));
}

#[test]
fn a_tree_that_cannot_be_written_is_read_and_not_even_its_access_times_move() {
    let world = World::empty();
    let script = "
        mount -t tmpfs -o strictatime none $TREE
        mkdir -p $TREE/d/e; echo 1 > $TREE/d/e/f; echo 2 > $TREE/g; ln -s g $TREE/h; mkfifo $TREE/i
        # By name: to list a directory would move the time that is looked at.
        stamps() { for name in . d d/e d/e/f g h i; do stat -c '%n %s %x %y %z %a %u %i' $TREE/$name; done; }
        settled() { $WK --data-dir $DATA status --json | grep -q '\"state\":\"in_sync\"'; }
        touch -a -d 2020-01-01 $TREE/d/e/f $TREE/g $TREE/d/e $TREE/d $TREE
        stamps > before
        $WK --data-dir $DATA repo add $TREE --quiet
        for kind in full verify incremental cleanup; do $WK --data-dir $DATA sync --kind $kind --quiet; done
        stamps > after; cmp before after && echo untouched
        mount -o remount,ro $TREE
        for kind in full verify incremental cleanup; do $WK --data-dir $DATA sync --kind $kind --quiet; done
        $WK --data-dir $DATA daemon 2> log & daemon=$!
        tries=0; until settled || [ $tries = 2000 ]; do tries=$((tries + 1)); done
        settled && echo settled
        kill $daemon; wait $daemon
        stamps > after; cmp before after && echo untouched by the daemon
        $WK --data-dir $DATA files tree | wc -l
    ";
    let Some(said) = in_mount_namespace("a_tree_that_cannot_be_written", &world, script) else { return };
    for expected in ["untouched\n", "settled\n", "untouched by the daemon\n3\n"] {
        assert!(said.out.contains(expected), "{expected}: {said:?}");
    }
}

#[test]
fn what_changed_while_the_daemon_was_killed_is_found_by_the_next_one() {
    let world = World::empty();
    world.config(QUICK);
    (0..40).for_each(|number| world.put(&format!("d{}/f{number}", number % 5)));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    daemon.end(Signal::KILL);
    fs::remove_file(world.path("d0/f0")).unwrap();
    world.put("d1/f1=edited");
    world.put("new/deep/er=1");
    fs::rename(world.path("d2"), world.path("new/d2")).unwrap();
    let daemon = Daemon::ready(&world);
    world.wait_in_step();
    daemon.stop();
}

#[test]
fn directories_that_are_made_filled_and_moved_at_once_lose_no_file() {
    let world = World::empty();
    world.config(QUICK);
    world.put("first=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    for round in 0..20 {
        let script = format!("mkdir -p a/b/c; echo {round} > a/b/c/x; mv a/b b{round}; echo y > b{round}/c/y; rm -r a");
        let done = Command::new("sh").args(["-euc", &script]).current_dir(&world.tree).status().unwrap();
        assert!(done.success());
    }
    world.wait_in_step();
    assert_eq!(world.sqlite("SELECT count(*) FROM files"), "41");
    daemon.stop();
}

#[test]
fn a_rewrite_that_keeps_size_and_time_is_found() {
    let world = World::with(&["a=old", "b=old"]);
    let modified = fs::metadata(world.path("a")).unwrap().modified().unwrap();
    for (round, kind) in ["full", "incremental", "full"].into_iter().enumerate() {
        fs::write(world.path("a"), format!("n{round}w")).unwrap();
        File::options().write(true).open(world.path("a")).unwrap().set_modified(modified).unwrap();
        world.sync(&["--kind", kind]);
        world.assert_in_step();
    }
}
