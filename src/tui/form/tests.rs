//! What keys and answers do to forms.

use crossterm::event::KeyCode;

use super::*;
use crate::domain::run::{Kind, Trigger};
use crate::engine::estimate::Estimate;
use crate::engine::protocol::{Answer, Completions, Estimated, Refusal};
use crate::tui::event::{Msg, Rows};
use crate::tui::fixture::*;
use crate::tui::keymap::Key;

fn state() -> State {
    let mut state = idle(80, 24);
    state.forms.here = Here { home: Some("/home/anna".into()), directory: "/srv".into(), ..Here::default() };
    state
}

fn type_in(state: &mut State, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| tell(state, Msg::Key(Key::Char(c)))).collect()
}

fn form(state: &State) -> &Form {
    match &state.overlay {
        Some(Overlay::Form(form)) => form,
        other => panic!("no form: {other:?}"),
    }
}

fn texts(state: &State) -> Vec<&str> {
    form(state).blanks.iter().map(|blank| blank.field.text()).collect()
}

/// The questions among effects.
fn asked(effects: &[Effect]) -> Vec<(Ticket, Command)> {
    let question = |effect: &Effect| match effect {
        Effect::Ask { ticket, command, .. } => Some((*ticket, command.clone())),
        _ => None,
    };
    effects.iter().filter_map(question).collect()
}

fn answer(state: &mut State, ticket: Ticket, answer: Answer) -> Vec<Effect> {
    tell(state, Msg::Told { ticket, about: String::new(), answer })
}

fn found(directories: &[&str]) -> Answer {
    Answer::Completions(Completions { directories: directories.iter().map(PathBuf::from).collect(), is_cut: false })
}

fn estimated(files: u64, whole: Option<&str>) -> Answer {
    let estimate = Estimate { files, bytes: 12_000, watches_needed: 3, watches_free: Some(90), ..Estimate::default() };
    let whole = whole.map(str::to_owned);
    Answer::Estimated(Box::new(Estimated { path: "/srv/music".into(), name: "music".to_owned(), whole, estimate }))
}

/// Opens the form, types a path and lets it be counted.
fn counted(state: &mut State, whole: Option<&str>) {
    press(state, "a");
    type_in(state, "music");
    let effects = press(state, "enter");
    let [(ticket, Command::Estimate(add))] = &asked(&effects)[..] else { panic!("not counted: {effects:?}") };
    assert_eq!(add.path, PathBuf::from("/srv/music"));
    answer(state, *ticket, estimated(7, whole));
}

#[test]
fn tab_completes_as_far_as_it_is_clear_and_then_goes_on() {
    let mut state = state();
    let first = press(&mut state, "a");
    let [(ticket, Command::Complete { path })] = &asked(&first)[..] else { panic!("{first:?}") };
    assert_eq!(path, &PathBuf::from("/srv/"));
    assert_eq!(asked(&type_in(&mut state, "mu")), [], "one question at a time");
    let next = answer(&mut state, *ticket, found(&["/srv/music", "/srv/other"]));
    let [(ticket, Command::Complete { path })] = &asked(&next)[..] else { panic!("{next:?}") };
    assert_eq!(path, &PathBuf::from("/srv/mu"));
    press(&mut state, "tab");
    assert_eq!(texts(&state)[0], "mu", "the answer is not there yet");
    answer(&mut state, *ticket, found(&["/srv/music", "/srv/music old"]));
    assert_eq!(texts(&state)[0], "music", "Tab has waited for it");
    press(&mut state, "tab");
    assert_eq!((form(&state).at, texts(&state)[0]), (0, "music"), "there are two of them");
    type_in(&mut state, "/");
    press(&mut state, "tab");
    assert_eq!(form(&state).at, 1);
    assert_eq!(form(&state).blanks[1].note, "music", "the name is suggested");
}

