//! The handle by which a surface speaks to an engine, whether it runs in this process or behind a socket.

use tokio::sync::{broadcast, mpsc, oneshot};

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
    pub(super) events: broadcast::Sender<Event>,
}

/// Receives events, the first of which is a snapshot.
#[derive(Debug)]
pub struct Subscription {
    handle: Handle,
    receiver: broadcast::Receiver<Event>,
    needs_snapshot: bool,
}

impl Handle {
    /// Makes a handle of a channel whose other end answers every call, and of one that brings the events.
    pub fn over(calls: mpsc::Sender<Call>, events: broadcast::Sender<Event>) -> Handle {
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
        self.events.receiver_count()
    }

    /// Starts to listen.
    pub fn subscribe(&self) -> Subscription {
        Subscription { handle: self.clone(), receiver: self.events.subscribe(), needs_snapshot: true }
    }
}

impl Subscription {
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
            match self.receiver.recv().await {
                Ok(event) => return event,
                Err(broadcast::error::RecvError::Lagged(_)) => self.needs_snapshot = true,
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
    pub(crate) events: broadcast::Sender<Event>,
}

#[cfg(test)]
impl FakeEngine {
    /// Returns a handle and its engine.
    pub(crate) fn new() -> (Handle, FakeEngine) {
        let (calls, receiver) = mpsc::channel(16);
        let (events, _) = broadcast::channel(64);
        (Handle { calls, events: events.clone() }, FakeEngine { calls: receiver, events })
    }

    /// Answers snapshots with `snapshot` and commands with `answer` until every handle is gone.
    pub(crate) async fn serve(
        mut self,
        snapshot: Snapshot,
        mut answer: impl FnMut(Command, &broadcast::Sender<Event>) -> Answer,
    ) {
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
        let handle = Handle::over(calls, broadcast::channel(1).0);
        // As a call that is sent while the channel is dropped: nobody hears it, and nobody refuses it.
        let (_kept, answer) = oneshot::channel::<Answer>();
        drop(receiver);
        assert_eq!(handle.hear(answer).await, None);
        assert_eq!(handle.send(Command::Shutdown).await, Answer::Refused(ended()));
    }
}
