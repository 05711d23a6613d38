//! `status --follow`: how each repository is doing, and again whenever that has changed. What a screen of several hosts reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::super::Context;
use super::super::exit::{CliError, Result, Verdict};
use super::super::signals::any_signal;
use super::{read, word};
use crate::api::{self, Client, Standing};
use crate::engine;
use crate::engine::protocol::Event;

/// So long changes are collected: a run tells its progress ten times a second, and a person reads no faster.
const COLLECTED: Duration = Duration::from_secs(1);
/// Without an engine the index changes only by commands: so often someone looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A state that no repository has: it is not there any more.
const REMOVED: &str = "removed";
/// What no repository is called: under it stands what was said of the index itself.
const TROUBLE: &str = "";

/// Prints until nobody reads any more, or a signal comes.
pub fn run(context: &mut Context, name: Option<&str>) -> Result<Verdict> {
    let runtime = engine::runtime()?;
    // Now, so that a signal that comes between two waits is heard.
    let signal = runtime.spawn(any_signal());
    let mut signal = std::pin::pin!(signal);
    let mut said = BTreeMap::new();
    let mut client: Option<Client> = None;
    loop {
        tell(context, name, &mut said)?;
        context.out.flush()?;
        if client.as_ref().is_none_or(|client| client.handle.is_over()) {
            client = connect(context);
        }
        let changed = async {
            match &client {
                Some(client) => next_change(client).await,
                None => sleep(LOOK_EVERY).await,
            }
        };
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                signal = &mut signal => signal.ok(),
                () = changed => None,
            }
        });
        match ended {
            Some(signal) => return Ok(Verdict { signal: Some(signal?), ..Verdict::default() }),
            None if context.out.has_no_reader() => return Ok(Verdict::default()),
            None => {}
        }
    }
}

fn connect(context: &Context) -> Option<Client> {
    let directory: PathBuf = context.places.engine_directory()?;
    let socket = context.places.socket(&directory).ok()?;
    api::connect(&socket).inspect_err(|error| tracing::debug!(%error, "the engine cannot be reached")).ok()
}

/// Waits until something may have changed, and for what comes along with it.
async fn next_change(client: &Client) {
    let mut events = client.handle.subscribe();
    // The first is how it is now, which has been told.
    let mut is_first = true;
    let change = async {
        loop {
            match events.next().await {
                Event::Snapshot(_) if is_first => is_first = false,
                _ => return,
            }
        }
    };
    // A reader that has gone is noticed then.
    let _quiet = timeout(LOOK_EVERY * 5, change).await;
    sleep(COLLECTED).await;
}

/// Prints what is new.
fn tell(context: &mut Context, name: Option<&str>, said: &mut BTreeMap<String, String>) -> Result<()> {
    let standings = match read(context, name) {
        Ok(standings) => standings,
        // It may be just being made anew: what cannot be seen is not gone.
        Err(CliError::Failed { message, .. }) => {
            if said.insert(TROUBLE.to_owned(), message.clone()).as_ref() != Some(&message) {
                context.out.message(&message);
            }
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    said.remove(TROUBLE);
    let gone: Vec<String> = said
        .keys()
        .filter(|name| standings.iter().all(|standing| standing.status.repository.name != **name))
        .cloned()
        .collect();
    for name in gone {
        said.remove(&name);
        match context.out.json {
            true => context.out.object(&serde_json::json!({ "repository": name, "state": REMOVED }))?,
            false => context.out.line(&format!("{name}: {REMOVED}"))?,
        }
    }
    for standing in &standings {
        let name = standing.status.repository.name.clone();
        let line = match context.out.json {
            true => serde_json::to_string(&standing.json()).map_err(std::io::Error::from)?,
            false => line(standing),
        };
        if said.get(&name) != Some(&line) {
            context.out.line(&line)?;
            said.insert(name, line);
        }
    }
    Ok(())
}

fn line(standing: &Standing) -> String {
    let repository = &standing.status.repository;
    // Since when it is true moves on by itself, which is no news to a person.
    format!("{}: {}", repository.name, word(standing.state))
}
