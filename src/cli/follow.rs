//! Follows runs to their end: progress on a terminal, a line or an object for each that ends, signals.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Context;
use super::exit::{Result, Verdict};
use super::output::{Tone, error, progress_target};
use super::session::Session;
use super::signals::Signals;
use crate::domain::amount::{bytes, count, plural, took};
use crate::domain::report::Run;
use crate::domain::run::{Kind, Outcome};
use crate::domain::show::show;
use crate::engine::protocol::{Answer, Command, Event, QueuedRun, RunProgress, SyncRequest};
use crate::engine::{Handle, Subscription};
use crate::wire::RunJson;

/// Sends a sync and follows its runs to their end. A signal cancels them; in an engine that runs elsewhere they go on.
pub fn sync(context: &mut Context, session: &Session, request: SyncRequest) -> Result<Verdict> {
    let interrupt = if session.is_attached() { Interrupt::Detaches } else { Interrupt::Cancels };
    sync_until(context, session, request, interrupt)
}

/// What a signal does to the runs that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    Cancels,
    /// They go on, in an engine that does not end with this command.
    Detaches,
}

/// As [`sync`], for who knows what a signal is to do.
pub fn sync_until(
    context: &mut Context,
    session: &Session,
    request: SyncRequest,
    interrupt: Interrupt,
) -> Result<Verdict> {
    session.runtime.block_on(async {
        let mut events = session.handle().subscribe();
        // The snapshot comes first; from then on nothing is missed.
        let _snapshot = events.next().await;
        // Before the engine knows of it: whoever sees the run may send one.
        let mut signals = Signals::listen()?;
        let answer = tokio::select! {
            biased;
            answer = session.handle().send(Command::Sync(Box::new(request))) => answer,
            signal = signals.next() => {
                context.out.message("interrupted before the engine had answered; `watchkeeper status` shows what runs");
                return Ok(Verdict { signal: Some(signal), ..Verdict::default() });
            }
        };
        let runs = match answer {
            Answer::Accepted(runs) => runs,
            Answer::Refused(refusal) => return Err(refusal.into()),
            _ => return Ok(Verdict::default()),
        };
        let mut follower = Follower::new(context, runs, interrupt);
        follower.follow(session, &mut events, &mut signals).await
    })
}

struct Follower<'a> {
    context: &'a mut Context,
    waiting: Vec<QueuedRun>,
    bars: Bars,
    verdict: Verdict,
    interrupt: Interrupt,
}

