//! The client against the server: nothing is lost on the way there and back.

use super::{World, progress_of, run_of};
use crate::api::{connect, event, snapshot};
use crate::domain::change::{Change, Verdict};
use crate::domain::date_pattern::DatePattern;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::StoredChange;
use crate::domain::repository::{Selection, Settings};
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::domain::status::WatchMode;
use crate::engine::doctor::{Check, State};
use crate::engine::estimate::Estimate;
use crate::engine::protocol::{
    AddRepository, Answer, Command, Completions, Estimated, Event, Expected, Live, NextRun, Plan, QueuedRun, Refusal,
    SchedulerCommand, SchedulerStatus, Snapshot, Stay, SyncRequest,
};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

fn a_snapshot() -> Snapshot {
    let next = NextRun { repository: "a".to_owned(), kind: Kind::Verify, at: Timestamp(5_000) };
    Snapshot {
        queued: vec![a_queued_run()],
        running: vec![progress_of("a", Kind::Full)],
        live: vec![Live {
            repository: "a".to_owned(),
            watch_mode: WatchMode::Mixed,
            watched_directories: 1,
            unwatched_directories: 2,
            pending_hints: 3,
            true_as_of: Some(Timestamp(4_000)),
            behind: Some("an overflow".to_owned()),
            is_missing: true,
            next_runs: vec![next.clone()],
        }],
        scheduler: SchedulerStatus {
            running: true,
            settings: [("startup", "full"), ("full_every", "24h"), ("full_at", "")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            next: vec![next],
            runs_started: 1,
            runs_skipped: 2,
        },
        stay: Stay::WhileUsed,
    }
}

fn a_queued_run() -> QueuedRun {
    QueuedRun { repository: "a".to_owned(), run_id: "01JF".to_owned(), kind: Kind::Cleanup, joined: true }
}

fn paths() -> Vec<RelPath> {
    vec![RelPath::from_stored(b"d/\xfe".to_vec()), RelPath::from_stored("ü \" x".as_bytes().to_vec())]
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let events = [
        Event::Snapshot(a_snapshot()),
        Event::RunQueued(a_queued_run()),
        Event::RunStarted(Box::new(run_of("a", None))),
        Event::Progress(progress_of("a", Kind::Realtime)),
        Event::RunFinished(Box::new(run_of("a", Some(Outcome::Held)))),
        Event::RunLost { run_id: "01".to_owned(), message: "line\nline".to_owned() },
        Event::Live(Box::new(a_snapshot().live[0].clone())),
        Event::Changed,
        Event::Ended,
    ];
    for written in events {
        let (name, json) = event::write(&written);
        assert_eq!(event::read(name, &json.to_string()), Some(written), "{json}");
    }
    assert_eq!(event::read("news", "{}"), None);
}

#[test]
fn every_command_reaches_the_engine_as_it_was_sent() {
    let world = World::idle();
    let client = connect(&world.socket).unwrap();
    let names = || vec!["a".to_owned()];
    let changes = || vec![("exclude".to_owned(), "x,y".to_owned()), ("path".to_owned(), "/b".to_owned())];
    let add = AddRepository {
        path: "/ph otos".into(),
        name: Some("p".to_owned()),
        settings: Settings {
            selection: Selection { include: names(), hidden: true, ..Selection::default() },
            date_pattern: DatePattern::parse("%Y/%m/%d").ok(),
            overrides: vec![("sync.hash".to_owned(), "none".to_owned())],
        },
        if_not_exists: true,
    };
    let sync = |kind| SyncRequest::new(Vec::new(), kind, Trigger::Startup);
    let budget = SyncRequest {
        max_bytes: Some(9),
        max_time: Some(Duration::from_millis(8)),
        note: Some("n".to_owned()),
        expected: Some(Expected { files: 3, bytes: 40 }),
        ..SyncRequest::new(names(), Kind::Verify, Trigger::User)
    };
    let commands = [
        Command::AddRepository(add.clone()),
        Command::Estimate(Box::new(add)),
        Command::Complete { path: "/srv/mu".into() },
        Command::Complete { path: std::ffi::OsStr::from_bytes(b"/srv/\xff/").into() },
        Command::SetRepository { name: "a".to_owned(), changes: changes() },
        Command::RenameRepository { name: "a b/../%".to_owned(), new_name: "b".to_owned() },
        Command::RemoveRepository { name: "..".to_owned() },
        Command::Pause { names: names() },
        Command::Resume { names: Vec::new() },
        Command::Sync(Box::new(SyncRequest { window: Some(Duration::from_secs(7)), ..sync(Kind::Incremental) })),
        Command::Sync(Box::new(SyncRequest { accept_removals: true, ..sync(Kind::Cleanup) })),
        Command::Sync(Box::new(SyncRequest { plan: true, ..sync(Kind::Full) })),
        Command::Sync(Box::new(SyncRequest { only_problems: true, ..sync(Kind::Single) })),
        Command::Sync(Box::new(SyncRequest {
            paths: vec![paths()[1].clone(), paths()[0].clone()],
            ..sync(Kind::Single)
        })),
        Command::Sync(Box::new(budget)),
        Command::Cancel { names: names(), run: None },
        Command::Cancel { names: Vec::new(), run: Some("17".to_owned()) },
        Command::DismissHeld { names: Vec::new() },
        Command::AcceptDamage { name: "a".to_owned(), paths: vec![paths()[0].clone()] },
        Command::AcknowledgeProblems { problem_ids: vec![1, 2] },
        Command::Examine,
        Command::Scheduler(SchedulerCommand::Start),
        Command::Scheduler(SchedulerCommand::Stop),
        Command::Scheduler(SchedulerCommand::Set(vec![("full_at".to_owned(), String::new())])),
    ];
    for command in commands {
        assert_eq!(client.handle.send_blocking(command.clone()), Answer::Done { count: 1 }, "{command:?}");
        assert_eq!(world.heard.lock().unwrap().pop(), Some(command));
    }
    let Answer::Refused(refusal) = client.handle.send_blocking(Command::Shutdown) else { panic!("it was ended") };
    assert_eq!(refusal.code, "usage");
    assert!(world.heard.lock().unwrap().is_empty());
}

#[test]
fn every_answer_comes_back_as_it_was_given() {
    let change = StoredChange {
        run_id: "01".to_owned(),
        repository: "a".to_owned(),
        at: Timestamp(1),
        change: Change {
            verdict: Verdict::Moved,
            path: paths()[0].clone(),
            old_path: Some(paths()[1].clone()),
            directory_files: Some(3),
            old_size_bytes: Some(1),
            new_size_bytes: None,
            old_sha256: Some([0xab; 32]),
            new_sha256: None,
            note: None,
        },
        note: Some("odd".to_owned()),
    };
    let check = Check {
        name: "watches".to_owned(),
        state: State::Warn,
        message: "few".to_owned(),
        hint: Some("raise".to_owned()),
        value: serde_json::json!({ "free": 3 }),
    };
    let answers = [
        Answer::Examined(vec![check]),
        Answer::Accepted(vec![a_queued_run()]),
        Answer::Added { name: "a".to_owned(), is_new: true },
        Answer::Completions(Completions {
            directories: vec!["/a b".into(), std::ffi::OsStr::from_bytes(b"/\xfe").into()],
            is_cut: true,
        }),
        Answer::Estimated(Box::new(Estimated {
            path: std::ffi::OsStr::from_bytes(b"/\xfe").into(),
            name: "a".to_owned(),
            whole: Some("your whole home directory".to_owned()),
            estimate: Estimate {
                files: 1,
                bytes: 2,
                watches_needed: 3,
                unreadable: 4,
                is_cut: true,
                ..Estimate::default()
            },
        })),
        Answer::Done { count: 0 },
        Answer::Planned(vec![Plan { run: run_of("a", Some(Outcome::Completed)), changes: vec![change] }]),
        Answer::Refused(Refusal { code: "conflict", message: "no".to_owned(), hint: Some("wait".to_owned()) }),
        Answer::Refused(Refusal::new("unknown_repository", "none")),
    ];
    for answer in answers {
        let given = answer.clone();
        let world = World::new(Snapshot::default(), move |_| given.clone());
        let client = connect(&world.socket).unwrap();
        let request = SyncRequest::new(Vec::new(), Kind::Full, Trigger::User);
        assert_eq!(client.handle.send_blocking(Command::Sync(Box::new(request))), answer);
    }
}

#[test]
fn who_subscribes_gets_a_snapshot_first_and_then_every_event_until_the_end() {
    let world = World::new(a_snapshot(), |_| Answer::Done { count: 1 });
    assert_eq!(snapshot(&world.socket).unwrap(), a_snapshot());
    let client = connect(&world.socket).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut events = client.handle.subscribe();
        let mut next = async || tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap();
        assert_eq!(next().await, Event::Snapshot(a_snapshot()));
        let sent = [Event::RunQueued(a_queued_run()), Event::Changed, Event::RunStarted(Box::new(run_of("a", None)))];
        for event in &sent {
            world.events.send(event.clone());
        }
        for event in sent {
            assert_eq!(next().await, event);
        }
        world.events.send(Event::Ended);
        assert_eq!(next().await, Event::Ended);
    });
}

