//! What the world does with effects: runs that start and end, batches, proofs, probes.

use super::world::{Coming, DIRECTORIES, Dirty, Fate, Job, QUICK, World};
use super::{job, run};
use crate::disk::watch::{Coverage, News};
use crate::domain::hint::Hints;
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome};
use crate::engine::job::{Finished, HintBatch, JobSpec, Served};
use crate::engine::protocol::{Answer, Event, SyncRequest};
use crate::engine::state::{Effect, Input};
use crate::engine::stop::Why;
use crate::engine::tending::manners;

impl World {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start(spec) => self.begin(*spec),
            Effect::Stop { run_id, why } => self.stop(&run_id, why),
            Effect::Abandon { run_id, why } => self.abandon(run_id, why),
            Effect::Request(request) => self.request(&request),
            Effect::Serve { run_id, id, batch, polls } => self.serve(run_id, id, batch, polls),
            Effect::NoMoreHints { run_id } => {
                self.note_run(&run_id, "no more hints");
                self.come(5, Coming::Ends(run_id));
            }
            Effect::AskProof(number) => {
                if let Some(after) = self.proof_takes.filter(|_| self.is_watcher_up) {
                    self.come(after, Coming::Proof(number));
                }
            }
            Effect::StartWatcher => self.come(0, Coming::StartWatcher),
            Effect::Forget(id) => self.unwatch(id.0),
            Effect::Probe(id) => self.come(5, Coming::Probe(id)),
            Effect::Measure => self.come(0, Coming::Measure),
            Effect::BackUp => {
                self.note(0, "backup".to_owned());
                let at = (!self.is_index_away).then_some(self.now.wall);
                self.come(20, Coming::Input(Input::BackedUp { at }));
            }
            Effect::Retire => self.come(20, Coming::Input(Input::Retired { is_done: true })),
            Effect::Answer(_, Answer::Refused(_)) => self.note(0, "refused".to_owned()),
            Effect::Snapshot(_) => self.note(0, "snapshot".to_owned()),
            Effect::Publish(Event::RunLost { .. }) => self.note(0, "lost".to_owned()),
            Effect::End => {
                self.note(0, "end".to_owned());
                self.has_ended = true;
                self.coming.clear();
            }
            Effect::Hurry { .. } | Effect::Tell(_) | Effect::Answer(..) | Effect::Publish(_) => {}
        }
    }

    pub(super) fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Input(input) => self.step(input),
            Coming::Served(run_id) => self.served(run_id),
            Coming::Ends(run_id) => self.end(run_id, None),
            Coming::Probe(id) => {
                if let Some(tree) = self.trees.get(&id.0) {
                    let is_there = tree.is_there;
                    self.step(Input::Probed { id, is_there });
                }
            }
            Coming::Proof(number) => self.step(Input::Watch(News::Proof(number))),
            Coming::StartWatcher => {
                self.note(0, "start watcher".to_owned());
                self.is_watcher_up = self.watcher_starts;
                self.step(match self.watcher_starts {
                    true => Input::WatcherStarted,
                    false => Input::Watch(News::Down("cannot".to_owned())),
                });
            }
            Coming::Measure => {
                let now_ms = self.now.mono_ms;
                let measure = |job: &Job| if job.fate.hangs { 0 } else { now_ms };
                let measures = self.jobs.iter().map(|(id, job)| (id.clone(), measure(job))).collect();
                self.step(Input::Measured(measures));
            }
            Coming::Refresh => self.tell(),
        }
    }

    fn request(&mut self, request: &SyncRequest) {
        let name = request.names[0].clone();
        let tree = self.trees.values().find(|tree| tree.tracked.repository.name == name);
        let is_ready = tree.is_some_and(|tree| tree.tracked.repository.paused_at.is_none()) && !self.is_index_away;
        let input = if is_ready {
            Input::Sync { jobs: vec![self.job(request)], reply: None }
        } else {
            self.note(0, "not prepared".to_owned());
            Input::NotPrepared { name, kind: request.kind, message: String::new() }
        };
        self.come(0, Coming::Input(input));
    }

    pub(super) fn job(&mut self, request: &SyncRequest) -> JobSpec {
        let tree = self.trees.values().find(|tree| tree.tracked.repository.name == request.names[0]).unwrap();
        let repository = tree.tracked.repository.clone();
        self.next += 1;
        JobSpec {
            triggers: vec![request.trigger],
            manners: manners(request.trigger, self.config.sync.background),
            max_bytes: request.max_bytes,
            max_time: request.max_time,
            attempt: request.attempt,
            retry_of: request.retry_of.clone(),
            continues: request.continues.clone(),
            repository: repository.clone(),
            ..job(&format!("run{}", self.next), repository.id.0, request.kind)
        }
    }

    fn begin(&mut self, spec: JobSpec) {
        let id = spec.repository.id.0;
        let words: Vec<&str> = spec.triggers.iter().map(|trigger| trigger.as_str()).collect();
        self.note(id, format!("{} {}", spec.kind.as_str(), words.join("+")));
        let is_doubled = self.jobs.values().any(|job| job.spec.repository.id.0 == id);
        assert!(!is_doubled, "two runs in one repository");
        let slots = self.jobs.values().filter(|job| job.spec.kind != Kind::Realtime).count();
        assert!(spec.kind == Kind::Realtime || slots < self.config.sync.repositories_at_once, "too many at once");
        self.started.push((self.now.mono_ms, spec.clone()));
        let mut fate = self.fates.get(&(id, spec.kind)).copied().unwrap_or(QUICK);
        let can_watch = self.is_watcher_up && self.state.is_watched(spec.repository.id);
        let tree = self.tree(id);
        if !tree.is_there {
            fate = Fate { takes: 10, fails: Some(Class::MountMissing), ..QUICK };
        } else if can_watch && !tree.is_remote {
            tree.watched = match spec.kind {
                Kind::Full => DIRECTORIES,
                _ => tree.watched.max(1),
            };
        }
        let ends = fate.takes.min(spec.max_time.map_or(u64::MAX, |most| most.as_millis() as u64));
        let run_id = spec.run_id.clone();
        if !fate.hangs && spec.kind != Kind::Realtime {
            self.come(ends, Coming::Ends(run_id.clone()));
        }
        let last = (spec.kind, self.now.wall);
        self.tree(id).tracked.last.retain(|(kind, _)| *kind != last.0);
        self.tree(id).tracked.last.push(last);
        self.jobs.insert(run_id, Job { spec, started: self.now, fate, batch: None, why: None });
    }

    fn note_run(&mut self, run_id: &str, word: &str) {
        let Some(job) = self.jobs.get(run_id) else { return };
        let (id, kind) = (job.spec.repository.id.0, job.spec.kind.as_str());
        self.note(id, format!("{word} {kind}"));
    }

    fn stop(&mut self, run_id: &str, why: Why) {
        self.note_run(run_id, &format!("stop {why:?}"));
        let Some(job) = self.jobs.get_mut(run_id) else { return };
        job.why = Some(why);
        if !job.fate.is_stubborn {
            self.come(50, Coming::Ends(run_id.to_owned()));
        }
    }

    /// The thread and what it has in its hands are gone.
    fn abandon(&mut self, run_id: String, why: Why) {
        self.note_run(&run_id, "abandon");
        let class = if why == Why::Stalled { Class::Timeout } else { Class::Cancelled };
        if let Some(job) = self.jobs.get_mut(&run_id) {
            job.batch = None;
        }
        self.given_up.push(run_id.clone());
        self.end(run_id, Some(class));
    }

    fn serve(&mut self, run_id: String, id: RepositoryId, batch: HintBatch, polls: bool) {
        let names: Vec<_> = batch.places.iter().map(|(place, _)| String::from_utf8_lossy(place)).collect();
        let word = format!("serve {}{}", names.join(","), if polls { " polls" } else { "" });
        self.note(id.0, word);
        let job = self.jobs.get_mut(&run_id).expect("a batch is for a run that goes on");
        assert!(job.batch.is_none(), "one batch at a time");
        for dirty in &mut self.trees.get_mut(&id.0).unwrap().dirty {
            dirty.is_served = polls || batch.places.iter().any(|(place, _)| *place == dirty.place);
        }
        job.batch = Some(batch);
        let does_fail = job.spec.kind == Kind::Realtime && job.fate.fails.is_some();
        self.come(20, if does_fail { Coming::Ends(run_id) } else { Coming::Served(run_id) });
    }

    fn served(&mut self, run_id: String) {
        let Some(job) = self.jobs.get_mut(&run_id).filter(|job| !job.fate.hangs) else { return };
        let batch = job.batch.take().unwrap_or_default();
        let id = job.spec.repository.id;
        // What is gone is withheld until it is judged.
        let mut withheld = Hints::default();
        for (place, _) in batch.places.iter().filter(|(place, _)| !batch.judges_removals && place.starts_with(b"gone"))
        {
            withheld.name(place, b"f", false);
            let dirty = self.tree(id.0).dirty.iter_mut().filter(|dirty| dirty.place == *place);
            dirty.for_each(|dirty| dirty.is_served = false);
        }
        self.tree(id.0).dirty.retain(|dirty| !dirty.is_served);
        let coverage = self.coverage(id);
        self.step(Input::Served { run_id, served: Served { withheld, ..Served::default() }, coverage });
    }

    fn coverage(&mut self, id: RepositoryId) -> Option<Coverage> {
        if !self.watcher_starts {
            return None;
        }
        let is_up = self.is_watcher_up;
        let tree = self.tree(id.0);
        Some(Coverage { watched: tree.watched, is_remote: tree.is_remote && is_up, ..Coverage::default() })
    }

    fn end(&mut self, run_id: String, given_up: Option<Class>) {
        let Some(Job { spec, started, fate, batch, why }) = self.jobs.remove(&run_id) else { return };
        let id = spec.repository.id;
        let gone = self.trees.get(&id.0).filter(|tree| !tree.is_there).map(|_| Class::MountMissing);
        let class = given_up.or(gone).or(fate.fails).or(match why {
            Some(Why::Cancelled) => Some(Class::Cancelled),
            Some(Why::Stalled) => Some(Class::Timeout),
            Some(Why::GiveWay) | None => None,
        });
        let outcome = match class {
            None => Outcome::Completed,
            Some(Class::Cancelled) => Outcome::Cancelled,
            Some(_) => Outcome::Failed,
        };
        let mut row = run(&spec);
        (row.outcome, row.error_class) = (Some(outcome), class.map(|class| class.as_str().to_owned()));
        let took_ms = self.now.mono_ms - started.mono_ms;
        (row.started_at, row.duration_ms) = (started.wall, Some(took_ms as i64));
        row.tally.bytes_hashed = if spec.kind == Kind::Verify { (took_ms * 1_000_000) as i64 } else { 0 };
        let has_seen_all = outcome == Outcome::Completed && spec.kind == Kind::Full;
        self.note(id.0, format!("{} {}", outcome.as_str(), spec.kind.as_str()));
        let mut finished = Finished { is_given_up: given_up.is_some(), ..Finished::given_up(row) };
        finished.has_seen_all = has_seen_all;
        finished.gave_way = why == Some(Why::GiveWay);
        finished.again = batch.map_or_else(Hints::default, HintBatch::into_hints);
        let seen_at = has_seen_all.then_some((started.mono_ms, started.wall));
        if let Some(tree) = self.trees.get_mut(&id.0) {
            tree.dirty.iter_mut().for_each(|dirty| dirty.is_served = false);
            tree.see(seen_at);
        }
        let coverage = if self.trees.contains_key(&id.0) { self.coverage(id) } else { None };
        let result = Ok(Box::new(finished));
        self.step(Input::Finished { run_id, result, coverage });
        if !self.has_ended {
            self.come(3, Coming::Refresh);
        }
    }
}

impl super::world::Tree {
    /// Tells whether all that has happened in it has been looked at.
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty()
    }

    /// A full run has seen all that had happened before it began.
    fn see(&mut self, at: Option<(u64, Timestamp)>) {
        let Some((mono_ms, wall)) = at else { return };
        self.dirty.retain(|dirty: &Dirty| dirty.at > mono_ms);
        self.tracked.repository.seen_generation += 1;
        self.tracked.repository.seen_at = Some(wall);
    }
}
