//! Routes about runs: start, cancel, look at them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;

use super::answer::Failure;
use super::body::{Asked, Body, MaybeBody, Named, names};
use super::list::limited;
use super::service::{Service, repository};
use super::shape::progress;
use crate::domain::amount::parse_duration;
use crate::domain::date_pattern::days;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::Run;
use crate::domain::run::{Kind, Outcome, Trigger};
use crate::engine;
use crate::engine::protocol::{Command, Expected, Snapshot, SyncRequest};
use crate::index::{IndexError, Reader, RunFilter};
use crate::wire::list::{RunLog, Runs};
use crate::wire::request::{HistoryQuery, NamesBody, Nothing, PathsBody, SyncBody};
use crate::wire::{AnswerJson, LogJson, OneRun, RunJson, WaitingRun};

/// Starts a sync of the kind that the route names.
pub async fn start(
    kind: Kind,
    State(service): State<Service>,
    Body(body): Body<SyncBody>,
) -> Result<(StatusCode, Json<AnswerJson>), Failure> {
    let is_plan = body.plan;
    let request = read_request(&service, kind, body)?;
    let answer = service.command(Command::Sync(Box::new(request))).await?;
    Ok((if is_plan { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(answer)))
}

fn read_request(service: &Service, kind: Kind, body: SyncBody) -> Result<SyncRequest, Failure> {
    let names = match (body.repository, body.repositories) {
        (Some(_), Some(_)) => return Err(Failure::usage("either repository or repositories, not both")),
        (Some(name), None) => vec![name],
        (None, several) => names(several)?,
    };
    let mut paths = PathsBody { paths: body.paths, paths_b64: body.paths_b64 }.read()?;
    let day = |text: &Option<String>| match text {
        Some(text) => text.parse::<NaiveDate>().map(Some).map_err(|_| Failure::usage(format!("{text:?} is no date"))),
        None => Ok(None),
    };
    let (date, from, to) = (day(&body.date)?, day(&body.from)?, day(&body.to)?);
    let span = match (date, from, to) {
        (None, None, None) => None,
        (Some(day), None, None) => Some((day, day)),
        (None, Some(from), Some(to)) if from <= to => Some((from, to)),
        _ => return Err(Failure::usage("give date, or from and a later to")),
    };
    let is_single = span.is_some() || !paths.is_empty() || body.problems;
    if is_single != (kind == Kind::Single) {
        return Err(Failure::usage("paths, date, from and to, or problems go with single, and single needs one"));
    }
    if body.problems && (span.is_some() || !paths.is_empty()) {
        return Err(Failure::usage("problems stands alone, without paths or date"));
    }
    if kind != Kind::Verify && (body.max_bytes.is_some() || body.max_time_ms.is_some()) {
        return Err(Failure::usage("max_bytes and max_time_ms are the budget of verify"));
    }
    if kind != Kind::Incremental && body.window_ms.is_some() {
        return Err(Failure::usage("window_ms widens incremental"));
    }
    if body.plan && body.accept_removals {
        return Err(Failure::usage("either plan or accept_removals"));
    }
    let trigger = match body.trigger.as_deref() {
        None | Some("user") => Trigger::User,
        Some("startup") => Trigger::Startup,
        Some(_) => return Err(Failure::usage("trigger is user or startup")),
    };
    if let Some(span) = span {
        paths.extend(paths_of_days(service, &names, span)?);
    }
    Ok(SyncRequest {
        paths,
        only_problems: body.problems,
        accept_removals: body.accept_removals,
        plan: body.plan,
        max_bytes: body.max_bytes,
        max_time: body.max_time_ms.map(Duration::from_millis),
        window: body.window_ms.map(Duration::from_millis),
        note: body.note,
        expected: body.expected_files.zip(body.expected_bytes).map(|(files, bytes)| Expected { files, bytes }),
        ..SyncRequest::new(names, kind, trigger)
    })
}

/// Returns the paths of these days by the repository's date pattern.
fn paths_of_days(
    service: &Service,
    names: &[String],
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<RelPath>, Failure> {
    let [name] = names else { return Err(Failure::usage("date, and from and to, need one repository")) };
    service.read(|reader| {
        let repository = repository(reader, name)?;
        let Some(pattern) = &repository.settings.date_pattern else {
            return Err(Failure::new("invalid", format!("{name} has no date pattern")));
        };
        Ok(days(from, to).filter_map(|day| pattern.path_of(day)).collect())
    })
}

/// Cancels what runs or waits.
pub async fn cancel(State(service): State<Service>, Body(body): Body<NamesBody>) -> Result<Json<AnswerJson>, Failure> {
    let names = names(body.repositories)?;
    service.read(|reader| names.iter().try_for_each(|name| repository(reader, name).map(drop)))?;
    service.command(Command::Cancel { names, run: None }).await.map(Json)
}

/// Cancels one run; one that has ended already counts as none.
pub async fn cancel_one(
    State(service): State<Service>,
    Named(run): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    let answer = service.command(Command::Cancel { names: Vec::new(), run: Some(run.clone()) }).await?;
    if matches!(answer, AnswerJson::Done { count: 0 }) {
        service.read(|reader| find(reader, &run))?;
    }
    Ok(Json(answer))
}

/// Returns runs, the newest first; `next` is the number to give as `after` for the next page.
pub async fn history(State(service): State<Service>, Asked(query): Asked<HistoryQuery>) -> Result<Json<Runs>, Failure> {
    let unknown = |word: &str| Failure::usage(format!("{word:?} is none of the known words"));
    let kind = query.kind.map(|word| Kind::parse(&word).ok_or_else(|| unknown(&word))).transpose()?;
    let outcome = query.outcome.map(|word| Outcome::parse(&word).ok_or_else(|| unknown(&word))).transpose()?;
    let since = query.since.as_deref().map(since).transpose()?;
    let limit = limited(query.limit)?;
    let snapshot = service.snapshot().await?;
    service.read(|reader| {
        let repository = query.repository.map(|name| repository(reader, &name)).transpose()?;
        let filter = RunFilter {
            repository: repository.map(|repository| repository.id),
            kind,
            outcome,
            since,
            before: query.after,
            limit: Some(limit as u64),
        };
        let runs = reader.runs(&filter)?;
        let next = runs.last().filter(|_| runs.len() == limit).map(|run| run.number);
        let runs: Vec<RunJson> = runs.iter().map(|run| shape(run, &snapshot)).collect();
        Ok(Json(Runs { runs, next }))
    })
}

/// Reads a moment in RFC 3339, or `7d`: so long ago.
pub fn since(text: &str) -> Result<Timestamp, Failure> {
    if let Some(moment) = Timestamp::parse(text) {
        return Ok(moment);
    }
    let length = parse_duration(text).map_err(Failure::usage)?;
    Ok(Timestamp(engine::now().0.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))))
}

