//! The kinds of runs: what each looks at, and what it leaves alone.

use super::world::{World, age};
use serde_json::{Value, json};
use std::fs;

#[test]
fn the_first_sync_records_every_file_with_its_hash() {
    let world = World::with(&["a.txt=one", "a/b/c.txt=two", "a.d/x=three", "empty=", "a b/ü=four"]);
    world.assert_in_step();
    let run = &world.json(&["history"])[0];
    for (key, value) in [("kind", json!("full")), ("trigger", json!("startup")), ("outcome", json!("completed"))] {
        assert_eq!(run[key], value);
    }
    assert_eq!((&run["files_added"], &run["files_scanned"]), (&json!(5), &json!(5)));
    assert_eq!(world.json(&["changes"]).len(), 0, "until a full run has ended, changes are counted only");
    assert_eq!(world.status()["total_bytes"], json!(3 + 3 + 5 + 4));
}

#[test]
fn files_that_rest_are_recorded_at_first_sight_as_at_a_second_look() {
    let world = World::empty();
    for (name, bytes) in
        [("empty", 0), ("small", 10), ("just", 65_535), ("as much", 65_536), ("more", 65_537), ("mega", 3 << 20)]
    {
        fs::write(world.path(name), vec![7; bytes]).unwrap();
    }
    // More than one hand takes.
    (0..600).for_each(|number| world.put(&format!("many/f{number}={number}")));
    fs::hard_link(world.path("many/f1"), world.path("many/other name")).unwrap();
    std::os::unix::fs::symlink("small", world.path("link")).unwrap();
    let newest = fs::symlink_metadata(world.path("link")).unwrap().modified().unwrap();
    // Younger ones are looked at twice, at once or later.
    while newest.elapsed().unwrap() < std::time::Duration::from_millis(150) {}
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.assert_in_step();
    assert_eq!(world.sqlite("SELECT count(*) FROM files WHERE flags & (2 | 16)"), "0", "none is racy or unread");
    let newest_in = "SELECT max(max(f.mtime_ns, f.mtime_ns + f.ctime_after_mtime_ns)) = d.newest_ns
                     FROM files f JOIN directories d ON d.id = f.directory_id GROUP BY d.id";
    assert_eq!(world.sqlite(newest_in), "1\n1");
    for kind in ["full", "verify"] {
        let run = world.sync(&["--kind", kind]);
        let found = ["files_added", "files_updated", "files_removed", "files_damaged"].map(|key| run[key].clone());
        assert_eq!(found, [0, 0, 0, 0].map(Value::from), "{kind}: {run}");
    }
}

#[test]
fn a_full_sync_finds_every_difference_once() {
    let world = World::with(&["edit=old", "touch=same", "remove", "stay", "chmod", "dir/deep/remove"]);
    world.put("edit=new and longer");
    age(&world.path("touch"), 1);
    fs::remove_file(world.path("remove")).unwrap();
    fs::remove_dir_all(world.path("dir")).unwrap();
    world.put("fresh/file");
    let run = world.sync(&[]);
    assert_eq!(run["outcome"], "completed");
    assert_eq!(
        world.last_changes(),
        ["added fresh/file", "edited edit", "removed dir/deep/remove", "removed remove", "touched touch"]
    );
    let counted = |key: &str| run[key].as_i64().unwrap();
    assert_eq!(
        (counted("files_added"), counted("files_updated"), counted("files_removed"), counted("files_moved")),
        (1, 2, 2, 0)
    );
    world.assert_in_step();
    let run = world.sync(&[]);
    assert_eq!((world.last_changes().len(), run["files_scanned"].as_i64()), (0, Some(5)));
}

#[test]
fn an_incremental_sync_lists_only_where_something_may_have_changed() {
    let world = World::with(&["old/a", "old/b", "new/a", "x"]);
    for name in ["old/a", "old/b"] {
        age(&world.path(name), 30);
    }
    world.let_stamps_age();
    // Its files are 30 days old by mtime; their inodes are not, and the window counts both.
    let recent = world.sync(&["--kind", "incremental"]);
    assert_eq!(recent["directories_listed"], 3);
    let narrow = world.sync(&["--kind", "incremental", "--since", "1ms"]);
    assert!(narrow["directories_listed"].as_i64().unwrap() < 3, "{narrow}");
    world.put("new/b");
    world.put("new/sub/c");
    let run = world.sync(&["--kind", "incremental", "--since", "1ms"]);
    assert_eq!((&run["files_added"], &run["outcome"]), (&json!(2), &json!("completed")));
    fs::remove_file(world.path("old/a")).unwrap();
    let run = world.sync(&["--kind", "incremental", "--since", "1ms"]);
    assert_eq!(run["files_removed"], 1);
    world.assert_in_step();
}

