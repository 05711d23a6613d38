//! When the watcher is at its limits: a full queue, a full channel, no watches left, mounts, a panic.

use std::process::Command;

use super::*;

/// A watcher whose reading thread is held in its first delivery, that of the hint at `first`, until `go` is sent to.
fn held(watched: &[&str]) -> (World, Sender<()>) {
    let (sender, news) = channel();
    let (go, wait) = channel::<()>();
    let (arrived, is_held) = channel::<()>();
    let mut is_first = true;
    let deliver = move |news| {
        if std::mem::take(&mut is_first) {
            arrived.send(()).unwrap();
            wait.recv().unwrap();
        }
        sender.send(news).map_err(|failed| failed.0)
    };
    let world = World::with(news, Box::new(deliver));
    watched.iter().for_each(|path| fs::create_dir_all(world.path(path)).unwrap());
    world.watch(watched);
    world.write("first");
    is_held.recv_timeout(DEADLINE).unwrap();
    (world, go)
}

/// Makes more news than the queue holds.
fn flood(world: &World) {
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    (0..=queue / 3 + 1_000).for_each(|number| world.write(&number.to_string()));
}

#[test]
fn late_news_of_an_old_path_end_no_watch_that_was_set_since() {
    let (mut world, go) = held(&["", "a", "a/sub"]);
    world.rename("a", "b");
    // The reading thread does not know yet; a worker finds the directory at its new path, and another one at the old.
    assert_eq!(world.watch(&["b", "b/sub", "a", "a/sub"]), [Placed::New; 4]);
    go.send(()).unwrap();
    world.said();
    assert_eq!(world.watcher.coverage(TREE).watched, 5);
    world.write("b/sub/f");
    world.write("a/sub/g");
    world.says(&["a/sub: g+", "b/sub: f+"]);
}

#[test]
fn an_overflow_is_told_to_every_watched_tree_and_replaces_its_hints() {
    let (mut world, go) = held(&[""]);
    flood(&world);
    go.send(()).unwrap();
    world.says(&["Overflow"]);
    world.write("after");
    world.says(&[": after+"]);
}

