//! Hints of one repository that wait until their places are quiet, or have waited long enough.
//!
//! Debounced place by place: a directory that is written to without a pause must not hold up the others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::hint::{Everything, Hints, Look, MAX_PLACES};

/// What was withheld is judged when for so long nothing more was. Within the five seconds that are promised.
const QUIET_MS: u64 = 2_000;
/// But it waits no longer than this: some trees are never quiet.
const LONGEST_MS: u64 = 300_000;
/// Nor does a look at everything, without which nothing is known for certain.
const LONGEST_TO_EVERYTHING_MS: u64 = 60_000;

/// What waits. Bounded: too many places become everything.
#[derive(Debug, Default)]
pub(super) struct Pending {
    places: BTreeMap<Vec<u8>, Waiting>,
    withheld: Option<Withheld>,
    everything: Option<All>,
}

#[derive(Debug)]
struct Waiting {
    look: Look,
    with: Option<Vec<u8>>,
    first_ms: u64,
    last_ms: u64,
}

/// The order to look at everything.
#[derive(Clone, Copy, Debug)]
struct All {
    why: Everything,
    first_ms: u64,
    /// When any news came last.
    last_ms: u64,
}

/// Names that are gone, and wait until all that goes with them is known: the guard is to see a removal whole.
#[derive(Debug)]
struct Withheld {
    hints: Hints,
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

    fn add_older(&mut self, look: Look) {
        let newer = std::mem::replace(&mut self.look, look);
        self.look.merge(newer);
    }
}

