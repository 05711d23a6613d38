//! Whether what we keep is this user's alone: the index tells the names of all files, the journal too.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Check, State, check};
use crate::domain::amount::plural;

/// So many are named; the others are counted.
const NAMED: usize = 5;

/// Looks at everything in the data directory; links are not followed.
pub(super) fn examine(directory: &Path) -> Check {
    let user = rustix::process::geteuid().as_raw();
    let mut open = Vec::new();
    look(directory, user, &mut open);
    let value = json!({ "user": user, "open": open.len() });
    if open.is_empty() {
        return check("private", State::Ok, "our files are for this user alone", value);
    }
    let named: Vec<String> = open.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = if open.len() > NAMED { ", ..." } else { "" };
    let count = plural(open.len() as u64, "of our files is another's or open to others", "of our files are");
    let message = format!("{count}: {}{more}", named.join(", "));
    let hint = format!("chown -R {user} '{0}'; chmod -R go= '{0}'", directory.display());
    Check { hint: Some(hint), ..check("private", State::Warn, message, value) }
}

/// Collects what is not private; what cannot be looked at is told by other checks.
fn look(path: &Path, user: u32, open: &mut Vec<PathBuf>) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    if !is_private(&found, user) {
        open.push(path.to_owned());
    }
    if found.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        below.sort();
        below.iter().for_each(|path| look(path, user, open));
    }
}

fn is_private(found: &Metadata, user: u32) -> bool {
    // A link has no modes of its own.
    found.uid() == user && (found.is_symlink() || found.permissions().mode() & 0o077 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read_is_named_with_what_to_do() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        let set = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        set(temp.path(), 0o700);
        fs::create_dir(at("journal")).unwrap();
        set(&at("journal"), 0o700);
        for name in ["index.db", "journal/000001.jsonl"] {
            fs::write(at(name), "").unwrap();
            set(&at(name), 0o600);
        }
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        assert_eq!(examine(temp.path()).state, State::Ok);
        set(&at("journal/000001.jsonl"), 0o640);
        let check = examine(temp.path());
        assert!(check.state == State::Warn && check.message.contains("journal/000001.jsonl"), "{check:?}");
        assert!(check.hint.unwrap().contains("chmod -R go="));
    }
}
