//! Guards: what is not seen is not gone (invariant 2).

use super::world::{World, in_mount_namespace};
use serde_json::json;
use std::fs;

fn library(files: usize) -> World {
    let world = World::empty();
    for number in 0..files {
        world.put(&format!("d{}/f{number}", number % 7));
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world
}

#[test]
fn a_missing_root_removes_nothing_and_says_what_to_do() {
    let world = library(20);
    fs::rename(&world.tree, world.temp.path().join("away")).unwrap();
    let said = world.exits(1, &["sync"]);
    assert!(said.err.contains("does not exist; nothing was removed. Mount it"), "{said:?}");
    assert_eq!((&world.status()["state"], &world.status()["total_files"]), (&json!("missing"), &json!(20)));
    assert_eq!(world.index().len(), 20);
    fs::rename(world.temp.path().join("away"), &world.tree).unwrap();
    assert_eq!(world.sync(&[])["outcome"], "completed");
    assert_eq!(world.json(&["changes"]).len(), 0);
}

#[test]
fn an_emptied_root_is_held_and_lapses_when_the_files_return() {
    let world = library(5);
    let away = world.temp.path().join("away");
    fs::create_dir(&away).unwrap();
    for entry in fs::read_dir(&world.tree).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), away.join(entry.file_name())).unwrap();
    }
    let said = world.exits(4, &["sync"]);
    assert!(said.err.contains("it held files and is empty now. See `watchkeeper held tree`"), "{said:?}");
    assert_eq!(world.index().len(), 5);
    assert!(world.json(&["files", "tree"]).iter().all(|file| file["held"] == true));
    assert_eq!(world.json(&["held"]).iter().map(|held| held["files"].as_i64().unwrap()).sum::<i64>(), 5);
    assert_eq!(world.status()["state"], "held");
    for entry in fs::read_dir(&away).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), world.tree.join(entry.file_name())).unwrap();
    }
    assert_eq!(world.sync(&[])["outcome"], "completed");
    assert_eq!(world.json(&["held"]).len(), 0);
    assert!(world.json(&["files", "tree"]).iter().all(|file| file["held"] == false));
    assert_eq!(world.json(&["changes"]).len(), 0);
}

#[test]
fn a_folder_that_really_was_emptied_can_be_accepted() {
    let world = library(5);
    for entry in fs::read_dir(&world.tree).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    world.exits(4, &["sync"]);
    world.exits(4, &["held"]);
    let run = &world.json(&["held", "tree", "--accept"])[0];
    assert_eq!(
        (&run["kind"], &run["files_removed"], &run["outcome"]),
        (&json!("cleanup"), &json!(5), &json!("completed"))
    );
    assert_eq!(world.ok(&["held"]).out, "");
    world.assert_in_step();
    assert_eq!(world.status()["total_files"], 0);
}

#[test]
fn a_mass_removal_is_held_and_a_small_one_is_not() {
    let world = library(210);
    let remove = |from: usize, to: usize| {
        (from..to).for_each(|number| fs::remove_file(world.path(&format!("d{}/f{number}", number % 7))).unwrap());
    };
    remove(0, 105);
    assert_eq!(world.sync(&[])["files_removed"], 105, "half is not more than half");
    remove(105, 206);
    let said = world.exits(4, &["sync"]);
    assert!(said.err.contains("101 removals are held: a large share of the files is gone at once"), "{said:?}");
    assert_eq!(world.index().len(), 105);
    assert_eq!(world.sync(&[])["outcome"], "held", "it is held until someone decides");
    world.ok(&["held", "tree", "--dismiss"]);
    assert_eq!(world.sync(&[])["outcome"], "completed");
    assert_eq!(world.index().len(), 105, "dismissing keeps the records");
    remove(206, 207);
    assert_eq!(world.sync(&[])["outcome"], "held", "the set has changed");
    (0..500).for_each(|number| world.put(&format!("new/{number}")));
    world.sync(&[]);
    world.ok(&["held", "tree", "--dismiss"]);
    remove(207, 208);
    let run = world.sync(&[]);
    assert_eq!((&run["files_removed"], &run["outcome"]), (&json!(1), &json!("completed")), "what is held stays held");
    assert_eq!(world.index().len(), 500 + 104);
    world.ok(&["held", "tree", "--accept"]);
    world.assert_in_step();
}

