//! The door on the network: who knocks there without the token, under another name or from another page sees nothing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::super::engine::Daemon;
use super::super::resident::can;
use super::super::world::{DEADLINE, World, said};

/// A daemon that listens, its address and its token.
fn listening(world: &World) -> (Daemon, String, String) {
    let daemon = Daemon::ready_by(world, world.command(&["daemon", "--listen", "127.0.0.1:0"]));
    let says = |log: &String| log.contains("listening on http://");
    let log = world.wait("it says where it listens", || daemon.log(), says);
    let address = log.split("listening on http://").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let token = fs::read_to_string(world.data.join("api.token")).unwrap().trim().to_owned();
    assert!(!log.contains(&token), "a log is read by others");
    (daemon, address, token)
}

/// Asks by `curl`; returns the status.
fn ask(address: &str, path: &str, args: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"]).args(args);
    said(curl.arg(format!("http://{address}{path}"))).out
}

#[test]
fn over_the_network_only_who_has_the_token_and_comes_from_no_page_is_served() {
    if !can("over_the_network", &["curl", "--version"]) {
        return;
    }
    let world = World::with(&["a=1"]);
    let (daemon, address, token) = listening(&world);
    let mode = fs::metadata(world.data.join("api.token")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let bearer = format!("Authorization: Bearer {token}");
    let other = if token.ends_with('0') { '1' } else { '0' };
    let wrong = format!("Authorization: Bearer {}{other}", &token[..63]);
    let port = address.rsplit_once(':').unwrap().1;
    let ours = format!("Origin: http://{address}");
    for path in ["/api/sync/status", "/metrics", "/api/sync/events", "/none", "/api/sync/repositories/tree/files"] {
        for (expected, headers) in [
            ("401", &[][..]),
            ("401", &[wrong.as_str()]),
            ("421", &[bearer.as_str(), "Host: evil.example"]),
            ("421", &[bearer.as_str(), "Host:"]),
            ("403", &[bearer.as_str(), "Origin: http://evil.example"]),
            ("403", &[bearer.as_str(), "Sec-Fetch-Site: cross-site"]),
        ] {
            let args: Vec<&str> = headers.iter().flat_map(|header| ["-H", header]).collect();
            assert_eq!(ask(&address, path, &args), expected, "{path} {headers:?}");
        }
    }
    assert_eq!(ask(&address, "/api/sync/status", &["-H", &bearer]), "200");
    assert_eq!(ask(&address, "/api/sync/status", &["-H", &bearer, "-H", &ours]), "200");
    assert_eq!(ask(&format!("localhost:{port}"), "/api/sync/status", &["-4", "-H", &bearer]), "200");
    // A change that a page can send without asking first.
    let plain = ["-H", &bearer, "-H", "Content-Type: text/plain", "-d", "{}"];
    assert_eq!(ask(&address, "/api/sync/pause", &plain), "415");
    assert_eq!(ask(&address, "/api/sync/pause", &["-X", "POST", "-H", &wrong]), "401");
    assert_ne!(world.status()["state"], "paused");
    let json = ["-H", &bearer, "-H", "Content-Type: application/json", "-d", "{}"];
    assert_eq!(ask(&address, "/api/sync/pause", &json), "200");
    assert_eq!(world.status()["state"], "paused");
    daemon.stop();
}

#[test]
fn without_the_flag_no_address_is_open_and_none_but_this_machines_can_be() {
    let world = World::with(&["a=1"]);
    for (address, reason) in
        [("0.0.0.0:0", "only this machine"), ("10.0.0.1:80", "only this machine"), ("80", "such as")]
    {
        let said = world.exits(2, &["daemon", "--listen", address]);
        assert!(said.err.contains(reason), "{said:?}");
    }
    assert!(!world.data.join("api.token").exists());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = world.exits(1, &["daemon", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert!(said.err.contains("cannot be listened on"), "{said:?}");
    assert!(!world.data.join("engine.sock").exists());
    // A token that others can read is none.
    fs::set_permissions(world.data.join("api.token"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = world.exits(1, &["daemon", "--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("is open to others") && said.err.contains("chmod 600"), "{said:?}");
}

#[test]
fn who_says_nothing_dribbles_or_says_too_much_holds_up_nobody() {
    let world = World::with(&["a=1"]);
    let (daemon, address, token) = listening(&world);
    let connect = || TcpStream::connect(&address).unwrap();
    // More than there is room for say nothing at all.
    let silent: Vec<TcpStream> = (0..70).map(|_| connect()).collect();
    let gone = silent.iter().filter(|stream| {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        matches!((&mut &**stream).read(&mut [0; 1]), Ok(0) | Err(_))
    });
    assert_eq!(gone.count(), 70, "all of them are closed, the last at once and the others by their time");
    // A head that never ends, byte by byte; and a body that does not come.
    let mut dribbling = connect();
    dribbling.write_all(b"GET /api/sync/status HTTP/1.1\r\nHost: ").unwrap();
    let mut promised = connect();
    let head = format!(
        "POST /api/sync/pause HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000000000\r\nConnection: close\r\n\r\n"
    );
    promised.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    promised.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut nested = connect();
    let head = format!(
        "POST /api/sync/pause HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{deep}",
        deep.len()
    );
    nested.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    nested.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // Ten thousand requests, and the engine still answers its own.
    let mut busy = connect();
    let one = format!("GET /api/sync/version HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut seen = [0; 4096];
    for _ in 0..10_000 {
        busy.write_all(one.as_bytes()).unwrap();
        let got = busy.read(&mut seen).unwrap();
        assert!(seen[..got].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&seen[..got]));
    }
    world.wait_for_state("tree", "in_sync");
    let mut end = Vec::new();
    dribbling.set_read_timeout(Some(DEADLINE)).unwrap();
    dribbling.read_to_end(&mut end).unwrap();
    daemon.stop();
}
