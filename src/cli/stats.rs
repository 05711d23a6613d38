//! `stats`: success, durations and counts over time.

use super::Context;
use super::args::Stats;
use super::exit::{Result, Verdict};
use super::history::since;
use super::output::{Cell, Tone};
use crate::domain::amount::{bytes, count, took};
use crate::wire::StatsJson;

/// Runs `stats`.
pub fn run(context: &mut Context, args: &Stats) -> Result<Verdict> {
    let from = since(&args.since)?;
    let reader = context.places.existing_reader()?;
    let repository = args.name.as_deref().map(|name| reader.repository(name)).transpose()?;
    let stats = reader.stats(repository.map(|repository| repository.id), from)?;
    if context.out.json {
        for entry in &stats {
            context.out.object(&StatsJson::new(entry, from))?;
        }
        return Ok(Verdict::default());
    }
    if stats.is_empty() {
        context.out.message("no runs in this time");
        return Ok(Verdict::default());
    }
    let time = |ms: Option<i64>| Cell::from(ms.map_or("-".to_owned(), |ms| took(ms.unsigned_abs())));
    let number = |amount: i64| Cell::from(count(amount.unsigned_abs()));
    let rows: Vec<Vec<Cell>> = stats
        .iter()
        .map(|entry| {
            let rate = entry.success_rate().map_or("-".to_owned(), |rate| format!("{:.0} %", rate * 100.0));
            let errors: Vec<String> = entry.errors.iter().map(|(class, times)| format!("{class} {times}")).collect();
            vec![
                Cell::toned(Tone::Bold, entry.repository.clone()),
                entry.kind.clone().into(),
                number(entry.runs),
                rate.into(),
                time(entry.p50_ms),
                time(entry.p95_ms),
                time(entry.max_ms),
                number(entry.tally.added),
                number(entry.tally.updated),
                number(entry.tally.removed),
                number(entry.tally.moved),
                bytes(entry.tally.bytes_hashed.unsigned_abs()).into(),
                errors.join(", ").into(),
            ]
        })
        .collect();
    let columns = [
        "repository",
        "kind",
        "runs>",
        "success>",
        "half below>",
        "95 % below>",
        "longest>",
        "added>",
        "updated>",
        "removed>",
        "moved>",
        "read>",
        "errors",
    ];
    context.out.table(&columns, &rows)?;
    Ok(Verdict::default())
}
