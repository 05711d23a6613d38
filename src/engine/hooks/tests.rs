//! Real programs of every bad habit, and the changes of a real run.

use super::*;
use crate::config::Config;
use crate::domain::repository::State::*;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{AddRepository, Answer, Command, Event, Stay, SyncRequest};
use crate::engine::{Engine, Options};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn hooks(notify: &str, on_change: &str) -> Hooks {
    let argv = |script: &str| if script.is_empty() { Vec::new() } else { shell(script) };
    Hooks { notify: argv(notify), on_change: argv(on_change), timeout: LONG }
}

/// Runs a script that is fed `lines` lines.
fn fed(script: &str, lines: usize, timeout: Duration) -> HookEnd {
    let input = |stdin: &mut dyn Write| (0..lines).try_for_each(|line| writeln!(stdin, "line {line}"));
    run(&shell(script), &[("SAID", "yes".into())], input, timeout)
}

fn check(script: &str, outcome: HookOutcome, output: &str) {
    assert_eq!(fed(script, 2, LONG), HookEnd { outcome, output: output.to_owned() }, "{script}");
}

#[test]
fn a_hook_gets_its_input_and_environment_and_is_heard_on_both_outputs() {
    check("cat; echo $SAID; pwd >&2; exit 3", HookOutcome::Exited(3), "line 0\nline 1\nyes\n/\n");
    check("kill -9 $$", HookOutcome::Signalled(9), "");
    check("exec >&- 2>&-; cat", HookOutcome::Exited(1), "");
    let words = ["printf", "%s|", "a b", "$HOME;"].map(str::to_owned);
    assert_eq!(run(&words, &[], |_| Ok(()), LONG).output, "a b|$HOME;|", "no shell takes the words apart");
}

#[test]
fn a_hook_that_does_not_read_ends_as_it_likes() {
    let end = fed("exec <&-; echo done", 1_000_000, LONG);
    assert_eq!(end, HookEnd { outcome: HookOutcome::Exited(0), output: "done\n".to_owned() });
    let end = fed("head -n 1 >/dev/null", 1_000_000, LONG);
    assert_eq!(end.outcome, HookOutcome::Exited(0));
}

#[test]
fn input_larger_than_a_pipe_passes_a_hook_that_echoes_it() {
    let end = fed("cat | wc -l", 200_000, LONG);
    assert_eq!(end.output.trim(), "200000");
    let end = fed("cat", 200_000, LONG);
    assert_eq!(end.outcome, HookOutcome::Exited(0), "it is read while it is fed");
}

#[test]
fn a_flood_is_cut_off_and_said_so() {
    let end = fed("head -c 100000 /dev/zero | tr '\\0' x", 0, LONG);
    assert_eq!(end.outcome, HookOutcome::Exited(0));
    let rest = end.output.strip_prefix(&"x".repeat(65_536)).unwrap();
    assert_eq!(rest, format!("\n({} more bytes were left out)\n", 100_000 - 65_536));
}

#[test]
fn a_hook_whose_time_is_up_is_ended_with_all_its_children() {
    // Long enough for a shell to begin on a busy machine; all at once, so that it is waited for once.
    let short = Duration::from_secs(5);
    std::thread::scope(|scope| {
        for script in [
            "echo began; sleep 600",
            "echo began; sleep 600 & wait",
            "echo began; exec <&-; while :; do sleep 600; done",
            "trap '' TERM; echo began; sleep 600 & wait; wait",
        ] {
            scope.spawn(move || {
                let began = Instant::now();
                let end = fed(script, 1_000_000, short);
                assert_eq!(end, HookEnd { outcome: HookOutcome::TimedOut, output: "began\n".to_owned() }, "{script}");
                assert!(began.elapsed() < LONG, "{script}");
            });
        }
    });
}

