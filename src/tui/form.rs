//! Forms: blanks to be filled in with text, and what becomes of that. Pure.
//!
//! A form says what it is for by its [`Purpose`], which turns its texts into a command. It stays until the engine has
//! answered: a refusal stands in it, and Esc leaves everything as it was. What is asked on the way (completions, an
//! estimate) goes by tickets: an answer to anything but the last question is dropped.

mod answers;
mod completion;
mod counting;
mod opening;
mod purpose;

use std::path::{Path, PathBuf};

pub use answers::told;
pub use completion::{Completion, Offer};
pub use counting::Counting;
pub use opening::{Which, open};
pub use purpose::Purpose;

use super::event::Effect;
use super::field::Field;
use super::state::{Overlay, State};
use crate::engine::protocol::{Command, Plan, SchedulerStatus};

/// What forms and plans have beside what they show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub here: Here,
    /// As the engine has told it last.
    pub scheduler: SchedulerStatus,
    /// The last one that was made, with its place in the list of its changes.
    pub plan: Option<Box<Plan>>,
    /// A repository that was added here: it is selected when the list has it.
    pub arriving: Option<String>,
    last_ticket: u64,
}

/// Where the person is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// What `~` stands for.
    pub home: Option<PathBuf>,
    /// What a path that does not begin with a slash is relative to.
    pub directory: PathBuf,
    /// This machine, as the header names it.
    pub host: String,
}

/// Names a question to the engine, so that its answer finds who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Blanks to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub purpose: Purpose,
    pub blanks: Vec<Blank>,
    /// Which blank has the cursor.
    pub at: usize,
    pub completion: Completion,
    pub fault: Option<Fault>,
    /// What was submitted, until its answer comes.
    sent: Option<Ticket>,
}

/// One line to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Blank {
    pub label: &'static str,
    pub field: Field,
    pub sort: Sort,
    /// What is meant while it is empty.
    pub note: String,
}

/// What is to be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    Text,
    /// `yes` or `no`; one key is enough.
    YesNo,
    /// Below this directory, or anywhere.
    Directory(Option<PathBuf>),
    /// `key=value`: the keys and what is set now.
    Setting(Vec<(String, String)>),
}

/// Why a form cannot be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The blank that it is about.
    pub at: Option<usize>,
    pub words: String,
    pub hint: Option<String>,
}

impl Model {
    /// Returns the ticket of the last question.
    #[cfg(test)]
    pub fn last_ticket(&self) -> Ticket {
        Ticket(self.last_ticket)
    }

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

impl Here {
    /// Returns the path that was typed, absolute.
    pub fn absolute(&self, typed: &str) -> PathBuf {
        match (typed.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                let mut path = home.clone().into_os_string();
                path.push(rest);
                path.into()
            }
            _ => self.directory.join(typed),
        }
    }
}

impl Blank {
    fn new(label: &'static str, sort: Sort, text: impl Into<String>, note: impl Into<String>) -> Blank {
        Blank { label, field: Field::with(text), sort, note: note.into() }
    }

    /// Returns the text without blanks around it; of a directory's name they may be a part.
    pub fn text(&self) -> &str {
        let text = self.field.text();
        match self.sort {
            Sort::Directory(_) if !text.trim().is_empty() => text,
            _ => text.trim(),
        }
    }

    /// Makes yes or no of whatever was typed.
    fn settle(&mut self) {
        if self.sort != Sort::YesNo {
            return;
        }
        let text = self.field.text();
        let was_yes = text.starts_with("ye");
        let is_yes = match text.chars().last() {
            Some('y') => true,
            Some('n') => false,
            Some(' ') => !was_yes,
            _ => was_yes,
        };
        self.field = Field::with(if is_yes { "yes" } else { "no" });
    }
}

impl Fault {
    fn at(at: usize, words: impl Into<String>) -> Fault {
        Fault { at: Some(at), words: words.into(), hint: None }
    }
}

impl Form {
    fn new(purpose: Purpose, blanks: Vec<Blank>) -> Form {
        Form { purpose, blanks, at: 0, completion: Completion::default(), fault: None, sent: None }
    }

