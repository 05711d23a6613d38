//! Indexes of every schema that there ever was: each is backed up, upgraded, and says the same as before.

use super::backup::{back_up_of, copy, restore, sqlite};
use super::journal::{assert_agrees, history};
use super::resident::can;
use super::world::{BINARY, World, in_mount_namespace, said};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn fixture(schema: usize) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/v{schema}.sql"))
}

/// How many schemas there were.
fn schemas() -> usize {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/migrations")).unwrap().count()
}

/// A data directory with an index of this schema, from before there was a journal.
pub fn of_schema(schema: usize) -> World {
    use std::os::unix::fs::PermissionsExt;
    let world = World::empty();
    fs::create_dir(&world.data).unwrap();
    fs::set_permissions(&world.data, PermissionsExt::from_mode(0o700)).unwrap();
    sqlite(&world.data.join("index.db"), &format!(".read '{}'", fixture(schema).display()));
    world
}

/// Tables and views, however they were made, without comments and blanks.
fn tables(index: &Path) -> String {
    sqlite(
        index,
        "SELECT type, name, (SELECT group_concat(name) FROM pragma_table_info(s.name)) FROM sqlite_schema s
                   WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
    )
}

/// Starts an engine that changes nothing of what is compared.
pub fn upgrade(world: &World) {
    world.ok(&["repo", "pause", "tree"]);
}

#[track_caller]
pub fn assert_says_the_same(world: &World) {
    let runs: Vec<Value> = history(world)
        .iter()
        .map(|run| {
            json!([run["number"], run["kind"], run["trigger"], run["outcome"], run["started_at"], run["files_added"]])
        })
        .collect();
    let expected = json!([
        [3, "full", "startup", "completed", "2026-09-21T14:18:20.000Z", 0],
        [2, "incremental", "schedule", "failed", "2026-09-21T14:15:00.000Z", 0],
        [1, "full", "user", "completed", "2026-09-21T14:13:20.000Z", 2],
    ]);
    assert_eq!(Value::from(runs), expected);
    let files: Vec<Value> = world
        .json(&["files", "tree"])
        .iter()
        .map(|file| json!([file["path"], file["size_bytes"], file["sha256"].as_str().map(|sum| &sum[..4])]))
        .collect();
    assert_eq!(Value::from(files), json!([["a", 2, "ca97"], ["b/c", 3, "3e23"]]));
    assert_eq!(world.json(&["repo", "show", "tree"])[0]["exclude"], json!(["*.iso"]));
}

