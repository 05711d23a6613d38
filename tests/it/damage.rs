//! Damage: content that changed while size and times did not.

use super::world::{World, in_mount_namespace};
use serde_json::json;
use std::process::Command;

fn sum(content: &str) -> String {
    let script = format!("printf %s '{content}' | sha256sum | cut -c1-64");
    String::from_utf8(Command::new("sh").arg("-c").arg(script).output().unwrap().stdout).unwrap().trim().to_owned()
}

/// A file whose recorded content is `good` while `bad` stands on the disk, with nothing moved in its stamp.
pub fn damaged() -> World {
    let world = World::with(&["photo=bad!", "other/copy=good", "stay"]);
    // Let the stamps grow old enough to be trusted, then put the hash of other content under them.
    world.let_stamps_age();
    let good = sum("good");
    world.sqlite(&format!("UPDATE files SET sha256 = x'{good}' WHERE name = CAST('photo' AS BLOB)"));
    world
}

#[test]
fn a_verify_reports_damage_keeps_the_old_hash_and_names_a_good_copy() {
    let world = damaged();
    assert_eq!(world.sync(&[])["files_damaged"], 0, "a full sync reads only what moved");
    let said = world.exits(5, &["sync", "--kind", "verify"]);
    assert!(said.out.contains("1 DAMAGED") && said.out.contains("watchkeeper damage tree"), "{said:?}");
    assert_eq!(world.last_changes(), ["damaged photo"]);
    assert_eq!(world.index()[&b"photo"[..]], Some(sum("good")));
    let damage = world.json(&["damage"]);
    let entry = &damage[0];
    assert_eq!((&entry["path"], &entry["found_sha256"]), (&json!("photo"), &json!(sum("bad!"))));
    assert_eq!(entry["good_copies"][0]["path"], "other/copy");
    world.exits(5, &["damage"]);
    world.exits(5, &["status", "--check"]);
    assert_eq!((&world.status()["state"], &world.status()["damaged"]), (&json!("damaged"), &json!(1)));
    world.exits(5, &["sync"]);
    world.exits(5, &["sync", "--kind", "verify"]);
    assert_eq!(world.last_changes().len(), 0, "it is reported once");
}

#[test]
fn a_flipped_bit_in_a_recorded_hash_is_put_right_and_no_file_is_called_damaged() {
    let world = World::with(&["photo\x1b=good", "stay"]);
    world.let_stamps_age();
    let recorded = world.index();
    let good = sum("good");
    // The last digit of a hexadecimal number, and one bit of it.
    let last = u8::from_str_radix(&good[63..], 16).unwrap() ^ 4;
    world.sqlite(&format!("UPDATE files SET sha256 = x'{}{last:x}' WHERE sha256 = x'{good}'", &good[..63]));
    assert_ne!(world.index(), recorded);
    world.ok(&["sync", "--kind", "verify"]);
    assert_eq!((world.last_changes().len(), world.json(&["damage"]).len()), (0, 0));
    assert_eq!(world.index(), recorded);
    let repairs = world.json(&["doctor"]).into_iter().find(|check| check["check"] == "repairs").unwrap();
    let message = repairs["message"].as_str().unwrap();
    assert!(
        message.ends_with("the recorded hash of photo\\x1b had 1 flipped bit and was put right; the file is as it was"),
        "{message}"
    );
}

#[test]
fn putting_the_good_content_back_closes_damage() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    world.put("photo=good");
    world.ok(&["sync"]);
    assert_eq!(world.last_changes(), ["restored photo"]);
    assert_eq!(world.json(&["damage"]).len(), 0);
    world.ok(&["sync", "--kind", "verify"]);
    world.assert_in_step();
}

