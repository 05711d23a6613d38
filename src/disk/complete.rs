//! Which directories a directory holds, by name: for a path that is being typed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A directory with more entries than this is not looked through to its end while someone types.
const MOST_ENTRIES: usize = 50_000;

/// Returns the names of the directories, and of links to some, in `directory` that begin so, by name, and whether there
/// may be more. Names with a dot in front only when it was asked for.
///
/// # Errors
/// When the directory cannot be listed.
pub fn directories_in(directory: &Path, beginning: &[u8]) -> std::io::Result<(Vec<OsString>, bool)> {
    let mut names = Vec::new();
    let mut entries = std::fs::read_dir(directory)?;
    for entry in entries.by_ref().take(MOST_ENTRIES) {
        let entry = entry?;
        let name = entry.file_name();
        let bytes = name.as_bytes();
        if !bytes.starts_with(beginning) || (bytes.starts_with(b".") && beginning.is_empty()) {
            continue;
        }
        // What has gone meanwhile, and a link that leads nowhere, is no directory.
        let is_directory = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => std::fs::metadata(entry.path()).is_ok_and(|found| found.is_dir()),
            Ok(kind) => kind.is_dir(),
            Err(_) => false,
        };
        if is_directory {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok((names, entries.next().is_some()))
}
