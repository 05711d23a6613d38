//! "True as of": moves with proofs, never past what was lost, and by listing where nobody watches.

use super::world::{DAY, Fate, HOUR, MINUTE, QUICK, SECOND, World, settled, world};
use crate::config::Config;
use crate::domain::problem::Class;
use crate::domain::run::Kind;
use crate::engine::state::{Input, ReplyId};

/// As much as a proof is old at most.
const FRESH: i64 = 11_000;

fn unscheduled(repositories: i64) -> World {
    let mut config = Config::default();
    config.scheduler.enabled = false;
    settled(repositories, config)
}

fn is_fresh(world: &World) -> bool {
    world.age(1).unwrap() < FRESH
}

#[test]
fn it_moves_with_each_proof_while_nothing_is_pending() {
    let mut world = unscheduled(1);
    for _ in 0..100 {
        world.pass(7 * SECOND);
        assert!(is_fresh(&world));
    }
    world.fates.insert((1, Kind::Realtime), Fate { hangs: true, ..QUICK });
    world.write(1, "a");
    world.pass(MINUTE);
    assert!(!is_fresh(&world), "a batch is being looked at");
}

#[test]
fn nothing_is_proven_before_a_full_run_has_ended() {
    let mut world = world(1, Config::default());
    world.fates.insert((1, Kind::Full), Fate { takes: HOUR, ..QUICK });
    world.start();
    world.pass(HOUR - MINUTE);
    assert_eq!(world.age(1), None);
    world.pass(2 * MINUTE);
    assert!(is_fresh(&world));
}

#[test]
fn who_asks_waits_for_a_proof_and_not_at_all_where_none_can_come() {
    let answers = |world: &mut World| {
        world.step(Input::Snapshot { reply: ReplyId(9) });
        let at_once = world.story(0, 0).contains(&"snapshot");
        world.pass(100);
        (at_once, world.story(0, 0).contains(&"snapshot"))
    };
    let mut world = unscheduled(1);
    world.proof_takes = Some(50);
    assert_eq!(answers(&mut world), (false, true));
    let mut world = super::world::world(1, Config::default());
    world.fates.insert((1, Kind::Full), Fate { takes: HOUR, ..QUICK });
    world.start();
    world.pass(MINUTE);
    assert_eq!(answers(&mut world), (true, true), "the first sync has not ended");
}

#[test]
fn after_a_loss_it_stands_still_until_the_next_full_run_has_ended() {
    for loss in [
        |world: &mut World| world.overflow(1),
        |world: &mut World| (0..600).for_each(|place| world.write(1, &place.to_string())),
        |world: &mut World| {
            world.lose_root(1, true);
            world.pass(MINUTE);
            world.tree(1).is_there = true;
            world.write(1, "a");
        },
        |world: &mut World| {
            world.pause(1, true);
            world.write(1, "a");
            world.pause(1, false);
        },
        |world: &mut World| {
            world.configure(|config| config.watch.enabled = false);
            world.write(1, "a");
            world.configure(|config| config.watch.enabled = true);
        },
        |world: &mut World| {
            world.kill_watcher();
            world.write(1, "a");
        },
    ] {
        let mut world = unscheduled(1);
        world.fates.insert((1, Kind::Full), Fate { takes: 5 * MINUTE, ..QUICK });
        loss(&mut world);
        world.pass(4 * MINUTE);
        assert!(world.age(1).unwrap() > 3 * MINUTE as i64 || world.trees[&1].watched == 0);
        world.pass(20 * MINUTE);
        assert!(is_fresh(&world), "{:?}", world.story(1, 0));
    }
}

#[test]
fn a_root_that_was_lost_and_is_back_at_once_gets_a_full_run() {
    let mut world = unscheduled(1);
    world.lose_root(1, true);
    world.tree(1).is_there = true;
    world.write(1, "a");
    world.pass(MINUTE);
    assert_eq!(world.starts(1, Kind::Full).len(), 1);
    assert!(is_fresh(&world));
}

#[test]
fn a_watcher_that_misses_two_proofs_is_replaced_and_meanwhile_everything_is_polled() {
    let mut world = unscheduled(1);
    world.proof_takes = None;
    world.pass(35 * SECOND);
    world.tree(1).watched = 0;
    world.write(1, "a");
    world.pass(40 * SECOND);
    assert_eq!(world.story(1, 0), ["realtime watch", "serve  polls"], "it was down after 30 s, and is polled");
    world.proof_takes = Some(5);
    world.pass(MINUTE);
    assert_eq!(world.story(0, 0), ["start watcher"]);
    assert_eq!(world.starts(1, Kind::Full).len(), 1);
    assert!(is_fresh(&world));
}

#[test]
fn while_no_watcher_can_be_had_everything_is_polled_and_it_is_tried_more_and_more_rarely() {
    let mut world = unscheduled(1);
    world.watcher_starts = false;
    world.kill_watcher();
    world.pass(DAY);
    for _ in 0..20 {
        world.write(1, "a");
        world.pass(125 * SECOND);
        assert!(world.age(1).unwrap() < 125_000, "{:?}", world.age(1));
    }
    let at: Vec<u64> = world.lines.iter().filter(|line| line.word == "start watcher").map(|line| line.at).collect();
    let waits: Vec<u64> = at.windows(2).map(|pair| (pair[1] - pair[0]) / SECOND).collect();
    assert_eq!(waits[..8], [120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
}

#[test]
fn without_a_watcher_from_the_start_everything_is_polled() {
    let mut world = world(1, Config::default());
    world.watcher_starts = false;
    world.kill_watcher();
    world.start();
    for _ in 0..20 {
        world.pass(125 * SECOND);
        world.write(1, "a");
        assert!(world.age(1).unwrap() < 125_000, "{:?}", world.age(1));
    }
}

#[test]
fn a_process_that_was_stopped_for_a_while_does_not_take_its_watcher_for_dead() {
    let mut world = unscheduled(1);
    world.proof_takes = Some(SECOND);
    for round in 0..50 {
        world.suspend(30 * SECOND + round * 700);
        world.pass(5 * SECOND + round * 300);
    }
    assert_eq!(world.story(0, 0), [""; 0]);
    assert_eq!(world.starts(1, Kind::Full).len(), 0);
}

#[test]
fn a_watcher_that_is_slow_is_not_taken_for_dead() {
    let mut world = unscheduled(1);
    world.proof_takes = Some(15 * SECOND);
    world.pass(HOUR);
    assert_eq!(world.story(0, 0), [""; 0]);
}

#[test]
fn a_clock_that_is_set_back_takes_true_as_of_along() {
    for is_remote in [false, true] {
        let mut world = unscheduled(1);
        if is_remote {
            world.tree(1).is_remote = true;
            world.tree(1).watched = 0;
            world.ask(1, Kind::Full);
            world.pass(2 * MINUTE);
        }
        world.set_wall(-(DAY as i64));
        world.pass(3 * MINUTE);
        assert!((0..125_000).contains(&world.age(1).unwrap()), "{is_remote}: {:?}", world.age(1));
    }
}

#[test]
fn a_failed_or_cancelled_full_run_vouches_for_nothing() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { fails: Some(Class::Permission), ..QUICK });
    world.overflow(1);
    world.pass(10 * MINUTE);
    assert!(!is_fresh(&world));
    world.fates.clear();
    world.ask(1, Kind::Full);
    world.pass(MINUTE);
    assert!(is_fresh(&world));
}
