//! What the service manager is told. It is never waited for: one that does not read holds up neither runs nor signals,
//! and hears what it has missed when it reads again.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sd_notify::NotifyState;

/// The way to the service manager; its clones are the same way.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// Where it listens; `None`: there is none.
    address: Option<OsString>,
    /// What it had no room for, as lines `KEY=VALUE`, one of each key.
    untold: Arc<Mutex<Vec<String>>>,
}

impl Supervisor {
    /// Returns the way to the one that listens at `address`, which is what `NOTIFY_SOCKET` says.
    pub fn new(address: Option<OsString>) -> Supervisor {
        Supervisor { address: address.filter(|address| !address.is_empty()), untold: Arc::default() }
    }

    pub fn is_there(&self) -> bool {
        self.address.is_some()
    }

    /// Tells it this, and what it has missed before; of that the newest of each.
    pub fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(address) = &self.address else { return };
        let mut untold = self.untold();
        for line in states.iter().map(ToString::to_string) {
            untold.retain(|old| key(old) != key(&line));
            untold.push(line);
        }
        match send(address, &untold.join("\n")) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => tracing::warn!(%error, "the service manager cannot be told"),
            Ok(()) => {}
        }
        untold.clear();
    }

    /// Tells whether it has missed something: [`tell`](Supervisor::tell) is to be called again soon.
    pub fn has_missed(&self) -> bool {
        !self.untold().is_empty()
    }

    fn untold(&self) -> MutexGuard<'_, Vec<String>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(line: &str) -> &str {
    line.split('=').next().unwrap_or(line)
}

/// The library waits until there is room, so it only makes the lines.
fn send(address: &OsStr, message: &str) -> io::Result<()> {
    let address = match address.as_bytes() {
        // Linux's names without a file.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_read_is_not_waited_for_and_hears_the_newest_later() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let supervisor = Supervisor::new(Some(path.into_os_string()));
        let mut told = 0;
        while !supervisor.has_missed() {
            assert!(told < 1_000_000, "its room has no end");
            told += 1;
            supervisor.tell(&[NotifyState::Status(&told.to_string())]);
        }
        supervisor.tell(&[NotifyState::Ready]);
        supervisor.tell(&[NotifyState::Status("newest")]);
        let read = || {
            let mut buffer = [0; 256];
            listener.recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        while read().is_ok() {}
        supervisor.tell(&[]);
        assert_eq!(read().unwrap(), "READY=1\nSTATUS=newest");
        assert!(!supervisor.has_missed());
    }

    #[test]
    fn one_that_is_gone_or_was_never_there_is_owed_nothing() {
        let nowhere = tempfile::tempdir().unwrap().path().join("notify").into_os_string();
        for address in [None, Some(OsString::new()), Some(nowhere), Some("@no-such-name".into())] {
            let supervisor = Supervisor::new(address);
            supervisor.tell(&[NotifyState::Ready]);
            assert!(!supervisor.has_missed());
        }
    }
}
