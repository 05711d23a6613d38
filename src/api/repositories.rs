//! Routes about repositories: how they are doing, add, change, pause, remove.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};

use super::answer::Failure;
use super::body::{Asked, Body, MaybeBody, Named, names, read_settings};
use super::runs::since;
use super::service::{Service, repository};
use super::status::{Standing, Told};
use crate::domain::date_pattern::DatePattern;
use crate::domain::moment::Timestamp;
use crate::domain::repository;
use crate::domain::repository::Selection;
use crate::engine::Resources;
use crate::engine::protocol::{AddRepository, Command, Live, Snapshot};
use crate::wire::list::{Repositories, Statistics, Statuses};
use crate::wire::path::joined;
use crate::wire::request::{AddBody, NamesBody, Nothing, PathBody, RepositoryQuery, Settings, StatsQuery};
use crate::wire::{AnswerJson, EngineNow, RepositoryJson, StatsJson, StatusJson, WatchNow, metrics_text};

/// Statistics look back so far when nobody says how far.
const STATS_SINCE: &str = "30d";

/// Returns how repositories are doing.
pub async fn status(
    State(service): State<Service>,
    Asked(query): Asked<RepositoryQuery>,
) -> Result<Json<Statuses>, Failure> {
    let snapshot = service.snapshot().await?;
    service.read(|reader| {
        let statuses = match query.repository {
            Some(name) => vec![reader.status(repository(reader, &name)?)?],
            None => reader.statuses()?,
        };
        let shape = |status| Standing::new(status, Told::All(&snapshot)).json();
        let shaped: Vec<StatusJson> = statuses.into_iter().map(shape).collect();
        Ok(Json(Statuses { repositories: shaped }))
    })
}

/// Returns sums per repository and kind.
pub async fn stats(
    State(service): State<Service>,
    Asked(query): Asked<StatsQuery>,
) -> Result<Json<Statistics>, Failure> {
    let from = since(query.since.as_deref().unwrap_or(STATS_SINCE))?;
    service.read(|reader| {
        let repository = query.repository.map(|name| repository(reader, &name)).transpose()?;
        let stats = reader.stats(repository.map(|repository| repository.id), from)?;
        let stats: Vec<StatsJson> = stats.iter().map(|entry| StatsJson::new(entry, from)).collect();
        Ok(Json(Statistics { stats }))
    })
}

/// Returns the numbers for Prometheus, in its text format.
pub async fn metrics(State(service): State<Service>) -> Result<([(HeaderName, &'static str); 1], String), Failure> {
    let snapshot = service.snapshot().await?;
    let text = service.read(|reader| {
        let standing = |status| Standing::new(status, Told::All(&snapshot));
        let statuses = reader.statuses()?.into_iter().map(standing).map(Standing::for_metrics);
        let history = reader.stats(None, Timestamp(i64::MIN))?;
        Ok(metrics_text(&statuses.collect::<Vec<_>>(), &history, Some(&engine_now(&snapshot))))
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn engine_now(snapshot: &Snapshot) -> EngineNow {
    let used = Resources::now();
    let watch = |live: &Live| WatchNow {
        repository: live.repository.clone(),
        mode: live.watch_mode,
        pending_hints: live.pending_hints,
        watched_directories: live.watched_directories,
        unwatched_directories: live.unwatched_directories,
    };
    EngineNow {
        running: snapshot.running.len(),
        queued: snapshot.queued.len(),
        resident_bytes: used.resident_bytes,
        cpu_ms: used.cpu_ms,
        repositories: snapshot.live.iter().map(watch).collect(),
    }
}

/// Returns all repositories, by name.
pub async fn list(State(service): State<Service>) -> Result<Json<Repositories>, Failure> {
    service.read(|reader| {
        let all: Vec<RepositoryJson> = reader.repositories()?.iter().map(RepositoryJson::from).collect();
        Ok(Json(Repositories { repositories: all }))
    })
}

/// Returns one repository with its settings.
pub async fn show(State(service): State<Service>, Named(name): Named) -> Result<Json<RepositoryJson>, Failure> {
    service.read(|reader| Ok(Json(RepositoryJson::from(&repository(reader, &name)?))))
}

/// Adds a repository. Its first sync is a request of its own.
pub async fn add(
    State(service): State<Service>,
    Body(body): Body<AddBody>,
) -> Result<(StatusCode, Json<AnswerJson>), Failure> {
    let answer = service.command(Command::AddRepository(read_addition(body)?)).await?;
    let is_new = matches!(answer, AnswerJson::Added { is_new: true, .. });
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(answer)))
}

/// Tells what adding a repository would mean.
pub async fn estimate(State(service): State<Service>, Body(body): Body<AddBody>) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Estimate(Box::new(read_addition(body)?))).await.map(Json)
}

/// Tells which directories a path that is being typed may become.
pub async fn complete(State(service): State<Service>, Body(body): Body<PathBody>) -> Result<Json<AnswerJson>, Failure> {
    let path = read_path(body.path, body.path_b64.as_deref())?;
    service.command(Command::Complete { path }).await.map(Json)
}

fn read_addition(body: AddBody) -> Result<AddRepository, Failure> {
    let path = read_path(body.path, body.path_b64.as_deref())?;
    let date_pattern = body.date_pattern.as_deref().map(DatePattern::parse).transpose().map_err(Failure::usage)?;
    let settings = repository::Settings {
        selection: Selection {
            include: body.include,
            exclude: body.exclude,
            types: body.types,
            hidden: body.hidden,
            one_file_system: body.one_file_system,
        },
        date_pattern,
        overrides: read_settings(body.settings)?,
    };
    Ok(AddRepository { path, name: body.name, settings, if_not_exists: body.if_not_exists })
}

fn read_path(path: String, path_b64: Option<&str>) -> Result<PathBuf, Failure> {
    let bytes = joined(path, path_b64).ok_or_else(|| Failure::usage("path_b64 is not base64"))?;
    if !bytes.starts_with(b"/") || bytes.contains(&0) {
        return Err(Failure::usage("path must be an absolute path"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// Changes settings as `repo set` does; `{"name":"new"}` alone renames.
pub async fn set(
    State(service): State<Service>,
    Named(name): Named,
    Body(settings): Body<Settings>,
) -> Result<Json<AnswerJson>, Failure> {
    let mut changes = read_settings(settings)?;
    let command = match changes.iter().position(|(key, _)| key == "name") {
        None => Command::SetRepository { name, changes },
        Some(at) if changes.len() == 1 => Command::RenameRepository { name, new_name: changes.swap_remove(at).1 },
        Some(_) => return Err(Failure::usage("name stands alone: rename first, then change settings")),
    };
    service.command(command).await.map(Json)
}

/// Removes a repository from the index.
pub async fn remove(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::RemoveRepository { name }).await.map(Json)
}

pub async fn pause(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Pause { names: vec![name] }).await.map(Json)
}

pub async fn resume(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Resume { names: vec![name] }).await.map(Json)
}

pub async fn pause_all(
    State(service): State<Service>,
    Body(body): Body<NamesBody>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Pause { names: names(body.repositories)? }).await.map(Json)
}

pub async fn resume_all(
    State(service): State<Service>,
    Body(body): Body<NamesBody>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Resume { names: names(body.repositories)? }).await.map(Json)
}
