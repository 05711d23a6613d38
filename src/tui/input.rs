//! What the terminal sends, as messages.

use std::io;
use std::task::Poll;

use crossterm::event::{Event as Input, EventStream, MouseButton, MouseEvent, MouseEventKind};
use futures_util::StreamExt;

use super::event::{Msg, Pointer};

pub async fn next_input(stream: &mut Option<EventStream>) -> Option<io::Result<Input>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// Returns the next input if it is there already.
///
/// Not `now_or_never`: the stream keeps the first waker that it is polled with, and that one would wake nobody.
pub async fn ready_input(stream: &mut EventStream) -> Option<Option<io::Result<Input>>> {
    std::future::poll_fn(|context| match stream.poll_next_unpin(context) {
        Poll::Ready(input) => Poll::Ready(Some(input)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

pub fn message(input: &Input) -> Option<Msg> {
    match input {
        Input::Paste(text) => Some(Msg::Paste(text.clone())),
        Input::Resize(width, height) => Some(Msg::Resize { width: *width, height: *height }),
        Input::Mouse(mouse) => pointer(*mouse).map(Msg::Pointer),
        Input::Key(_) | Input::FocusGained | Input::FocusLost => None,
    }
}

fn pointer(mouse: MouseEvent) -> Option<Pointer> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Pointer::Click { x: mouse.column, y: mouse.row }),
        MouseEventKind::ScrollUp => Some(Pointer::WheelUp),
        MouseEventKind::ScrollDown => Some(Pointer::WheelDown),
        _ => None,
    }
}

/// Writes a file that is not there yet: what a person has is never written over.
/// Tells whether an error says that the terminal is not there any more.
pub fn is_gone(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::IO | rustix::io::Errno::PIPE | rustix::io::Errno::NXIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_is_gone_is_told_from_one_that_fails() {
        assert!(is_gone(&io::Error::from_raw_os_error(5)));
        assert!(!is_gone(&io::Error::from_raw_os_error(28)));
    }
}
