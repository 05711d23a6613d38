//! The state of the Changes tab: what of the timeline was read, what of it is shown, and the group that is open. Pure.
//!
//! Pages grow at both ends, as news come and as the selection goes down; none is read twice. Lists stand behind an `Arc`,
//! as the palette tries actions out on a copy of the state.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::act::Way;
use super::event::{Effect, Query};
use super::filter::Filter;
use super::state::{Place, State, Tab};
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::StoredChange;
use crate::domain::repository::RepositoryId;
use crate::index::{ChangeGroup, GroupKey, TimelinePage};

/// So many groups are kept; what is older is for a narrower view, or for `watchkeeper changes`.
const MOST_GROUPS: usize = 100_000;
/// So many single changes of one group are kept.
const MOST_CHANGES: usize = 100_000;
/// Further rows are asked for when fewer than this many stand below the selected one.
const AHEAD: usize = 200;

/// What the tab remembers.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// When the person was here last; `None`: not known, so nothing is new.
    pub since: Option<Timestamp>,
    /// Only of the selected repository.
    pub is_narrow: bool,
    /// What the pages that are at hand were asked for; `None` until the first has come.
    read: Option<Asked>,
    /// By their last change, the newest first.
    #[expect(clippy::rc_buffer, reason = "grows in place by pages; a slice would be copied for each")]
    groups: Arc<Vec<ChangeGroup>>,
    /// Places of those that are shown; `None`: all.
    shown: Option<Arc<[usize]>>,
    /// Ids of the first and the last change that was looked at.
    ids: Option<(i64, i64)>,
    /// Nothing is older.
    is_end: bool,
    pub at: Option<GroupKey>,
    pub open: Option<Open>,
}

/// What decides what a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub repository: Option<RepositoryId>,
    pub since: Option<Timestamp>,
}

/// Pages that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagesQuery {
    pub asked: Asked,
    /// What came after this change; `None`: the newest page.
    pub after: Option<i64>,
    /// What was before this one, too.
    pub before: Option<i64>,
}

/// Pages that were read.
#[derive(Clone, Debug)]
pub struct Pages {
    pub query: PagesQuery,
    pub newer: TimelinePage,
    pub older: Option<TimelinePage>,
}

/// A group that is open.
#[derive(Clone, Debug)]
pub struct Open {
    pub key: GroupKey,
    /// With their ids, the first found first.
    #[expect(clippy::rc_buffer, reason = "grows in place by pages; a slice would be copied for each")]
    pub rows: Arc<Vec<(i64, StoredChange)>>,
    pub at: usize,
    is_end: bool,
}

impl Open {
    /// Tells whether so many are at hand that no further ones are read.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= MOST_CHANGES
    }
}

/// A page of the open group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupQuery {
    pub key: GroupKey,
    pub since: Option<Timestamp>,
    pub after: i64,
}

/// Returns what is to be read for the tab; nothing while another one is shown.
pub fn reads(state: &State) -> Vec<Effect> {
    if state.tab != Tab::Changes {
        return Vec::new();
    }
    let model = &state.changes;
    let asked = asked(state);
    let (after, before) = match model.ids {
        Some((first, last)) if model.read == Some(asked) => (Some(last), needs_older(state).then_some(first)),
        _ => (None, None),
    };
    let pages = Query::Changes(PagesQuery { asked, after, before });
    [Some(pages), group_read(state)].into_iter().flatten().map(Effect::Read).collect()
}

/// Only what a step of the selection makes necessary.
fn reads_ahead(state: &State) -> Vec<Effect> {
    let group = group_read(state).map(Effect::Read);
    if needs_older(state) { reads(state) } else { group.into_iter().collect() }
}

fn asked(state: &State) -> Asked {
    let model = &state.changes;
    Asked { repository: state.selected.filter(|_| model.is_narrow), since: model.since }
}

fn needs_older(state: &State) -> bool {
    let model = &state.changes;
    model.read.is_some() && !model.is_end && !model.is_full() && place_of_selected(state) + AHEAD >= model.len()
}

fn group_read(state: &State) -> Option<Query> {
    let open = state.changes.open.as_ref()?;
    let is_near = open.at + AHEAD >= open.rows.len() && !open.is_full();
    let after = open.rows.last().map_or(0, |(id, _)| *id);
    let query = GroupQuery { key: open.key.clone(), since: state.changes.since, after };
    (is_near && !open.is_end).then_some(Query::Group(query))
}

