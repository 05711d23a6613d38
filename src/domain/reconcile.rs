//! Reconciliation of one directory: what is listed against what is recorded, both sorted by name.
//!
//! Names are compared within one directory only. Whole paths in byte order would not walk in step with the tree
//! (`a-b` and `a.txt` sort before `a/x`).

/// Walks a sorted listing in step with recorded names, which arrive one at a time in the same order.
///
/// The records are not collected: a directory of a million files is compared while the index hands them out.
#[derive(Debug)]
pub struct Walk<'a, L, F> {
    listed: &'a [L],
    name: F,
    next: usize,
}

impl<'a, L, F: Fn(&'a L) -> &'a [u8]> Walk<'a, L, F> {
    /// Starts before the first name of `listed`, which is sorted and holds no name twice.
    pub fn new(listed: &'a [L], name: F) -> Self {
        Walk { listed, name, next: 0 }
    }

    /// Meets the next recorded name: returns the entries that stand before it (they are new), and the entry of that
    /// name. Without one the record is missing, if the listing was complete (invariant 2); the caller knows.
    pub fn meet(&mut self, recorded: &[u8]) -> (&'a [L], Option<&'a L>) {
        let start = self.next;
        while self.listed.get(self.next).is_some_and(|entry| (self.name)(entry) < recorded) {
            self.next += 1;
        }
        let new = &self.listed[start..self.next];
        let same = self.listed.get(self.next).filter(|entry| (self.name)(entry) == recorded);
        self.next += usize::from(same.is_some());
        (new, same)
    }

    /// Returns what stands behind the last recorded name: new entries all of them.
    pub fn rest(self) -> &'a [L] {
        &self.listed[self.next..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Names = BTreeSet<Vec<u8>>;

    fn walk(listed: &Names, recorded: &Names) -> [Names; 3] {
        let listed: Vec<Vec<u8>> = listed.iter().cloned().collect();
        let [mut new, mut both, mut missing] = [Names::new(), Names::new(), Names::new()];
        let mut walk = Walk::new(&listed, |name: &Vec<u8>| name.as_slice());
        for name in recorded {
            let (before, same) = walk.meet(name);
            new.extend(before.iter().cloned());
            match same {
                Some(same) => both.insert(same.clone()),
                None => missing.insert(name.clone()),
            };
        }
        new.extend(walk.rest().iter().cloned());
        [new, both, missing]
    }

    proptest! {
        #[test]
        fn every_name_is_reported_once_and_on_its_side(
            listed in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..4), 0..20),
            recorded in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..4), 0..20),
        ) {
            let [new, both, missing] = walk(&listed, &recorded);
            prop_assert_eq!(new, listed.difference(&recorded).cloned().collect::<Names>());
            prop_assert_eq!(both, listed.intersection(&recorded).cloned().collect::<Names>());
            prop_assert_eq!(missing, recorded.difference(&listed).cloned().collect::<Names>());
        }
    }
}
