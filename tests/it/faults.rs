//! Faults from outside, each put in on purpose. `tests/MATRIX.md` says which row every test proves.

mod confined;
mod database;
mod disk;
mod doors;
mod hung;
mod killed;
mod limits;
mod matrix;
mod names;
mod network;
mod readers;
mod trees;

use std::process::{Command, Stdio};

use super::engine::Daemon;
use super::world::{BINARY, Said, World, said};

/// Nothing of it belongs into anything that the program says.
#[track_caller]
fn assert_no_panic(said: &Said) {
    assert!(!said.err.contains("panicked") && !said.err.contains("this is a bug"), "{said:?}");
}

/// Runs a script in the mount namespace of a daemon; `$WK` is the program with its data directory.
fn inside(daemon: &Daemon, world: &World, script: &str) -> Said {
    let mut command = Command::new("nsenter");
    command.args(["-t", &daemon.child.id().to_string(), "-m", "sh", "-euc", script]).stdin(Stdio::null());
    command.env("WK", format!("{BINARY} --data-dir {}", world.data.display()));
    command.env("DATA", &world.data).env("TREE", &world.tree).env("HOME", world.temp.path());
    said(&mut command)
}

/// Returns the words that start a program as nobody, whom file modes refuse.
fn as_nobody() -> [&'static str; 4] {
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
}

/// Returns every file of the data directory with its checksum, but for what a reader may touch.
fn sums(world: &World) -> String {
    let script = "find . -type f ! -name '*-shm' ! -name engine.lock -exec sha256sum {} + | sort";
    let mut command = Command::new("sh");
    said(command.args(["-c", script]).current_dir(&world.data)).out
}
