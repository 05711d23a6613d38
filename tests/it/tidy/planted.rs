//! Planted sources: each rule bites where it must, and leaves alone what only looks like a breach.

use super::{MAX_LINES, check};

/// Checks a planted file, a head in front, against one part of each expected finding, in order.
fn expect(path: &str, code: &str, expected: &[&str]) {
    let found = check(path, &format!("//! Head.\n{code}"));
    assert_eq!(found.len(), expected.len(), "{path}: {code}\ngave {found:#?}");
    for (found, words) in found.iter().zip(expected) {
        assert!(found.contains(words), "{path}: {code}\ngave {found}\nwithout {words}");
    }
}

#[test]
fn an_arrow_that_points_up_or_sideways_is_found() {
    for (path, code, expected) in [
        ("src/domain/run.rs", "use crate::index::Reader;", &["src/domain/run.rs:2: domain uses index"][..]),
        (
            "src/index/reader.rs",
            "use crate::{domain::run, disk::{self, list}};",
            &["index uses disk", "index uses disk"],
        ),
        ("src/index/mod.rs", "use super::disk::list;", &["index uses disk"]),
        ("src/index/reader.rs", "use super::super::journal;", &["index uses journal"]),
        ("src/index/reader.rs", "use super::writer; use self::row::Row; use super::super::domain;", &[]),
        ("src/index/reader.rs", "mod tests { use super::super::disk; use super::super::super::disk; }", &["uses disk"]),
        ("src/wire.rs", "fn f() { crate::engine::go() }", &["wire uses engine"]),
        ("src/engine/job.rs", "use crate::{config, disk, domain, index, journal, wire};", &[]),
        ("src/engine/job.rs", "use crate::api::client as c;", &["engine uses api"]),
        ("src/api/mod.rs", "use crate::tui::State;", &["api uses tui"]),
        (
            "src/tui/view.rs",
            "use crate::{engine, index, wire, disk, config};",
            &["uses wire", "uses disk", "uses config"],
        ),
        ("src/cli/sync.rs", "use crate::{wire, config, index, engine, api, tui};", &[]),
        ("src/cli/sync.rs", "use crate::disk::list;", &["cli uses disk"]),
        ("src/cli/sync.rs", "use crate::*;", &["cli uses *"]),
        ("src/domain/run.rs", "#[cfg(test)] mod tests { use crate::index; }", &["domain uses index"]),
        ("src/main.rs", "fn main() { watchkeeper::cli::run(); watchkeeper::engine::run() }", &["only cli"]),
        ("src/sundry.rs", "use crate::domain::run;", &["sundry is no room"]),
        ("src/lib.rs", "pub mod domain; pub mod sundry; pub use domain::run::Kind;", &["sundry is no room"]),
        ("tests/it/sync.rs", "use watchkeeper::{disk, tui};", &[]),
    ] {
        expect(path, code, expected);
    }
}

#[test]
fn a_crossed_border_is_found() {
    for (path, code, expected) in [
        ("src/engine/job.rs", "use rusqlite::Connection;", &["rusqlite::"][..]),
        ("src/engine/job.rs", "fn f(c: &rusqlite::Connection) {}", &["rusqlite::"]),
        ("src/index/mod.rs", "use rusqlite::Connection;", &[]),
        ("src/engine/job.rs", "use notify; use ::sha2::Digest;", &["notify::", "sha2::"]),
        ("src/engine/job.rs", "use rustix::{fs::{self, flock}, process};", &["rustix::fs", "rustix::fs"]),
        ("src/engine/lock.rs", "use rustix::fs::flock;", &[]),
        ("src/journal/segment.rs", "use rustix::fs::fallocate;", &[]),
        ("src/cli/args.rs", "use ratatui::Frame; use crossterm::event;", &["ratatui::", "crossterm::"]),
        ("src/cli/sync.rs", "fn f() { println!(\"x\"); std::eprint!(\"x\") }", &["println!", "eprint!"]),
        ("src/cli/sync.rs", "use std::io; fn f() { io::stdout(); }", &["io::stdout"]),
        ("src/main.rs", "fn main() { eprintln!(\"x\") }", &["eprintln!"]),
        ("src/cli/output.rs", "fn f() { println!(\"x\"); std::io::stderr(); }", &[]),
        ("src/tui/terminal.rs", "fn f() { std::io::stdout(); std::io::stderr(); }", &["io::stderr"]),
        ("src/cli/output.rs", "fn f() { dbg!(1); }", &["dbg!"]),
        ("src/engine/mod.rs", "use color_eyre::Result;", &["color_eyre::"]),
        ("src/main.rs", "fn main() -> color_eyre::Result<()> { watchkeeper::cli::run() }", &[]),
        ("src/engine/queue.rs", "fn f() { std::time::Instant::now(); chrono::Utc::now(); }", &["Instant", "Utc"]),
        ("src/engine/shell.rs", "fn f() { Instant::now(); }", &[]),
        ("src/engine/bombshell.rs", "fn f() { Instant::now(); }", &["Instant::now"]),
        ("src/disk/hash.rs", "use std::thread; fn f() { thread::spawn(|| ()); }", &["thread::spawn"]),
        ("src/disk/watch.rs", "fn f() { std::thread::Builder::new(); }", &[]),
        ("src/tui/shell.rs", "use tokio::net::UnixStream;", &["tokio::net"]),
        ("src/api/runs.rs", "use schemars::JsonSchema;", &["schemars::"]),
        (
            "src/engine/job.rs",
            "fn f() { db(\"SELECT 1\", r#\" INSERT INTO x\"#, b\"PRAGMA y\") }",
            &["SQL", "SQL", "SQL"],
        ),
        ("src/index/runs.rs", "const Q: &str = \"SELECT 1\";", &[]),
    ] {
        expect(path, code, expected);
    }
}