/// Returns one run. One that waits, or has not written its start yet, has no row: all that is known then is what it is.
pub async fn one(State(service): State<Service>, Named(run): Named) -> Result<Json<OneRun>, Failure> {
    // First, so that what ends meanwhile is found in the index.
    let snapshot = service.snapshot().await?;
    service.read(|reader| match find(reader, &run) {
        Ok(run) => Ok(Json(OneRun::Recorded(Box::new(shape(&run, &snapshot))))),
        Err(failure) => waiting(&snapshot, &run).map(Json).ok_or(failure),
    })
}

fn waiting(snapshot: &Snapshot, run_id: &str) -> Option<OneRun> {
    let queued = snapshot.queued.iter().map(|run| (&run.run_id, &run.repository, run.kind));
    let running = snapshot.running.iter().map(|run| (&run.run_id, &run.repository, run.kind));
    let (run_id, repository, kind) = queued.chain(running).find(|(known, ..)| *known == run_id)?;
    Some(OneRun::Waiting(Box::new(WaitingRun {
        run_id: run_id.clone(),
        number: None,
        repository: repository.clone(),
        kind: kind.as_str().to_owned(),
        outcome: None,
        started_at: None,
        ended_at: None,
        progress: None,
    })))
}

/// Returns a run's log.
pub async fn log(State(service): State<Service>, Named(run): Named) -> Result<Json<RunLog>, Failure> {
    service.read(|reader| {
        let run = find(reader, &run)?;
        let lines: Vec<LogJson> = reader.run_log(run.number)?.iter().map(LogJson::from).collect();
        Ok(Json(RunLog { run_id: run.run_id, number: run.number, log: lines }))
    })
}

/// Finds a run by number or id.
pub fn find(reader: &Reader, run: &str) -> Result<Run, Failure> {
    reader.run(run).map_err(|error| match error {
        IndexError::Invalid(message) => Failure::new("unknown_run", message),
        other => other.into(),
    })
}

fn shape(run: &Run, snapshot: &Snapshot) -> RunJson {
    let sample = snapshot.running.iter().find(|sample| sample.run_id == run.run_id && run.outcome.is_none());
    RunJson::new(run).with_progress(sample.map(progress))
}
