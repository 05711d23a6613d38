//! What was found out about directories that are no repository yet, as JSON and back.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::engine::estimate::Estimate;
use crate::engine::protocol::Estimated;
use crate::wire::path::{joined, split};
use crate::wire::{EstimatedJson, PathJson};

impl From<&Path> for PathJson {
    fn from(path: &Path) -> PathJson {
        let (path, path_b64) = split(path.as_os_str().as_bytes());
        PathJson { path, path_b64 }
    }
}

impl PathJson {
    pub fn into_path(self) -> Option<PathBuf> {
        joined(self.path, self.path_b64.as_deref()).map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
    }
}

impl From<&Estimated> for EstimatedJson {
    fn from(estimated: &Estimated) -> EstimatedJson {
        let PathJson { path, path_b64 } = PathJson::from(estimated.path.as_path());
        let Estimate { files, bytes, watches_needed, watches_free, unreadable, first_sync_ms, is_cut } =
            estimated.estimate;
        EstimatedJson {
            path,
            path_b64,
            name: estimated.name.clone(),
            whole: estimated.whole.clone(),
            files,
            bytes,
            watches_needed,
            watches_free,
            unreadable,
            first_sync_ms,
            is_cut,
        }
    }
}

impl EstimatedJson {
    pub fn into_estimated(self) -> Option<Estimated> {
        Some(Estimated {
            path: PathJson { path: self.path, path_b64: self.path_b64 }.into_path()?,
            name: self.name,
            whole: self.whole,
            estimate: Estimate {
                files: self.files,
                bytes: self.bytes,
                watches_needed: self.watches_needed,
                watches_free: self.watches_free,
                unreadable: self.unreadable,
                first_sync_ms: self.first_sync_ms,
                is_cut: self.is_cut,
            },
        })
    }
}
