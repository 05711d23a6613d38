//! What stands in front of the panes: questions, lists, lines that are typed, and what is said to the person.

use super::event::Effect;
use super::field::Field;
use super::form::Form;
use super::state::Place;
use crate::domain::moment::Timestamp;
use crate::domain::repository::RepositoryId;

/// What stands in front of everything else.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    Help {
        scroll: usize,
    },
    /// Asks whether the runs of this repository are to end.
    Cancel {
        name: String,
    },
    /// Asks what becomes of the runs.
    Quit,
    /// Asks before something that cannot be taken back, or that a person must have meant.
    Ask(Question),
    /// Asks for one of several answers, which must be typed.
    Choose(Choice),
    /// Narrows a table while it is typed; `before` returns when it is given up.
    Filter {
        place: Place,
        field: Field,
        before: String,
    },
    /// All actions by name; `at` is the selected one of those that match.
    Palette {
        field: Field,
        at: usize,
    },
    /// Asks for the name of a file for the table in view.
    Export(Field),
    /// Blanks to be filled in.
    Form(Box<Form>),
    /// What a sync would change; it stands in the state, as it outlives this.
    Plan {
        scroll: usize,
    },
    /// What was said in this session.
    Messages {
        scroll: usize,
    },
    /// What happened while the person was away.
    Away {
        scroll: usize,
    },
}

/// A question: Enter and Esc are no.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub title: String,
    pub words: Vec<String>,
    /// What yes does, in words.
    pub yes: String,
    /// What yes does.
    pub then: Vec<Effect>,
    /// Must be typed for a yes, and what was typed so far; without it `y` is enough.
    pub typed: Option<(String, Field)>,
}

/// A question whose answers are typed: Enter with anything else is none, and Esc leaves everything as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub title: String,
    pub words: Vec<String>,
    pub answers: Vec<Typed>,
    pub field: Field,
    /// The repository and what of it the question tells: it closes itself when that is no longer so.
    pub about: (RepositoryId, i64),
}

/// An answer that is typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    pub word: String,
    /// What it does, in words.
    pub what: String,
    /// What it does.
    pub then: Vec<Effect>,
}

/// A notice as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub at: Timestamp,
    pub text: String,
    pub hint: Option<String>,
}

/// A line for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub hint: Option<String>,
    pub lasts: Lasts,
}

/// How long a notice stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Until the first news after this moment.
    Until { monotonic_ms: u64 },
    /// Until the person says that it was seen.
    UntilSeen,
    /// Just as long, but nothing is wrong.
    UntilRead,
}
