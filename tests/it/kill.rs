//! Killed at random moments: the index is behind, never wrong, and the next sync mends it (invariant 4).

use super::world::World;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Cycles of change, sync and kill; `KILLS` asks for more.
const CYCLES: u64 = 200;

/// A small generator with a seed that is printed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn change_something(world: &World, random: &mut Random, cycle: u64) {
    for _ in 0..random.below(40) {
        let at = random.below(20);
        let path = world.path(&format!("d{at}/f{}", random.below(60)));
        match random.below(5) {
            0 | 1 => fs::write(path, format!("{cycle} {}", random.below(1000))).unwrap(),
            2 => drop(fs::remove_file(path)),
            3 => drop(fs::rename(path, world.path(&format!("d{}/f{}", random.below(20), random.below(60))))),
            _ => {
                let (one, two) = (world.path(&format!("d{at}/sub")), world.path(&format!("d{}/sub", random.below(20))));
                drop(fs::create_dir(&one));
                drop(fs::write(one.join("x"), format!("{cycle}")));
                drop(fs::rename(one, two));
            }
        }
    }
}

/// No record may claim a hash for a file that still has the recorded stamp and other content.
fn assert_nothing_false(world: &World) {
    use std::os::unix::fs::MetadataExt;
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
    let disk = world.disk();
    for file in world.json(&["files", "tree"]) {
        let path = super::world::path_bytes(&file);
        let Ok(found) = fs::symlink_metadata(world.tree.join(super::world::name(&path))) else { continue };
        let stamp = (found.ino(), found.size(), found.ctime() * 1_000_000_000 + found.ctime_nsec());
        let recorded =
            (file["inode"].as_u64().unwrap(), file["size_bytes"].as_u64().unwrap(), file["ctime_ns"].as_i64().unwrap());
        if stamp == recorded && file["sha256"].is_string() {
            assert_eq!(super::world::text(&file["sha256"]), disk[&path], "{file}");
        }
    }
    let counted = "SELECT (SELECT count(*) FROM files) = (SELECT total_files FROM repositories),
                          (SELECT count(*) FROM files WHERE directory_id NOT IN (SELECT id FROM directories))";
    assert_eq!(world.sqlite(counted), "1|0", "the totals count the rows, and every row has its directory");
}

#[test]
fn killed_at_any_moment_the_index_is_behind_and_never_wrong() {
    let world = World::empty();
    for number in 0..800 {
        world.put(&format!("d{}/f{}=content {number}", number % 20, number / 20));
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    world.ok(&["repo", "set", "tree", "guard.max_removed_percent=100"]);
    let cycles = std::env::var("KILLS").map_or(CYCLES, |kills| kills.parse().unwrap());
    let seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    // How long it takes this machine, with what else it has to do, from the start to the end of a sync.
    let began = Instant::now();
    world.ok(&["sync", "--plan"]);
    let usual_us = u64::try_from(began.elapsed().as_micros()).unwrap();
    for cycle in 0..cycles {
        if cycle > 3 {
            change_something(&world, &mut random, cycle);
        }
        let kind = if random.below(4) == 0 { "incremental" } else { "full" };
        let mut child = world
            .command(&["sync", "--quiet", "--kind", kind])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_micros(random.below(usual_us));
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if cycle % 10 == 9 {
            assert_nothing_false(&world);
        }
        if cycle % 50 == 49 {
            world.sync(&[]);
            world.assert_in_step();
            assert_nothing_false(&world);
        }
    }
    let open = "SELECT count(*) FROM runs WHERE outcome IS NULL";
    assert_eq!(world.sqlite(open), "0", "what was cut off is closed as interrupted");
    assert_ne!(world.sqlite("SELECT count(*) FROM runs WHERE outcome = 'interrupted'"), "0");
}