#[test]
fn what_is_held_stays_held_however_the_shares_move() {
    let world = library(210);
    let aside = world.temp.path().join("aside");
    fs::create_dir(&aside).unwrap();
    for directory in ["d0", "d1", "d2", "d3"] {
        fs::rename(world.path(directory), aside.join(directory)).unwrap();
    }
    world.exits(4, &["sync"]);
    fs::rename(aside.join("d0"), world.path("d0")).unwrap();
    for kind in ["full", "incremental", "verify", "cleanup"] {
        let run = world.sync(&["--kind", kind]);
        assert_eq!(
            (&run["files_removed"], &run["outcome"]),
            (&json!(0), &json!("held")),
            "{kind}: 90 of 210 would pass"
        );
    }
    let run = world.sync(&["tree", "--path", "d1"]);
    assert_eq!(run["outcome"], "held");
    assert_eq!(world.index().len(), 210);
    assert_eq!(world.status()["held"], 90);
    fs::rename(aside.join("d1"), world.path("d1")).unwrap();
    world.sync(&[]);
    assert_eq!(world.status()["held"], 60);
    world.ok(&["held", "tree", "--accept"]);
    world.assert_in_step();
}

#[test]
fn a_stray_file_in_an_emptied_root_releases_nothing() {
    let world = library(50);
    for entry in fs::read_dir(&world.tree).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    world.exits(4, &["sync"]);
    world.put("stray");
    world.exits(4, &["sync"]);
    assert_eq!(world.index().len(), 51);
}

#[test]
fn limits_are_set_per_repository_and_a_sync_may_accept() {
    let world = library(10);
    world.ok(&["repo", "set", "tree", "guard.max_removed_files=2", "max_removed_percent=20"]);
    for number in 0..3 {
        fs::remove_file(world.path(&format!("d{number}/f{number}"))).unwrap();
    }
    world.exits(4, &["sync"]);
    assert_eq!(world.sync(&["--accept-removals"])["files_removed"], 3);
    world.assert_in_step();
}

#[test]
fn moves_are_matched_before_anything_counts_as_removed() {
    let world = library(210);
    world.let_stamps_age();
    fs::create_dir(world.path("all")).unwrap();
    for number in 0..210 {
        fs::rename(world.path(&format!("d{}/f{number}", number % 7)), world.path(&format!("all/{number}"))).unwrap();
    }
    let run = world.sync(&[]);
    assert_eq!(
        (&run["outcome"], &run["files_moved"], &run["bytes_hashed"]),
        (&json!("completed"), &json!(210), &json!(0))
    );
    world.assert_in_step();
}

#[test]
fn another_file_system_at_the_root_is_held_and_not_read() {
    let world = library(5);
    let script = "
        mount -t tmpfs none $TREE; echo stray > $TREE/stray
        $WK --data-dir $DATA sync && exit 9 || code=$?
        echo code $code
        $WK --data-dir $DATA held --accept && exit 9 || echo accept $?
        $WK --data-dir $DATA files tree --format print0 | tr '\\0' '\\n' | sort
        umount $TREE
        $WK --data-dir $DATA sync
    ";
    let Some(said) = in_mount_namespace("another_file_system_at_the_root", &world, script) else { return };
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("on another file system than before; nothing was read or removed. Mount the right one"));
    assert!(said.out.contains("code 4") && said.out.contains("accept 4") && !said.out.contains("stray"), "{said:?}");
    assert!(said.out.contains("d0/f0") && said.out.contains("d4/f4"), "{said:?}");
    assert_eq!((world.json(&["held"]).len(), &world.status()["last_run"]["outcome"]), (0, &json!("completed")));
}

