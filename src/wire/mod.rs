//! The contract's JSON shapes, made from domain values. One object a line; keys are added, never changed.
//!
//! Knows no I/O: surfaces write what this room shapes.

mod digest;
mod file;
mod finding;
mod metrics;
mod path;
mod repository;
mod run;

pub use digest::{DigestJson, DigestParts};
pub use file::FileJson;
pub use finding::{ChangeJson, CheckJson, DamageJson, HeldJson, ProblemJson};
pub use metrics::render as metrics_text;
pub use repository::{NewsJson, RepositoryJson, StatsJson, StatusExtra, StatusJson};
pub use run::{LogJson, ProgressJson, RunJson};

use crate::domain::moment::Timestamp;

fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}
