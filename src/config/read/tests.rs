//! What is read, what is refused, and how it is said.

use std::fs;
use std::time::Duration;

use chrono::NaiveTime;
use proptest::prelude::*;

use crate::config::{Background, Config, ConfigError, Hash, Startup, Theme, default_text};

/// Reads `text` and expects a message that begins with `place` and holds all `words`.
fn check_wrong(text: &str, place: &str, words: &[&str]) {
    let message = Config::parse(text, "config.toml").unwrap_err().to_string();
    assert!(message.starts_with(place), "{text:?} gave {message:?}");
    for word in words {
        assert!(message.contains(word), "{text:?} gave {message:?}, without {word:?}");
    }
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message:?}");
}

const EVERYTHING: &str = r#"
[sync]
startup = "incremental"
full_every = "never"
full_at = "03:30"
incremental_every = "1m"
incremental_window = "1d"
verify_every = "never"
verify_max_bytes = "50GB"
verify_max_time = ""
cleanup_every = "1w"
repositories_at_once = 3
workers = 4
background = "full"
stall_timeout = "1h"
batch_size = 0x10
hash = "none"
[scheduler]
enabled = false
[watch]
enabled = false
debounce = "1500ms"
debounce_max = "1.5s"
poll_every = "1s"
[guard]
max_removed_percent = 100
max_removed_files = 9_000_000_000
[retry]
attempts = 0
delay = "0s"
max_delay = "1s"
[history]
keep = "1y"
fold_after = "0s"
keep_changes = 7
[backup]
every = "7d"
keep = 9
[hooks]
notify = ["mail", "-s", "it's \"here\"\n"]
on_change = ['/bin/a b']
timeout = "1s"
[ui]
theme = "mono"
mouse = true
ascii = true
[ui.keys]
quit = "ctrl-q"
"odd key" = "\\"
"#;

