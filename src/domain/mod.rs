//! Nouns and rules of watchkeeper: values in, values out. No I/O, no clock, no threads.

pub mod amount;
pub mod change;
pub mod date_pattern;
pub mod guard;
pub mod hint;
pub mod moment;
pub mod path;
pub mod problem;
pub mod reconcile;
pub mod record;
pub mod report;
pub mod repository;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod show;
pub mod status;
