//! Keeps the house as it was drawn: arrows, room borders, heads, sizes, names and habits of every source file.
//!
//! A rule that is in the way may be wrong; then change it here, in a table, with the reason beside it.

mod planted;
mod source;

use std::fs;
use std::path::Path;

use source::{Item, What};

/// Which rooms a room may know. What is missing here is no room, and a new one is drawn into this table first.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &["domain"]),
    ("config", &["domain"]),
    ("index", &["domain"]),
    ("disk", &["domain"]),
    ("journal", &["domain"]),
    ("engine", &["domain", "wire", "config", "index", "disk", "journal"]),
    // The surfaces speak to the engine and read the index. Only the API speaks JSON.
    ("api", &["domain", "wire", "index", "engine"]),
    ("tui", &["domain", "index", "engine"]),
    // Not `disk`: what happens to a tree is the engine's to say.
    ("cli", &["domain", "wire", "config", "index", "journal", "engine", "api", "tui"]),
];

/// Something of the outside world, and who owns it.
struct Border {
    /// `name::` is a crate, `name!` a macro, anything else segments of a path.
    of: &'static [&'static str],
    /// A path's beginning, or its end after `*`.
    homes: &'static [&'static str],
    because: &'static str,
}

/// Test code may cross these: it fakes, breaks and looks behind.
const BORDERS: &[Border] = &[
    Border { of: &["rusqlite::"], homes: &["src/index/"], because: "the database has one owner" },
    Border { of: &["notify::", "landlock::"], homes: &["src/disk/"], because: "watched trees have one owner" },
    Border {
        of: &["sha2::"],
        homes: &["src/disk/", "src/journal/", "src/api/network.rs"],
        because: "content is read in one room, lines are chained in another, and the door compares tokens by their sums",
    },
    Border {
        of: &["rustix::fs"],
        // The lock takes flock on its own file; the journal reserves and syncs its own segments (design, 12).
        homes: &["src/disk/", "src/engine/lock.rs", "src/journal/"],
        because: "what the kernel offers for files sits behind small functions",
    },
    Border { of: &["ratatui::", "crossterm::"], homes: &["src/tui/"], because: "the terminal has one owner" },
    Border {
        of: &["println!", "print!", "eprintln!", "eprint!", "io::stderr"],
        homes: &["src/cli/output.rs"],
        because: "what is printed is escaped and shaped in one place",
    },
    Border {
        of: &["io::stdout"],
        // A screen is drawn to standard output, by the one file that owns the terminal.
        homes: &["src/cli/output.rs", "src/tui/terminal.rs"],
        because: "what is printed is escaped and shaped in one place",
    },
    Border { of: &["dbg!"], homes: &[], because: "it is for the moment" },
    Border {
        of: &["color_eyre::"],
        homes: &["src/cli/", "src/main.rs"],
        because: "elsewhere the caller must be able to match an error",
    },
    Border {
        of: &["SystemTime::now", "Instant::now", "Utc::now", "Local::now"],
        homes: &["*/shell.rs", "*/clock.rs", "src/cli/"],
        because: "time is an input",
    },
    Border {
        of: &["thread::spawn", "thread::scope", "thread::Builder"],
        // Server and client each wait for sockets on one thread, so that neither engine nor surface ever does.
        homes: &[
            "src/engine/",
            "src/index/writer.rs",
            "src/index/writer/",
            "src/tui/reading.rs",
            "src/tui/hangup.rs",
            "src/disk/watch",
            "src/api/server.rs",
            "src/api/client.rs",
            // A line that is typed can only be waited for.
            "src/cli/plain.rs",
            "src/cli/hosts.rs",
        ],
        because: "threads belong to shells",
    },
    Border {
        of: &["schemars::"],
        homes: &["src/wire/", "src/api/describe.rs"],
        because: "what crosses the wire has its shape in one room",
    },
    Border {
        of: &["std::net", "tokio::net", "UnixListener", "UnixStream"],
        homes: &["src/api/"],
        because: "sockets have one owner",
    },
];

