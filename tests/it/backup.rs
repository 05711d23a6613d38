//! Backup and restore: one file brings index and journal back, and nothing that was there is lost on the way.

use super::engine::Daemon;
use super::journal::{assert_agrees, check, history, older, quarantined, with_history};
use super::resident::can;
use super::world::{BINARY, World, in_mount_namespace, said};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn back_up_of(world: &World) -> PathBuf {
    let file = world.temp.path().join("copy.backup");
    world.ok(&["backup", file.to_str().unwrap()]);
    file
}

pub fn restore(world: &World, file: &Path) {
    world.ok(&["restore", file.to_str().unwrap(), "--yes"]);
}

/// All files below a directory with their content, but for the lock and what only lies aside.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = walkdir::WalkDir::new(directory).sort_by_file_name().into_iter().flatten();
    files
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "engine.lock")
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect()
}

pub fn sqlite(file: &Path, sql: &str) -> String {
    let said = said(Command::new("sqlite3").arg(file).arg(sql).stdin(Stdio::null()));
    assert_eq!(said.code, 0, "{said:?}");
    said.out
}

pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_backup_is_one_private_file_and_says_what_it_holds() {
    let world = with_history();
    let file = world.temp.path().join("copy.backup");
    let said = &world.json(&["backup", file.to_str().unwrap()])[0];
    let found = fs::metadata(&file).unwrap();
    assert_eq!((found.permissions().mode() & 0o777, &said["bytes"]), (0o600, &found.len().into()));
    assert_eq!((&said["runs"], &said["schema"]), (&history(&world).len().into(), &3.into()), "{said}");
    assert!(said["path"].as_str().unwrap().ends_with("/copy.backup") && said["taken_at"].is_string());
    assert_eq!(sqlite(&file, "PRAGMA integrity_check; SELECT count(*) FROM backup_journal"), "ok\n1\n");
    assert_eq!(fs::read_dir(world.temp.path()).unwrap().count(), 3, "the tree, the data directory, the backup");
}

