//! The data directory's disk: full, read-only, or another's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use super::super::engine::Daemon;
use super::super::resident::can;
use super::super::world::{BINARY, World, in_mount_namespace, said};
use super::{as_nobody, assert_no_panic, inside, sums};

const FILES: usize = 14_000;

#[test]
fn a_daemon_whose_disk_is_full_stays_up_says_so_and_goes_on_by_itself_when_there_is_space() {
    let world = World::empty();
    fs::create_dir(&world.data).unwrap();
    let small = format!("mount -t tmpfs -o size=4m none '{}'; exec \"$@\"", world.data.display());
    let in_small = ["unshare", "-m", "sh", "-euc", &small, "sh"];
    if !can("a_daemon_whose_disk_is_full", &[&in_small[..], &["true"]].concat()) {
        return;
    }
    let long = "a-name-that-fills-a-small-disk-".repeat(6);
    (0..FILES).for_each(|number| world.put(&format!("d{}/{long}{number}=1", number % 40)));
    world.config("[retry]\nattempts = 100\ndelay = \"200ms\"\n");
    let daemon = Daemon::ready_in(&world, &in_small);
    assert_eq!(inside(&daemon, &world, "$WK repo add $TREE --quiet").code, 1, "who waited for it is told");
    let status = || -> Value {
        let said = inside(&daemon, &world, "$WK status --json");
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("it does not answer: {said:?}"))
    };
    let is_full = |status: &Value| status["last_run"]["error_class"] == "device_full";
    let full = world.wait("the run fails for want of space", status, is_full);
    assert_eq!((&full["state"], &full["last_run"]["outcome"]), (&"failed".into(), &"failed".into()), "{full}");
    let doctor = inside(&daemon, &world, "$WK doctor || true");
    assert!(doctor.out.contains("free some space"), "{doctor:?}");
    assert_eq!(inside(&daemon, &world, "mount -o remount,size=64m $DATA").code, 0);
    let is_whole = |status: &Value| status["state"] == "in_sync" && status["total_files"] == FILES;
    world.wait("it goes on by itself", status, is_whole);
    let history = inside(&daemon, &world, "$WK history; sqlite3 $DATA/index.db 'PRAGMA integrity_check'");
    assert!(history.out.contains("failed") && history.out.ends_with("\nok\n"), "{history:?}");
    let log = daemon.stop();
    assert!(log.contains("full") && !log.contains("panicked") && !log.contains("bug"), "{log}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused_unchanged() {
    let world = World::with(&["a=1", "d/b=2"]);
    let before = sums(&world);
    let script = "
        mount --bind $DATA $DATA; mount -o remount,bind,ro $DATA
        for command in sync daemon 'repo rename tree other'; do
            $WK --data-dir $DATA $command < /dev/null && exit 9 || echo code $?
        done
    ";
    let test = "a_data_directory_that_cannot_be_written";
    let Some(said) = in_mount_namespace(test, &world, script) else { return };
    assert_eq!((said.code, said.out.matches("code 1\n").count()), (0, 3), "{said:?}");
    assert_eq!(said.err.matches("Read-only file system").count(), 3, "{said:?}");
    assert_no_panic(&said);
    assert_eq!(sums(&world), before);
    world.ok(&["sync"]);
}