#[test]
fn tab_waits_also_for_the_answer_that_is_still_to_be_asked() {
    let mut state = state();
    let first = asked(&press(&mut state, "a"))[0].0;
    type_in(&mut state, "mu");
    press(&mut state, "tab");
    let next = answer(&mut state, first, found(&["/srv/music", "/srv/other"]));
    answer(&mut state, asked(&next)[0].0, found(&["/srv/music"]));
    assert_eq!((texts(&state)[0], form(&state).blanks[1].note.as_str()), ("music/", "music"));
}

#[test]
fn a_tilde_is_the_home_directory_and_stays_as_it_was_typed() {
    let mut state = state();
    press(&mut state, "a");
    let here = &state.forms.here;
    for (typed, path) in [("~/pic", "/home/anna/pic"), ("~", "/home/anna"), ("~x", "/srv/~x"), ("/x/", "/x/")] {
        assert_eq!(here.absolute(typed), PathBuf::from(path));
    }
    let first = asked(&press(&mut state, "esc a"))[0].0;
    type_in(&mut state, "~/pi");
    let next = answer(&mut state, first, found(&[]));
    answer(&mut state, asked(&next)[0].0, found(&["/home/anna/pictures"]));
    press(&mut state, "tab");
    assert_eq!(texts(&state)[0], "~/pictures/");
}

#[test]
fn an_addition_is_counted_first_and_synced_with_what_was_counted() {
    let mut state = state();
    counted(&mut state, None);
    let effects = press(&mut state, "enter");
    let [(ticket, Command::AddRepository(add))] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((add.path.clone(), add.name.clone()), ("/srv/music".into(), None));
    assert_eq!(press(&mut state, "enter"), [], "it is on its way");
    let effects = answer(&mut state, *ticket, Answer::Added { name: "music".to_owned(), is_new: true });
    assert_eq!(state.overlay, None);
    let [Effect::Send { command: Command::Sync(request), .. }] = &effects[..] else { panic!("{effects:?}") };
    let expected = request.expected.map(|expected| (expected.files, expected.bytes));
    assert_eq!((request.kind, request.trigger, expected), (Kind::Full, Trigger::Startup, Some((7, 12_000))));
    let mut statuses = quiet();
    statuses.push(status(9, "music", 0, 0, crate::domain::run::Outcome::Completed, 0));
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest: Vec::new() }));
    assert_eq!(state.name(), Some("music"));
}

#[test]
fn what_was_counted_for_another_path_is_dropped() {
    let mut state = state();
    press(&mut state, "a");
    type_in(&mut state, "music");
    let old = asked(&press(&mut state, "enter"))[0].0;
    type_in(&mut state, "2");
    answer(&mut state, old, estimated(7, None));
    let effects = press(&mut state, "enter");
    let [(_, Command::Estimate(add))] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(add.path, PathBuf::from("/srv/music2"));
    assert_eq!(press(&mut state, "enter"), [], "it waits for the count");
}

#[test]
fn a_whole_home_directory_is_added_only_when_that_is_meant() {
    let mut state = state();
    counted(&mut state, Some("your whole home directory"));
    assert_eq!(asked(&press(&mut state, "enter")), []);
    assert_eq!(form(&state).at, 4);
    assert!(form(&state).fault.as_ref().unwrap().words.contains("your whole home directory"));
    type_in(&mut state, "y");
    assert_eq!(texts(&state)[4], "yes");
    assert!(matches!(asked(&press(&mut state, "enter"))[..], [(_, Command::AddRepository(_))]));
}

#[test]
fn a_refusal_stands_in_the_form_or_is_a_notice_when_it_was_left() {
    for is_left in [false, true] {
        let mut state = state();
        press(&mut state, "a esc");
        open(&mut state, Which::Rename);
        tell(&mut state, Msg::Key(Key::Ctrl('u')));
        type_in(&mut state, "pictures");
        let effects = press(&mut state, "enter");
        let [(ticket, Command::RenameRepository { name, new_name })] = &asked(&effects)[..] else { panic!() };
        assert_eq!((name.as_str(), new_name.as_str()), ("mail", "pictures"));
        if is_left {
            press(&mut state, "esc");
        }
        let refused = Answer::Refused(Refusal::new("conflict", "it is taken"));
        tell(&mut state, Msg::Told { ticket: *ticket, about: "rename mail".to_owned(), answer: refused });
        if is_left {
            assert_eq!(state.notices[0].text, "rename mail: it is taken");
        } else {
            assert_eq!(form(&state).fault.as_ref().unwrap().words, "it is taken");
            type_in(&mut state, "2");
            assert_eq!(form(&state).fault, None);
        }
    }
}

