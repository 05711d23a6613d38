//! What the screen remembers between two openings: when it was last looked at, and the view. One small file beside the
//! index; when two screens run, the last one to close wins. A missing or broken file is a first time, and no error.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::pane;
use super::state::{Focus, Place, State, Tab, View};
use crate::domain::moment::Timestamp;
use crate::domain::repository::RepositoryId;

/// A screen that is killed forgets at most so much.
const EVERY_MS: u64 = 60_000;
/// No memory is larger; something else may stand there.
const MOST_BYTES: u64 = 64 * 1024;

/// The file's content. What is not understood is left out, so that an older or newer program can read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// When the last key was pressed.
    seen_ms: Option<i64>,
    repository_id: Option<i64>,
    /// By the titles of the tabs.
    tab: String,
    is_in_body: bool,
    is_zoomed: bool,
    is_timeline_narrow: bool,
    /// By `list` or the title of a tab.
    tables: BTreeMap<String, Table>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Table {
    filter: String,
    /// In words, as the screen shows it.
    order: String,
}

/// Returns where the memory of the screen of this index is.
pub fn path(index: &Path) -> PathBuf {
    index.with_file_name("screen.json")
}

impl Memory {
    /// Reads it; a first time where there is none that can be read.
    pub fn read(path: &Path) -> Memory {
        let mut text = String::new();
        let file = std::fs::File::open(path).ok();
        let read = file.and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text).ok());
        read.and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Writes it, for this user alone, so that any reader finds the old one or the new one.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        // Two screens at once must not write into one file.
        let made = path.with_extension(format!("json.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&made)?;
        let text = serde_json::to_vec_pretty(self).expect("numbers, words and maps of words are JSON");
        file.write_all(&text)?;
        drop(file);
        std::fs::rename(&made, path)
    }

    /// Returns what is worth remembering of a screen.
    pub fn of(state: &State) -> Memory {
        let table = |(place, view): (&Place, &View)| {
            let order = pane::orders(*place).get(view.order).filter(|_| view.order > 0);
            let table = Table { filter: view.filter.clone(), order: order.copied().unwrap_or_default().to_owned() };
            (table != Table::default()).then(|| (title(*place).to_owned(), table))
        };
        Memory {
            seen_ms: Some(state.away.seen_at.0),
            repository_id: state.selected.map(|id| id.0),
            tab: state.tab.title().to_owned(),
            is_in_body: state.focus == Focus::Body,
            is_zoomed: state.zoom,
            is_timeline_narrow: state.changes.is_narrow,
            tables: state.views.iter().filter_map(table).collect(),
        }
    }

    /// Brings the view back.
    pub fn restore(&self, state: &mut State) {
        state.changes.since = self.seen_ms.map(Timestamp);
        state.changes.is_narrow = self.is_timeline_narrow;
        // One that is gone gives way to the first when the repositories were read.
        state.selected = self.repository_id.map(RepositoryId);
        state.tab = Tab::ALL.into_iter().find(|tab| tab.title() == self.tab).unwrap_or_default();
        state.focus = if self.is_in_body { Focus::Body } else { Focus::List };
        state.zoom = self.is_zoomed;
        let places = std::iter::once(Place::List).chain(Tab::ALL.map(Place::Tab));
        for place in places.filter(|place| pane::has_rows(*place)) {
            let Some(Table { filter, order }) = self.tables.get(title(place)) else { continue };
            let order = pane::orders(place).iter().position(|known| known == order).unwrap_or(0);
            state.views.insert(place, View { filter: filter.clone(), order });
        }
    }
}

/// Writes the memory at the end, and now and then while keys come; an idle screen does not wake up for it.
#[derive(Debug)]
pub struct Remembering {
    path: PathBuf,
    /// On the monotonic clock.
    written_ms: u64,
    /// What is being written.
    writing: Option<JoinHandle<()>>,
}

impl Remembering {
    /// Writes to this file from now on.
    pub fn at(path: PathBuf) -> Remembering {
        Remembering { path, written_ms: 0, writing: None }
    }

    /// Writes beside the loop, if that is due.
    pub fn write_now_and_then(&mut self, state: &State) {
        let now_ms = state.now.monotonic_ms;
        let is_writing = self.writing.as_ref().is_some_and(|writing| !writing.is_finished());
        if is_writing || now_ms < self.written_ms + EVERY_MS {
            return;
        }
        self.written_ms = now_ms;
        let (memory, path) = (Memory::of(state), self.path.clone());
        // A view that is lost does no harm, and a disk that is full is told of by the engine.
        self.writing = Some(spawn_blocking(move || drop(memory.write(&path))));
    }

    /// Writes the last view, after whatever is still being written.
    pub async fn end(&mut self, state: &State) {
        if let Some(writing) = self.writing.take() {
            // Only a panic ends it early; the hook has told of it.
            drop(writing.await);
        }
        // As above: nothing that must not be lost.
        drop(Memory::of(state).write(&self.path));
    }
}

fn title(place: Place) -> &'static str {
    match place {
        Place::List => "list",
        Place::Tab(tab) => tab.title(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    #[test]
    fn the_view_comes_back_as_it_was_left() {
        let temp = tempfile::tempdir().unwrap();
        let path = path(&temp.path().join("index.db"));
        let mut state = afternoon(120, 40);
        select(&mut state, "home");
        super::super::act::narrow(&mut state, Place::Tab(Tab::History), "fail".to_owned());
        press(&mut state, "o 3 o z 6 A");
        Memory::of(&state).write(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let mut later = blank(120, 40);
        Memory::read(&path).restore(&mut later);
        let view = |state: &State| (state.selected, state.tab, state.focus, state.zoom, state.views.clone());
        assert_eq!(view(&later), view(&state));
        assert_eq!((later.changes.since, later.changes.is_narrow), (Some(NOW), true));
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1, "nothing but the file is left");
    }

    #[test]
    fn a_missing_broken_or_foreign_file_is_a_first_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("screen.json");
        for content in
            [None, Some(&b"{\"seen_ms\": "[..]), Some(b"\xff\x00"), Some(b"[]"), Some(b"{\"seen_ms\": \"x\"}")]
        {
            content.iter().for_each(|content| std::fs::write(&path, content).unwrap());
            assert_eq!(Memory::read(&path), Memory::default(), "{content:?}");
        }
        let mut state = blank(80, 24);
        std::fs::write(&path, "{\"tab\": \"Plots\", \"tables\": {\"Status\": {\"filter\": \"x\"}}, \"new\": 1}")
            .unwrap();
        Memory::read(&path).restore(&mut state);
        assert_eq!((state.tab, state.views.len(), state.changes.since), (Tab::Status, 0, None));
    }

    #[test]
    fn a_repository_that_is_gone_gives_way_to_the_first() {
        let mut state = blank(80, 24);
        Memory { repository_id: Some(99), ..Memory::default() }.restore(&mut state);
        let state = with(state, quiet());
        assert_eq!(state.name(), Some("mail"));
    }
}
