//! A world for one test: a tree, a data directory, the program, and oracles that know nothing of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far more than anything here takes, also where all tests together have two cores and a run, which is nice, hardly gets one:
/// who waits so long has found a fault.
pub const DEADLINE: Duration = Duration::from_secs(400);

/// One test's world; gone when dropped.
pub struct World {
    pub temp: tempfile::TempDir,
    pub tree: PathBuf,
    pub data: PathBuf,
}

/// What a call of the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Path -> hash in hexadecimal digits; `None` for a symlink or an unread file.
pub type Sums = BTreeMap<Vec<u8>, Option<String>>;

pub const BINARY: &str = env!("CARGO_BIN_EXE_watchkeeper");

/// Stops a process and waits until each of its threads stands still: the kernel delivers the signal to one thread, and
/// until that has run the others still answer.
pub fn stop(pid: u32) {
    let done = Command::new("kill").args(["-s", "STOP", &pid.to_string()]).status().unwrap();
    assert!(done.success());
    let until = Instant::now() + DEADLINE;
    while !stands_still(pid) {
        assert!(Instant::now() < until, "process {pid} does not stop");
    }
}

/// Tells whether all threads of a process are stopped, or it has ended.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        // A thread that has gone meanwhile runs no more.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
    })
}

impl World {
    /// An empty tree, not yet a repository.
    pub fn empty() -> World {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (tree, data) = (base.join("tree"), base.join("data"));
        fs::create_dir(&tree).unwrap();
        World { temp, tree, data }
    }

    /// A tree with these files (`path` or `path=content`; `path/` for a directory), added and synced.
    pub fn with(files: &[&str]) -> World {
        let world = World::empty();
        files.iter().for_each(|file| world.put(file));
        world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.tree.join(name)
    }

