-- What an engine needs that runs by itself: a schedule that is changed at run time, runs that follow each other, and a
-- history that is folded.

-- Set with `scheduler set`: the keys of the config, values as a person writes them.
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The latest moment for which a watcher has proven that all was in the index; written when the engine ends.
ALTER TABLE repositories ADD COLUMN true_ms INTEGER;
-- The state that the notify hook was last told of, so that a restart does not tell it again.
ALTER TABLE repositories ADD COLUMN told_state TEXT;
-- How many files a verify or a first reading has read within `verify_every`, when the last verify ended.
ALTER TABLE repositories ADD COLUMN covered_files INTEGER;

-- The run that this one tries again.
ALTER TABLE runs ADD COLUMN retry_of TEXT;
-- How many runs this row stands for: runs that found nothing become one row a day and kind.
ALTER TABLE runs ADD COLUMN folded INTEGER NOT NULL DEFAULT 1;

-- For what retention and sums look up again and again: runs by time, the newest of a kind, those that may be folded, a
-- repository's changes by time, what is held by a run, and closed problems by age.
CREATE INDEX runs_by_start ON runs (started_ms);
CREATE INDEX runs_by_kind ON runs (repository_id, kind, number);
CREATE INDEX runs_that_found_nothing ON runs (repository_id, kind, started_ms)
    WHERE outcome = 'completed' AND files_added = 0 AND files_updated = 0 AND files_removed = 0 AND files_moved = 0
          AND files_damaged = 0 AND problems = 0 AND error_class IS NULL AND attempt = 1;
CREATE INDEX changes_by_time ON changes (repository_id, at_ms);
CREATE INDEX held_by_run ON held (run);
CREATE INDEX problems_closed ON problems (closed_ms) WHERE closed_ms IS NOT NULL;

-- Each batch of hints asks which mounts are recorded; there are few, among many directories.
CREATE INDEX directories_mounted ON directories (repository_id) WHERE mount IS NOT NULL;
