//! What happens to the state: `update(state, message, now) -> effects`. Pure: no I/O, no clock; the shell does the rest.
//!
//! News from the engine is a hint: it changes what only the engine knows (what runs), and asks for the rows again.

#[cfg(test)]
mod tests;

use super::command_line::command_line;
use super::event::{Effect, Msg, Now, Query, RepositoryRows, Rows};
use super::field::Field;
use super::form;
use super::keymap::{self, Key};
use super::pane::{health, problems};
use super::state::{Detail, Engine, Entry, Lasts, Overlay, State};
use super::{act, away, changes, click, pane, plan};
use crate::domain::report::{IndexStatus, Run};
use crate::domain::repository;
use crate::domain::run::Kind;
use crate::engine::protocol::{Answer, Event, RunProgress, Stay};

/// Stands until there is an engine again.
const LOST: &str = "the engine has ended; this is the last that was known";

/// Changes the state by one message and returns what is to be done outside of it.
pub fn update(state: &mut State, msg: Msg, now: Now) -> Vec<Effect> {
    state.now = now;
    state.notices.retain(|notice| match notice.lasts {
        Lasts::Until { monotonic_ms } => now.monotonic_ms < monotonic_ms,
        Lasts::UntilSeen | Lasts::UntilRead => true,
    });
    let effects = take(state, msg);
    for effect in &effects {
        if let Effect::Send { command, .. } | Effect::Ask { command, .. } = effect {
            state.asked = command_line(command).or_else(|| state.asked.take());
        }
    }
    effects
}

fn take(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => [away::notice(state), press(state, key)].concat(),
        Msg::Paste(text) => [away::notice(state), paste(state, &text)].concat(),
        Msg::Pointer(pointer) => click::point(state, pointer),
        Msg::Resize { width, height } => {
            (state.size.width, state.size.height) = (width, height);
            // Always in full: sizes that change faster than we hear of it may end at the old one, and the terminal has
            // cut off what did not fit in between.
            vec![Effect::Redraw]
        }
        Msg::Engine(event) => hear(state, event),
        Msg::Answered { to, answer } => {
            answered(state, &to, answer);
            Vec::new()
        }
        Msg::Written(Ok(path)) => {
            state.note(format!("written to {}", path.display()));
            Vec::new()
        }
        Msg::Written(Err(error)) => {
            state.warn(error, Some("e asks for another name".to_owned()));
            Vec::new()
        }
        Msg::Told { ticket, about, answer } => form::told(state, ticket, &about, answer),
        Msg::Scheduler(scheduler) => {
            state.forms.scheduler = scheduler;
            Vec::new()
        }
        Msg::Rows(rows) => take_rows(state, rows),
        Msg::Unread(error) => {
            state.warn(format!("the index cannot be read: {error}"), None);
            Vec::new()
        }
        Msg::Minute => Vec::new(),
        Msg::Resumed => vec![Effect::Redraw],
        Msg::Panicked(what) => {
            state.warn(format!("a bug in watchkeeper: {what}"), Some("please report it with the log".to_owned()));
            Vec::new()
        }
    }
}

/// Returns the line of text that is being typed.
fn field(state: &mut State) -> Option<&mut Field> {
    match &mut state.overlay {
        Some(Overlay::Filter { field, .. } | Overlay::Palette { field, .. } | Overlay::Export(field)) => Some(field),
        Some(Overlay::Form(form)) => form.field(),
        Some(Overlay::Ask(question)) => question.typed.as_mut().map(|(_, field)| field),
        Some(Overlay::Choose(choice)) => Some(&mut choice.field),
        _ => None,
    }
}

/// What was typed has changed: what depends on it follows.
fn typed(state: &mut State) -> Vec<Effect> {
    match &mut state.overlay {
        Some(Overlay::Filter { place, field, .. }) => {
            let (place, text) = (*place, field.text().to_owned());
            act::narrow(state, place, text)
        }
        Some(Overlay::Palette { at, .. }) => {
            *at = 0;
            Vec::new()
        }
        Some(Overlay::Form(_)) => form::typed(state),
        _ => Vec::new(),
    }
}

fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    match field(state) {
        Some(field) => field.paste(text),
        None => {
            state.note("pasted text was dropped: there is nothing to type here");
            return Vec::new();
        }
    }
    typed(state)
}

fn press(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(binding) = keymap::find(state, key) else {
        let is_text = field(state).is_some_and(|field| field.take(key));
        return if is_text { typed(state) } else { Vec::new() };
    };
    match (binding.enabled)(state) {
        Ok(()) => act::act(state, binding.action),
        Err(reason) => {
            if !reason.is_empty() {
                let name = binding.name.replace('-', " ");
                let word = if binding.short.is_empty() { &name } else { binding.short };
                state.note(format!("{word}: {reason}"));
            }
            Vec::new()
        }
    }
}

