//! What is said when the engine that runs is of another version, and the two do not understand each other.

use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use http_body_util::{BodyExt, Limited};
use tokio::net::UnixStream;

use super::client::request;
use crate::engine::protocol::Refusal;
use crate::wire::VersionJson;

/// Every version answers this, and at once.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_BYTES: usize = 64 * 1024;
const OURS: &str = env!("CARGO_PKG_VERSION");

/// Returns what to tell: which of the two is the older one, and how to replace it.
pub(super) async fn refusal(socket: &Path) -> Refusal {
    let asked = tokio::time::timeout(PATIENCE, ask(socket)).await.ok().flatten();
    let Some(VersionJson { version, pid }) = asked else {
        return told("the running engine is of another version".to_owned(), RESTART);
    };
    let shown = crate::domain::show::show(version.as_bytes());
    let hint = if parts(&version) > parts(OURS) { REPLACE } else { RESTART };
    told(format!("the running engine is watchkeeper {shown} (pid {pid}) and this one is {OURS}"), hint)
}

const RESTART: &str = "restart the engine: `systemctl restart watchkeeper@$USER`, `systemctl --user restart watchkeeper`, or `q` in the screen";
const REPLACE: &str = "run the newer program: is an older one first in PATH? The engine need not be restarted";

fn told(who: String, hint: &str) -> Refusal {
    let message = format!("{who}: they do not understand each other in this");
    Refusal { code: "failed", message, hint: Some(hint.to_owned()) }
}

async fn ask(socket: &Path) -> Option<VersionJson> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (status, body) = request(stream, Method::GET, "/api/sync/version", None).await.ok()?;
    let bytes = Limited::new(body, MAX_BYTES).collect().await.ok()?.to_bytes();
    status.is_success().then(|| serde_json::from_slice(&bytes).ok())?
}

/// `0.10.2` is newer than `0.9`.
fn parts(version: &str) -> Vec<u64> {
    version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}
