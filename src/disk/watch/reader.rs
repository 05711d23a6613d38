//! The reading thread: empties the kernel's queue, hands the news over, removes watches that nobody needs. It asks no
//! file system and no database, so that the queue is never full because of us.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::event::events;
use super::gather::Gathered;
use super::{Deliver, Life, News, Shared};

/// About 5,000 events with usual names.
const BUFFER_BYTES: usize = 256 * 1024;
/// After how long news that were given back are tried again.
const TRY_AGAIN_MS: i64 = 50;
/// How long more news may gather after some were read: a storm then wakes us 200 times a second and not 100,000 times.
/// The kernel's queue holds 16,384 events; one process that creates files makes about 1,000 in this time.
const GATHER_MS: i64 = 5;

/// Reads until the last watcher is dropped.
pub(super) fn run(shared: &Shared, mut deliver: Deliver) {
    let why = match catch_unwind(AssertUnwindSafe(|| read(shared, &mut deliver))) {
        Ok(Ok(())) => return,
        Ok(Err(errno)) => format!("the news cannot be read: {errno}"),
        Err(_) => "the watching thread panicked".to_owned(),
    };
    let mut news = News::Down(why);
    while shared.lock().go_down() {
        match deliver(news) {
            Ok(()) => return,
            Err(back) => news = back,
        }
        // Woken early by the end only.
        let waited = wait(&mut [PollFd::new(&shared.wake, PollFlags::IN)], Some(TRY_AGAIN_MS));
        if waited.and_then(|()| calm(shared)).is_err() {
            return;
        }
    }
}

fn read(shared: &Shared, deliver: &mut Deliver) -> Result<(), Errno> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut gathered = Gathered::default();
    loop {
        let Some((bytes, has_orphans)) = take(shared, &mut buffer, &mut gathered)? else { return Ok(()) };
        gathered.hand_over(deliver);
        if bytes > 0 && bytes < BUFFER_BYTES / 2 {
            wait(&mut [PollFd::new(&shared.wake, PollFlags::IN)], Some(GATHER_MS))?;
        }
        let timeout = match (has_orphans, gathered.is_empty()) {
            (true, _) => Some(0),
            (_, false) => Some(TRY_AGAIN_MS),
            (false, true) => None,
        };
        let mut both = [&shared.inotify, &shared.wake].map(|fd| PollFd::new(fd, PollFlags::IN));
        wait(&mut both, timeout)?;
        calm(shared)?;
    }
}

/// Reads once, with the lock held: nothing of the queue is then between being read and being counted. Returns how much
/// it was, and whether watches are left to remove; `None` when the last watcher is gone.
fn take(shared: &Shared, buffer: &mut [u8], gathered: &mut Gathered) -> Result<Option<(usize, bool)>, Errno> {
    let mut state = shared.lock();
    if state.life == Life::Ended {
        return Ok(None);
    }
    shared.remove_orphans(&mut state);
    let bytes = match rustix::io::read(&shared.inotify, &mut *buffer) {
        Ok(bytes) => bytes,
        Err(Errno::AGAIN | Errno::INTR) => 0,
        Err(errno) => return Err(errno),
    };
    let state = &mut *state;
    for event in events(&buffer[..bytes], state.read_bytes) {
        // The cookie's, or the mark of an overflow in which the cookie's was lost.
        let is_cookie = event.wd == shared.cookie_wd || event.wd == -1;
        if let Some(asked) = state.asked.take_if(|asked| is_cookie && event.ends >= asked.position) {
            gathered.prove(asked.number);
        }
        gathered.take(&event, &mut state.places);
    }
    state.read_bytes += bytes as u64;
    Ok(Some((bytes, !state.places.orphans.is_empty())))
}

/// Lets the next waiting wait again.
fn calm(shared: &Shared) -> Result<(), Errno> {
    match rustix::io::read(&shared.wake, &mut [0; 8]) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn wait(descriptors: &mut [PollFd<'_>], timeout_ms: Option<i64>) -> Result<(), Errno> {
    let timeout = timeout_ms.map(|ms| Timespec { tv_sec: 0, tv_nsec: ms * 1_000_000 });
    match poll(descriptors, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
