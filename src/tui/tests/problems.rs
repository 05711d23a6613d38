//! The Problems tab: its screens, and what its keys ask for.

use super::super::event::{Effect, Query};
use super::super::reading::problems::{Ask, Decision, What};
use super::super::state::Overlay;
use super::*;
use crate::domain::run::Kind;
use crate::engine::protocol::{Command, Live};
use crate::index::{Members, Sort};

/// The Problems tab of a repository of the afternoon.
fn problems(name: &str, keys: &str) -> impl Fn(u16, u16) -> State {
    move |width, height| {
        let mut state = afternoon(width, height);
        select(&mut state, name);
        press(&mut state, "4");
        press(&mut state, keys);
        state
    }
}

/// As they were pressed, after the selected cause was opened and read.
fn opened(name: &str, keys: &str, then: &str) -> impl Fn(u16, u16) -> State {
    move |width, height| {
        let mut state = problems(name, keys)(width, height);
        open_problem(&mut state);
        press(&mut state, then);
        state
    }
}

fn commands(effects: Vec<Effect>) -> Vec<Command> {
    let command = |effect| match effect {
        Effect::Send { command, .. } => Some(command),
        _ => None,
    };
    effects.into_iter().filter_map(command).collect()
}

/// Presses keys, and answers what was decided on a whole cause.
fn decide(state: &mut State, keys: &str) -> Vec<Command> {
    let effects = press(state, keys);
    let [Effect::Read(Query::Decided(decision))] = &effects[..] else { return commands(effects) };
    let cause = state.rows.as_ref().unwrap().causes.iter().find(|cause| cause.key == decision.cause).unwrap();
    let members = found("home", cause).members;
    commands(tell(state, Msg::Rows(Rows::Decided(decision.clone(), members))))
}

fn single(command: &Command) -> Vec<String> {
    match command {
        Command::Sync(request) if request.kind == Kind::Single && !request.only_problems => {
            request.paths.iter().map(ToString::to_string).collect()
        }
        other => panic!("not a look at paths: {other:?}"),
    }
}

#[test]
fn causes_come_with_their_hint() {
    check("problems", problems("home", "j"));
}

#[test]
fn a_cause_opens_into_its_paths() {
    check("problems_paths", opened("home", "j", "j j"));
}

#[test]
fn a_path_opens_in_full() {
    check("problems_path", opened("home", "j", "j enter"));
}

#[test]
fn damage_says_what_the_content_was_and_where_a_good_copy_is() {
    check("damage", opened("home", "", ""));
}

#[test]
fn held_removals_are_told_and_chosen() {
    check("held", problems("backup-b", ""));
    check("held_choice", |width, height| {
        let mut state = problems("backup-b", "c")(width, height);
        for letter in "12".chars() {
            tell(&mut state, Msg::Key(Key::Char(letter)));
        }
        state
    });
}

#[test]
fn accepting_damage_asks() {
    check("damage_accept", problems("home", "c"));
}

#[test]
fn esc_goes_back_one_level_and_the_filter_of_the_causes_returns() {
    let mut state = problems("home", "j")(120, 40);
    let place = state.place();
    super::super::act::narrow(&mut state, place, "perm".to_owned());
    let asked = press(&mut state, "enter");
    assert!(matches!(&asked[..], [Effect::Read(Query::Problems(Ask { damaged: None, .. }))]));
    answer_problems(&mut state);
    assert_eq!((state.filter(state.place()), super::super::pane::problems::keys(&state).len()), ("", 204));
    press(&mut state, "j enter");
    assert!(state.detail.is_some());
    press(&mut state, "esc");
    assert!(state.detail.is_none() && state.problems.open.is_some());
    press(&mut state, "esc");
    assert!(state.problems.open.is_none());
    assert_eq!(state.filter(state.place()), "perm");
}

#[test]
fn a_single_path_opens_at_once_and_closes_at_once() {
    let mut state = problems("home", "")(120, 40);
    let asked = press(&mut state, "enter");
    assert!(matches!(&asked[..], [Effect::Read(Query::Problems(Ask { damaged: Some(_), .. }))]), "with good copies");
    answer_problems(&mut state);
    assert!(state.detail.is_some());
    press(&mut state, "esc");
    assert!(state.detail.is_none() && state.problems.open.is_none());
}

#[test]
fn a_copied_path_is_whole_wherever_it_is_copied() {
    let mut state = problems("home", "")(120, 40);
    assert_eq!(press(&mut state, "y"), [Effect::Copy("/srv/home/pictures/IMG_0001.raw".to_owned())]);
    let mut state = opened("home", "j", "")(120, 40);
    let [Effect::Copy(path)] = &press(&mut state, "y")[..] else { panic!("nothing is copied") };
    assert!(path.starts_with("/srv/home/anna/"), "{path}");
}

