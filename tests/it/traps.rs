//! The traps of scanning, each closed.

use super::world::{World, name, said, skipped, stop};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn hostile_names_are_stored_as_they_are_and_shown_escaped() {
    let world = World::empty();
    let names: [&[u8]; 9] = [
        b"new\nline",
        b"\x1b]52;c;AAAA\x07",
        b"\xff\xfe",
        b"-rf",
        b"back\\slash",
        b"caf\xc3\xa9",
        b"cafe\xcc\x81",
        b"\xe2\x80\xaegpj.exe",
        b"a b",
    ];
    for bytes in names {
        fs::write(world.tree.join(name(bytes)), bytes).unwrap();
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.assert_in_step();
    assert_eq!(world.index().len(), names.len());
    let table = world.ok(&["files", "tree"]).out;
    assert!(!table.contains('\x1b') && !table.contains('\u{202e}') && table.contains("\\x1b]52"), "{table}");
    let sums = world.ok(&["files", "tree", "--format", "sha256sum"]).out;
    assert_eq!(sums.lines().count(), names.len());
    let check = "\"$1\" --data-dir \"$2\" files tree --format sha256sum | (cd \"$3\" && sha256sum -c --quiet)";
    let mut command = Command::new("sh");
    command.args(["-c", check, "sh", super::world::BINARY]).arg(&world.data).arg(&world.tree);
    assert_eq!(said(&mut command).code, 0);
}

#[test]
fn special_files_are_left_out_and_links_are_not_followed() {
    let world = World::empty();
    world.put("dir/file=1");
    symlink("..", world.path("dir/loop")).unwrap();
    symlink("/", world.path("root")).unwrap();
    symlink("nowhere", world.path("dangling")).unwrap();
    let made = Command::new("mkfifo").arg(world.path("fifo")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let files = world.json(&["files", "tree"]);
    let kinds: Vec<String> = files.iter().map(|file| format!("{} {}", file["path"], file["type"])).collect();
    assert_eq!(
        kinds,
        ["\"dangling\" \"symlink\"", "\"root\" \"symlink\"", "\"dir/file\" \"file\"", "\"dir/loop\" \"symlink\""]
    );
    let left_out = &world.json(&["repo", "show", "tree"])[0]["left_out"];
    assert_eq!(left_out["FIFO, socket or device"], 2);
}

#[test]
fn a_file_that_becomes_a_directory_or_a_link_is_replaced() {
    let world = World::with(&["a=1", "b/x=2", "c=3", "d=4"]);
    world.sync(&[]);
    fs::remove_file(world.path("a")).unwrap();
    world.put("a/inside=new");
    fs::remove_dir_all(world.path("b")).unwrap();
    world.put("b=file");
    fs::remove_file(world.path("c")).unwrap();
    symlink("d", world.path("c")).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["added a/inside", "added b", "removed a", "removed b/x", "replaced c"]);
    world.assert_in_step();
}

#[test]
fn names_that_sort_around_the_slash_keep_step() {
    let world = World::with(&["a.txt", "a/b", "a-b", "a0", "a/b.c", "a.b/c"]);
    assert_eq!(world.sync(&[])["files_scanned"], 6);
    assert_eq!(world.last_changes().len(), 0);
    world.assert_in_step();
}

#[test]
fn times_before_1970_and_after_2038_and_2262_are_no_trouble() {
    let world = World::empty();
    for (file, date) in
        [("old", "1901-12-14"), ("negative", "1969-12-31"), ("later", "2039-01-20"), ("far", "2300-01-01")]
    {
        world.put(file);
        let done = Command::new("touch").args(["-d", date]).arg(world.path(file)).status().unwrap();
        assert!(done.success());
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.sync(&[]);
    assert_eq!(world.last_changes().len(), 0);
    world.assert_in_step();
    let of = |name: &str| world.json(&["files", "tree", name])[0]["mtime_ns"].as_i64().unwrap();
    assert_eq!((of("negative"), of("far")), (-86_400_000_000_000, i64::MAX));
}

#[test]
fn a_sparse_and_a_growing_file_are_read_to_the_size_that_they_had() {
    let world = World::empty();
    fs::File::create(world.path("sparse")).unwrap().set_len(64 << 20).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.assert_in_step();
}

#[test]
fn our_own_data_directory_inside_the_tree_is_left_out_wherever_it_stands() {
    let mut world = World::empty();
    world.data = world.path("deep/data");
    world.put("deep/file");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    fs::hard_link(world.path("deep/data/index.db"), world.path("link-to-index")).unwrap();
    for kind in ["full", "verify", "incremental"] {
        world.sync(&["--kind", kind]);
    }
    let index = world.index();
    let names: Vec<&[u8]> = index.keys().map(Vec::as_slice).collect();
    assert_eq!(names, [&b"deep/file"[..]]);
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
}

#[test]
fn paths_beyond_what_the_kernel_takes_at_once_are_indexed() {
    let world = World::empty();
    let script =
        "import os\nfor i in range(60):\n os.mkdir('d'*200); os.chdir('d'*200)\nopen('bottom','w').write('found')";
    assert!(Command::new("python3").args(["-c", script]).current_dir(&world.tree).status().unwrap().success());
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let files = world.json(&["files", "tree"]);
    assert_eq!((files.len(), files[0]["path"].as_str().unwrap().len()), (1, 60 * 201 + 6));
    assert_eq!(world.sync(&[])["outcome"], "completed");
    // The standard library cannot take it away again.
    assert!(Command::new("rm").arg("-rf").arg(&world.tree).status().unwrap().success());
}

#[test]
fn nothing_in_the_tree_is_touched() {
    let world = World::empty();
    world.put("d/file=content");
    let stamp = |world: &World| {
        let out = Command::new("sh")
            .args(["-c", "find . -printf '%p %s %T@ %C@ %A@ %m %i\\n' | sort"])
            .current_dir(&world.tree)
            .output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    };
    // Access times old enough that reading would move them even under relatime.
    let aged = "find . -exec touch -a -d '2020-01-01' {} +";
    assert!(Command::new("sh").args(["-c", aged]).current_dir(&world.tree).status().unwrap().success());
    let before = stamp(&world);
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    for kind in ["full", "verify", "incremental", "cleanup"] {
        world.sync(&["--kind", kind]);
    }
    let aged_by_find =
        |text: &str| text.lines().filter(|line| line.contains("file")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(aged_by_find(&stamp(&world)), aged_by_find(&before));
}

#[test]
fn only_reading_calls_reach_the_tree() {
    let world = World::with(&["a=1", "d/b=2"]);
    let traced = Command::new("strace").arg("-V").output();
    if !traced.is_ok_and(|done| done.status.success()) {
        return skipped("only_reading_calls_reach_the_tree", "no strace");
    }
    let trace = world.temp.path().join("trace");
    let mut command = Command::new("strace");
    let calls =
        "trace=open,openat,openat2,unlink,unlinkat,rename,renameat2,mkdirat,fchmodat,utimensat,ftruncate,link,symlink";
    command.args(["-f", "-y", "-o"]).arg(&trace).args(["-e", calls, super::world::BINARY, "--data-dir"]);
    command.arg(&world.data).args(["sync", "--kind", "verify"]).env("HOME", world.temp.path());
    if said(&mut command).code != 0 {
        return skipped("only_reading_calls_reach_the_tree", "strace may not trace here");
    }
    let tree = world.tree.to_str().unwrap().to_owned();
    let trace = fs::read_to_string(trace).unwrap();
    let in_tree: Vec<&str> = trace.lines().filter(|line| line.contains(&tree)).collect();
    assert!(in_tree.len() > 3, "the tree was looked at");
    for line in in_tree {
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| line.contains(flag));
        assert!(line.contains("open") && !writes, "{line}");
    }
}

#[test]
fn a_large_file_that_was_cut_off_goes_on_where_it_was() {
    let world = World::empty();
    fs::File::create(world.path("huge")).unwrap().set_len((1 << 30) + (600 << 20)).unwrap();
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let mut child = world.command(&["sync", "--quiet"]).spawn().unwrap();
    let pid = child.id();
    let go_on = || assert!(Command::new("kill").args(["-s", "CONT", &pid.to_string()]).status().unwrap().success());
    // Killed as soon as the index holds a point to go on from. It stands still while it is looked at: on a busy machine
    // the look takes longer than the reading.
    let reached = || {
        let out = Command::new("sqlite3")
            .arg("-readonly")
            .arg(world.data.join("index.db"))
            .arg("SELECT coalesce(max(offset_bytes), 0) FROM hash_states")
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).trim().parse::<u64>().unwrap_or(0) > 0
    };
    loop {
        stop(pid);
        if reached() {
            break;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it had saved a point");
        go_on();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept: u64 = world.sqlite("SELECT max(offset_bytes) FROM hash_states").parse().unwrap();
    assert!(kept >= 256 << 20);
    let run = world.sync(&[]);
    assert_eq!(run["outcome"], "completed");
    world.assert_in_step();
    assert_eq!(world.sqlite("SELECT count(*) FROM hash_states"), "0");
    let runs = world.json(&["history"]);
    assert_eq!((&runs[1]["outcome"], &runs[0]["outcome"]), (&json!("interrupted"), &json!("completed")));
}