#[test]
fn a_bad_habit_is_found() {
    for (path, code, expected) in [
        ("src/domain/run.rs", "#[allow(dead_code)]\nfn f() {}", &["run.rs:2: silences"][..]),
        ("src/domain/run.rs", "#![allow(dead_code)]", &["silences"]),
        ("src/domain/run.rs", "#[cfg_attr(test, allow(dead_code))] fn f() {}", &["silences"]),
        ("src/domain/run.rs", "#[expect(dead_code, reason = \"we allow(it)\")] fn f() {}", &[]),
        ("src/domain/run.rs", "fn f() { g()\n.unwrap (); }", &["run.rs:3: unwraps"]),
        ("src/domain/run.rs", "#[cfg(test)] fn f() { g().unwrap() } fn h() { g().unwrap() }", &["unwraps"]),
        ("src/domain/run.rs", "fn f() { g().unwrap_or(1); h.unwrap; }", &[]),
        ("src/domain/run.rs", "fn f() { todo!(); unimplemented!(\"later\") }", &["todo!", "unimplemented!"]),
        ("src/domain/run.rs", "#[cfg(test)] mod tests { #[test] #[ignore = \"slow\"] fn f() {} }", &["ignores"]),
        ("tests/it/sync.rs", "#[test]\n#[ignore]\nfn f() {}", &["sync.rs:3: ignores"]),
        ("tests/it/sync.rs", "use std::thread::sleep; fn f() { sleep(D); std::thread::sleep(D) }", &["sleeps"; 3]),
        ("src/engine/shell.rs", "async fn f() { tokio::time::sleep(D).await }", &[]),
        ("src/engine/shell.rs", "#[cfg(test)] mod tests { fn f() { sleep(D) } }", &["sleeps"]),
        ("src/disk/path_utils.rs", "mod helpers { }", &["path_utils.rs: is a shelf", "module helpers"]),
        ("tests/it/common/mod.rs", "", &["is a shelf"]),
        ("src/disk/common_prefix.rs", "fn util() {}", &[]),
        ("src/domain/run.rs", "fn f() { \"open }", &["cannot be read as Rust"]),
    ] {
        expect(path, code, expected);
    }
}

#[test]
fn what_only_looks_like_a_breach_is_left_alone() {
    let code = r##"
// use crate::index; println!("x"); .unwrap()
/* thread::sleep /* nested */ todo!() */
/// `rusqlite::Connection` is opened with `SELECT 1`, see [`crate::index`].
fn f<'a>(notify: &'a str, hooks: Hooks) -> char {
    let text = "use crate::index; println!(\"x\"); \"SELECT 1";
    let raw = r#"x.unwrap() "quoted" todo!()"#;
    let select = "select a row"; // Not SQL: a word on the screen.
    let delete = "DELETE /api";
    Hooks { notify: hooks.notify, sleep: 1 };
    if notify != text { hooks.print(sleep) }
    '"'
}
#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    #[test]
    fn f() { println!("skipped"); Instant::now(); std::thread::spawn(g).join().unwrap(); db("SELECT 1") }
}
"##;
    expect("src/engine/hooks.rs", code, &[]);
    expect("src/engine/hooks/tests.rs", "fn f() { g().unwrap(); SystemTime::now(); }", &[]);
}

#[test]
fn a_file_without_a_head_or_too_long_is_found() {
    let found = check("src/domain/run.rs", "// Not a head.\n//! Too late.\n");
    assert!(found[0].contains("opens without a //! head"), "{found:?}");
    expect("src/domain/run.rs", &"\n".repeat(MAX_LINES - 1), &[]);
    expect("src/domain/run.rs", &"\n".repeat(MAX_LINES), &["has 401 lines, at most 400"]);
}
