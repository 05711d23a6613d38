//! What the server takes and what it refuses.

use super::{World, progress_of};
use crate::domain::run::Kind;
use crate::engine::protocol::{Answer, Command, Refusal, Snapshot};

/// A request is refused with this status and code, and never reaches the engine.
#[track_caller]
fn refused(world: &World, request: (&str, &str, &str), status: u16, code: &str) {
    let (method, path, body) = request;
    let (found, answer) = world.ask(method, path, body);
    assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{request:?}: {answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    assert!(world.heard.lock().unwrap().is_empty(), "{request:?} reached the engine");
}

#[test]
fn what_is_unknown_or_mistyped_is_refused_in_one_shape() {
    let world = World::idle();
    let check = |method, path, body, status, code| refused(&world, (method, path, body), status, code);
    check("GET", "/api/sync/nothing", "", 404, "unknown_route");
    check("GET", "/", "", 404, "unknown_route");
    check("GET", "/api/sync/../../etc/passwd", "", 404, "unknown_route");
    check("GET", "/api/sync/full", "", 405, "wrong_method");
    check("DELETE", "/api/sync/status", "", 405, "wrong_method");
    check("GET", "/api/sync/status?repository=b", "", 404, "unknown_repository");
    check("GET", "/api/sync/status?repositry=a", "", 400, "usage");
    check("GET", "/api/sync/repositories/..", "", 404, "unknown_repository");
    check("GET", "/api/sync/repositories/%2e%2e%2f", "", 404, "unknown_repository");
    check("GET", "/api/sync/repositories/%ff", "", 400, "usage");
    check("GET", "/api/sync/repositories/b/files", "", 404, "unknown_repository");
    check("GET", "/api/sync/repositories/a/files?limit=x", "", 400, "usage");
    check("GET", "/api/sync/repositories/a/files?after=-1", "", 400, "usage");
    for list in ["history", "files", "changes", "problems", "damage", "held"] {
        let below = if list == "history" { "" } else { "repositories/a/" };
        refused(&world, ("GET", &format!("/api/sync/{below}{list}?limit=0"), ""), 400, "usage");
    }
    check("GET", "/api/sync/runs/99", "", 404, "unknown_run");
    check("GET", "/api/sync/runs/x/log", "", 404, "unknown_run");
    check("GET", "/api/sync/history?kind=fully", "", 400, "usage");
    check("GET", "/api/sync/history?since=never", "", 400, "usage");
    check("POST", "/api/sync/full", "{", 400, "usage");
    check("POST", "/api/sync/full", r#"{"repositorys":["a"]}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"repositories":[]}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"repositories":"a"}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"repository":"a","repositories":["b"]}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"paths":["x"]}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"max_bytes":1}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"max_bytes":-1}"#, 400, "usage");
    check("POST", "/api/sync/full", r#"{"trigger":"watch"}"#, 400, "usage");
    check("POST", "/api/sync/single", r#"{"repository":"a"}"#, 400, "usage");
    check("POST", "/api/sync/single", r#"{"repository":"a","date":"tomorrow"}"#, 400, "usage");
    check("POST", "/api/sync/single", r#"{"repository":"a","date":"2026-11-20"}"#, 400, "invalid");
    check("POST", "/api/sync/single", r#"{"repository":"a","from":"2026-11-20","to":"2026-11-19"}"#, 400, "usage");
    check("POST", "/api/sync/cancel", r#"{"repositories":["b"]}"#, 404, "unknown_repository");
    check("POST", "/api/sync/problems/ack", "{}", 400, "usage");
    check("POST", "/api/sync/repositories/a/pause", r#"{"for":"ever"}"#, 400, "usage");
    check("PATCH", "/api/sync/repositories/a", r#"{"name":"b","hidden":true}"#, 400, "usage");
    check("PATCH", "/api/sync/repositories/a", r#"{"exclude":{"x":1}}"#, 400, "usage");
}

#[test]
fn a_path_that_leaves_the_repository_or_is_relative_is_refused() {
    let world = World::idle();
    for path in ["../x", "a/../../x", "/etc/passwd", "a//b", "a\\u0000b"] {
        let body = format!(r#"{{"repository":"a","paths":["{path}"]}}"#);
        refused(&world, ("POST", "/api/sync/single", &body), 400, "usage");
        let body = format!(r#"{{"paths":["{path}"]}}"#);
        refused(&world, ("POST", "/api/sync/repositories/a/damage/accept", &body), 400, "usage");
    }
    // ../x, and no base64 at all.
    for bytes in ["Li4veA==", "!"] {
        let body = format!(r#"{{"repository":"a","paths_b64":["{bytes}"]}}"#);
        refused(&world, ("POST", "/api/sync/single", &body), 400, "usage");
    }
    for path in ["", "photos", "../photos", "/a\\u0000b"] {
        let body = format!(r#"{{"path":"{path}"}}"#);
        for route in ["repositories", "estimate", "complete"] {
            refused(&world, ("POST", &format!("/api/sync/{route}"), &body), 400, "usage");
        }
    }
}

#[test]
fn a_change_is_json_and_at_most_one_mebibyte() {
    let world = World::idle();
    let post = |media: &str, body: &str| {
        let head = "POST /api/sync/full HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        let (status, _, answer) =
            world.raw(format!("{head}{media}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        let code = serde_json::from_str(&answer)
            .ok()
            .and_then(|answer: serde_json::Value| answer["error"]["code"].as_str().map(str::to_owned));
        (status, code.unwrap_or_default())
    };
    let json = "Content-Type: application/json\r\n";
    for media in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        assert_eq!(post(media, "{}"), (415, "not_json".to_owned()), "{media}");
    }
    assert_eq!(post("", ""), (415, "not_json".to_owned()));
    let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(1024 * 1024));
    assert_eq!(post(json, &large), (413, "too_large".to_owned()));
    assert!(world.heard.lock().unwrap().is_empty());
    assert_eq!(post("Content-Type: application/json; charset=utf-8\r\n", "{}").0, 202);
    // A route without a body needs no type.
    assert_eq!(world.ask("POST", "/api/sync/repositories/a/pause", "").0, 200);
}

#[test]
fn a_refusal_of_the_engine_gets_the_status_that_fits() {
    let codes = [
        ("usage", 400),
        ("invalid", 400),
        ("unknown_repository", 404),
        ("conflict", 409),
        ("unavailable", 503),
        ("failed", 500),
    ];
    for (code, status) in codes {
        let world = World::new(Snapshot::default(), move |_| {
            Answer::Refused(Refusal { code, message: "no".to_owned(), hint: Some("wait".to_owned()) })
        });
        let (found, answer) = world.ask("DELETE", "/api/sync/repositories/a", "");
        assert_eq!((found, &answer["error"]["code"], &answer["error"]["hint"]), (status, &code.into(), &"wait".into()));
    }
}

#[test]
fn a_request_reaches_the_engine_as_the_command_that_it_says() {
    let world = World::idle();
    let check = |method, path, body, expected: &str| {
        let (status, answer) = world.ask(method, path, body);
        assert!(status < 300, "{path}: {answer}");
        let heard = format!("{:?}", world.heard.lock().unwrap().pop());
        assert!(heard.contains(expected), "{path}: {heard}");
    };
    check("POST", "/api/sync/full", "{}", "names: [], kind: Full, trigger: User");
    check("POST", "/api/sync/verify", r#"{"repositories":["a"],"max_time_ms":5}"#, "max_time: Some(5ms)");
    check("POST", "/api/sync/incremental", r#"{"window_ms":5}"#, "window: Some(5ms)");
    check("POST", "/api/sync/single", r#"{"repository":"a","paths":["d/x"]}"#, r#"paths: ["d/x"]"#);
    check("POST", "/api/sync/single", r#"{"repository":"a","paths_b64":["ZP8="]}"#, r#"paths: ["d\\xff"]"#);
    check("POST", "/api/sync/runs/7/cancel", "", r#"Cancel { names: [], run: Some("7") }"#);
    check("POST", "/api/sync/repositories/a/held/accept", "", "accept_removals: true");
    check("POST", "/api/sync/repositories/a/held/dismiss", "", r#"DismissHeld { names: ["a"] }"#);
    check("POST", "/api/sync/repositories/a/damage/accept", "", r#"AcceptDamage { name: "a", paths: [] }"#);
    check("POST", "/api/sync/problems/ack", r#"{"ids":[3]}"#, "AcknowledgeProblems { problem_ids: [3] }");
    check("PATCH", "/api/sync/repositories/a", r#"{"name":"b"}"#, r#"new_name: "b""#);
    check("PATCH", "/api/sync/repositories/a", r#"{"exclude":["x","y"],"hidden":true}"#, r#"("exclude", "x,y")"#);
    check("DELETE", "/api/sync/repositories/a", "", r#"RemoveRepository { name: "a" }"#);
    check("POST", "/api/sync/scheduler/stop", "", "Scheduler(Stop)");
    check("PATCH", "/api/sync/scheduler", r#"{"full_every":"12h"}"#, r#"Set([("full_every", "12h")])"#);
}

#[test]
fn looking_changes_nothing_and_is_not_kept_by_a_cache() {
    let snapshot = Snapshot { running: vec![progress_of("a", Kind::Full)], ..Snapshot::default() };
    let world = World::new(snapshot, |_| Answer::Done { count: 0 });
    for path in ["status", "health", "version", "stats", "history", "repositories", "repositories/a", "runs/01JE"] {
        let (status, answer) = world.ask("GET", &format!("/api/sync/{path}"), "");
        assert_eq!(status, 200, "{path}: {answer}");
    }
    for path in ["files", "changes", "problems", "damage", "held"] {
        let (status, answer) = world.ask("GET", &format!("/api/sync/repositories/a/{path}?limit=100000"), "");
        assert_eq!((status, &answer[path], &answer["next"]), (200, &serde_json::json!([]), &().into()), "{path}");
    }
    let (_, status) = world.ask("GET", "/api/sync/status?repository=a", "");
    assert_eq!(status["repositories"][0]["state"], "syncing");
    let (_, head, _) = world.raw(b"GET /api/sync/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"), "{head}");
    assert!(world.heard.lock().unwrap().iter().all(|command| matches!(command, Command::Shutdown)));
}

#[test]
fn more_than_64_connections_are_closed_and_the_first_ones_go_on() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let world = World::idle();
    let request = b"GET /api/sync/events HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut streams: Vec<UnixStream> = Vec::new();
    for _ in 0..64 {
        let mut stream = UnixStream::connect(&world.socket).unwrap();
        stream.write_all(request).unwrap();
        // It stands: its first bytes have come.
        assert_ne!(stream.read(&mut [0; 16]).unwrap(), 0);
        streams.push(stream);
    }
    let mut late = UnixStream::connect(&world.socket).unwrap();
    // The end of the stream, or a broken pipe: the server has closed it.
    let _closed = late.write_all(request);
    assert_eq!(late.read(&mut [0; 16]).unwrap_or(0), 0);
    streams.pop();
    let answers = || {
        let mut stream = UnixStream::connect(&world.socket).unwrap();
        let _closed = stream.write_all(b"GET /api/sync/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.read(&mut [0; 16]).unwrap_or(0) > 0
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !answers() {
        assert!(std::time::Instant::now() < until, "a free place is not given to the next one");
    }
}
