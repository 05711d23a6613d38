//! Through which events go out: to everyone who listens now, and kept for a while for who comes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::protocol::Event;

/// Events that a listener may be behind, and that are kept for who comes back.
const KEPT: usize = 256;

/// An event with its number: the first one is 1.
pub type Numbered = (u64, Event);

/// Sends events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outlet {
    sender: broadcast::Sender<Numbered>,
    recent: Arc<Mutex<Recent>>,
}

#[derive(Debug)]
struct Recent {
    /// Another one than that of any other engine: numbers mean nothing to the next one.
    id: String,
    last: u64,
    events: VecDeque<Numbered>,
}

/// Events from one place on.
#[derive(Debug)]
pub(super) struct Tap {
    pub receiver: broadcast::Receiver<Numbered>,
    /// Those that come before what the receiver hears.
    pub missed: VecDeque<Numbered>,
    /// The number of the last one before all of them.
    pub after: u64,
}

impl Default for Outlet {
    fn default() -> Outlet {
        let recent = Recent { id: ulid::Ulid::generate().to_string(), last: 0, events: VecDeque::new() };
        Outlet { sender: broadcast::channel(KEPT).0, recent: Arc::new(Mutex::new(recent)) }
    }
}

impl Outlet {
    /// Sends an event to everyone who listens, if anyone does.
    pub fn send(&self, event: Event) {
        let mut recent = self.recent();
        recent.last += 1;
        let numbered = (recent.last, event);
        if recent.events.len() == KEPT {
            recent.events.pop_front();
        }
        recent.events.push_back(numbered.clone());
        // Under the lock, so that no number overtakes another. Fails when nobody listens.
        let _unheard = self.sender.send(numbered);
    }

    /// Returns how many listen.
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Returns by what an event can be named over a lost connection: `ID-NUMBER`.
    pub fn name_of(&self, number: u64) -> String {
        format!("{}-{number}", self.recent().id)
    }

    /// Listens from now on.
    pub(super) fn tap(&self) -> Tap {
        let recent = self.recent();
        Tap { receiver: self.sender.subscribe(), missed: VecDeque::new(), after: recent.last }
    }

    /// Listens from the event after this one on; `None` when some of them are not kept any more, or it was another engine's.
    pub(super) fn tap_after(&self, name: &str) -> Option<Tap> {
        let recent = self.recent();
        let (id, number) = name.rsplit_once('-')?;
        let after: u64 = number.parse().ok()?;
        let oldest = recent.last - recent.events.len() as u64;
        if id != recent.id || !(oldest..=recent.last).contains(&after) {
            return None;
        }
        let missed = recent.events.iter().filter(|(number, _)| *number > after).cloned().collect();
        Some(Tap { receiver: self.sender.subscribe(), missed, after })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_hears_each_event_once_or_that_some_are_gone() {
        let outlet = Outlet::default();
        (0..3).for_each(|_| outlet.send(Event::Changed));
        let tap = outlet.tap_after(&outlet.name_of(1)).unwrap();
        assert_eq!(tap.missed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
        assert!(outlet.tap_after(&outlet.name_of(3)).unwrap().missed.is_empty());
        for other in [outlet.name_of(4), Outlet::default().name_of(1), "1".to_owned(), String::new(), "a-b".to_owned()]
        {
            assert!(outlet.tap_after(&other).is_none(), "{other}");
        }
        (0..KEPT).for_each(|_| outlet.send(Event::Changed));
        assert!(outlet.tap_after(&outlet.name_of(2)).is_none(), "the third is not kept any more");
        assert_eq!(outlet.tap_after(&outlet.name_of(3)).unwrap().missed.len(), KEPT);
    }
}
