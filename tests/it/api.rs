//! Commands and `curl` through an engine that runs already in another process.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::world::{DEADLINE, World, skipped, stop, text};

/// A world beside whose repository `tree` another one, `busy`, is being read by an engine in the background.
struct Running {
    world: World,
    engine: Child,
}

impl Running {
    fn new() -> Running {
        let world = World::with(&["a", "d/b"]);
        let busy = world.temp.path().join("busy");
        fs::create_dir(&busy).unwrap();
        // No blocks, and minutes to hash.
        fs::File::create(busy.join("large")).unwrap().set_len(200 << 30).unwrap();
        world.ok(&["repo", "add", busy.to_str().unwrap(), "--no-sync"]);
        let mut command = world.command(&["sync", "busy", "--quiet"]);
        let engine = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running { world, engine };
        let is_written = || !running.world.json(&["history", "busy"]).is_empty();
        running.wait("the busy run", || running.state("busy") == "syncing" && is_written());
        running
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(Instant::now() < until, "no {what}");
        }
    }

    fn state(&self, name: &str) -> String {
        text(&self.world.json(&["status", name])[0]["state"]).unwrap()
    }

    fn is_alive(&mut self) -> bool {
        self.engine.try_wait().unwrap().is_none()
    }

    fn signal(&self, name: &str, child: &Child) {
        let done = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Asks by `curl`; returns the status and the object.
    fn curl(&self, args: &[&str], path: &str) -> (u16, Value) {
        let mut command = Command::new("curl");
        command.args(["-sS", "-w", "\n%{http_code}", "--unix-socket"]).arg(self.world.data.join("engine.sock"));
        let (status, body) = said(command.args(args).arg(format!("http://localhost/api/sync/{path}")));
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}")))
    }

    fn metrics(&self) -> (u16, String) {
        let mut command = Command::new("curl");
        command.args(["-sS", "-w", "\n%{http_code}", "--unix-socket"]).arg(self.world.data.join("engine.sock"));
        said(command.arg("http://localhost/metrics"))
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        self.curl(&["-X", "POST", "-H", "Content-Type: application/json", "-d", body], path)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.engine.kill();
        let _gone = self.engine.wait();
    }
}

fn has_curl(test: &str) -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    if !found {
        skipped(test, "no curl");
    }
    found
}

