//! Hints of one repository that wait until their places are quiet, or have waited long enough.
//!
//! Debounced place by place: a directory that is written to without a pause must not hold up the others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::hint::{Everything, Hints, Look, MAX_PLACES};

/// What waits. Bounded: too many places become everything.
#[derive(Debug, Default)]
pub(super) struct Pending {
    places: BTreeMap<Vec<u8>, Waiting>,
    everything: Option<Everything>,
}

#[derive(Debug)]
struct Waiting {
    look: Look,
    with: Option<Vec<u8>>,
    first_ms: u64,
    last_ms: u64,
}

/// How long a place is left alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub quiet: Duration,
    pub longest: Duration,
}

impl Waiting {
    fn due_ms(&self, patience: Patience) -> u64 {
        let quiet = self.last_ms + patience.quiet.as_millis() as u64;
        quiet.min(self.first_ms + patience.longest.as_millis() as u64)
    }
}

impl Pending {
    /// Adds hints that came now, or with `rest` are to be looked at no sooner than after it.
    pub fn add(&mut self, hints: Hints, now_ms: u64, rest: Duration) {
        if let Some(why) = hints.why_everything() {
            return self.all(why);
        }
        let at_ms = now_ms + rest.as_millis() as u64;
        for (directory, place) in hints.into_places() {
            match self.places.get_mut(&directory) {
                Some(waiting) => {
                    waiting.look.merge(place.look);
                    waiting.last_ms = waiting.last_ms.max(at_ms);
                    waiting.with = place.with.or(waiting.with.take());
                }
                None => {
                    let waiting = Waiting { look: place.look, with: place.with, first_ms: at_ms, last_ms: at_ms };
                    self.places.insert(directory, waiting);
                }
            }
        }
        if self.places.len() > MAX_PLACES {
            self.all(Everything::Many);
        }
    }

    fn all(&mut self, why: Everything) {
        self.everything = self.everything.max(Some(why));
        self.places.clear();
    }

    /// Takes the places that are due, and with them those at the other end of a rename.
    pub fn take_due(&mut self, now_ms: u64, patience: Patience) -> Vec<(Vec<u8>, Look)> {
        let is_due = |waiting: &Waiting| waiting.due_ms(patience) <= now_ms;
        let mut due: Vec<Vec<u8>> = Vec::new();
        for (directory, waiting) in self.places.iter().filter(|(_, waiting)| is_due(waiting)) {
            due.push(directory.clone());
            due.extend(waiting.with.clone());
        }
        due.sort();
        due.dedup();
        due.into_iter().filter_map(|directory| self.places.remove_entry(&directory)).map(|(d, w)| (d, w.look)).collect()
    }

    /// Takes the order to look at everything, which holds all places.
    pub fn take_everything(&mut self) -> Option<Everything> {
        let why = self.everything.take();
        if why.is_some() {
            self.places.clear();
        }
        why
    }

    pub fn why_everything(&self) -> Option<Everything> {
        self.everything
    }

    /// Returns when the first place is due.
    pub fn next_due(&self, patience: Patience) -> Option<u64> {
        self.places.values().map(|waiting| waiting.due_ms(patience)).min()
    }

    pub fn len(&self) -> usize {
        self.places.len() + usize::from(self.everything.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        *self = Pending::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { quiet: Duration::from_millis(500), longest: Duration::from_secs(5) };

    fn hint(directory: &str) -> Hints {
        let mut hints = Hints::default();
        hints.name(directory.as_bytes(), b"f", true);
        hints
    }

    fn due(pending: &mut Pending, now_ms: u64) -> Vec<String> {
        let names = |(directory, _): (Vec<u8>, Look)| String::from_utf8(directory).unwrap();
        pending.take_due(now_ms, PATIENCE).into_iter().map(names).collect()
    }

    #[test]
    fn a_place_waits_until_it_is_quiet_but_not_for_ever() {
        let mut pending = Pending::default();
        for now in (0..6_000).step_by(400) {
            pending.add(hint("busy"), now, Duration::ZERO);
        }
        pending.add(hint("calm"), 100, Duration::ZERO);
        assert_eq!(pending.next_due(PATIENCE), Some(600));
        assert_eq!(due(&mut pending, 599), [""; 0]);
        assert_eq!(due(&mut pending, 600), ["calm"]);
        assert_eq!(due(&mut pending, 4_999), [""; 0]);
        assert_eq!(due(&mut pending, 5_000), ["busy"]);
        assert!(pending.is_empty());
    }

    #[test]
    fn both_ends_of_a_rename_are_taken_together() {
        let mut pending = Pending::default();
        let mut hints = hint("from");
        hints.merge(hint("to"));
        hints.link(b"from", b"to");
        pending.add(hints, 0, Duration::ZERO);
        pending.add(hint("from"), 400, Duration::ZERO);
        assert_eq!(due(&mut pending, 500), ["from", "to"]);
    }

    #[test]
    fn too_many_places_become_everything() {
        let mut pending = Pending::default();
        for number in 0..=MAX_PLACES {
            pending.add(hint(&number.to_string()), 0, Duration::ZERO);
        }
        assert_eq!((pending.why_everything(), pending.len()), (Some(Everything::Many), 1));
        pending.add(hint("more"), 0, Duration::ZERO);
        assert_eq!(pending.take_everything(), Some(Everything::Many));
        assert!(pending.is_empty(), "what came later is looked at with the rest");
    }
}
