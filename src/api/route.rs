//! The table of routes, and what stands around all of them: the body's limit, unknown routes, wrong methods, headers.

use std::collections::BTreeMap;

use aide::axum::ApiRouter;
use aide::axum::routing::{ApiMethodRouter, get_with, patch_with, post_with};
use aide::transform::TransformOperation;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event as Line, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::Stream;

use super::answer::Failure;
use super::body::{Body, MaybeBody, read_settings};
use super::service::Service;
use super::status::{Standing, Told};
use super::{describe, event, findings, repositories, runs};
use crate::domain::repository;
use crate::domain::run::Kind;
use crate::engine::Subscription;
use crate::engine::protocol::{Command, Event, SchedulerCommand};
use crate::wire::request::{Nothing, Settings, SyncBody};
use crate::wire::{AnswerJson, HealthJson, SchedulerJson, VersionJson};

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Returns the router with everything that the contract names.
pub fn router(service: Service) -> Router {
    Router::from(routes())
        .fallback(async || Failure::new("unknown_route", "there is no such route"))
        .method_not_allowed_fallback(async || Failure::new("wrong_method", "this route has another method"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::middleware::map_response(harden))
        .with_state(service)
}

/// Returns all routes with what they take and give.
pub fn routes() -> ApiRouter<Service> {
    engine_routes().merge(run_routes()).merge(repository_routes()).merge(finding_routes())
}

type Described<'a> = TransformOperation<'a>;

/// Says in a line what a route does.
fn about(summary: &'static str) -> impl FnOnce(Described<'_>) -> Described<'_> {
    move |operation| operation.summary(summary)
}

/// As [`about`], with another status than 200 when it is done; the answer is the engine's.
fn done<const STATUS: u16>(summary: &'static str) -> impl FnOnce(Described<'_>) -> Described<'_> {
    move |operation| operation.summary(summary).response::<STATUS, Json<AnswerJson>>()
}

fn engine_routes() -> ApiRouter<Service> {
    let stream = "Server-sent events: a snapshot, then every event; `lagged` when some were dropped. With Last-Event-ID: those \
                  after that one, if they are still there";
    ApiRouter::new()
        .api_route("/api/sync/health", get_with(health, about("Whether the engine answers")))
        .api_route("/api/sync/version", get_with(version, about("The engine's version and process")))
        .api_route("/api/sync/doctor", get_with(examine, about("Looks everything over; slow")))
        .api_route(
            "/api/sync/openapi.json",
            get_with(describe::description, |operation| {
                about("This description")(operation).response::<200, Json<serde_json::Value>>()
            }),
        )
        .api_route("/api/sync/events", get_with(events, |operation| about(stream)(operation).response::<200, String>()))
        .api_route("/api/sync/scheduler", patch_with(set_schedule, about("Changes the schedule's settings")))
        .api_route("/api/sync/scheduler/status", get_with(schedule, about("The schedule and what comes next")))
        .api_route("/api/sync/scheduler/start", post_with(start_schedule, about("Lets the schedule start runs")))
        .api_route("/api/sync/scheduler/stop", post_with(stop_schedule, about("Lets the schedule start no more runs")))
}

fn start(kind: Kind, summary: &'static str) -> ApiMethodRouter<Service> {
    let handler = move |service: State<Service>, body: Body<SyncBody>| runs::start(kind, service, body);
    post_with(handler, |operation| done::<202>(summary)(operation).response::<200, Json<AnswerJson>>())
}

fn run_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route("/api/sync/full", start(Kind::Full, "Looks at every directory"))
        .api_route("/api/sync/incremental", start(Kind::Incremental, "Looks only where something may have changed"))
        .api_route("/api/sync/verify", start(Kind::Verify, "Reads content again"))
        .api_route("/api/sync/cleanup", start(Kind::Cleanup, "Only drops records whose file is gone"))
        .api_route("/api/sync/single", start(Kind::Single, "Looks at some paths, at some days, or at open problems"))
        .api_route("/api/sync/cancel", post_with(runs::cancel, about("Cancels what runs or waits")))
        .api_route("/api/sync/history", get_with(runs::history, about("Runs, the newest first")))
        .api_route("/api/sync/runs/{run}", get_with(runs::one, about("One run, by number or id")))
        .api_route("/api/sync/runs/{run}/log", get_with(runs::log, about("A run's log")))
        .api_route("/api/sync/runs/{run}/cancel", post_with(runs::cancel_one, about("Cancels one run")))
}

fn repository_routes() -> ApiRouter<Service> {
    use repositories as all;
    let one = get_with(all::show, about("One repository with its settings"))
        .patch_with(all::set, about("Changes settings, or the name"))
        .delete_with(all::remove, about("Takes it out of the index; files stay"));
    let every = get_with(all::list, about("All repositories, by name"))
        .post_with(all::add, |operation| done::<201>("Adds one")(operation).response::<200, Json<AnswerJson>>());
    ApiRouter::new()
        .api_route("/api/sync/status", get_with(all::status, about("How repositories are doing")))
        .api_route(
            "/metrics",
            get_with(all::metrics, |operation| about("Numbers for Prometheus")(operation).response::<200, String>()),
        )
        .api_route("/api/sync/stats", get_with(all::stats, about("Sums per repository and kind")))
        .api_route("/api/sync/pause", post_with(all::pause_all, about("Lets some or all rest")))
        .api_route("/api/sync/resume", post_with(all::resume_all, about("Lets some or all go on")))
        .api_route("/api/sync/complete", post_with(all::complete, about("Directories that a path may become")))
        .api_route("/api/sync/estimate", post_with(all::estimate, about("What adding a repository would mean")))
        .api_route("/api/sync/repositories", every)
        .api_route("/api/sync/repositories/{name}", one)
        .api_route("/api/sync/repositories/{name}/pause", post_with(all::pause, about("Lets it rest")))
        .api_route("/api/sync/repositories/{name}/resume", post_with(all::resume, about("Lets it go on")))
}