#[test]
fn every_schema_has_a_fixture_which_becomes_the_newest_and_says_the_same() {
    let newest = of_schema(schemas());
    assert_says_the_same(&newest);
    for schema in 1..=schemas() {
        let world = of_schema(schema);
        let index = world.data.join("index.db");
        let said = world.wk(&["history"]);
        assert_eq!(said.code, i32::from(schema < schemas()), "{said:?}");
        upgrade(&world);
        assert_eq!(sqlite(&index, "PRAGMA user_version"), format!("{}\n", schemas()));
        assert_eq!(tables(&index), tables(&newest.data.join("index.db")), "schema {schema}");
        assert_eq!(sqlite(&index, "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok\n");
        assert_says_the_same(&world);
        assert_agrees(&world);
    }
}

#[test]
fn what_is_upgraded_was_backed_up_and_can_be_restored() {
    for schema in 1..schemas() {
        let world = of_schema(schema);
        upgrade(&world);
        let names: Vec<_> =
            fs::read_dir(world.data.join("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [backup] = &names[..] else { panic!("{names:?}") };
        assert!(backup.to_str().unwrap().contains(&format!("backups/schema-{schema}-2")), "{backup:?}");
        restore(&world, backup);
        let index = world.data.join("index.db");
        assert_eq!(sqlite(&index, "PRAGMA user_version"), format!("{schema}\n"));
        assert_eq!(tables(&index), tables(&of_schema(schema).data.join("index.db")));
        upgrade(&world);
        assert_says_the_same(&world);
        assert_agrees(&world);
    }
}

#[test]
fn without_room_for_a_backup_nothing_is_upgraded() {
    let world = of_schema(1);
    let script = "
        mv $DATA saved; mkdir -m 700 $DATA; mount -t tmpfs -o size=220k,mode=700 none $DATA
        cp saved/index.db $DATA
        $WK --data-dir $DATA repo pause tree || echo code $?
        sqlite3 $DATA/index.db 'PRAGMA user_version'
        mount -o remount,size=60m $DATA
        $WK --data-dir $DATA repo pause tree --quiet && sqlite3 $DATA/index.db 'PRAGMA user_version'
    ";
    let Some(said) = in_mount_namespace("without_room_for_a_backup", &world, script) else { return };
    assert!(said.out.starts_with("code 1\n1\n") && said.out.ends_with(&format!("{}\n", schemas())), "{said:?}");
    assert!(said.err.contains("(schema 1) was not upgraded, as no backup"), "{said:?}");
}

#[test]
fn killed_at_any_step_of_an_upgrade_the_index_has_the_old_schema_or_a_newer_one() {
    if !can("killed_at_any_step_of_an_upgrade", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let shapes: Vec<String> = (1..=schemas()).map(|schema| tables(&of_schema(schema).data.join("index.db"))).collect();
    let world = of_schema(1);
    let saved = world.temp.path().join("saved");
    copy(&world.data, &saved);
    let mut found = Vec::new();
    // Every fourth: the rest is alike, and each costs as much as a start.
    for at in (1..).step_by(4) {
        fs::remove_dir_all(&world.data).unwrap();
        copy(&saved, &world.data);
        let calls = "pwrite64,fsync,fdatasync,rename,unlink,ftruncate";
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={at}")]).arg(BINARY);
        strace.arg("--data-dir").arg(&world.data).args(["repo", "pause", "tree"]).env("HOME", world.temp.path());
        let has_ended = said(strace.stdin(Stdio::null())).code == 0;
        let index = world.data.join("index.db");
        let schema: usize = sqlite(&index, "PRAGMA user_version").trim().parse().unwrap();
        assert_eq!(tables(&index), shapes[schema - 1], "killed at step {at}");
        found.push(schema);
        upgrade(&world);
        assert_says_the_same(&world);
        assert_agrees(&world);
        if has_ended {
            break;
        }
    }
    assert!(found.contains(&1) && found.contains(&schemas()), "{found:?}");
}

#[test]
fn an_older_program_names_the_newest_backup_that_it_can_read() {
    let world = World::with(&["a=1"]);
    let file = back_up_of(&world);
    let backups = world.data.join("backups");
    fs::create_dir(&backups).unwrap();
    for (name, from) in [("schema-2-2026-01-01T00-00-00.000Z.db", "2"), ("schema-3-2026-02-01T00-00-00.000Z.db", "3")] {
        fs::copy(&file, backups.join(name)).unwrap();
        sqlite(&backups.join(name), &format!("PRAGMA user_version = {from}"));
    }
    // Both of its ways into the index: as a reader and as an engine.
    fs::write(backups.join("schema-9-2026-03-01T00-00-00.000Z.db"), "of the newer program").unwrap();
    sqlite(&world.data.join("index.db"), "PRAGMA user_version = 9");
    let newest = backups.join("schema-3-2026-02-01T00-00-00.000Z.db");
    let before = fs::read(world.data.join("index.db")).unwrap();
    for command in ["history", "sync"] {
        let said = world.exits(1, &[command]);
        let expected = format!("`watchkeeper restore {}`", newest.display());
        assert!(said.err.contains("newer watchkeeper (schema 9") && said.err.contains(&expected), "{said:?}");
    }
    assert_eq!(fs::read(world.data.join("index.db")).unwrap(), before);
    restore(&world, &newest);
    world.sync(&[]);
    world.assert_in_step();
}
