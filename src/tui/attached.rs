//! What is attached to a run: a note, what the program used meanwhile, the run that it goes on with.

use serde::Deserialize;

use crate::domain::report::Run;

/// As the engine writes it; what is not there is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Attached {
    pub note: Option<String>,
    /// Id of the verify that this one goes on with.
    pub continues: Option<String>,
    pub cpu_ms: Option<u64>,
    pub peak_memory_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

/// Returns what is attached to a run; nothing when that cannot be read.
pub fn of(run: &Run) -> Attached {
    run.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::run;
    use super::*;
    use crate::domain::run::{Kind, Outcome};

    #[test]
    fn what_is_missing_or_broken_is_not_known() {
        let attached = |metadata: Option<&str>| {
            let plain = run(1, "a", 1, Kind::Full, Outcome::Completed, 0);
            of(&Run { metadata: metadata.map(str::to_owned), ..plain })
        };
        let found = attached(Some(r#"{"note":null,"cpu_ms":12,"continues":"01J","new":[]}"#));
        assert_eq!((found.cpu_ms, found.continues.as_deref(), found.written_bytes), (Some(12), Some("01J"), None));
        assert_eq!((attached(Some("{")), attached(None)), (Attached::default(), Attached::default()));
    }
}
