//! The table of routes, and what stands around all of them: the body's limit, unknown routes, wrong methods, headers.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event as Line, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, patch, post};
use axum::{Json, Router};
use futures_util::Stream;
use serde_json::{Value, json};

use super::answer::Failure;
use super::body::{Body, MaybeBody, Nothing, Settings, SyncBody, read_settings};
use super::service::Service;
use super::shape::{AnswerJson, SchedulerJson};
use super::{event, findings, repositories, runs};
use crate::domain::run::Kind;
use crate::engine::Subscription;
use crate::engine::protocol::{Command, Event, SchedulerCommand};

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Returns the router with everything that the contract names.
pub fn router(service: Service) -> Router {
    Router::new()
        .route("/api/sync/health", get(health))
        .route("/api/sync/version", get(version))
        .route("/api/sync/doctor", get(examine))
        .route("/api/sync/events", get(events))
        .route("/api/sync/scheduler", patch(set_schedule))
        .route("/api/sync/scheduler/status", get(schedule))
        .route("/api/sync/scheduler/start", post(start_schedule))
        .route("/api/sync/scheduler/stop", post(stop_schedule))
        .merge(run_routes())
        .merge(repository_routes())
        .fallback(async || Failure::new("unknown_route", "there is no such route"))
        .method_not_allowed_fallback(async || Failure::new("wrong_method", "this route has another method"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::middleware::map_response(harden))
        .with_state(service)
}

fn start(kind: Kind) -> MethodRouter<Service> {
    post(move |service: State<Service>, body: Body<SyncBody>| runs::start(kind, service, body))
}

fn run_routes() -> Router<Service> {
    Router::new()
        .route("/api/sync/full", start(Kind::Full))
        .route("/api/sync/incremental", start(Kind::Incremental))
        .route("/api/sync/verify", start(Kind::Verify))
        .route("/api/sync/cleanup", start(Kind::Cleanup))
        .route("/api/sync/single", start(Kind::Single))
        .route("/api/sync/cancel", post(runs::cancel))
        .route("/api/sync/history", get(runs::history))
        .route("/api/sync/runs/{run}", get(runs::one))
        .route("/api/sync/runs/{run}/log", get(runs::log))
        .route("/api/sync/runs/{run}/cancel", post(runs::cancel_one))
}

fn repository_routes() -> Router<Service> {
    use repositories as all;
    Router::new()
        .route("/api/sync/status", get(all::status))
        .route("/metrics", get(all::metrics))
        .route("/api/sync/stats", get(all::stats))
        .route("/api/sync/pause", post(all::pause_all))
        .route("/api/sync/resume", post(all::resume_all))
        .route("/api/sync/held/dismiss", post(findings::dismiss_all))
        .route("/api/sync/problems/ack", post(findings::acknowledge))
        .route("/api/sync/complete", post(all::complete))
        .route("/api/sync/estimate", post(all::estimate))
        .route("/api/sync/repositories", get(all::list).post(all::add))
        .route("/api/sync/repositories/{name}", get(all::show).patch(all::set).delete(all::remove))
        .route("/api/sync/repositories/{name}/pause", post(all::pause))
        .route("/api/sync/repositories/{name}/resume", post(all::resume))
        .route("/api/sync/repositories/{name}/files", get(findings::files))
        .route("/api/sync/repositories/{name}/changes", get(findings::changes))
        .route("/api/sync/repositories/{name}/problems", get(findings::problems))
        .route("/api/sync/repositories/{name}/damage", get(findings::damage))
        .route("/api/sync/repositories/{name}/damage/accept", post(findings::accept_damage))
        .route("/api/sync/repositories/{name}/held", get(findings::held))
        .route("/api/sync/repositories/{name}/held/accept", post(findings::accept_held))
        .route("/api/sync/repositories/{name}/held/dismiss", post(findings::dismiss))
}

/// What is told is true now and for who asked: no cache keeps it, no browser guesses another type.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn health(State(service): State<Service>) -> Result<Json<Value>, Failure> {
    let snapshot = service.snapshot().await?;
    let (running, queued) = (snapshot.running.len(), snapshot.queued.len());
    Ok(Json(json!({ "state": "ok", "pid": std::process::id(), "running": running, "queued": queued })))
}

async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id() }))
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

async fn events(State(service): State<Service>) -> Response {
    let stream = lines(service.handle.subscribe());
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
        Some((Line::default().event(name).json_data(json), (events, next)))
    })
}
