//! How a request is refused: one JSON shape for all errors, and the status that fits.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::engine::protocol::Refusal;
use crate::index::IndexError;
use crate::wire::{ErrorBody, ErrorJson};

/// A refusal on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: StatusCode,
    pub refusal: Refusal,
}

/// Codes and their status. Those of refusals first; the rest is only about HTTP.
const CODES: &[(&str, StatusCode)] = &[
    ("usage", StatusCode::BAD_REQUEST),
    ("invalid", StatusCode::BAD_REQUEST),
    ("unknown_repository", StatusCode::NOT_FOUND),
    ("conflict", StatusCode::CONFLICT),
    ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
    ("busy", StatusCode::SERVICE_UNAVAILABLE),
    ("failed", StatusCode::INTERNAL_SERVER_ERROR),
    ("unknown_run", StatusCode::NOT_FOUND),
    ("unknown_route", StatusCode::NOT_FOUND),
    ("wrong_method", StatusCode::METHOD_NOT_ALLOWED),
    ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
    ("not_json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ("too_slow", StatusCode::REQUEST_TIMEOUT),
    ("wrong_host", StatusCode::MISDIRECTED_REQUEST),
    ("forbidden", StatusCode::FORBIDDEN),
    ("unauthorized", StatusCode::UNAUTHORIZED),
];

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::from(Refusal::new(code, message))
    }

    /// Says what in the request is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new("usage", message)
    }

    /// Says what to do.
    pub fn hint(mut self, hint: &str) -> Failure {
        self.refusal.hint = Some(hint.to_owned());
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let known = CODES.iter().find(|(code, _)| *code == refusal.code);
        Failure { status: known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status), refusal }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Failure {
        match error {
            IndexError::Invalid(message) => Failure::new("invalid", message),
            other => Failure::new(other.code(), other.to_string()).hint(other.class().hint()),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Refusal { code, message, hint } = self.refusal;
        (self.status, Json(ErrorJson { error: ErrorBody { code: code.to_owned(), message, hint } })).into_response()
    }
}

impl ErrorJson {
    /// Returns the refusal that this was made of.
    pub fn into_refusal(self) -> Refusal {
        let ErrorBody { code, message, hint } = self.error;
        // One that this version does not know still failed.
        let code = CODES.iter().find(|(known, _)| *known == code).map_or("failed", |(known, _)| *known);
        Refusal { code, message, hint }
    }
}
