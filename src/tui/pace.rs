//! When to draw: at once for a key, ten times a second for the background, never when nothing changed. Pure.

/// A frame after a key comes no sooner than this after the one before: 60 a second are all that an eye sees.
pub const INPUT_MS: u64 = 16;
/// A frame for progress and news comes no sooner than this: a line of 9,600 baud and a busy engine stay usable.
pub const BACKGROUND_MS: u64 = 100;

/// Why a frame is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Something happened by itself.
    Background,
    /// The person did something and waits for the answer.
    Input,
}

/// Keeps the time of the last frame and whether the next one is needed.
#[derive(Debug, Default)]
pub struct Pacer {
    drawn_ms: Option<u64>,
    /// How long the terminal took to take the last frame.
    took_ms: u64,
    wanted: Option<Reason>,
}

impl Pacer {
    /// Asks for a frame.
    pub fn want(&mut self, reason: Reason) {
        self.wanted = self.wanted.max(Some(reason));
    }

    /// Returns when the next frame is due, in milliseconds of the same clock as `drawn`; `None`: nothing to draw.
    pub fn due_ms(&self) -> Option<u64> {
        // A line that is busy with frames has no room for keys: the background has at most a tenth of it.
        let apart = match self.wanted? {
            Reason::Input => INPUT_MS.max(self.took_ms),
            Reason::Background => BACKGROUND_MS.max(self.took_ms.saturating_mul(10)),
        };
        Some(self.drawn_ms.map_or(0, |drawn| drawn + apart))
    }

    /// Notes that a frame was drawn, and how long the terminal took to take it.
    pub fn drawn(&mut self, now_ms: u64, took_ms: u64) {
        *self = Pacer { drawn_ms: Some(now_ms), took_ms, wanted: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_new_draws_nothing() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due_ms(), None);
        pacer.want(Reason::Background);
        assert_eq!(pacer.due_ms(), Some(0));
        pacer.drawn(5, 0);
        assert_eq!(pacer.due_ms(), None);
    }

    #[test]
    fn a_flood_of_news_draws_ten_frames_a_second() {
        let mut pacer = Pacer::default();
        let mut frames = 0;
        for now_ms in 0..1000 {
            for _ in 0..10 {
                pacer.want(Reason::Background);
            }
            if pacer.due_ms().is_some_and(|due| due <= now_ms) {
                pacer.drawn(now_ms, 0);
                frames += 1;
            }
        }
        assert_eq!(frames, 10);
    }

    #[test]
    fn a_key_in_a_flood_is_drawn_within_a_frame() {
        let mut pacer = Pacer::default();
        pacer.want(Reason::Background);
        pacer.drawn(1000, 0);
        pacer.want(Reason::Background);
        assert_eq!(pacer.due_ms(), Some(1000 + BACKGROUND_MS));
        pacer.want(Reason::Input);
        assert_eq!(pacer.due_ms(), Some(1000 + INPUT_MS));
    }

    #[test]
    fn a_slow_line_gets_fewer_frames_of_the_background_and_keys_at_once() {
        let mut pacer = Pacer::default();
        pacer.drawn(1000, 200);
        pacer.want(Reason::Background);
        assert_eq!(pacer.due_ms(), Some(3000));
        pacer.want(Reason::Input);
        assert_eq!(pacer.due_ms(), Some(1200));
    }
}
