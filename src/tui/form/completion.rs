//! What a blank may become: directories that the engine has found, or the keys of settings.

use super::{Blank, Model, Sort, Ticket, typable};
use crate::engine::protocol::{Command, Completions};
use crate::tui::event::Effect;

/// What is offered for the blank that has the cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The texts that the blank may get. While others are on their way those that still fit stay.
    pub texts: Vec<String>,
    /// There are more.
    pub is_cut: bool,
    /// The text that `texts` were found for.
    of: Option<String>,
    /// What is being asked, for which text.
    asked: Option<(Ticket, String)>,
    /// Tab was pressed before the answer was there.
    is_wanted: bool,
}

/// What Tab does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    Text(String),
    /// There is more than one way to go on, or the answer is on its way.
    Stays,
    /// There is nothing to add.
    None,
}

impl Completion {
    /// Finds what fits a blank, or asks for it. One question is on its way at a time.
    pub(super) fn offer(&mut self, blank: &Blank, model: &mut Model) -> Vec<Effect> {
        let text = blank.field.text();
        self.texts.retain(|offered| offered.starts_with(text));
        let below = match &blank.sort {
            Sort::Text | Sort::YesNo => return Vec::new(),
            Sort::Setting(known) => {
                (self.texts, self.of) = (keys(known, text), Some(text.to_owned()));
                return Vec::new();
            }
            Sort::Directory(below) => below,
        };
        if self.asked.is_some() || self.of.as_deref() == Some(text) {
            return Vec::new();
        }
        let path = match below {
            Some(root) => root.join(text),
            None => model.here.absolute(text),
        };
        let ticket = model.ticket();
        self.asked = Some((ticket, text.to_owned()));
        vec![Effect::Ask { ticket, command: Command::Complete { path }, about: String::new() }]
    }

    /// Lets Tab wait no longer: it was pressed for another text.
    pub(super) fn give_up(&mut self) {
        self.is_wanted = false;
    }

    /// Tells whether this is the question whose answer is awaited.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.asked.as_ref().is_some_and(|(asked, _)| *asked == ticket)
    }

    /// Takes an answer; `None` when there was none. Returns what Tab has waited for.
    pub(super) fn take_answer(&mut self, found: Option<Completions>, blank: &Blank) -> Offer {
        let Some((_, of)) = self.asked.take() else { return Offer::None };
        // Typed on since: what Tab waits for is still to be asked.
        if of != blank.field.text() {
            return Offer::None;
        }
        let found = found.unwrap_or_default();
        let typed = &of[..of.rfind('/').map_or(0, |at| at + 1)];
        let name = |path: &std::path::PathBuf| {
            path.file_name().and_then(|name| typable(name.as_ref()).map(|name| format!("{typed}{name}/")))
        };
        self.texts = found.directories.iter().filter_map(name).collect();
        // A name that nobody can type is there, too.
        self.is_cut = found.is_cut || self.texts.len() < found.directories.len();
        self.of = Some(of);
        if std::mem::take(&mut self.is_wanted) { self.take(blank) } else { Offer::None }
    }

    /// Returns what Tab does now.
    pub(super) fn take(&mut self, blank: &Blank) -> Offer {
        let text = blank.field.text();
        // A directory that was typed in full is meant, also when there is but one below it.
        if text.is_empty() || text.ends_with('/') {
            return Offer::None;
        }
        if self.asked.is_some() {
            self.is_wanted = true;
            return Offer::Stays;
        }
        if self.of.as_deref() != Some(text) {
            return Offer::None;
        }
        match common(&self.texts) {
            Some(longer) if longer != text && (self.texts.len() == 1 || longer.starts_with(text)) => {
                Offer::Text(longer.to_owned())
            }
            // It is for the person to say which.
            Some(_) if self.texts.len() > 1 => Offer::Stays,
            _ => Offer::None,
        }
    }
}

/// Returns the settings that a text may mean: by their key, with or without its section.
fn keys(known: &[(String, String)], text: &str) -> Vec<String> {
    let (key, has_value) = text.split_once('=').map_or((text, false), |(key, _)| (key, true));
    let fits = |known: &str| {
        let name = known.split_once('.').map_or(known, |(_, name)| name);
        if has_value { known == key || name == key } else { known.starts_with(key) || name.starts_with(key) }
    };
    known.iter().filter(|(known, _)| fits(known)).map(|(known, _)| format!("{known}=")).collect()
}

/// Returns the longest beginning that all have.
fn common(texts: &[String]) -> Option<&str> {
    let (first, rest) = texts.split_first()?;
    let same = |other: &String| first.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let length = |other: &String| same(other).map_or(first.len().min(other.len()), |((at, _), _)| at);
    let end = rest.iter().map(length).min().unwrap_or(first.len());
    first.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_have_is_clear() {
        let check = |texts: &[&str], expected: Option<&str>| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(common(&texts), expected);
        };
        check(&[], None);
        check(&["a/"], Some("a/"));
        check(&["music/", "museum/"], Some("mus"));
        check(&["東京/", "東北/"], Some("東"));
        check(&["a/", "ab/"], Some("a"));
    }

    #[test]
    fn a_setting_is_found_with_or_without_its_section() {
        let known = ["hidden", "sync.full_every", "sync.full_at"].map(|key| (key.to_owned(), String::new()));
        assert_eq!(keys(&known, "full_"), ["sync.full_every=", "sync.full_at="]);
        assert_eq!(keys(&known, "sync.full_e"), ["sync.full_every="]);
        assert_eq!(keys(&known, "full_at=03:00"), ["sync.full_at="]);
        assert_eq!(keys(&known, "").len(), 3);
    }
}