#[test]
fn a_touch_or_a_move_does_not_heal_damage_and_an_edit_ends_it() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    super::world::age(&world.path("photo"), 3);
    world.exits(5, &["sync"]);
    assert_eq!(world.index()[&b"photo"[..]], Some(sum("good")));
    std::fs::rename(world.path("photo"), world.path("moved")).unwrap();
    world.exits(5, &["sync"]);
    assert_eq!(world.last_changes(), ["moved photo -> moved"]);
    assert_eq!(world.json(&["damage"])[0]["path"], "moved");
    world.put("moved=something else");
    world.ok(&["sync"]);
    assert_eq!(world.last_changes(), ["edited moved"]);
    world.assert_in_step();
}

#[test]
fn accepted_damage_is_the_content_from_then_on() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    world.exits(1, &["damage", "tree", "stay", "--accept"]);
    world.ok(&["damage", "tree", "photo", "--accept"]);
    world.ok(&["sync", "--kind", "verify"]);
    world.assert_in_step();
}

#[test]
fn a_damaged_file_that_is_named_is_read_again() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    world.exits(5, &["sync", "--path", "photo"]);
    assert_eq!(world.json(&["damage"]).len(), 1, "it still is");
    let script = format!("UPDATE files SET sha256 = x'{}' WHERE name = CAST('photo' AS BLOB)", sum("bad!"));
    world.sqlite(&script);
    world.exits(5, &["sync"]);
    world.ok(&["sync", "--path", "photo"]);
    assert_eq!(world.json(&["damage"]).len(), 0, "its content is the recorded one again, with nothing else moved");
    world.assert_in_step();
}

#[test]
fn a_byte_that_flips_on_the_disk_is_found() {
    let world = World::empty();
    let script = "
        truncate -s 8M disk.img; mkfs.ext4 -qF disk.img; mount -o loop disk.img $TREE
        printf 'a very recognisable content' > $TREE/photo; printf other > $TREE/copy; cp $TREE/photo $TREE/good
        printf x > $TREE/empty; sync; rmdir $TREE/lost+found
        $WK --data-dir $DATA repo add $TREE --quiet
        # Small images keep whole seconds only: such a stamp is trusted two seconds later.
        racy() { sqlite3 $DATA/index.db 'SELECT count(*) FROM files WHERE flags & 2'; }
        while [ $(racy) != 0 ]; do $WK --data-dir $DATA sync --quiet; done
        stat -c '%s %Y %Z %i' $TREE/photo > before
        umount $TREE
        python3 -c \"
import re
data = bytearray(open('disk.img', 'rb').read())
at = data.find(b'a very recognisable content'); data[at] ^= 1
open('disk.img', 'wb').write(data)\"
        mount -o loop disk.img $TREE
        stat -c '%s %Y %Z %i' $TREE/photo > after; cat $TREE/good $TREE/photo > /dev/null; cmp before after
        $WK --data-dir $DATA sync --kind verify && exit 9 || echo code $?
        $WK --data-dir $DATA damage && exit 9 || echo damage $?
        $WK --data-dir $DATA files tree --format sha256sum > sums; (cd $TREE; sha256sum -c $DATA/../sums) || true
        umount $TREE
    ";
    if !Command::new("mkfs.ext4").arg("-V").output().is_ok_and(|done| done.status.success()) {
        return super::world::skipped("a_byte_that_flips_on_the_disk", "no mkfs.ext4");
    }
    let Some(said) = in_mount_namespace("a_byte_that_flips_on_the_disk", &world, script) else { return };
    if said.err.contains("failed to setup loop device") || said.err.contains("loop") && said.code == 32 {
        return super::world::skipped("a_byte_that_flips_on_the_disk", "no loop device");
    }
    for expected in ["code 5", "damage 5", "good copy: tree  ", ": FAILED"] {
        assert!(said.out.contains(expected), "{expected}: {said:?}");
    }
}

#[test]
fn good_content_under_another_name_inherits_no_damage() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    std::fs::remove_file(world.path("other/copy")).unwrap();
    world.exits(5, &["sync"]);
    std::fs::remove_file(world.path("photo")).unwrap();
    world.put("restored=good");
    world.ok(&["sync"]);
    assert_eq!(world.last_changes(), ["moved photo -> restored"]);
    assert_eq!(world.json(&["damage"]).len(), 0);
    world.assert_in_step();
}
