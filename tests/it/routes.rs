//! Every route by `curl`, as the OpenAPI description names them; and an event stream that goes on after a lost line.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::engine::Daemon;
use super::resident::QUICK;
use super::world::{World, skipped, text};

fn has_curl(test: &str) -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    if !found {
        skipped(test, "no curl");
    }
    found
}

/// Returns the status, the type of the content and the content.
fn curl(world: &World, method: &str, path: &str, body: Option<&str>) -> (u16, String, String) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-X", method, "-w", "\n%{content_type}\n%{http_code}", "--unix-socket"]);
    curl.arg(world.data.join("engine.sock"));
    if let Some(body) = body {
        curl.args(["-H", "Content-Type: application/json", "-d", body]);
    }
    let said = String::from_utf8(curl.arg(format!("http://localhost{path}")).output().unwrap().stdout).unwrap();
    let mut parts = said.rsplitn(3, '\n');
    let (status, kind) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().to_owned());
    (status, kind, parts.next().unwrap_or_default().to_owned())
}

/// Method, route as it is described, what is asked for instead of its names, the body, the status, a key of the answer.
type Asked = (&'static str, &'static str, &'static str, Option<&'static str>, u16, &'static str);

/// In an order in which each finds what it needs.
const ASKED: &[Asked] = &[
    ("GET", "/api/sync/health", "", None, 200, "running"),
    ("GET", "/api/sync/version", "", None, 200, "version"),
    ("GET", "/api/sync/doctor", "", None, 200, "checks"),
    ("GET", "/api/sync/openapi.json", "", None, 200, "openapi"),
    ("GET", "/api/sync/status", "", None, 200, "repositories"),
    ("GET", "/api/sync/stats", "?since=1d", None, 200, "stats"),
    ("GET", "/api/sync/history", "?repository=tree&kind=full&limit=1", None, 200, "runs"),
    ("GET", "/api/sync/history", "?kind=nonsense", None, 400, "error"),
    ("GET", "/api/sync/history", "?limit=0", None, 400, "error"),
    ("GET", "/api/sync/runs/{run}", "1", None, 200, "run_id"),
    ("GET", "/api/sync/runs/{run}", "4711", None, 404, "error"),
    ("GET", "/api/sync/runs/{run}/log", "1", None, 200, "log"),
    ("POST", "/api/sync/runs/{run}/cancel", "1", None, 200, "count"),
    ("POST", "/api/sync/full", "", Some("{}"), 202, "runs"),
    ("POST", "/api/sync/full", "", Some(r#"{"repositories":["tree"],"plan":true}"#), 200, "plans"),
    ("POST", "/api/sync/full", "", Some(r#"{"repository":"nobody"}"#), 404, "error"),
    ("POST", "/api/sync/incremental", "", Some(r#"{"repositories":["tree"]}"#), 202, "runs"),
    ("POST", "/api/sync/verify", "", Some(r#"{"repository":"tree","max_bytes":1000}"#), 202, "runs"),
    ("POST", "/api/sync/cleanup", "", Some("{}"), 202, "runs"),
    ("POST", "/api/sync/single", "", Some(r#"{"repository":"tree","paths":["a"]}"#), 202, "runs"),
    ("POST", "/api/sync/single", "", Some("{}"), 400, "error"),
    ("POST", "/api/sync/cancel", "", Some("{}"), 200, "count"),
    ("POST", "/api/sync/pause", "", Some(r#"{"repositories":["tree"]}"#), 200, "count"),
    ("POST", "/api/sync/resume", "", Some("{}"), 200, "count"),
    ("POST", "/api/sync/complete", "", Some(r#"{"path":"/tm"}"#), 200, "directories"),
    ("POST", "/api/sync/estimate", "", Some(r#"{"path":"OTHER"}"#), 200, "files"),
    ("GET", "/api/sync/repositories", "", None, 200, "repositories"),
    ("POST", "/api/sync/repositories", "", Some(r#"{"path":"OTHER"}"#), 201, "repository"),
    ("POST", "/api/sync/repositories", "", Some(r#"{"path":"OTHER","if_not_exists":true}"#), 200, "repository"),
    ("POST", "/api/sync/repositories", "", Some(r#"{"path":"OTHER"}"#), 409, "error"),
    ("POST", "/api/sync/repositories", "", Some(r#"{"path":"relative"}"#), 400, "error"),
    ("GET", "/api/sync/repositories/{name}", "tree", None, 200, "settings"),
    ("GET", "/api/sync/repositories/{name}", "nobody", None, 404, "error"),
    ("PATCH", "/api/sync/repositories/{name}", "tree", Some(r#"{"sync.full_every":"12h"}"#), 200, "count"),
    ("POST", "/api/sync/repositories/{name}/pause", "tree", None, 200, "count"),
    ("POST", "/api/sync/repositories/{name}/resume", "tree", None, 200, "count"),
    ("GET", "/api/sync/repositories/{name}/files", "tree", None, 200, "files"),
    ("GET", "/api/sync/repositories/{name}/changes", "tree", None, 200, "changes"),
    ("GET", "/api/sync/repositories/{name}/problems", "tree", None, 200, "problems"),
    ("GET", "/api/sync/repositories/{name}/damage", "tree", None, 200, "damage"),
    ("POST", "/api/sync/repositories/{name}/damage/accept", "tree", None, 200, "count"),
    ("GET", "/api/sync/repositories/{name}/held", "tree", None, 200, "held"),
    ("POST", "/api/sync/repositories/{name}/held/dismiss", "tree", None, 200, "count"),
    ("POST", "/api/sync/repositories/{name}/held/accept", "tree", None, 202, "runs"),
    ("POST", "/api/sync/held/dismiss", "", Some("{}"), 200, "count"),
    ("POST", "/api/sync/problems/ack", "", Some(r#"{"ids":[4711]}"#), 400, "error"),
    ("DELETE", "/api/sync/repositories/{name}", "other", None, 200, "count"),
    ("PATCH", "/api/sync/scheduler", "", Some(r#"{"full_every":"12h"}"#), 200, "count"),
    ("GET", "/api/sync/scheduler/status", "", None, 200, "running"),
    ("POST", "/api/sync/scheduler/stop", "", None, 200, "count"),
    ("POST", "/api/sync/scheduler/start", "", None, 200, "count"),
];

#[test]
fn every_route_of_the_description_answers_to_curl_and_no_other_does() {
    if !has_curl("every_route_of_the_description") {
        return;
    }
    let world = World::with(&["a=1", "d/b=2"]);
    let other = world.temp.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let (_, _, health) = curl(&world, "GET", "/api/sync/health", None);
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((&health["state"], &health["repositories"]["in_sync"]), (&"ok".into(), &1.into()), "{health}");
    let (_, kind, description) = curl(&world, "GET", "/api/sync/openapi.json", None);
    assert_eq!(kind, "application/json");
    let description: Value = serde_json::from_str(&description).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    // These two have other answers than JSON, and are looked at elsewhere.
    let mut asked =
        BTreeSet::from([("GET".to_owned(), "/metrics".to_owned()), ("GET".to_owned(), "/api/sync/events".to_owned())]);
    for (method, route, given, body, expected, key) in ASKED {
        asked.insert(((*method).to_owned(), (*route).to_owned()));
        let path = match route.contains('{') {
            true => route.replace("{name}", given).replace("{run}", given),
            false => format!("{route}{given}"),
        };
        let body = body.map(|body| body.replace("OTHER", other.to_str().unwrap()));
        if *method == "PATCH" {
            // It is refused while one of the runs that were asked for goes on.
            world.wait_for_state("tree", "in_sync");
        }
        let (status, kind, said) = curl(&world, method, &path, body.as_deref());
        assert_eq!((status, kind.as_str()), (*expected, "application/json"), "{method} {path}: {said}");
        let json: Value = serde_json::from_str(&said).unwrap();
        assert!(json.get(key).is_some(), "{method} {path}: {said}");
        assert!(status < 400 || json["error"]["code"].is_string() && json["error"]["message"].is_string(), "{said}");
    }
    assert_eq!(asked, described);
    world.wait_for_state("tree", "in_sync");
    std::fs::rename(&world.tree, world.temp.path().join("away")).unwrap();
    world.exits(1, &["sync", "--quiet"]);
    let health = curl(&world, "GET", "/api/sync/health", None);
    assert!(health.0 == 200 && health.2.contains(r#""state":"missing""#), "{health:?}");
    for (method, path, expected) in
        [("GET", "/api/sync/nonsense", 404), ("DELETE", "/api/sync/status", 405), ("GET", "/", 404)]
    {
        assert_eq!(curl(&world, method, path, None).0, expected, "{method} {path}");
    }
    daemon.stop();
}

#[test]
fn the_description_holds_every_shape_that_it_names() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(text));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    if !has_curl("the_description_holds") {
        return;
    }
    let world = World::with(&["a=1"]);
    let daemon = Daemon::ready(&world);
    let description: Value = serde_json::from_str(&curl(&world, "GET", "/api/sync/openapi.json", None).2).unwrap();
    let mut named = BTreeSet::new();
    references(&description, &mut named);
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let pointer = name.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{name} is not there");
    }
    daemon.stop();
}

/// A stream of events, as the lines of one after the other.
struct Events {
    curl: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Events {
    fn open(world: &World, last: Option<&str>) -> Events {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-N", "--unix-socket"]).arg(world.data.join("engine.sock"));
        if let Some(last) = last {
            curl.args(["-H", &format!("Last-Event-ID: {last}")]);
        }
        let mut curl = curl.arg("http://localhost/api/sync/events").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(curl.stdout.take().unwrap()).lines();
        Events { curl, lines }
    }

    /// Returns the id and the name of the next one.
    fn next(&mut self) -> (String, String) {
        let (mut id, mut name) = (String::new(), String::new());
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            match line.split_once(": ") {
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("event", value)) => value.clone_into(&mut name),
                _ if line.is_empty() && !name.is_empty() => return (id, name),
                _ => {}
            }
        }
        panic!("the stream has ended");
    }

    /// Passes over everything up to an event of this name; returns its id.
    fn until(&mut self, wanted: &str) -> String {
        loop {
            let (id, name) = self.next();
            if name == wanted {
                return id;
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _gone = self.curl.kill();
        let _gone = self.curl.wait();
    }
}

#[test]
fn who_comes_back_to_the_events_with_the_last_id_misses_none_and_hears_none_twice() {
    if !has_curl("who_comes_back_to_the_events") {
        return;
    }
    let world = World::with(&["a=1"]);
    world.config(QUICK);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let mut first = Events::open(&world, None);
    assert_eq!(first.next().1, "snapshot");
    world.ok(&["sync", "--quiet"]);
    let last = first.until("run_started");
    drop(first);
    // What happens while nobody listens.
    world.ok(&["sync", "--quiet"]);
    let mut second = Events::open(&world, Some(&last));
    let mut heard = Vec::new();
    while heard.iter().filter(|name| *name == "run_finished").count() < 2 {
        heard.push(second.next().1);
    }
    assert!(!heard.contains(&"snapshot".to_owned()), "it goes on where it was cut off: {heard:?}");
    assert_eq!(heard.iter().filter(|name| *name == "run_started").count(), 1, "{heard:?}");
    // An id of another engine, or none at all, begins anew.
    for unknown in ["01ARZ3NDEKTSV4RRFFQ69G5FAV-3", "nonsense"] {
        assert_eq!(Events::open(&world, Some(unknown)).next().1, "snapshot");
    }
    daemon.stop();
}