impl Model {
    /// Returns how many groups are shown.
    pub fn len(&self) -> usize {
        self.shown.as_ref().map_or(self.groups.len(), |shown| shown.len())
    }

    /// Returns a group by its place among those that are shown.
    pub fn get(&self, at: usize) -> Option<&ChangeGroup> {
        match &self.shown {
            Some(shown) => self.groups.get(*shown.get(at)?),
            None => self.groups.get(at),
        }
    }

    /// Returns how many of those that are shown are new.
    pub fn new_ones(&self) -> usize {
        (0..self.len()).take_while(|at| self.get(*at).is_some_and(|group| group.key.is_new)).count()
    }

    /// Tells whether nothing was read yet.
    pub fn is_unread(&self) -> bool {
        self.read.is_none()
    }

    /// Tells whether something was read, shown or not.
    pub fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Tells whether older ones stand in the index.
    pub fn has_older(&self) -> bool {
        !self.is_end
    }

    /// Tells whether so many are at hand that no older ones are read.
    pub fn is_full(&self) -> bool {
        self.groups.len() >= MOST_GROUPS
    }

    /// Returns a group by what it has in common.
    pub fn find(&self, key: &GroupKey) -> Option<&ChangeGroup> {
        self.groups.iter().find(|group| group.key == *key)
    }

    /// Takes a page in: groups that go on in it grow.
    fn merge(&mut self, page: TimelinePage) {
        let groups = Arc::make_mut(&mut self.groups);
        // Few runs are on a page: most of what is at hand needs no look.
        let runs: HashSet<i64> = page.groups.iter().map(|group| group.key.run).collect();
        let mut parts: HashMap<GroupKey, ChangeGroup> =
            page.groups.into_iter().map(|part| (part.key.clone(), part)).collect();
        for group in groups.iter_mut().filter(|group| runs.contains(&group.key.run)) {
            if let Some(part) = parts.remove(&group.key) {
                grow(group, &part);
            }
        }
        groups.extend(parts.into_values());
        groups.sort_by_key(|group| std::cmp::Reverse(group.ids.1));
        self.ids = match (self.ids, page.ids) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (one, other) => one.or(other),
        };
    }
}

fn grow(group: &mut ChangeGroup, part: &ChangeGroup) {
    group.changes += part.changes;
    group.files += part.files;
    group.ids = (group.ids.0.min(part.ids.0), group.ids.1.max(part.ids.1));
    group.at = group.at.max(part.at);
    group.only = None;
}

/// Takes pages; those that were asked for another view are late, and dropped.
pub fn take(state: &mut State, pages: Pages) -> Vec<Effect> {
    let PagesQuery { asked: wanted, after, before } = pages.query;
    if wanted != asked(state) {
        return Vec::new();
    }
    let was_first = place_of_selected(state) == 0;
    let model = &mut state.changes;
    let is_next = model.read == Some(wanted) && after.is_some() && model.ids.map(|(_, last)| last) == after;
    if after.is_none() {
        (model.groups, model.ids, model.is_end) = (Arc::default(), None, pages.newer.is_end);
    } else if !is_next {
        return Vec::new();
    }
    let is_behind = after.is_some() && !pages.newer.is_end;
    let is_grown = !pages.newer.groups.is_empty();
    model.merge(pages.newer);
    if let Some(older) = pages.older.filter(|_| model.ids.is_some_and(|(first, _)| Some(first) == before)) {
        model.is_end = older.is_end;
        model.merge(older);
    }
    model.read = Some(wanted);
    narrow(state);
    // Whoever stands at the top stays there, and sees what is new.
    if was_first {
        state.changes.at = state.changes.get(0).map(|group| group.key.clone());
    }
    if let Some(open) = state.changes.open.as_mut().filter(|_| is_grown) {
        open.is_end = false;
    }
    if is_behind || needs_older(state) {
        reads(state)
    } else {
        group_read(state).map(Effect::Read).into_iter().collect()
    }
}

/// Takes a page of the open group.
pub fn take_group(state: &mut State, query: &GroupQuery, rows: Vec<(i64, StoredChange)>) -> Vec<Effect> {
    let since = state.changes.since;
    let Some(open) = &mut state.changes.open else { return Vec::new() };
    let last = open.rows.last().map_or(0, |(id, _)| *id);
    if open.key != query.key || query.after != last || query.since != since {
        return Vec::new();
    }
    open.is_end = rows.is_empty();
    Arc::make_mut(&mut open.rows).extend(rows);
    group_read(state).map(Effect::Read).into_iter().collect()
}

