//! Moves keep their history and cost no second reading.

use super::world::World;
use std::fs;

fn created(world: &World) -> Vec<(String, String)> {
    let files = world.json(&["files", "tree"]);
    let mut created: Vec<(String, String)> = files
        .iter()
        .map(|file| (file["created_at"].as_str().unwrap().to_owned(), file["sha256"].as_str().unwrap().to_owned()))
        .collect();
    created.sort();
    created
}

#[test]
fn a_moved_file_keeps_its_history_and_is_not_read_again() {
    let world = World::with(&["a/one=1", "b/two=2", "stay"]);
    world.let_stamps_age();
    let before = created(&world);
    fs::rename(world.path("a/one"), world.path("b/renamed")).unwrap();
    let run = world.sync(&[]);
    assert_eq!(world.last_changes(), ["moved a/one -> b/renamed"]);
    assert_eq!((run["files_moved"].as_i64(), run["files_added"].as_i64()), (Some(1), Some(0)));
    assert_eq!((run["files_removed"].as_i64(), run["bytes_hashed"].as_i64()), (Some(0), Some(0)));
    assert_eq!(created(&world), before);
    world.assert_in_step();
}

#[test]
fn a_moved_directory_is_one_change_however_much_is_in_it() {
    let world = World::with(&["2019/a", "2019/deep/er/b", "2019/deep/c", "archive/x"]);
    world.let_stamps_age();
    let before = created(&world);
    fs::rename(world.path("2019"), world.path("archive/2019")).unwrap();
    let run = world.sync(&[]);
    assert_eq!(world.last_changes(), ["moved 2019 -> archive/2019"]);
    assert_eq!((run["files_moved"].as_i64(), run["bytes_hashed"].as_i64()), (Some(3), Some(0)));
    assert_eq!(created(&world), before);
    world.assert_in_step();
    fs::rename(world.path("archive/2019"), world.path("2019")).unwrap();
    world.sync(&["--kind", "incremental"]);
    assert_eq!(world.last_changes(), ["moved archive/2019 -> 2019"]);
    world.assert_in_step();
}

#[test]
fn what_changed_inside_a_moved_directory_is_seen_with_it() {
    for kind in ["full", "incremental", "verify"] {
        let world = World::with(&["a/b/c/file=old", "a/b/gone", "a/b/c/d/gone", "x"]);
        world.let_stamps_age();
        fs::rename(world.path("a"), world.path("z")).unwrap();
        world.put("z/b/c/file=new content");
        world.put("z/b/c/d/new");
        fs::remove_file(world.path("z/b/gone")).unwrap();
        fs::remove_file(world.path("z/b/c/d/gone")).unwrap();
        let run = world.sync(&["--kind", kind]);
        let expected =
            ["added z/b/c/d/new", "edited z/b/c/file", "moved a -> z", "removed z/b/c/d/gone", "removed z/b/gone"];
        assert_eq!(world.last_changes(), expected, "{kind}");
        assert_eq!((run["files_added"].as_i64(), run["files_updated"].as_i64()), (Some(1), Some(1)), "{kind}");
        world.assert_in_step();
    }
}

#[test]
fn files_moved_out_of_a_removed_directory_are_moves() {
    let world = World::with(&["old/a=1", "old/sub/b=2", "new/x=3"]);
    world.sync(&[]);
    fs::rename(world.path("old/a"), world.path("new/a")).unwrap();
    fs::rename(world.path("old/sub/b"), world.path("b")).unwrap();
    fs::remove_dir_all(world.path("old")).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["moved old/a -> new/a", "moved old/sub/b -> b"]);
    world.assert_in_step();
}

#[test]
fn directories_that_trade_places_end_in_the_right_index() {
    let world = World::with(&["a/1=a1", "a/same=a", "b/2=b2", "b/same=b", "b/sub/3=b3"]);
    world.sync(&[]);
    fs::rename(world.path("a"), world.path("t")).unwrap();
    fs::rename(world.path("b"), world.path("a")).unwrap();
    fs::rename(world.path("t"), world.path("b")).unwrap();
    world.sync(&[]);
    world.assert_in_step();
    // A directory takes the name of its parent's old place, and the parent moves into it.
    fs::rename(world.path("a"), world.path("t")).unwrap();
    fs::create_dir(world.path("a")).unwrap();
    fs::rename(world.path("t"), world.path("a/a")).unwrap();
    world.sync(&[]);
    world.assert_in_step();
    fs::rename(world.path("a/a/sub"), world.path("sub")).unwrap();
    fs::rename(world.path("a"), world.path("sub/a")).unwrap();
    world.sync(&["--kind", "incremental"]);
    world.assert_in_step();
}

