//! The command line that does what a command of the screen does: whoever sees it can do it in a script.

use std::os::unix::ffi::OsStrExt;

use crate::domain::path::RelPath;
use crate::domain::run::Kind;
use crate::engine::protocol::{AddRepository, Command, SchedulerCommand, SyncRequest};

/// Returns the command line; `None` for what only the engine's own surfaces send.
pub fn command_line(command: &Command) -> Option<String> {
    let mut words = vec!["watchkeeper".to_owned()];
    let mut say = |more: &[&str]| words.extend(more.iter().map(|word| quoted(word.as_bytes())));
    match command {
        Command::AddRepository(add) => {
            words.extend(["repo".to_owned(), "add".to_owned()]);
            words.extend(add_words(add));
        }
        Command::SetRepository { name, changes } => {
            say(&["repo", "set", name]);
            words.extend(pairs(changes));
        }
        Command::RenameRepository { name, new_name } => say(&["repo", "rename", name, new_name]),
        Command::RemoveRepository { name } => say(&["repo", "remove", name]),
        Command::Pause { names } => words.extend(named(&["repo", "pause"], &or_all(names))),
        Command::Resume { names } => words.extend(named(&["repo", "resume"], &or_all(names))),
        Command::Sync(request) => words.extend(sync_words(request)),
        Command::Cancel { names, run: None } => words.extend(named(&["cancel"], names)),
        Command::Cancel { run: Some(run), .. } => say(&["cancel", "--run", run]),
        Command::DismissHeld { names } => {
            words.extend(named(&["held"], names));
            words.push("--dismiss".to_owned());
        }
        Command::AcceptDamage { name, paths } => {
            say(&["damage", name]);
            words.extend(paths.iter().map(path));
            words.push("--accept".to_owned());
        }
        Command::AcknowledgeProblems { problem_ids } => {
            say(&["problems"]);
            words.extend(problem_ids.iter().flat_map(|id| ["--ack".to_owned(), id.to_string()]));
        }
        Command::Scheduler(SchedulerCommand::Start) => say(&["scheduler", "start"]),
        Command::Scheduler(SchedulerCommand::Stop) => say(&["scheduler", "stop"]),
        Command::Scheduler(SchedulerCommand::Set(changes)) => {
            say(&["scheduler", "set"]);
            words.extend(pairs(changes));
        }
        Command::Examine => say(&["doctor"]),
        Command::Complete { .. } | Command::Estimate(_) | Command::Configure(_) | Command::Shutdown => return None,
    }
    Some(words.join(" "))
}

fn add_words(add: &AddRepository) -> Vec<String> {
    let mut words = vec![quoted(add.path.as_os_str().as_bytes())];
    let selection = &add.settings.selection;
    let named = add.name.iter().map(|name| ("--name", name));
    let globs = selection.include.iter().map(|glob| ("--include", glob));
    let globs = globs.chain(selection.exclude.iter().map(|glob| ("--exclude", glob)));
    let types = selection.types.iter().map(|one| ("--type", one));
    words.extend(named.chain(globs).chain(types).flat_map(|(flag, value)| [flag.to_owned(), quoted(value.as_bytes())]));
    for (is_set, flag) in [(selection.hidden, "--hidden"), (selection.one_file_system, "--one-file-system")] {
        words.extend(is_set.then(|| flag.to_owned()));
    }
    words.extend(add.if_not_exists.then(|| "--if-not-exists".to_owned()));
    words
}

fn sync_words(request: &SyncRequest) -> Vec<String> {
    // Accepting what is held is a run, too, but has a command of its own.
    if request.kind == Kind::Cleanup && request.accept_removals {
        return [named(&["held"], &request.names), vec!["--accept".to_owned()]].concat();
    }
    let mut words = named(&["sync"], &request.names);
    if !matches!(request.kind, Kind::Full | Kind::Single) {
        words.extend(["--kind".to_owned(), request.kind.as_str().to_owned()]);
    }
    words.extend(request.paths.iter().flat_map(|one| ["--path".to_owned(), path(one)]));
    let flags = [
        (request.only_problems, "--problems"),
        (request.plan, "--plan"),
        (request.accept_removals, "--accept-removals"),
    ];
    words.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| (*flag).to_owned()));
    words
}

fn named(verb: &[&str], names: &[String]) -> Vec<String> {
    let verb = verb.iter().map(|word| (*word).to_owned());
    verb.chain(names.iter().map(|name| quoted(name.as_bytes()))).collect()
}

/// All are meant by no name; where a command wants to hear that, it hears it.
fn or_all(names: &[String]) -> Vec<String> {
    if names.is_empty() { vec!["--all".to_owned()] } else { names.to_vec() }
}

fn pairs(changes: &[(String, String)]) -> impl Iterator<Item = String> {
    changes.iter().map(|(key, value)| quoted(format!("{key}={value}").as_bytes()))
}

fn path(path: &RelPath) -> String {
    quoted(path.as_bytes())
}

/// Writes a word so that a shell takes it as it is, also bytes that are no text.
pub fn quoted(word: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./=:@%+,".contains(byte);
    match std::str::from_utf8(word) {
        Ok(text) if !word.is_empty() && word.iter().all(is_plain) => text.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => {
            let bytes = word.iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                byte => format!("\\x{byte:02x}"),
            });
            format!("$'{}'", bytes.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::Trigger;

    fn check(command: Command, expected: &str) {
        assert_eq!(command_line(&command).as_deref(), Some(expected));
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn sync(kind: Kind) -> SyncRequest {
        SyncRequest::new(names(&["photos"]), kind, Trigger::User)
    }

    #[test]
    fn every_command_has_its_command_line() {
        check(Command::Sync(Box::new(sync(Kind::Full))), "watchkeeper sync photos");
        check(Command::Sync(Box::new(sync(Kind::Verify))), "watchkeeper sync photos --kind verify");
        let accepted = SyncRequest { accept_removals: true, ..sync(Kind::Cleanup) };
        check(Command::Sync(Box::new(accepted)), "watchkeeper held photos --accept");
        let paths = vec![RelPath::from_stored(b"a b/\xff".to_vec())];
        let single = SyncRequest { paths, plan: true, ..sync(Kind::Single) };
        check(Command::Sync(Box::new(single)), "watchkeeper sync photos --path $'a b/\\xff' --plan");
        check(Command::DismissHeld { names: names(&["photos"]) }, "watchkeeper held photos --dismiss");
        check(Command::AcknowledgeProblems { problem_ids: vec![3, 4] }, "watchkeeper problems --ack 3 --ack 4");
        check(Command::Pause { names: Vec::new() }, "watchkeeper repo pause --all");
        let changes = vec![("full_every".to_owned(), "2 h".to_owned())];
        check(Command::SetRepository { name: "a".to_owned(), changes }, "watchkeeper repo set a 'full_every=2 h'");
        let add = AddRepository { path: "/srv/it's".into(), ..AddRepository::default() };
        check(Command::AddRepository(add), "watchkeeper repo add '/srv/it'\\''s'");
    }
}