impl Follower<'_> {
    fn new(context: &mut Context, waiting: Vec<QueuedRun>, interrupt: Interrupt) -> Follower<'_> {
        let bars = Bars::new(context.out.shows_progress);
        Follower { context, waiting, bars, verdict: Verdict::default(), interrupt }
    }

    async fn follow(&mut self, session: &Session, events: &mut Subscription, signals: &mut Signals) -> Result<Verdict> {
        while !self.waiting.is_empty() {
            let caught = tokio::select! {
                biased;
                event = events.next() => {
                    self.hear(event)?;
                    continue;
                }
                number = signals.next() => number,
            };
            if self.verdict.signal.is_some() {
                // Asked twice: no more is printed, and the end waits only for what is being cancelled.
                return Ok(self.verdict);
            }
            self.verdict.signal = Some(caught);
            if self.interrupt == Interrupt::Detaches {
                self.bars.clear();
                self.context.out.message("the sync goes on in the running engine; `watchkeeper cancel` ends it");
                return Ok(self.verdict);
            }
            self.context.out.message("cancelling; what was committed stays");
            self.cancel(session);
        }
        self.bars.clear();
        Ok(self.verdict)
    }

    /// Cancels all that this engine does, as it ends; in a foreign one what nobody else had asked for before.
    fn cancel(&mut self, session: &Session) {
        let everything = Command::Cancel { names: Vec::new(), run: None };
        let one = |run: &QueuedRun| Command::Cancel { names: Vec::new(), run: Some(run.run_id.clone()) };
        let commands: Vec<Command> = match session.is_attached() {
            false => vec![everything],
            true => {
                self.waiting.retain(|run| !run.joined);
                self.waiting.iter().map(one).collect()
            }
        };
        // Sent beside the loop: the answers come while events go on.
        let handle = session.handle().clone();
        tokio::spawn(async move {
            for command in commands {
                let _answer = handle.send(command).await;
            }
        });
    }

    fn hear(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Progress(progress) => self.bars.show(&progress),
            Event::RunFinished(run) => {
                if self.forget(&run.run_id) {
                    self.bars.remove(&run.run_id);
                    self.finished(&run)?;
                }
            }
            Event::RunLost { run_id, message } => {
                if self.forget(&run_id) {
                    self.bars.remove(&run_id);
                    self.verdict.failed |= self.verdict.signal.is_none();
                    error(&format!("a run was not recorded: {message}"), None);
                }
            }
            Event::Snapshot(snapshot) => {
                // Some events were missed: what neither waits nor runs has ended, and the index says how.
                let goes_on = |id: &str| {
                    snapshot.queued.iter().any(|run| run.run_id == id)
                        || snapshot.running.iter().any(|run| run.run_id == id)
                };
                let ended: Vec<String> = self.waiting.iter().map(|run| run.run_id.clone()).collect();
                for run_id in ended.into_iter().filter(|id| !goes_on(id)) {
                    self.look_up(&run_id)?;
                }
            }
            Event::Ended => {
                if !self.waiting.is_empty() {
                    self.context.out.message("the engine has ended before the sync");
                }
                for run in self.waiting.clone() {
                    self.look_up(&run.run_id)?;
                }
            }
            Event::RunQueued(_) | Event::RunStarted(_) | Event::Live(_) | Event::Changed => {}
        }
        Ok(())
    }

    /// Reads in the index how a run ended whose end was not told.
    fn look_up(&mut self, run_id: &str) -> Result<()> {
        self.forget(run_id);
        self.bars.remove(run_id);
        match self.context.places.existing_reader()?.run(run_id) {
            Ok(run) if run.outcome.is_some() => self.finished(&run),
            // Cancelled before it began, or its engine hangs: it has no row, or one without an end.
            Ok(_) | Err(_) => {
                self.verdict.failed |= self.verdict.signal.is_none();
                Ok(())
            }
        }
    }

    fn forget(&mut self, run_id: &str) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|run| run.run_id != run_id);
        self.waiting.len() < before
    }

    fn finished(&mut self, run: &Run) -> Result<()> {
        let reader = self.context.places.existing_reader()?;
        let status = reader.status(reader.repository(&run.repository)?)?;
        self.verdict.failed |= match run.outcome {
            Some(Outcome::Failed) => true,
            Some(Outcome::Cancelled | Outcome::Interrupted) => self.verdict.signal.is_none(),
            _ => false,
        };
        self.verdict.held |= run.outcome == Some(Outcome::Held);
        self.verdict.problems |= run.outcome == Some(Outcome::Partial) && status.new_problems > 0;
        self.verdict.damaged |= status.damaged > 0;
        let out = &mut self.context.out;
        self.bars.suspend(|| {
            if let Some(message) = &run.error_message {
                error(&format!("{}: {message}", run.repository), None);
            }
            if out.json {
                return out.object(&RunJson::new(run));
            }
            if out.quiet {
                return Ok(());
            }
            for line in describe(run, status.damaged) {
                let (word, rest) = line.split_at(line.find(':').map_or(0, |at| at + 1));
                out.line(&format!("{}{rest}", out.tone(tone_of(run.outcome), word)))?;
            }
            out.flush()
        })
    }
}

/// Waits until an engine has nothing that waits or runs, or has ended.
pub async fn until_idle(handle: &Handle) {
    let mut events = handle.subscribe();
    let mut busy: Vec<String> = Vec::new();
    loop {
        match events.next().await {
            Event::Snapshot(snapshot) => {
                // A realtime run mostly waits; what the watcher has found is looked at when the next engine starts.
                let is_work = |run: &RunProgress| run.kind != Kind::Realtime;
                busy = snapshot.running.into_iter().filter(is_work).map(|run| run.run_id).collect();
                busy.extend(snapshot.queued.into_iter().map(|run| run.run_id));
            }
            Event::RunFinished(run) => busy.retain(|known| *known != run.run_id),
            Event::RunLost { run_id, .. } => busy.retain(|known| *known != run_id),
            Event::RunQueued(run) => busy.push(run.run_id),
            Event::Ended => busy.clear(),
            Event::RunStarted(_) | Event::Progress(_) | Event::Live(_) | Event::Changed => continue,
        }
        if busy.is_empty() {
            return;
        }
    }
}