#[test]
fn every_setting_is_read_and_shown_and_read_again() {
    let config = Config::parse(EVERYTHING, "config.toml").unwrap();
    assert_eq!((config.sync.startup, config.sync.full_every), (Startup::Incremental, None));
    assert_eq!(config.sync.full_at, NaiveTime::from_hms_opt(3, 30, 0));
    assert_eq!((config.sync.verify_max_bytes, config.sync.verify_max_time), (Some(50_000_000_000), None));
    assert_eq!(config.sync.cleanup_every, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!((config.sync.background, config.sync.hash), (Background::Full, Hash::None));
    assert_eq!((config.sync.batch_size, config.sync.workers), (16, 4));
    assert_eq!(config.watch.debounce, Duration::from_millis(1_500));
    assert_eq!(config.guard.limits().max_removed_files, 9_000_000_000);
    assert_eq!(config.hooks.notify, ["mail", "-s", "it's \"here\"\n"]);
    assert_eq!(config.ui.theme, Theme::Mono);
    assert_eq!(config.ui.keys["odd key"], "\\");
    let shown = config.to_toml();
    assert_eq!(Config::parse(&shown, "shown").unwrap(), config, "{shown}");
    // What equals its default here would pass even if it were never read.
    let default = Config::default().to_toml();
    let same: Vec<&str> =
        shown.lines().filter(|line| line.contains('=') && default.lines().any(|d| d == *line)).collect();
    assert_eq!(same, [""; 0]);
}

#[test]
fn a_wrong_key_names_its_line_and_the_key_that_was_meant() {
    for (text, place, words) in [
        ("[sync]\nfull_evry = \"1h\"", "config.toml:2: sync.full_evry: ", &["\"full_every\"", "batch_size"][..]),
        ("\n\n[snyc]\nx = 1", "config.toml:3: snyc: ", &["\"sync\"", "guard, retry"]),
        ("full_every = \"1h\"", "config.toml:1: full_every: ", &["below [sync]"]),
        ("[sync]\ndebounce = \"1s\"", "config.toml:2: sync.debounce: ", &["below [watch]"]),
        ("sync = 3", "config.toml:1: sync: ", &["[sync]"]),
        ("[[sync]]\n", "config.toml:1: sync: ", &["[sync]"]),
        ("[ui]\nkeys = 1", "config.toml:2: ui.keys: ", &["[ui.keys]"]),
        ("[sync.hash]\nx = 1", "config.toml:1: sync.hash: ", &["a section does not fit"]),
        ("[\"a\\u001b[31m\"]", "config.toml:1: a\\x1b[31m: ", &["no such section"]),
    ] {
        check_wrong(text, place, words);
    }
}

#[test]
fn a_wrong_value_names_its_line_and_what_would_be_right() {
    for (text, place, words) in [
        ("[sync]\nfull_every = \"24x\"", "config.toml:2: sync.full_every: \"24x\"", &["like 500ms", "\"never\""][..]),
        ("[sync]\r\n\r\nfull_every = 24", "config.toml:3: sync.full_every: 24", &["\"24h\""]),
        ("[sync]\nfull_every = \"0s\"", "config.toml:2: sync.full_every: \"0s\"", &["at least 1s"]),
        ("[sync]\nfull_at = 03:00:00", "config.toml:2: sync.full_at: ", &["without quotes", "\"03:00\""]),
        ("[sync]\nfull_at = \"25:00\"", "config.toml:2: sync.full_at: \"25:00\"", &["\"03:00\""]),
        ("[sync]\nbatch_size = 0", "config.toml:2: sync.batch_size: 0", &["from 1 to 100000"]),
        ("[sync]\nworkers = -1", "config.toml:2: sync.workers: -1", &["from 0 to"]),
        ("[sync]\nworkers = 2.5", "config.toml:2: sync.workers: ", &["with a point", "whole number"]),
        ("[sync]\nworkers = 99999999999999999999", "config.toml:2: sync.workers: ", &["whole number"]),
        ("[sync]\nrepositories_at_once = 0", "config.toml:2: sync.repositories_at_once: 0", &["from 1 to"]),
        ("[sync]\nhash = \"md5\"", "config.toml:2: sync.hash: \"md5\"", &["sha256 or none"]),
        ("[sync]\nverify_max_bytes = \"0\"", "config.toml:2: sync.verify_max_bytes: ", &["for no limit"]),
        ("[sync]\nverify_max_time = \"never\"", "config.toml:2: sync.verify_max_time: ", &["\"\" for no limit"]),
        ("[watch]\nenabled = \"yes\"", "config.toml:2: watch.enabled: \"yes\"", &["true or false"]),
        ("[watch]\ndebounce = \"0.1ms\"", "config.toml:2: watch.debounce: ", &["whole milliseconds"]),
        ("[guard]\nmax_removed_percent = 101", "config.toml:2: guard.max_removed_percent: 101", &["from 0 to 100"]),
        ("[history]\nkeep = \"2000y\"", "config.toml:2: history.keep: \"2000y\"", &["1000y"]),
        ("[hooks]\nnotify = \"mail\"", "config.toml:2: hooks.notify: \"mail\"", &["[\"mail\""]),
        ("[hooks]\nnotify = [1]", "config.toml:2: hooks.notify: ", &["a list with anything but texts"]),
        ("[hooks]\nnotify = [\"\"]", "config.toml:2: hooks.notify: ", &["no name"]),
        ("[ui]\ntheme = \"pink\"", "config.toml:2: ui.theme: \"pink\"", &["auto, dark, light or mono"]),
        ("[ui.keys]\nquit = 1", "config.toml:2: ui.keys.quit: ", &["in quotes"]),
        ("ui.theme = \"\\u001b[31m\"", "config.toml:1: ui.theme: \"\\u{1b}[31m\"", &[]),
    ] {
        check_wrong(text, place, words);
    }
}

#[test]
fn settings_that_contradict_name_the_later_one_that_was_written() {
    let words = &["debounce must not be longer than debounce_max"];
    check_wrong("[watch]\ndebounce = \"6s\"", "config.toml:2: watch.debounce: ", words);
    check_wrong("[watch]\ndebounce_max = \"5ms\"", "config.toml:2: watch.debounce_max: ", words);
    check_wrong("[watch]\ndebounce_max = \"2s\"\ndebounce = \"3s\"", "config.toml:3: watch.debounce: ", words);
    check_wrong("[retry]\ndelay = \"6m\"", "config.toml:2: retry.delay: ", &["max_delay"]);
}

#[test]
fn what_is_no_toml_names_its_line() {
    check_wrong("[sync]\n\nfull_every = 24h\n", "config.toml:3: ", &[]);
    check_wrong("[sync]\nworkers = 1\nworkers = 2\n", "config.toml:3: ", &["duplicate key"]);
    check_wrong("[sync\n", "config.toml:1: ", &[]);
}

#[test]
fn the_first_mistake_of_the_file_is_told_first() {
    check_wrong("[ui]\nx = 1\n[sync]\ny = 2\n", "config.toml:2: ui.x: ", &[]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let windows = format!("\u{feff}{}", default_text().replace('\n', "\r\n"));
    assert_eq!(Config::parse(&windows, "config.toml").unwrap(), Config::default());
}

#[test]
fn an_absent_file_gives_the_defaults_and_a_link_to_nowhere_does_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Config::load(&dir.path().join("none/config.toml")).unwrap(), Config::default());
    let link = dir.path().join("link.toml");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert!(matches!(Config::load(&link), Err(ConfigError::Read { .. })));
    fs::write(dir.path().join("nowhere"), "[sync]\nworkers = 3").unwrap();
    assert_eq!(Config::load(&link).unwrap().sync.workers, 3);
}