/// Computes what is shown, and keeps the selection on something that is.
pub fn narrow(state: &mut State) {
    let typed = state.filter(Place::Tab(Tab::Changes));
    let mut filter = Filter::new(typed);
    let names: HashMap<RepositoryId, String> = state
        .entries()
        .iter()
        .map(|entry| (entry.status.repository.id, entry.status.repository.name.clone()))
        .collect();
    let only = state.selected.filter(|_| state.changes.is_narrow);
    let model = &state.changes;
    let is_known = |group: &ChangeGroup| names.contains_key(&group.key.repository);
    let is_wanted = |group: &ChangeGroup| is_known(group) && only.is_none_or(|id| group.key.repository == id);
    let has_all = typed.is_empty() && model.groups.iter().all(is_wanted);
    let shown = (!has_all).then(|| {
        let matches = |group: &ChangeGroup, filter: &mut Filter| {
            is_wanted(group) && (typed.is_empty() || filter.matches(&text(group, &names[&group.key.repository])))
        };
        let groups = model.groups.iter().enumerate();
        groups.filter(|(_, group)| matches(group, &mut filter)).map(|(at, _)| at).collect::<Arc<[usize]>>()
    });
    let before = place_of_selected(state);
    state.changes.shown = shown;
    let model = &mut state.changes;
    let is_there =
        model.at.is_some() && (0..model.len()).any(|at| model.get(at).map(|group| &group.key) == model.at.as_ref());
    if !is_there {
        model.at = model.get(before.min(model.len().saturating_sub(1))).map(|group| group.key.clone());
    }
}

/// Returns what a filter looks at.
fn text(group: &ChangeGroup, name: &str) -> String {
    let key = &group.key;
    let (path, from, end) = match &group.only {
        Some((path, from)) if path != &key.place => (path, from, ""),
        _ => (&key.place, &key.moved_from, "/"),
    };
    let from = from.as_ref().map(|from| format!("{from}{end} ")).unwrap_or_default();
    format!("{name} {} {from}{path}{end}", key.verdict.as_str())
}

/// Returns the place of the selected group among those that are shown.
pub fn place_of_selected(state: &State) -> usize {
    let model = &state.changes;
    let Some(key) = &model.at else { return 0 };
    (0..model.len()).find(|at| model.get(*at).is_some_and(|group| group.key == *key)).unwrap_or(0)
}

/// Moves in the timeline, or in the open group.
pub fn travel(state: &mut State, way: Way) -> Vec<Effect> {
    if let Some(open) = &mut state.changes.open {
        open.at = way.from(open.at, open.rows.len());
    } else {
        let next = way.from(place_of_selected(state), state.changes.len());
        state.changes.at = state.changes.get(next).map(|group| group.key.clone());
    }
    reads_ahead(state)
}

/// Opens the selected group.
pub fn open(state: &mut State) -> Vec<Effect> {
    let Some(key) = state.changes.at.clone() else { return Vec::new() };
    state.changes.open = Some(Open { key, rows: Arc::default(), at: 0, is_end: false });
    group_read(state).map(Effect::Read).into_iter().collect()
}

/// Turns from all repositories to the selected one, and back.
pub fn turn(state: &mut State) -> Vec<Effect> {
    state.changes.is_narrow = !state.changes.is_narrow;
    state.changes.open = None;
    let words = match state.name().filter(|_| state.changes.is_narrow) {
        Some(name) => format!("changes of {name} only"),
        None => "changes of all repositories".to_owned(),
    };
    state.note(words);
    narrow(state);
    reads(state)
}

/// Returns the path of the selected row, or the directory of all of its changes, and the repository that it is in.
pub fn path_of_selected(state: &State) -> Option<(RepositoryId, &RelPath)> {
    let model = &state.changes;
    match &model.open {
        Some(open) => Some((open.key.repository, &open.rows.get(open.at)?.1.change.path)),
        None => {
            let group = model.find(model.at.as_ref()?)?;
            let path = group.only.as_ref().map_or(&group.key.place, |(path, _)| path);
            Some((group.key.repository, path))
        }
    }
}
