//! Everything that the screen shows and remembers, and the questions that panes ask of it. Owned by the UI thread alone.

use std::collections::BTreeMap;

use ratatui::layout::Size;

use super::event::{Now, RepositoryRows, RunRows};
use super::filter::Filter;
use super::form;
pub use super::front::{Choice, Lasts, Message, Notice, Overlay, Question, Typed};
use super::keymap::Keys;
use super::layout::{self, Areas, Wanted};
use super::pane::{self, files, problems};
pub use super::tabs::Tab;
use super::text::Zone;
use super::theme::Theme;
use super::trouble::{self, Trouble};
use super::{away, changes};
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{IndexStatus, RecentRun, Run};
use crate::domain::repository::{self, RepositoryId, State as Word};
use crate::domain::status::{self, state_of};
use crate::engine::protocol::{Live, QueuedRun, RunProgress};

/// The whole state of the screen.
#[derive(Clone, Debug)]
pub struct State {
    pub now: Now,
    pub zone: Zone,
    pub theme: Theme,
    /// Which keys do what.
    pub keys: Keys,
    /// Clicks and the wheel are ours, and not the terminal's.
    pub mouse: bool,
    /// A service is enabled that can go on in place of this engine.
    pub has_service: bool,
    pub size: Size,
    pub engine: Engine,
    /// Worst first; `None` until the index was read for the first time.
    pub entries: Option<Vec<Entry>>,
    /// How the list is narrowed and sorted, and each tab's table.
    pub views: BTreeMap<Place, View>,
    /// Of all repositories, the newest first.
    pub latest: Vec<Run>,
    /// How the newest runs of each repository ended, the oldest first.
    pub recent: BTreeMap<RepositoryId, Vec<RecentRun>>,
    pub running: Vec<RunProgress>,
    pub queued: Vec<QueuedRun>,
    /// What only the engine knows of each repository.
    pub live: Vec<Live>,
    pub selected: Option<RepositoryId>,
    /// Of the selected repository; `None` while they are read for the first time.
    pub rows: Option<RepositoryRows>,
    /// Number of the selected run of the history.
    pub run_at: Option<i64>,
    pub problems: problems::Model,
    pub files: files::Model,
    pub focus: Focus,
    pub tab: Tab,
    pub zoom: bool,
    /// Stands in the place of the tab's body while it is open.
    pub detail: Option<Detail>,
    /// First line of a body that is text and no table.
    pub scroll: usize,
    pub overlay: Option<Overlay>,
    pub forms: form::Model,
    /// The oldest first.
    pub notices: Vec<Notice>,
    /// All notices of this session, the oldest first, also those that were seen.
    pub messages: Vec<Message>,
    /// When Ctrl-C was pressed last.
    pub interrupted_ms: Option<u64>,
    /// The command line of what the engine was asked for last.
    pub asked: Option<String>,
    pub health: pane::health::Model,
    pub history: pane::history::Model,
    pub progress: pane::progress::Model,
    pub changes: changes::Model,
    pub away: away::Model,
}

/// Where the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// It ends when nobody looks on and nothing runs: quitting asks what becomes of its runs.
    WhileUsed,
    /// It has its own reason to run: quitting leaves it alone.
    Other,
    /// It is gone, and the next one is looked for.
    Lost,
}

/// One repository of the list.
#[derive(Clone, Debug)]
pub struct Entry {
    pub status: IndexStatus,
    pub state: repository::State,
}

/// Which half has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    #[default]
    List,
    Body,
}

/// A table that has a filter and an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    List,
    Tab(Tab),
}

/// How a table is narrowed and sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// As it was typed; see [`super::filter`].
    pub filter: String,
    /// Which of the orders that the table has; 0 is its own.
    pub order: usize,
}

/// One thing, in full.
#[derive(Clone, Debug)]
pub enum Detail {
    /// `rows` is `None` while they are read.
    Run {
        number: i64,
        rows: Option<Box<RunRows>>,
    },
    /// Two runs by number.
    Compare {
        older: i64,
        newer: i64,
    },
    Trouble(trouble::Key),
    File {
        path: RelPath,
        rows: Option<Box<files::FileRows>>,
    },
}

