//! How many bytes the terminal gets for what happens: the scenes of the reference, drawn into memory as they are on a line.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use super::*;
use crate::tui::pace::{Pacer, Reason};

/// A line to a terminal, which counts what goes over it.
struct Line {
    terminal: Terminal<CrosstermBackend<Counter>>,
    sent: Rc<Cell<usize>>,
}

struct Counter(Rc<Cell<usize>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line {
    /// A line to an empty terminal of this state's size.
    fn new(state: &State) -> Line {
        let sent = Rc::new(Cell::new(0));
        let area = Rect { x: 0, y: 0, width: state.size.width, height: state.size.height };
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let backend = CrosstermBackend::new(Counter(Rc::clone(&sent)));
        Line { terminal: Terminal::with_options(backend, options).unwrap(), sent }
    }

    /// A line to a terminal that shows this state.
    fn with(state: &State) -> Line {
        let mut line = Line::new(state);
        line.bytes_of(state);
        line
    }

    /// Draws a frame; returns how many bytes it took, with the marks of a synchronized update.
    fn bytes_of(&mut self, state: &State) -> usize {
        const MARKS: usize = 16;
        self.sent.set(0);
        self.terminal.draw(|frame| view(state, frame)).unwrap();
        self.sent.get() + MARKS
    }
}

/// The sizes at which the reference has measured.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

#[test]
fn an_idle_minute_sends_nothing() {
    let mut state = afternoon(120, 40);
    let mut line = Line::with(&state);
    let (mut pacer, mut bytes) = (Pacer::default(), 0);
    pacer.want(Reason::Background);
    pacer.drawn(0, 1);
    for now_ms in 1..60_000 {
        if pacer.due_ms().is_some_and(|due| due <= now_ms) {
            bytes += line.bytes_of(&state);
            pacer.drawn(now_ms, 1);
        }
    }
    assert_eq!(bytes, 0);
    state.now.wall = crate::domain::moment::Timestamp(NOW.0 + MINUTE);
    let minute = line.bytes_of(&state);
    assert!(minute <= 400, "the clock and the ages: {minute}");
}

#[test]
fn the_first_frame_fits_the_budget() {
    for (width, height) in SIZES {
        let bytes = Line::new(&afternoon(width, height)).bytes_of(&afternoon(width, height));
        assert!(bytes <= 20_000, "{width}x{height}: {bytes}");
    }
}

#[test]
fn moving_the_selection_sends_two_rows_and_scrolling_a_table() {
    for (width, height) in SIZES {
        let mut state = afternoon(width, height);
        press(&mut state, "3");
        let mut line = Line::with(&state);
        press(&mut state, "j");
        let moved = line.bytes_of(&state);
        // Each cell of two rows is another one then: wide rows are more than the reference has measured.
        let most = 400.max(2 * usize::from(state.areas().unwrap().body.width) + 200);
        assert!(moved <= most, "{width}x{height}: {moved}");
        press(&mut state, "G");
        line.bytes_of(&state);
        press(&mut state, "pgup pgup");
        line.bytes_of(&state);
        press(&mut state, "k");
        let scrolled = line.bytes_of(&state);
        assert!(scrolled <= 5_000, "{width}x{height}: {scrolled}");
        // Another repository shows another body.
        press(&mut state, "0 j");
        read_selected(&mut state);
        let shown = line.bytes_of(&state);
        assert!(shown <= 20_000, "{width}x{height}: {shown}");
    }
}

/// Eight repositories, each with a run, in the list on the whole screen.
fn eight(width: u16, height: u16, runs: i64) -> State {
    let all = (1..=8).map(|at| status(at, &format!("r{at}"), 100, 100, Outcome::Completed, HOUR));
    let mut state = with(blank(width, height), all.collect());
    press(&mut state, "z");
    step(&mut state, runs, 10);
    state
}

/// One step on of each run.
fn step(state: &mut State, runs: i64, percent: u64) {
    for at in 1..=runs {
        let mut run = progress(&format!("r{at}"));
        (run.run_id, run.number) = (format!("01R{at}"), at);
        (run.files_done, run.files_total) = (percent * 30_000, Some(3_000_000));
        (run.bytes_done, run.bytes_total) = (percent * 650_000_000, Some(65_000_000_000));
        tell(state, Msg::Engine(Event::Progress(run)));
    }
}

#[test]
fn a_step_of_one_run_and_of_eight_fits_the_budget() {
    for (width, height) in SIZES {
        for (runs, most) in [(1, 100), (8, 400)] {
            let mut state = eight(width, height, runs);
            let mut line = Line::with(&state);
            step(&mut state, runs, 11);
            let bytes = line.bytes_of(&state);
            assert!((1..=most).contains(&bytes), "{width}x{height}, {runs} runs: {bytes}");
        }
    }
}
