//! What the engine answers to a form, and what follows from it.

use super::{Blank, Fault, Form, Model, Offer, Purpose, Sort, Ticket};
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Answer, Command, Expected, SyncRequest};
use crate::tui::event::Effect;
use crate::tui::state::{Overlay, State};
use crate::tui::update::answered;

/// The blank in which a person says that a whole system is meant.
pub(super) const SURE: &str = "sure";

/// Takes the answer to what a form has asked. One that nobody waits for any more says only what must be said.
pub fn told(state: &mut State, ticket: Ticket, about: &str, answer: Answer) -> Vec<Effect> {
    let Some(Overlay::Form(form)) = &mut state.overlay else { return unawaited(state, about, answer) };
    if form.completion.awaits(ticket) {
        return form.completed(answer, &mut state.forms);
    }
    if let Purpose::Add { counting: Some(counting) } = &mut form.purpose
        && counting.awaits(ticket)
    {
        form.counted(answer);
        return Vec::new();
    }
    if form.sent != Some(ticket) {
        return unawaited(state, about, answer);
    }
    if let Answer::Refused(refusal) = answer {
        form.sent = None;
        form.fault = Some(Fault { at: None, words: refusal.message, hint: refusal.hint });
        return Vec::new();
    }
    let (done, expected) = (form.purpose.done(), form.purpose.expected());
    state.overlay = None;
    done.into_iter().for_each(|words| state.note(words));
    followed(state, about, answer, expected)
}

fn unawaited(state: &mut State, about: &str, answer: Answer) -> Vec<Effect> {
    // What was only looked up for a form has no name, and is of no use without it.
    if about.is_empty() { Vec::new() } else { followed(state, about, answer, None) }
}

/// An addition is followed by its first sync, also when the form was left meanwhile.
fn followed(state: &mut State, about: &str, answer: Answer, expected: Option<Expected>) -> Vec<Effect> {
    let Answer::Added { name, .. } = answer else {
        answered(state, about, answer);
        return Vec::new();
    };
    state.forms.arriving = Some(name.clone());
    let about = format!("sync {name}");
    let request = SyncRequest::new(vec![name], Kind::Full, Trigger::Startup);
    let command = Command::Sync(Box::new(SyncRequest { expected, ..request }));
    vec![Effect::Send { command, about }]
}

impl Form {
    fn completed(&mut self, answer: Answer, model: &mut Model) -> Vec<Effect> {
        // What cannot be listed offers nothing; submitting it says why.
        let found = match answer {
            Answer::Completions(found) => Some(found),
            _ => None,
        };
        if let Offer::Text(text) = self.completion.take_answer(found, &self.blanks[self.at]) {
            self.set_text(text);
            self.fault = None;
            self.follow(&model.here);
        }
        self.offer(model)
    }

    fn counted(&mut self, answer: Answer) {
        let Purpose::Add { counting: Some(counting) } = &mut self.purpose else { return };
        self.blanks.retain(|blank| blank.label != SURE);
        match answer {
            Answer::Estimated(told) => {
                if let Some(whole) = &told.whole {
                    self.blanks.push(Blank::new(SURE, Sort::YesNo, "no", format!("it is {whole}")));
                }
                self.blanks[1].note.clone_from(&told.name);
                counting.take_answer(Some(told));
            }
            answer => {
                counting.take_answer(None);
                if let Answer::Refused(refusal) = answer {
                    self.fault = Some(Fault { at: Some(0), words: refusal.message, hint: refusal.hint });
                }
            }
        }
        self.at = self.at.min(self.blanks.len() - 1);
    }
}
