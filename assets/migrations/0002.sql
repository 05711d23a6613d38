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