#[test]
fn what_a_hook_leaves_in_the_background_does_not_hold_it_up() {
    let began = Instant::now();
    let end = fed("sleep 600 & echo $!", 1_000_000, LONG);
    assert_eq!(end.outcome, HookOutcome::Exited(0));
    assert!(began.elapsed() < LONG, "its pipes are still open");
    let pid = rustix::process::Pid::from_raw(end.output.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let argv = ["/nowhere/tell\u{1b}".to_owned()];
    let end = run(&argv, &[], |_| Ok(()), LONG);
    let HookOutcome::NotStarted(why) = end.outcome else { panic!("{end:?}") };
    assert!(why.starts_with("/nowhere/tell\\x1b: No such file"), "{why}");
    assert!(matches!(run(&[], &[], |_| Ok(()), LONG).outcome, HookOutcome::NotStarted(_)));
}

#[test]
fn what_is_news_is_what_people_must_act_on_or_need_not_any_more() {
    for (from, to, expected) in [
        (None, InSync, false),
        (None, Failed, true),
        (None, Syncing, false),
        (Some(InSync), Missing, true),
        (Some(InSync), Held, true),
        (Some(Partial), Damaged, true),
        (Some(InSync), Partial, false),
        (Some(Stale), InSync, false),
        (Some(Missing), Missing, false),
        (Some(Missing), Failed, true),
        (Some(Held), Damaged, true),
        (Some(Missing), InSync, true),
        (Some(Failed), Stale, true),
        (Some(Damaged), Partial, true),
        (Some(Failed), Syncing, false),
        (Some(Failed), Pending, false),
        (Some(Failed), Paused, false),
    ] {
        assert_eq!(is_news(from, to), expected, "{from:?} -> {to:?}");
    }
}

#[test]
fn one_notification_tells_of_each_trouble_and_of_its_end() {
    let mut settled = None;
    let mut told = Vec::new();
    for state in [Pending, Syncing, InSync, Syncing, Failed, Syncing, Failed, Paused, Pending, Syncing, InSync, Syncing]
    {
        if is_news(settled, state) {
            told.push(state);
        }
        if is_settled(state) {
            settled = Some(state);
        }
    }
    assert_eq!(told, [Failed, InSync]);
}

#[test]
fn a_notification_says_what_and_of_which_repository() {
    let told = Told {
        repository: "photos".to_owned(),
        path: b"/srv/ph\xff".to_vec(),
        from: InSync,
        to: Missing,
        message: Some("not mounted\u{1b}[2J".to_owned()),
    };
    let script =
        "echo $WATCHKEEPER_REPOSITORY $WATCHKEEPER_STATE $WATCHKEEPER_PREVIOUS_STATE $WATCHKEEPER_MESSAGE; cat";
    let end = notify(&hooks(script, ""), &told).unwrap();
    let (line, json) = end.output.split_once('\n').unwrap();
    assert_eq!(line, "photos missing in_sync not mounted\\x1b[2J");
    let expected = serde_json::json!({
        "repository": "photos", "path": "/srv/ph\\xff", "path_b64": "L3Nydi9waP8=", "state": "missing",
        "previous_state": "in_sync", "message": "not mounted\u{1b}[2J",
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap(), expected);
    assert_eq!(notify(&hooks("", ""), &told), None);
}

/// Indexes an empty tree; returns the run that then finds `files` new files and one that finds nothing.
fn two_runs(temp: &std::path::Path, files: usize) -> (Reader, Run, Run) {
    let (tree, data) = (temp.join("tree"), temp.join("data"));
    std::fs::create_dir(&tree).unwrap();
    std::fs::create_dir(&data).unwrap();
    let options =
        Options { data_directory: data.clone(), config: Config::default(), counts_ahead: false, stay: Stay::Command };
    let engine = Engine::start(options).unwrap();
    let add = AddRepository { path: tree.clone(), ..AddRepository::default() };
    engine.handle.send_blocking(Command::AddRepository(add));
    let sync = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut events = engine.handle.subscribe();
            events.next().await;
            let request = SyncRequest::new(Vec::new(), Kind::Full, Trigger::User);
            let answer = engine.handle.send(Command::Sync(Box::new(request))).await;
            assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
            loop {
                if let Event::RunFinished(run) = events.next().await {
                    return *run;
                }
            }
        })
    };
    // What a first index finds is no change.
    sync();
    (0..files).for_each(|file| std::fs::write(tree.join(format!("f{file}")), "").unwrap());
    let runs = (sync(), sync());
    engine.stop();
    (Reader::open(&data.join("index.db")).unwrap().unwrap(), runs.0, runs.1)
}

#[test]
fn the_changes_of_a_run_reach_its_hook_page_by_page() {
    let temp = tempfile::tempdir().unwrap();
    let files = PAGE as usize * 2 + 1;
    let (reader, found, nothing) = two_runs(temp.path(), files);
    let script =
        "echo $WATCHKEEPER_REPOSITORY $WATCHKEEPER_RUN_ID; ls $WATCHKEEPER_PATH | wc -l; cat | sort -u | wc -l";
    let end = on_change(&hooks("", script), &reader, &found).unwrap();
    assert_eq!(end.output, format!("tree {}\n{files}\n{files}\n", found.run_id));
    let end = on_change(&hooks("", "head -n 1"), &reader, &found).unwrap();
    let change: serde_json::Value = serde_json::from_str(end.output.trim()).unwrap();
    assert_eq!((&change["verdict"], &change["run_id"]), (&"added".into(), &found.run_id.as_str().into()));
    assert_eq!(on_change(&hooks("", "cat"), &reader, &nothing), None, "a run that found nothing is no change");
    assert_eq!(on_change(&hooks("cat", ""), &reader, &found), None);
}