#[test]
fn what_is_no_regular_small_text_file_is_refused_and_never_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    let large = dir.path().join("large");
    fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let latin = dir.path().join("latin");
    fs::write(&latin, b"[sync]\n# caf\xe9\n").unwrap();
    for (path, words) in [
        (fifo.as_path(), "is a FIFO, not a file"),
        (dir.path(), "is a directory, not a file"),
        ("/dev/zero".as_ref(), "is a device, not a file"),
        (&large, "is larger than 1048576 bytes"),
        (&latin, "latin:2: is no UTF-8"),
    ] {
        let message = Config::load(path).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_key_that_another_room_finds_wrong_gets_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, "[ui]\nmouse = true\n[ui.keys]\nqiut = \"q\"\n").unwrap();
    let line = |key| ConfigError::at_key(&path, key, "no such action").to_string();
    assert!(line("ui.keys.qiut").ends_with("config.toml:4: ui.keys.qiut: no such action"));
    assert!(line("ui.keys.other").ends_with("config.toml: ui.keys.other: no such action"));
}

/// Lines of every setting, some of them spoilt by what was typed into them.
fn spoilt() -> impl Strategy<Value = String> {
    let typed = prop_oneof![any::<String>(), r#"[0-9a-z"'=\[\]{}#,._ -]{0,6}"#];
    let line = (0..EVERYTHING.lines().count(), any::<prop::sample::Index>(), typed, 0..4_u8);
    let spoil = |(line, at, typed, is_left): (usize, prop::sample::Index, String, u8)| {
        let line = EVERYTHING.lines().nth(line).unwrap_or_default();
        let at = at.index(line.len() + 1);
        if is_left > 0 || !line.is_char_boundary(at) {
            line.to_owned()
        } else {
            format!("{}{typed}{}", &line[..at], &line[at..])
        }
    };
    prop::collection::vec(line.prop_map(spoil), 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn whatever_is_written_gives_settings_or_a_line_that_names_the_place(text in prop_oneof![any::<String>(), spoilt()]) {
        if let Err(error) = Config::parse(&text, "config.toml") {
            let message = error.to_string();
            let line = message.strip_prefix("config.toml:").and_then(|rest| rest.split_once(':'));
            let line = line.and_then(|(line, _)| line.parse::<usize>().ok());
            prop_assert!(line.is_some_and(|line| line <= text.lines().count() + 1 && line > 0), "{message:?}");
            prop_assert!(!message.chars().any(char::is_control), "{message:?}");
        }
    }
}