#[test]
fn a_proof_asked_for_in_an_overflow_is_given_after_it() {
    let (world, go) = held(&[""]);
    world.watcher.ask(99).unwrap();
    flood(&world);
    world.watcher.ask(100).unwrap();
    go.send(()).unwrap();
    let mut all = Hints::default();
    loop {
        match world.next() {
            News::Hints { hints, .. } => all.merge(hints),
            News::Proof(number) => break assert_eq!(number, 100, "the newest is answered"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all.why_everything(), Some(Everything::Overflow));
}

#[test]
fn someone_elses_look_at_the_cookie_proves_nothing() {
    let (world, go) = held(&[""]);
    File::open(world.temp.path().join("own/watch.cookie")).unwrap();
    world.write("second");
    world.watcher.ask(1).unwrap();
    go.send(()).unwrap();
    let mut all = Hints::default();
    while let News::Hints { hints, .. } = world.next() {
        all.merge(hints);
    }
    assert_eq!(text(all), [": first+ second+"]);
}

#[test]
fn the_cookie_needs_no_path_and_takes_no_bytes() {
    let mut world = World::new();
    let cookie = world.temp.path().join("own/watch.cookie");
    let found = fs::metadata(&cookie).unwrap();
    assert_eq!((found.len(), std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777), (0, 0o600));
    fs::remove_file(cookie).unwrap();
    world.watch(&[""]);
    world.write("f");
    world.says(&[": f+"]);
}

#[test]
fn news_that_are_refused_are_merged_and_come_before_the_proof() {
    let (sender, news) = channel();
    let (refused, refusals) = channel();
    let mut left = 4;
    let deliver = move |news| {
        if left > 0 {
            left -= 1;
            refused.send(()).unwrap();
            return Err(news);
        }
        sender.send(news).map_err(|failed| failed.0)
    };
    let mut world = World::with(news, Box::new(deliver));
    world.watch(&["", "d"]);
    for name in ["a", "b", "d/c"] {
        world.write(name);
        refusals.recv_timeout(DEADLINE).unwrap();
    }
    world.says(&[": a+ b+ d+", "d: c+"]);
}

#[test]
fn a_panic_is_told_and_ends_it() {
    let (sender, news) = channel();
    let mut is_first = true;
    let deliver = move |news| {
        assert!(!std::mem::take(&mut is_first), "meant to panic");
        sender.send(news).map_err(|failed| failed.0)
    };
    let world = World::with(news, Box::new(deliver));
    assert_eq!(world.watch(&[""]), [Placed::New]);
    world.write("f");
    assert!(matches!(world.next(), News::Down(why) if why.contains("panicked")));
    assert!(matches!(world.watcher.ask(1), Err(WatchError::Down)));
    assert_eq!((world.watch(&[""]), world.watcher.coverage(TREE).watched), (vec![Placed::Unwatched], 0));
}

/// Runs one of these tests again, inside of what `unshare` makes; returns whether this is the run inside.
fn is_inside(test: &str, flags: &str, prepare: &str) -> bool {
    const INSIDE: &str = "WATCHKEEPER_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare").args([flags, "sh", "-euc", prepare]).output();
    if !possible.is_ok_and(|done| done.status.success()) {
        assert!(std::env::var_os("WATCHKEEPER_TEST_NO_SKIP").is_none(), "SKIPPED {test}");
        eprintln!("SKIPPED {test}: `unshare {flags}` is not allowed or there is none");
        return false;
    }
    let script = format!("{prepare}\nexec \"$0\" disk::watch::tests::trouble::{test} --exact --nocapture");
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-euc", &script]).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn without_watches_left_directories_are_remembered_and_tried_again() {
    let prepare = "echo 4 > /proc/sys/user/max_inotify_watches";
    if !is_inside("without_watches_left_directories_are_remembered_and_tried_again", "-Ur", prepare) {
        return;
    }
    let mut world = World::new();
    // The cookie takes one of the four.
    let placed = world.watch(&["", "a", "b", "c", "c/d"]);
    assert_eq!(placed, [Placed::New, Placed::New, Placed::New, Placed::Unwatched, Placed::Unwatched]);
    let coverage = world.watcher.coverage(TREE);
    assert_eq!(coverage, Coverage { watched: 3, unwatched: 2, is_remote: false, why: Some(Why::Limit) });
    assert_eq!(world.watcher.unwatched(TREE).unwrap(), [&b"c"[..], b"c/d"]);
    world.write("c/silent");
    world.said();
    fs::remove_dir(world.path("a")).unwrap();
    world.says(&[": a+"]);
    assert_eq!(world.watch(&["c/d", "c"]), [Placed::New, Placed::Unwatched]);
    world.rename("c", "../away");
    world.says(&[": c+"]);
    assert_eq!(world.watcher.coverage(TREE), Coverage { watched: 2, ..Coverage::default() });
    // What another tree held is free at once.
    world.watcher.forget(TREE);
    let mut place = |path: &str| {
        fs::create_dir_all(world.path(path)).unwrap();
        world.watcher.watch(8, path.as_bytes(), &world.open(path))
    };
    assert_eq!(["", "e", "f"].map(&mut place), [Placed::New; 3]);
}

#[test]
fn without_an_instance_or_a_watch_left_there_is_no_watcher() {
    let prepare = "echo 0 > /proc/sys/user/max_inotify_watches";
    if is_inside("without_an_instance_or_a_watch_left_there_is_no_watcher", "-Ur", prepare) {
        let temp = tempfile::tempdir().unwrap();
        let start = || Watcher::start(temp.path(), Box::new(|_| Ok(()))).unwrap_err();
        assert!(matches!(start(), WatchError::NoWatch));
        fs::write("/proc/sys/user/max_inotify_instances", "0").unwrap();
        assert!(matches!(start(), WatchError::NoInstance));
    }
}

fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

#[test]
fn a_directory_with_two_paths_is_watched_at_both() {
    let prepare = "mount -t tmpfs none /mnt";
    if !is_inside("a_directory_with_two_paths_is_watched_at_both", "-m", prepare) {
        return;
    }
    let mut world = World::new();
    world.watch(&["", "a", "bound"]);
    run("mount", &[Path::new("--bind"), &world.path("a"), &world.path("bound")]);
    assert_eq!(world.watch(&["bound"]), [Placed::New]);
    world.said();
    world.write("a/f");
    world.says(&["a: f+", "bound: f+"]);
    run("umount", &[&world.path("bound")]);
    assert_eq!(world.watch(&["bound"]), [Placed::New]);
    world.said();
    world.write("a/g");
    world.says(&["a: g+"]);
}

#[test]
fn an_unmounted_disk_is_a_hint_where_it_was_and_an_unmounted_root_is_lost() {
    let prepare = "mount -t tmpfs none /mnt";
    let test = "an_unmounted_disk_is_a_hint_where_it_was_and_an_unmounted_root_is_lost";
    if !is_inside(test, "-m", prepare) {
        return;
    }
    let mut world = World::new();
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), &world.path("")]);
    world.watch(&["", "d", "d/disk"]);
    run("mount", &[Path::new("-t"), Path::new("tmpfs"), Path::new("none"), &world.path("d/disk")]);
    world.watch(&["d/disk", "d/disk/x", "d/disk/x/y", "d/disk/z"]);
    world.said();
    run("umount", &[&world.path("d/disk")]);
    world.says(&["d: *"]);
    assert_eq!(world.watcher.coverage(TREE).watched, 2);
    run("umount", &[&world.path("")]);
    world.says(&["lost"]);
    assert_eq!(world.watcher.coverage(TREE), Coverage::default());
}

#[test]
fn a_remote_tree_is_polled_and_a_remote_part_remembered() {
    let mut places = Places::default();
    let place = Place { wd: None, since: 0, device: 1, walk: 0 };
    places.set_remote(TREE, b"nfs", 1, true);
    places.set(TREE, b"nfs", place);
    places.set_why(TREE, Why::Remote);
    let coverage = Coverage { watched: 0, unwatched: 1, is_remote: false, why: Some(Why::Remote) };
    assert_eq!((places.coverage(TREE), places.unwatched(TREE, 1)), (coverage, Some(vec![b"nfs".to_vec()])));
    assert_eq!(places.unwatched(TREE, 0), None, "too many to name");
    places.set_remote(TREE, b"", 1, true);
    assert!(places.is_all_remote(TREE) && places.coverage(TREE).is_remote);
    assert_eq!(places.unwatched(TREE, 1), None, "all of it");
}
