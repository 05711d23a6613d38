//! Routes about what runs found: records, changes, problems, damage, held removals; and what is decided about them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Failure;
use super::body::{Asked, Body, IdsBody, MaybeBody, Named, NamesBody, Nothing, PathsBody, names};
use super::runs::since;
use super::service::{Service, repository};
use super::shape::AnswerJson;
use crate::domain::change::Verdict;
use crate::domain::path::RelPath;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::engine::protocol::{Command, SyncRequest};
use crate::index::{self, ChangeFilter, FileQuery, Reader};
use crate::wire::{ChangeJson, DamageJson, FileJson, HeldJson, ProblemJson};

const LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;

/// Returns how many entries a page holds.
///
/// # Errors
/// When none are wanted: such a page would have no next one, and no end.
pub fn limited(limit: Option<u64>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT) {
        0 => Err(Failure::usage(format!("limit is 1 to {MAX_LIMIT}"))),
        limit => Ok(limit.min(MAX_LIMIT) as usize),
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    limit: Option<u64>,
    /// So many entries come before; what `next` said.
    after: Option<usize>,
}

/// Collects one page of a list that is handed out entry by entry.
#[derive(Debug)]
struct Page<T> {
    skip: usize,
    limit: usize,
    entries: Vec<T>,
    has_more: bool,
}

impl<T: Serialize + Send + 'static> Page<T> {
    fn new(limit: Option<u64>, after: Option<usize>) -> Result<Page<T>, Failure> {
        Ok(Page { skip: after.unwrap_or(0), limit: limited(limit)?, entries: Vec::new(), has_more: false })
    }

    /// Takes the `at`-th entry, counted from 0; returns whether more is wanted.
    fn take(&mut self, at: usize, entry: impl FnOnce() -> T) -> bool {
        if at < self.skip {
            return true;
        }
        if self.entries.len() == self.limit {
            self.has_more = true;
            return false;
        }
        self.entries.push(entry());
        true
    }

    fn json(self, name: &str) -> Json<Value> {
        let next = self.has_more.then_some(self.skip.saturating_add(self.limit));
        Json(json!({ name: self.entries, "next": next }))
    }

    /// Takes its part of what the index says of one repository.
    async fn read<S>(
        mut self,
        service: &Service,
        name: String,
        list: &'static str,
        find: impl FnOnce(&Reader, RepositoryId) -> index::Result<Vec<S>> + Send + 'static,
    ) -> Result<Json<Value>, Failure>
    where
        T: for<'a> From<&'a S>,
    {
        service
            .read(move |reader| {
                let all = find(reader, repository(reader, &name)?.id)?;
                // Ends at the first entry that is not wanted any more.
                all.iter().enumerate().all(|(at, entry)| self.take(at, || T::from(entry)));
                Ok(self.json(list))
            })
            .await
    }
}

/// Returns records by directory and name.
pub async fn files(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Value>, Failure> {
    let mut page = Page::new(query.limit, query.after)?;
    service
        .read(move |reader| {
            let repository = repository(reader, &name)?;
            let mut at = 0;
            let all = FileQuery { repository: repository.id, below: RelPath::root() };
            reader.for_each_file(&all, |entry| {
                at += 1;
                Ok(page.take(at - 1, || json!(FileJson::new(&name, &entry))))
            })?;
            Ok(page.json("files"))
        })
        .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesQuery {
    limit: Option<u64>,
    after: Option<usize>,
    run: Option<String>,
    since: Option<String>,
    verdict: Option<String>,
}

/// Returns changes in the order in which they were found.
pub async fn changes(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<ChangesQuery>,
) -> Result<Json<Value>, Failure> {
    let unknown = |word: &str| Failure::usage(format!("{word:?} is no verdict"));
    let verdict = query.verdict.map(|word| Verdict::parse(&word).ok_or_else(|| unknown(&word))).transpose()?;
    let since = query.since.as_deref().map(since).transpose()?;
    let mut page = Page::new(query.limit, query.after)?;
    service
        .read(move |reader| {
            let repository = repository(reader, &name)?;
            let filter = ChangeFilter {
                repository: Some(repository.id),
                run: query.run.map(|run| super::runs::find(reader, &run)).transpose()?.map(|run| run.number),
                since,
                verdict,
                // One more than the page holds: it says that there is a next one.
                limit: Some(page.skip.saturating_add(page.limit).saturating_add(1) as u64),
            };
            let mut at = 0;
            reader.for_each_change(&filter, |change| {
                page.take(at, || ChangeJson::from(&change));
                at += 1;
                Ok(())
            })?;
            Ok(page.json("changes"))
        })
        .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemsQuery {
    limit: Option<u64>,
    after: Option<usize>,
    /// Closed ones too.
    #[serde(default)]
    all: bool,
}

/// Returns what could not be handled.
pub async fn problems(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<ProblemsQuery>,
) -> Result<Json<Value>, Failure> {
    let page = Page::<ProblemJson>::new(query.limit, query.after)?;
    page.read(&service, name, "problems", move |reader, id| reader.problems(Some(id), query.all)).await
}

/// Returns what is damaged.
pub async fn damage(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Value>, Failure> {
    let page = Page::<DamageJson>::new(query.limit, query.after)?;
    page.read(&service, name, "damage", |reader, id| reader.damage(Some(id))).await
}

/// Returns what is held.
pub async fn held(
    State(service): State<Service>,
    Named(name): Named,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Value>, Failure> {
    let page = Page::<HeldJson>::new(query.limit, query.after)?;
    page.read(&service, name, "held", |reader, id| reader.held(Some(id))).await
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
