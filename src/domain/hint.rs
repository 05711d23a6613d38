//! Hints: places in one repository where a watcher has seen something happen. They say where to look, never what is there.
//!
//! Bounded: many names in one directory become the directory, many directories become everything.

use std::collections::BTreeMap;

/// More names than this in one directory, and the whole directory is listed (Syncthing's figure).
pub const MAX_NAMES: usize = 128;
/// More places than this, and everything is looked at (Syncthing's figure).
pub const MAX_PLACES: usize = 512;

/// What is to be looked at in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// These names. The value tells whether the file was complete when its last event came: closed after writing, or
    /// put there by a rename.
    Names(BTreeMap<Vec<u8>, bool>),
    /// All that is in it, and below only what is new.
    Listing,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub look: Look,
    /// The directory at the other end of a rename: both are looked at together, so that a move is seen as one.
    pub with: Option<Vec<u8>>,
}

/// Why nothing less than everything is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Everything {
    /// More places than are worth telling apart.
    Many,
    /// The kernel's queue overflowed, or watches were lost: news were dropped.
    Overflow,
}

/// Places by directory (relative to the repository, as bytes), or everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    places: BTreeMap<Vec<u8>, Place>,
    everything: Option<Everything>,
}

impl Look {
    /// Adds what another look at the same directory asks for; the other is the later one.
    pub fn merge(&mut self, later: Look) {
        match (&mut *self, later) {
            (Look::Listing, _) => {}
            (look, Look::Listing) => *look = Look::Listing,
            (Look::Names(names), Look::Names(more)) => {
                names.extend(more);
                if names.len() > MAX_NAMES {
                    *self = Look::Listing;
                }
            }
        }
    }
}

impl Hints {
    /// Something happened to `name` in `directory`; `is_complete` as in [`Look::Names`].
    pub fn name(&mut self, directory: &[u8], name: &[u8], is_complete: bool) {
        self.place(directory, Look::Names(BTreeMap::from([(name.to_vec(), is_complete)])));
    }

    /// Something happened in `directory`, nobody knows to which name.
    pub fn listing(&mut self, directory: &[u8]) {
        self.place(directory, Look::Listing);
    }

    /// Everything is to be looked at.
    pub fn everything(&mut self, why: Everything) {
        self.everything = self.everything.max(Some(why));
        self.places.clear();
    }

    /// A name went from one directory to another: both are to be looked at together.
    pub fn link(&mut self, from: &[u8], to: &[u8]) {
        for (one, other) in [(from, to), (to, from)] {
            if let Some(place) = self.places.get_mut(one) {
                place.with = Some(other.to_vec());
            }
        }
    }

    fn place(&mut self, directory: &[u8], look: Look) {
        if self.everything.is_some() {
            return;
        }
        match self.places.get_mut(directory) {
            Some(place) => place.look.merge(look),
            None => drop(self.places.insert(directory.to_vec(), Place { look, with: None })),
        }
        if self.places.len() > MAX_PLACES {
            self.everything(Everything::Many);
        }
    }

    /// Adds later hints.
    pub fn merge(&mut self, later: Hints) {
        if let Some(why) = later.everything {
            return self.everything(why);
        }
        for (directory, place) in later.places {
            self.place(&directory, place.look);
            if let (Some(with), Some(known)) = (place.with, self.places.get_mut(&directory)) {
                known.with = Some(with);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.everything.is_none() && self.places.is_empty()
    }

    /// Returns why everything is to be looked at; `None` when the places say it all.
    pub fn why_everything(&self) -> Option<Everything> {
        self.everything
    }

    /// Returns the places, by directory.
    pub fn into_places(self) -> BTreeMap<Vec<u8>, Place> {
        self.places
    }

    /// Returns how many places there are; everything counts as one.
    pub fn len(&self) -> usize {
        self.places.len().max(usize::from(self.everything.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_become_their_directory_and_many_directories_everything() {
        let mut hints = Hints::default();
        for number in 0..=MAX_NAMES {
            hints.name(b"a", number.to_string().as_bytes(), true);
        }
        assert_eq!(hints.clone().into_places()[&b"a"[..]].look, Look::Listing);
        for number in 0..MAX_PLACES {
            hints.listing(number.to_string().as_bytes());
        }
        assert_eq!((hints.why_everything(), hints.len()), (Some(Everything::Many), 1));
        hints.name(b"b", b"c", true);
        assert!(hints.clone().into_places().is_empty(), "everything holds every place");
        hints.everything(Everything::Overflow);
        assert_eq!(hints.why_everything(), Some(Everything::Overflow));
    }

    #[test]
    fn the_last_event_of_a_name_tells_whether_it_is_complete() {
        let mut hints = Hints::default();
        hints.name(b"", b"f", true);
        let mut later = Hints::default();
        later.name(b"", b"f", false);
        later.name(b"d", b"g", true);
        later.link(b"", b"d");
        hints.merge(later);
        let places = hints.into_places();
        assert_eq!(places[&b""[..]].look, Look::Names(BTreeMap::from([(b"f".to_vec(), false)])));
        assert_eq!(places[&b""[..]].with, Some(b"d".to_vec()));
    }
}
