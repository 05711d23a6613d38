//! Doors: who may speak to the engine, what it opens, what it listens on, and the modes of what it leaves on the disk.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::super::engine::Daemon;
use super::super::resident::{QUICK, can};
use super::super::world::{World, said};
use super::as_nobody;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Asks by `curl`, started by these words; returns the status, `000` where there was no answer.
fn curl(world: &World, words: &[&str], path: &str, args: &[&str]) -> String {
    let all = [words, &["curl", "-sS", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}"], args].concat();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]).arg("--unix-socket").arg(world.data.join("engine.sock"));
    said(command.arg(format!("http://localhost{path}"))).out
}

/// A daemon at work, traced by a `strace` that stands beside it and not above.
fn traced(world: &World, calls: &str) -> Option<Daemon> {
    can("traced", &["strace", "-o", "/dev/null", "true"]).then(|| {
        let trace = world.temp.path().join("trace");
        let strace = ["strace", "-f", "-D", "-y", "-o", trace.to_str().unwrap(), "-e", calls];
        Daemon::ready_in(world, &strace)
    })
}

#[test]
fn another_user_is_turned_away_even_when_the_directory_was_opened_to_him() {
    let test = "another_user_is_turned_away";
    let nobody = as_nobody();
    if !can(test, &[&nobody[..], &["curl", "--version"]].concat()) {
        return;
    }
    let world = World::with(&["a=1"]);
    mode(world.temp.path(), 0o755);
    let daemon = Daemon::ready(&world);
    assert_eq!(curl(&world, &[], "/api/sync/status", &[]), "200");
    assert_eq!(curl(&world, &nobody, "/api/sync/status", &[]), "000", "the directory keeps him out");
    mode(&world.data, 0o711);
    assert_eq!(curl(&world, &nobody, "/api/sync/status", &[]), "000", "the socket keeps him out");
    mode(&world.data.join("engine.sock"), 0o666);
    for path in ["/api/sync/status", "/metrics", "/api/sync/repositories/tree/files"] {
        assert_eq!(curl(&world, &nobody, path, &[]), "000", "the engine asks who he is");
    }
    assert_eq!(curl(&world, &nobody, "/api/sync/pause", &["-X", "POST"]), "000");
    assert_eq!(curl(&world, &[], "/api/sync/status", &[]), "200", "and still serves its own user");
    assert_ne!(world.status()["state"], "paused");
    let log = daemon.stop();
    assert!(log.contains("another user's connection was closed"), "{log}");
}

#[test]
fn no_request_makes_the_engine_open_what_lies_outside_of_a_tree() {
    if !can("no_request_makes_the_engine_open", &["curl", "--version"]) {
        return;
    }
    let world = World::with(&["a=1", "d/b=2"]);
    let secret = world.temp.path().join("outside/secret");
    fs::create_dir_all(secret.parent().unwrap()).unwrap();
    fs::write(&secret, "secret").unwrap();
    symlink(secret.parent().unwrap(), world.path("out")).unwrap();
    world.ok(&["sync"]);
    let Some(daemon) = traced(&world, "trace=open,openat,openat2,execve") else { return };
    world.wait_for_state("tree", "in_sync");
    let names = ["..", "%2e%2e", "..%2f..%2foutside", "tree%2f..", "%00", "tree%00", "%2foutside%2fsecret", "."];
    for name in names {
        for end in ["", "/files", "/changes", "/problems", "/damage", "/held"] {
            let path = format!("/api/sync/repositories/{name}{end}");
            let status = curl(&world, &[], &path, &[]);
            assert!(["400", "404", "405"].contains(&status.as_str()), "{path}: {status}");
        }
    }
    for path in ["/../../etc/passwd", "/api/sync/runs/..%2f..%2fx/log", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"] {
        assert_eq!(curl(&world, &[], path, &[]), "404", "{path}");
    }
    let post = |path: &str, body: &str| {
        curl(&world, &[], path, &["-X", "POST", "-H", "Content-Type: application/json", "-d", body])
    };
    let absolute = secret.to_str().unwrap();
    for path in ["../outside/secret", "d/../../outside/secret", absolute, "d//b", "a\\u0000", ".."] {
        for place in ["single", "repositories/tree/damage/accept"] {
            let body = match place {
                "single" => format!(r#"{{"repository":"tree","paths":["{path}"]}}"#),
                _ => format!(r#"{{"paths":["{path}"]}}"#),
            };
            assert_eq!(post(&format!("/api/sync/{place}"), &body), "400", "{place} {path}");
        }
    }
    // A link on the way is a name like others: asked for it, the engine does not walk through it.
    world.wk(&["sync", "tree", "--path", "out/secret"]);
    assert!(!world.index().keys().any(|path| path.ends_with(b"secret")));
    daemon.stop();
    let trace = fs::read_to_string(world.temp.path().join("trace")).unwrap();
    let outside = trace.lines().find(|line| line.contains("secret\"") || line.contains("passwd"));
    assert!(trace.lines().count() > 20, "the trace was written");
    assert!(outside.is_none_or(|line| line.contains("= -1")), "{outside:?}");
}

#[test]
fn nothing_listens_but_the_socket_and_no_connection_goes_out() {
    let world = World::empty();
    world.config(QUICK);
    world.put("a=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let calls = "trace=socket,bind,listen,connect,accept4,sendto,sendmsg,sendmmsg";
    let Some(daemon) = traced(&world, calls) else { return };
    world.wait_for_state("tree", "in_sync");
    world.put("b=2");
    world.wait_in_step();
    for args in [&["sync"][..], &["sync", "--kind", "verify"], &["doctor"], &["digest"], &["scheduler", "status"]] {
        world.wk(args);
    }
    daemon.stop();
    let trace = fs::read_to_string(world.temp.path().join("trace")).unwrap();
    let sockets: Vec<&str> = trace.lines().filter(|line| line.contains("socket(")).collect();
    assert!(!sockets.is_empty() && sockets.iter().all(|line| line.contains("AF_UNIX")), "{sockets:#?}");
    assert!(!["AF_INET", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"].iter().any(|family| trace.contains(family)));
    let bound: Vec<&str> = trace.lines().filter(|line| line.contains(" bind(")).collect();
    assert!(bound.len() == 1 && bound[0].contains("engine.sock"), "{bound:#?}");
    // The service manager is told how it goes; nobody else is called.
    for line in trace.lines().filter(|line| line.contains(" connect(")) {
        assert!(line.contains("/notify") || line.contains("engine.sock"), "{line}");
    }
}

#[test]
fn a_link_that_was_planted_at_one_of_our_files_is_refused_and_its_target_stays() {
    let target = |world: &World| {
        let target = world.temp.path().join("victim");
        fs::write(&target, "precious").unwrap();
        target
    };
    // The socket's place taken: it is not served, and not removed.
    let world = World::with(&["a=1"]);
    let victim = target(&world);
    symlink(&victim, world.data.join("engine.sock")).unwrap();
    let said = world.wk(&["sync"]);
    assert!(said.err.contains("engine.sock"), "{said:?}");
    assert!(fs::symlink_metadata(world.data.join("engine.sock")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    // A database of somebody else's, by a link.
    let world = World::with(&["a=1"]);
    let victim = target(&world);
    fs::remove_file(world.data.join("index.db")).unwrap();
    symlink(&victim, world.data.join("index.db")).unwrap();
    world.exits(1, &["sync"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    // A runtime directory that leads elsewhere.
    let mut world = World::empty();
    world.data = world.temp.path().join("x".repeat(120)).join("data");
    let elsewhere = world.temp.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, world.temp.path().join("watchkeeper")).unwrap();
    let mut command = world.command(&["repo", "add", world.tree.to_str().unwrap()]);
    let said = super::super::world::said(command.env("XDG_RUNTIME_DIR", world.temp.path()));
    assert!(said.err.contains("is a link or no directory"), "{said:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn whatever_the_umask_our_files_are_for_us_alone() {
    let world = World::empty();
    world.config(QUICK);
    world.put("a=1");
    let open = ["sh", "-euc", "umask 000; exec \"$@\"", "sh"];
    let log = world.temp.path().join("our.log");
    let mut add = Command::new("sh");
    add.args(&open[1..])
        .arg(super::super::world::BINARY)
        .arg("--data-dir")
        .arg(&world.data)
        .arg("--log-file")
        .arg(&log);
    add.args(["-v", "repo", "add"]).arg(&world.tree).env("HOME", world.temp.path());
    assert_eq!(said(&mut add).code, 0);
    let check = |when: &str| {
        let mut seen = 0;
        for entry in walkdir::WalkDir::new(&world.data).into_iter().map(Result::unwrap) {
            let found = fs::symlink_metadata(entry.path()).unwrap();
            let expected = if found.is_dir() { 0o700 } else { 0o600 };
            let is_known = found.is_dir() || found.is_file() || found.file_type().is_socket();
            assert!(is_known, "{:?}", entry.path());
            assert_eq!(found.permissions().mode() & 0o7777, expected, "{when}: {:?}", entry.path());
            seen += 1;
        }
        seen
    };
    assert!(check("after a command") >= 2);
    let daemon = Daemon::ready_in(&world, &open);
    world.wait_for_state("tree", "in_sync");
    world.put("b=2");
    world.wait_in_step();
    // The index with its WAL and memory, the lock, the socket, what is kept for a full disk.
    assert!(check("while the daemon works") >= 7);
    daemon.stop();
    check("at the end");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o7777, 0o600);
}
