//! The client's end of the event stream: reads server-sent events and hands them on.

use std::path::Path;

use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::net::UnixStream;

use super::client::request;
use super::event;
use crate::engine::Outlet;
use crate::engine::protocol::Event;

/// More in one event is no event of ours.
const MAX_EVENT_BYTES: usize = 64 * 1024 * 1024;

/// An open event stream.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    lines: Lines,
}

impl Stream {
    /// Opens the stream of the engine that serves `socket`; its first event is a snapshot.
    ///
    /// # Errors
    /// A sentence, when nobody answers or the answer is another one.
    pub async fn open(socket: &Path) -> Result<Stream, String> {
        let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
        let (status, body) = request(stream, Method::GET, "/api/sync/events", None).await?;
        match status {
            StatusCode::OK => Ok(Stream { body, lines: Lines::default() }),
            status => Err(format!("it answered {status}")),
        }
    }

    /// Waits for the next event; one that this version does not know is passed over.
    ///
    /// # Errors
    /// A sentence, when the stream has ended.
    pub async fn next(&mut self) -> Result<Event, String> {
        loop {
            if let Some((name, json)) = self.lines.next() {
                match event::read(&name, &json) {
                    Some(event) => return Ok(event),
                    None if name == event::LAGGED => continue,
                    None => {
                        tracing::warn!(event = %name, "the engine said something that this version does not know");
                        continue;
                    }
                }
            }
            let frame = self.body.frame().await.ok_or("the stream has ended")?;
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                self.lines.push(&data)?;
            }
        }
    }
}

/// Hands events on to everyone who listens, until the engine is gone.
pub async fn relay(stream: &mut Stream, events: &Outlet) {
    loop {
        let event = stream.next().await.unwrap_or(Event::Ended);
        let is_last = event == Event::Ended;
        events.send(event);
        if is_last {
            return;
        }
    }
}

/// Bytes that become events: `event: name`, `data: json`, an empty line.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where the search for an end of line goes on.
    searched: usize,
    name: String,
    json: String,
}

impl Lines {
    fn push(&mut self, data: &[u8]) -> Result<(), String> {
        self.bytes.extend_from_slice(data);
        if self.bytes.len() + self.json.len() > MAX_EVENT_BYTES {
            return Err("it sent an event without an end".to_owned());
        }
        Ok(())
    }

    fn next(&mut self) -> Option<(String, String)> {
        while let Some(end) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
            self.searched = 0;
            let line = String::from_utf8_lossy(&line[..line.len() - 1]);
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut self.name);
            } else if let Some(json) = line.strip_prefix("data: ") {
                self.json.push_str(json);
            } else if line.is_empty() && !self.name.is_empty() {
                return Some((std::mem::take(&mut self.name), std::mem::take(&mut self.json)));
            }
        }
        self.searched = self.bytes.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let sent = b": keep-alive\n\nevent: changed\ndata: {}\n\nevent: ended\ndata: {\"a\":1}\n\n";
        for size in 1..sent.len() {
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for part in sent.chunks(size) {
                lines.push(part).unwrap();
                events.extend(std::iter::from_fn(|| lines.next()));
            }
            let expected = [("changed", "{}"), ("ended", "{\"a\":1}")];
            assert_eq!(events, expected.map(|(name, json)| (name.to_owned(), json.to_owned())), "{size}");
        }
    }
}