/// How SQL begins. Upper case, as it is written here; a word on the screen is not.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "REPLACE INTO ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "CREATE VIEW ",
    "CREATE TEMP ",
    "ALTER TABLE ",
    "DROP ",
    "PRAGMA ",
    "ATTACH ",
    "BEGIN IMMEDIATE",
    "VACUUM",
];

const MAX_LINES: usize = 400;

/// Files that are longer for a reason: path, lines, reason.
const LONGER: &[(&str, usize, &str)] =
    &[("src/tui/keymap/table.rs", 560, "one table, a row an action: what it is made for is to be one")];

/// Names that say nothing of what is inside.
const LEFTOVERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

/// Returns everything in one file that is not as it was drawn, one line each.
fn check(path: &str, source: &str) -> Vec<String> {
    let is_tests = path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
    let mut findings = Vec::new();
    check_file(path, source, &mut findings);
    match source::read(source, &module_of(path), is_tests) {
        Ok(items) => {
            for item in &items {
                let mut report = |text: String| findings.push(format!("{path}:{}: {text}", item.line));
                check_arrow(path, item, &mut report);
                check_border(path, item, &mut report);
                check_habit(path, item, &mut report);
            }
        }
        Err(error) => findings.push(format!("{path}: cannot be read as Rust: {error}")),
    }
    findings
}

fn check_file(path: &str, source: &str, findings: &mut Vec<String>) {
    if !source.starts_with("//!") {
        findings.push(format!("{path}:1: opens without a //! head: what is it for, where is its border?"));
    }
    let lines = source.lines().count();
    let most = LONGER.iter().find(|(longer, ..)| *longer == path).map_or(MAX_LINES, |(_, most, _)| *most);
    if most > MAX_LINES && lines <= MAX_LINES {
        findings.push(format!("{path}: is not longer any more: take it off the table"));
    }
    if lines > most {
        findings.push(format!("{path}: has {lines} lines, at most {most}: which noun can move out?"));
    }
    for part in path.split('/') {
        if is_leftover(part.strip_suffix(".rs").unwrap_or(part)) {
            findings.push(format!("{path}: is a shelf for leftovers: find the noun that it belongs to"));
        }
    }
}

/// Arrows point down: `domain <- {wire, config, index, disk, journal} <- engine <- {api, tui} <- cli`.
fn check_arrow(path: &str, item: &Item, report: &mut impl FnMut(String)) {
    let Some(own) = room_of(path) else { return };
    let What::Path { segments, .. } = &item.what else { return };
    let [root, target, ..] = segments.as_slice() else { return };
    if own == "lib" || !(root == "crate" || root == "watchkeeper") || own == target {
        return;
    }
    if own == "main" {
        if target != "cli" {
            report(format!("main uses {target}: it may use only cli"));
        }
        return;
    }
    let Some((_, below)) = ROOMS.iter().find(|(room, _)| *room == own) else {
        return report(format!("{own} is no room of the house"));
    };
    let is_room = ROOMS.iter().any(|(room, _)| room == target);
    if target == "*" || is_room && !below.contains(&target.as_str()) {
        report(format!("{own} uses {target}: it may know only {below:?}"));
    }
}

fn check_border(path: &str, item: &Item, report: &mut impl FnMut(String)) {
    if item.in_test {
        return;
    }
    match &item.what {
        What::Path { segments, is_import, .. } => {
            for border in BORDERS.iter().filter(|border| !border.homes.iter().any(|home| is_in(path, home))) {
                if let Some(name) = border.of.iter().find(|name| is_named(segments, *is_import, name)) {
                    report(format!("uses {name}, allowed only in {:?}: {}", border.homes, border.because));
                }
            }
        }
        What::Text(text) if !path.starts_with("src/index/") => {
            let text = text.trim_start_matches(|c: char| "br#\"".contains(c) || c.is_whitespace());
            if SQL.iter().any(|word| text.starts_with(word)) {
                report("holds SQL, allowed only in src/index/ and assets/".to_owned());
            }
        }
        _ => {}
    }
}

