//! `doctor`: prints what [`crate::engine::doctor`] says.

use super::Context;
use super::exit::{CliError, Result, Verdict};
use super::output::Tone;
use crate::api::check_json;
use crate::engine::doctor::{Check, State, Subject, examine};
use crate::engine::protocol::Refusal;

/// Runs `doctor`; fails when a check does.
pub fn run(context: &mut Context) -> Result<Verdict> {
    let config = context.places.config();
    let data_directory = context.places.data_directory().ok().flatten();
    let subject = Subject {
        config: config.as_ref().ok(),
        config_file: Some(&context.places.config_file),
        data_directory: data_directory.as_deref(),
        has_engine: context.places.engine_directory().is_some(),
    };
    let reader = match context.places.reader() {
        Ok(reader) => Ok(reader),
        Err(CliError::Failed { message, hint }) => Err(Refusal { hint, ..Refusal::new("failed", message) }),
        Err(error) => return Err(error),
    };
    let checks = examine(&subject, reader)?;
    let failed = checks.iter().any(|check| check.state == State::Fail);
    for check in checks {
        print(context, check)?;
    }
    Ok(Verdict { failed, ..Verdict::default() })
}

fn print(context: &mut Context, check: Check) -> Result<()> {
    if context.out.json {
        return context.out.object(&check_json(check));
    }
    let tone = match check.state {
        State::Ok => Tone::Good,
        State::Warn => Tone::Attention,
        State::Fail => Tone::Bad,
    };
    let word = context.out.tone(tone, &format!("{:<4}", check.state.as_str()));
    context.out.line(&format!("{word}  {:<11} {}", check.name, check.message))?;
    match &check.hint {
        Some(hint) => context.out.line(&format!("                  {hint}")),
        None => Ok(()),
    }
}
