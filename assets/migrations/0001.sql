-- The first schema. Units stand in the names: _ns is what the file system said, _ms our own clock since 1970.
-- Paths are bytes (BLOB), relative to the repository, '/' between parts; the root directory has the empty path.

CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    path BLOB NOT NULL,                     -- absolute
    settings TEXT NOT NULL,                 -- JSON
    identity TEXT,                          -- of the root when it was last seen: file system, inode, birth time
    paused_ms INTEGER,
    created_ms INTEGER NOT NULL,
    -- The newest full run that reached its last directory, and its start. It vouches for every directory without
    -- unseen_since_ms and every record that is not held, so that a run that finds nothing writes one row.
    seen_generation INTEGER NOT NULL DEFAULT 0,
    seen_ms INTEGER,
    total_files INTEGER NOT NULL DEFAULT 0,
    total_bytes INTEGER NOT NULL DEFAULT 0,
    left_out TEXT NOT NULL DEFAULT '{}'     -- JSON: rule -> entries left out by the last full run
) STRICT;

CREATE TABLE directories (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,             -- 0 above a root
    path BLOB NOT NULL,
    inode INTEGER NOT NULL DEFAULT 0,
    born_ns INTEGER NOT NULL DEFAULT 0,
    mtime_ns INTEGER,                       -- stamp when its listing began; NULL: never listed to its end
    ctime_ns INTEGER,
    newest_ns INTEGER NOT NULL DEFAULT 0,   -- the latest mtime or ctime of a file in it
    mount TEXT,                             -- identity of what is mounted here
    unseen_since_ms INTEGER,                -- could not be listed (or lies below such a one) since then
    held INTEGER NOT NULL DEFAULT 0,
    verified_ms INTEGER,                    -- start of the verify that last read every file in it
    verify_after BLOB,                      -- a verify was cut off after this name
    generation INTEGER NOT NULL,            -- number of the run that wrote this row
    scanned_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX directories_by_path ON directories (repository_id, path);
CREATE INDEX directories_by_parent ON directories (parent_id);
CREATE INDEX directories_by_inode ON directories (inode);

-- One row per file and no second index (one costs 30 MB per million). ctime and birth are kept as distances, which
-- for most files are small numbers or 0 and so take 0 to 5 bytes instead of 8.
CREATE TABLE files (
    directory_id INTEGER NOT NULL,
    name BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_after_mtime_ns INTEGER NOT NULL,
    born_before_ctime_ns INTEGER,           -- NULL: the file system keeps no birth time
    inode INTEGER NOT NULL,
    sha256 BLOB,
    flags INTEGER NOT NULL,                 -- 1 symlink, 2 racy, 4 held, 8 damaged, 16 unread, 32 arrival
    generation INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_after_created_ms INTEGER NOT NULL,
    hashed_after_created_ms INTEGER,
    PRIMARY KEY (directory_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,            -- ULID
    repository_id INTEGER NOT NULL,
    repository TEXT NOT NULL,               -- its name at that time
    kind TEXT NOT NULL,
    trigger TEXT NOT NULL,                  -- all of them, separated by a blank, the first first
    outcome TEXT,                           -- NULL while it runs
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    duration_ms INTEGER,                    -- by the monotonic clock
    directories_listed INTEGER NOT NULL DEFAULT 0,
    files_scanned INTEGER NOT NULL DEFAULT 0,
    files_added INTEGER NOT NULL DEFAULT 0,
    files_updated INTEGER NOT NULL DEFAULT 0,
    files_removed INTEGER NOT NULL DEFAULT 0,
    files_moved INTEGER NOT NULL DEFAULT 0,
    files_damaged INTEGER NOT NULL DEFAULT 0,
    problems INTEGER NOT NULL DEFAULT 0,
    bytes_hashed INTEGER NOT NULL DEFAULT 0,
    error_class TEXT,
    error_message TEXT,
    attempt INTEGER NOT NULL DEFAULT 1,
    instance TEXT NOT NULL,                 -- host:pid:start
    metadata TEXT,                          -- JSON
    journal_seq INTEGER,
    row_sum BLOB
) STRICT;
CREATE INDEX runs_by_repository ON runs (repository_id, number);

CREATE TABLE run_log (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX run_log_by_run ON run_log (run);

CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    run INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    path BLOB NOT NULL,
    old_path BLOB,
    directory_files INTEGER,                -- files below it, if it is a directory
    old_size_bytes INTEGER,
    new_size_bytes INTEGER,
    old_sha256 BLOB,
    new_sha256 BLOB,
    note TEXT
) STRICT;
CREATE INDEX changes_by_run ON changes (run);

CREATE TABLE problems (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    class TEXT NOT NULL,
    message TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 1,
    acknowledged_ms INTEGER,
    closed_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX problems_open ON problems (repository_id, path) WHERE closed_ms IS NULL;

-- Open damage, by the record it is on. The recorded hash stays in `files`.
CREATE TABLE damage (
    directory_id INTEGER NOT NULL,
    name BLOB NOT NULL,
    repository_id INTEGER NOT NULL,
    found_sha256 BLOB NOT NULL,
    found_ms INTEGER NOT NULL,
    PRIMARY KEY (directory_id, name)
) STRICT, WITHOUT ROWID;

-- Removals that a guard has parked: a file, or a whole directory.
CREATE TABLE held (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    directory_id INTEGER NOT NULL,          -- of the file, or the directory itself
    name BLOB,                              -- NULL: the directory itself
    path BLOB NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    run INTEGER NOT NULL,
    dismissed_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX held_once ON held (repository_id, path);

-- How far a large file was hashed when its run was cut off.
CREATE TABLE hash_states (
    repository_id INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL,
    state BLOB NOT NULL,
    saved_ms INTEGER NOT NULL,
    PRIMARY KEY (repository_id, inode)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_status (
    repository_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    last_success_ms INTEGER,
    last_attempt_ms INTEGER,
    last_outcome TEXT,
    last_error TEXT,
    success_count INTEGER NOT NULL DEFAULT 0,
    failure_count INTEGER NOT NULL DEFAULT 0,
    last_files_processed INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (repository_id, kind)
) STRICT, WITHOUT ROWID;

-- Flat views for people who come with SQL.

CREATE VIEW file_records AS
SELECT f.directory_id || '/' || lower(hex(f.name)) AS id,
       d.repository_id AS repository_id,
       CASE WHEN length(d.path) = 0 THEN CAST(f.name AS TEXT)
            ELSE CAST(d.path AS TEXT) || '/' || CAST(f.name AS TEXT) END AS file_path,
       f.size_bytes AS file_size,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.mtime_ns / 1000000000.0, 'unixepoch') AS mod_time,
       lower(hex(f.sha256)) AS content_hash,
       strftime('%Y-%m-%dT%H:%M:%fZ', (CASE
           WHEN d.unseen_since_ms IS NULL AND d.held = 0 AND f.flags & 4 = 0 AND r.seen_ms IS NOT NULL
           THEN max(r.seen_ms, f.created_ms + f.updated_after_created_ms)
           ELSE f.created_ms + f.updated_after_created_ms END) / 1000.0, 'unixepoch') AS last_scanned,
       CASE WHEN d.unseen_since_ms IS NULL AND d.held = 0 AND f.flags & 4 = 0
            THEN max(r.seen_generation, f.generation) ELSE f.generation END AS scan_generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.created_ms / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', (f.created_ms + f.updated_after_created_ms) / 1000.0, 'unixepoch') AS updated_at
FROM directories d
JOIN repositories r ON r.id = d.repository_id
JOIN files f ON f.directory_id = d.id;

CREATE VIEW sync_operations AS
SELECT number AS id,
       repository_id,
       CASE WHEN kind = 'realtime' THEN 'realtime'
            WHEN trigger = 'startup' OR trigger LIKE 'startup %' THEN 'startup'
            ELSE 'reconciliation' END AS operation_type,
       files_scanned, files_added, files_updated, files_removed,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS start_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS end_time,
       duration_ms,
       CASE WHEN outcome IS NULL THEN 'running'
            WHEN outcome IN ('completed', 'partial') THEN 'completed'
            ELSE 'failed' END AS status,
       error_message
FROM runs;

CREATE VIEW sync_status_by_type AS
SELECT r.name || '/' || s.kind AS sync_type,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.last_success_ms / 1000.0, 'unixepoch') AS last_sync_timestamp,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.last_attempt_ms / 1000.0, 'unixepoch') AS last_attempt_timestamp,
       CASE WHEN EXISTS (SELECT 1 FROM runs WHERE runs.repository_id = s.repository_id AND runs.kind = s.kind
                         AND runs.outcome IS NULL) THEN 'in_progress'
            WHEN s.last_outcome IS NULL THEN 'pending'
            WHEN s.last_outcome IN ('completed', 'partial') THEN 'success'
            ELSE 'error' END AS last_sync_status,
       s.last_error AS last_error_message,
       s.success_count AS successful_sync_count,
       s.failure_count AS failed_sync_count,
       s.last_files_processed AS last_records_processed,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.created_ms / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.updated_ms / 1000.0, 'unixepoch') AS updated_at
FROM sync_status s JOIN repositories r ON r.id = s.repository_id;

CREATE VIEW sync_history AS
SELECT number AS id,
       repository || '/' || kind AS sync_type,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS sync_timestamp,
       CASE WHEN outcome IS NULL THEN 'in_progress'
            WHEN outcome IN ('completed', 'partial') THEN 'success'
            ELSE 'error' END AS status,
       files_scanned AS records_processed,
       duration_ms / 1000.0 AS duration_seconds,
       error_message,
       metadata AS sync_metadata,
       instance AS service_instance
FROM runs;
