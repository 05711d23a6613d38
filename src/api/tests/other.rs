//! A client beside an engine of another version.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

use crate::api::client;
use crate::engine::protocol::{Answer, Command, Snapshot};

/// Serves as an engine of this version that knows the snapshot and its version, and nothing else.
fn engine_of(version: &'static str, answer: &'static str) -> (tempfile::TempDir, std::path::PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let line = lines.first().cloned().unwrap_or_default();
            let (status, kind, body) = if line.contains("/events") {
                let (_, json) =
                    crate::api::event::write(&crate::engine::protocol::Event::Snapshot(Snapshot::default()));
                let body = format!("event: snapshot\ndata: {}\n\n", serde_json::to_string(&json).unwrap());
                ("200 OK", "text/event-stream", body)
            } else if line.contains("/version") {
                ("200 OK", "application/json", format!("{{\"version\":\"{version}\",\"pid\":77}}"))
            } else if answer.is_empty() {
                let body =
                    "{\"error\":{\"code\":\"unknown_route\",\"message\":\"there is no such route\",\"hint\":null}}";
                ("404 Not Found", "application/json", body.to_owned())
            } else {
                ("200 OK", "application/json", answer.to_owned())
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
            // Who asked may have gone.
            let _written = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    (temp, socket)
}

#[test]
fn a_client_says_which_of_the_two_is_older_and_what_to_restart() {
    for (version, answer, hint) in [
        ("0.0.9", "", "restart the engine: `systemctl restart"),
        ("99.0.0", "", "run the newer program"),
        ("99.0.0", "{\"in\":\"words of tomorrow\"}", "run the newer program"),
    ] {
        let (_temp, socket) = engine_of(version, answer);
        let client = client::connect(&socket).unwrap();
        let Answer::Refused(refusal) = client.handle.send_blocking(Command::Examine) else { panic!("{version}") };
        assert!(refusal.message.contains(&format!("watchkeeper {version} (pid 77)")), "{refusal:?}");
        assert!(refusal.hint.as_ref().unwrap().contains(hint), "{refusal:?}");
    }
}