#[test]
fn esc_leaves_everything_as_it_was() {
    for which in [Which::Add, Which::Rename, Which::Move, Which::Set, Which::SyncPath, Which::Schedule] {
        let mut state = state();
        open(&mut state, which);
        type_in(&mut state, "x=y");
        assert_eq!(asked(&press(&mut state, "esc")), []);
        assert_eq!((state.overlay.is_none(), state.asked.clone()), (true, None), "{which:?}");
    }
}

#[test]
fn texts_become_the_command_that_they_say() {
    let check = |which, typed: &str, expected: &str| {
        let mut state = state();
        state.forms.scheduler.settings = vec![("full_every".to_owned(), "24h".to_owned())];
        open(&mut state, which);
        tell(&mut state, Msg::Key(Key::Ctrl('u')));
        type_in(&mut state, typed);
        let effects = press(&mut state, "enter");
        let line = asked(&effects).pop().and_then(|(_, command)| crate::tui::command_line::command_line(&command));
        let fault = match &state.overlay {
            Some(Overlay::Form(form)) => form.fault.as_ref().map(|fault| fault.words.clone()),
            _ => None,
        };
        assert_eq!(line.or(fault).unwrap(), expected, "{typed}");
    };
    check(Which::Set, "exclude=*.tmp,a b", "watchkeeper repo set mail 'exclude=*.tmp,a b'");
    check(Which::Set, "exclude", "write key=value");
    check(Which::Move, "~/mail", "watchkeeper repo set mail path=/home/anna/mail");
    check(Which::SyncPath, "a/b/", "watchkeeper sync mail --path a/b");
    check(Which::SyncPath, "../x", "../x: must not hold . or ..");
    check(Which::Schedule, "full_every=12h", "watchkeeper scheduler set full_every=12h");
    check(Which::Rename, "-x", &crate::domain::repository::check_name("-x").unwrap_err());
}

#[test]
fn days_are_synced_by_the_date_pattern() {
    let mut state = state();
    open(&mut state, Which::SyncDates);
    assert_eq!(state.overlay, None, "without a pattern there are no days");
    let mut statuses = quiet();
    let pattern = crate::domain::date_pattern::DatePattern::parse("%Y/%m/%d.md").unwrap();
    statuses.iter_mut().for_each(|status| status.repository.settings.date_pattern = Some(pattern.clone()));
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest: Vec::new() }));
    open(&mut state, Which::SyncDates);
    assert_eq!(texts(&state), ["2026-11-20", "2026-11-20"]);
    tell(&mut state, Msg::Key(Key::Named(KeyCode::Backspace)));
    type_in(&mut state, "1");
    assert_eq!(press(&mut state, "enter"), []);
    assert_eq!(form(&state).fault, Some(Fault::at(1, "is before the first day")));
    press(&mut state, "up");
    tell(&mut state, Msg::Key(Key::Ctrl('u')));
    type_in(&mut state, "2026-11-19");
    let effects = press(&mut state, "enter");
    let [(_, Command::Sync(request))] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((request.kind, request.paths.len()), (Kind::Single, 2));
}

#[test]
fn a_directory_whose_name_ends_in_a_blank_is_meant_as_it_is_typed() {
    let mut state = state();
    press(&mut state, "a");
    type_in(&mut state, "/srv/odd ");
    let questions = asked(&press(&mut state, "enter"));
    let estimate = questions.iter().find_map(|(_, command)| match command {
        Command::Estimate(add) => Some(add.path.clone()),
        _ => None,
    });
    assert_eq!(estimate, Some(PathBuf::from("/srv/odd ")));
}
