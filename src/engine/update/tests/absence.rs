//! Roots that go away and return.

use super::world::{Fate, HOUR, MINUTE, QUICK, SECOND, World, settled};
use crate::config::Config;
use crate::domain::run::Kind;

fn runs(world: &World) -> Vec<&str> {
    let is_run = |word: &&str| !word.starts_with("serve") && !word.starts_with("no more");
    world.story(1, 0).into_iter().filter(is_run).collect()
}

#[test]
fn a_missing_root_gets_one_failed_run_and_one_full_run_when_it_returns() {
    for is_told in [false, true] {
        let mut world = settled(2, Config::default());
        world.pass(20 * SECOND);
        world.lines.clear();
        world.started.clear();
        world.lose_root(1, is_told);
        world.pass(6 * HOUR);
        assert_eq!(runs(&world).len(), 2, "{:?}", runs(&world));
        assert_eq!(runs(&world)[1], "failed full");
        world.lines.clear();
        world.tree(1).is_there = true;
        world.pass(10 * SECOND);
        assert_eq!(runs(&world), ["full watch", "completed full"]);
        world.pass(HOUR);
        assert_eq!(world.starts(1, Kind::Full).len(), 2);
        assert!(world.starts(2, Kind::Incremental).len() > 60, "the other goes on");
        assert!(world.age(1).unwrap() < 11_000);
    }
}

#[test]
fn a_run_during_which_the_root_goes_is_the_one_failed_run() {
    for is_told in [false, true] {
        let mut world = settled(1, Config::default());
        world.fates.insert((1, Kind::Full), Fate { takes: 2 * MINUTE, ..QUICK });
        world.ask(1, Kind::Full);
        world.ask(1, Kind::Verify);
        world.pass(MINUTE);
        world.cancel(&[]);
        world.ask(1, Kind::Full);
        world.pass(MINUTE);
        world.lines.clear();
        world.lose_root(1, is_told);
        world.pass(HOUR);
        assert_eq!(runs(&world), ["failed full"]);
    }
}

#[test]
fn a_root_that_goes_while_a_run_waits_for_its_turn_gets_one_failed_run() {
    let mut config = Config::default();
    config.sync.repositories_at_once = 1;
    let mut world = settled(2, config);
    world.fates.insert((2, Kind::Full), Fate { takes: 30 * MINUTE, ..QUICK });
    world.ask(2, Kind::Full);
    world.pass(10 * MINUTE);
    world.lines.clear();
    world.lose_root(1, false);
    world.pass(HOUR);
    assert_eq!(runs(&world).len(), 2, "{:?}", runs(&world));
}

#[test]
fn a_person_may_ask_for_a_run_while_the_root_is_away() {
    let mut world = settled(1, Config::default());
    world.lose_root(1, true);
    world.pass(MINUTE);
    world.lines.clear();
    world.ask(1, Kind::Full);
    world.pass(MINUTE);
    assert_eq!(runs(&world), ["full user", "failed full"]);
}

#[test]
fn a_person_who_finds_the_root_back_first_still_gets_it_watched() {
    for kind in [Kind::Full, Kind::Incremental] {
        let mut world = settled(1, Config::default());
        world.lose_root(1, true);
        world.pass(MINUTE);
        world.fates.insert((1, kind), Fate { takes: 2, ..QUICK });
        world.tree(1).is_there = true;
        world.ask(1, kind);
        world.pass(MINUTE);
        assert!(world.age(1).unwrap() < 11_000, "{:?}", runs(&world));
    }
}

#[test]
fn hints_of_a_root_that_is_away_are_dropped_and_its_return_makes_up_for_them() {
    let mut world = settled(1, Config::default());
    world.write(1, "a");
    world.lose_root(1, true);
    world.write(1, "b");
    world.pass(10 * MINUTE);
    assert_eq!(world.starts(1, Kind::Realtime).len(), 0);
    world.tree(1).is_there = true;
    world.pass(MINUTE);
    assert!(world.age(1).unwrap() < 11_000);
}
