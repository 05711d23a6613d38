//! The command line: exit codes, JSON, messages, and what stands beside it.

use super::world::{BINARY, World, said};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_command_speaks_the_contracts_json() {
    let world = World::with(&["a=1", "dir/b=2"]);
    world.put("a=22");
    let run = world.sync(&[]);
    let run_keys = "run_id number repository kind trigger outcome started_at ended_at duration_ms files_scanned files_added \
        files_updated files_removed files_moved files_damaged problems bytes_hashed error_class error_message attempt \
        instance metadata progress";
    let status_keys = "repository path state watching watch_mode pending_hints true_as_of total_files total_bytes \
        open_problems damaged held last_run next_runs by_kind";
    let file_keys = "repository path path_b64 type size_bytes mtime_ns ctime_ns inode sha256 hashed_at verified_at \
        last_scanned scan_generation created_at updated_at held";
    let change_keys = "run_id repository at verdict path old_path old_size_bytes new_size_bytes old_sha256 new_sha256";
    let stats_keys = "repository kind runs completed partial failed held cancelled interrupted success_rate duration_ms \
        files bytes_hashed errors";
    let check = |object: &Value, wanted: &str| {
        let known = keys(object);
        wanted.split_whitespace().for_each(|key| assert!(known.contains(&key), "{key} in {object}"));
    };
    check(&run, run_keys);
    check(&world.json(&["history", "tree", "-n", "1"])[0], run_keys);
    check(&world.json(&["history", "2", "--log"])[0], &format!("{run_keys} log"));
    check(&world.status(), status_keys);
    check(
        &world.status()["by_kind"]["full"],
        "last_success_at last_attempt_at last_outcome last_error success_count \
        failure_count last_files_processed",
    );
    check(&world.json(&["files", "tree"])[0], file_keys);
    check(&world.json(&["changes"])[0], change_keys);
    check(&world.json(&["stats"])[0], stats_keys);
    for object in world.json(&["doctor"]) {
        check(&object, "check state message hint value");
    }
    check(&world.json(&["why", "tree", "a"])[0], "repository path record run last_change problem left_out_by");
    let at = run["started_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z') && &at[10..11] == "T", "{at}");
    assert_eq!(run["instance"].as_str().unwrap().splitn(3, ':').count(), 3);
}

#[test]
fn the_views_are_there_for_people_who_come_with_sql() {
    let world = World::with(&["a=1", "dir/b=22"]);
    let rows =
        world.sqlite("SELECT file_path, file_size, length(content_hash), scan_generation FROM file_records ORDER BY 1");
    assert_eq!(rows, "a|1|64|1\ndir/b|2|64|1");
    assert_eq!(world.sqlite("SELECT operation_type, files_added, status FROM sync_operations"), "startup|2|completed");
    let status =
        "SELECT sync_type, last_sync_status, successful_sync_count, last_records_processed FROM sync_status_by_type";
    assert_eq!(world.sqlite(status), "tree/full|success|1|2");
    assert_eq!(world.sqlite("SELECT sync_type, status, records_processed FROM sync_history"), "tree/full|success|2");
    for view in ["file_records", "sync_operations", "sync_status_by_type", "sync_history"] {
        let sql = format!(
            "SELECT count(*) FROM {view} WHERE typeof({}) <> 'text'",
            match view {
                "file_records" => "mod_time",
                "sync_operations" => "start_time",
                "sync_status_by_type" => "created_at",
                _ => "sync_timestamp",
            }
        );
        assert_eq!(world.sqlite(&sql), "0", "{view}");
    }
}

#[test]
fn a_wrong_word_or_option_is_a_usage_error_that_helps() {
    let world = World::empty();
    let said = world.exits(2, &["snyc"]);
    assert!(said.err.contains("did you mean `watchkeeper sync`?"), "{said:?}");
    world.exits(2, &["sync", "--kind", "everything"]);
    world.exits(2, &["sync", "--max-bytes", "5"]);
    world.exits(2, &["sync", "--kind", "verify", "--max-bytes", "many"]);
    let said = world.exits(1, &["status", "nobody"]);
    assert!(said.err.contains("there is no index yet") && said.err.contains("watchkeeper repo add PATH"), "{said:?}");
    world.ok(&["repo", "add", world.tree.to_str().unwrap()]);
    let said = world.exits(1, &["sync", "nobody"]);
    assert!(said.err.contains("there is no repository nobody; there are tree"), "{said:?}");
    let said = world.exits(2, &["repo", "add", world.tree.to_str().unwrap(), "--date-pattern", "x"]);
    assert!(said.err.contains("names no date"), "{said:?}");
    let said = world.exits(2, &["repo", "set", "tree", "guard.max_removed_flies=3"]);
    assert!(said.err.contains("max_removed_files"), "{said:?}");
}

#[test]
fn a_wrong_config_stops_everything_and_names_the_line() {
    let world = World::with(&["a"]);
    let config = world.temp.path().join("config.toml");
    fs::write(&config, "[sync]\nworkers = 1\n\n[guard]\nmax_removed_percentage = 3\n").unwrap();
    let said = world.exits(2, &["sync", "--config", config.to_str().unwrap()]);
    assert!(said.err.contains(":5: ") && said.err.contains("max_removed_percent"), "{said:?}");
    assert_eq!(world.json(&["history"]).len(), 1);
}

#[test]
fn repositories_do_not_overlap_and_get_names_of_their_own() {
    let world = World::empty();
    for directory in ["x/photos/", "y/photos/", "My Photos!/"] {
        world.put(directory);
    }
    let add = |path: &str| world.wk(&["repo", "add", world.path(path).to_str().unwrap()]);
    assert_eq!((add("x/photos").code, add("y/photos").code, add("My Photos!").code), (0, 0, 0));
    let names: Vec<String> = world.json(&["repo", "list"]).iter().map(|r| r["repository"].to_string()).collect();
    assert_eq!(names, ["\"My-Photos-\"", "\"photos\"", "\"photos-2\""]);
    for path in ["x", "x/photos", "."] {
        let said = add(path);
        assert!(said.code == 1 && (said.err.contains("overlaps") || said.err.contains("already")), "{said:?}");
    }
    world.ok(&["repo", "add", world.path("x/photos").to_str().unwrap(), "--if-not-exists"]);
    world.ok(&["repo", "rename", "photos-2", "journal"]);
    world.exits(1, &["repo", "rename", "journal", "photos"]);
    world.exits(1, &["repo", "remove", "journal"]);
    world.ok(&["repo", "remove", "journal", "--yes"]);
    assert!(world.path("y/photos").is_dir());
    world.ok(&["repo", "pause", "photos"]);
    assert_eq!(world.exits(1, &["sync", "photos"]).out, "");
    assert_eq!(world.json(&["sync"]).len(), 1, "the paused one is passed over");
    world.ok(&["repo", "resume", "photos"]);
    world.ok(&["sync", "photos"]);
}

#[test]
fn several_repositories_are_paused_at_once_and_all_only_when_that_is_said() {
    let world = World::empty();
    for name in ["a", "b", "c"] {
        world.put(&format!("{name}/"));
        world.ok(&["repo", "add", world.path(name).to_str().unwrap(), "--no-sync"]);
    }
    let paused = || world.sqlite("SELECT group_concat(name) FROM repositories WHERE paused_ms IS NOT NULL");
    world.exits(2, &["repo", "pause"]);
    world.exits(2, &["repo", "pause", "a", "--all"]);
    world.exits(1, &["repo", "pause", "a", "nobody"]);
    assert_eq!(paused(), "", "one wrong name and none is paused");
    assert!(world.ok(&["repo", "pause", "a", "c"]).err.contains("a, c: paused"));
    assert_eq!(paused(), "a,c");
    world.ok(&["repo", "pause", "--all"]);
    assert_eq!(paused(), "a,b,c");
    world.ok(&["repo", "resume", "b", "c"]);
    assert_eq!(paused(), "a");
    world.ok(&["repo", "resume", "--all"]);
    assert_eq!(paused(), "");
}

#[test]
fn a_second_program_is_told_who_has_the_data_directory() {
    let world = World::with(&["a"]);
    let lock = world.data.join("engine.lock");
    let held = "exec 9<>\"$1\"; flock 9; echo 'pid 4242 since yesterday' >&9; \"$2\" --data-dir \"$3\" sync";
    let mut command = Command::new("sh");
    command.args(["-c", held, "sh"]).arg(&lock).arg(BINARY).arg(&world.data);
    let said = said(&mut command);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("pid") && said.err.contains("since"), "{said:?}");
    world.ok(&["status"]);
}

