//! One file in full: what is recorded of it, what decided that, and what has happened to it.
//!
//! ```text
//!   Path       /srv/photos/2026/IMG_20260914.raw
//!   State      ✓ same
//!   Size       38 MB (38,112,233 bytes)
//!   SHA-256    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//!   Rule       no rule leaves it out
//!   Written    run 4,179, full asked for by user, completed, 3 h ago
//!
//!   Changes
//!   11:24:02   edited, 12 kB, was 11 kB
//! ```

use ratatui::text::Line;

use super::super::super::paint::{self, piece};
use super::super::super::state::State;
use super::super::super::text::unsigned;
use super::super::super::theme::Tone;
use super::{hex, mark};
use crate::domain::amount::{ago, bytes, count, plural};
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::record::FileType;
use crate::domain::report::{FileEntry, StoredChange};
use crate::domain::repository::RepositoryId;
use crate::domain::run::Outcome;
use crate::domain::show::{show, show_message};
use crate::engine::why::Why;
use crate::index::Mark;

/// What was read of one file.
#[derive(Clone, Debug)]
pub struct FileRows {
    pub repository: RepositoryId,
    pub path: RelPath,
    pub mark: Option<Mark>,
    pub why: Why,
}

/// Facts, one under the other.
struct Facts<'a> {
    state: &'a State,
    room: usize,
    lines: Vec<Line<'static>>,
}

impl Facts<'_> {
    fn say(&mut self, label: &str, words: &str) {
        self.lines.extend(paint::long_fact(&self.state.theme, label, words, Tone::Plain, self.room));
    }

    /// A moment: exact, and how long ago.
    fn at(&mut self, label: &str, at: Option<Timestamp>) {
        let words = at.map_or_else(|| "never".to_owned(), |at| moment(self.state, at));
        self.say(label, &words);
    }
}

fn moment(state: &State, at: Timestamp) -> String {
    format!("{}, {}", state.zone.exact(at), ago(state.now.wall.since_ms(at)))
}

/// Returns the lines of a file.
pub fn lines(state: &State, rows: &FileRows, room: usize) -> Vec<Line<'static>> {
    let mut facts = Facts { state, room, lines: Vec::new() };
    let path = super::super::full_path(state, rows.repository, &rows.path).unwrap_or_default();
    facts.say("Path", &show(&path));
    if let Some((sign, word, tone)) = rows.mark.map(|found| mark(&state.theme, found)) {
        let words = piece(format!("{sign} {word}"), tone);
        facts.lines.push(paint::fact(&state.theme, "State", [words], room));
    }
    match &rows.why.record {
        Some(record) => record_facts(&mut facts, record),
        None => facts.say("Record", "none: it is not in the index"),
    }
    why_facts(&mut facts, &rows.why);
    let heading = |title: &str| [Line::default(), paint::line(&state.theme, [piece(format!("  {title}"), Tone::Dim)])];
    facts.lines.extend(heading("Changes, the newest first"));
    for change in &rows.why.changes {
        let at = state.zone.brief(change.at, state.now.wall);
        facts.say(&at, &change_words(change));
    }
    if rows.why.changes.is_empty() {
        facts.say("", "none since the first full sync");
    }
    facts.lines
}

fn record_facts(facts: &mut Facts<'_>, record: &FileEntry) {
    let stamp = &record.stamp;
    let size = unsigned(stamp.size_bytes);
    let kind = if record.file_type == FileType::Symlink { ", a symbolic link" } else { "" };
    let exact = if size < 1_000 { String::new() } else { format!(" ({} bytes)", count(size)) };
    facts.say("Size", &format!("{}{exact}{kind}", bytes(size)));
    facts.at("Modified", Some(Timestamp(stamp.mtime_ns.div_euclid(1_000_000))));
    facts.say("Inode", &stamp.inode.to_string());
    facts.say("SHA-256", &record.sha256.map_or("none".to_owned(), |sha256| hex(&sha256)));
    facts.at("Hashed", record.hashed_at);
    facts.at("Read last", record.verified_at);
    facts.at("First seen", Some(record.created_at));
    facts.at("Changed", Some(record.updated_at));
    let in_step = moment(facts.state, record.last_scanned);
    facts.say("In step", &format!("as of {in_step}, by run {}", count(unsigned(record.scan_generation))));
    if record.is_held {
        facts.say("Held", "its removal waits for a decision: see Problems");
    }
}

fn why_facts(facts: &mut Facts<'_>, why: &Why) {
    let rule = match &why.left_out_by {
        Ok(None) => "no rule leaves it out".to_owned(),
        Ok(Some(rule)) => format!("left out: {rule}"),
        Err(error) => error.clone(),
    };
    facts.say("Rule", &show_message(&rule));
    match &why.written_by {
        Some((number, Some(run))) => {
            let outcome = run.outcome.map_or("running", Outcome::as_str);
            let began = ago(facts.state.now.wall.since_ms(run.started_at));
            let (number, kind) = (count(unsigned(*number)), run.kind.as_str());
            facts.say("Written", &format!("run {number}, {kind} asked for by {}, {outcome}, {began}", run.trigger));
        }
        Some((number, None)) => {
            let number = count(unsigned(*number));
            facts.say("Written", &format!("run {number}, which the history keeps no more or has folded into another"));
        }
        None => {}
    }
    if let Some(problem) = &why.problem {
        let times = plural(unsigned(problem.count), "time", "times");
        facts.say("Problem", &show_message(&format!("{}: {}, seen {times}", problem.class, problem.message)));
    }
    if let Some(damage) = &why.damage {
        let found = moment(facts.state, damage.found_at);
        facts.say("Damaged", &format!("content found {found}: {}", hex(&damage.found_sha256)));
        for copy in &damage.good_copies {
            facts.say("Good copy", &format!("{} in {}", copy.path, show_message(&copy.repository)));
        }
    }
}

/// Returns `edited, 12 kB, was 11 kB (a note)`.
fn change_words(change: &StoredChange) -> String {
    let found = &change.change;
    let mut words = found.verdict.as_str().to_owned();
    let size = |size: Option<i64>| size.map(|size| bytes(unsigned(size)));
    match (size(found.old_size_bytes), size(found.new_size_bytes)) {
        (Some(old), Some(new)) if old != new => words += &format!(", {new}, was {old}"),
        (_, Some(size)) | (Some(size), None) => words += &format!(", {size}"),
        (None, None) => {}
    }
    if let Some(old_path) = &found.old_path {
        words += &format!(", from {old_path}");
    }
    if let Some(note) = &change.note {
        words += &format!(" ({})", show_message(note));
    }
    words
}
