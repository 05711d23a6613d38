//! Repositories: what is kept in step, by name, and how each one is looked at.

use super::date_pattern::DatePattern;

/// A repository's row number in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId(pub i64);

/// What belongs to a repository and what is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// If there are any (or any types), a file must match one of them.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub types: Vec<String>,
    /// Names that begin with a dot belong to it too.
    pub hidden: bool,
    pub one_file_system: bool,
}

/// Settings of one repository that are no override of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub selection: Selection,
    pub date_pattern: Option<DatePattern>,
    /// Overrides of config keys, as `section.key` and the value as written.
    pub overrides: Vec<(String, String)>,
}

/// The kinds of files that `--type` knows, with the endings that make them up.
pub const TYPES: &[(&str, &[&str])] = &[
    (
        "image",
        &[
            "jpg", "jpeg", "png", "gif", "webp", "heic", "heif", "avif", "tif", "tiff", "bmp", "svg", "raw", "cr2",
            "cr3", "nef", "arw", "dng", "orf", "rw2", "raf", "psd", "xcf", "jxl", "ico",
        ],
    ),
    ("video", &["mp4", "m4v", "mov", "mkv", "avi", "webm", "mpg", "mpeg", "mts", "m2ts", "wmv", "3gp", "flv", "ts"]),
    ("audio", &["mp3", "flac", "wav", "ogg", "oga", "opus", "m4a", "aac", "aif", "aiff", "wma", "mid"]),
    (
        "text",
        &[
            "txt", "md", "markdown", "rst", "org", "tex", "log", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml",
            "toml",
        ],
    ),
    ("document", &["pdf", "doc", "docx", "odt", "xls", "xlsx", "ods", "ppt", "pptx", "odp", "epub", "rtf", "djvu"]),
    ("archive", &["zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "iso", "img"]),
];

/// Turns the last part of a path into a repository's name: other bytes than `[A-Za-z0-9._-]` become `-`.
pub fn name_from(last_part: &[u8]) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let name: String = last_part.iter().map(|byte| if fits(*byte) { char::from(*byte) } else { '-' }).collect();
    if name.is_empty() { "root".to_owned() } else { name }
}

/// Checks a name that a person chose.
///
/// # Errors
/// A sentence that says what would be right.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if fits {
        return Ok(());
    }
    Err(format!(
        "{:?} cannot be a repository's name; use letters, digits, dots, dashes and underscores, not starting with a dash or dot",
        super::show::show(name.as_bytes())
    ))
}

/// What a repository's state is, in the order in which the first that applies wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Paused,
    Missing,
    Syncing,
    Failed,
    Held,
    Damaged,
    Partial,
    Pending,
    Stale,
    InSync,
}

impl State {
    pub const ALL: [State; 10] = [
        State::Paused,
        State::Missing,
        State::Syncing,
        State::Failed,
        State::Held,
        State::Damaged,
        State::Partial,
        State::Pending,
        State::Stale,
        State::InSync,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Paused => "paused",
            State::Missing => "missing",
            State::Syncing => "syncing",
            State::Failed => "failed",
            State::Held => "held",
            State::Damaged => "damaged",
            State::Partial => "partial",
            State::Pending => "pending",
            State::Stale => "stale",
            State::InSync => "in_sync",
        }
    }

    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_nothing_that_a_shell_or_screen_trips_over() {
        for (part, name) in
            [(&b"Photos 2026"[..], "Photos-2026"), (b"", "root"), (b"a\xff\n", "a--"), (b"x.y_z-1", "x.y_z-1")]
        {
            assert_eq!(name_from(part), name);
        }
        for bad in ["", "-x", ".x", "a b", "a/b", "ü"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("photos-2").is_ok());
    }
}
