//! Who only reads the index, for long or in crowds, holds nobody up.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::super::engine::Daemon;
use super::super::resident::QUICK;
use super::super::world::World;
use super::assert_no_panic;
use super::database::Foreign;

/// Beyond what doctor warns of.
const LARGE: u64 = 64 << 20;

fn wal_bytes(world: &World) -> u64 {
    fs::metadata(world.data.join("index.db-wal")).map_or(0, |found| found.len())
}

fn size_check(world: &World) -> serde_json::Value {
    let checks = world.json(&["doctor"]);
    checks.iter().find(|check| check["check"] == "size").cloned().unwrap_or_else(|| panic!("{checks:?}"))
}

#[test]
fn a_reader_that_stays_holds_up_no_run_and_doctor_names_what_it_costs() {
    let world = World::with(&["a=1"]);
    world.config(QUICK);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let reader = Foreign::that_did(&world, "BEGIN; SELECT count(*) FROM files");
    // As much as months of runs; by another program, as it is only about the size.
    world.sqlite("CREATE TABLE filler(x); INSERT INTO filler VALUES (zeroblob(70000000)); DROP TABLE filler");
    world.put("b=2");
    world.wait_in_step();
    assert!(wal_bytes(&world) > LARGE, "{}", wal_bytes(&world));
    let found = size_check(&world);
    assert!(found["state"] == "warn" && found["hint"].as_str().unwrap().contains("index.db open"), "{found}");
    drop(reader);
    world.put("c=3");
    world.wait_in_step();
    world.wait("the WAL is cut off when it has gone", || wal_bytes(&world), |bytes| *bytes == 0);
    assert_eq!(size_check(&world)["state"], "ok");
    daemon.stop();
    assert_eq!(world.sqlite("PRAGMA integrity_check"), "ok");
}

#[test]
fn eight_who_read_beside_a_writer_never_hear_that_the_index_is_busy() {
    let world = World::empty();
    world.config(QUICK);
    (0..200).for_each(|number| world.put(&format!("d{}/f{number}={number}", number % 10)));
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--no-sync"]);
    let daemon = Daemon::ready(&world);
    let is_over = AtomicBool::new(false);
    let all: [&[&str]; 8] = [
        &["status"],
        &["history"],
        &["files", "tree"],
        &["changes"],
        &["problems"],
        &["metrics"],
        &["stats"],
        &["verify-log"],
    ];
    std::thread::scope(|scope| {
        let readers = all.map(|command| {
            let (world, is_over) = (&world, &is_over);
            scope.spawn(move || {
                let mut count = 0;
                while !is_over.load(Relaxed) || count < 10 {
                    let said = world.wk(command);
                    assert!(said.code == 0 && !said.err.contains("locked") && !said.err.contains("busy"), "{said:?}");
                    assert_no_panic(&said);
                    count += 1;
                }
                count
            })
        });
        for round in 0..20 {
            (0..40).for_each(|number| world.put(&format!("d{}/r{round}-{number}", number % 10)));
            world.ok(&["sync", "--quiet"]);
        }
        is_over.store(true, Relaxed);
        let counts = readers.map(|reader| reader.join().unwrap());
        assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
    });
    world.wait_in_step();
    let log = daemon.stop();
    assert!(!log.contains("locked") && !log.contains("busy"), "{log}");
}