#[test]
fn without_an_engine_all_can_be_read_on_a_disk_that_is_full_or_mounted_read_only() {
    let world = World::empty();
    world.put("a=1");
    fs::create_dir(&world.data).unwrap();
    let script = r#"
        wk() { $WK --data-dir $DATA "$@"; }
        mount -t tmpfs -o size=8m none $DATA; chmod 700 $DATA
        wk repo add $TREE --quiet
        look() {
            wk history --json | grep -c '"completed"'; wk files tree; wk verify-log | grep -o 'equal sums'
            wk status --json | grep -o '"state":"[a-z_]*"'; wk why tree a | head -1; wk doctor | grep -c ^fail || true
            ! wk sync --quiet
        }
        mount -o remount,ro $DATA; look
        mount -o remount,rw $DATA; head -c 9000000 /dev/zero > $DATA/fill || true; look
        rm $DATA/fill; wk sync --quiet && echo goes on
    "#;
    let test = "without_an_engine_all_can_be_read";
    let Some(said) = in_mount_namespace(test, &world, script) else { return };
    let looks: Vec<&str> = said.out.lines().collect();
    assert!(said.code == 0 && looks.len() == 13 && looks[..6] == looks[6..12] && looks[12] == "goes on", "{said:?}");
    assert!(looks[1].ends_with("6b86b273ff34  a") && looks[4].starts_with("path"), "{said:?}");
    assert_eq!((looks[0], looks[2], looks[3], looks[5]), ("1", "equal sums", r#""state":"stale""#, "0"), "{said:?}");
    assert!(said.err.contains("engine.lock cannot be written: Read-only file system"), "{said:?}");
    assert_no_panic(&said);
}

#[test]
fn a_data_directory_of_another_user_is_refused_unchanged() {
    let test = "a_data_directory_of_another_user";
    if !can(test, &[&as_nobody()[..], &["true"]].concat()) {
        return;
    }
    let world = World::with(&["a=1"]);
    fs::set_permissions(world.temp.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let before = sums(&world);
    let elsewhere = world.temp.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for (data, expected) in [(world.data.clone(), "belongs to user 0"), (elsewhere.join("new"), "Permission denied")] {
        for command in [["sync"], ["status"], ["daemon"]] {
            let mut nobody = Command::new("setpriv");
            nobody.args(&as_nobody()[1..]).arg(BINARY).arg("--data-dir").arg(&data).args(command);
            let said = said(nobody.env("HOME", world.temp.path()));
            let is_refused = said.code == 1 && (said.err.contains(expected) || said.err.contains("Permission denied"));
            // Where nothing is yet there is nothing to say of it either.
            assert!(is_refused || command == ["status"] && data != world.data, "{command:?}: {said:?}");
            assert_no_panic(&said);
        }
    }
    // Root could write there, and would leave files that their owner cannot use.
    let owned = Command::new("chown").args(["-R", "65534"]).arg(&world.data).status().unwrap();
    assert!(owned.success());
    for command in [["sync"], ["daemon"]] {
        let said = world.exits(1, &command);
        assert!(said.err.contains("belongs to user 65534"), "{said:?}");
    }
    assert_eq!(sums(&world), before);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_data_directory_that_others_can_write_is_refused_unchanged() {
    let world = World::with(&["a=1"]);
    let before = sums(&world);
    for mode in [0o770, 0o702, 0o777] {
        fs::set_permissions(&world.data, PermissionsExt::from_mode(mode)).unwrap();
        for command in [&["sync"][..], &["daemon"], &["repo", "rename", "tree", "other"]] {
            let said = world.exits(1, command);
            assert!(said.err.contains("others can write to it") && said.err.contains("chmod 700"), "{said:?}");
        }
    }
    assert_eq!(sums(&world), before);
    fs::set_permissions(&world.data, PermissionsExt::from_mode(0o700)).unwrap();
    world.ok(&["sync"]);
}

#[test]
fn without_inodes_for_our_files_it_says_so_and_goes_on_when_there_are_some() {
    let world = World::with(&["a=1"]);
    let script = "
        mount -t tmpfs -o nr_inodes=3 none $DATA; chmod 700 $DATA
        $WK --data-dir $DATA repo add $TREE --name other && exit 9 || echo code $?
        mount -o remount,nr_inodes=100 $DATA
        $WK --data-dir $DATA repo add $TREE --name other && $WK --data-dir $DATA files other
        sqlite3 $DATA/index.db 'PRAGMA integrity_check'
    ";
    let Some(said) = in_mount_namespace("without_inodes", &world, script) else { return };
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("code 1\n") && said.out.contains("a") && said.out.ends_with("ok\n"), "{said:?}");
    assert!(!said.err.is_empty(), "{said:?}");
    assert_no_panic(&said);
}
