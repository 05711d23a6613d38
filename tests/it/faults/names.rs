//! Names made to deceive: stored as they are, told apart, and never obeyed by a terminal.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::super::world::{BINARY, Said, World, name, said};
use super::as_nobody;

/// Line end, colour, OSC 52 (writes the clipboard), title, C1 in UTF-8 and raw, bidi, zero width, BOM, tag, no UTF-8.
const HOSTILE: [&[u8]; 14] = [
    b"new\nline",
    b"\x1b[31mred",
    b"\x1b]52;c;AAAA\x07",
    b"\x1b]0;title\x1b\\",
    b"c1 \xc2\x9b31m",
    b"raw c1 \x9b31m",
    b"\xe2\x80\xaegpj.exe",
    b"zero\xe2\x80\x8bwidth",
    b"\xef\xbb\xbfbom",
    b"tag\xf3\xa0\x81\x81",
    b"\xff\xfe",
    b"back\\slash",
    b"carriage\rreturn\ttab\x08\x7f",
    b"-rf",
];

/// What may stand in what is said: printable characters, blanks and line ends.
#[track_caller]
fn assert_obeyed_by_no_terminal(said: &str) {
    let is_bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            || matches!(*c, '\u{e0000}'..='\u{e007f}')
    };
    assert_eq!(said.chars().find(is_bad), None, "{said:?}");
}

fn hostile() -> World {
    let world = World::empty();
    for bytes in HOSTILE {
        fs::write(world.tree.join(name(bytes)), bytes).unwrap();
    }
    world
}

#[test]
fn names_of_every_kind_are_kept_byte_for_byte_and_told_apart() {
    let world = hostile();
    let longest = vec![b'x'; 255];
    // Two ways to write one letter are two files.
    for bytes in [&longest[..], b"caf\xc3\xa9", b"cafe\xcc\x81", b" ", b"*", b"#", b"~"] {
        fs::write(world.tree.join(name(bytes)), bytes).unwrap();
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    // A name that ends like a backup's is left out by default.
    assert_eq!(world.index().len(), HOSTILE.len() + 6);
    world.assert_in_step();
    let shown = world.ok(&["files", "tree", "--format", "sha256sum"]).out;
    assert_eq!(shown.lines().collect::<BTreeSet<_>>().len(), HOSTILE.len() + 6, "{shown}");
    // And back again: what is shown of each can be asked for.
    let printed = world.command(&["files", "tree", "--format", "print0"]).output().unwrap().stdout;
    let names: BTreeSet<Vec<u8>> = printed.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    assert!(HOSTILE.iter().all(|bytes| names.contains(*bytes)), "{names:?}");
}

#[test]
fn no_command_lets_a_name_speak_to_the_terminal() {
    let world = hostile();
    let directory = world.tree.join(name(b"dir \x1b[2J\xe2\x80\xae"));
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(name(b"\x1b]0;inside\x07")), "1").unwrap();
    let mut all: Vec<Said> = vec![world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--name", "tree"])];
    fs::rename(world.tree.join(name(b"\x1b[31mred")), world.tree.join(name(b"\x1b[32mgreen"))).unwrap();
    fs::remove_file(world.tree.join(name(b"new\nline"))).unwrap();
    for args in [
        &["-vv", "sync"][..],
        &["-v", "sync", "--kind", "verify"],
        &["-v", "sync", "--kind", "incremental", "--plan"],
        &["files", "tree"],
        &["changes"],
        &["history"],
        &["history", "2", "--log"],
        &["problems"],
        &["damage"],
        &["held"],
        &["status"],
        &["digest"],
        &["stats"],
        &["doctor"],
        &["metrics"],
        &["repo", "list"],
        &["repo", "show", "tree"],
        &["why", "tree", "\u{1b}]52;c;AAAA\u{7}"],
        &["why", "tree", "\u{1b}[31m nobody has this"],
        // Errors repeat what was typed.
        &["sync", "\u{1b}[31mnobody"],
        &["sync", "tree", "--path", "\u{1b}[31mnowhere"],
        &["repo", "add", "/nowhere/\u{1b}]0;x\u{7}"],
        &["repo", "rename", "tree", "\u{202e}evil"],
        &["repo", "set", "tree", "\u{1b}[31m=1"],
        &["\u{1b}[31mcommand"],
        &["sync", "--kind", "\u{9b}31m"],
        &["--config", "/nowhere/\u{1b}[31m", "status"],
    ] {
        all.push(world.wk(args));
    }
    for said in all {
        assert_obeyed_by_no_terminal(&said.out);
        assert_obeyed_by_no_terminal(&said.err);
    }
}

#[test]
fn no_log_line_nor_problem_lets_a_name_speak_to_the_terminal() {
    let world = hostile();
    fs::create_dir(&world.data).unwrap();
    let shut = world.tree.join(name(b"shut \x1b]0;evil\x07 \xe2\x80\xae\n2026-01-01T00:00:00.000Z ERROR forged"));
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(world.tree.join(name(b"\x1b[31mred")), fs::Permissions::from_mode(0o000)).unwrap();
    let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(world.temp.path()).status().unwrap();
    let mut add = Command::new("setpriv");
    add.args(&as_nobody()[1..]).arg(BINARY).arg("--data-dir").arg(&world.data).env("HOME", world.temp.path());
    let added = said(add.args(["-vv", "repo", "add"]).arg(&world.tree));
    if !owned.success() || added.code == -1 {
        return super::super::world::skipped("no_log_line", "cannot become another user (needs root and setpriv)");
    }
    assert!(added.code == 3, "{added:?}");
    let log = world.temp.path().join("our.log");
    let run = |args: &[&str]| {
        let mut nobody = Command::new("setpriv");
        nobody.args(&as_nobody()[1..]).arg(BINARY).arg("--data-dir").arg(&world.data).arg("--log-file").arg(&log);
        said(nobody.args(args).env("HOME", world.temp.path()).env("WATCHKEEPER_LOG", "trace"))
    };
    assert_eq!(run(&["sync", "--kind", "verify"]).code, 3);
    let (problems, history) = (run(&["problems"]), run(&["history", "2", "--log"]));
    let log = fs::read_to_string(&log).unwrap();
    assert!(problems.out.contains("forged"), "{problems:?}");
    for text in [&added.out, &added.err, &problems.out, &problems.err, &history.out, &log] {
        assert_obeyed_by_no_terminal(text);
        assert!(!text.lines().any(|line| line.starts_with("2026-01-01T00")), "{text}");
    }
}
