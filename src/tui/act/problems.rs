//! What can be done about what is damaged, held or could not be read: open it, look again, acknowledge, choose. Pure.

use super::super::event::{Effect, Query};
use super::super::field::Field;
use super::super::keymap::Can;
use super::super::pane::problems::{Open, keys, listed, selected};
use super::super::reading::problems::{Ask, Decision, Found, What};
use super::super::state::{Choice, Detail, Entry, Overlay, Place, Question, State, Tab, Typed};
use super::super::trouble::{Key, Trouble};
use super::super::update::{keep, read_all};
use crate::domain::amount;
use crate::domain::guard::Reason;
use crate::domain::path::RelPath;
use crate::domain::repository::State as Word;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};
use crate::index::{Cause, CauseKey, Members, Sort};

/// More paths than this are not named one by one in a request.
const MOST_NAMED: usize = 1_000;
/// Nor are more bytes of paths: a request to another process has a limit.
const MOST_NAMED_BYTES: usize = 256 * 1024;
/// As many problems are acknowledged by one command.
const ACKNOWLEDGED_AT_ONCE: usize = 10_000;
/// What dismisses a hold when it is typed.
const KEEP: &str = "keep";
/// Said of what is not there any more when it was opened or decided on.
const GONE: &str = "it is not open any more";
/// How many causes a question names.
const NAMED: usize = 3;

/// Opens the selected cause, or the selected path of the one that is open.
pub fn open(state: &mut State) -> Vec<Effect> {
    state.scroll = 0;
    match selected(state) {
        Some(Trouble::Cause(cause)) => {
            let (key, place, is_one) = (cause.key.clone(), cause.place.clone(), cause.paths == 1);
            let view = state.views.entry(Place::Tab(Tab::Problems)).or_default();
            let filter = std::mem::take(&mut view.filter);
            let at = is_one.then(|| place.clone());
            state.problems.open = Some(Open { cause: key, members: None, at, damaged: None, filter });
            state.detail = is_one.then_some(Detail::Trouble(Key::Path(place)));
            ask(state)
        }
        Some(trouble) => {
            let is_damaged = trouble.sort() == Sort::Damage;
            state.detail = Some(Detail::Trouble(trouble.key()));
            if is_damaged { ask(state) } else { Vec::new() }
        }
        None => Vec::new(),
    }
}

/// Asks for the paths of the cause that is open, and for the good copies of the damaged file that is.
pub fn ask(state: &State) -> Vec<Effect> {
    let (Some(open), Some(repository)) = (&state.problems.open, state.selected) else { return Vec::new() };
    let damaged = match &state.detail {
        Some(Detail::Trouble(Key::Path(path))) if open.cause.sort == Sort::Damage => Some(path.clone()),
        _ => None,
    };
    vec![Effect::Read(Query::Problems(Ask { repository, cause: open.cause.clone(), damaged }))]
}

/// Tells whether the paths of a cause stand in the table's place, and nothing narrows them.
pub fn is_open(state: &State) -> bool {
    state.tab == Tab::Problems && state.problems.open.is_some() && state.filter(Place::Tab(Tab::Problems)).is_empty()
}

/// Goes back from a path to the others of its cause; a single one has none.
pub fn close_path(state: &mut State) {
    let members = state.problems.open.as_ref().and_then(|open| open.members.as_ref());
    if members.is_none_or(|members| members.len() <= 1) {
        close(state);
    }
}

/// Goes back to the causes.
pub fn close(state: &mut State) {
    if let Some(open) = state.problems.open.take() {
        state.views.entry(Place::Tab(Tab::Problems)).or_default().filter = open.filter;
    }
}

