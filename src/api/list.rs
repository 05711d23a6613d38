//! Lists: what a page of one holds, and how it is told that there is more.

use axum::Json;

use super::answer::Failure;
use super::service::{Service, repository};
use crate::domain::repository::RepositoryId;
use crate::index::{self, Reader};
use crate::wire::list::Part;

const LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;

/// Returns how many entries a page holds.
///
/// # Errors
/// When none are wanted: such a page would have no next one, and no end.
pub fn limited(limit: Option<u64>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT) {
        0 => Err(Failure::usage("limit is at least 1")),
        limit => Ok(limit.min(MAX_LIMIT) as usize),
    }
}

/// Collects one page of a list that is handed out entry by entry.
#[derive(Debug)]
pub struct Page<T> {
    skip: usize,
    limit: usize,
    entries: Vec<T>,
    has_more: bool,
}

impl<T> Page<T> {
    pub fn new(limit: Option<u64>, after: Option<usize>) -> Result<Page<T>, Failure> {
        Ok(Page { skip: after.unwrap_or(0), limit: limited(limit)?, entries: Vec::new(), has_more: false })
    }

    /// Takes the `at`-th entry, counted from 0; returns whether more is wanted.
    pub fn take(&mut self, at: usize, entry: impl FnOnce() -> T) -> bool {
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

    /// Returns the list that this is a page of.
    pub fn done<L: From<Part<T>>>(self) -> L {
        let next = self.has_more.then_some(self.skip.saturating_add(self.limit));
        L::from(Part { entries: self.entries, next })
    }

    /// Returns how many entries must be found so that it is known whether there is a next page.
    pub fn wanted(&self) -> usize {
        self.skip.saturating_add(self.limit).saturating_add(1)
    }

    /// Takes its part of what the index says of one repository.
    ///
    /// # Errors
    /// Those of the index; when there is no such repository.
    pub fn read<S, L>(
        mut self,
        service: &Service,
        name: &str,
        find: impl FnOnce(&Reader, RepositoryId) -> index::Result<Vec<S>>,
    ) -> Result<Json<L>, Failure>
    where
        T: for<'a> From<&'a S>,
        L: From<Part<T>>,
    {
        service.read(|reader| {
            let all = find(reader, repository(reader, name)?.id)?;
            // Ends at the first entry that is not wanted any more.
            all.iter().enumerate().all(|(at, entry)| self.take(at, || T::from(entry)));
            Ok(Json(self.done()))
        })
    }
}