    /// Makes a file (`path` or `path=content`) or directory (`path/`), with the directories above it.
    pub fn put(&self, file: &str) {
        let (name, content) = file.split_once('=').unwrap_or((file, file));
        let path = self.path(name);
        if name.ends_with('/') {
            return fs::create_dir_all(path).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--data-dir").arg(&self.data).args(args).stdin(Stdio::null());
        command.env("HOME", self.temp.path()).env_remove("XDG_CONFIG_HOME").env_remove("WATCHKEEPER_LOG");
        command.env("TZ", "UTC").env_remove("CLICOLOR_FORCE");
        command
    }

    pub fn wk(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// Calls the program and expects exit code 0.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Said {
        self.exits(0, args)
    }

    #[track_caller]
    pub fn exits(&self, code: i32, args: &[&str]) -> Said {
        let said = self.wk(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        said
    }

    /// Calls the program with `--json` and returns its objects, whatever the exit code.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let said = self.wk(&[args, &["--json"]].concat());
        said.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"))).collect()
    }

    /// Runs a sync and returns its run.
    #[track_caller]
    pub fn sync(&self, args: &[&str]) -> Value {
        let runs = self.json(&[&["sync"], args].concat());
        assert_eq!(runs.len(), 1, "{args:?}");
        runs[0].clone()
    }

    /// The changes of the newest run, as `verdict path` or `moved old -> new`.
    pub fn last_changes(&self) -> Vec<String> {
        let number = self.json(&["history", "-n", "1"])[0]["number"].to_string();
        let mut lines: Vec<String> = self.json(&["changes", "--run", &number]).iter().map(change_line).collect();
        lines.sort();
        lines
    }

    /// What the index says.
    pub fn index(&self) -> Sums {
        let name = self.json(&["repo", "list"])[0]["repository"].as_str().unwrap().to_owned();
        self.json(&["files", &name]).iter().map(|file| (path_bytes(file), text(&file["sha256"]))).collect()
    }

    /// What `find` and `sha256sum` say of the tree: every regular file and symlink that is not left out by default.
    pub fn disk(&self) -> Sums {
        let find =
            r"find . -name '.?*' -prune -o \( -type f -o -type l \) ! -name '*~' ! -name '*.tmp' -printf '%y%P\0'";
        let found = Command::new("sh").arg("-c").arg(find).current_dir(&self.tree).output().unwrap().stdout;
        let mut sums = Sums::new();
        let mut files: Vec<OsString> = Vec::new();
        for entry in found.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            sums.insert(entry[1..].to_vec(), None);
            if entry[0] == b'f' {
                files.push([OsStr::new("./"), OsStr::from_bytes(&entry[1..])].join(OsStr::new("")));
            }
        }
        for part in files.chunks(500) {
            let lines = Command::new("sha256sum").arg("-z").args(part).current_dir(&self.tree).output().unwrap().stdout;
            for line in lines.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
                let sum = String::from_utf8(line[..64].to_vec()).unwrap();
                sums.insert(line[68..].to_vec(), Some(sum));
            }
        }
        sums
    }

    /// The index is the tree, in both directions.
    #[track_caller]
    pub fn assert_in_step(&self) {
        let (index, disk) = (self.index(), self.disk());
        if index == disk {
            return;
        }
        let shown = |sums: &Sums, other: &Sums| -> Vec<String> {
            let differs = |(path, sum): &(&Vec<u8>, &Option<String>)| other.get(*path) != Some(*sum);
            sums.iter().filter(differs).map(|(path, sum)| format!("{} {sum:?}", path.escape_ascii())).collect()
        };
        panic!("only in the index: {:#?}\nonly on disk: {:#?}", shown(&index, &disk), shown(&disk, &index));
    }

    /// Syncs until every stamp is old enough to be trusted: until then files and directories are looked at again.
    pub fn let_stamps_age(&self) {
        let young = "SELECT (SELECT count(*) FROM files WHERE flags & 2) +
                            (SELECT count(*) FROM directories WHERE mtime_ns IS NULL)";
        while self.sqlite(young) != "0" {
            self.sync(&[]);
        }
    }

    /// Runs SQL by the `sqlite3` shell, as people do.
    #[track_caller]
    pub fn sqlite(&self, sql: &str) -> String {
        // Whoever opens or closes an index as the first or last holds it for a moment.
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-cmd", ".timeout 5000"]).arg(self.data.join("index.db")).arg(sql);
        let done = sqlite.output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub fn status(&self) -> Value {
        self.json(&["status"])[0].clone()
    }
}

pub fn said(command: &mut Command) -> Said {
    let done = command.output().unwrap();
    Said {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn change_line(change: &Value) -> String {
    let verdict = change["verdict"].as_str().unwrap();
    let path = change["path"].as_str().unwrap();
    match change["old_path"].as_str() {
        Some(old) => format!("{verdict} {old} -> {path}"),
        None => format!("{verdict} {path}"),
    }
}

pub fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub fn path_bytes(object: &Value) -> Vec<u8> {
    use base64::Engine as _;
    match object["path_b64"].as_str() {
        Some(bytes) => base64::engine::general_purpose::STANDARD.decode(bytes).unwrap(),
        None => object["path"].as_str().unwrap().as_bytes().to_vec(),
    }
}

/// Moves a file's times so far back that no stamp is racy and no incremental run lists for its recency.
pub fn age(path: &Path, days: u64) {
    let then = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

/// Tells that a test was skipped and why; it is never silently green.
pub fn skipped(test: &str, why: &str) {
    assert!(std::env::var_os("WATCHKEEPER_TEST_NO_SKIP").is_none(), "SKIPPED {test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Runs a script in a mount namespace of its own; `None` (and said so) where that is not allowed.
pub fn in_mount_namespace(test: &str, world: &World, script: &str) -> Option<Said> {
    let possible = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !possible.is_ok_and(|done| done.status.success()) {
        skipped(test, "no mount namespace (needs root and util-linux)");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-euc", script]).current_dir(world.temp.path());
    command.env("WK", BINARY).env("DATA", &world.data).env("TREE", &world.tree).env("HOME", world.temp.path());
    Some(said(&mut command))
}

/// A name made of these bytes.
pub fn name(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}
