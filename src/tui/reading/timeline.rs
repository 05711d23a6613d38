//! Reads what the Changes tab asks for.

use super::super::changes::{GroupQuery, Pages, PagesQuery};
use crate::domain::report::StoredChange;
use crate::index::{IndexError, Reader, Span};

/// How many changes of a group are read at once.
const CHANGES: u64 = 1_000;

/// Reads the pages that are wanted.
pub fn pages(reader: &Reader, query: PagesQuery) -> Result<Pages, IndexError> {
    let page = |span| reader.timeline(query.asked.repository, query.asked.since, span);
    Ok(Pages {
        query,
        newer: page(query.after.map_or(Span::Newest, Span::After))?,
        older: query.before.map(|before| page(Span::Before(before))).transpose()?,
    })
}

/// Reads the next changes of a group.
pub fn group(reader: &Reader, query: &GroupQuery) -> Result<Vec<(i64, StoredChange)>, IndexError> {
    reader.changes_of_group(&query.key, query.since, query.after, CHANGES)
}
