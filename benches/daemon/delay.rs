//! The sections of the delay: from a closed file to its record, in a quiet repository and while runs go on there.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper::domain::path::RelPath;
use watchkeeper::domain::run::Kind;
use watchkeeper::index::Reader;

use crate::Bench;
use crate::daemon::{Daemon, NAME, is_going_on, percentile};
use crate::event::{Delays, Next, Pen, Way, follow};
use crate::measure::run_unmeasured;
use crate::table::{Table, duration};
use crate::tree::{directory_name, file_name, first_file};

/// The default `watch.debounce`: what the daemon waits on purpose.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// Of what remains, at p99.
const BUDGET: Duration = Duration::from_millis(50);

/// 200 events a minute.
const QUIET_GAP: Duration = Duration::from_millis(300);

/// A first sync takes seconds, and must meet events enough.
const BUSY_GAP: Duration = Duration::from_millis(50);

/// A directory is left alone until its last event is over, or the debounce would begin anew.
const REST: Duration = Duration::from_secs(1);

/// Directories that are asked for at once, when looking for one that the first sync has been to.
const PROBES: usize = 8;

/// Measures in a repository where nothing else happens.
pub fn print_quiet(bench: &Bench, pen: &mut Pen) -> io::Result<()> {
    println!("\n### From a closed file to its record: {}, nothing else going on\n", bench.size());
    let daemon = bench.start("")?;
    daemon.take_in(&bench.tree)?;
    let gap = QUIET_GAP.max(rest_between(bench));
    let mut left = events(bench);
    let delays = follow(&daemon, pen, gap, |pen, _| Ok(take(&mut left, pen.next_directory())))?;
    print!("{}", table(&[("nothing", &delays)]));
    Ok(())
}

/// Measures while the repository's first sync goes on, then while full runs and verifies do.
pub fn print_busy(bench: &Bench, pen: &mut Pen) -> io::Result<()> {
    println!("\n### From a closed file to its record: {}, while runs go on\n", bench.size());
    let daemon = bench.start("")?;
    let first = during_first_sync(bench, &daemon, pen)?;
    daemon.wait_until_in_sync()?;
    let full = during_runs(bench, &daemon, pen, Kind::Full)?;
    let verify = during_runs(bench, &daemon, pen, Kind::Verify)?;
    print!("{}", table(&[("first sync", &first), ("full runs", &full), ("verifies", &verify)]));
    Ok(())
}

/// Writes only where the sync has been already: elsewhere it would find the files itself.
fn during_first_sync(bench: &Bench, daemon: &Daemon, pen: &mut Pen) -> io::Result<Delays> {
    let add = daemon.begin_first_sync(&bench.tree)?;
    let mut unmet = Probe { directories: (0..bench.directories()).collect(), next: 0 };
    let delays = follow(daemon, pen, BUSY_GAP, |_, reader| {
        if !is_going_on(reader, Kind::Full)? {
            return Ok(Next::End);
        }
        Ok(unmet.take_indexed(bench.files, reader)?.map_or(Next::Wait, Next::Write))
    });
    add.wait()?;
    delays
}

/// Keeps runs of a kind going, one after the other, and writes while there is one.
fn during_runs(bench: &Bench, daemon: &Daemon, pen: &mut Pen, kind: Kind) -> io::Result<Delays> {
    let has_ended = AtomicBool::new(false);
    let began = Instant::now();
    thread::scope(|scope| {
        let runs = scope.spawn(|| -> io::Result<()> {
            while !has_ended.load(Ordering::Relaxed) {
                run_unmeasured(&mut daemon.sync(kind))?;
            }
            Ok(())
        });
        let mut left = events(bench);
        let gap = BUSY_GAP.max(rest_between(bench));
        let delays = follow(daemon, pen, gap, |pen, reader| {
            // Runs that are too short to be met would be waited for without end.
            if began.elapsed() > bench.length * 10 || runs.is_finished() {
                return Ok(Next::End);
            }
            if is_going_on(reader, kind)? { Ok(take(&mut left, pen.next_directory())) } else { Ok(Next::Wait) }
        });
        has_ended.store(true, Ordering::Relaxed);
        runs.join().expect("running a command does not panic")?;
        delays
    })
}

fn events(bench: &Bench) -> u64 {
    (bench.length.as_millis() / QUIET_GAP.as_millis()).max(1) as u64
}

/// A small tree has few directories, and each must rest before its turn comes again.
fn rest_between(bench: &Bench) -> Duration {
    REST / bench.directories().min(1000) as u32
}

fn take(left: &mut u64, directory: u64) -> Next {
    if *left == 0 {
        return Next::End;
    }
    *left -= 1;
    Next::Write(directory)
}

/// Directories that nothing was written to yet.
struct Probe {
    directories: Vec<u64>,
    next: usize,
}

impl Probe {
    /// Takes one of which the last file has its record, if a few looks find any.
    fn take_indexed(&mut self, files: u64, reader: &Reader) -> io::Result<Option<u64>> {
        let id = reader.repository(NAME).map_err(io::Error::other)?.id;
        for _ in 0..PROBES.min(self.directories.len()) {
            self.next = (self.next + 7_919) % self.directories.len();
            let directory = self.directories[self.next];
            let last = files.min(first_file(directory + 1)) - 1;
            let path = format!("{}/{}", directory_name(directory), file_name(last));
            if reader.file(id, &RelPath::from_stored(path.into_bytes())).map_err(io::Error::other)?.is_some() {
                return Ok(Some(self.directories.swap_remove(self.next)));
            }
        }
        Ok(None)
    }
}

fn table(rows: &[(&str, &Delays)]) -> Table {
    let mut table = Table::new(&[
        "going on meanwhile",
        "the file was",
        "events",
        "no record",
        "p50",
        "p99",
        "longest",
        "budget for p99",
    ]);
    for (meanwhile, delays) in rows {
        for (way, label) in [(Way::Written, "written and closed"), (Way::Renamed, "renamed into place")] {
            let delays_of_way = delays.of(way);
            let missing = delays.missing(way);
            let mut row = vec![(*meanwhile).to_owned(), label.to_owned()];
            row.extend([(delays_of_way.len() + missing).to_string(), missing.to_string()]);
            if let Some(p99) = percentile(&delays_of_way, 99) {
                let shown = |percent| percentile(&delays_of_way, percent).map(beyond_debounce).unwrap_or_default();
                let verdict = if p99 <= DEBOUNCE + BUDGET && missing == 0 { "ok" } else { "over" };
                row.extend([shown(50), shown(99), shown(100), format!("at most {}: {verdict}", duration(BUDGET))]);
            }
            table.push(row);
        }
    }
    table
}

/// Less than nothing when a run came by before the daemon would have looked.
fn beyond_debounce(delay: Duration) -> String {
    if delay < DEBOUNCE { format!("-{}", duration(DEBOUNCE - delay)) } else { duration(delay - DEBOUNCE) }
}