/// Takes the paths of the cause that is open.
pub fn take(state: &mut State, found: Found) {
    let before = keys(state);
    let Some(open) = state.problems.open.as_mut().filter(|open| open.cause == found.cause) else { return };
    open.damaged = found.damaged.or(open.damaged.take());
    open.members = Some(found.members);
    let at = keep(&before, &keys(state), state.problems.selected().as_ref());
    state.problems.select(at);
    let is_gone = match &state.detail {
        Some(Detail::Trouble(key)) => !listed(state).iter().any(|trouble| trouble.key() == *key),
        _ => false,
    };
    let is_empty = state.problems.open.as_ref().and_then(|open| open.members.as_ref()).is_some_and(Members::is_empty);
    if is_gone || is_empty {
        state.note(GONE);
    }
    if is_gone {
        (state.detail, state.scroll) = (None, 0);
    }
    if is_empty {
        close(state);
    }
}

/// Looks at the selected paths again, whatever is wrong with them.
pub fn look_again(state: &State) -> Vec<Effect> {
    match selected(state) {
        Some(Trouble::Cause(cause)) if cause.paths == 1 => look_at(state, vec![cause.place.clone()]),
        Some(Trouble::Cause(cause)) => decide(state, &cause.key, What::LookAgain),
        Some(trouble) => look_at(state, vec![trouble.path().clone()]),
        None => Vec::new(),
    }
}

fn look_at(state: &State, paths: Vec<RelPath>) -> Vec<Effect> {
    state.name().map(|name| vec![look_at_in(name, paths)]).unwrap_or_default()
}

fn look_at_in(name: &str, paths: Vec<RelPath>) -> Effect {
    let request = SyncRequest { paths, ..SyncRequest::new(vec![name.to_owned()], Kind::Single, Trigger::User) };
    Effect::Send { command: Command::Sync(Box::new(request)), about: format!("look again in {name}") }
}

/// Looks at all paths with open problems again.
pub fn look_at_all(state: &State) -> Vec<Effect> {
    state.name().map(|name| vec![look_at_all_in(name)]).unwrap_or_default()
}

fn look_at_all_in(name: &str) -> Effect {
    let request =
        SyncRequest { only_problems: true, ..SyncRequest::new(vec![name.to_owned()], Kind::Single, Trigger::User) };
    Effect::Send { command: Command::Sync(Box::new(request)), about: format!("look at the problems of {name} again") }
}

/// Marks the selected problems as known.
pub fn acknowledge(state: &State) -> Vec<Effect> {
    match selected(state) {
        Some(Trouble::Cause(cause)) => decide(state, &cause.key, What::Acknowledge),
        Some(Trouble::Problem(problem)) => acknowledge_ids(&[problem.problem_id]),
        _ => Vec::new(),
    }
}

fn acknowledge_ids(ids: &[i64]) -> Vec<Effect> {
    let send = |part: &[i64]| Effect::Send {
        command: Command::AcknowledgeProblems { problem_ids: part.to_vec() },
        about: format!("acknowledge {}", amount::plural(part.len() as u64, "problem", "problems")),
    };
    ids.chunks(ACKNOWLEDGED_AT_ONCE).map(send).collect()
}

fn decide(state: &State, cause: &CauseKey, what: What) -> Vec<Effect> {
    let (Some(repository), Some(name)) = (state.selected, state.name()) else { return Vec::new() };
    let decision = Decision { repository, name: name.to_owned(), cause: cause.clone(), what };
    vec![Effect::Read(Query::Decided(decision))]
}

