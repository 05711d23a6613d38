//! Carries out what `update` decides: jobs, watches, probes, upkeep. Nothing here blocks the loop.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;

use super::job::{self, Finished, HintBatch, Inbox, JobContext, JobSpec, Report};
use super::news::News;
use super::protocol::{Answer, SyncRequest};
use super::shell::{RunningJob, Shell};
use super::state::{Effect, Input};
use super::stop::Why;
use super::{clock, instance, tending};
use crate::disk::watch::{self, Coverage, WatchError, Watcher};
use crate::disk::{Identity, Root, RootError};
use crate::domain::problem::Class;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome};
use crate::index::{CloseRun, IndexError, Retention, RunContext};

impl Shell {
    /// Does one thing. Returns whether the engine goes on.
    pub fn carry_out(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Start(spec) => self.start(*spec),
            Effect::Stop { run_id, why } => self.stop(&run_id, why),
            Effect::Abandon { run_id, why } => self.abandon(&run_id, why),
            Effect::Hurry { run_id } => {
                if let Some(job) = self.jobs.get(&run_id) {
                    job.hurry.store(true, Relaxed);
                }
            }
            Effect::Request(request) => self.request(*request),
            Effect::Serve { run_id, id, batch, polls } => self.serve(&run_id, id, batch, polls),
            Effect::NoMoreHints { run_id } => {
                if let Some(inbox) = self.jobs.get(&run_id).and_then(|job| job.inbox.as_ref()) {
                    inbox.close();
                }
            }
            Effect::AskProof(number) => {
                let asked = self.watcher.as_ref().map_or(Err(WatchError::Down), |watcher| watcher.ask(number));
                if let Err(error) = asked {
                    return self.step(Input::Watch(watch::News::Down(error.to_string())));
                }
            }
            Effect::StartWatcher => self.start_watcher(),
            Effect::Forget(id) => {
                if let Some(watcher) = &self.watcher {
                    watcher.forget(id.0);
                }
            }
            Effect::Probe(id) => self.probe(id),
            Effect::Measure => {
                let mark = |job: &RunningJob| (job.spec.run_id.clone(), job.progress.mark());
                let measures = self.jobs.values().map(mark).collect();
                return self.step(Input::Measured(measures));
            }
            Effect::Retire => self.retire(),
            Effect::BackUp => self.back_up(),
            Effect::Tell(id) => self.tell(id),
            Effect::Snapshot(reply) => {
                if let Some(sender) = self.snapshots.remove(&reply) {
                    // Who asked has gone meanwhile: nobody misses the answer.
                    let _unheard = sender.send(self.snapshot());
                }
            }
            Effect::Answer(reply, answer) => self.answer(reply, answer),
            Effect::Publish(event) => self.publish(event),
            Effect::End => return false,
        }
        true
    }

    /// Starts a watcher and tells `update` how that went.
    pub fn start_watcher(&mut self) {
        let news = self.news.0.clone();
        let deliver = move |heard: watch::News| {
            news.try_send(News::Input(Box::new(Input::Watch(heard)))).map_err(|refused| match refused.into_inner() {
                News::Input(input) => match *input {
                    Input::Watch(heard) => heard,
                    other => unreachable!("what comes back is what was sent, not {other:?}"),
                },
                other => unreachable!("what comes back is what was sent, not {other:?}"),
            })
        };
        let input = match Watcher::start(&self.desk.data_directory, Box::new(deliver)) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                Input::WatcherStarted
            }
            Err(error) => {
                self.watcher = None;
                let hint = match (&error, super::machine::watches()) {
                    (WatchError::NoInstance, Some(watches)) => format!("; {}", watches.how_to_raise_instances()),
                    _ => String::new(),
                };
                Input::Watch(watch::News::Down(format!("{error}{hint}")))
            }
        };
        self.step(input);
    }

    /// Returns how much of a repository is watched; `None` without a watcher.
    pub fn coverage(&self, id: RepositoryId) -> Option<Coverage> {
        self.watcher.as_ref().map(|watcher| watcher.coverage(id.0))
    }

    /// Says, once, that the system gives too few watches, and what to write to have more.
    pub fn tell_limit(&mut self, id: RepositoryId, coverage: Option<Coverage>) {
        let Some(coverage) = coverage else { return };
        if coverage.why != Some(watch::Why::Limit) || coverage.unwatched == 0 {
            self.told_limit.remove(&id);
            return;
        }
        if !self.told_limit.insert(id) {
            return;
        }
        let desk = self.desk.clone();
        // It looks through all processes.
        tokio::task::spawn_blocking(move || {
            let needed = desk.reader().ok().and_then(|reader| reader.count_directories().ok()).unwrap_or(0);
            let advice = super::machine::watches().map(|watches| watches.how_to_raise_watches(needed));
            let advice = advice.unwrap_or_else(|| "raise fs.inotify.max_user_watches".to_owned());
            tracing::warn!(
                unwatched = coverage.unwatched,
                "not every directory can be watched; the rest is listed every `poll_every`. {advice}"
            );
        });
    }

    fn start(&mut self, spec: JobSpec) {
        let is_watched = self.watcher.is_some() && !spec.plan && self.state.is_watched(spec.repository.id);
        // Also where nothing is watched yet: that may change while it runs.
        let inbox = (self.state.is_resident && !spec.plan).then(Arc::<Inbox>::default);
        let theirs = self.news.clone();
        let context = JobContext {
            writer: self.desk.writer.clone(),
            ledger: self.desk.ledger.clone(),
            index_path: self.desk.index_path.clone(),
            data_directory: self.desk.data_directory.clone(),
            next_directory_id: Arc::clone(&self.next_directory_id),
            stop: Arc::default(),
            hurry: Arc::default(),
            progress: Arc::default(),
            instance: instance::name(),
            counts_ahead: self.counts_ahead,
            watcher: self.watcher.clone().filter(|_| is_watched),
            inbox: inbox.clone(),
            report: Report::new(move |run_id, served| {
                theirs.input(Input::Served { run_id: run_id.to_owned(), served, coverage: None });
            }),
        };
        let running = RunningJob {
            spec: spec.clone(),
            stop: Arc::clone(&context.stop),
            hurry: Arc::clone(&context.hurry),
            inbox,
            progress: Arc::clone(&context.progress),
            number: 0,
        };
        self.jobs.insert(spec.run_id.clone(), running);
        let run_id = spec.run_id.clone();
        let (news, failed) = (self.news.clone(), self.news.clone());
        let started = std::thread::Builder::new().name(format!("job-{}", spec.repository.name)).spawn(move || {
            let run_id = spec.run_id.clone();
            let started = |run| news.send(News::Started { run_id: run_id.clone(), run: Box::new(run) });
            let result = job::run(spec, context, started).map(Box::new).map_err(|error| describe(&error));
            news.input(Input::Finished { run_id, result, coverage: None });
        });
        if let Err(error) = started {
            let result = Err(format!("no thread could be started for the run: {error}"));
            tokio::task::spawn_blocking(move || failed.input(Input::Finished { run_id, result, coverage: None }));
        }
    }

    fn stop(&self, run_id: &str, why: Why) {
        let Some(job) = self.jobs.get(run_id) else { return };
        job.stop.ask(why);
        // A realtime run may be waiting for hints.
        if let Some(inbox) = job.inbox.as_ref().filter(|_| job.stop.is_final()) {
            inbox.close();
        }
    }

    /// Writes the end of a run whose threads hang. What they may still send when they come back is refused.
    fn abandon(&self, run_id: &str, why: Why) {
        let Some(job) = self.jobs.get(run_id) else { return };
        let (ledger, news, number) = (self.desk.ledger.clone(), self.news.clone(), job.number);
        let run_id = run_id.to_owned();
        let context = RunContext::of(job.spec.repository.id, number);
        let close = CloseRun {
            outcome: if why == Why::Stalled { Outcome::Failed } else { Outcome::Cancelled },
            ended_ms: clock::wall().0,
            duration_ms: i64::try_from(job.progress.elapsed_ms()).unwrap_or(i64::MAX),
            error_class: Some(Class::Timeout.as_str()),
            error_message: Some("a thread hangs in the system and was given up; is a disk or share away?".to_owned()),
            metadata: None,
            vouches_from_ms: None,
        };
        tracing::error!(repository = job.spec.repository.name, "a run does not stop and is given up");
        let written = std::thread::Builder::new().name("abandon".to_owned()).spawn(move || {
            let closed = match number {
                0 => Err("its start could not be written".to_owned()),
                _ => ledger.abandon_run(&context, close).map_err(|error| describe(&error)),
            };
            let result = closed.map(|run| Box::new(Finished::given_up(run)));
            news.input(Input::Finished { run_id, result, coverage: None });
        });
        if let Err(error) = written {
            tracing::error!(%error, "the end of a run that hangs could not be written");
        }
    }

    fn request(&self, request: SyncRequest) {
        let (desk, news) = (self.desk.clone(), self.news.clone());
        let background = self.state.background();
        tokio::task::spawn_blocking(move || match desk.jobs(&request) {
            Ok(mut jobs) => {
                for job in jobs.iter_mut().filter(|job| job.kind != Kind::Realtime) {
                    job.manners = tending::manners(request.trigger, background);
                }
                news.input(Input::Sync { jobs, reply: None });
            }
            Err(refusal) => news.input(Input::NotPrepared {
                name: request.names.first().cloned().unwrap_or_default(),
                kind: request.kind,
                message: refusal.message,
            }),
        });
    }

    fn serve(&self, run_id: &str, id: RepositoryId, mut batch: HintBatch, polls: bool) {
        let Some(inbox) = self.jobs.get(run_id).and_then(|job| job.inbox.as_ref()) else {
            // It ended a moment ago, or began without a watcher: its end gives the hints back.
            tracing::debug!(run_id, "hints came for a run that takes none");
            return;
        };
        if polls {
            let everything = || vec![Vec::new()];
            batch.polls = self
                .watcher
                .as_ref()
                .map_or_else(everything, |watcher| watcher.unwatched(id.0).unwrap_or_else(everything));
        }
        inbox.put(batch);
    }

    /// Looks whether a root is there, on a thread of its own: on a dead mount that takes for ever.
    fn probe(&self, id: RepositoryId) {
        let Some((path, identity)) = self.probes.get(&id).cloned() else { return };
        let news = self.news.clone();
        let looked = std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
            let path = Path::new(std::ffi::OsStr::from_bytes(&path));
            let known = identity.as_deref().and_then(Identity::parse);
            let is_there = match Root::identity_now(path) {
                Ok(now) => known.is_none_or(|known| known.is_same_place(&now)),
                Err(RootError::Missing(_) | RootError::NotADirectory(_)) => false,
                // It may well be there: a run will say what is wrong with it.
                Err(RootError::Unreadable(..)) => true,
            };
            news.input(Input::Probed { id, is_there });
        });
        if let Err(error) = looked {
            tracing::warn!(%error, "a root could not be looked for");
        }
    }

    /// Looks everything over, on a thread that the end of the engine does not wait for: a large index takes minutes.
    pub fn examine(&self, sender: oneshot::Sender<Answer>) {
        let desk = self.desk.clone();
        let looked = std::thread::Builder::new().name("doctor".to_owned()).spawn(move || {
            // Who asked has gone meanwhile: nobody misses the answer.
            let _unheard = sender.send(desk.examine());
        });
        if let Err(error) = looked {
            tracing::warn!(%error, "no thread could be started to look everything over");
        }
    }

    fn retire(&self) {
        let (ledger, news) = (self.desk.ledger.clone(), self.news.clone());
        let history = &self.desk.config.history;
        let rules =
            Retention { keep: history.keep, fold_after: history.fold_after, keep_changes: history.keep_changes };
        tokio::task::spawn_blocking(move || {
            let is_done = ledger.retire(rules, clock::wall()).unwrap_or_else(|error| {
                tracing::warn!(%error, "the history could not be cleaned up");
                true
            });
            news.input(Input::Retired { is_done });
        });
    }

    /// Makes a backup as anyone could, on a thread that the end of the engine does not wait for.
    fn back_up(&self) {
        let (directory, news) = (self.desk.data_directory.clone(), self.news.clone());
        let keep = self.desk.config.backup.keep;
        tokio::task::spawn_blocking(move || {
            let at = clock::wall();
            let made = super::backup::keep_one(&directory, keep, at);
            match &made {
                Ok(made) => tracing::info!("a backup was made: {}", made.path.display()),
                Err(error) => tracing::error!(%error, "the backup that was due could not be made"),
            }
            news.input(Input::BackedUp { at: made.is_ok().then_some(at) });
        });
    }

    /// Does what a run's end asks for besides: the changes go to the hook, a verify's coverage is counted.
    pub fn after_run(&self, job: &RunningJob, finished: &Finished) {
        let run = &finished.run;
        let tally = &run.tally;
        if job.spec.plan {
            return;
        }
        if tally.added + tally.updated + tally.removed + tally.moved + tally.damaged > 0 {
            self.teller.changed(run.clone());
        }
        if job.spec.kind == Kind::Verify {
            let (desk, id) = (self.desk.clone(), job.spec.repository.id);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = desk.count_coverage(id) {
                    tracing::warn!(%error, "how much has been verified could not be counted");
                }
            });
        }
        self.refresh();
    }

    /// Lets `update` know what a run has changed about its repository: its size, its identity, its last full listing.
    fn refresh(&self) {
        let (desk, news) = (self.desk.clone(), self.news.clone());
        tokio::task::spawn_blocking(move || match desk.tracked() {
            Ok(tracked) => news.input(Input::Repositories(tracked)),
            Err(refusal) => tracing::warn!(reason = refusal.message, "the repositories could not be read again"),
        });
    }

    fn tell(&self, id: RepositoryId) {
        self.teller.look(id);
    }

    /// Writes down for which moments the watcher has proven each repository.
    pub fn keep_proofs(&self) {
        for (id, at) in self.state.proven() {
            if let Err(error) = self.desk.writer.set_true_as_of(id, Some(at)) {
                tracing::warn!(%error, "what was proven could not be written down");
            }
        }
    }
}

fn describe(error: &IndexError) -> String {
    let class = error.class();
    format!("{error} ({}): {}", class.as_str(), class.hint())
}
