//! Events by name and JSON: the lines of the event stream, written by the server and read by the client.

use serde::Serialize;
use serde_json::Value;

use crate::engine::protocol::Event;
use crate::wire::{LiveJson, LostJson, QueuedJson, RunJson, RunProgressJson, SnapshotJson};

/// Says that events were dropped; a snapshot follows.
pub const LAGGED: &str = "lagged";

/// Returns an event's name and its JSON.
pub fn write(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Snapshot(snapshot) => ("snapshot", value(SnapshotJson::from(snapshot))),
        Event::RunQueued(run) => ("run_queued", value(QueuedJson::from(run))),
        Event::RunStarted(run) => ("run_started", value(RunJson::new(run))),
        Event::Progress(sample) => ("progress", value(RunProgressJson::from(sample))),
        Event::RunFinished(run) => ("run_finished", value(RunJson::new(run))),
        Event::RunLost { run_id, message } => {
            ("run_lost", value(LostJson { run_id: run_id.clone(), message: message.clone() }))
        }
        Event::Live(live) => ("live", value(LiveJson::from(&**live))),
        Event::Changed => ("changed", Value::Object(serde_json::Map::new())),
        Event::Ended => ("ended", Value::Object(serde_json::Map::new())),
    }
}

/// Returns the event that was written; `None` for one that this version does not know, and for [`LAGGED`].
pub fn read(name: &str, json: &str) -> Option<Event> {
    Some(match name {
        "snapshot" => Event::Snapshot(serde_json::from_str::<SnapshotJson>(json).ok()?.into_snapshot()?),
        "run_queued" => Event::RunQueued(serde_json::from_str::<QueuedJson>(json).ok()?.into_run()?),
        "run_started" => Event::RunStarted(Box::new(serde_json::from_str::<RunJson>(json).ok()?.to_run()?)),
        "progress" => Event::Progress(serde_json::from_str::<RunProgressJson>(json).ok()?.into_sample()?),
        "run_finished" => Event::RunFinished(Box::new(serde_json::from_str::<RunJson>(json).ok()?.to_run()?)),
        "run_lost" => {
            let LostJson { run_id, message } = serde_json::from_str(json).ok()?;
            Event::RunLost { run_id, message }
        }
        "live" => Event::Live(Box::new(serde_json::from_str::<LiveJson>(json).ok()?.into_live()?)),
        "changed" => Event::Changed,
        "ended" => Event::Ended,
        _ => return None,
    })
}

fn value(json: impl Serialize) -> Value {
    serde_json::to_value(json).expect("these shapes have text keys and finite numbers only")
}