fn hear(state: &mut State, event: Event) -> Vec<Effect> {
    let effects = match event {
        Event::Snapshot(snapshot) => {
            engine_found(state, snapshot.stay);
            (state.queued, state.running) = (snapshot.queued, snapshot.running);
            // The run of the watcher mostly waits: nothing is going on.
            state.running.retain(|run| run.kind != Kind::Realtime);
            state.live = snapshot.live;
            state.forms.scheduler = snapshot.scheduler;
            read_all(state)
        }
        Event::RunQueued(queued) => {
            if !state.queued.iter().any(|known| known.run_id == queued.run_id) {
                state.queued.push(queued);
            }
            Vec::new()
        }
        Event::RunStarted(run) => {
            state.queued.retain(|queued| queued.run_id != run.run_id);
            if run.kind != Kind::Realtime && !state.running.iter().any(|known| known.run_id == run.run_id) {
                state.running.push(at_start(&run));
            }
            read_all(state)
        }
        Event::Progress(progress) => {
            state.progress.sample(&progress);
            match state.running.iter_mut().find(|known| known.run_id == progress.run_id) {
                Some(known) => *known = progress,
                None if progress.kind == Kind::Realtime => {}
                None => state.running.push(progress),
            }
            Vec::new()
        }
        Event::RunFinished(run) => {
            state.queued.retain(|queued| queued.run_id != run.run_id);
            state.running.retain(|known| known.run_id != run.run_id);
            [read_all(state), away::ended(state, &run)].concat()
        }
        Event::RunLost { run_id, message } => {
            state.queued.retain(|queued| queued.run_id != run_id);
            state.running.retain(|known| known.run_id != run_id);
            state.warn(&message, None);
            read_all(state)
        }
        Event::Live(live) => {
            // A batch of the watcher's is in the index: its run stays open, and would tell of it only at its end.
            let was_pending = state.live_of(&live.repository).is_some_and(|known| known.pending_hints > 0);
            let is_served = was_pending && live.pending_hints == 0;
            state.live.retain(|known| known.repository != live.repository);
            state.live.push(*live);
            if is_served { read_all(state) } else { Vec::new() }
        }
        Event::Changed => [read_all(state), vec![Effect::AskSchedule]].concat(),
        Event::Ended => engine_ended(state),
    };
    state.progress.retain(&state.running);
    close_answered_questions(state);
    state.sort_entries();
    effects
}

fn engine_found(state: &mut State, stay: Stay) {
    let was_lost = state.engine == Engine::Lost;
    state.engine = if stay == Stay::WhileUsed { Engine::WhileUsed } else { Engine::Other };
    if was_lost {
        state.notices.retain(|notice| notice.text != LOST);
        state.note("an engine runs again");
    }
}

fn engine_ended(state: &mut State) -> Vec<Effect> {
    if state.engine == Engine::Lost {
        return Vec::new();
    }
    let hint = match state.engine {
        Engine::WhileUsed => "another one is being started",
        Engine::Other | Engine::Lost => "the screen goes on when one runs again; q leaves",
    };
    state.engine = Engine::Lost;
    // What it was going to do it will not do.
    state.live.clear();
    state.running.clear();
    state.queued.clear();
    state.warn(LOST, Some(hint.to_owned()));
    read_all(state)
}

/// Closes a question whose object is gone: what it asked about has ended by itself.
fn close_answered_questions(state: &mut State) {
    let is_over = match &state.overlay {
        Some(Overlay::Cancel { name }) => !state.is_busy(name),
        Some(Overlay::Quit) => !act::asks_before_leaving(state),
        _ => false,
    };
    if is_over {
        state.overlay = None;
        state.note("nothing runs any more");
    }
}

fn at_start(run: &Run) -> RunProgress {
    RunProgress {
        run_id: run.run_id.clone(),
        number: run.number,
        repository: run.repository.clone(),
        kind: run.kind,
        elapsed_ms: 0,
        files_done: 0,
        files_total: None,
        bytes_done: 0,
        bytes_total: None,
        files_per_s: 0,
        bytes_per_s: 0,
        eta_ms: None,
        problems: 0,
        current_path: crate::domain::path::RelPath::root(),
    }
}

