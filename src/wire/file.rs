//! `files`: one record.

use schemars::JsonSchema;
use serde::Serialize;

use super::{hex, moment, path};
use crate::domain::report::FileEntry;

/// One line of `files --json`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct FileJson {
    repository: String,
    path: String,
    path_b64: Option<String>,
    r#type: &'static str,
    size_bytes: i64,
    mtime_ns: i64,
    ctime_ns: i64,
    inode: u64,
    sha256: Option<String>,
    hashed_at: Option<String>,
    verified_at: Option<String>,
    last_scanned: String,
    scan_generation: i64,
    created_at: String,
    updated_at: String,
    held: bool,
    damaged: bool,
}

impl FileJson {
    pub fn new(repository: &str, entry: &FileEntry) -> FileJson {
        let (path, path_b64) = path::split(entry.path.as_bytes());
        FileJson {
            repository: repository.to_owned(),
            path,
            path_b64,
            r#type: entry.file_type.as_str(),
            size_bytes: entry.stamp.size_bytes,
            mtime_ns: entry.stamp.mtime_ns,
            ctime_ns: entry.stamp.ctime_ns,
            inode: entry.stamp.inode as u64,
            sha256: entry.sha256.as_ref().map(|sum| hex(sum)),
            hashed_at: moment(entry.hashed_at),
            verified_at: moment(entry.verified_at),
            last_scanned: entry.last_scanned.rfc3339(),
            scan_generation: entry.scan_generation,
            created_at: entry.created_at.rfc3339(),
            updated_at: entry.updated_at.rfc3339(),
            held: entry.is_held,
            damaged: entry.is_damaged,
        }
    }
}
