//! `verify-log`: says whether journal and index tell the same history, run by run.

use super::Context;
use super::exit::{Result, Verdict};
use super::output::Tone;
use crate::domain::amount::{bytes, plural};
use crate::engine::doctor::{Verified, verify_log};

/// Runs `verify-log`; fails when something does not agree.
pub fn run(context: &mut Context) -> Result<Verdict> {
    let verified = match context.places.data_directory()? {
        Some(directory) => verify_log(&directory)?,
        None => Verified::default(),
    };
    let agrees = verified.disagreements.is_empty();
    if context.out.json {
        let disagreements: Vec<_> = verified
            .disagreements
            .iter()
            .map(
                |found| serde_json::json!({ "run_id": found.run_id, "number": found.number, "message": found.message }),
            )
            .collect();
        context.out.object(&serde_json::json!({
            "agrees": agrees,
            "runs": verified.runs,
            "segments": verified.segments,
            "bytes": verified.bytes,
            "last_seq": verified.last_seq,
            "disagreements": disagreements,
        }))?;
        return Ok(Verdict { failed: !agrees, ..Verdict::default() });
    }
    let runs = plural(verified.runs as u64, "run is", "runs are");
    let files = plural(verified.segments as u64, "file", "files");
    context
        .out
        .line(&format!("{runs} in both with equal sums; the journal is {} in {files}", bytes(verified.bytes)))?;
    for found in &verified.disagreements {
        let line = context.out.tone(Tone::Bad, &found.message);
        context.out.line(&line)?;
    }
    if !agrees {
        context.out.message(
            "the next start of an engine (`watchkeeper sync`, the daemon, the screen) mends what can be mended",
        );
    }
    Ok(Verdict { failed: !agrees, ..Verdict::default() })
}
