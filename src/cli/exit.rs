//! Exit codes and the errors that lead to them, in one place.

use crate::api::ApiError;
use crate::domain::show::show;
use crate::engine::backup::newest_readable;
use crate::engine::protocol::Refusal;
use crate::engine::{EngineError, LockError};
use crate::index::IndexError;

/// What a script learns from the end of a command. With several, the first of 5, 1, 4, 3 counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub failed: bool,
    pub problems: bool,
    pub held: bool,
    pub damaged: bool,
    /// Ended by this signal.
    pub signal: Option<u8>,
}

impl Verdict {
    /// Returns the news of both.
    pub fn and(self, other: Verdict) -> Verdict {
        Verdict {
            failed: self.failed || other.failed,
            problems: self.problems || other.problems,
            held: self.held || other.held,
            damaged: self.damaged || other.damaged,
            signal: self.signal.or(other.signal),
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Verdict { signal: Some(signal), .. } => 128 + signal,
            Verdict { damaged: true, .. } => 5,
            Verdict { failed: true, .. } => 1,
            Verdict { held: true, .. } => 4,
            Verdict { problems: true, .. } => 3,
            _ => 0,
        }
    }
}

/// Why a command could not do what it should.
#[derive(Debug)]
pub enum CliError {
    /// Nobody reads standard output any more, as with `| head`: no error to anyone.
    NobodyReads,
    Usage(String),
    Locked(String),
    /// Another engine has the data directory, and answers: nothing is wrong.
    Running(String),
    /// An engine has the data directory, and must end first.
    Busy(String),
    /// The engine was about to end and has not begun with it.
    Unavailable(String),
    /// The engine's process could not start, and has said why.
    Told {
        code: u8,
    },
    Failed {
        message: String,
        hint: Option<String>,
    },
}

impl CliError {
    pub fn failed(message: impl Into<String>) -> CliError {
        CliError::Failed { message: message.into(), hint: None }
    }

    pub fn code(&self) -> u8 {
        match self {
            CliError::NobodyReads => 0,
            CliError::Told { code } => *code,
            CliError::Unavailable(_) | CliError::Failed { .. } => 1,
            CliError::Usage(_) => 2,
            CliError::Locked(_) | CliError::Running(_) | CliError::Busy(_) => 6,
        }
    }
}

/// Most often a command was once run as root.
const NOT_OURS: &str = "`ls -l` in the data directory shows whose it is: this user must own it and be able to write it";

impl From<IndexError> for CliError {
    fn from(error: IndexError) -> CliError {
        let hint = match &error {
            // An older program can go back to what it knew.
            IndexError::Newer { path, known, .. } => path.parent().and_then(|directory| {
                let backup = newest_readable(directory, *known)?;
                let backup = show(backup.as_os_str().as_encoded_bytes());
                Some(format!(
                    "or go back to the newest backup that this program can read: `watchkeeper restore {backup}`"
                ))
            }),
            IndexError::Invalid(_)
            | IndexError::Foreign(_)
            | IndexError::NoDatabase(_)
            | IndexError::NoBackup(_)
            | IndexError::Missing(_)
            | IndexError::Older { .. } => None,
            other if other.is_forbidden() => Some(NOT_OURS.to_owned()),
            other => Some(other.class().hint().to_owned()),
        };
        CliError::Failed { message: error.to_string(), hint }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> CliError {
        match error {
            EngineError::Lock(LockError::Held { holder }) => CliError::Locked(holder),
            EngineError::Index(error) => error.into(),
            EngineError::Journal(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                CliError::Failed { message: error.to_string(), hint: Some(NOT_OURS.to_owned()) }
            }
            other => CliError::failed(other.to_string()),
        }
    }
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> CliError {
        match refusal.code {
            "usage" => CliError::Usage(refusal.message),
            "unavailable" => CliError::Unavailable(refusal.message),
            _ => CliError::Failed { message: refusal.message, hint: refusal.hint },
        }
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> CliError {
        let hint = matches!(error, ApiError::TooLong(_)).then(|| "give a shorter --socket or --data-dir".to_owned());
        CliError::Failed { message: error.to_string(), hint }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> CliError {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => CliError::NobodyReads,
            _ => CliError::failed(error.to_string()),
        }
    }
}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, CliError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_news_decides_the_exit_code() {
        let verdict =
            |failed, problems, held, damaged| Verdict { failed, problems, held, damaged, signal: None }.code();
        assert_eq!(verdict(true, true, true, true), 5);
        assert_eq!(verdict(true, true, true, false), 1);
        assert_eq!(verdict(false, true, true, false), 4);
        assert_eq!(verdict(false, true, false, false), 3);
        assert_eq!(verdict(false, false, false, false), 0);
        assert_eq!(Verdict { signal: Some(2), damaged: true, ..Verdict::default() }.code(), 130);
    }
}
