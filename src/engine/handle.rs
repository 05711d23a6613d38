//! The handle by which a surface speaks to an engine, whether it runs in this process or behind a socket.

use std::collections::VecDeque;

use tokio::sync::{broadcast, mpsc, oneshot};

use super::outlet::{Numbered, Outlet, Tap};
use super::protocol::{Answer, Command, Event, Refusal, Snapshot};

/// A command and where its answer goes.
#[derive(Debug)]
pub enum Call {
    Command(Command, oneshot::Sender<Answer>),
    Snapshot(oneshot::Sender<Snapshot>),
}

/// Speaks to an engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) calls: mpsc::Sender<Call>,
    pub(super) events: Outlet,
}

/// Receives events, the first of which is a snapshot, or the one after the last that was heard before.
#[derive(Debug)]
pub struct Subscription {
    handle: Handle,
    receiver: broadcast::Receiver<Numbered>,
    missed: VecDeque<Numbered>,
    /// The number of the last event that was heard.
    last: u64,
    needs_snapshot: bool,
}

impl Handle {
    /// Makes a handle of a channel whose other end answers every call, and of one that brings the events.
    pub fn over(calls: mpsc::Sender<Call>, events: Outlet) -> Handle {
        Handle { calls, events }
    }

    /// Asks what only the engine knows; `None` when it has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (sender, answer) = oneshot::channel();
        self.calls.send(Call::Snapshot(sender)).await.ok()?;
        self.hear(answer).await
    }

    /// Waits for an answer, or the engine's end: a call that is sent while its channel is dropped may lie in it, unheard
    /// and unrefused, as long as there is a handle.
    async fn hear<T>(&self, mut answer: oneshot::Receiver<T>) -> Option<T> {
        tokio::select! {
            biased;
            heard = &mut answer => heard.ok(),
            () = self.calls.closed() => answer.try_recv().ok(),
        }
    }

    /// Sends a command and waits for its answer.
    pub async fn send(&self, command: Command) -> Answer {
        let (sender, answer) = oneshot::channel();
        if self.calls.send(Call::Command(command, sender)).await.is_err() {
            return Answer::Refused(ended());
        }
        self.hear(answer).await.unwrap_or_else(|| Answer::Refused(ended()))
    }

    /// As [`Handle::send`], from a thread that may block.
    pub fn send_blocking(&self, command: Command) -> Answer {
        match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime.block_on(self.send(command)),
            Err(error) => Answer::Refused(Refusal::new("failed", error.to_string())),
        }
    }

    /// Waits until the engine has ended, in order or by a panic.
    pub async fn ended(&self) {
        self.calls.closed().await;
    }

    /// Tells whether nobody answers any more, and nobody will.
    pub fn is_over(&self) -> bool {
        self.calls.is_closed()
    }

    /// Returns how many listen to an engine in this process.
    pub fn listeners(&self) -> usize {
        self.events.listeners()
    }

    /// Starts to listen.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.clone(), self.events.tap(), true)
    }

    /// Goes on listening after the event of this name ([`Subscription::name`]); from the start when that is too long ago.
    pub fn subscribe_after(&self, name: &str) -> Subscription {
        match self.events.tap_after(name) {
            Some(tap) => Subscription::new(self.clone(), tap, false),
            None => self.subscribe(),
        }
    }
}

impl Subscription {
    fn new(handle: Handle, tap: Tap, needs_snapshot: bool) -> Subscription {
        Subscription { handle, receiver: tap.receiver, missed: tap.missed, last: tap.after, needs_snapshot }
    }

    /// Returns the name of the last event that was heard, after which another subscription can go on.
    pub fn name(&self) -> String {
        self.handle.events.name_of(self.last)
    }

    /// Waits for the next event. After missed ones, a snapshot comes instead of them.
    pub async fn next(&mut self) -> Event {
        loop {
            if self.needs_snapshot {
                let (sender, answer) = oneshot::channel();
                if self.handle.calls.send(Call::Snapshot(sender)).await.is_err() {
                    return Event::Ended;
                }
                let answer = self.handle.hear(answer).await;
                // Not before: who stops waiting for it here gets it the next time.
                self.needs_snapshot = false;
                return answer.map_or(Event::Ended, Event::Snapshot);
            }
            let heard = match self.missed.pop_front() {
                Some(missed) => Ok(missed),
                None => self.receiver.recv().await,
            };
            match heard {
                Ok((number, event)) => {
                    self.last = number;
                    return event;
                }
                Err(broadcast::error::RecvError::Lagged(events)) => {
                    self.last += events;
                    self.needs_snapshot = true;
                }
                Err(broadcast::error::RecvError::Closed) => return Event::Ended,
            }
        }
    }
}

fn ended() -> Refusal {
    Refusal::new("unavailable", "the engine has ended")
}

/// The other end of a handle, for tests of surfaces: an engine that does nothing but answer.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct FakeEngine {
    calls: mpsc::Receiver<Call>,
    /// Sends events to who has subscribed.
    pub(crate) events: Outlet,
}

#[cfg(test)]
impl FakeEngine {
    /// Returns a handle and its engine.
    pub(crate) fn new() -> (Handle, FakeEngine) {
        let (calls, receiver) = mpsc::channel(16);
        let events = Outlet::default();
        (Handle { calls, events: events.clone() }, FakeEngine { calls: receiver, events })
    }

    /// Answers snapshots with `snapshot` and commands with `answer` until every handle is gone.
    pub(crate) async fn serve(mut self, snapshot: Snapshot, mut answer: impl FnMut(Command, &Outlet) -> Answer) {
        while let Some(call) = self.calls.recv().await {
            // Who asked may have gone meanwhile.
            match call {
                Call::Command(command, reply) => drop(reply.send(answer(command, &self.events))),
                Call::Snapshot(reply) => drop(reply.send(snapshot.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_an_engine_that_ends_without_a_word_is_not_left_waiting() {
        let (calls, receiver) = mpsc::channel(1);
        let handle = Handle::over(calls, Outlet::default());
        // As a call that is sent while the channel is dropped: nobody hears it, and nobody refuses it.
        let (_kept, answer) = oneshot::channel::<Answer>();
        drop(receiver);
        assert_eq!(handle.hear(answer).await, None);
        assert_eq!(handle.send(Command::Shutdown).await, Answer::Refused(ended()));
    }
}
