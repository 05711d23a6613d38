//! The schedule: what comes when, over weeks, jumps of either clock, restarts and changes of the settings.

use std::time::Duration;

use chrono::NaiveTime;

use super::world::{DAY, Fate, HOUR, MINUTE, QUICK, SECOND, settled, world};
use crate::config::{Config, Startup};
use crate::domain::run::Kind;
use crate::domain::schedule::verify_share;
use crate::engine::update::scheduler;

fn gaps(starts: &[u64]) -> Vec<u64> {
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn in_24_days_just_the_promised_runs_take_place() {
    let mut world = world(3, Config::default());
    world.checks_truth = false;
    for id in 1..=3 {
        world.tree(id).tracked.repository.total_bytes = 1 << 40;
        world.fates.insert((id, Kind::Full), Fate { takes: 10 * MINUTE, ..QUICK });
        world.fates.insert((id, Kind::Verify), Fate { takes: 40 * MINUTE, ..QUICK });
    }
    world.start();
    world.pass(24 * DAY);
    for id in 1..=3 {
        let full = world.starts(id, Kind::Full);
        assert!((23..=27).contains(&full.len()), "the start-up's and one a day: {}", full.len());
        assert!(gaps(&full).iter().all(|gap| (21 * HOUR..=27 * HOUR).contains(gap)), "{:?}", gaps(&full));
        let verify = world.starts(id, Kind::Verify);
        let share: u64 = world
            .started
            .iter()
            .filter(|(_, spec)| spec.repository.id.0 == id)
            .filter_map(|(_, spec)| spec.max_bytes)
            .sum();
        assert!((22..=26).contains(&verify.len()), "{}", verify.len());
        assert!(share * 30 / 24 >= 1 << 40, "the budgets of 30 days read everything");
        let first_share = verify_share(1 << 40, Duration::from_secs(30 * 86_400), Duration::ZERO);
        assert_eq!(world.started.iter().find_map(|(_, spec)| spec.max_bytes), Some(first_share));
        let incremental = world.starts(id, Kind::Incremental);
        assert!((6_000..=24 * 288).contains(&incremental.len()), "{}", incremental.len());
        let is_beat = |gap: &&u64| (270 * SECOND..=330 * SECOND).contains(*gap);
        let beats = gaps(&incremental);
        assert!(beats.iter().filter(is_beat).count() * 100 > beats.len() * 98, "all but those beside long runs");
        assert!(beats.iter().all(|gap| *gap >= 270 * SECOND), "{:?}", beats.iter().min());
    }
    assert!(world.updates < 24 * 60_000, "{} updates", world.updates);
    let status = scheduler(&world.state, world.now);
    let by_schedule = world.started.len() as u64 - 3;
    assert_eq!(status.runs_started, by_schedule);
    assert!(status.runs_skipped > 0 && status.runs_skipped < 700, "{}", status.runs_skipped);
}

#[test]
fn what_the_scheduler_asks_for_reads_every_byte_again_within_verify_every() {
    const TOTAL: u64 = 1 << 40;
    for days in [1, 7, 30, 90] {
        let mut config = Config::default();
        (config.sync.full_every, config.sync.incremental_every, config.watch.enabled) = (None, None, false);
        config.sync.verify_every = Some(Duration::from_secs(days * 86_400));
        let mut world = settled(1, config);
        world.tree(1).tracked.repository.total_bytes = TOTAL as i64;
        world.tell();
        world.fates.insert((1, Kind::Verify), Fate { takes: 55 * MINUTE, ..QUICK });
        world.pass(2 * days * DAY + DAY);
        let parts: Vec<(u64, u64)> =
            world.started.iter().filter_map(|(at, spec)| spec.max_bytes.map(|bytes| (*at, bytes))).collect();
        for (first, (began, _)) in parts.iter().enumerate().filter(|(_, (at, _))| *at < world.now.mono_ms - days * DAY)
        {
            let ends = began + days * DAY - 55 * MINUTE;
            let read: u64 = parts[first..].iter().take_while(|(at, _)| *at <= ends).skip(1).map(|part| part.1).sum();
            assert!(read >= TOTAL, "{days} days: {read} of {TOTAL} bytes behind part {first}");
        }
        assert!(parts.len() > 30, "{}", parts.len());
    }
}

#[test]
fn cleanups_come_as_often_as_was_set_and_never_when_it_was_not() {
    let mut world = settled(2, Config::default());
    let hour = Duration::from_secs(3_600);
    world.change(1, |tracked| tracked.config.sync.cleanup_every = Some(hour));
    world.pass(5 * DAY);
    assert_eq!(world.starts(2, Kind::Cleanup).len(), 0);
    let gaps = gaps(&world.starts(1, Kind::Cleanup));
    assert!((100..=125).contains(&gaps.len()), "{}", gaps.len());
    // A full run does what a cleanup does, and puts it off.
    let is_beat = |gap: &&u64| (54 * MINUTE..=67 * MINUTE).contains(*gap);
    assert!(gaps.iter().filter(is_beat).count() >= gaps.len() - 6, "{gaps:?}");
    assert!(gaps.iter().all(|gap| (54 * MINUTE..2 * HOUR + 12 * MINUTE).contains(gap)), "{gaps:?}");
}

/// Returns a world in which only a daily full run at 03:00 local time is scheduled, at 01:00.
fn daily() -> super::world::World {
    let mut config = Config::default();
    config.sync.full_at = NaiveTime::from_hms_opt(3, 0, 0);
    (config.sync.incremental_every, config.sync.verify_every) = (None, None);
    settled(1, config)
}

fn check_daily(world: &super::world::World, days: usize) {
    let full = world.starts(1, Kind::Full);
    assert!((days - 1..=days + 1).contains(&full.len()), "{} in {days} days", full.len());
    assert!(gaps(&full).iter().all(|gap| *gap >= 12 * HOUR), "{:?}", gaps(&full));
}

#[test]
fn a_daily_run_comes_at_its_local_time() {
    let mut world = daily();
    world.pass(5 * DAY);
    let full = world.starts(1, Kind::Full);
    assert_eq!(full.len(), 5);
    assert!(gaps(&full).iter().all(|gap| *gap == DAY), "{:?}", gaps(&full));
    let line = world.lines.iter().find(|line| line.word.starts_with("full")).unwrap();
    assert_eq!(line.wall.rfc3339(), "2026-03-01T02:00:00.000Z", "03:00, an hour ahead of UTC");
}

#[test]
fn a_daily_run_takes_place_once_on_the_days_when_local_time_is_shifted() {
    for (to_s, at) in [
        (7_200, 2 * HOUR + 30 * MINUTE),
        (0, 2 * HOUR + 30 * MINUTE),
        (0, 3 * HOUR),
        (-6 * 3_600, 9 * HOUR),
        (9 * 3_600, HOUR),
    ] {
        let mut world = daily();
        world.pass(2 * DAY + at - HOUR);
        world.now.utc_offset_s = to_s;
        world.pass(3 * DAY);
        check_daily(&world, 5);
        assert!(gaps(&world.starts(1, Kind::Full)).iter().all(|gap| *gap <= DAY + 8 * HOUR));
    }
}

#[test]
fn after_the_wall_clock_was_set_a_daily_run_neither_storms_nor_falls_silent() {
    for by in [-(DAY as i64), -(365 * DAY as i64), 7 * DAY as i64, HOUR as i64, -(HOUR as i64)] {
        let mut world = daily();
        world.pass(2 * DAY + 5 * HOUR);
        world.set_wall(by);
        world.pass(3 * DAY);
        let full = world.starts(1, Kind::Full);
        assert!((5..=7).contains(&full.len()), "{by}: {}", full.len());
        assert!(gaps(&full).iter().all(|gap| *gap <= DAY + 2 * HOUR), "{by}: {:?}", gaps(&full));
    }
}

#[test]
fn intervals_do_not_care_for_the_wall_clock() {
    let mut world = settled(1, Config::default());
    for by in [-400 * DAY as i64, 800 * DAY as i64] {
        world.set_wall(by);
        world.pass(HOUR);
    }
    assert_eq!(world.starts(1, Kind::Full).len(), 0);
    assert!((21..=27).contains(&world.starts(1, Kind::Incremental).len()));
}

#[test]
fn what_was_missed_while_the_machine_slept_is_made_up_once() {
    let mut world = settled(2, Config::default());
    world.pass(HOUR);
    world.started.clear();
    world.suspend(8 * HOUR);
    world.pass(2 * MINUTE);
    for id in 1..=2 {
        assert_eq!(world.starts(id, Kind::Incremental).len(), 1);
        assert_eq!(world.starts(id, Kind::Full).len() + world.starts(id, Kind::Verify).len(), 0);
    }
    world.suspend(3 * DAY);
    world.pass(2 * MINUTE);
    for id in 1..=2 {
        assert_eq!([Kind::Full, Kind::Verify].map(|kind| world.starts(id, kind).len()), [1, 1]);
    }
}

#[test]
fn after_a_restart_nothing_runs_twice_and_what_was_missed_runs_once() {
    let mut config = Config::default();
    config.sync.startup = Startup::None;
    let mut world = world(1, config);
    world.start();
    world.pass(26 * HOUR);
    world.started.clear();
    world.restart();
    world.pass(4 * MINUTE);
    let [full, verify] = [Kind::Full, Kind::Verify].map(|kind| world.starts(1, kind).len());
    assert_eq!((full, verify), (0, 0), "both took place within the day before");
    assert!(world.starts(1, Kind::Incremental).len() <= 1);
    world.suspend(2 * DAY);
    world.restart();
    world.pass(4 * MINUTE);
    assert_eq!([Kind::Full, Kind::Verify].map(|kind| world.starts(1, kind).len()), [1, 1]);
    assert!(world.starts(1, Kind::Incremental).len() <= 2);
}

#[test]
fn a_machine_that_is_on_for_some_hours_a_day_verifies_too() {
    let mut world = world(1, Config::default());
    world.start();
    for _ in 0..10 {
        world.pass(8 * HOUR);
        world.suspend(16 * HOUR);
        world.restart();
    }
    world.pass(HOUR);
    let verify = world.starts(1, Kind::Verify).len();
    assert!((9..=11).contains(&verify), "{verify}");
}

#[test]
fn an_index_that_has_gone_back_is_looked_at_in_full_even_where_a_start_does_nothing() {
    for (has_gone_back, runs) in [(false, 0), (true, 1)] {
        let mut config = Config::default();
        config.sync.startup = Startup::None;
        config.sync.full_every = None;
        let mut world = world(1, config);
        world.state.has_gone_back = has_gone_back;
        world.start();
        world.pass(MINUTE);
        assert_eq!(world.starts(1, Kind::Full).len(), runs);
    }
}
