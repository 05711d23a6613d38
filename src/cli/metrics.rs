//! `metrics`: numbers for Prometheus. The text is shaped in `wire`, where the API takes it from too.

use std::path::PathBuf;

use super::Context;
use super::exit::{Result, Verdict};
use super::status;
use crate::api::{self, Standing};
use crate::domain::moment::Timestamp;
use crate::wire::metrics_text;

/// Runs `metrics`. The text is its one format: `--json` changes nothing.
pub fn run(context: &mut Context) -> Result<Verdict> {
    // It knows more than the index does. One that does not answer proves nothing, as if there were none.
    let ask = |directory: PathBuf| context.places.socket(&directory).and_then(|socket| Ok(api::metrics(&socket)?));
    if let Some(Ok(text)) = context.places.engine_directory().map(ask) {
        context.out.raw(text.as_bytes())?;
        return Ok(Verdict::default());
    }
    let statuses = status::read(context, None)?;
    let history = match context.places.reader()? {
        Some(reader) => reader.stats(None, Timestamp(i64::MIN))?,
        None => Vec::new(),
    };
    let statuses: Vec<_> = statuses.into_iter().map(Standing::for_metrics).collect();
    context.out.raw(metrics_text(&statuses, &history, None).as_bytes())?;
    Ok(Verdict::default())
}
