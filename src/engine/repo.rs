//! What follows from how one repository stands: what holds for it, and as of when it is true.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::{Patience, Pending};
use super::protocol::Live;
use super::state::{Repo, Tracked, Watching};
use crate::config::Config;
use crate::domain::moment::Timestamp;
use crate::domain::retry;
use crate::domain::run::Kind;
use crate::domain::schedule::Now;

/// So many runs of a repository may hang: one alone may have met a single bad file.
const MOST_HANGING: usize = 3;

impl Repo {
    pub fn new(tracked: Tracked, now: Now) -> Repo {
        let last_full = tracked.last_of(Kind::Full).map(|wall| Now { wall, ..now });
        Repo {
            tracked,
            timers: BTreeMap::new(),
            last_full,
            asked: BTreeSet::new(),
            pending: Pending::default(),
            serving: None,
            postponed: 0,
            is_leaving: false,
            watch: Watching::default(),
            away: None,
            is_probed: false,
            probe_at: now.mono_ms,
            losses: 0,
            hanging: BTreeSet::new(),
            rest: None,
            told: Live::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.tracked.repository.name
    }

    pub fn is_paused(&self) -> bool {
        self.is_leaving || self.tracked.repository.paused_at.is_some()
    }

    /// Tells whether nothing is to begin by itself: what hangs keeps its threads and descriptors, and a share that is away
    /// for a day would take all that the process may have.
    pub fn is_stuck(&self) -> bool {
        self.hanging.len() >= MOST_HANGING
    }

    pub fn is_watched(&self) -> bool {
        self.tracked.config.watch.enabled && !self.is_paused()
    }

    pub fn patience(&self) -> Patience {
        let watch = &self.tracked.config.watch;
        Patience { quiet: watch.debounce, longest: watch.debounce_max }
    }

    /// Returns the moment for which all of it is proven: by the watcher where it watches, by listing where it does not.
    pub fn true_as_of(&self) -> Option<Timestamp> {
        let Watching { coverage, proven_at, polled_at, .. } = &self.watch;
        match (coverage.watched > 0, coverage.unwatched > 0 || coverage.is_remote) {
            (_, false) => *proven_at,
            (true, true) => Some((*proven_at)?.min((*polled_at)?)),
            (false, true) => *polled_at,
        }
    }

    pub fn retry_rules(config: &Config) -> retry::Rules {
        let rules = &config.retry;
        retry::Rules { attempts: rules.attempts, delay: rules.delay, max_delay: rules.max_delay }
    }
}

impl Tracked {
    pub fn last_of(&self, kind: Kind) -> Option<Timestamp> {
        self.last.iter().find(|(known, _)| *known == kind).map(|(_, at)| *at)
    }
}
