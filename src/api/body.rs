//! What comes with a request: JSON bodies, query parameters, names in the path. Written once for both sides.
//!
//! A key that is not known is an error: a mistyped `repositorys` must not mean all of them.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::answer::Failure;
use crate::domain::path::RelPath;
use crate::wire::path::{joined, split};
use crate::wire::request::{PathsBody, Settings};

/// A body that is announced so long is refused before it comes. A shorter one is read to the limit first: who is cut off while he
/// sends may never read why.
const NOT_WAITED_FOR_BYTES: u64 = 16 << 20;
/// Who has not sent a request's body by then holds on to a connection.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// The JSON body of a changing request.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// As [`Body`]; an empty one is fine.
#[derive(Debug)]
pub struct MaybeBody<T>(pub T);

/// Query parameters.
#[derive(Debug)]
pub struct Asked<T>(pub T);

/// The one name in a route.
#[derive(Debug)]
pub struct Named(pub String);

/// Returns the names that are meant: no key means all, and an empty list nothing, which is a mistake.
pub fn names(repositories: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    match repositories {
        Some(names) if names.is_empty() => {
            Err(Failure::usage("repositories is empty").hint("name some, or leave the key out for all"))
        }
        names => Ok(names.unwrap_or_default()),
    }
}

impl PathsBody {
    pub fn of(paths: &[RelPath]) -> PathsBody {
        let mut body = PathsBody::default();
        for path in paths {
            match split(path.as_bytes()) {
                (path, None) => body.paths.push(path),
                (_, Some(bytes)) => body.paths_b64.push(bytes),
            }
        }
        body
    }

    /// Returns the paths.
    ///
    /// # Errors
    /// When one leaves the repository.
    pub fn read(self) -> Result<Vec<RelPath>, Failure> {
        let plain = self.paths.into_iter().map(|path| Some(path.into_bytes()));
        let encoded = self.paths_b64.into_iter().map(|bytes| joined(String::new(), Some(&bytes)));
        plain
            .chain(encoded)
            .map(|bytes| {
                let bytes = bytes.ok_or_else(|| Failure::usage("paths_b64 holds what is not base64"))?;
                RelPath::parse(&bytes).map_err(|error| Failure::usage(error.to_string()))
            })
            .collect()
    }
}

/// Returns settings as a person writes them: a list with commas, a number or truth value as text, `null` for none.
pub fn read_settings(settings: Settings) -> Result<Vec<(String, String)>, Failure> {
    use serde_json::Value;
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    };
    let text = |value: &Value| match value {
        Value::Array(parts) => parts.iter().map(plain).collect::<Option<Vec<_>>>().map(|parts| parts.join(",")),
        value => plain(value),
    };
    let mut read = Vec::new();
    for (key, value) in settings {
        let value = text(&value).ok_or_else(|| Failure::usage(format!("{key} must be a text, a number or a list")))?;
        read.push((key, value));
    }
    Ok(read)
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Failure> {
        let is_json = has_json_type(&request);
        let bytes = read(request, state).await?;
        parse(is_json, &bytes).map(Body)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<MaybeBody<T>, Failure> {
        let is_json = has_json_type(&request);
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(MaybeBody(T::default()));
        }
        parse(is_json, &bytes).map(MaybeBody)
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    let too_large = || Failure::new("too_large", "the body is over 1 MiB");
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > NOT_WAITED_FOR_BYTES) {
        return Err(too_large());
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await;
    let read = read.map_err(|_| Failure::new("too_slow", "the body did not come in time"))?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Failure::usage(rejection.body_text()),
    })
}

fn has_json_type(request: &Request) -> bool {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    given.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(is_json: bool, bytes: &[u8]) -> Result<T, Failure> {
    if !is_json {
        return Err(Failure::new("not_json", "the body must be JSON").hint("send Content-Type: application/json"));
    }
    // A list would be taken for the keys in their order.
    let object: Settings =
        serde_json::from_slice(bytes).map_err(|error| Failure::usage(format!("the body: {error}")))?;
    serde_json::from_value(object.into()).map_err(|error| Failure::usage(format!("the body: {error}")))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Failure> {
        let query = Query::<T>::try_from_uri(&parts.uri).map_err(|error| Failure::usage(error.body_text()))?;
        Ok(Asked(query.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Failure> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| Failure::usage(error.body_text()))?;
        Ok(Named(name))
    }
}