fn check_habit(path: &str, item: &Item, report: &mut impl FnMut(String)) {
    match &item.what {
        What::Attribute(text) if text.starts_with("allow(") || text.contains(",allow(") => {
            report("silences with allow: write #[expect(.., reason = \"..\")]".to_owned());
        }
        What::Attribute(text) if text == "ignore" || text.starts_with("ignore=") => {
            report("ignores a test: mend it or delete it".to_owned());
        }
        What::Method { name, has_arguments: false } if name == "unwrap" && !item.in_test => {
            report("unwraps outside tests: use ?, or expect(\"why it cannot happen\")".to_owned());
        }
        What::Method { name, .. } if name == "sleep" && item.in_test => report(SLEEPS.to_owned()),
        What::Path { segments, is_import, is_call } => {
            let last = segments.last().map_or("", String::as_str);
            if last == "todo!" || last == "unimplemented!" {
                report(format!("{last} is a stub"));
            }
            if last == "sleep" && item.in_test && (*is_import || *is_call) {
                report(SLEEPS.to_owned());
            }
        }
        What::Module(name) if is_leftover(name) => {
            report(format!("module {name} is a shelf for leftovers: find the noun that it belongs to"));
        }
        // A file without a room speaks of no other, and check_arrow would never see it.
        What::Module(name) if path == "src/lib.rs" && !ROOMS.iter().any(|(room, _)| room == name) => {
            report(format!("{name} is no room of the house"));
        }
        _ => {}
    }
}

const SLEEPS: &str = "sleeps in a test: pass the time in, or wait for the event with a deadline";

/// Returns a file's place below the crate's root: `src/index/writer.rs` is `["index", "writer"]`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|part| !matches!(*part, "lib" | "main")).map(str::to_owned).collect()
}

/// Returns the room of a source file, `lib` or `main`; `None` for a file of tests.
fn room_of(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

fn is_in(path: &str, home: &str) -> bool {
    home.strip_prefix('*').map_or_else(|| path.starts_with(home), |end| path.ends_with(end))
}

/// Tells whether a path names what a border is about. A word alone is no crate: it may be a field or a variable.
fn is_named(segments: &[String], is_import: bool, name: &str) -> bool {
    if let Some(krate) = name.strip_suffix("::") {
        return segments[0] == krate && (is_import || segments.len() > 1);
    }
    let wanted: Vec<&str> = name.split("::").collect();
    segments.windows(wanted.len()).any(|window| window == wanted)
}

fn is_leftover(name: &str) -> bool {
    LEFTOVERS.iter().any(|word| name == *word || name.strip_suffix(word).is_some_and(|front| front.ends_with('_')))
}

/// Checks every source file below `directory`, and returns how many there are.
fn check_tree(root: &Path, directory: &str, findings: &mut Vec<String>) -> usize {
    let mut names: Vec<String> = fs::read_dir(root.join(directory))
        .expect("the crate's own directories can be read")
        .map(|entry| entry.expect("its entries too").file_name().into_string().expect("and have plain names"))
        .collect();
    names.sort();
    let mut files = 0;
    for path in names.iter().map(|name| format!("{directory}/{name}")) {
        if root.join(&path).is_dir() {
            files += check_tree(root, &path, findings);
        } else if path.ends_with(".rs") {
            let source = fs::read_to_string(root.join(&path)).expect("source files are UTF-8");
            findings.extend(check(&path, &source));
            files += 1;
        }
    }
    files
}

#[test]
fn the_house_stands_as_drawn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut findings = Vec::new();
    for directory in ["src", "tests"] {
        assert!(check_tree(root, directory, &mut findings) > 0, "{directory} holds no source files");
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}
