//! Watches directory trees and tells where something happened. What happened is for others to see: news are hints
//! (invariant 1), and a lost one is said to be lost.
//!
//! One inotify instance serves all trees, used directly and not through the `notify` crate, because:
//!
//! - a watch is set on the very directory that was opened and will be listed, not on whatever its path leads to by then;
//! - the map between watches and paths is ours: with a hidden one, giving up the old path of a renamed directory ends the
//!   watch at its new path;
//! - news and watches are in one order (bytes of the queue): news from before a watch was set never ends that watch,
//!   and a proof says that all earlier news were read;
//! - the queue is read 256 KiB at a time, not 1 KiB, by a thread that does nothing else: it overflows later;
//! - events become hints at once, without a path of their own each.
//!
//! No mask has OPEN, ACCESS or CLOSE_NOWRITE (but that of the cookie, our own file): what we read makes no news.

mod event;
mod gather;
mod places;
mod reader;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::EventfdFlags;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, ioctl_fionread};

use super::root::Directory;
use crate::domain::hint::Hints;
use gather::Asked;
use places::{Place, Places};

/// More unwatched directories than this are not told apart: whoever polls lists everything.
pub const MOST_UNWATCHED: usize = 4_096;
/// Watches that are removed at a time: each removal is an event in the queue, which holds 16,384 by default.
const ORPHANS_AT_ONCE: usize = 1_000;

const MASK: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// Why there can be no watcher, or no proof.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// `fs.inotify.max_user_instances`, or this process's limit of open files.
    #[error("no inotify instance is left for this user")]
    NoInstance,
    /// `fs.inotify.max_user_watches`: not even the cookie can be watched.
    #[error("no inotify watch is left for this user")]
    NoWatch,
    #[error("{what} failed: {errno}")]
    Failed { what: &'static str, errno: Errno },
    #[error("{} cannot be made or opened: {}", crate::domain::show::show(.0.as_os_str().as_encoded_bytes()), .1)]
    Cookie(PathBuf, Errno),
    #[error("the watching thread cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("the watcher is down")]
    Down,
}

/// How a directory is watched after [`Watcher::watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// From now on: what was seen of it before may be out of date.
    New,
    /// As it was before.
    Known,
    /// Not at all; [`Watcher::coverage`] says why.
    Unwatched,
}

/// Why directories are not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `fs.inotify.max_user_watches` is reached.
    Limit,
    /// A network or FUSE file system: others may change it and the kernel would not know.
    Remote,
    Other(Errno),
}

/// How much of a tree is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub watched: usize,
    /// Directories that could not be watched; those of a remote tree are not counted.
    pub unwatched: usize,
    /// The root is on a network or FUSE file system.
    pub is_remote: bool,
    /// The most urgent reason; `None` when everything is watched.
    pub why: Option<Why>,
}

/// What the watcher tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Hints {
        tree: i64,
        hints: Hints,
    },
    /// The root was moved, deleted or unmounted. Its watches are gone, and hints that nobody had taken yet.
    RootLost {
        tree: i64,
    },
    /// The answer to [`Watcher::ask`].
    Proof(u64),
    /// The watcher is dead, and why. Nothing is watched any more.
    Down(String),
}

/// Takes news, or gives them back when there is no room.
pub type Deliver = Box<dyn FnMut(News) -> Result<(), News> + Send>;

/// One inotify instance for all trees. Cheap to clone; its thread ends after the last one is dropped.
#[derive(Clone, Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    _end: Arc<End>,
}

/// What the reading thread and all others use.
#[derive(Debug)]
struct Shared {
    inotify: OwnedFd,
    /// Ends the reading thread's waiting.
    wake: OwnedFd,
    /// Opened once and for all: whatever happens to its path, opening it again is an event in our queue.
    cookie: OwnedFd,
    cookie_wd: i32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    places: Places,
    /// How many bytes of news have been read from the queue since the start.
    read_bytes: u64,
    /// How many walks have begun.
    walk: u32,
    asked: Option<Asked>,
    life: Life,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Up,
    /// Nobody reads the queue any more.
    Down,
    /// The last watcher is gone.
    Ended,
}

impl State {
    /// Stops watching, and returns whether anyone is left to be told.
    fn go_down(&mut self) -> bool {
        if self.life == Life::Up {
            *self = State { life: Life::Down, ..State::default() };
        }
        self.life == Life::Down
    }
}

/// Tells the thread that the last watcher is gone. Not joined: whoever takes the news may be the one who drops it.
#[derive(Debug)]
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().life = Life::Ended;
        self.0.wake();
    }
}