#[test]
fn who_reads_too_slowly_is_told_and_gets_a_snapshot_instead() {
    use std::io::{Read, Write};
    let world = World::idle();
    let mut stream = std::os::unix::net::UnixStream::connect(&world.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /api/sync/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut said = String::new();
    let mut read_to = |what: &str| {
        while !said.contains(what) {
            let mut bytes = [0; 65_536];
            let length = stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "the stream has ended");
            said.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        said = said.split_off(said.find(what).unwrap() + what.len());
    };
    read_to("event: snapshot");
    // More than all buffers on the way hold.
    for _ in 0..2_000 {
        world.events.send(Event::RunLost { run_id: String::new(), message: "x".repeat(10_000) });
    }
    read_to("event: lagged");
    read_to("event: snapshot");
}

#[test]
fn an_engine_that_goes_away_ends_the_events_and_refuses_commands() {
    let world = World::idle();
    let client = connect(&world.socket).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut events = client.handle.subscribe();
    let socket = world.socket.clone();
    runtime.block_on(async {
        assert!(matches!(events.next().await, Event::Snapshot(_)));
        drop(world);
        let last = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
        assert_eq!(last, Ok(Event::Ended));
        assert_eq!(client.handle.snapshot().await, None);
        let Answer::Refused(refusal) = client.handle.send(Command::Pause { names: Vec::new() }).await else {
            panic!("a dead engine has answered")
        };
        assert_eq!(refusal.code, "unavailable");
    });
    assert!(connect(&socket).is_err());
}
