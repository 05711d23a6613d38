//! The sections of what the daemon takes from the machine by itself: idle, at a few events a second, in scheduled runs.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper::domain::run::{Kind, Trigger};

use crate::Bench;
use crate::daemon::{Usage, newest_run};
use crate::event::Pen;
use crate::table::{Table, bytes, count, cpu_time, duration, or_absent};

/// No run falls into the measured time.
const NO_RUNS: &str = r#"[sync]
full_every = "never"
incremental_every = "never"
verify_every = "never"
"#;

/// Every kind is due soon, and each at its own time: a full run stands for an incremental one that is due as well.
/// The tree was made a moment ago, so that within the default window of a week an incremental run would list all of it.
const SOON: &str = r#"[sync]
incremental_every = "20s"
incremental_window = "1s"
verify_every = "50s"
full_every = "80s"
"#;

/// The kinds that the schedule starts by default.
const SCHEDULED: [Kind; 3] = [Kind::Incremental, Kind::Full, Kind::Verify];

/// What follows a first sync (its log is folded in, memory given back) is over by then.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// Ten events a second.
const EVENT_GAP: Duration = Duration::from_millis(100);

/// Time between two looks whether a scheduled run has begun or ended.
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// Runs that take longer are not worth waiting for.
const WAITS_AT_MOST: Duration = Duration::from_secs(1800);

/// Measures between runs.
pub fn print_idle(bench: &Bench, pen: &mut Pen) -> io::Result<()> {
    println!("\n### Between runs: {} in {} watched directories\n", bench.size(), count(bench.directories()));
    let daemon = bench.start(NO_RUNS)?;
    daemon.take_in(&bench.tree)?;
    thread::sleep(SETTLES_WITHIN);
    let mut table = Table::new(&["what happens", "for", "CPU", "of one core", "switches/s", "written", "budget"]);

    let before = daemon.usage()?;
    thread::sleep(bench.length);
    push_usage(&mut table, "nothing", daemon.usage()?.since(&before), 0.1);

    let (before, began) = (daemon.usage()?, Instant::now());
    let mut due = began;
    while began.elapsed() < bench.length {
        pen.write_next()?;
        due += EVENT_GAP;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    push_usage(&mut table, "10 small files a second", daemon.usage()?.since(&before), 2.0);
    print!("{table}");
    Ok(())
}

/// Measures runs that the schedule starts: the manners that they have then, and how long they take with them.
pub fn print_scheduled(bench: &Bench) -> io::Result<()> {
    println!("\n### Scheduled runs, nothing changed: {}\n", bench.size());
    let daemon = bench.start(SOON)?;
    daemon.take_in(&bench.tree)?;
    let reader = daemon.reader()?;
    let mut table = Table::new(&["run", "took", "CPU", "of one core", "files", "read", "written", "budget"]);
    let (mut started, mut measured) = (None, BTreeMap::new());
    let began = Instant::now();
    while measured.len() < SCHEDULED.len() {
        if began.elapsed() > WAITS_AT_MOST {
            println!("**Not all measured:** a scheduled run did not come or end within {}.\n", duration(WAITS_AT_MOST));
            break;
        }
        thread::sleep(LOOKS_EVERY);
        match &started {
            None => {
                for kind in SCHEDULED.into_iter().filter(|kind| !measured.contains_key(kind)) {
                    let run = newest_run(&reader, kind)?;
                    if run.is_some_and(|run| run.outcome.is_none() && run.trigger == Trigger::Schedule.as_str()) {
                        started = Some((kind, daemon.usage()?));
                    }
                }
            }
            Some((kind, before)) => {
                if let Some(run) = newest_run(&reader, *kind)?.filter(|run| run.outcome.is_some()) {
                    measured.insert(*kind, (run.tally, daemon.usage()?.since(before)));
                    started = None;
                }
            }
        }
    }
    for (kind, (tally, (took, used))) in &measured {
        let share = percent(used.cpu, *took);
        table.push(vec![
            kind.as_str().into(),
            duration(*took),
            cpu_time(used.cpu),
            format!("{share:.1} %"),
            count(tally.scanned.unsigned_abs()),
            bytes(tally.bytes_hashed as f64),
            or_absent(used.written_bytes, |written| bytes(written as f64)),
            verdict(share, 10.0),
        ]);
    }
    print!("{table}");
    Ok(())
}

fn push_usage(table: &mut Table, what: &str, (wall, used): (Duration, Usage), limit_percent: f64) {
    let share = percent(used.cpu, wall);
    table.push(vec![
        what.into(),
        duration(wall),
        cpu_time(used.cpu),
        format!("{share:.2} %"),
        format!("{:.1}", used.switches as f64 / wall.as_secs_f64()),
        or_absent(used.written_bytes, |written| bytes(written as f64)),
        verdict(share, limit_percent),
    ]);
}

fn percent(cpu: Duration, wall: Duration) -> f64 {
    cpu.as_secs_f64() / wall.as_secs_f64() * 100.0
}

fn verdict(share: f64, limit_percent: f64) -> String {
    format!("at most {limit_percent} %: {}", if share <= limit_percent { "ok" } else { "over" })
}
