//! Reconciliation of one directory: what is listed against what is recorded, both sorted by name.
//!
//! Names are compared within one directory only. Whole paths in byte order would not walk in step with the tree
//! (`a-b` and `a.txt` sort before `a/x`).

use std::cmp::Ordering;

/// One step of walking two sorted lists side by side.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<L, R> {
    /// Only on disk.
    New(L),
    /// On disk and in the index.
    Both(L, R),
    /// Only in the index. It is missing only if the listing was complete (invariant 2); the caller knows.
    Missing(R),
}

/// Returns which side has the smaller name next, `Equal` when both have the same; `None` when both are at their end.
pub fn order(listed: Option<&[u8]>, known: Option<&[u8]>) -> Option<Ordering> {
    match (listed, known) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(listed), Some(known)) => Some(listed.cmp(known)),
    }
}

/// Walks two lists that are sorted by name, with no name twice, and reports every step in order.
pub fn reconcile<L, R>(
    listed: impl IntoIterator<Item = L>,
    known: impl IntoIterator<Item = R>,
    name_of_listed: impl Fn(&L) -> &[u8],
    name_of_known: impl Fn(&R) -> &[u8],
    mut report: impl FnMut(Step<L, R>),
) {
    let mut listed = listed.into_iter().peekable();
    let mut known = known.into_iter().peekable();
    while let Some(order) = order(listed.peek().map(&name_of_listed), known.peek().map(&name_of_known)) {
        let step = match order {
            Ordering::Less => listed.next().map(Step::New),
            Ordering::Greater => known.next().map(Step::Missing),
            Ordering::Equal => listed.next().zip(known.next()).map(|(l, k)| Step::Both(l, k)),
        };
        report(step.expect("order saw both heads"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn steps(listed: &BTreeSet<Vec<u8>>, known: &BTreeSet<Vec<u8>>) -> [BTreeSet<Vec<u8>>; 3] {
        let mut found = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        reconcile(
            listed,
            known,
            |l| l,
            |k| k,
            |step| {
                let (kind, name) = match step {
                    Step::New(l) => (0, l),
                    Step::Both(l, _) => (1, l),
                    Step::Missing(k) => (2, k),
                };
                assert!(found[kind].insert(name.clone()));
            },
        );
        found
    }

    proptest! {
        #[test]
        fn every_name_is_reported_once_and_on_its_side(
            listed in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..4), 0..20),
            known in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..4), 0..20),
        ) {
            let [new, both, missing] = steps(&listed, &known);
            prop_assert_eq!(new, listed.difference(&known).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(both, listed.intersection(&known).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(missing, known.difference(&listed).cloned().collect::<BTreeSet<_>>());
        }
    }
}