#[test]
fn what_is_open_and_gone_closes_itself() {
    let mut state = opened("home", "j", "j enter")(120, 40);
    let cause = state.problems.open.as_ref().unwrap().cause.clone();
    let found = super::super::reading::problems::Found { cause, members: Members::Problem(Vec::new()), damaged: None };
    tell(&mut state, Msg::Rows(Rows::Problems(Box::new(found))));
    assert!(state.detail.is_none() && state.problems.open.is_none());
    assert_eq!(state.notices.last().unwrap().text, "it is not open any more");
}

#[test]
fn acknowledging_takes_a_whole_cause_or_one_path() {
    let mut state = problems("home", "j")(120, 40);
    let [Command::AcknowledgeProblems { problem_ids }] = &decide(&mut state, "i")[..] else { panic!("not one") };
    assert_eq!(problem_ids.len(), 204);
    let mut state = opened("home", "j", "j")(120, 40);
    assert_eq!(decide(&mut state, "i"), [Command::AcknowledgeProblems { problem_ids: vec![2] }]);
    let mut state = problems("home", "j j")(120, 40);
    assert_eq!(decide(&mut state, "i"), []);
    assert_eq!(state.notices.last().unwrap().text, "known: it is known already");
}

#[test]
fn looking_again_names_the_paths_until_there_are_too_many() {
    let mut state = problems("home", "")(120, 40);
    assert_eq!(single(&decide(&mut state, "r")[0]), ["pictures/IMG_0001.raw"]);
    assert_eq!(single(&decide(&mut state, "j r")[0]).len(), 204);
    state.rows.as_mut().unwrap().causes[1].paths = 1_001;
    let [Command::Sync(request)] = &decide(&mut state, "r")[..] else { panic!("not one") };
    assert!(request.only_problems && request.paths.is_empty());
}

#[test]
fn what_is_held_is_accepted_by_its_number_and_kept_by_a_word() {
    for (typed, accepts, dismisses) in [
        ("12431", true, false),
        ("12,431", true, false),
        ("keep", false, true),
        ("1243", false, false),
        ("", false, false),
    ] {
        let mut state = problems("backup-b", "c")(120, 40);
        tell(&mut state, Msg::Paste(typed.to_owned()));
        let commands = commands(press(&mut state, "enter"));
        let accepted =
            matches!(&commands[..], [Command::Sync(sync)] if sync.accept_removals && sync.kind == Kind::Cleanup);
        assert_eq!((accepted, matches!(&commands[..], [Command::DismissHeld { .. }])), (accepts, dismisses), "{typed}");
        assert_eq!(state.overlay.is_none(), accepts || dismisses, "{typed}");
    }
}

#[test]
fn what_is_held_is_not_accepted_while_the_root_is_missing_nor_when_it_has_changed() {
    let mut state = problems("backup-b", "")(120, 40);
    let live = Live { repository: "backup-b".to_owned(), is_missing: true, ..Live::default() };
    tell(&mut state, Msg::Engine(Event::Live(Box::new(live))));
    press(&mut state, "c");
    let Some(Overlay::Choose(choice)) = &state.overlay else { panic!("no choice") };
    assert_eq!(choice.answers.iter().map(|answer| answer.word.as_str()).collect::<Vec<_>>(), ["keep"]);
    let mut statuses: Vec<_> = state.entries().iter().map(|entry| entry.status.clone()).collect();
    statuses.iter_mut().for_each(|status| status.held += 1);
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest: Vec::new() }));
    assert_eq!(state.overlay, None);
}

#[test]
fn accepting_damage_needs_a_yes() {
    let mut state = problems("home", "")(120, 40);
    assert_eq!(commands(press(&mut state, "c enter")), []);
    let accepted = commands(press(&mut state, "c y"));
    assert!(matches!(&accepted[..], [Command::AcceptDamage { name, paths }] if name == "home" && paths.len() == 1));
    let cause = &mut state.rows.as_mut().unwrap().causes[0];
    (cause.paths, cause.new_paths) = (3, 3);
    let asked = press(&mut state, "c y");
    let [Effect::Read(Query::Decided(Decision { what: What::AcceptDamage, cause, .. }))] = &asked[..] else { panic!() };
    assert_eq!(cause.sort, Sort::Damage);
}

#[test]
fn a_cause_says_how_many_of_its_paths_are_at_hand() {
    let shown = |all: i64| {
        let mut state = opened("home", "j", "")(120, 40);
        let open = state.problems.open.as_mut().unwrap();
        let Some(Members::Problem(problems)) = &mut open.members else { panic!("no problems") };
        let one = problems[0].clone();
        problems.resize(5_000, one);
        state.rows.as_mut().unwrap().causes[1].paths = all;
        text(&draw(&state))
    };
    assert!(shown(7_204).contains("5,000 of 7,204 paths"));
    let all = shown(5_000);
    assert!(all.contains("  5,000 paths") && !all.contains("5,000 of"), "{all}");
}
