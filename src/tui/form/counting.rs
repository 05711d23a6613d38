//! What adding a repository would mean: asked before it is added, and said in words.

use super::{Model, Ticket};
use crate::domain::amount::{bytes, count, plural, took};
use crate::engine::protocol::{AddRepository, Command, Estimated, Expected};
use crate::tui::event::Effect;
use crate::tui::theme::Tone;

/// One question and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Counting {
    /// Without its name, on which nothing depends.
    of: AddRepository,
    /// Until it is answered.
    ticket: Option<Ticket>,
    /// `None` also when it was refused.
    pub told: Option<Box<Estimated>>,
}

impl Counting {
    /// Asks, unless the same is being asked or was answered.
    pub(super) fn begin(counting: &mut Option<Box<Counting>>, add: AddRepository, model: &mut Model) -> Vec<Effect> {
        let is_known = |known: &Counting| known.is_of(Some(&add)) && (known.ticket.is_some() || known.told.is_some());
        if counting.as_deref().is_some_and(is_known) {
            return Vec::new();
        }
        let of = AddRepository { name: None, ..add };
        let ticket = model.ticket();
        let command = Command::Estimate(Box::new(of.clone()));
        *counting = Some(Box::new(Counting { of, ticket: Some(ticket), told: None }));
        vec![Effect::Ask { ticket, command, about: String::new() }]
    }

    /// Tells whether it is about this addition.
    pub(super) fn is_of(&self, add: Option<&AddRepository>) -> bool {
        add.is_some_and(|add| self.of == AddRepository { name: None, ..add.clone() })
    }

    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    pub(super) fn take_answer(&mut self, told: Option<Box<Estimated>>) {
        (self.ticket, self.told) = (None, told);
    }

    /// Returns what the first sync will find, if all was counted.
    pub(super) fn expected(&self) -> Option<Expected> {
        let estimate = self.told.as_ref()?.estimate;
        (!estimate.is_cut).then_some(Expected { files: estimate.files, bytes: estimate.bytes })
    }

    /// Says what is known.
    pub fn words(&self) -> Vec<(String, Tone)> {
        let Some(told) = &self.told else {
            let words = if self.ticket.is_some() { "counting what is there" } else { "" };
            return vec![(words.to_owned(), Tone::Dim)];
        };
        let estimate = &told.estimate;
        let more = if estimate.is_cut { "more than " } else { "" };
        let files = plural(estimate.files, "file", "files");
        let time = if estimate.is_cut { String::new() } else { format!(", about {}", took(estimate.first_sync_ms)) };
        let (begins, tone) = match &told.whole {
            Some(whole) => (whole.as_str(), Tone::Warn),
            None => ("enter adds it", Tone::Strong),
        };
        let mut words = vec![(format!("{begins}: {more}{files}, {}{time}", bytes(estimate.bytes)), tone)];
        let watches = plural(estimate.watches_needed, "watch", "watches");
        words.push(match estimate.watches_free {
            Some(free) if free < estimate.watches_needed => {
                (format!("! {watches} needed, {} free: the rest is listed from time to time", count(free)), Tone::Warn)
            }
            Some(free) => (format!("{watches} needed, {} free", count(free)), Tone::Dim),
            None => (format!("{watches} needed"), Tone::Dim),
        });
        if estimate.unreadable > 0 {
            let directories = plural(estimate.unreadable, "directory", "directories");
            words.push((format!("! {directories} cannot be listed by this user"), Tone::Warn));
        }
        words
    }
}
