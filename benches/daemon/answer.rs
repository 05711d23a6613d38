//! The section of the answers: how soon the API tells the status, at rest and while runs keep all cores busy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper::domain::run::Kind;

use crate::Bench;
use crate::daemon::{Daemon, is_going_on, percentile};
use crate::table::{Table, count, duration};

/// What is asked for: a route that asks nobody, as a measure of the machine, and the one that people wait for.
const ROUTES: [(&str, &str); 2] = [("version", "/api/sync/version"), ("status", "/api/sync/status")];

/// Of a status at p99, during a first sync.
const BUDGET: Duration = Duration::from_millis(5);

/// From one answer to the next question.
const GAP: Duration = Duration::from_millis(3);

/// Questions in a row for one route, before the other one's turn comes.
const TURN: usize = 50;

/// The times of the answers, by route.
type Times = [Vec<Duration>; 2];

/// Measures during the first sync, then at rest, then while a verify reads everything again.
pub fn print(bench: &Bench) -> io::Result<()> {
    println!("\n### How soon the API answers: {}, one connection\n", bench.size());
    let daemon = bench.start("")?;
    let reader_of_runs = |kind| {
        let reader = daemon.reader()?;
        Ok::<_, io::Error>(move || is_going_on(&reader, kind))
    };
    let first_sync = daemon.begin_first_sync(&bench.tree)?;
    let during_first = ask_while(&daemon, reader_of_runs(Kind::Full)?)?;
    first_sync.wait()?;
    daemon.wait_until_in_sync()?;
    let began = Instant::now();
    let at_rest = ask_while(&daemon, || Ok(began.elapsed() < bench.length.min(Duration::from_secs(10))))?;
    let verify = daemon.begin(Kind::Verify)?;
    let during_verify = ask_while(&daemon, reader_of_runs(Kind::Verify)?)?;
    verify.wait()?;
    print!("{}", table([("first sync", during_first), ("nothing", at_rest), ("a verify reads all", during_verify)]));
    Ok(())
}

fn ask_while(daemon: &Daemon, goes_on: impl Fn() -> io::Result<bool>) -> io::Result<Times> {
    let mut connection = BufReader::new(daemon.connect()?);
    let mut times = Times::default();
    while goes_on()? {
        for ((_, route), times) in ROUTES.iter().zip(&mut times) {
            for _ in 0..TURN {
                let asked = Instant::now();
                ask(&mut connection, route)?;
                times.push(asked.elapsed());
                thread::sleep(GAP);
            }
        }
    }
    Ok(times)
}

/// Asks once, and reads the answer to its end.
fn ask(connection: &mut BufReader<UnixStream>, route: &str) -> io::Result<()> {
    connection.get_mut().write_all(format!("GET {route} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let (mut line, mut length) = (String::new(), None);
    connection.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        return Err(io::Error::other(format!("{route} was answered with {}", line.trim())));
    }
    while !line.trim().is_empty() {
        line.clear();
        connection.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let length: u64 = length.ok_or_else(|| io::Error::other(format!("{route} was answered without a length")))?;
    io::copy(&mut connection.take(length), &mut io::sink())?;
    Ok(())
}

fn table(rows: [(&str, Times); 3]) -> Table {
    let mut table =
        Table::new(&["going on meanwhile", "asked for", "times", "p50", "p99", "longest", "budget for p99"]);
    for (number, (meanwhile, times)) in rows.into_iter().enumerate() {
        for ((name, _), mut times) in ROUTES.into_iter().zip(times) {
            times.sort_unstable();
            let shown = |percent| percentile(&times, percent).map(duration).unwrap_or_default();
            let mut row = vec![meanwhile.to_owned(), name.to_owned(), count(times.len() as u64)];
            row.extend([shown(50), shown(99), shown(100)]);
            if let Some(p99) = percentile(&times, 99).filter(|_| (number, name) == (0, "status")) {
                row.push(format!("at most {}: {}", duration(BUDGET), if p99 <= BUDGET { "ok" } else { "over" }));
            }
            table.push(row);
        }
    }
    table
}
