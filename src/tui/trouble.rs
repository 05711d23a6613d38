//! What needs a person in one repository, as one list: damaged files, held removals, open problems.

use super::event::RepositoryRows;
use super::theme::{Signs, Tone};
use crate::domain::amount;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::problem::Class;
use crate::domain::report::{Damage, Held, StoredProblem};

/// One line of the list.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    Damaged(&'a Damage),
    Held(&'a Held),
    Problem(&'a StoredProblem),
}

/// What a trouble is known by when the list is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Damaged(RelPath),
    Held(RelPath),
    Problem(i64),
}

/// Returns all of them, the worst first.
pub fn all(rows: &RepositoryRows) -> Vec<Trouble<'_>> {
    let damage = rows.damage.iter().map(Trouble::Damaged);
    let held = rows.held.iter().map(Trouble::Held);
    damage.chain(held).chain(rows.problems.iter().map(Trouble::Problem)).collect()
}

impl Trouble<'_> {
    pub fn key(&self) -> Key {
        match self {
            Trouble::Damaged(damage) => Key::Damaged(damage.path.clone()),
            Trouble::Held(held) => Key::Held(held.path.clone()),
            Trouble::Problem(problem) => Key::Problem(problem.problem_id),
        }
    }

    /// Returns its sign, what it is, and the tone of both.
    pub fn what(&self, signs: &Signs) -> (&'static str, String, Tone) {
        match self {
            Trouble::Damaged(_) => (signs.damaged, "damaged".to_owned(), Tone::Bad),
            Trouble::Held(held) if held.dismissed_at.is_some() => ("-", "held, kept".to_owned(), Tone::Dim),
            Trouble::Held(_) => ("#", "held".to_owned(), Tone::Warn),
            Trouble::Problem(problem) => {
                let words = problem.class.replace('_', " ");
                match problem.acknowledged_at {
                    Some(_) => ("-", words, Tone::Dim),
                    None => ("!", words, Tone::Warn),
                }
            }
        }
    }

    /// Returns the path, not yet made safe to print.
    pub fn path(&self) -> &RelPath {
        match self {
            Trouble::Damaged(damage) => &damage.path,
            Trouble::Held(held) => &held.path,
            Trouble::Problem(problem) => &problem.path,
        }
    }

    pub fn since(&self) -> Timestamp {
        match self {
            Trouble::Damaged(damage) => damage.found_at,
            Trouble::Held(held) => held.since,
            Trouble::Problem(problem) => problem.first_seen,
        }
    }

    /// Returns how many files or times it stands for.
    pub fn count(&self) -> u64 {
        let count = match self {
            Trouble::Damaged(_) => 1,
            Trouble::Held(held) => held.files.max(1),
            Trouble::Problem(problem) => problem.count,
        };
        u64::try_from(count).unwrap_or(0)
    }

    /// Returns what happened, as a sentence, not yet made safe to print.
    pub fn message(&self) -> String {
        match self {
            Trouble::Damaged(_) => "its content changed while its size and times did not".to_owned(),
            Trouble::Held(held) => {
                let files = amount::plural(self.count(), "file", "files");
                let bytes = amount::bytes(u64::try_from(held.bytes).unwrap_or(0));
                let why = held.reason.map_or("they are gone", |reason| reason.sentence());
                format!("{files}, {bytes}, would leave the index: {why}")
            }
            Trouble::Problem(problem) => problem.message.clone(),
        }
    }

    /// Returns what a person can do about it; `name` is the repository's.
    pub fn hint(&self, name: &str) -> String {
        match self {
            Trouble::Damaged(damage) => match damage.good_copies.first() {
                Some(copy) => format!("a good copy: {} in {}", copy.path, copy.repository),
                None => format!("restore it from a backup, or take it as it is: watchkeeper damage {name} --accept"),
            },
            Trouble::Held(held) if held.dismissed_at.is_some() => {
                "kept, as you said; asked again when it changes".to_owned()
            }
            Trouble::Held(_) => {
                format!("watchkeeper held {name} --accept removes them from the index, --dismiss keeps them")
            }
            Trouble::Problem(problem) => class_hint(&problem.class).to_owned(),
        }
    }
}

/// Returns what can be done about a class of errors; empty for one that this program does not know.
pub fn class_hint(class: &str) -> &'static str {
    Class::parse(class).map_or("", Class::hint)
}
