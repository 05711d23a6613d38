//! The name of this process in the history: `host:pid:start`.

use std::sync::OnceLock;

use super::clock;

/// Returns the name; the start is the moment of the first call, which the engine makes with its first run.
pub fn name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let system = rustix::system::uname();
        let host = crate::domain::show::show(system.nodename().to_bytes());
        format!("{host}:{}:{}", std::process::id(), clock::wall().rfc3339())
    })
    .clone()
}
