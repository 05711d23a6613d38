//! What is known of several hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::text::Zone;
use crate::domain::moment::Timestamp;
use crate::domain::repository::State as Word;

/// What comes from a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A line of `status --follow --json`.
    Line(String),
    /// Nobody is heard any more; why, as `ssh` or the program there has said it.
    Lost(String),
    /// What became of something that was asked for.
    Said(String),
}

/// All hosts, and where the person is among them.
#[derive(Clone, Debug)]
pub struct Hosts {
    pub hosts: Vec<Host>,
    pub selected: Row,
    /// Rows above the first that is shown.
    pub scroll: usize,
    /// Of the terminal.
    pub height: u16,
    pub now: Timestamp,
    pub zone: Zone,
    pub message: Option<String>,
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// As it was given: `USER@HOST`.
    pub name: String,
    pub line: Line,
    pub repositories: BTreeMap<String, Known>,
}

/// Whether it is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Not yet.
    Connecting,
    Heard,
    Lost(String),
}

/// What a repository's status says; what is not there is not known.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Known {
    pub repository: String,
    pub state: String,
    pub true_as_of: Option<String>,
    pub total_files: i64,
    pub open_problems: i64,
    pub damaged: i64,
    pub held: i64,
}

/// A row: a host, or one of its repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub host: usize,
    pub repository: Option<String>,
}

impl Hosts {
    /// Hosts of which nothing is known yet.
    pub fn new(names: Vec<String>, height: u16) -> Hosts {
        let host = |name| Host { name, line: Line::Connecting, repositories: BTreeMap::new() };
        Hosts {
            hosts: names.into_iter().map(host).collect(),
            selected: Row::default(),
            scroll: 0,
            height,
            now: Timestamp::default(),
            zone: Zone::Local,
            message: None,
        }
    }

    /// All rows, those of a host under it.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (host, known) in self.hosts.iter().enumerate() {
            rows.push(Row { host, repository: None });
            rows.extend(known.sorted().into_iter().map(|name| Row { host, repository: Some(name.repository.clone()) }));
        }
        rows
    }
}

impl Host {
    /// Its repositories, those that need a person first.
    pub fn sorted(&self) -> Vec<&Known> {
        let mut all: Vec<&Known> = self.repositories.values().collect();
        all.sort_by_key(|known| (!known.is_needy(), &known.repository));
        all
    }
}

impl Known {
    /// Reads a line; `None` when it is none of ours.
    pub fn read(line: &str) -> Option<Known> {
        serde_json::from_str(line).ok().filter(|known: &Known| !known.repository.is_empty())
    }

    /// The state in a word that this version knows.
    pub fn word(&self) -> Option<Word> {
        Word::parse(&self.state)
    }

    /// Tells whether someone must do something.
    pub fn is_needy(&self) -> bool {
        let words = [Word::Missing, Word::Failed, Word::Held, Word::Damaged, Word::Partial];
        self.word().is_some_and(|word| words.contains(&word))
    }
}
