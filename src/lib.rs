//! watchkeeper keeps a SQLite index true to directory trees, shows what is in step, what runs, what changed and what
//! failed, and keeps a log of it. It only reads the trees: it copies, moves and deletes nothing in them.
//!
//! This page is the map. Where the code finds a better way than the map, the map is changed in the same commit.
//!
//! # The one idea
//!
//! **The source is the truth. The index is a cache of the source. The screen is a cache of the index.**
//!
//! News between these floors is only a *hint*: "look there". Whoever is told reads the floor below again. A lost, doubled
//! or late message costs time and never correctness. Hence *one road* (every kind of run is the same job over another set
//! of directories), *one shape* (engine and screen are `update(&mut State, Input, Now) -> Vec<Effect>`, pure, in a thin
//! shell), and *writes through one door, reads from the shelf* (one writer thread; everyone reads the index read-only).
//!
//! # The floors
//!
//! ```text
//!             cli              composition root: parses, wires, prints, exits
//!            /   \
//!         api     tui          surfaces: speak Command/Answer/Event, read the index read-only
//!            \   /
//!            engine            queue, jobs, clock, threads; owns writer and journal
//!     /    |    |    |   \
//! wire config index disk journal   each owns one piece of the outside world; blind to each other
//!     \    |    |    |   /
//!            domain            nouns and rules: no I/O, no clock, no threads
//! ```
//!
//! Arrows point down only, and `tests/it/tidy.rs` keeps it so.
//!
//! Every engine serves a socket by `api`, whichever command hosts it. A command that finds the data directory taken gets
//! the same [`engine::Handle`] from `api::client`, and what stands above it does not know the difference. An engine that
//! was started for one command ends when it has done what others have asked it for meanwhile. A screen never hosts one:
//! where none runs it starts `watchkeeper daemon --while-used`, which ends when nobody looks on and nothing runs; `q` offers
//! to hand over to a service that is enabled (`cli::service`), which takes over then. Only `daemon --listen` opens a door
//! on the network, too: a loopback address, and `api::network` asks for the token.
//!
//! # The data's way
//!
//! A sync is asked for: `cli` or `tui` sends [`engine::protocol::Command::Sync`] through the [`engine::Handle`]; the
//! shell turns it into one job a repository, `update` queues it and lets it start on a thread of its own.
//!
//! The job opens its run (its start is written before any work, by the `ledger`: first to the journal, then to the index), opens the root and makes sure that it is the place that
//! it was. Workers share a stack of directories: each opens one relative to the root, lists it, reads what is known of it
//! by one query, walks both in step, and reads the files that differ. Rows go to the writer in batches. A name that a
//! complete listing lacks is only *parked*; a new file of a later run is an *arrival* and is not read yet.
//!
//! At the end the run *settles*: what moved meanwhile is listed again, parked names and arrivals that are the same inode
//! become moves, the other arrivals are read, those with a parked twin's content become moves too, and what is still
//! parked passes the guard: removed, or held for a person. Then the run is closed, and a full run that reached its last
//! directory vouches for everything it did not have to write. Its end is written to the [`journal`], then to the index, and
//! both are read back before anyone is told. A start finds what the two do not agree on (`engine::recover`), and mends it. A
//! backup ([`engine::backup`]) leans on that: any reader can make one, and what ended meanwhile is mended like after a kill.
//!
//! A file is saved: the kernel tells [`disk::watch`], which hands the engine a *hint* (a directory and a name).
//! `update` lets it rest until the place is quiet for half a second, five at most, and gives it with what else is due
//! to the run that goes on in the repository, or starts a realtime run. A *batch* of hints is a small run: it looks at
//! its names, settles by itself, and is committed. Of what is gone only a trifle is removed at once: the rest is
//! *withheld*, and looked at again as one when nothing more has gone for two seconds, so that the guard sees a removal
//! whole. Beside a long run it has a lane of its own for what it parks, takes no directory that the run has in hand
//! (`engine::job::company`), and leaves a directory that is gone to the end of that run.
//!
//! Every run places its watch on a directory before it lists it, by the very descriptor that it lists. So after a full
//! run the watcher covers everything, and "true as of" moves on with each *proof*: an event in a file of our own, which
//! comes behind all others in the kernel's one queue. An overflow, a lost root or a watcher that does not answer ends
//! that until the next full run.
//!
//! # Invariants
//!
//! Cited by number where they are kept.
//!
//! 1. The source is truth; a hint decides only where to look.
//! 2. Not seen is not gone. A directory that could not be listed to its end removes nothing. A root, or a mount point
//!    below it, that is missing, is another file system than before, or has become empty removes nothing, and the run
//!    says which it was.
//! 3. One writer per process, one engine per data directory (lock file).
//! 4. Every row is written inside a run. What was found is committed as it comes, a large directory in parts; what was
//!    not found is only parked, and settled once, after the run's last directory; a batch of hints settles by itself,
//!    or withholds its removals: then nothing is parked any more, and its places are hints again.
//!    Killed at any instant, the index is behind, never wrong.
//! 5. A time stamp not older than the read that recorded it is not trusted: such a file or directory is looked at again.
//! 6. `update`, `view`, `reconcile`, `judge` and the guard do no I/O and ask no clock.
//! 7. A bad file is a problem in its run. Only `main` ends the process (and `tui::hangup`, when `main` hangs in a dead terminal).
//! 8. No queue is unbounded. What does not fit becomes "look again", never silence.
//! 9. Watched trees are only read (`O_NOATIME` where allowed). Where the kernel has Landlock the threads of a run could not
//!    write to them, whatever was wrong.
//! 10. A run is acknowledged only after its end is in the journal, synced, and in the index, committed with
//!     `synchronous=FULL`. Either is made anew from the other; what was damaged is set aside, never deleted. An index that
//!     is moved away or replaced under an engine is written no more: the next one opens what is there (`index::place`).
//! 11. watchkeeper never opens its own database files except through SQLite: a POSIX lock is dropped by *any* close of
//!     the file in its process. `disk` leaves them out by device and inode.
//! 12. No byte of a file name, message or remote value reaches a terminal unescaped ([`domain::show`]).
//!
//! # Where we went another way than the first plan, and why
//!
//! - **The racy window** is 100 ms (2 s where stamps hold whole seconds), not 2 s: kernels stamp with a clock that lags by
//!   a tick, 10 ms at most. See [`domain::record::Stamp::is_racy`].
//! - **Damage in a file that was indexed within a minute of its last write** is reported as damage, with a note that a
//!   memory-mapped write may explain it. Taking the new content silently would be the worse mistake.
//! - **Parked names and arrivals** stand in temporary tables of the writer's connection instead of in `held`: a run that
//!   finds nothing writes nothing, and a killed run leaves nothing to clean up.
//! - **A directory's move** is found where it arrives (inode and birth time of a known directory whose old place is
//!   empty) and costs two updates, however much is in it. **A file's move** is found when the run settles.
//! - **One row serves a directory that was met twice** at one path, as happens while it is renamed under a run: the writer
//!   lets later rows go to the one that stands ([`index`], `twins`).
//! - **What is held stays held** until it returns or someone decides, however the shares move: the guard is asked about
//!   new removals only, and counts the held ones in.
//! - **Watching is our own use of inotify** and not a library's: a watch must be placed on the descriptor that is listed,
//!   a renamed directory must not take the watch of its new place along, and a proof needs one queue whose order is known.
//!   It also costs a fifth of the CPU time in a burst ([`disk::watch`]).
//! - **An overflow is followed by a full run**, not an incremental one: what was written in place leaves no trace in its
//!   directory's stamp.
//! - **A file that is still being written waits**: hints are served when it was closed, or has rested for two seconds.
//!   Neither half a file nor a problem is recorded of it.
//! - **A realtime run stays open** until it was quiet for ten seconds, an hour at most: one row in the history instead of
//!   a row for each save. While it only waits, the repository is not `syncing`.
//! - **Hints are never served by the run's own workers**, so that none of them waits for a large file. To the writer they
//!   are urgent and overtake what the run has sent, unless that is about the same place or one above it.
//! - **Every run is nice**, by 10, so that what is short (a key, an answer of the API, a hint, the writer) goes first; a polite
//!   one asks `ionice` for the idle class besides: no library that we trust has a safe call for it.
//! - **The API reads the index where the request is** (`block_in_place`), not in a pool: while a sync keeps all cores busy each
//!   wake-up waits for its turn. Its runtime's other work moves to another thread meanwhile.
//! - **A service waits for its turn** while another engine has the data directory, and counts as running: a start that fails
//!   would be tried again every few seconds, for as long as a first sync takes. A person is told at once.
//! - **The journal is written inside the transaction** that it goes before, on the writer's thread: so a run's tally cannot
//!   change between the two, and numbers of runs cannot be given twice.
//! - **The journal's files are small** (1 MiB) and each start reads only the last one, unless it finds a reason to read
//!   all: no mark of a clean end has to be written and trusted. A damaged journal is set aside as a whole and written anew.
//! - **No change counter** stands in a run's last line: after any run that the index has lost everything is listed again.
//! - **A backup is a page copy inside a read transaction**, with the journal's files as rows: no `VACUUM INTO`, which needs a
//!   writing connection and more time. The process of the command makes it, not the engine: a hardened one may not write there.
//! - **A plan** is the real run inside a transaction that is rolled back: it cannot differ from what the run then does.
//! - **A screen's engine is a process of its own**, and not a part of the screen's: a stopped (Ctrl-Z), killed or hung-up
//!   screen stops no work, "go on without me" gives the shell back at once, and hosting and attaching are one road.
//!   It costs 10 MB and 20 ms at the start.
//! - **Other machines are reached as a person would reach them**: `--host` runs the screen that is there, over `ssh -t`, and the list of
//!   several hosts is fed by `status --follow` on each ([`tui::hosts`]). No protocol of rows crosses the line, so versions may differ,
//!   and nothing listens for it.
//! - **A new file that is small and rests is read before it is looked at** (`engine::job::glance`): times older than the
//!   beginning of the reading say what a look before it would, and a first index is a tenth faster.
//! - **The screen asks the engine what it may not look at itself**: how a typed path goes on, what adding a directory would
//!   mean, what `doctor` says. These are commands like others, each answered by a thread of its own, so that a screen that
//!   is attached to another process has them too.
//! - **A verify gives way inside a huge file**, too, and not only between two files: the hash state is kept.
//! - **ctime and birth time** are stored as distances from mtime and ctime: mostly 0 to 5 bytes instead of 8.
//! - **A directory's row holds its whole path.** Views are a plain join, a subtree is a range, a move is one update.

pub mod api;
pub mod cli;
pub mod config;
pub mod disk;
pub mod domain;
pub mod engine;
pub mod index;
pub mod journal;
pub mod tui;
pub mod wire;
