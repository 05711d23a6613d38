//! The contract's JSON shapes: what is printed, made from domain values, and what the API takes and gives. Keys are added,
//! never changed; `api` tells who does not understand a newer word which of both sides to restart.
//!
//! Knows no I/O: surfaces write what this room shapes.

mod command;
mod digest;
mod file;
mod finding;
pub mod list;
mod metrics;
pub mod path;
mod protocol;
mod repository;
pub mod request;
mod run;

pub use command::{ServiceJson, WhyJson};
pub use digest::{DigestJson, DigestParts};
pub use file::FileJson;
pub use finding::{ChangeJson, CheckJson, DamageJson, HeldJson, ProblemJson};
pub use metrics::{EngineNow, WatchNow, render as metrics_text};
pub use protocol::{
    AnswerJson, ErrorBody, ErrorJson, EstimatedJson, HealthJson, LiveJson, LostJson, OneRun, PathJson, PlanJson,
    QueuedJson, RunProgressJson, SchedulerJson, SnapshotJson, VersionJson, WaitingRun,
};
pub use repository::{NewsJson, NextJson, RepositoryJson, StatsJson, StatusExtra, StatusJson};
pub use run::{LogJson, ProgressJson, RunJson};

use crate::domain::moment::Timestamp;
use crate::domain::record::Sha256;

fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339)
}

fn moment_of(text: Option<&String>) -> Option<Timestamp> {
    text.and_then(|text| Timestamp::parse(text))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Returns the hash that [`hex`] has written; `None` when it is none.
fn unhex(text: &str) -> Option<Sha256> {
    let mut sum = Sha256::default();
    if text.len() != 2 * sum.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(sum)
}