#[test]
fn a_root_that_was_unmounted_is_held_though_it_looks_empty() {
    let world = World::empty();
    let script = "
        mount -t tmpfs none $TREE; for i in 1 2 3; do echo $i > $TREE/$i; done
        $WK --data-dir $DATA repo add $TREE
        umount $TREE
        $WK --data-dir $DATA sync && exit 9 || echo code $?
        $WK --data-dir $DATA files tree | wc -l
        $WK --data-dir $DATA held && exit 9 || echo held $?
    ";
    let Some(said) = in_mount_namespace("a_root_that_was_unmounted", &world, script) else { return };
    assert!(said.out.contains("code 4") && said.out.contains("\n3\n") && said.out.contains("held 4"), "{said:?}");
}

#[test]
fn a_nested_mount_that_is_gone_emptied_or_another_one_removes_nothing() {
    let world = World::empty();
    fs::create_dir(world.path("disk")).unwrap();
    fs::create_dir(world.path("plain")).unwrap();
    world.put("plain/x");
    let script = "
        mount -t tmpfs one $TREE/disk; for i in 1 2 3; do echo $i > $TREE/disk/$i; done
        $WK --data-dir $DATA repo add $TREE --quiet
        mv $TREE/disk/1 $TREE/disk/2 /dev/shm/ 2>/dev/null || cp $TREE/disk/[12] $DATA/
        rm -f $TREE/disk/*
        $WK --data-dir $DATA sync && exit 9 || echo emptied $?
        umount $TREE/disk
        $WK --data-dir $DATA sync && exit 9 || echo gone $?
        mount -t tmpfs two $TREE/disk; echo other > $TREE/disk/1
        $WK --data-dir $DATA sync && exit 9 || echo other $?
        $WK --data-dir $DATA files tree | wc -l
        $WK --data-dir $DATA held tree --accept
        $WK --data-dir $DATA sync
        $WK --data-dir $DATA files tree --format print0 | tr '\\0' ' '
        mount -t tmpfs three $TREE/plain
        $WK --data-dir $DATA sync && exit 9 || echo over $?
        umount $TREE/disk; rmdir $TREE/disk; umount $TREE/plain
        $WK --data-dir $DATA sync && exit 9 || echo with its place $?
        $WK --data-dir $DATA held tree --accept
        mkdir $TREE/disk; mount -t tmpfs four $TREE/disk; $WK --data-dir $DATA sync; umount $TREE/disk
        echo plain > $TREE/disk/now
        $WK --data-dir $DATA sync; $WK --data-dir $DATA files tree --format print0 | tr '\\0' ' '
    ";
    let Some(said) = in_mount_namespace("a_nested_mount", &world, script) else { return };
    for expected in
        ["emptied 4", "gone 4", "other 4", "\n4\n", "disk/1 plain/x", "over 4", "with its place 4", "disk/now plain/x"]
    {
        assert!(said.out.contains(expected), "{expected}: {said:?}");
    }
}

#[test]
fn another_disk_at_a_mount_point_does_not_reach_the_records_below_it() {
    let world = World::empty();
    fs::create_dir(world.path("disk")).unwrap();
    world.put("local/x");
    let script = "
        mount -t tmpfs one $TREE/disk; mkdir $TREE/disk/photos; for i in 1 2 3 4; do echo one $i > $TREE/disk/photos/$i; done
        $WK --data-dir $DATA repo add $TREE --quiet
        $WK --data-dir $DATA files tree --format sha256sum | sort > before
        cp -p $TREE/disk/photos/1 $TREE/local/copy
        umount $TREE/disk; mkdir $TREE/disk/photos; echo below > $TREE/disk/photos/1
        for kind in full incremental verify; do
            $WK --data-dir $DATA sync --kind $kind && exit 9 || echo $kind $?
        done
        mount -t tmpfs two $TREE/disk; mkdir $TREE/disk/photos; echo two > $TREE/disk/photos/1
        for kind in incremental verify full; do
            $WK --data-dir $DATA sync --kind $kind && exit 9 || echo $kind $?
        done
        $WK --data-dir $DATA files tree --format sha256sum | grep -v local/copy | sort > after
        cmp before after && echo same
    ";
    let Some(said) = in_mount_namespace("another_disk_at_a_mount_point", &world, script) else { return };
    assert!(said.out.ends_with("same\n") && said.out.matches(" 4\n").count() == 6, "{said:?}");
}