#[test]
fn a_single_sync_looks_only_at_the_named_file_or_folder() {
    let world = World::with(&["a/1=x", "a/2=x", "b/1=x"]);
    for file in ["a/1=changed", "a/2=changed", "b/1=changed", "b/2=new"] {
        world.put(file);
    }
    let run = world.sync(&["tree", "--path", "a/1"]);
    assert_eq!((&run["kind"], &run["files_updated"], &run["files_scanned"]), (&json!("single"), &json!(1), &json!(1)));
    assert_eq!(world.last_changes(), ["edited a/1"]);
    world.sync(&["tree", "--path", "b"]);
    assert_eq!(world.last_changes(), ["added b/2", "edited b/1"]);
    fs::remove_file(world.path("b/2")).unwrap();
    world.sync(&["tree", "--path", "./b/2"]);
    assert_eq!(world.last_changes(), ["removed b/2"]);
    world.sync(&["tree", "--path", "a"]);
    world.assert_in_step();
    let said = world.exits(1, &["sync", "tree", "--path", "no/such"]);
    assert!(said.err.contains("no/such") && said.err.contains("not on disk"), "{said:?}");
    assert_ne!(world.status()["state"], "failed", "a path that is nowhere says nothing of the repository");
    world.exits(2, &["sync", "tree", "--path", "../etc"]);
}

#[test]
fn a_journal_is_synced_by_the_day() {
    let world = World::empty();
    for day in ["01", "02", "03"] {
        world.put(&format!("2026/11/{day}.md=first"));
    }
    let tree = world.tree.to_str().unwrap();
    world.ok(&["repo", "add", tree, "--date-pattern", "%Y/%m/%d.md"]);
    for day in ["01", "02", "03"] {
        world.put(&format!("2026/11/{day}.md=second"));
    }
    world.sync(&["tree", "--date", "2026-11-02"]);
    assert_eq!(world.last_changes(), ["edited 2026/11/02.md"]);
    world.sync(&["tree", "--from", "2026-10-30", "--to", "2026-11-02"]);
    assert_eq!(world.last_changes(), ["edited 2026/11/01.md"]);
    world.exits(2, &["sync", "tree", "--from", "2026-11-02", "--to", "2026-11-01"]);
}

#[test]
fn a_verify_reads_everything_and_a_budgeted_one_goes_on_where_it_stopped() {
    let world = World::with(&["a/1=11", "a/2=22", "b/1=33", "b/2=44", "c/1=55"]);
    world.let_stamps_age();
    let run = world.sync(&["--kind", "verify"]);
    assert_eq!((&run["bytes_hashed"], &run["outcome"]), (&json!(10), &json!("completed")));
    // Two would race for the last bytes of a budget as small as this one, each in a directory of its own.
    world.ok(&["repo", "set", "tree", "workers=1"]);
    let mut read = 0;
    for _ in 0..5 {
        let run = world.sync(&["--kind", "verify", "--max-bytes", "2"]);
        assert_eq!(run["bytes_hashed"], 2, "{run}");
        read += 2;
    }
    assert_eq!(read, 10);
    // Every file was read once: the oldest `verified_at` is younger than the first verify.
    let first = run["started_at"].as_str().unwrap().to_owned();
    for file in world.json(&["files", "tree"]) {
        assert!(file["verified_at"].as_str().unwrap() > first.as_str(), "{file}");
    }
}

#[test]
fn a_verify_that_runs_out_of_time_in_a_huge_file_goes_on_in_it_and_counts_what_it_read() {
    let world = World::empty();
    let size_bytes: u64 = (1 << 30) + (300 << 20);
    fs::File::create(world.path("huge")).unwrap().set_len(size_bytes).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let (mut read, mut runs) = (0, 0);
    while read < size_bytes {
        let run = world.sync(&["--kind", "verify", "--max-time", "300ms"]);
        assert_eq!((&run["outcome"], &run["problems"]), (&json!("completed"), &json!(0)), "{run}");
        read += run["bytes_hashed"].as_u64().unwrap();
        runs += 1;
        let is_done = world.sqlite("SELECT count(*) FROM directories WHERE verified_ms IS NOT NULL") == "1";
        assert_eq!(is_done, read == size_bytes, "{read} of {size_bytes}: {run}");
    }
    // No machine hashes 4 GB in a second.
    assert!(read == size_bytes && runs > 1, "{read} bytes in {runs} runs");
    assert_eq!(world.sqlite("SELECT count(*) FROM hash_states"), "0");
    world.assert_in_step();
}

