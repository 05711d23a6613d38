//! The table of keys is in order: no clash, nothing that writes on a key that may come by accident, the README true.

use super::Key::{Char, Ctrl};
use super::*;

fn change(action: &str, key: &str) -> Result<Keys, String> {
    let changes = BTreeMap::from([(action.to_owned(), key.to_owned())]);
    Keys::new(&changes).map_err(|error| error.to_string())
}

#[test]
fn no_key_means_two_things_in_one_context() {
    assert_eq!(Keys::default().check(), Ok(()));
}

#[test]
fn every_row_has_a_name_of_its_own_and_words_for_help_and_palette() {
    for (at, binding) in KEYMAP.iter().enumerate() {
        assert!(!binding.words.is_empty() && !binding.name.is_empty());
        assert!(KEYMAP[..at].iter().all(|other| other.name != binding.name), "{}", binding.name);
    }
}

#[test]
fn nothing_that_writes_is_on_a_key_that_may_arrive_by_accident() {
    for binding in KEYMAP.iter().filter(|binding| binding.action.writes()) {
        for key in binding.keys {
            assert!(key.is_safe() && !matches!(key, Char('h' | 'j' | 'k' | 'l' | 'g')), "{key}");
        }
    }
}

#[test]
fn keys_that_multiplexers_take_are_left_alone() {
    for key in KEYMAP.iter().flat_map(|binding| binding.keys) {
        assert!(!matches!(key, Ctrl('a' | 'b' | 'g' | 'h' | 'n'..='t' | 'i' | 'j' | 'm')), "{key}");
    }
}

#[test]
fn a_key_is_read_as_it_is_written() {
    for key in KEYMAP.iter().flat_map(|binding| binding.keys) {
        assert_eq!(Key::parse(&key.to_string()), Some(*key));
    }
    assert_eq!(Key::parse("ctrl-"), None);
    assert_eq!(Key::parse("hyper-x"), None);
}

#[test]
fn the_config_may_change_a_key_and_is_told_what_is_wrong_with_it() {
    let keys = change("sync", "u").unwrap();
    let sync = KEYMAP.iter().find(|binding| binding.name == "sync").unwrap();
    assert_eq!(keys.of(sync), [Char('u')]);
    for (action, key, reason) in [
        ("synk", "u", "there is no such action"),
        ("sync", "hyper", "is no key"),
        ("sync", "v", "v is sync already"),
        ("sync", "D", "may arrive by accident"),
    ] {
        let error = change(action, key).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

/// The table of keys as the README has it.
fn table() -> String {
    let mut table = "| key | what it does | its name |\n| --- | --- | --- |\n".to_owned();
    for binding in KEYMAP {
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
        let keys = if keys.is_empty() { "`:`".to_owned() } else { keys.join(" ") };
        table.push_str(&format!("| {keys} | {} | `{}` |\n", binding.words.replace('|', "\\|"), binding.name));
    }
    table
}

/// Run it with `WATCHKEEPER_WRITE_README=1` to write the table.
#[test]
fn the_readme_has_the_keys_as_they_are() {
    const BEGIN: &str = "<!-- keys -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (there, behind) = rest.split_once("\n<!-- end of keys -->").unwrap();
    if std::env::var_os("WATCHKEEPER_WRITE_README").is_some() {
        let written = format!("{before}{BEGIN}{}\n<!-- end of keys -->{behind}", table());
        return std::fs::write(path, written).unwrap();
    }
    assert_eq!(there, table());
}

#[test]
fn an_esc_and_a_letter_in_one_packet_are_both_heard() {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let alt = KeyEvent::new(KeyCode::Char('3'), KeyModifiers::ALT);
    assert_eq!((Key::behind_esc(&alt), Key::from_event(&alt)), (Some(Char('3')), None));
    assert_eq!(Key::behind_esc(&KeyEvent::new(KeyCode::Char('3'), KeyModifiers::NONE)), None);
}
