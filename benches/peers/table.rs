//! Tables in Markdown, aligned so that they also read well in a terminal, and the numbers in them as text.

use std::fmt::{self, Display};
use std::time::Duration;

/// What stands in a cell that this machine cannot fill.
pub const ABSENT: &str = "-";

/// A table: the first column is text, the others are numbers and stand to the right.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table with only its head.
    pub fn new(head: &[&str]) -> Self {
        Table { rows: vec![head.iter().map(|cell| cell.to_string()).collect()] }
    }

    /// Adds a row, which is filled up with empty cells to the width of the head.
    pub fn push(&mut self, mut row: Vec<String>) {
        row.resize(self.rows[0].len(), String::new());
        self.rows.push(row);
    }

    /// Returns whether there is nothing below the head.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    match column {
                        0 => write!(f, "| {} |", "-".repeat(width))?,
                        _ => write!(f, " {}: |", "-".repeat(width - 1))?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Returns the value as text by `show`, or the mark for an absent one.
pub fn or_absent<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| ABSENT.into(), show)
}

/// `12.3 ms`, `1.23 s`, `123 s`.
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    match seconds {
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 100.0 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// As [`duration`], but the kernel counts CPU time in ticks of 10 ms, and less than one is not nothing.
pub fn cpu_time(value: Duration) -> String {
    if value.is_zero() { "< 10 ms".into() } else { duration(value) }
}

/// `0.83 µs`, for the cost of one file; absent where the whole was too short to be measured.
pub fn per_file(value: Duration, files: u64) -> String {
    if value.is_zero() {
        return ABSENT.into();
    }
    format!("{:.2} µs", value.as_secs_f64() * 1e6 / files as f64)
}

/// `640 B`, `12.3 KB`, `1.23 MB`: decimal, as the budgets are.
pub fn bytes(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size < 1e3 => format!("{value:.0} B"),
        _ if size < 1e6 => format!("{:.1} KB", value / 1e3),
        _ if size < 1e9 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}

/// `0.57`.
pub fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// `1,000,000`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_string();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(group.iter().map(|&digit| char::from(digit)));
    }
    text
}