impl Pending {
    /// Adds hints that came now. Those with a `rest` were looked at before and are looked at again after it, or with
    /// what has come for the same place since: that is newer, and knows better whether a file is complete.
    pub fn add(&mut self, hints: Hints, now_ms: u64, rest: Duration) {
        if let Some(all) = &mut self.everything {
            all.last_ms = now_ms;
        }
        if let Some(why) = hints.why_everything() {
            return self.all(why, now_ms);
        }
        let at_ms = now_ms + rest.as_millis() as u64;
        for (directory, place) in hints.into_places() {
            match self.places.get_mut(&directory) {
                Some(waiting) if !rest.is_zero() => {
                    waiting.add_older(place.look);
                    waiting.with = waiting.with.take().or(place.with);
                }
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
            self.all(Everything::Many, now_ms);
        }
    }

    /// Adds what was due already and could not be looked at: it is due again after `wait_ms`, and rests no second time.
    pub fn add_soon(&mut self, hints: Hints, now_ms: u64, wait_ms: u64, patience: Patience) {
        if hints.why_everything().is_some() {
            return self.add(hints, now_ms, Duration::ZERO);
        }
        let since = |length: Duration| (now_ms + wait_ms).saturating_sub(length.as_millis() as u64);
        for (directory, place) in hints.into_places() {
            match self.places.get_mut(&directory) {
                Some(waiting) => waiting.add_older(place.look),
                None => {
                    let (first_ms, last_ms) = (since(patience.longest), since(patience.quiet));
                    self.places.insert(directory, Waiting { look: place.look, with: place.with, first_ms, last_ms });
                }
            }
        }
    }

    fn all(&mut self, why: Everything, now_ms: u64) {
        let all = self.everything.get_or_insert(All { why, first_ms: now_ms, last_ms: now_ms });
        all.why = all.why.max(why);
        self.places.clear();
        self.withheld = None;
    }

    /// Adds names that are gone and may be part of a larger removal.
    pub fn withhold(&mut self, hints: Hints, now_ms: u64) {
        if hints.is_empty() || self.everything.is_some() {
            return;
        }
        let withheld =
            self.withheld.get_or_insert(Withheld { hints: Hints::default(), first_ms: now_ms, last_ms: now_ms });
        withheld.last_ms = now_ms;
        withheld.hints.merge(hints);
        if let Some(why) = withheld.hints.why_everything() {
            self.all(why, now_ms);
        }
    }

    /// Returns when what was withheld is due. What came before it was quiet is looked at first: it may bring more.
    fn withheld_due_ms(&self) -> Option<u64> {
        let withheld = self.withheld.as_ref()?;
        let (quiet_ms, longest_ms) = (withheld.last_ms + QUIET_MS, withheld.first_ms + LONGEST_MS);
        let is_first = |waiting: &Waiting| waiting.first_ms < quiet_ms;
        Some(if self.places.values().any(is_first) { longest_ms } else { quiet_ms.min(longest_ms) })
    }

    /// Makes what was withheld due with the places, if it is time; returns whether it did.
    pub fn release_withheld(&mut self, now_ms: u64) -> bool {
        let is_due = self.withheld_due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        let Some(withheld) = self.withheld.take_if(|_| is_due) else { return false };
        for (directory, place) in withheld.hints.into_places() {
            let due = Waiting { look: Look::Names(BTreeMap::new()), with: None, first_ms: 0, last_ms: 0 };
            let waiting = self.places.entry(directory).or_insert(due);
            waiting.add_older(place.look);
            (waiting.first_ms, waiting.last_ms) = (0, 0);
        }
        true
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
        let why = self.everything.take().map(|all| all.why);
        if why.is_some() {
            self.places.clear();
        }
        why
    }

    pub fn why_everything(&self) -> Option<Everything> {
        self.everything.map(|all| all.why)
    }

    /// Returns when everything is to be looked at. Many places at once may be a removal that goes on: it waits for quiet.
    pub fn everything_due_ms(&self) -> Option<u64> {
        self.everything.map(|all| match all.why {
            Everything::Many => (all.last_ms + QUIET_MS).min(all.first_ms + LONGEST_TO_EVERYTHING_MS),
            Everything::Overflow => all.first_ms,
        })
    }

    /// Returns when the first place is due.
    pub fn next_due(&self, patience: Patience) -> Option<u64> {
        self.places.values().map(|waiting| waiting.due_ms(patience)).chain(self.withheld_due_ms()).min()
    }

    pub fn len(&self) -> usize {
        let withheld = self.withheld.as_ref().map_or(0, |withheld| withheld.hints.len());
        self.places.len() + withheld + usize::from(self.everything.is_some())
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
    fn what_is_looked_at_again_delays_and_overrides_nothing_newer() {
        let mut pending = Pending::default();
        pending.add(hint("a"), 0, Duration::ZERO);
        let mut again = Hints::default();
        again.name(b"a", b"f", false);
        again.name(b"a", b"g", false);
        again.name(b"b", b"f", false);
        pending.add(again, 100, Duration::from_secs(2));
        let names = BTreeMap::from([(b"f".to_vec(), true), (b"g".to_vec(), false)]);
        assert_eq!(pending.take_due(500, PATIENCE), [(b"a".to_vec(), Look::Names(names))]);
        assert_eq!(pending.next_due(PATIENCE), Some(2_600));
    }

    #[test]
    fn what_was_due_and_in_other_hands_does_not_rest_once_more() {
        let mut pending = Pending::default();
        pending.add_soon(hint("a"), 60_000, 25, PATIENCE);
        assert_eq!(pending.next_due(PATIENCE), Some(60_025));
        pending.add(hint("a"), 60_010, Duration::ZERO);
        let mut left = Pending::default();
        left.add_soon(hint("a"), 60_000, 0, PATIENCE);
        assert_eq!(due(&mut left, 60_000), ["a"], "nobody has it in his hands");
        assert_eq!(due(&mut pending, 60_025), ["a"], "news do not put it off for longer than the most");
    }

    #[test]
    fn what_is_withheld_waits_until_nothing_more_goes() {
        let mut pending = Pending::default();
        pending.withhold(hint("gone"), 0);
        pending.withhold(hint("gone too"), 1_000);
        assert_eq!((pending.len(), pending.next_due(PATIENCE)), (2, Some(3_000)));
        pending.add(hint("news"), 2_900, Duration::ZERO);
        assert!(!pending.release_withheld(3_000), "the news may bring more");
        assert_eq!(due(&mut pending, 3_400), ["news"]);
        pending.add(hint("gone"), 3_300, Duration::ZERO);
        assert!(pending.release_withheld(3_400), "what came after it was quiet is not waited for");
        assert_eq!(due(&mut pending, 3_400), ["gone", "gone too"]);
        assert!(pending.is_empty());
    }

    #[test]
    fn what_is_withheld_does_not_wait_for_ever_and_too_much_of_it_is_everything() {
        let mut pending = Pending::default();
        for now_ms in (0..LONGEST_MS).step_by(1_000) {
            pending.withhold(hint("gone"), now_ms);
            assert!(!pending.release_withheld(now_ms + 900));
        }
        assert!(pending.release_withheld(LONGEST_MS));
        for number in 0..=MAX_PLACES {
            pending.withhold(hint(&number.to_string()), 0);
        }
        assert_eq!((pending.why_everything(), pending.len()), (Some(Everything::Many), 1));
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
