//! What waits for the writer, in two lines: hints, of which a person waits for each, go before what runs have found.
//!
//! In one line a hint waited behind the batches of a first run, and that twice: 20 ms for half of them, 100 ms for some.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, bounded, select_biased};

use super::apply::Batch;
use super::writer::Db;

/// Messages of a line that may wait: enough to keep the writer busy, few enough that memory stays small.
const WAITING: usize = 3;

pub(super) type Call = Box<dyn FnOnce(&mut Db) + Send>;

pub(super) enum Message {
    Batch(Batch),
    Call(Call),
}

/// Which of the two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Urgent,
    Ordinary,
}

/// How many batches of runs were sent, and how many of them stand in the index (or never will).
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    written: AtomicU64,
}

/// How far the writer has come with what was sent to it: a batch that was sent by then stands when `written` is as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub sent: u64,
    pub written: u64,
}

/// The end at which messages come in. Cheap to clone; the other one ends when the last is dropped.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    urgent: Sender<Message>,
    ordinary: Sender<Message>,
    counts: Arc<Counts>,
}

/// The writer's end.
#[derive(Debug)]
pub(super) struct Receiving {
    urgent: Receiver<Message>,
    ordinary: Receiver<Message>,
    counts: Arc<Counts>,
    /// Batches of runs that were taken out.
    taken: u64,
}

/// Makes the queue.
pub(super) fn queue() -> (Sending, Receiving) {
    let ((urgent, from_urgent), (ordinary, from_ordinary)) = (bounded(WAITING), bounded(WAITING));
    let counts = Arc::new(Counts::default());
    let receiving = Receiving { urgent: from_urgent, ordinary: from_ordinary, counts: Arc::clone(&counts), taken: 0 };
    (Sending { urgent, ordinary, counts }, receiving)
}

impl Sending {
    /// Sends a message; waits while too many of its line are waiting.
    pub fn send(&self, line: Line, message: Message) -> Result<(), SendError<Message>> {
        match line {
            Line::Urgent => self.urgent.send(message),
            Line::Ordinary => {
                // Counted before: who asks after it was sent must not be told less.
                if matches!(message, Message::Batch(_)) {
                    self.counts.sent.fetch_add(1, Ordering::SeqCst);
                }
                self.ordinary.send(message)
            }
        }
    }

    pub fn progress(&self) -> Progress {
        // In this order: what is written was sent.
        let written = self.counts.written.load(Ordering::SeqCst);
        Progress { sent: self.counts.sent.load(Ordering::SeqCst), written }
    }
}

impl Receiving {
    /// Takes the next message, an urgent one if there is any.
    pub fn next(&mut self, timeout: Duration) -> Result<Message, RecvTimeoutError> {
        let message = select_biased! {
            recv(self.urgent) -> message => message.or_else(|_| self.ordinary.recv_timeout(timeout)),
            recv(self.ordinary) -> message => message.or_else(|_| self.urgent.recv_timeout(timeout)),
            default(timeout) => Err(RecvTimeoutError::Timeout),
        }?;
        if let Message::Batch(batch) = &message
            && batch.run.line() == Line::Ordinary
        {
            self.taken += 1;
        }
        Ok(message)
    }

    /// Tells those who wait that all that was taken is written, or has failed.
    pub fn is_written(&self) {
        self.counts.written.store(self.taken, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::super::apply::RunContext;
    use super::*;
    use crate::domain::repository::RepositoryId;

    fn batch(is_urgent: bool) -> Message {
        let run = Arc::new(RunContext { is_urgent, ..RunContext::of(RepositoryId(1), 7) });
        Message::Batch(Batch { run, at_ms: 0, ops: Vec::new(), tally: Default::default() })
    }

    fn is_urgent(message: &Message) -> bool {
        matches!(message, Message::Batch(batch) if batch.run.is_urgent)
    }

    #[test]
    fn what_is_urgent_goes_before_what_was_sent_earlier() {
        let (sending, mut receiving) = queue();
        sending.send(Line::Ordinary, batch(false)).unwrap();
        sending.send(Line::Ordinary, batch(false)).unwrap();
        sending.send(Line::Urgent, batch(true)).unwrap();
        drop(sending);
        let order: Vec<bool> =
            std::iter::from_fn(|| receiving.next(Duration::MAX).ok()).map(|m| is_urgent(&m)).collect();
        assert_eq!(order, [true, false, false], "nothing is lost when nobody can send any more");
    }

    #[test]
    fn what_was_sent_is_written_when_the_writer_says_so() {
        let (sending, mut receiving) = queue();
        sending.send(Line::Ordinary, batch(false)).unwrap();
        sending.send(Line::Urgent, batch(true)).unwrap();
        assert_eq!(sending.progress(), Progress { sent: 1, written: 0 });
        receiving.next(Duration::ZERO).unwrap();
        receiving.is_written();
        assert_eq!(sending.progress().written, 0, "only the urgent one was taken");
        receiving.next(Duration::ZERO).unwrap();
        assert_eq!(sending.progress().written, 0);
        receiving.is_written();
        assert_eq!(sending.progress(), Progress { sent: 1, written: 1 });
        assert_eq!(receiving.next(Duration::ZERO).err(), Some(RecvTimeoutError::Timeout));
    }
}
