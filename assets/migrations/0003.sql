-- What was found to be other than the journal says, and what was made of it. The journal won; the row as it stood is kept.
CREATE TABLE run_conflicts (
    id INTEGER PRIMARY KEY,
    found_ms INTEGER NOT NULL,
    run_id TEXT,                            -- NULL: it was about the index as a whole
    reason TEXT NOT NULL,
    row TEXT                                -- JSON
) STRICT;