/// Returns the status and the body that curl was told to print.
fn said(command: &mut Command) -> (u16, String) {
    let done = command.output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn a_command_beside_a_running_engine_goes_through_it() {
    let mut running = Running::new();
    let world = &running.world;
    world.put("c");
    assert_eq!(text(&world.sync(&["tree"])["outcome"]).as_deref(), Some("completed"));
    assert_eq!(world.last_changes(), ["added c"]);
    let instance = |run: &Value| text(&run["instance"]).unwrap();
    let runs = world.json(&["history", "-n", "2"]);
    assert_eq!(instance(&runs[0]), instance(&runs[1]), "both runs are of the same process");
    world.ok(&["repo", "set", "tree", "exclude=*.iso"]);
    world.ok(&["repo", "pause", "tree"]);
    assert_eq!(running.state("tree"), "paused");
    world.exits(1, &["sync", "tree"]);
    world.ok(&["repo", "resume", "tree"]);
    world.ok(&["repo", "rename", "tree", "photos"]);
    world.exits(1, &["repo", "rename", "busy", "b"]);
    world.exits(2, &["repo", "set", "photos", "nonsense=1"]);
    world.exits(1, &["sync", "nobody"]);
    world.exits(1, &["problems", "--ack", "99"]);
    world.ok(&["scheduler", "status"]);
    fs::create_dir(world.temp.path().join("more")).unwrap();
    world.ok(&["repo", "add", world.temp.path().join("more").to_str().unwrap()]);
    world.ok(&["repo", "remove", "more", "--yes"]);
    let queued = &world.json(&["sync", "photos", "--no-wait"])[0];
    assert_eq!(text(&queued["repository"]).as_deref(), Some("photos"));
    let run_id = text(&queued["run_id"]).unwrap();
    running.wait("its end", || world.json(&["history", &run_id]).iter().any(|run| run["outcome"] == "completed"));
    assert!(running.is_alive(), "no command has ended the engine");
}

#[test]
fn ctrl_c_leaves_a_foreign_run_alone_unless_it_is_told_to_cancel_it() {
    let mut running = Running::new();
    let sync = |args: &[&str]| {
        let args = [&["sync", "tree"], args].concat();
        running.world.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // A run of its own to be cancelled: another file that takes minutes.
    fs::File::create(running.world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let child = sync(&[]);
    running.wait("a run of it", || running.state("tree") == "syncing");
    running.signal("INT", &child);
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&done.stderr).contains("goes on"), "{done:?}");
    assert_eq!(running.state("tree"), "syncing");
    running.world.ok(&["cancel", "tree"]);
    running.wait("its end", || running.state("tree") != "syncing");
    let child = sync(&["--cancel-on-interrupt"]);
    running.wait("a second run", || running.state("tree") == "syncing");
    running.signal("INT", &child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    running.wait("its end", || running.state("tree") != "syncing");
    assert_eq!(running.world.json(&["history", "-n", "1"])[0]["outcome"], "cancelled");
    assert_eq!(running.state("busy"), "syncing");
    assert!(running.is_alive());
}

#[test]
fn an_engine_ends_only_when_it_has_done_what_others_have_asked_for() {
    let mut running = Running::new();
    fs::File::create(running.world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let run_id = text(&running.world.json(&["sync", "tree", "--no-wait"])[0]["run_id"]).unwrap();
    running.wait("the second run", || running.state("tree") == "syncing");
    running.world.ok(&["cancel", "busy"]);
    running.wait("the end of the first", || running.state("busy") != "syncing");
    assert_eq!(running.state("tree"), "syncing");
    assert!(running.is_alive());
    running.world.ok(&["cancel", "--run", &run_id]);
    assert_eq!(running.engine.wait().unwrap().code(), Some(1), "its own sync was cancelled by another command");
    assert!(!running.world.data.join("engine.sock").exists());
}

#[test]
fn an_engine_that_is_killed_fails_who_waits_for_it_and_leaves_a_socket_that_is_no_hindrance() {
    let mut running = Running::new();
    fs::File::create(running.world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let mut command = running.world.command(&["sync", "tree"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Its start is written a moment after the engine says that it is syncing.
    let open = "SELECT count(*) FROM runs WHERE repository = 'tree' AND outcome IS NULL";
    running.wait("who waits", || running.world.sqlite(open) == "1" && running.state("tree") == "syncing");
    running.engine.kill().unwrap();
    running.engine.wait().unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("ended before"), "{done:?}");
    fs::remove_file(running.world.path("large")).unwrap();
    assert!(running.world.data.join("engine.sock").exists());
    assert_eq!(running.state("tree"), "pending");
    running.world.ok(&["sync", "tree"]);
    assert!(!running.world.data.join("engine.sock").exists());
}

#[test]
fn a_silent_engine_is_passed_over_by_status_and_named_by_the_rest() {
    let running = Running::new();
    stop(running.engine.id());
    assert_eq!(running.state("tree"), "stale");
    assert_eq!(running.state("busy"), "syncing");
    let said = running.world.exits(6, &["sync", "tree"]);
    assert!(said.err.contains(&format!("pid {}", running.engine.id())), "{said:?}");
    running.world.exits(6, &["cancel", "busy"]);
    running.signal("CONT", &running.engine);
}

#[test]
fn only_this_user_reaches_the_socket() {
    let running = Running::new();
    let found = fs::symlink_metadata(running.world.data.join("engine.sock")).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    drop(running);
    // A directory that others can reach into is not served from; the work is done all the same.
    let world = World::with(&["a"]);
    fs::set_permissions(&world.data, PermissionsExt::from_mode(0o755)).unwrap();
    let said = world.ok(&["sync"]);
    assert!(said.err.contains("chmod 700"), "{said:?}");
}

#[test]
fn curl_can_do_what_the_command_line_can() {
    if !has_curl("curl_can_do_what_the_command_line_can") {
        return;
    }
    let running = Running::new();
    let (status, health) = running.curl(&[], "health");
    assert_eq!((status, &health["state"]), (200, &"ok".into()));
    running.world.put("c");
    let (status, accepted) = running.post("full", r#"{"repositories":["tree"]}"#);
    assert_eq!(status, 202);
    let run_id = text(&accepted["runs"][0]["run_id"]).unwrap();
    running.wait("its end", || running.curl(&[], &format!("runs/{run_id}")).1["outcome"] == "completed");
    let (_, log) = running.curl(&[], &format!("runs/{run_id}/log"));
    assert!(log["log"].as_array().is_some_and(|lines| !lines.is_empty()), "{log}");
    let (_, page) = running.curl(&[], "repositories/tree/files?limit=1");
    assert_eq!((&page["files"][0]["path"], &page["next"]), (&"a".into(), &1.into()));
    let (_, page) = running.curl(&[], "repositories/tree/files?limit=1&after=2");
    assert_eq!((&page["files"][0]["path"], &page["next"]), (&"d/b".into(), &().into()));
    let (_, page) = running.curl(&[], "repositories/tree/changes?verdict=added");
    assert_eq!(page["changes"].as_array().map(Vec::len), Some(1));
    let (_, page) = running.curl(&[], "history?limit=1&repository=tree");
    let (newest, next) = (page["runs"][0]["number"].as_i64().unwrap(), page["next"].as_i64().unwrap());
    assert_eq!(newest, next);
    let (_, older) = running.curl(&[], &format!("history?limit=1&repository=tree&after={next}"));
    assert!(older["runs"][0]["number"].as_i64().unwrap() < newest);
    let (_, status) = running.curl(&[], "status?repository=busy");
    assert!(status["repositories"][0]["last_run"]["progress"]["bytes_done"].is_u64(), "{status}");
    let (status, text) = running.metrics();
    assert!(status == 200 && text.contains("watchkeeper_files{repository=\"tree\"} 3.0\n"), "{text}");
    assert_eq!(running.post("full", "[]").0, 400, "a list is not the keys in their order");
    assert_eq!(running.post("full", r#"{"repositories":["nobody"]}"#).0, 404);
    assert_eq!(running.post("single", r#"{"repository":"tree","paths":["../x"]}"#).0, 400);
    assert_eq!(running.curl(&["-X", "POST", "-d", "{}"], "full").0, 415);
    assert_eq!(running.curl(&["-X", "DELETE"], "repositories/busy").0, 409);
    let rename = ["-X", "PATCH", "-H", "Content-Type: application/json", "-d", r#"{"name":"busy"}"#];
    let (status, taken) = running.curl(&rename, "repositories/tree");
    assert_eq!((status, &taken["error"]["code"]), (409, &"conflict".into()), "{taken}");
    assert_eq!(running.curl(&[], "full").0, 405);
    assert_eq!(running.curl(&["-X", "POST"], "repositories/tree/pause").0, 200);
    assert_eq!(running.post("full", r#"{"repositories":["tree"]}"#).0, 409);
    let (status, added) = running.post(
        "repositories",
        &format!(r#"{{"path":"{}","name":"data2"}}"#, running.world.temp.path().join("none").display()),
    );
    assert_eq!((status, &added["error"]["code"]), (400, &"invalid".into()), "{added}");
    let (status, cancelled) = running.post("cancel", r#"{"repositories":["busy"]}"#);
    assert_eq!((status, &cancelled["count"]), (200, &1.into()));
}

#[test]
fn a_data_directory_too_deep_for_a_socket_is_reached_by_the_runtime_directory() {
    let mut world = World::empty();
    world.data = world.temp.path().join("x".repeat(120)).join("data");
    world.put("large");
    fs::File::create(world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let run = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("XDG_RUNTIME_DIR", world.temp.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    run(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]).status().unwrap();
    let mut engine = run(&["sync"]).spawn().unwrap();
    let until = Instant::now() + DEADLINE;
    while !run(&["cancel"]).status().unwrap().success() {
        assert!(Instant::now() < until, "the run cannot be cancelled");
    }
    assert_eq!(engine.wait().unwrap().code(), Some(1));
    let left: Vec<_> = fs::read_dir(world.temp.path().join("watchkeeper")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