/// Returns the tone in which an outcome is shown.
pub fn tone_of(outcome: Option<Outcome>) -> Tone {
    match outcome {
        Some(Outcome::Completed) => Tone::Good,
        Some(Outcome::Partial | Outcome::Held | Outcome::Cancelled | Outcome::Interrupted) => Tone::Attention,
        Some(Outcome::Failed) => Tone::Bad,
        None => Tone::Bold,
    }
}

/// Says in a line or two what a run did.
pub fn describe(run: &Run, damaged: i64) -> Vec<String> {
    let tally = &run.tally;
    let outcome = run.outcome.map_or("running", Outcome::as_str);
    let mut parts = vec![plural(tally.scanned.max(0) as u64, "file", "files")];
    for (amount, word) in [
        (tally.added, "added"),
        (tally.updated, "updated"),
        (tally.moved, "moved"),
        (tally.removed, "removed"),
        (tally.damaged, "DAMAGED"),
    ] {
        if amount > 0 {
            parts.push(format!("{} {word}", count(amount as u64)));
        }
    }
    if tally.problems > 0 {
        parts.push(plural(tally.problems as u64, "problem", "problems"));
    }
    if tally.bytes_hashed > 0 {
        parts.push(format!("{} read", bytes(tally.bytes_hashed as u64)));
    }
    parts.push(took(run.duration_ms.unwrap_or(0).max(0) as u64));
    let kind = run.kind.as_str();
    let mut lines =
        vec![format!("{}: {kind} sync {outcome}, {} (run {})", run.repository, parts.join(", "), run.number)];
    if tally.problems > 0 {
        lines.push(format!("{}: see `watchkeeper problems {}`", run.repository, run.repository));
    }
    if damaged > 0 {
        lines.push(format!(
            "{}: {} with damaged content, see `watchkeeper damage {}`",
            run.repository,
            plural(damaged as u64, "file", "files"),
            run.repository
        ));
    }
    lines
}

/// One line of progress for each run, on standard error.
struct Bars {
    all: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
}

impl Bars {
    fn new(shown: bool) -> Bars {
        Bars { all: shown.then(|| MultiProgress::with_draw_target(progress_target())), bars: BTreeMap::new() }
    }

    fn show(&mut self, progress: &RunProgress) {
        let Some(all) = &self.all else { return };
        let bar = self.bars.entry(progress.run_id.clone()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            all.add(ProgressBar::new(100).with_style(style))
        });
        bar.set_message(progress_line(progress));
    }

    fn remove(&mut self, run_id: &str) {
        if let Some(bar) = self.bars.remove(run_id) {
            bar.finish_and_clear();
        }
    }

    fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.all {
            Some(all) => all.suspend(work),
            None => work(),
        }
    }

    fn clear(&mut self) {
        for (_, bar) in std::mem::take(&mut self.bars) {
            bar.finish_and_clear();
        }
    }
}

fn progress_line(progress: &RunProgress) -> String {
    let mut parts = vec![format!("{}: {}", progress.repository, progress.kind.as_str())];
    match progress.percent() {
        Some(percent) => parts.push(format!("{percent:.0} %")),
        None => parts.push("counting".to_owned()),
    }
    let total = progress.files_total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
    parts.push(format!("{}{total} files, {} files/s", count(progress.files_done), count(progress.files_per_s)));
    if progress.bytes_done > 0 {
        parts.push(format!("{} read, {}/s", bytes(progress.bytes_done), bytes(progress.bytes_per_s)));
    }
    if let Some(left) = progress.eta_ms {
        parts.push(format!("about {} left", took(left)));
    }
    parts.push(show(progress.current_path.as_bytes()));
    parts.join("  ")
}