/// Says what an answer means, where that does not show itself.
pub fn answered(state: &mut State, to: &str, answer: Answer) {
    match answer {
        Answer::Examined(checks) => state.health.take(Some(checks), state.now.wall),
        Answer::Refused(refusal) => {
            if to == health::ABOUT {
                state.health.take(None, state.now.wall);
            }
            state.warn(format!("{to}: {}", refusal.message), refusal.hint);
        }
        Answer::Accepted(runs) if runs.iter().any(|run| run.joined) => {
            state.note(format!("{to}: joined the run that waits"));
        }
        // What was accepted shows itself: the engine tells of every run that is queued.
        Answer::Planned(plans) => plan::take(state, plans),
        Answer::Accepted(_)
        | Answer::Added { .. }
        | Answer::Done { .. }
        | Answer::Completions(_)
        | Answer::Estimated(_) => {}
    }
}

/// Asks for everything that the screen shows.
pub fn read_all(state: &State) -> Vec<Effect> {
    let mut effects = vec![Effect::Read(Query::Overview), Effect::Read(Query::Recent)];
    effects.extend(read_selected(state));
    effects
}

/// Asks for the rows of the selected repository, and of the run that is open.
pub fn read_selected(state: &State) -> Vec<Effect> {
    let Some(id) = state.selected else { return Vec::new() };
    let mut effects = vec![Effect::Read(Query::Repository(id))];
    if let Some(Detail::Run { number, .. }) = state.detail {
        effects.push(Effect::Read(Query::Run { repository: id, number }));
    }
    effects.extend(pane::files::read(state));
    effects.extend(changes::reads(state));
    effects.extend(act::problems::ask(state));
    effects
}

fn take_rows(state: &mut State, rows: Rows) -> Vec<Effect> {
    match rows {
        Rows::Overview { statuses, latest } => {
            state.latest = latest;
            take_statuses(state, statuses)
        }
        Rows::Recent(recent) => {
            state.recent = recent;
            Vec::new()
        }
        Rows::Repository(rows) => {
            // The selection may have moved on since; then its own rows are on their way.
            if state.selected == Some(rows.id) {
                take_repository(state, *rows);
            }
            Vec::new()
        }
        Rows::Files(told) => pane::files::take(state, *told),
        Rows::File(found) => {
            if let Some(Detail::File { path, rows }) = &mut state.detail
                && *path == found.path
                && state.selected == Some(found.repository)
            {
                *rows = Some(found);
            }
            Vec::new()
        }
        Rows::Run(found) => {
            if let Some(Detail::Run { number, rows }) = &mut state.detail
                && *number == found.run.number
            {
                *rows = Some(found);
            }
            Vec::new()
        }
        Rows::Changes(pages) => changes::take(state, pages),
        Rows::Group(query, rows) => changes::take_group(state, &query, rows),
        Rows::Away(since, found) => {
            away::take(state, since, found);
            Vec::new()
        }
        Rows::Problems(found) => {
            act::problems::take(state, *found);
            Vec::new()
        }
        Rows::Decided(decision, members) => act::problems::carry_out(state, &decision, &members),
    }
}

fn take_statuses(state: &mut State, statuses: Vec<IndexStatus>) -> Vec<Effect> {
    let ids = |state: &State| state.entries().iter().map(|entry| entry.status.repository.id).collect::<Vec<_>>();
    let before = ids(state);
    let entries = statuses.into_iter().map(|status| Entry { status, state: repository::State::Stale });
    state.entries = Some(entries.collect());
    state.sort_entries();
    act::problems::close_stale_choice(state);
    let after = ids(state);
    let kept = keep(&before, &after, state.selected.as_ref());
    let arrived = state.forms.arriving.as_ref().and_then(|name| {
        let found = state.entries().iter().find(|entry| entry.status.repository.name == *name)?;
        Some(found.status.repository.id)
    });
    if arrived.is_some() {
        state.forms.arriving = None;
    }
    let effects = act::select(state, arrived.or(kept));
    if before.len() != after.len() {
        changes::narrow(state);
    }
    effects
}

fn take_repository(state: &mut State, rows: RepositoryRows) {
    let numbers = |state: &State| state.listed_runs().iter().map(|run| run.number).collect::<Vec<_>>();
    let (runs_before, causes_before) = (numbers(state), problems::listed_causes(state));
    state.rows = Some(rows);
    state.run_at = keep(&runs_before, &numbers(state), state.run_at.as_ref());
    state.problems.at = keep(&causes_before, &problems::listed_causes(state), state.problems.at.as_ref());
}

/// Returns the selection among new rows: the same one, else the one at its place, else the first.
pub fn keep<K: Clone + PartialEq>(before: &[K], after: &[K], selected: Option<&K>) -> Option<K> {
    if let Some(selected) = selected.filter(|selected| after.contains(selected)) {
        return Some(selected.clone());
    }
    let at = before.iter().position(|key| Some(key) == selected).unwrap_or(0);
    after.get(at.min(after.len().saturating_sub(1))).cloned()
}