#[test]
fn a_file_that_exists_is_refused_and_stays_and_what_fails_leaves_nothing() {
    let world = World::with(&["a=1"]);
    let file = world.temp.path().join("mine");
    fs::write(&file, "mine").unwrap();
    let said = world.exits(1, &["backup", file.to_str().unwrap()]);
    assert!(said.err.contains("exists already"), "{said:?}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let said = world.exits(1, &["backup", world.temp.path().join("none/copy").to_str().unwrap()]);
    assert!(said.err.contains("/none: No such file or directory"), "{said:?}");
    for name in ["engine.sock", "journal/000009.jsonl"] {
        let said = world.exits(1, &["backup", world.data.join(name).to_str().unwrap()]);
        assert!(said.err.contains("lies among") && !world.data.join(name).exists(), "{said:?}");
    }
    let empty = World::empty();
    let said = empty.exits(1, &["backup", empty.temp.path().join("copy").to_str().unwrap()]);
    assert!(said.err.contains("no index yet") && !empty.data.exists(), "{said:?}");
    assert_eq!(fs::read_dir(world.temp.path()).unwrap().count(), 3);
}

#[test]
fn a_full_disk_takes_no_half_backup() {
    let world = World::with(&["a=1"]);
    let script = "
        mkdir out; mount -t tmpfs -o size=64k none out
        $WK --data-dir $DATA backup out/copy || echo code $?
        ls -A out | wc -l
    ";
    let Some(said) = in_mount_namespace("a_full_disk_takes_no_half_backup", &world, script) else { return };
    assert_eq!((said.code, said.out.as_str()), (0, "code 1\n0\n"), "{said:?}");
    assert!(said.err.contains("no copy could be written") && said.err.contains("out/copy"), "{said:?}");
    assert!(said.err.contains("where the backup is to go"), "{said:?}");
}

#[test]
fn a_damaged_journal_is_not_backed_up_unnoticed() {
    let world = with_history();
    let path = world.data.join("journal/000001.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    fs::write(&path, bytes).unwrap();
    let file = world.temp.path().join("copy.backup");
    let said = world.exits(1, &["backup", file.to_str().unwrap()]);
    assert!(said.err.contains("of 000001.jsonl is damaged") && !file.exists(), "{said:?}");
}

#[test]
fn a_backup_that_was_made_beside_a_daemon_brings_everything_back() {
    let world = with_history();
    let daemon = Daemon::ready(&world);
    world.put("late/x=9");
    world.sync(&["--note", "beside"]);
    let (before, index) = (history(&world), world.index());
    let file = back_up_of(&world);
    let refused = world.exits(6, &["restore", file.to_str().unwrap(), "--yes"]);
    assert!(refused.err.contains(&format!("pid {}", daemon.child.id())), "{refused:?}");
    daemon.stop();
    fs::remove_dir_all(&world.data).unwrap();
    restore(&world, &file);
    assert_eq!(world.index(), index);
    let known = |run: &Value| before.iter().find(|known| known["number"] == run["number"]).cloned();
    // The realtime run was open when the backup was made, as it may be: then it was cut off.
    world.sync(&["--kind", "incremental"]);
    for run in older(&world, &before).iter().filter(|run| run["outcome"] != "interrupted") {
        assert_eq!(Some(run), known(run).as_ref());
    }
    assert_agrees(&world);
    world.assert_in_step();
}

#[test]
fn what_a_restore_replaces_lies_in_quarantine_and_everything_is_compared_then() {
    let world = World::with(&["a=1", "b/c=2"]);
    world.let_stamps_age();
    let (file, before) = (back_up_of(&world), history(&world));
    world.put("b/new=3");
    fs::remove_file(world.path("a")).unwrap();
    world.let_stamps_age();
    let said = world.exits(1, &["restore", file.to_str().unwrap()]);
    assert!(said.err.contains("nothing was restored") && said.err.contains("--yes"), "{said:?}");
    assert!(!world.data.join("restoring").exists() && !world.data.join("quarantine").exists());
    restore(&world, &file);
    assert_eq!(history(&world), before);
    assert_eq!(quarantined(&world), ["000001.jsonl", "index.db"]);
    // An ordinary incremental run would pass over directories that are as they were when they were recorded.
    let said = world.ok(&["sync", "--kind", "incremental"]);
    assert!(said.err.contains("restored from a backup"), "{said:?}");
    world.assert_in_step();
    assert_eq!(older(&world, &before), before);
    assert_agrees(&world);
    assert!(!world.ok(&["sync"]).err.contains("restored"), "once is enough");
    assert_eq!(fs::metadata(world.data.join("index.db")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_daemon_that_starts_after_a_restore_begins_with_a_full_sync_whatever_the_config_says() {
    let world = World::with(&["a=1"]);
    let file = back_up_of(&world);
    restore(&world, &file);
    fs::create_dir_all(world.temp.path().join(".config/watchkeeper")).unwrap();
    fs::write(world.temp.path().join(".config/watchkeeper/config.toml"), "[sync]\nstartup = \"none\"\n").unwrap();
    let daemon = Daemon::ready(&world);
    world.ok(&["sync", "--kind", "incremental"]);
    world.wait_for_sql("SELECT count(*) >= 2 FROM runs WHERE kind = 'full' AND outcome = 'completed'", "1");
    daemon.stop();
    let kinds: Vec<Value> = history(&world).into_iter().map(|run| run["kind"].clone()).collect();
    assert!(kinds.iter().filter(|kind| *kind == "full").count() >= 2, "{kinds:?}");
}

#[test]
fn a_run_that_ended_while_the_backup_was_made_comes_back_once() {
    let world = World::with(&["a=1"]);
    world.sync(&[]);
    let (file, before) = (back_up_of(&world), history(&world));
    // As if the index had been copied before the run ended, and the journal after.
    let sql = "UPDATE runs SET outcome = NULL, ended_ms = NULL, journal_seq = journal_seq - 1, row_sum = NULL WHERE number = 2;
               DELETE FROM runs WHERE number = 1";
    sqlite(&file, sql);
    restore(&world, &file);
    world.sync(&[]);
    assert_eq!(older(&world, &before), before);
    assert_agrees(&world);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_everything_stays() {
    let world = with_history();
    let file = back_up_of(&world);
    let bytes = fs::read(&file).unwrap();
    let other = |name: &str, content: &[u8]| {
        let path = world.temp.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let changed = |name: &str, sql: &str| {
        let path = other(name, &bytes);
        sqlite(&path, sql);
        path
    };
    let mut hole = bytes.clone();
    hole[8192..12288].fill(0);
    let cases = [
        (other("text", &b"notes of somebody else".repeat(500)), "is no backup of watchkeeper"),
        (other("empty", b""), "is no backup of watchkeeper"),
        (changed("foreign", "PRAGMA application_id = 7"), "is no backup of watchkeeper"),
        (other("plain", &fs::read(world.data.join("index.db")).unwrap()), "but no backup"),
        (changed("newer", "PRAGMA user_version = 99"), "newer watchkeeper (schema 99"),
        (other("half", &bytes[..bytes.len() / 2]), "is damaged"),
        (other("hole", &hole), "is damaged"),
        (
            changed("journal", "UPDATE backup_journal SET lines = CAST(replace(lines, 'finish', 'finsih') AS BLOB)"),
            "is damaged",
        ),
        (changed("torn", "UPDATE backup_journal SET lines = substr(lines, 1, length(lines) - 9)"), "its journal"),
        (world.temp.path().join("none"), "No such file or directory"),
        (world.tree.clone(), "is no backup of watchkeeper"),
    ];
    let before = contents(&world.data);
    for (path, expected) in cases {
        let said = world.exits(1, &["restore", path.to_str().unwrap(), "--yes"]);
        assert!(said.err.contains(expected), "{expected}: {said:?}");
        assert_eq!(contents(&world.data), before, "{expected}");
    }
    restore(&world, &file);
}

#[test]
fn killed_at_any_step_a_restore_leaves_the_old_or_the_new() {
    if !can("killed_at_any_step", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = with_history();
    let (file, new) = (back_up_of(&world), history(&world));
    world.put("later=1");
    world.sync(&["--note", "later"]);
    let old = history(&world);
    let saved = world.temp.path().join("saved");
    copy(&world.data, &saved);
    let (mut were_old, mut were_new) = (0, 0);
    for at in 1.. {
        fs::remove_dir_all(&world.data).unwrap();
        copy(&saved, &world.data);
        let calls = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat";
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={at}")]).arg(BINARY);
        strace.arg("--data-dir").arg(&world.data).arg("restore").arg(&file).arg("--yes");
        let has_ended = said(strace.env("HOME", world.temp.path()).stdin(Stdio::null())).code == 0;
        world.sync(&["--kind", "incremental", "--quiet"]);
        let is = |before: &[Value]| older(&world, before) == before;
        match (history(&world).len() == old.len() + 1 && is(&old), is(&new)) {
            (true, _) => were_old += 1,
            (false, true) => were_new += 1,
            (false, false) => panic!("killed at step {at}: {:?}", history(&world)),
        }
        assert_agrees(&world);
        world.assert_in_step();
        let left = ["restoring", "restored"].map(|name| world.data.join(name).exists());
        assert_eq!(left, [false, false], "killed at step {at}");
        if has_ended {
            break;
        }
    }
    assert!(were_old > 4 && were_new > 4, "{were_old} old, {were_new} new");
    assert_eq!(check(&world, "quarantine").unwrap()["state"], "warn");
}

#[test]
fn a_daemon_backs_up_by_itself_and_doctor_says_when() {
    let world = World::with(&["a=1"]);
    assert_eq!(check(&world, "backup").unwrap()["value"]["backups"], 0);
    let place = world.data.join("backups");
    fs::create_dir(&place).unwrap();
    // As after earlier ones, and one that was cut off.
    for name in ["schema-3-2020-01-01T00-00-00.000Z.db", "schema-2-2020-01-01T00-00-00.000Z.db", "schema-3-x.db.7.tmp"]
    {
        fs::write(place.join(name), "old").unwrap();
    }
    fs::create_dir_all(world.temp.path().join(".config/watchkeeper")).unwrap();
    let config = world.temp.path().join(".config/watchkeeper/config.toml");
    fs::write(config, "[backup]\nevery = \"1s\"\nkeep = 1\n").unwrap();
    assert_eq!(check(&world, "backup").unwrap()["state"], "warn");
    let daemon = Daemon::ready(&world);
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&place).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(100);
    while !(names().len() == 2 && names()[1].as_str() > "schema-3-2026") {
        assert!(std::time::Instant::now() < until, "{:?}", names());
    }
    daemon.stop();
    assert_eq!(names()[0], "schema-2-2020-01-01T00-00-00.000Z.db", "those of another schema are counted apart");
    assert_eq!(fs::metadata(place.join(&names()[1])).unwrap().permissions().mode() & 0o777, 0o600);
    restore(&world, &place.join(&names()[1]));
    world.sync(&[]);
    world.assert_in_step();
}

/// Backs up under strace with faults, to `file`.
fn back_up_with(world: &World, file: &Path, inject: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null"]).args(inject).arg(BINARY).arg("--data-dir").arg(&world.data);
    strace.arg("backup").arg(file).env("HOME", world.temp.path()).stdin(Stdio::null());
    strace
}

#[test]
fn whatever_call_fails_a_backup_is_whole_or_there_is_none() {
    if !can("whatever_call_fails_a_backup", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = with_history();
    let runs = history(&world).len();
    let mut refused = 0;
    for (call, most) in [("fsync", 12), ("unlink", 8), ("rename", 2)] {
        for at in 1..=most {
            let file = world.temp.path().join(format!("{call}-{at}"));
            let inject = format!("inject={call}:error=EIO:when={at}");
            let said = said(&mut back_up_with(&world, &file, &["-e", &format!("trace={call}"), "-e", &inject]));
            match said.code {
                0 => {
                    let there =
                        World { temp: tempfile::tempdir().unwrap(), tree: world.tree.clone(), ..World::empty() };
                    restore(&there, &file);
                    assert_eq!(history(&there).len(), runs, "{inject}");
                }
                _ => {
                    refused += 1;
                    // Its entry alone may not be on the disk yet.
                    assert!(!file.exists() || said.err.contains("EIO") || said.err.contains("error"), "{said:?}");
                }
            }
        }
    }
    assert!(refused > 4, "{refused} were refused");
}

#[test]
fn a_backup_that_is_cancelled_says_so_and_leaves_nothing() {
    if !can("a_backup_that_is_cancelled", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = with_history();
    let out = world.temp.path().join("out");
    fs::create_dir(&out).unwrap();
    // As a killed one leaves it: no process has this number.
    fs::write(out.join("copy.4194999.tmp"), "half").unwrap();
    let slow = ["-e", "trace=fsync", "-e", "inject=fsync:delay_enter=2000000:when=1+"];
    let backup = back_up_with(&world, &out.join("copy"), &slow).stderr(Stdio::piped()).spawn().unwrap();
    let names = || -> Vec<String> {
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let pid = |names: &Vec<String>| {
        names.iter().find_map(|name| Some(name.strip_prefix("copy.")?.strip_suffix(".tmp")?.to_owned()))
    };
    let is_begun = |names: &Vec<String>| pid(names).is_some_and(|pid| pid != "4194999");
    let begun = world.wait("it has begun", names, is_begun);
    let done = Command::new("kill").args(["-INT", &pid(&begun).unwrap()]).status().unwrap();
    assert!(done.success());
    let ended = backup.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(130) && err.contains("there is no backup"), "{ended:?}");
    assert_eq!(names(), Vec::<String>::new());
    world.ok(&["backup", out.join("copy").to_str().unwrap()]);
}

#[test]
fn a_restore_that_cannot_begin_leaves_everything_as_it_was_for_good() {
    let world = with_history();
    let file = back_up_of(&world);
    world.sync(&["--note", "newer"]);
    let before = history(&world);
    // Where what it replaces should go.
    fs::write(world.data.join("quarantine"), "").unwrap();
    let said = world.exits(1, &["restore", file.to_str().unwrap(), "--yes"]);
    assert!(said.err.contains("quarantine"), "{said:?}");
    assert!(!world.data.join("restored").exists() && !world.data.join("restoring").exists());
    fs::remove_file(world.data.join("quarantine")).unwrap();
    world.ok(&["sync"]);
    assert_eq!(older(&world, &before), before);
    assert_agrees(&world);
}