#[test]
fn renames_in_the_middle_of_syncs_make_no_run_fail_and_leave_no_ghosts() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let world = World::empty();
    for number in 0..600 {
        world.put(&format!("d{}/f{number}=content {number}", number % 12));
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.ok(&["repo", "set", "tree", "guard.max_removed_percent=100"]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !stop.load(Relaxed) {
                turn += 1;
                let (one, two) = (world.path(&format!("d{}", turn % 12)), world.path(&format!("d{}", turn * 7 % 12)));
                if one == two {
                    continue;
                }
                let aside = world.path("aside");
                fs::rename(&one, &aside).unwrap();
                fs::rename(&two, &one).unwrap();
                fs::rename(&aside, &two).unwrap();
                let file = fs::read_dir(&one).unwrap().next().map(|entry| entry.unwrap().path());
                file.into_iter().for_each(|file| fs::rename(&file, two.join(file.file_name().unwrap())).unwrap());
            }
        });
        for turn in 0..8 {
            let run = world.sync(&["--kind", if turn % 2 == 0 { "full" } else { "incremental" }]);
            // Stopped before anything is asserted: a failure must not leave the other thread going.
            if run["outcome"] != "completed" || turn == 7 {
                stop.store(true, Relaxed);
                assert_eq!(run["outcome"], "completed", "{run}");
            }
        }
    });
    world.sync(&[]);
    world.assert_in_step();
    assert_eq!(world.status()["total_files"], 600);
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
}

#[test]
fn files_that_trade_names_are_not_lost() {
    let world = World::with(&["a=content of a", "b=content of b"]);
    world.sync(&[]);
    fs::rename(world.path("a"), world.path("t")).unwrap();
    fs::rename(world.path("b"), world.path("a")).unwrap();
    fs::rename(world.path("t"), world.path("b")).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["replaced a", "replaced b"]);
    world.assert_in_step();
}

#[test]
fn a_copy_whose_original_is_deleted_is_a_move_by_content() {
    let world = World::with(&["a/film=long and unique content", "b/x", "twin1=twin", "twin2=twin"]);
    world.sync(&[]);
    fs::copy(world.path("a/film"), world.path("b/film")).unwrap();
    fs::remove_file(world.path("a/film")).unwrap();
    fs::copy(world.path("twin1"), world.path("twin3")).unwrap();
    fs::remove_file(world.path("twin1")).unwrap();
    fs::remove_file(world.path("twin2")).unwrap();
    world.sync(&[]);
    let expected = ["added twin3", "moved a/film -> b/film", "removed twin1", "removed twin2"];
    assert_eq!(world.last_changes(), expected, "with two candidates nothing is proven");
    world.assert_in_step();
}

#[test]
fn a_file_with_several_names_is_read_once() {
    let world = World::empty();
    world.put("a=content");
    (0..5).for_each(|number| fs::hard_link(world.path("a"), world.path(&format!("link{number}"))).unwrap());
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    assert_eq!(world.json(&["history"])[0]["bytes_hashed"], 7);
    world.assert_in_step();
}

#[test]
fn a_hard_link_is_a_file_of_its_own_and_no_move() {
    let world = World::with(&["a=1"]);
    world.sync(&[]);
    fs::hard_link(world.path("a"), world.path("b")).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["added b", "touched a"]);
    fs::remove_file(world.path("a")).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["removed a", "touched b"]);
    world.assert_in_step();
}

#[test]
fn a_reused_inode_is_no_move() {
    let world = World::with(&["a=old!"]);
    world.sync(&[]);
    let times = fs::metadata(world.path("a")).unwrap().modified().unwrap();
    fs::remove_file(world.path("a")).unwrap();
    world.put("b=new!");
    fs::File::open(world.path("b")).unwrap().set_modified(times).unwrap();
    world.sync(&[]);
    assert_eq!(world.last_changes(), ["added b", "removed a"]);
    world.assert_in_step();
}