impl Watcher {
    /// Starts watching nothing. `own_directory` is where our own files are: `watch.cookie` is made in it.
    ///
    /// `deliver` is called on the reading thread and must not block. News that it gives back are kept, merged with later
    /// ones and tried again within 50 ms.
    ///
    /// # Errors
    /// When the kernel gives no instance, or the cookie or the thread cannot be made.
    pub fn start(own_directory: &Path, deliver: Deliver) -> Result<Watcher, WatchError> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|errno| match errno {
            Errno::MFILE => WatchError::NoInstance,
            errno => WatchError::Failed { what: "inotify_init", errno },
        })?;
        let path = own_directory.join("watch.cookie");
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let cookie = open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| WatchError::Cookie(path, errno))?;
        let cookie_wd =
            inotify::add_watch(&inotify, path_of(&cookie), WatchFlags::OPEN).map_err(|errno| match errno {
                Errno::NOSPC => WatchError::NoWatch,
                errno => WatchError::Failed { what: "watching the cookie", errno },
            })?;
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| WatchError::Failed { what: "eventfd", errno })?;
        let shared = Arc::new(Shared { inotify, wake, cookie, cookie_wd, state: Mutex::default() });
        let there = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || reader::run(&there, deliver))
            .map_err(WatchError::Thread)?;
        Ok(Watcher { _end: Arc::new(End(Arc::clone(&shared))), shared })
    }

    /// Watches an open directory of a tree, from now on. To be called before it is listed, every time: it may be another
    /// directory than the last time, and one that could not be watched may be now. Takes about 6 us.
    pub fn watch(&self, tree: i64, path: &[u8], directory: &Directory) -> Placed {
        let is_remote = self.is_remote(tree, path, directory);
        // Held while the watch is set, so that an event never comes from a watch that is not in the map.
        let mut state = self.shared.lock();
        if state.life != Life::Up || is_remote && state.places.is_all_remote(tree) {
            return Placed::Unwatched;
        }
        let result = if is_remote { Err(Why::Remote) } else { self.shared.add(&mut state, directory) };
        let (since, walk) = (self.shared.position(&state), state.walk);
        let place = Place { wd: result.ok(), since, device: directory.device, walk };
        let was_there = state.places.set(tree, path, place);
        if !state.places.orphans.is_empty() {
            self.shared.wake();
        }
        match result {
            Ok(_) if was_there => Placed::Known,
            Ok(_) => Placed::New,
            Err(why) => {
                state.places.set_why(tree, why);
                Placed::Unwatched
            }
        }
    }

    /// Asks the file system once where it is entered, and without the lock: a dead server answers late or never.
    fn is_remote(&self, tree: i64, path: &[u8], directory: &Directory) -> bool {
        let known = self.shared.lock().places.is_remote(tree, directory.device);
        match known {
            Some(known) if !path.is_empty() && !directory.is_mount_point => known,
            _ => {
                let is_remote = directory.is_remote().unwrap_or(false);
                self.shared.lock().places.set_remote(tree, path, directory.device, is_remote);
                is_remote
            }
        }
    }

    /// Drops all watches of a tree (paused, removed, root gone).
    pub fn forget(&self, tree: i64) {
        self.shared.lock().places.forget(tree);
        self.shared.wake();
    }

    /// Says that a walk begins; see [`Watcher::sweep`].
    pub fn begin_walk(&self) -> u32 {
        let mut state = self.shared.lock();
        state.walk += 1;
        state.walk
    }

    /// Forgets the directories of a tree for which nobody has called [`Watcher::watch`] since a walk began that has now
    /// been everywhere: gone while news were lost, gone without ever being watched, or left out by new settings.
    pub fn sweep(&self, tree: i64, walk: u32) {
        self.shared.lock().places.drop_older(tree, walk);
        self.shared.wake();
    }

    /// Asks for a proof: all news that happened before this call are delivered before [`News::Proof`] with this number.
    /// One proof is under way at a time; a newer question replaces the older one.
    ///
    /// # Errors
    /// When the watcher is down, or our own cookie cannot be opened.
    pub fn ask(&self, number: u64) -> Result<(), WatchError> {
        let mut state = self.shared.lock();
        if state.life != Life::Up {
            return Err(WatchError::Down);
        }
        state.asked = Some(Asked { number, position: self.shared.position(&state) });
        drop(state);
        // Opening makes an event in our queue and writes nothing.
        match open(path_of(&self.shared.cookie), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(_) => Ok(()),
            Err(errno) => Err(WatchError::Failed { what: "opening the cookie", errno }),
        }
    }

    /// Returns how much of a tree is watched.
    pub fn coverage(&self, tree: i64) -> Coverage {
        self.shared.lock().places.coverage(tree)
    }

    /// Returns the directories of a tree that could not be watched; `None` when there are more than [`MOST_UNWATCHED`], or
    /// the whole tree is on a network file system: everything is to be polled.
    pub fn unwatched(&self, tree: i64) -> Option<Vec<Vec<u8>>> {
        self.shared.lock().places.unwatched(tree, MOST_UNWATCHED)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic on the reading thread ends the watcher, and its state is not used any more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Fails only when it has been woken 2^64 times: it is awake then.
        let _awake = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Returns how many bytes of news have been queued since the start.
    fn position(&self, state: &State) -> u64 {
        state.read_bytes + ioctl_fionread(&self.inotify).expect("an inotify instance tells how much is in its queue")
    }

    fn add(&self, state: &mut State, directory: &Directory) -> Result<i32, Why> {
        let add = || inotify::add_watch(&self.inotify, path_of(directory.fd()), MASK);
        let result = match add() {
            // Watches that nobody needs any more make room.
            Err(Errno::NOSPC) if self.remove_orphans(state) => add(),
            result => result,
        };
        result.map_err(|errno| if errno == Errno::NOSPC { Why::Limit } else { Why::Other(errno) })
    }

    /// Removes some watches from the kernel, and returns whether there were any.
    fn remove_orphans(&self, state: &mut State) -> bool {
        let mut removed = 0;
        while let Some(wd) = (removed < ORPHANS_AT_ONCE).then(|| state.places.orphans.pop_first()).flatten() {
            // It may be gone already, with its directory.
            let _gone = inotify::remove_watch(&self.inotify, wd);
            removed += 1;
        }
        removed > 0
    }
}

/// Returns a path that leads to the very file that is open, wherever it is by now.
fn path_of(open: impl AsFd) -> String {
    format!("/proc/self/fd/{}", open.as_fd().as_raw_fd())
}