    /// Returns the text that is being typed.
    pub fn field(&mut self) -> Option<&mut Field> {
        // What is on its way is not changed any more.
        if self.sent.is_some() { None } else { self.blanks.get_mut(self.at).map(|blank| &mut blank.field) }
    }

    /// Tells whether it was submitted and waits for the answer.
    pub fn is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// Returns the command that the texts come to.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn command(&self, here: &Here) -> Result<Command, Fault> {
        self.purpose.command(&self.blanks, here)
    }

    fn set_text(&mut self, text: String) {
        self.blanks[self.at].field = Field::with(text);
    }

    /// Puts the cursor into another blank.
    fn move_to(&mut self, at: usize, model: &mut Model) -> Vec<Effect> {
        self.at = at;
        self.completion = Completion::default();
        let mut effects = self.offer(model);
        effects.extend(self.count(model));
        effects
    }

    /// Asks what the blank may become.
    fn offer(&mut self, model: &mut Model) -> Vec<Effect> {
        let blank = &self.blanks[self.at];
        self.completion.offer(blank, model)
    }

    /// Lets what depends on the texts of an addition follow them: the name, and what was counted.
    fn follow(&mut self, here: &Here) {
        let Purpose::Add { counting } = &mut self.purpose else { return };
        let now = Purpose::add(&self.blanks, here).ok();
        if counting.as_ref().is_some_and(|counting| !counting.is_of(now.as_ref())) {
            *counting = None;
            self.blanks.retain(|blank| blank.label != answers::SURE);
        }
        if counting.is_none() {
            self.blanks[1].note = purpose::suggested(self.blanks[0].text(), here);
        }
    }

    /// Asks what adding the repository would mean, unless that was asked of the same.
    fn count(&mut self, model: &mut Model) -> Vec<Effect> {
        let Purpose::Add { counting } = &mut self.purpose else { return Vec::new() };
        let Ok(add) = Purpose::add(&self.blanks, &model.here) else { return Vec::new() };
        Counting::begin(counting, add, model)
    }
}

/// The text of a form has changed.
pub fn typed(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Form(form)) = &mut state.overlay else { return Vec::new() };
    form.fault = None;
    form.blanks[form.at].settle();
    form.completion.give_up();
    form.follow(&state.forms.here);
    form.offer(&mut state.forms)
}

/// Moves the cursor to another blank; there is none beyond the ends.
pub fn step(state: &mut State, by: isize) -> Vec<Effect> {
    let Some(Overlay::Form(form)) = &mut state.overlay else { return Vec::new() };
    let at = form.at.saturating_add_signed(by).min(form.blanks.len().saturating_sub(1));
    if at == form.at || form.is_sent() {
        return Vec::new();
    }
    form.move_to(at, &mut state.forms)
}

/// Completes what is typed as far as that is clear; otherwise the next blank has the cursor.
pub fn complete_or_next(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Form(form)) = &mut state.overlay else { return Vec::new() };
    if form.is_sent() {
        return Vec::new();
    }
    match form.completion.take(&form.blanks[form.at]) {
        Offer::Text(text) => {
            form.set_text(text);
            typed(state)
        }
        Offer::Stays => Vec::new(),
        Offer::None => {
            let next = (form.at + 1) % form.blanks.len().max(1);
            if next == form.at { Vec::new() } else { form.move_to(next, &mut state.forms) }
        }
    }
}

/// Submits the form, or says what is wrong with it.
pub fn enter(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Form(form)) = &mut state.overlay else { return Vec::new() };
    if form.is_sent() {
        return Vec::new();
    }
    let model = &mut state.forms;
    let command = match form.command(&model.here) {
        Ok(command) => command,
        Err(fault) => {
            let effects = match fault.at {
                Some(at) if at != form.at => form.move_to(at, model),
                _ => Vec::new(),
            };
            form.fault = Some(fault);
            return effects;
        }
    };
    let counted = form.count(model);
    if !counted.is_empty() || !form.purpose.is_ready() {
        return counted;
    }
    let ticket = model.ticket();
    (form.sent, form.fault) = (Some(ticket), None);
    vec![Effect::Ask { ticket, command, about: form.purpose.about() }]
}

/// Returns a path that a file system gave, if it can be typed.
fn typable(path: &Path) -> Option<&str> {
    path.to_str()
}

#[cfg(test)]
mod tests;