impl State {
    /// Returns the state before anything was read.
    pub fn new(theme: Theme, keys: Keys, size: Size, now: Now) -> State {
        State {
            now,
            zone: Zone::default(),
            theme,
            keys,
            mouse: false,
            has_service: false,
            size,
            engine: Engine::Other,
            entries: None,
            views: BTreeMap::new(),
            latest: Vec::new(),
            recent: BTreeMap::new(),
            running: Vec::new(),
            queued: Vec::new(),
            live: Vec::new(),
            selected: None,
            rows: None,
            run_at: None,
            problems: problems::Model::default(),
            files: files::Model::default(),
            focus: Focus::default(),
            tab: Tab::default(),
            zoom: false,
            detail: None,
            scroll: 0,
            overlay: None,
            forms: form::Model::default(),
            notices: Vec::new(),
            messages: Vec::new(),
            interrupted_ms: None,
            asked: None,
            health: pane::health::Model::default(),
            history: pane::history::Model::default(),
            progress: pane::progress::Model::default(),
            changes: changes::Model::default(),
            away: away::Model::at(now.wall),
        }
    }

    /// Returns the table that has the keys.
    pub fn place(&self) -> Place {
        match self.focus {
            Focus::List => Place::List,
            Focus::Body => Place::Tab(self.tab),
        }
    }

    /// Returns the filter of a table, empty when it has none.
    pub fn filter(&self, place: Place) -> &str {
        self.views.get(&place).map_or("", |view| view.filter.as_str())
    }

    /// Returns the order of a table by its number.
    pub fn order(&self, place: Place) -> usize {
        self.views.get(&place).map_or(0, |view| view.order)
    }

    /// Returns the repositories that the list's filter lets through, in the list's order.
    pub fn listed(&self) -> Vec<&Entry> {
        let mut filter = Filter::new(self.filter(Place::List));
        let text = |entry: &Entry| format!("{} {}", entry.status.repository.name, self.theme.state(entry.state).1);
        let mut listed: Vec<&Entry> = self.entries().iter().filter(|entry| filter.matches(&text(entry))).collect();
        pane::repositories::sort(self, &mut listed);
        listed
    }

    /// Tells whether the list shows the selected repository: nothing is done to what nobody sees.
    pub fn is_listed(&self) -> bool {
        self.listed().iter().any(|entry| Some(entry.status.repository.id) == self.selected)
    }

    /// Returns the repositories, worst first; none while the first read is going on.
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Returns the selected repository.
    pub fn entry(&self) -> Option<&Entry> {
        self.entries().iter().find(|entry| Some(entry.status.repository.id) == self.selected)
    }

    /// Returns the selected repository's name.
    pub fn name(&self) -> Option<&str> {
        self.entry().map(|entry| entry.status.repository.name.as_str())
    }

    /// Returns the name that the repository of a run has now; what was written with the run may be an old one.
    pub fn name_of<'a>(&'a self, run: &'a Run) -> &'a str {
        let entry = self.entries().iter().find(|entry| entry.status.repository.id == run.repository_id);
        entry.map_or(&run.repository, |entry| &entry.status.repository.name)
    }

    /// Returns the runs of the selected repository, the newest first.
    pub fn runs(&self) -> &[Run] {
        self.rows.as_ref().map_or(&[], |rows| &rows.runs)
    }

    /// Returns the runs that the history shows, in its order; one stands for those that are folded into it.
    pub fn listed_runs(&self) -> Vec<&Run> {
        pane::history::rows(self).into_iter().map(|row| row.run).collect()
    }