#[test]
fn a_pipe_that_closes_early_is_no_error() {
    let files: Vec<String> = (0..3000).map(|number| format!("file-with-a-long-name-{number}")).collect();
    let world = World::with(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = world.command(&["files", "tree"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_signal_ends_a_run_as_cancelled_and_keeps_what_was_committed() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let world = World::with(&["first"]);
        fs::File::create(world.path("large")).unwrap().set_len(20 << 30).unwrap();
        let child = world.command(&["sync"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while world.sqlite("SELECT count(*) FROM runs WHERE outcome IS NULL") == "0" {}
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{}", String::from_utf8_lossy(&done.stderr));
        let run = &world.json(&["history", "-n", "1"])[0];
        assert_eq!((&run["outcome"], &run["error_class"]), (&"cancelled".into(), &"cancelled".into()));
        assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
        assert!(world.index().contains_key(&b"first"[..]));
        fs::File::create(world.path("large")).unwrap().set_len(3).unwrap();
        world.ok(&["sync"]);
        world.assert_in_step();
    }
}

#[test]
fn what_is_ours_is_private_and_what_is_not_ours_is_refused_unchanged() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with(&["a"]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&world.data), mode(&world.data.join("index.db"))), (0o700, 0o600));
    world.sqlite("PRAGMA user_version = 99");
    let before = fs::read(world.data.join("index.db")).unwrap();
    for command in [["sync"], ["status"]] {
        let said = world.exits(1, &command);
        assert!(said.err.contains("newer watchkeeper") && said.err.contains("left as it is"), "{said:?}");
    }
    assert_eq!(fs::read(world.data.join("index.db")).unwrap(), before);
}

#[test]
fn without_a_terminal_a_directory_is_synced_in_plain_lines_and_nothing_is_the_status() {
    let world = World::empty();
    world.put("a=1");
    let said = world.ok(&[world.tree.to_str().unwrap()]);
    assert!(said.out.starts_with("tree: full sync completed, 1 file, 1 added") && said.err.is_empty(), "{said:?}");
    let said = world.ok(&[]);
    assert!(said.out.contains("tree") && said.out.contains("stale") && !said.out.contains('\x1b'), "{said:?}");
    let said = world.ok(&["status", "--check"]);
    assert!(said.out.starts_with("ok: 1 repository"), "{said:?}");
    let said = world.exits(1, &["status", "--check", "--max-age", "0s"]);
    assert!(said.out.contains("tree: true as of now only"), "{said:?}");
    assert!(world.ok(&["sync", "--quiet"]).out.is_empty());
}

#[test]
fn help_completions_and_manual_pages_name_every_command() {
    let world = World::empty();
    let help = world.ok(&["--help"]).out;
    let pages = world.temp.path().join("man");
    world.ok(&["man", pages.to_str().unwrap()]);
    let completions = world.ok(&["completions", "bash"]).out;
    for command in [
        "repo", "sync", "status", "history", "changes", "problems", "damage", "held", "files", "why", "stats",
        "doctor", "digest", "metrics",
    ] {
        assert!(help.contains(command) && completions.contains(command), "{command}");
        assert!(pages.join(format!("watchkeeper-{command}.1")).is_file(), "{command}");
    }
    let default = world.ok(&["config", "default"]).out;
    assert!(default.contains("full_every = \"24h\""), "{default}");
    assert!(world.ok(&["config", "show"]).out.contains("max_removed_percent = 50"));
}

#[test]
fn what_was_cancelled_inside_a_new_directory_becomes_no_other_directorys_record() {
    let world = World::with(&["first"]);
    for directory in ["new", "other"] {
        world.put(&format!("{directory}/"));
        for number in 0..4 {
            world.put(&format!("{directory}/small{number}"));
            fs::File::create(world.path(&format!("{directory}/large{number}"))).unwrap().set_len(3 << 30).unwrap();
        }
    }
    let child = world.command(&["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.sqlite("SELECT count(*) FROM files") == "1" {}
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap();
    let orphans = "SELECT count(*) FROM files WHERE directory_id NOT IN (SELECT id FROM directories)";
    assert_eq!(world.sqlite(orphans), "0");
    fs::remove_dir_all(world.path("new")).unwrap();
    fs::remove_dir_all(world.path("other")).unwrap();
    world.put("aa/a1=1");
    world.ok(&["sync", "--accept-removals"]);
    world.assert_in_step();
}

#[test]
fn a_full_disk_fails_the_run_with_its_name_and_leaves_a_true_index() {
    let world = World::empty();
    for number in 0..12_000 {
        world.put(&format!("d{}/a-file-with-a-rather-long-name-{number}", number % 40));
    }
    fs::create_dir(&world.data).unwrap();
    let script = "
        mount -t tmpfs -o size=1200k none $DATA
        mkdir $TREE/../small; echo 1 > $TREE/../small/x; $WK --data-dir $DATA repo add $TREE/../small --quiet
        $WK --data-dir $DATA repo add $TREE --no-sync --quiet
        $WK --data-dir $DATA sync tree --plan > /dev/null 2> planned && echo planned || echo plan $?
        sqlite3 $DATA/index.db 'SELECT count(*) FROM files'
        $WK --data-dir $DATA sync tree 2> said && exit 9 || echo code $?
        cat said >&2
        mount -o remount,size=60m $DATA
        $WK --data-dir $DATA sync tree; $WK --data-dir $DATA files tree | wc -l
        sqlite3 $DATA/index.db 'PRAGMA integrity_check'
    ";
    let Some(said) = super::world::in_mount_namespace("a_full_disk", &world, script) else { return };
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("plan 1\n1\ntree: full sync failed")
            && said.out.contains("code 1\n")
            && said.out.contains("\n12000\nok"),
        "{said:?}"
    );
    assert!(said.err.contains("full") && !said.err.contains("bug"), "{said:?}");
}

#[test]
fn what_the_kernel_makes_up_is_not_added_without_a_question() {
    let world = World::empty();
    let said = world.exits(1, &["repo", "add", "/proc/self/fd"]);
    assert!(said.err.contains("is made up by the kernel; it was not added"), "{said:?}");
    assert_eq!(world.json(&["repo", "list"]).len(), 0);
    world.ok(&["repo", "add", "/proc/sys/kernel", "--yes", "--no-sync"]);
}
