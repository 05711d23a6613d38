//! What needs a person in one repository, as rows of one table: causes, and the paths that one consists of.

use super::theme::{Signs, Tone};
use crate::domain::amount;
use crate::domain::guard::Reason;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::problem::Class;
use crate::domain::report::{Damage, Held, StoredProblem};
use crate::index::{Cause, CauseKey, Sort};

/// One row.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    Cause(&'a Cause),
    Damaged(&'a Damage),
    Held(&'a Held),
    Problem(&'a StoredProblem),
}

/// What a row is known by when the rows are read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Cause(CauseKey),
    Path(RelPath),
}

impl Trouble<'_> {
    pub fn key(&self) -> Key {
        match self {
            Trouble::Cause(cause) => Key::Cause(cause.key.clone()),
            _ => Key::Path(self.path().clone()),
        }
    }

    pub fn sort(&self) -> Sort {
        match self {
            Trouble::Cause(cause) => cause.key.sort,
            Trouble::Damaged(_) => Sort::Damage,
            Trouble::Held(_) => Sort::Held,
            Trouble::Problem(_) => Sort::Problem,
        }
    }

    /// Returns its sign, what it is, and the tone of both.
    pub fn what(&self, signs: &Signs) -> (&'static str, String, Tone) {
        let (sign, words, tone) = match self.sort() {
            Sort::Damage => (signs.damaged, "damaged".to_owned(), Tone::Bad),
            Sort::Held => ("#", "held".to_owned(), Tone::Warn),
            Sort::Problem => ("!", self.class().replace('_', " "), Tone::Warn),
        };
        if self.is_settled() { ("-", words, Tone::Dim) } else { (sign, words, tone) }
    }

    /// Returns the class of a problem, the reason of a held removal, not yet made safe to print.
    fn class(&self) -> &str {
        match self {
            Trouble::Cause(cause) => &cause.key.class,
            Trouble::Damaged(_) => "",
            Trouble::Held(held) => held.reason.map_or("", Reason::as_str),
            Trouble::Problem(problem) => &problem.class,
        }
    }

    /// Tells whether a person has decided on all of it.
    pub fn is_settled(&self) -> bool {
        match self {
            Trouble::Cause(cause) => cause.new_paths == 0,
            Trouble::Damaged(_) => false,
            Trouble::Held(held) => held.dismissed_at.is_some(),
            Trouble::Problem(problem) => problem.acknowledged_at.is_some(),
        }
    }

    /// Returns what has been decided on it, in one or two words.
    pub fn decided(&self) -> String {
        let new = match self {
            Trouble::Cause(cause) if cause.new_paths < cause.paths => cause.new_paths,
            _ => 0,
        };
        match (self.sort(), self.is_settled()) {
            (Sort::Damage, _) => "open".to_owned(),
            (Sort::Held, true) => "kept".to_owned(),
            (Sort::Held, false) => "choose".to_owned(),
            (Sort::Problem, true) => "known".to_owned(),
            (Sort::Problem, false) if new > 0 => format!("{} new", super::text::short_count(new.unsigned_abs())),
            (Sort::Problem, false) => "new".to_owned(),
        }
    }

    /// Returns the path, or the directory of all of its paths, not yet made safe to print.
    pub fn path(&self) -> &RelPath {
        match self {
            Trouble::Cause(cause) => &cause.place,
            Trouble::Damaged(damage) => &damage.path,
            Trouble::Held(held) => &held.path,
            Trouble::Problem(problem) => &problem.path,
        }
    }

    pub fn since(&self) -> Timestamp {
        match self {
            Trouble::Cause(cause) => cause.first_seen,
            Trouble::Damaged(damage) => damage.found_at,
            Trouble::Held(held) => held.since,
            Trouble::Problem(problem) => problem.first_seen,
        }
    }

    pub fn last_seen(&self) -> Timestamp {
        match self {
            Trouble::Cause(cause) => cause.last_seen,
            Trouble::Problem(problem) => problem.last_seen,
            Trouble::Damaged(_) | Trouble::Held(_) => self.since(),
        }
    }

    /// Returns how many paths it stands for.
    pub fn paths(&self) -> u64 {
        match self {
            Trouble::Cause(cause) => cause.paths.unsigned_abs(),
            _ => 1,
        }
    }

    /// Returns how many paths it stands for, or files where these are known: a held directory is one path.
    pub fn count(&self) -> u64 {
        match self {
            Trouble::Cause(cause) => cause.files.max(cause.paths).unsigned_abs(),
            Trouble::Held(held) => held.files.max(1).unsigned_abs(),
            Trouble::Damaged(_) | Trouble::Problem(_) => 1,
        }
    }

    /// Returns what happened, as a sentence, not yet made safe to print.
    pub fn message(&self) -> String {
        let bytes = match self {
            Trouble::Cause(cause) => cause.bytes,
            Trouble::Held(held) => held.bytes,
            Trouble::Damaged(_) | Trouble::Problem(_) => 0,
        };
        match (self.sort(), self) {
            (Sort::Damage, _) => "content changed while size and times did not".to_owned(),
            (Sort::Held, _) => {
                let files = amount::plural(self.count(), "file", "files");
                let why = Reason::parse(self.class()).map_or("they are gone", Reason::sentence);
                format!("{files}, {}, would leave the index: {why}", amount::bytes(bytes.unsigned_abs()))
            }
            (_, Trouble::Cause(cause)) if cause.paths > 1 => format!("for example: {}", cause.message),
            (_, Trouble::Cause(cause)) => cause.message.clone(),
            (_, Trouble::Problem(problem)) => problem.message.clone(),
            (Sort::Problem, Trouble::Damaged(_) | Trouble::Held(_)) => String::new(),
        }
    }

    /// Returns what a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self.sort() {
            Sort::Damage => "put a good copy back and sync; or take the content as it is now",
            Sort::Held if self.is_settled() => "kept, as you said; asked again when more goes",
            Sort::Held => "bring them back and look again; or choose: remove them from the index, or keep the records",
            Sort::Problem => class_hint(self.class()),
        }
    }
}

/// Returns what can be done about a class of errors; empty for one that this program does not know.
pub fn class_hint(class: &str) -> &'static str {
    Class::parse(class).map_or("", Class::hint)
}