#[test]
fn a_cleanup_only_drops_records_whose_file_is_gone() {
    let world = World::with(&["gone", "edited=old", "stay"]);
    fs::remove_file(world.path("gone")).unwrap();
    world.put("edited=new");
    world.put("new");
    world.sync(&["--kind", "cleanup"]);
    assert_eq!(world.last_changes(), ["removed gone"]);
    let run = world.sync(&["--kind", "incremental", "--since", "1ms"]);
    assert_eq!(run["files_added"], 1, "a cleanup hides nothing from an incremental run");
    world.sync(&[]);
    world.assert_in_step();
}

#[test]
fn a_plan_says_what_the_run_then_does_and_writes_nothing() {
    let world = World::with(&["edit=old", "gone", "old-name=moved content", "dir/a", "dir/b"]);
    world.put("edit=new");
    world.put("added");
    fs::remove_file(world.path("gone")).unwrap();
    fs::rename(world.path("old-name"), world.path("new-name")).unwrap();
    fs::rename(world.path("dir"), world.path("moved-dir")).unwrap();
    let before = fs::read(world.data.join("index.db")).unwrap();
    let planned = world.json(&["sync", "--plan"]);
    assert_eq!(fs::read(world.data.join("index.db")).unwrap(), before);
    assert_eq!(world.json(&["history"]).len(), 1);
    let mut planned: Vec<String> =
        planned.iter().map(|change| format!("{} {}", change["verdict"], change["path"])).collect();
    planned.sort();
    world.sync(&[]);
    let number = world.json(&["history"])[0]["number"].to_string();
    let done = world.json(&["changes", "--run", &number]);
    let mut done: Vec<String> = done.iter().map(|change| format!("{} {}", change["verdict"], change["path"])).collect();
    done.sort();
    assert_eq!(planned, done);
    assert_eq!(done.len(), 5);
}

#[test]
fn a_repository_without_hashes_goes_by_size_and_times() {
    let world = World::empty();
    world.put("a=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--hash", "none"]);
    let run = world.sync(&[]);
    assert_eq!(run["bytes_hashed"], 0);
    world.put("a=22");
    world.put("b=3");
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["added b", "edited a"]);
    assert!(world.index().values().all(Option::is_none));
}

#[test]
fn a_library_that_moved_is_read_and_compared() {
    let world = World::with(&["a=1", "b=2"]);
    let elsewhere = world.temp.path().canonicalize().unwrap().join("elsewhere");
    fs::rename(&world.tree, &elsewhere).unwrap();
    world.exits(1, &["sync"]);
    world.ok(&["repo", "set", "tree", &format!("path={}", elsewhere.display())]);
    let run = world.sync(&[]);
    assert_eq!((&run["outcome"], &run["bytes_hashed"]), (&json!("completed"), &json!(2)));
    assert_eq!(world.status()["total_files"], 2);
}

#[test]
fn a_rule_or_a_hash_that_changes_reaches_the_index_at_the_next_sync() {
    let world = World::empty();
    ["d/e/x.mp3", "k"].iter().for_each(|file| world.put(file));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--exclude", "*.mp3", "--hash", "none"]);
    world.let_stamps_age();
    world.ok(&["repo", "set", "tree", "exclude="]);
    world.sync(&["--kind", "incremental", "--since", "1ms"]);
    assert_eq!(world.index().len(), 2);
    world.ok(&["repo", "set", "tree", "hash=sha256"]);
    world.sync(&["--kind", "incremental", "--since", "1ms"]);
    world.assert_in_step();
}

#[test]
fn several_new_paths_below_one_new_directory_are_looked_at_once() {
    let world = World::empty();
    world.put("2026/11/30.md");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--date-pattern", "%Y/%m/%d.md"]);
    ["2026/12/01.md", "2026/12/02.md", "2026/12-x", "2026/12.md"].iter().for_each(|file| world.put(file));
    let run = world.sync(&["tree", "--from", "2026-12-01", "--to", "2026-12-03"]);
    assert_eq!((&run["outcome"], &run["files_added"]), (&json!("completed"), &json!(2)));
    world.sync(&[
        "tree",
        "--path",
        "2026/12",
        "--path",
        "2026/12-x",
        "--path",
        "2026/12/01.md",
        "--path",
        "2026/12.md",
    ]);
    world.assert_in_step();
    fs::remove_dir_all(world.path("2026")).unwrap();
    world.ok(&["sync", "tree", "--accept-removals", "--path", "2026/12/01.md"]);
    assert_eq!(world.index().len(), 0, "the directory that held it is gone, and was looked for");
}
