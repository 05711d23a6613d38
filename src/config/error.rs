//! What can be wrong with the config, told with file, line, key and what would be right.

use std::fmt;
use std::io;
use std::path::Path;

use crate::domain::show::show;

/// Why there are no settings. Nothing starts with one of these.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: cannot be read: {source}")]
    Read { file: String, source: io::Error },
    /// A directory, FIFO, socket or device stands at the path.
    #[error("{file}: is {found}, not a file; the config must be a regular file or absent")]
    NotAFile { file: String, found: &'static str },
    #[error("{file}: is larger than {limit_bytes} bytes; is this the config?")]
    TooLarge { file: String, limit_bytes: u64 },
    /// It is no TOML.
    #[error("{origin}{reason}")]
    Syntax { origin: Origin, reason: String },
    /// A key that does not exist, or not here; the hint says which would be right.
    #[error("{origin}{key}: {hint}")]
    Key { origin: Origin, key: String, hint: String },
    /// A value that does not fit its key.
    #[error("{origin}{key}: {reason}")]
    Value { origin: Origin, key: String, reason: String },
}

/// Where a setting was written. Shown, it is what stands in front of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `line` counts from 1; `None` when the setting is not in the file.
    File { file: String, line: Option<usize> },
    /// On a command line, or stored with a repository.
    Override,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line: Some(line) } => write!(f, "{file}:{line}: "),
            Origin::File { file, line: None } => write!(f, "{file}: "),
            Origin::Override => Ok(()),
        }
    }
}

impl ConfigError {
    /// Returns the error of a setting that only another room can check, such as `ui.keys.quit`, with its line.
    ///
    /// The file is read again for the line; if that fails, or the key is gone meanwhile, the error stands without it.
    pub fn at_key(path: &Path, key: &str, reason: impl Into<String>) -> ConfigError {
        let origin = Origin::File { file: file_name(path), line: super::read::line_of(path, key) };
        ConfigError::Value { origin, key: key.to_owned(), reason: reason.into() }
    }
}

/// Returns a path as messages show it.
pub(super) fn file_name(path: &Path) -> String {
    show(path.as_os_str().as_encoded_bytes())
}
