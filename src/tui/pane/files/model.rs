//! What of the index the Files tab has at hand, and how it moves: part of one directory, or what a search has found.
//!
//! Only rows around the selected one are here, [`PAGE`] of them. Near their edge the next ones are asked for.

use super::super::super::act::Way;
use super::super::super::event::{Effect, Query};
use super::super::super::state::{Detail, Focus, Place, State, Tab};
use crate::domain::path::RelPath;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};
use crate::index::{Listed, Page, RowKey, RowSort, Seek};

/// How many rows of a directory are at hand.
pub const PAGE: usize = 512;
/// So near to the edge of the page, the next one is asked for: more than a screen is high.
const EDGE: usize = 128;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Page {
        repository: RepositoryId,
        directory: RelPath,
        seek: Seek,
        /// The places of the rows are to be told, too, and how many there are.
        is_counted: bool,
    },
    Search {
        repository: RepositoryId,
        below: RelPath,
        words: String,
        /// The rows at hand may be out of date: no hurry, and only the whole answer is of use.
        is_again: bool,
    },
}

impl Ask {
    /// Tells whether both look for the same in the same place.
    pub fn is_same_search(&self, other: &Ask) -> bool {
        match (self, other) {
            (
                Ask::Search { repository, below, words, is_again: _ },
                Ask::Search { repository: other, below: other_below, words: other_words, is_again: _ },
            ) => repository == other && below == other_below && words == other_words,
            _ => false,
        }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub enum Told {
    Page {
        repository: RepositoryId,
        directory: RelPath,
        seek: Seek,
        /// `None`: the index knows no such directory.
        page: Option<Page>,
    },
    /// Before `first`, the first row of a page, stand so many of all rows.
    Counted {
        repository: RepositoryId,
        directory: RelPath,
        first: RowKey,
        before: u64,
        total: u64,
    },
    Found {
        repository: RepositoryId,
        below: RelPath,
        words: String,
        rows: Vec<Listed>,
        sum: Found,
    },
}

/// How far a search has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub looked_at: u64,
    pub matches: u64,
    pub is_done: bool,
    /// What was typed is no pattern, in words.
    pub error: Option<String>,
}

/// What the tab shows.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub directory: RelPath,
    /// `None` while they are read for the first time.
    pub rows: Option<Vec<Listed>>,
    /// More rows of the directory stand before and behind these.
    has_before: bool,
    has_after: bool,
    /// The place of the first row in its directory, and how many there are, when they were counted.
    pub first: Option<u64>,
    pub total: Option<u64>,
    selected: Option<RowKey>,
    /// The rows are what a search has found.
    pub found: Option<Found>,
}

impl Model {
    pub fn rows(&self) -> &[Listed] {
        self.rows.as_deref().unwrap_or_default()
    }

    /// Returns the place of the selected row among those at hand.
    pub fn at(&self) -> usize {
        let selected = self.selected.as_ref();
        selected.and_then(|key| self.rows().iter().position(|row| row.is_at(key))).unwrap_or(0)
    }

    pub fn selected(&self) -> Option<&Listed> {
        self.rows().get(self.at())
    }

    /// Goes to a directory, and there to a row.
    fn go(&mut self, directory: RelPath, selected: Option<RowKey>) {
        *self = Model { directory, selected, ..Model::default() };
    }

    fn show(&mut self, rows: Vec<Listed>, fallback: usize) {
        let is_there = self.selected.as_ref().is_some_and(|key| rows.iter().any(|row| row.is_at(key)));
        if !is_there {
            self.selected = rows.get(fallback.min(rows.len().saturating_sub(1))).map(Listed::key);
        }
        self.rows = Some(rows);
    }
}

fn words(state: &State) -> &str {
    state.filter(Place::Tab(Tab::Files))
}

/// Returns what the tab needs, if it is shown: the rows around the selected one, or what is searched for.
pub fn read(state: &State) -> Vec<Effect> {
    let Some(repository) = state.selected.filter(|_| state.tab == Tab::Files) else { return Vec::new() };
    let model = &state.files;
    let detail = match &state.detail {
        Some(Detail::File { path, .. }) => Some(Effect::Read(Query::File { repository, path: path.clone() })),
        _ => None,
    };
    let ask = match words(state) {
        "" => Ask::Page {
            repository,
            directory: model.directory.clone(),
            seek: model.selected.clone().map_or(Seek::First, Seek::Around),
            is_counted: true,
        },
        // What was found stands until it was looked for again: nobody sees rows go and come.
        words => {
            let (below, words, is_again) = (model.directory.clone(), words.to_owned(), model.found.is_some());
            Ask::Search { repository, below, words, is_again }
        }
    };
    [Effect::Read(Query::Files(ask))].into_iter().chain(detail).collect()
}

/// Begins or ends a search, as what was typed says.
pub fn search(state: &mut State) -> Vec<Effect> {
    let selected = state.files.selected.clone();
    let model = &mut state.files;
    (model.found, model.first, model.total) = (None, None, None);
    // The rows at hand stay until something is found; no page that would follow them may stop the search.
    (model.has_before, model.has_after) = (false, false);
    if words(state).is_empty() {
        // Back in the directory; a row that was found elsewhere is not there.
        let directory = state.files.directory.clone();
        let is_here = |key: &RowKey| key.path.split().is_some_and(|(parent, _)| parent == directory);
        state.files.go(directory.clone(), selected.filter(is_here));
    }
    read(state)
}