    /// Returns what is wrong with the selected repository as its causes, the worst first.
    pub fn troubles(&self) -> Vec<Trouble<'_>> {
        self.rows.iter().flat_map(|rows| &rows.causes).map(Trouble::Cause).collect()
    }

    /// Returns how a run of this repository goes, if one does.
    pub fn progress_of(&self, name: &str) -> Option<&RunProgress> {
        self.running.iter().find(|run| run.repository == name)
    }

    /// Tells whether runs of this repository are going on or wait.
    pub fn is_busy(&self, name: &str) -> bool {
        self.progress_of(name).is_some() || self.queued.iter().any(|run| run.repository == name)
    }

    /// Returns what only the engine knows of a repository.
    pub fn live_of(&self, name: &str) -> Option<&Live> {
        self.live.iter().find(|live| live.repository == name)
    }

    /// Returns as of when a repository's index is true: proven by the watcher, or the last complete listing.
    pub fn true_as_of(&self, entry: &Entry) -> Option<Timestamp> {
        let repository = &entry.status.repository;
        let proven = self.live_of(&repository.name).and_then(|live| live.true_as_of);
        proven.max(repository.true_at).max(repository.seen_at)
    }

    /// Tells whether anything runs or waits.
    pub fn has_runs(&self) -> bool {
        !self.running.is_empty() || !self.queued.is_empty()
    }

    /// Computes each repository's state and puts the worst first. To be called when anything that they depend on changed.
    pub fn sort_entries(&mut self) {
        let Some(mut entries) = self.entries.take() else { return };
        for entry in &mut entries {
            let name = &entry.status.repository.name;
            let live = self.live_of(name);
            let is_behind = live.is_some_and(|live| live.pending_hints > 0 || live.behind.is_some());
            let engine = match (self.progress_of(name).is_some(), self.engine) {
                (true, _) => status::Engine::Working,
                (false, Engine::Lost) => status::Engine::Absent,
                (false, _) if is_behind => status::Engine::Behind,
                (false, _) => status::Engine::Idle,
            };
            let is_missing = live.is_some_and(|live| live.is_missing) && entry.status.repository.paused_at.is_none();
            entry.state = if is_missing { Word::Missing } else { state_of(&entry.status, engine) };
        }
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| (badness(entry.state), entry.status.repository.name.clone());
            key(a).cmp(&key(b))
        });
        self.entries = Some(entries);
    }

    /// Returns where the parts of the screen stand.
    pub fn areas(&self) -> Option<Areas> {
        self.areas_at(self.size)
    }

    /// Returns where they stand on a screen of another size: it may have changed before the news of it came.
    pub fn areas_at(&self, size: Size) -> Option<Areas> {
        layout::areas(&Wanted {
            size,
            focus: self.focus,
            zoom: self.zoom,
            list_rows: self.entries().len(),
            message_rows: super::view::message_rows(self),
        })
    }

    /// Says something that may be missed.
    pub fn note(&mut self, text: impl Into<String>) {
        const NOTE_MS: u64 = 4_000;
        let lasts = Lasts::Until { monotonic_ms: self.now.monotonic_ms + NOTE_MS };
        self.push_notice(Notice { text: text.into(), hint: None, lasts });
    }

    /// Says something that must not be missed.
    pub fn warn(&mut self, text: impl Into<String>, hint: Option<String>) {
        self.push_notice(Notice { text: text.into(), hint, lasts: Lasts::UntilSeen });
    }

    /// Says something that waits to be seen and is no cause to worry.
    pub fn announce(&mut self, text: impl Into<String>, hint: Option<String>) {
        self.push_notice(Notice { text: text.into(), hint, lasts: Lasts::UntilRead });
    }

    fn push_notice(&mut self, notice: Notice) {
        /// An engine that repeats itself must not fill the memory; what is older stands in the log.
        const KEPT: usize = 20;
        /// And what was said lately is enough to look back at.
        const REMEMBERED: usize = 200;
        self.messages.push(Message { at: self.now.wall, text: notice.text.clone(), hint: notice.hint.clone() });
        let surplus = self.messages.len().saturating_sub(REMEMBERED);
        self.messages.drain(..surplus);
        self.notices.retain(|known| known.text != notice.text);
        self.notices.push(notice);
        let surplus = self.notices.len().saturating_sub(KEPT);
        self.notices.drain(..surplus);
    }
}

/// Returns the place of a state in the list: what needs a person first, what rests last.
fn badness(state: repository::State) -> usize {
    use repository::State as Word;
    const ORDER: [Word; 10] = [
        Word::Missing,
        Word::Failed,
        Word::Damaged,
        Word::Held,
        Word::Partial,
        Word::Syncing,
        Word::Pending,
        Word::Stale,
        Word::InSync,
        Word::Paused,
    ];
    ORDER.iter().position(|word| *word == state).unwrap_or(ORDER.len())
}
