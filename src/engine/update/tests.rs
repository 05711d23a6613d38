//! Every decision of the engine, without a thread or a file, and with a clock that does as it is told.

mod absence;
mod backups;
mod doings;
mod freshness;
mod hints;
mod properties;
mod queue;
mod retry;
mod schedule;
mod settings;
mod stopping;
mod world;

use crate::domain::guard::Limits;
use crate::domain::moment::Timestamp;
use crate::domain::report::{Repository, Run};
use crate::domain::repository::{RepositoryId, Settings};
use crate::domain::run::{Kind, Outcome, Tally, Trigger};
use crate::engine::job::{JobSpec, Manners};

fn job(run_id: &str, repository: i64, kind: Kind) -> JobSpec {
    JobSpec {
        run_id: run_id.to_owned(),
        repository: Repository {
            id: RepositoryId(repository),
            name: format!("r{repository}"),
            path: b"/r".to_vec(),
            settings: Settings::default(),
            identity: None,
            paused_at: None,
            created_at: Timestamp(0),
            seen_generation: 0,
            seen_at: None,
            true_at: None,
            told_state: None,
            covered_files: None,
            total_files: 0,
            total_bytes: 0,
            left_out: Vec::new(),
        },
        kind,
        triggers: vec![Trigger::User],
        paths: Vec::new(),
        only_problems: false,
        accept_removals: false,
        plan: false,
        max_bytes: None,
        max_time: None,
        window: std::time::Duration::ZERO,
        note: None,
        expected: None,
        limits: Limits { max_removed_percent: 50, max_removed_files: 100 },
        hashing: true,
        workers: 1,
        attempt: 1,
        retry_of: None,
        continues: None,
        manners: Manners::Busy,
        disk: None,
    }
}

fn run(spec: &JobSpec) -> Run {
    Run {
        run_id: spec.run_id.clone(),
        number: 1,
        repository_id: spec.repository.id,
        repository: spec.repository.name.clone(),
        kind: spec.kind,
        trigger: String::new(),
        outcome: Some(Outcome::Completed),
        started_at: Timestamp(0),
        ended_at: None,
        duration_ms: None,
        tally: Tally::default(),
        error_class: None,
        error_message: None,
        attempt: spec.attempt,
        retry_of: spec.retry_of.clone(),
        folded: 1,
        instance: String::new(),
        metadata: None,
    }
}