/// Takes over what was read, unless the tab shows something else by now.
pub fn take(state: &mut State, told: Told) -> Vec<Effect> {
    let looks_for = words(state).to_owned();
    let is_ours = |repository, directory: &RelPath, words: &str| {
        state.selected == Some(repository) && state.files.directory == *directory && looks_for == words
    };
    match told {
        Told::Page { repository, directory, seek, page } if is_ours(repository, &directory, "") => match page {
            Some(page) => take_page(&mut state.files, &seek, page),
            None => return leave(state),
        },
        Told::Counted { repository, directory, first, before, total } if is_ours(repository, &directory, "") => {
            let model = &mut state.files;
            model.total = Some(total);
            if model.rows().first().is_some_and(|row| row.is_at(&first)) {
                model.first = Some(before);
            }
        }
        Told::Found { repository, below, words, rows, sum } if is_ours(repository, &below, &words) => {
            let model = &mut state.files;
            (model.has_before, model.has_after) = (false, false);
            // Found again, a row that is gone leaves the selection at its place.
            let fallback = if model.found.is_some() { model.at() } else { 0 };
            model.show(rows, fallback);
            model.found = Some(sum);
        }
        _ => {}
    }
    Vec::new()
}

fn take_page(model: &mut Model, seek: &Seek, page: Page) {
    // What both pages hold tells where the new one begins without counting.
    let known = model.first.zip(model.rows().first().map(Listed::key));
    let old_rows = model.rows.take().unwrap_or_default();
    model.first = match (known, page.rows.first().map(Listed::key)) {
        (Some((first, known)), Some(new)) => {
            let forward = old_rows.iter().position(|row| row.is_at(&new)).map(|by| first + by as u64);
            let back = || page.rows.iter().position(|row| row.is_at(&known)).map(|by| first.saturating_sub(by as u64));
            forward.or_else(back)
        }
        _ => None,
    };
    match (page.has_before, page.has_after, model.total) {
        (false, ..) => model.first = Some(0),
        (true, false, Some(total)) => model.first = Some(total.saturating_sub(page.rows.len() as u64)),
        _ => {}
    }
    let fallback = match seek {
        Seek::First => 0,
        Seek::Last => page.rows.len(),
        Seek::Around(key) => page.rows.partition_point(|row| row.key() < *key),
    };
    if !matches!(seek, Seek::Around(_)) {
        model.selected = None;
    }
    (model.has_before, model.has_after) = (page.has_before, page.has_after);
    model.show(page.rows, fallback);
}

/// The directory is gone: the one above it is shown.
fn leave(state: &mut State) -> Vec<Effect> {
    match state.files.directory.split() {
        Some((parent, _)) => {
            state.note("the index does not hold this directory any more");
            state.files.go(parent, None);
            read(state)
        }
        // Never listed: it has no rows.
        None => {
            state.files.show(Vec::new(), 0);
            Vec::new()
        }
    }
}

/// Moves among the rows.
pub fn travel(state: &mut State, way: Way) -> Vec<Effect> {
    let Some(repository) = state.selected else { return Vec::new() };
    let model = &mut state.files;
    let rows = model.rows().len();
    let at = way.from(model.at(), rows);
    model.selected = model.rows().get(at).map(Listed::key);
    let seek = match (way, model.selected.clone()) {
        (Way::First, _) if model.has_before => Seek::First,
        (Way::Last, _) if model.has_after => Seek::Last,
        (_, Some(key)) if model.has_before && at < EDGE || model.has_after && at + EDGE >= rows => Seek::Around(key),
        _ => return Vec::new(),
    };
    let directory = model.directory.clone();
    let is_counted = model.total.is_none();
    vec![Effect::Read(Query::Files(Ask::Page { repository, directory, seek, is_counted }))]
}

/// Goes into the selected directory, or shows the selected file in full.
pub fn open(state: &mut State) -> Vec<Effect> {
    let (Some(repository), Some(row)) = (state.selected, state.files.selected().cloned()) else { return Vec::new() };
    if row.sort == RowSort::Directory {
        state.files.go(row.path, None);
        return read(state);
    }
    state.detail = Some(Detail::File { path: row.path.clone(), rows: None });
    state.scroll = 0;
    vec![Effect::Read(Query::File { repository, path: row.path })]
}

/// Goes to the directory that holds what is shown, or, from what a search has found, the selected row.
pub fn up(state: &mut State) -> Vec<Effect> {
    let from = match (words(state).is_empty(), state.files.selected()) {
        (false, Some(row)) => row.key(),
        _ => RowKey { is_file: false, path: state.files.directory.clone() },
    };
    let Some((parent, _)) = from.path.split() else { return Vec::new() };
    state.views.entry(Place::Tab(Tab::Files)).or_default().filter.clear();
    state.files.go(parent, Some(from));
    read(state)
}

/// Tells whether there is a way up.
pub fn has_up(state: &State) -> bool {
    let is_found = !words(state).is_empty() && state.files.selected().is_some();
    is_in_front(state) && state.detail.is_none() && (is_found || !state.files.directory.is_root())
}

/// Tells whether the tab has the keys.
pub fn is_in_front(state: &State) -> bool {
    state.focus == Focus::Body && state.tab == Tab::Files
}

/// Asks for a run over the selected path alone.
pub fn sync(state: &State) -> Vec<Effect> {
    let (Some(name), Some(row)) = (state.name(), state.files.selected()) else { return Vec::new() };
    let request = SyncRequest {
        paths: vec![row.path.clone()],
        ..SyncRequest::new(vec![name.to_owned()], Kind::Single, Trigger::User)
    };
    vec![Effect::Send { command: Command::Sync(Box::new(request)), about: format!("sync {} of {name}", row.path) }]
}

/// Returns the recorded hash of the selected row.
pub fn hash(state: &State) -> Option<String> {
    match state.files.selected()?.sort {
        RowSort::File { sha256: Some(sha256), .. } if is_in_front(state) => Some(super::hex(&sha256)),
        _ => None,
    }
}
