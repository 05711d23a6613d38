//! What happened while the person was away: since the last key, in this screen or the one before it. Pure.

use super::changes;
use super::event::{Effect, Query};
use super::keymap::{Action, KEYMAP};
use super::state::{Overlay, State, Tab};
use crate::domain::amount::{count, plural};
use crate::domain::moment::Timestamp;
use crate::domain::report::Run;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Trigger;
use crate::index::{Away, AwayCounts};

use super::text::unsigned;
use super::theme::{Signs, Tone};

/// Who has pressed no key for so long was away, although the screen was open.
const AWAY_MS: i64 = 30 * 60_000;

/// What is known of the person's coming and going.
#[derive(Clone, Debug)]
pub struct Model {
    /// When the last key was pressed.
    pub seen_at: Timestamp,
    /// When the person came.
    pub came_at: Timestamp,
    /// What happened, and since when; `None` until it was read.
    pub found: Option<(Timestamp, Away)>,
    /// What was said of it.
    said: Option<String>,
}

impl Model {
    /// Returns that of someone who comes now.
    pub fn at(now: Timestamp) -> Model {
        Model { seen_at: now, came_at: now, found: None, said: None }
    }
}

/// Asks what happened since the person was last here, where that is known.
pub fn ask(state: &State) -> Vec<Effect> {
    state.changes.since.map(|since| Effect::Read(Query::Away(since))).into_iter().collect()
}

/// The person is here: after a long time, what happened meanwhile is told.
pub fn notice(state: &mut State) -> Vec<Effect> {
    let before = std::mem::replace(&mut state.away.seen_at, state.now.wall);
    if state.now.wall.since_ms(before) < AWAY_MS {
        return Vec::new();
    }
    (state.changes.since, state.changes.open) = (Some(before), None);
    state.away = Model::at(state.now.wall);
    let mut effects = ask(state);
    effects.extend(changes::reads(state));
    effects
}

/// A run has ended. Without a daemon only the runs of the start find what happened meanwhile.
pub fn ended(state: &State, run: &Run) -> Vec<Effect> {
    let is_catching_up = run.started_at <= state.away.came_at || run.trigger.contains(Trigger::Startup.as_str());
    if is_catching_up { ask(state) } else { Vec::new() }
}

/// Opens the list, and brings it up to date.
pub fn open(state: &mut State) -> Vec<Effect> {
    state.overlay = Some(Overlay::Away { scroll: 0 });
    ask(state)
}

/// Takes what was found, and says it where there is something; what was said already and seen is not said again.
pub fn take(state: &mut State, since: Timestamp, found: Away) {
    if state.changes.since != Some(since) {
        return;
    }
    state.away.found = Some((since, found));
    let Some((total, is_more)) = total(state) else { return };
    let parts = parts(&total, is_more, state.theme.signs);
    if parts.is_empty() {
        return;
    }
    let words: Vec<&str> = parts.iter().map(|part| part.words.as_str()).collect();
    let text = format!("since {}: {}", state.zone.brief(since, state.now.wall), words.join(", "));
    if let Some(said) = state.away.said.replace(text.clone()) {
        let stands = state.notices.iter().any(|notice| notice.text == said);
        if said == text || !stands {
            return;
        }
        state.notices.retain(|notice| notice.text != said);
    }
    let show = KEYMAP.iter().find(|binding| binding.action == Action::Show(Tab::Changes));
    let hint = show.map(|binding| format!("{} shows them", state.keys.of(binding)[0]));
    if total.damaged + total.failed_runs + total.held + total.problems > 0 {
        state.warn(text, hint);
    } else {
        state.announce(text, hint);
    }
}

/// Returns the sums over all repositories, and whether more changed than was counted.
pub fn total(state: &State) -> Option<(AwayCounts, bool)> {
    let (_, away) = state.away.found.as_ref()?;
    let mut total = AwayCounts::default();
    for (_, counts) in &away.repositories {
        total.damaged += counts.damaged;
        total.failed_runs += counts.failed_runs;
        total.held += counts.held;
        total.problems += counts.problems;
        total.changes += counts.changes;
    }
    Some((total, away.is_more))
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Part {
    pub sign: &'static str,
    pub words: String,
    pub tone: Tone,
    /// How much of it there was in one repository.
    pub of: fn(&AwayCounts) -> i64,
}

/// Returns what happened, the worst first.
pub fn parts(counts: &AwayCounts, is_more: bool, signs: &'static Signs) -> Vec<Part> {
    let part = |sign, (one, many): (&str, &str), tone, of: fn(&AwayCounts) -> i64| Part {
        sign,
        words: plural(unsigned(of(counts)), one, many),
        tone,
        of,
    };
    let mut parts = vec![
        part(signs.damaged, ("damaged file", "damaged files"), Tone::Bad, |all| all.damaged),
        part(signs.failed, ("failed run", "failed runs"), Tone::Bad, |all| all.failed_runs),
        part("#", ("held removal", "held removals"), Tone::Warn, |all| all.held),
        part("!", ("new problem", "new problems"), Tone::Warn, |all| all.problems),
        part("+", ("change", "changes"), Tone::Plain, |all| all.changes),
    ];
    if let Some(changes) = parts.last_mut().filter(|_| is_more) {
        changes.words = format!("more than {} changes", count(unsigned(counts.changes)));
    }
    parts.retain(|part| (part.of)(counts) > 0);
    parts
}

/// Returns how much of one thing there was in which repository, the most first.
pub fn shares(state: &State, part: &Part) -> Vec<(String, i64)> {
    let Some((_, away)) = &state.away.found else { return Vec::new() };
    let name = |id: RepositoryId| {
        let entry = state.entries().iter().find(|entry| entry.status.repository.id == id)?;
        Some(entry.status.repository.name.clone())
    };
    let share = |(id, counts): &(RepositoryId, AwayCounts)| Some((name(*id)?, (part.of)(counts)));
    let mut shares: Vec<(String, i64)> = away.repositories.iter().filter_map(share).collect();
    shares.retain(|(_, amount)| *amount > 0);
    shares.sort_by_key(|(name, amount)| (std::cmp::Reverse(*amount), name.clone()));
    shares
}