/// Carries out what was decided on a whole cause, now that its paths are known.
pub fn carry_out(state: &mut State, decision: &Decision, members: &Members) -> Vec<Effect> {
    let name = &decision.name;
    let paths: Vec<RelPath> = match members {
        Members::Damage(damage) => damage.iter().map(|damage| damage.path.clone()).collect(),
        Members::Held(held) => held.iter().map(|held| held.path.clone()).collect(),
        Members::Problem(problems) => problems.iter().map(|problem| problem.path.clone()).collect(),
    };
    if paths.is_empty() {
        state.note(GONE);
        return read_all(state);
    }
    let bytes: usize = paths.iter().map(|path| path.as_bytes().len()).sum();
    let is_short = paths.len() <= MOST_NAMED && bytes <= MOST_NAMED_BYTES;
    match (decision.what, members) {
        (What::Acknowledge, Members::Problem(problems)) => {
            let new = problems.iter().filter(|problem| problem.acknowledged_at.is_none());
            acknowledge_ids(&new.map(|problem| problem.problem_id).collect::<Vec<_>>())
        }
        (What::Acknowledge, Members::Damage(_) | Members::Held(_)) => Vec::new(),
        (What::LookAgain, _) if is_short => vec![look_at_in(name, paths)],
        (What::LookAgain, Members::Problem(_)) => {
            state.note("too many to be named one by one: all open problems are looked at again");
            vec![look_at_all_in(name)]
        }
        (What::LookAgain, _) => vec![look_at_in(name, vec![decision.cause.directory.clone()])],
        (What::AcceptDamage, _) => {
            let about = format!("accept {} of {name}", amount::plural(paths.len() as u64, "file", "files"));
            vec![Effect::Send { command: Command::AcceptDamage { name: name.clone(), paths }, about }]
        }
    }
}

/// Asks what is to become of the selected damage, or else of what is held.
pub fn choose(state: &mut State) {
    let damaged = selected_damage(state).map(|trouble| accept_question(state, &trouble));
    state.overlay = match damaged {
        Some(question) => question.map(Overlay::Ask),
        None => held_choice(state).map(Overlay::Choose),
    };
}

/// Tells whether there is anything to be chosen.
pub fn can_choose(state: &State) -> Can {
    if selected_damage(state).is_some() || held_causes(state).next().is_some() {
        Ok(())
    } else {
        Err("nothing is held, and no damage is selected")
    }
}

/// Tells whether the selected row can be acknowledged.
pub fn can_acknowledge(state: &State) -> Can {
    match row(state) {
        None => Err("no problem is selected"),
        Some(trouble) if trouble.sort() == Sort::Damage => Err("damage stays until it is gone or accepted: c"),
        Some(trouble) if trouble.sort() == Sort::Held => Err("c chooses what becomes of it"),
        Some(trouble) if trouble.is_settled() => Err("it is known already"),
        Some(_) => Ok(()),
    }
}

/// Tells whether a row is selected that can be looked at again.
pub fn can_look_again(state: &State) -> Can {
    if row(state).is_some() { Ok(()) } else { Err("no problem is selected") }
}

/// Returns the selected row while the tab has the keys.
fn row(state: &State) -> Option<Trouble<'_>> {
    if state.place() == Place::Tab(Tab::Problems) { selected(state) } else { None }
}

fn selected_damage(state: &State) -> Option<Trouble<'_>> {
    row(state).filter(|trouble| trouble.sort() == Sort::Damage)
}

fn held_causes(state: &State) -> impl Iterator<Item = &Cause> {
    state.rows.iter().flat_map(|rows| &rows.causes).filter(|cause| cause.key.sort == Sort::Held)
}

fn accept_question(state: &State, trouble: &Trouble<'_>) -> Option<Question> {
    let (name, paths) = (state.name()?, trouble.paths());
    let then = match trouble {
        Trouble::Cause(cause) if cause.paths > 1 => decide(state, &cause.key, What::AcceptDamage),
        _ => vec![Effect::Send {
            command: Command::AcceptDamage { name: name.to_owned(), paths: vec![trouble.path().clone()] },
            about: format!("accept {}", trouble.path()),
        }],
    };
    let (title, these) = match paths {
        1 => ("Accept the damaged file as it is?".to_owned(), "its hash from now on"),
        paths => (format!("Accept {} damaged files as they are?", amount::count(paths)), "their hashes from now on"),
    };
    Some(Question {
        title,
        words: vec![
            format!("{}: {}", name, trouble.path()),
            "The recorded hash is forgotten: no one can tell any more what the content was.".to_owned(),
            "Files on disk are never touched.".to_owned(),
        ],
        yes: format!("take what is there now as {these}"),
        then,
        typed: None,
    })
}

