//! Disks that do not answer, or answer with an error. At a mount whose other side is silent whoever looks waits in the
//! kernel, for ever.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::engine::Daemon;
use super::super::resident::{QUICK, can};
use super::super::world::{BINARY, World, said};

/// A process that is killed when this is dropped.
///
/// The first holds a FUSE mount over a directory in a daemon's namespace, and answers nothing. When it is gone the kernel
/// ends the connection, and everyone who waited gets an error.
struct Silence(Child);

impl Silence {
    fn over(directory: &str, daemon: &Daemon) -> Silence {
        let options = "fd=3,rootmode=40000,user_id=0,group_id=0";
        let script =
            format!("exec 3<>/dev/fuse; mount -i -t fuse -o {options} silent {directory}; echo done; read end");
        let mut command = Command::new("nsenter");
        command.args(["-t", &daemon.child.id().to_string(), "-m", "sh", "-euc", &script]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next();
        assert_eq!(line.map(Result::unwrap).as_deref(), Some("done"));
        Silence(child)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Tells whether a thread of the daemon waits for an answer.
fn waits(daemon: &Daemon) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap().flatten();
    let place = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("wchan")).unwrap_or_default();
    threads.map(place).any(|place| place.contains("fuse") || place.contains("request_wait"))
}

#[test]
fn a_mount_that_hangs_holds_up_no_other_repository_and_not_the_end() {
    let test = "a_mount_that_hangs";
    let attempt = "exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent /mnt";
    if !can(test, &["unshare", "-m", "sh", "-euc", attempt]) {
        return;
    }
    let world = World::empty();
    world.config(QUICK);
    let hung = world.temp.path().join("hung");
    fs::create_dir(&hung).unwrap();
    fs::write(hung.join("kept"), "1").unwrap();
    world.put("a=1");
    for root in [world.tree.to_str().unwrap(), hung.to_str().unwrap()] {
        world.ok(&["repo", "add", root, "--no-sync"]);
    }
    let daemon = Daemon::ready_in(&world, &["unshare", "-m"]);
    world.wait_for_state("tree", "in_sync");
    world.wait_for_state("hung", "in_sync");
    let silence = Silence::over(hung.to_str().unwrap(), &daemon);
    let asked = Silence(world.command(&["sync", "hung"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    world.wait("the engine has looked at it", || waits(&daemon), |is_so| *is_so);
    for number in 0..5 {
        world.put(&format!("new{number}=1"));
        let files = || world.json(&["status", "tree"])[0]["total_files"].as_u64();
        world.wait("the other one goes on", files, |files| *files == Some(number + 2));
        world.ok(&["sync", "tree"]);
    }
    // It would do the work itself when the engine has gone.
    drop(asked);
    // The manager that stops it waits no longer than this before it kills.
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.wait_for("STOPPING=1");
    let log = daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{log}");
    drop(silence);
    assert_eq!(world.sqlite("SELECT count(*) FROM runs WHERE outcome IS NULL"), "0", "{log}");
    assert_eq!(world.json(&["files", "hung"]).len(), 1, "what could not be seen is not gone");
    world.ok(&["sync"]);
}

#[test]
fn a_root_that_hangs_before_anything_was_asked_holds_up_no_other_repository_and_not_the_end() {
    let world = World::empty();
    let hung = world.temp.path().join("hung");
    fs::create_dir(&hung).unwrap();
    fs::write(hung.join("kept"), "1").unwrap();
    world.put("a=1");
    for root in [world.tree.to_str().unwrap(), hung.to_str().unwrap()] {
        world.ok(&["repo", "add", root, "--quiet"]);
    }
    // Mounted before the engine starts: its first look at this root finds nobody.
    let mount = format!(
        "exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent '{}'; exec \"$@\"",
        hung.display()
    );
    let in_silence = ["unshare", "-m", "sh", "-euc", &mount, "sh"];
    if !can("a_root_that_hangs_before", &[&in_silence[..], &["true"]].concat()) {
        return;
    }
    world.config(QUICK);
    let daemon = Daemon::ready_in(&world, &in_silence);
    world.wait_for_state("tree", "in_sync");
    world.put("b=2");
    let files = || world.json(&["status", "tree"])[0]["total_files"].as_u64();
    world.wait("the other one goes on", files, |files| *files == Some(2));
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.wait_for("STOPPING=1");
    let log = daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{log}");
    assert_eq!(world.sqlite("SELECT count(*) FROM runs WHERE outcome IS NULL"), "0", "{log}");
    assert_eq!(world.json(&["files", "hung"]).len(), 1, "what could not be seen is not gone");
}

#[test]
fn a_directory_or_file_that_the_disk_cannot_read_is_a_problem_and_the_others_are_read() {
    if !can("a_directory_or_file_that_the_disk", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["bad/a=1", "bad/deep/b=2", "good/c=3", "d=4"]);
    for (path, call) in [("bad", "getdents64"), ("d", "read,pread64")] {
        fs::write(world.path("good/c"), format!("changed before {path}")).unwrap();
        let calls = [format!("trace={call}"), format!("inject={call}:error=EIO")];
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-P"]).arg(world.path(path)).args(["-e", &calls[0], "-e", &calls[1]]);
        strace.arg(BINARY).arg("--data-dir").arg(&world.data).args(["sync", "--kind", "verify"]);
        let said = said(strace.env("HOME", world.temp.path()));
        assert_eq!(said.code, 3, "{path}: {said:?}");
        assert!(said.out.contains("partial"), "{said:?}");
        let problems = world.json(&["problems"]);
        assert_eq!((problems.len(), &problems[0]["path"], &problems[0]["class"]), (1, &path.into(), &"io".into()));
        assert_eq!(world.last_changes(), ["edited good/c"]);
        assert_eq!(world.index().len(), 4);
        world.ok(&["sync", "--kind", "verify"]);
        assert_eq!(world.json(&["problems"]).len(), 0, "it closes by itself");
        world.assert_in_step();
    }
}