fn finding_routes() -> ApiRouter<Service> {
    let accept_held = post_with(findings::accept_held, done::<202>("Removes what is held and still gone"));
    let accept_damage = post_with(findings::accept_damage, about("Takes damaged content as it is"));
    ApiRouter::new()
        .api_route("/api/sync/held/dismiss", post_with(findings::dismiss_all, about("Keeps what is held")))
        .api_route("/api/sync/problems/ack", post_with(findings::acknowledge, about("Marks problems as known")))
        .api_route("/api/sync/repositories/{name}/files", get_with(findings::files, about("Its records")))
        .api_route("/api/sync/repositories/{name}/changes", get_with(findings::changes, about("What changed in it")))
        .api_route("/api/sync/repositories/{name}/problems", get_with(findings::problems, about("What went wrong")))
        .api_route("/api/sync/repositories/{name}/damage", get_with(findings::damage, about("What is damaged")))
        .api_route("/api/sync/repositories/{name}/damage/accept", accept_damage)
        .api_route("/api/sync/repositories/{name}/held", get_with(findings::held, about("What is held")))
        .api_route("/api/sync/repositories/{name}/held/accept", accept_held)
        .api_route(
            "/api/sync/repositories/{name}/held/dismiss",
            post_with(findings::dismiss, about("Keeps its records")),
        )
}

/// What is told is true now and for who asked: no cache keeps it, no browser guesses another type.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// States that need a person, the worst first.
const NEEDY: [repository::State; 5] = {
    use repository::State::{Damaged, Failed, Held, Missing, Partial};
    [Missing, Failed, Damaged, Held, Partial]
};

async fn health(State(service): State<Service>) -> Result<Json<HealthJson>, Failure> {
    let snapshot = service.snapshot().await?;
    let (running, queued) = (snapshot.running.len(), snapshot.queued.len());
    let repositories = service.read(|reader| {
        let mut states = BTreeMap::new();
        for status in reader.statuses()? {
            *states.entry(Standing::new(status, Told::All(&snapshot)).state.as_str()).or_insert(0) += 1;
        }
        Ok(states)
    })?;
    let worst = NEEDY.iter().map(|state| state.as_str()).find(|state| repositories.contains_key(state));
    Ok(Json(HealthJson { state: worst.unwrap_or("ok"), pid: std::process::id(), running, queued, repositories }))
}

async fn version() -> Json<VersionJson> {
    Json(VersionJson { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() })
}

async fn examine(State(service): State<Service>) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Examine).await.map(Json)
}

async fn schedule(State(service): State<Service>) -> Result<Json<SchedulerJson>, Failure> {
    Ok(Json(SchedulerJson::from(&service.snapshot().await?.scheduler)))
}

async fn start_schedule(
    State(service): State<Service>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Scheduler(SchedulerCommand::Start)).await.map(Json)
}

async fn stop_schedule(
    State(service): State<Service>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::Scheduler(SchedulerCommand::Stop)).await.map(Json)
}

async fn set_schedule(
    State(service): State<Service>,
    Body(settings): Body<Settings>,
) -> Result<Json<AnswerJson>, Failure> {
    let changes = read_settings(settings)?;
    service.command(Command::Scheduler(SchedulerCommand::Set(changes))).await.map(Json)
}

async fn events(State(service): State<Service>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|name| name.to_str().ok());
    let stream = lines(match last {
        Some(name) => service.handle.subscribe_after(name),
        None => service.handle.subscribe(),
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// Where an event stream stands.
enum Stand {
    First,
    On,
    /// Events were dropped, which has been said; this comes next.
    Lagged(Event),
    Over,
}

/// Writes events as they come, at the pace of who reads them. Who is too slow misses some and is told.
fn lines(subscription: Subscription) -> impl Stream<Item = Result<Line, axum::Error>> {
    futures_util::stream::unfold((subscription, Stand::First), async |(mut events, stand)| {
        let (event, is_first) = match stand {
            Stand::Over => return None,
            Stand::Lagged(event) => (event, true),
            Stand::First => (events.next().await, true),
            Stand::On => (events.next().await, false),
        };
        // A snapshot that nobody asked for stands for what was missed.
        if matches!(event, Event::Snapshot(_)) && !is_first {
            let line = Line::default().event(event::LAGGED).data("{}");
            return Some((Ok(line), (events, Stand::Lagged(event))));
        }
        let next = if event == Event::Ended { Stand::Over } else { Stand::On };
        let (name, json) = event::write(&event);
        Some((Line::default().id(events.name()).event(name).json_data(json), (events, next)))
    })
}
