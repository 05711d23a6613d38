//! What a host says, line by line, and no faster than anyone can look: a host is trusted with its own screen, not with this
//! machine's memory and cores.

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

/// Far more than a status has.
const LONGEST: usize = 64 << 10;
/// Of more in a second the rest waits in the pipe, and so at the host. A repository whose state changes is one line.
const MOST_A_SECOND: u32 = 2_000;
const SECOND: Duration = Duration::from_secs(1);

/// Hands out lines.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    since: Instant,
    count: u32,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        Lines { input, since: Instant::now(), count: 0 }
    }

    /// Returns the next line without its end; `None` after the last one.
    ///
    /// # Errors
    /// Those of the input; when a line has no end that one could wait for.
    pub fn next(&mut self) -> io::Result<Option<String>> {
        if self.count == MOST_A_SECOND {
            std::thread::sleep(SECOND.saturating_sub(self.since.elapsed()));
            (self.since, self.count) = (Instant::now(), 0);
        }
        self.count += 1;
        let mut line = Vec::new();
        let limit = LONGEST as u64 + 1;
        if io::Read::take(&mut self.input, limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() > LONGEST {
            return Err(io::Error::other("it says what is no status: a line without an end"));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_one_without_an_end_is_refused() {
        let mut lines = Lines::new(&b"a\n\xff\n\nlast"[..]);
        let all: Vec<String> = std::iter::from_fn(|| lines.next().unwrap()).collect();
        assert_eq!(all, ["a", "\u{fffd}", "", "last"]);
        let endless = vec![b'x'; 3 * LONGEST];
        assert!(Lines::new(&endless[..]).next().is_err());
        let just = [vec![b'x'; LONGEST - 1], vec![b'\n']].concat();
        assert_eq!(Lines::new(&just[..]).next().unwrap().unwrap().len(), LONGEST - 1);
    }
}
