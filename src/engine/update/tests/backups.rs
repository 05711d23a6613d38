//! Backups by themselves: how often, after a start, after a failure, and when that is set anew.

use super::world::{DAY, HOUR, MINUTE, World, world};
use crate::config::Config;
use crate::domain::moment::Timestamp;
use std::time::Duration;

fn weekly() -> Config {
    let mut config = Config::default();
    config.backup.every = Some(Duration::from_secs(7 * 86_400));
    config
}

/// When backups were asked for, in milliseconds since `since`.
fn asked(world: &World, since: u64) -> Vec<u64> {
    world.lines.iter().filter(|line| line.word == "backup").map(|line| line.at - since).collect()
}

#[test]
fn without_a_word_in_the_config_none_is_made() {
    let mut world = world(1, Config::default());
    world.start();
    world.pass(8 * DAY);
    assert_eq!(asked(&world, 0), Vec::<u64>::new());
}

#[test]
fn the_first_comes_a_minute_after_the_start_and_then_one_a_week() {
    let mut world = world(1, weekly());
    let begun = world.now.mono_ms;
    world.start();
    world.pass(22 * DAY);
    let asked = asked(&world, begun);
    assert_eq!(asked.len(), 4, "{asked:?}");
    for (at, week) in asked.iter().zip(0..) {
        assert!((MINUTE..2 * MINUTE).contains(&(at - week * 7 * DAY)), "{asked:?}");
    }
}

#[test]
fn a_start_counts_from_the_last_one_and_makes_up_once_for_what_was_missed() {
    for (age, expected) in [(2 * DAY, 5 * DAY), (30 * DAY, MINUTE)] {
        let mut world = world(1, weekly());
        let begun = world.now.mono_ms;
        world.state.backups.last = Some(Timestamp(world.now.wall.0 - age as i64));
        world.start();
        world.pass(6 * DAY);
        assert_eq!(asked(&world, begun), [expected]);
    }
}

#[test]
fn one_that_failed_is_tried_again_every_hour() {
    let mut world = world(1, weekly());
    let begun = world.now.mono_ms;
    world.start();
    world.is_index_away = true;
    world.pass(3 * HOUR + 30 * MINUTE);
    world.is_index_away = false;
    world.pass(2 * DAY);
    assert_eq!(asked(&world, begun).len(), 5, "at the start, three times in vain, and once in order");
}

#[test]
fn a_schedule_that_is_set_anew_holds_at_once() {
    let mut world = world(1, Config::default());
    world.start();
    world.pass(DAY);
    let set = world.now.mono_ms;
    world.configure(|config| config.backup.every = Some(Duration::from_secs(3_600)));
    world.pass(4 * HOUR);
    assert_eq!(asked(&world, set).len(), 4);
    world.configure(|config| config.backup.every = None);
    world.pass(DAY);
    assert_eq!(asked(&world, set).len(), 4);
}
