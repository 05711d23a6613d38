//! The tables about ourselves alone: how our cost grows with the tree, and what we take of memory and disk.

use crate::budget::{self, Budget};
use crate::peer::Task;
use crate::small::OurFigures;
use crate::table::{Table, bytes, count, cpu_time, duration, or_absent, per_file};

/// Prints how time grows with the number of files, if there is anything to tell.
pub fn print_growth(figures: &[OurFigures]) {
    let mut table = Table::new(&["task", "files", "wall", "wall per file", "CPU", "CPU per file", "peak memory"]);
    for (task, label) in [(Task::NoChange, "nothing changed"), (Task::FirstIndex, "first index")] {
        for OurFigures { files, cost, .. } in figures.iter().filter(|figures| figures.task == task) {
            table.push(vec![
                label.into(),
                count(*files),
                duration(cost.wall),
                per_file(cost.wall, *files),
                cpu_time(cost.cpu),
                per_file(cost.cpu, *files),
                or_absent(cost.peak_bytes, |peak| bytes(peak as f64)),
            ]);
        }
    }
    if !table.is_empty() {
        print!("\n### Growth of our cost, warm\n\n{table}");
    }
}

/// Prints memory, disk and bytes written, each against its budget.
pub fn print_footprint(figures: &[OurFigures], workers: usize) {
    let mut table = Table::new(&["figure", "files", "value", "budget"]);
    for figures in figures {
        push_footprint(&mut table, figures, workers);
    }
    if !table.is_empty() {
        print!("\n### Memory and disk\n\n{table}");
    }
}

fn push_footprint(table: &mut Table, figures: &OurFigures, workers: usize) {
    let OurFigures { task, files, cost, index } = figures;
    let mut push = |label: &str, value: Option<f64>, budget: Option<(&str, Budget)>| {
        let verdict = match (value, budget) {
            (Some(value), Some((limit, budget))) => format!("at most {limit}: {}", budget.verdict(value, *files)),
            _ => String::new(),
        };
        table.push(vec![label.into(), count(*files), or_absent(value, bytes), verdict]);
    };
    let float = |bytes: u64| bytes as f64;
    let memory_limit = format!("{:.1} MB", 32.0 + 1.5 * workers.saturating_sub(2) as f64);
    let memory = Some((memory_limit.as_str(), budget::peak_memory_bytes(workers)));
    match task {
        Task::FirstIndex => {
            push("peak memory, first index", cost.peak_bytes.map(float), memory);
            push("bytes written, first index", cost.written_bytes.map(float), None);
            push("`index.db` and its log", Some(float(index.total_bytes)), None);
            push("of these: `changes`", index.changes_bytes.map(float), None);
            let without = float(index.total_bytes.saturating_sub(index.changes_bytes.unwrap_or(0)));
            let per_million = without * 1e6 / *files as f64;
            let size_budget = Some(("130 MB", budget::INDEX_BYTES_PER_MILLION));
            push("index per 1,000,000 files, without `changes`", Some(per_million), size_budget);
        }
        Task::NoChange => {
            push("peak memory, nothing changed", cost.peak_bytes.map(float), memory);
            let written_budget = Some(("256 KB", budget::NO_CHANGE_WRITTEN_BYTES));
            push("bytes written, nothing changed", cost.written_bytes.map(float), written_budget);
            push("growth of the index, nothing changed", cost.grown_bytes.map(float), None);
        }
    }
}