/// Returns the question about everything that is held in the selected repository.
fn held_choice(state: &State) -> Option<Choice> {
    let entry = state.entry()?;
    let (id, name) = (entry.status.repository.id, entry.status.repository.name.clone());
    let sum = |of: fn(&Cause) -> i64| held_causes(state).map(of).sum::<i64>().unsigned_abs();
    let (files, bytes) = (sum(|cause| cause.files), sum(|cause| cause.bytes));
    let gone = amount::plural(files, "file", "files");
    let mut words = vec![format!("{gone}, {}, would leave the index:", amount::bytes(bytes))];
    let causes: Vec<&Cause> = held_causes(state).collect();
    words.extend(causes.iter().take(NAMED).map(|cause| {
        let why = Reason::parse(&cause.key.class).map_or("gone", Reason::sentence);
        format!("{}: {}: {why}", cause.place, amount::plural(cause.files.unsigned_abs(), "file", "files"))
    }));
    if causes.len() > NAMED {
        words.push(format!("and {} more places", causes.len() - NAMED));
    }
    words.push("Files on disk are never touched.".to_owned());
    let mut answers = Vec::new();
    match why_not_accepted(state, entry) {
        Some(why) => words.push(why.to_owned()),
        None => answers.push(Typed {
            word: files.to_string(),
            what: "look again; what is still gone leaves the index".to_owned(),
            then: vec![accept(&name)],
        }),
    }
    if entry.status.undecided > 0 {
        let command = Command::DismissHeld { names: vec![name.clone()] };
        answers.push(Typed {
            word: KEEP.to_owned(),
            what: "keep the records; asked again when more goes".to_owned(),
            then: vec![Effect::Send { command, about: format!("keep what is held in {name}") }],
        });
    }
    let title = format!("What is held in {name}");
    Some(Choice { title, words, answers, field: Field::default(), about: (id, entry.status.held) })
}

fn accept(name: &str) -> Effect {
    let request =
        SyncRequest { accept_removals: true, ..SyncRequest::new(vec![name.to_owned()], Kind::Cleanup, Trigger::User) };
    Effect::Send { command: Command::Sync(Box::new(request)), about: format!("accept what is held in {name}") }
}

/// Returns why what is held cannot be accepted now; a run would be refused for the same reason.
fn why_not_accepted(state: &State, entry: &Entry) -> Option<&'static str> {
    let is_root = |cause: &Cause| {
        cause.place.is_root() && cause.paths == 1 && cause.key.class == Reason::FilesystemChanged.as_str()
    };
    if entry.state == Word::Missing {
        Some("They cannot be accepted while the root is missing.")
    } else if held_causes(state).any(is_root) {
        Some(
            "They cannot be accepted while the root is on another file system: mount the right one, or change its path.",
        )
    } else {
        None
    }
}

/// Takes the answer that was typed; anything else is none.
pub fn answer(state: &mut State, choice: Choice) -> Vec<Effect> {
    // The number may be typed as it is shown above.
    let typed = choice.field.text().trim().replace(',', "");
    match choice.answers.iter().find(|answer| answer.word == typed) {
        Some(answer) => answer.then.clone(),
        None => {
            state.overlay = Some(Overlay::Choose(choice));
            Vec::new()
        }
    }
}

/// Closes a question about what is held when that is not the same any more.
pub fn close_stale_choice(state: &mut State) {
    let Some(Overlay::Choose(Choice { about: (id, held), .. })) = &state.overlay else { return };
    let is_same = |entry: &Entry| entry.status.repository.id == *id && entry.status.held == *held;
    if !state.entries().iter().any(is_same) {
        state.overlay = None;
        state.note("what is held has changed; choose again");
    }
}
