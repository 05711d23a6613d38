//! The shell around `update`: one stream of inputs, a sleep until the next deadline, answers and events. What `update`
//! wants done is done in `carry_out`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::clock;
use super::commands::Desk;
use super::handle::Call;
use super::job::{Inbox, JobSpec};
use super::lock::Lock;
use super::lookups::Lookups;
use super::news::{News, NewsSender};
use super::outlet::Outlet;
use super::progress::Progress;
use super::protocol::{Answer, Command, Event, Refusal, Snapshot, Stay};
use super::state::{Input, ReplyId, State};
use super::stop::Stop;
use super::teller::Teller;
use super::update::{live, next_deadline, scheduler, update};
use crate::disk::watch::Watcher;
use crate::domain::repository::RepositoryId;
use crate::domain::run::Kind;

/// Progress is sampled so often while something runs and someone listens.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// The runtime's timers stand still while the machine sleeps: what was missed is noticed at the latest after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A repository by name, the command that removes it, and who waits for that.
pub(super) type Removal = (String, Command, oneshot::Sender<Answer>);

/// A job that runs, as the shell holds it.
pub(super) struct RunningJob {
    pub spec: JobSpec,
    pub stop: Arc<Stop>,
    pub hurry: Arc<std::sync::atomic::AtomicBool>,
    pub inbox: Option<Arc<Inbox>>,
    pub progress: Arc<Progress>,
    /// 0 until its start is written.
    pub number: i64,
}

/// What carries out what `update` decides.
pub(super) struct Shell {
    pub state: State,
    pub desk: Desk,
    pub teller: Teller,
    pub lookups: Lookups,
    pub events: Outlet,
    pub news: NewsSender,
    pub replies: HashMap<ReplyId, oneshot::Sender<Answer>>,
    pub snapshots: HashMap<ReplyId, oneshot::Sender<Snapshot>>,
    pub next_reply: u64,
    pub jobs: BTreeMap<String, RunningJob>,
    /// Repositories whose removal waits for the end of their realtime run.
    pub leaving: Vec<Removal>,
    pub next_directory_id: Arc<AtomicI64>,
    pub counts_ahead: bool,
    pub stay: Stay,
    pub watcher: Option<Watcher>,
    /// Repositories of which was said that the limit of watches is too low for them, and that has not been mended since.
    pub told_limit: BTreeSet<RepositoryId>,
    /// Where each repository's root is and which place it was when it was last seen.
    pub probes: BTreeMap<RepositoryId, (Vec<u8>, Option<String>)>,
    /// Held as long as the engine runs.
    pub _lock: Lock,
}

