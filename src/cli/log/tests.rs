//! The limiter under a clock that is a number, and the lines of real events.

use super::*;

fn line(text: &str) -> Line {
    Line { level: Level::WARN, text: text.to_owned() }
}

/// Feeds `(second, cause)` and returns what is written, with the second.
fn check(events: &[(u64, &str)], expected: &[&str]) {
    let mut limiter = Limiter::default();
    let mut written = Vec::new();
    for &(second, cause) in events {
        let now = Duration::from_secs(second);
        written.extend(limiter.due(now).into_iter().map(|line| format!("{second} {}", line.text)));
        if limiter.admits(("place", cause.to_owned()), &line(cause), now) {
            written.push(format!("{second} {cause}"));
        }
    }
    written.extend(limiter.due(Duration::MAX).into_iter().map(|line| format!("end {}", line.text)));
    assert_eq!(written, expected, "{events:?}");
}

#[test]
fn a_cause_gets_one_line_a_minute_and_a_count() {
    check(&[(0, "a")], &["0 a"]);
    check(&[(0, "a"), (1, "a"), (59, "a")], &["0 a", "end a (2 more in the last minute)"]);
    check(&[(0, "a"), (1, "a"), (60, "a")], &["0 a", "60 a (1 more in the last minute)", "60 a"]);
    check(&[(0, "a"), (60, "a"), (120, "a")], &["0 a", "60 a", "120 a"]);
}

#[test]
fn causes_do_not_hold_each_other_back() {
    check(&[(0, "a"), (0, "b"), (1, "a")], &["0 a", "0 b", "end a (1 more in the last minute)"]);
    check(&[(0, "a"), (1, "a"), (70, "b")], &["0 a", "70 a (1 more in the last minute)", "70 b"]);
}

#[test]
fn debug_lines_are_never_held_back() {
    let mut limiter = Limiter::default();
    let line = Line { level: Level::DEBUG, text: "d".to_owned() };
    assert!((0..9).all(|_| limiter.admits(("place", String::new()), &line, Duration::ZERO)));
}

#[test]
fn endlessly_many_causes_take_no_endless_memory() {
    let mut limiter = Limiter::default();
    let mut admitted = 0;
    for cause in 0..MOST_CAUSES * 3 {
        admitted += usize::from(limiter.admits(("place", cause.to_string()), &line("x"), Duration::ZERO));
    }
    assert_eq!(admitted, MOST_CAUSES + 1);
    assert_eq!(limiter.due(WINDOW).len(), 1);
    assert!(limiter.told.is_empty(), "a minute later all is forgotten");
}

#[test]
fn a_line_looks_as_its_reader_wants_it() {
    let line = line("no space");
    assert_eq!(line.shaped(Style::Plain, Timestamp(0)), " WARN no space\n");
    assert_eq!(line.shaped(Style::Timed, Timestamp(0)), "1970-01-01T00:00:00.000Z  WARN no space\n");
    assert_eq!(line.shaped(Style::Journal, Timestamp(0)), "<4>no space\n");
    let priorities = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE].map(priority);
    assert_eq!(priorities, [3, 4, 6, 7, 7]);
}

/// A target whose content can be read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns what events leave in a log.
fn written(limiter: Option<Limiter>, events: impl FnOnce()) -> String {
    let paper = Paper::default();
    let lines = Lines { target: Box::new(paper.clone()), style: Style::Plain, limiter, started: Instant::now() };
    let log = Log(Arc::new(Mutex::new(lines)));
    tracing::subscriber::with_default(registry().with(log.clone()), events);
    log.end();
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_file_name_cannot_forge_a_line() {
    let name = "photo\n<3> WARN all is lost\u{1b}[2J\r";
    let text = written(None, || tracing::warn!(name, error = %name, "gone: {name}"));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
    assert!(text.starts_with(" WARN gone: photo\\x0a<3> WARN all is lost\\x1b[2J\\x0d name="), "{text}");
}

#[test]
fn the_cause_is_the_place_in_the_code_and_the_field_of_that_name() {
    let text = written(Some(Limiter::default()), || {
        for number in 0..3 {
            tracing::warn!(number, "disk is slow");
        }
        for cause in ["a", "b", "a"] {
            tracing::info!(cause, "run ended");
        }
    });
    let expected = " WARN disk is slow number=0\n INFO run ended\n INFO run ended\n\
        \x20WARN disk is slow number=0 (2 more in the last minute)\n INFO run ended (1 more in the last minute)\n";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&text), sorted(expected));
}
