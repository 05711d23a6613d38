//! Routes about what runs found: records, changes, problems, damage, held removals; and what is decided about them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::answer::Failure;
use super::body::{Asked, Body, MaybeBody, Named, names};
use super::list::Page;
use super::runs::since;
use super::service::{Service, repository};
use crate::domain::change::Verdict;
use crate::domain::path::RelPath;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};
use crate::index::{ChangeFilter, FileQuery};
use crate::wire::list::{Changes, Damages, Files, Helds, Problems};
use crate::wire::request::{ChangesQuery, IdsBody, NamesBody, Nothing, PageQuery, PathsBody, ProblemsQuery};
use crate::wire::{AnswerJson, ChangeJson, DamageJson, FileJson, HeldJson, ProblemJson};

/// Returns records by directory and name.
pub async fn files(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Files>, Failure> {
    let mut page = Page::new(query.limit, query.after)?;
    service.read(|reader| {
        let repository = repository(reader, &name)?;
        let mut at = 0;
        let all = FileQuery { repository: repository.id, below: RelPath::root() };
        reader.for_each_file(&all, |entry| {
            at += 1;
            Ok(page.take(at - 1, || FileJson::new(&name, &entry)))
        })?;
        Ok(Json(page.done()))
    })
}

/// Returns changes in the order in which they were found.
pub async fn changes(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<ChangesQuery>,
) -> Result<Json<Changes>, Failure> {
    let unknown = |word: &str| Failure::usage(format!("{word:?} is no verdict"));
    let verdict = query.verdict.map(|word| Verdict::parse(&word).ok_or_else(|| unknown(&word))).transpose()?;
    let since = query.since.as_deref().map(since).transpose()?;
    let mut page = Page::new(query.limit, query.after)?;
    service.read(|reader| {
        let repository = repository(reader, &name)?;
        let filter = ChangeFilter {
            repository: Some(repository.id),
            run: query.run.map(|run| super::runs::find(reader, &run)).transpose()?.map(|run| run.number),
            since,
            verdict,
            // One more than the page holds: it says that there is a next one.
            limit: Some(page.wanted() as u64),
        };
        let mut at = 0;
        reader.for_each_change(&filter, |change| {
            page.take(at, || ChangeJson::from(&change));
            at += 1;
            Ok(())
        })?;
        Ok(Json(page.done()))
    })
}

/// Returns what could not be handled.
pub async fn problems(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<ProblemsQuery>,
) -> Result<Json<Problems>, Failure> {
    let page = Page::<ProblemJson>::new(query.limit, query.after)?;
    page.read(&service, &name, |reader, id| reader.problems(Some(id), query.all))
}

/// Returns what is damaged.
pub async fn damage(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Damages>, Failure> {
    let page = Page::<DamageJson>::new(query.limit, query.after)?;
    page.read(&service, &name, |reader, id| reader.damage(Some(id)))
}

/// Returns what is held.
pub async fn held(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Helds>, Failure> {
    let page = Page::<HeldJson>::new(query.limit, query.after)?;
    page.read(&service, &name, |reader, id| reader.held(Some(id)))
}

/// Looks again, and removes from the index what is still gone.
pub async fn accept_held(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<(StatusCode, Json<AnswerJson>), Failure> {
    let plain = SyncRequest::new(vec![name], Kind::Cleanup, Trigger::User);
    let request = SyncRequest { accept_removals: true, ..plain };
    Ok((StatusCode::ACCEPTED, Json(service.command(Command::Sync(Box::new(request))).await?)))
}

/// Keeps the held records of one repository.
pub async fn dismiss(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::DismissHeld { names: vec![name] }).await.map(Json)
}

/// Keeps the held records of several.
pub async fn dismiss_all(
    State(service): State<Service>,
    Body(body): Body<NamesBody>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::DismissHeld { names: names(body.repositories)? }).await.map(Json)
}

/// Accepts damaged content: of these files, or of all.
pub async fn accept_damage(
    State(service): State<Service>,
    Named(name): Named,
    MaybeBody(body): MaybeBody<PathsBody>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::AcceptDamage { name, paths: body.read()? }).await.map(Json)
}

/// Marks problems as known.
pub async fn acknowledge(
    State(service): State<Service>,
    Body(body): Body<IdsBody>,
) -> Result<Json<AnswerJson>, Failure> {
    service.command(Command::AcknowledgeProblems { problem_ids: body.ids }).await.map(Json)
}