impl Shell {
    pub async fn run(&mut self, mut calls: mpsc::Receiver<Call>, mut news: mpsc::Receiver<News>) {
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let now = clock::now();
            let wake = next_deadline(&self.state, now).map(|at| Duration::from_millis(at.saturating_sub(now.mono_ms)));
            let goes_on = tokio::select! {
                biased;
                Some(news) = news.recv() => self.hear(news),
                call = calls.recv() => match call {
                    Some(call) => self.take(call),
                    // Every handle is gone: nobody can ask for anything any more.
                    None => false,
                },
                () = tokio::time::sleep(wake.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)), if wake.is_some() => {
                    self.step(Input::Tick)
                }
                _ = sample.tick(), if self.is_watched_at_work() => {
                    self.publish_progress();
                    true
                }
            };
            if !goes_on || (self.desk.writer.has_lost_index() && !self.stop_without_index()) {
                break;
            }
        }
        if self.desk.writer.has_lost_index() {
            return self.clear_the_place();
        }
        self.keep_proofs();
        if let Err(error) = self.desk.writer.checkpoint() {
            tracing::warn!(%error, "the WAL could not be moved into the index");
        }
    }

    /// Begins to end as by a command, once: nothing can be written any more. Returns whether the engine goes on.
    fn stop_without_index(&mut self) -> bool {
        match self.state.stopping {
            Some(_) => true,
            None => {
                let reply = self.new_reply();
                self.step(Input::Shutdown { reply })
            }
        }
    }

    /// Sets aside what is left of a lost index, before the next engine finds it beside another one.
    fn clear_the_place(&self) {
        let left = self.desk.writer.left_behind();
        let names: Vec<&str> = left.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        if names.is_empty() {
            return;
        }
        match crate::journal::set_aside(&self.desk.data_directory, &names, clock::wall()) {
            Ok(place) => tracing::error!(?place, "what is left of the index was set aside"),
            Err(error) => tracing::error!(%error, "what is left of the index could not be set aside"),
        }
    }

    fn new_reply(&mut self) -> ReplyId {
        self.next_reply += 1;
        ReplyId(self.next_reply)
    }

    fn reply_to(&mut self, sender: oneshot::Sender<Answer>) -> ReplyId {
        let reply = self.new_reply();
        self.replies.insert(reply, sender);
        reply
    }

    fn take(&mut self, call: Call) -> bool {
        match call {
            Call::Snapshot(sender) => {
                let reply = self.new_reply();
                self.snapshots.insert(reply, sender);
                self.step(Input::Snapshot { reply })
            }
            Call::Command(Command::Sync(request), sender) => {
                let reply = self.reply_to(sender);
                let (desk, news) = (self.desk.clone(), self.news.clone());
                tokio::task::spawn_blocking(move || match desk.jobs(&request) {
                    Ok(jobs) => news.input(Input::Sync { jobs, reply: Some(reply) }),
                    Err(refusal) => news.send(News::Refused { reply, refusal }),
                });
                true
            }
            Call::Command(Command::Cancel { names, run }, sender) => {
                let run = run.map(|wanted| self.run_id_of(wanted));
                let reply = self.reply_to(sender);
                self.step(Input::Cancel { names, run, reply })
            }
            Call::Command(Command::Examine, sender) => {
                self.examine(sender);
                true
            }
            Call::Command(Command::Shutdown, sender) => {
                let reply = self.reply_to(sender);
                self.step(Input::Shutdown { reply })
            }
            Call::Command(command @ (Command::Complete { .. } | Command::Estimate(_)), sender) => {
                self.lookups.look(&self.desk, command, sender);
                true
            }
            Call::Command(command, sender) => {
                self.change(command, sender);
                true
            }
        }
    }

    /// Carries out a command that changes what holds, lets `update` know, and answers when it does.
    fn change(&mut self, command: Command, sender: oneshot::Sender<Answer>) {
        if let Some(refusal) = self.refuse_while_busy(&command) {
            let _unheard = sender.send(Answer::Refused(refusal));
            return;
        }
        if let Command::RemoveRepository { name } = &command {
            let name = name.clone();
            self.step(Input::Leaving { name: name.clone(), is_going: true });
            if self.jobs.values().any(|job| job.spec.repository.name == name) {
                // Its realtime run ends in a moment, and would find its rows gone.
                return self.leaving.push((name, command, sender));
            }
        }
        self.begin_change(command, sender);
    }

    /// Goes on with removals for which nothing runs any more.
    fn go_on_removing(&mut self) {
        let is_over = |name: &str, jobs: &BTreeMap<String, RunningJob>| {
            jobs.values().all(|job| job.spec.repository.name != *name)
        };
        let (over, waiting) =
            std::mem::take(&mut self.leaving).into_iter().partition(|(name, ..): &Removal| is_over(name, &self.jobs));
        self.leaving = waiting;
        let over: Vec<Removal> = over;
        for (_, command, sender) in over {
            self.begin_change(command, sender);
        }
    }

    fn begin_change(&mut self, command: Command, sender: oneshot::Sender<Answer>) {
        let (mut desk, news) = (self.desk.clone(), self.news.clone());
        let is_config = matches!(command, Command::Configure(_));
        if let Command::Configure(config) = &command {
            desk.config = (**config).clone();
        }
        let reply = self.reply_to(sender);
        let going = match &command {
            Command::RemoveRepository { name } => Some(name.clone()),
            _ => None,
        };
        tokio::task::spawn_blocking(move || {
            let answer = match desk.carry_out(command) {
                Answer::Refused(refusal) => {
                    if let Some(name) = going {
                        news.input(Input::Leaving { name, is_going: false });
                    }
                    return news.send(News::Refused { reply, refusal });
                }
                answer => answer,
            };
            match desk.effective().and_then(|effective| Ok((effective, desk.tracked()?))) {
                Ok((effective, tracked)) => {
                    let config = is_config.then(|| Box::new(desk.config));
                    news.send(News::Changed { config, effective: Box::new(effective), tracked, reply, answer });
                }
                Err(refusal) => news.send(News::Refused { reply, refusal }),
            }
        });
    }

    /// A run's number stands for its id.
    fn run_id_of(&self, wanted: String) -> String {
        let number = wanted.parse::<i64>().ok();
        let found = self.jobs.iter().find(|(_, job)| Some(job.number) == number);
        found.map_or(wanted, |(run_id, _)| run_id.clone())
    }

    /// A plan's transaction will be undone, and a run works with the settings that it began with.
    fn refuse_while_busy(&self, command: &Command) -> Option<Refusal> {
        if self.jobs.values().any(|job| job.spec.plan) {
            return Some(Refusal::new("conflict", "a plan is being made; try again when it is done"));
        }
        let name = match command {
            Command::SetRepository { name, .. }
            | Command::RenameRepository { name, .. }
            | Command::RemoveRepository { name } => name,
            _ => return None,
        };
        self.state.works_on(name).then(|| Refusal {
            code: "conflict",
            message: format!("{name} is being synced"),
            hint: Some(format!("wait for it, or `watchkeeper cancel {name}`")),
        })
    }

    fn hear(&mut self, heard: News) -> bool {
        match heard {
            News::Started { run_id, run } => {
                if let Some(job) = self.jobs.get_mut(&run_id) {
                    job.number = run.number;
                }
                self.publish(Event::RunStarted(run));
                true
            }
            News::Input(input) => self.take_input(*input),
            News::Refused { reply, refusal } => {
                self.answer(reply, Answer::Refused(refusal));
                true
            }
            News::Changed { config, effective, tracked, reply, answer } => {
                // Another config may have been taken over while a slower command went on.
                if let Some(config) = config {
                    self.desk.config = *config;
                    self.teller.configure(&self.desk);
                }
                let goes_on = self.step(Input::Config(effective)) && self.step(Input::Repositories(tracked));
                self.answer(reply, answer);
                self.publish(Event::Changed);
                goes_on
            }
        }
    }

    fn take_input(&mut self, input: Input) -> bool {
        let Input::Finished { run_id, mut result, .. } = input else { return self.step(self.with_coverage(input)) };
        let job = self.jobs.remove(&run_id);
        // Given to it while its end was being written.
        let left = job.as_ref().and_then(|job| job.inbox.as_ref()).and_then(|inbox| inbox.take_left());
        if let (Some(batch), Ok(finished)) = (left, &mut result) {
            finished.again.merge(batch.into_hints());
        }
        let coverage = job.as_ref().and_then(|job| self.coverage(job.spec.repository.id));
        if let (Some(job), Ok(finished)) = (&job, &result) {
            self.after_run(job, finished);
        }
        if let Some(job) = &job {
            self.tell_limit(job.spec.repository.id, coverage);
        }
        let goes_on = self.step(Input::Finished { run_id, result, coverage });
        self.go_on_removing();
        goes_on
    }

    fn with_coverage(&self, input: Input) -> Input {
        match input {
            Input::Served { run_id, served, .. } => {
                let id = self.jobs.get(&run_id).map(|job| job.spec.repository.id);
                let coverage = id.and_then(|id| self.coverage(id));
                Input::Served { run_id, served, coverage }
            }
            input => input,
        }
    }

    /// Lets `update` decide, and carries it out. Returns whether the engine goes on.
    pub fn step(&mut self, input: Input) -> bool {
        if let Input::Repositories(tracked) = &input {
            let place = |r: &crate::domain::report::Repository| (r.id, (r.path.clone(), r.identity.clone()));
            self.probes = tracked.iter().map(|tracked| place(&tracked.repository)).collect();
        }
        let effects = update(&mut self.state, input, clock::now());
        let mut goes_on = true;
        for effect in effects {
            goes_on &= self.carry_out(effect);
        }
        goes_on
    }

    pub fn answer(&mut self, reply: ReplyId, answer: Answer) {
        if let Some(sender) = self.replies.remove(&reply) {
            // Who asked has gone meanwhile: nobody misses the answer.
            let _unheard = sender.send(answer);
        }
    }

    pub fn publish(&self, event: Event) {
        // Fails when nobody listens.
        self.events.send(event);
    }

    /// Returns what only the engine knows.
    pub fn snapshot(&self) -> Snapshot {
        let now = clock::now();
        Snapshot {
            queued: self.state.queued(),
            running: self.jobs.values().map(RunningJob::sample).collect(),
            live: live(&self.state, now),
            scheduler: scheduler(&self.state, now),
            stay: self.stay,
        }
    }

    /// Tells whether anything is going on that someone looks at. A realtime run mostly waits.
    fn is_watched_at_work(&self) -> bool {
        self.jobs.values().any(|job| job.spec.kind != Kind::Realtime) && self.events.listeners() > 0
    }

    fn publish_progress(&self) {
        for job in self.jobs.values().filter(|job| job.spec.kind != Kind::Realtime) {
            self.publish(Event::Progress(job.sample()));
        }
    }
}

impl RunningJob {
    fn sample(&self) -> super::protocol::RunProgress {
        self.progress.sample(&self.spec.run_id, self.number, &self.spec.repository.name, self.spec.kind)
    }
}
