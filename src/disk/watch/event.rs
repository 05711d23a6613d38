//! What the kernel writes into the queue, and where in the stream of news each piece stands.
//!
//! Read by hand, as `rustix` does not tell how long an event was, and without that nobody can say which came first, an
//! event or a watch.

use rustix::fs::inotify::ReadFlags;

/// `struct inotify_event` without its name: watch, mask, cookie, length of the name.
const HEAD_BYTES: usize = 16;

/// One event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub wd: i32,
    pub mask: ReadFlags,
    pub cookie: u32,
    /// Empty when the event is about the watched directory itself.
    pub name: &'a [u8],
    /// How many bytes of news were queued before it, and with it.
    pub begins: u64,
    pub ends: u64,
}

/// Takes events apart that were read at `position` of the stream.
pub(super) fn events(mut bytes: &[u8], mut position: u64) -> impl Iterator<Item = Event<'_>> {
    std::iter::from_fn(move || {
        // The kernel hands over whole events only.
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| head[at..at + 4].try_into().map(u32::from_ne_bytes).expect("four bytes are four bytes");
        let (padded, rest) = rest.split_at_checked(word(12) as usize)?;
        bytes = rest;
        let begins = position;
        position += (HEAD_BYTES + padded.len()) as u64;
        let name = padded.split(|byte| *byte == 0).next().unwrap_or_default();
        let mask = ReadFlags::from_bits_retain(word(4));
        Some(Event { wd: word(0).cast_signed(), mask, cookie: word(8), name, begins, ends: position })
    })
}
