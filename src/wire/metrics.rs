//! The state of everything as Prometheus text, for a scrape or for node_exporter's textfile collector.
//!
//! The text format of Prometheus, not OpenMetrics: node_exporter knows only that one. They differ in how counters are
//! named and in the `# EOF`, so each metric is written by [`Metric`] under its full name, and no end is marked.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::domain::moment::Timestamp;
use crate::domain::report::{IndexStatus, KindStatus, Stats};
use crate::domain::repository::State;
use crate::domain::status::WatchMode;

type Labels = Vec<(&'static str, String)>;

/// One metric with all its series.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    series: Vec<(Labels, f64)>,
}

impl Collector for Metric {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = if self.is_counter { MetricType::Counter } else { MetricType::Gauge };
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        for (labels, value) in &self.series {
            // Empty braces are right, and nobody writes them.
            match labels.is_empty() {
                true => metric.encode_gauge(value)?,
                false => metric.encode_family(labels)?.encode_gauge(value)?,
            }
        }
        Ok(())
    }
}

/// What an engine that runs knows beside the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineNow {
    pub running: usize,
    pub queued: usize,
    pub resident_bytes: u64,
    pub cpu_ms: u64,
    pub repositories: Vec<WatchNow>,
}

/// How changes of a repository are noticed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchNow {
    pub repository: String,
    pub mode: WatchMode,
    pub pending_hints: u64,
    pub watched_directories: u64,
    pub unwatched_directories: u64,
}

/// Returns the exposition. `history` holds the sums over all runs that are kept; `engine` is none when no engine runs.
pub fn render(statuses: &[(IndexStatus, State)], history: &[Stats], engine: Option<&EngineNow>) -> String {
    let mut registry = Registry::with_prefix("watchkeeper");
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    add(&mut registry, "build_info", "Always 1; the version is a label", vec![(version, 1.0)]);
    let up = vec![(Vec::new(), if engine.is_some() { 1.0 } else { 0.0 })];
    add(&mut registry, "engine_up", "Whether an engine runs", up);
    if let Some(engine) = engine {
        add_engine(&mut registry, engine);
    }
    add_states(&mut registry, statuses);
    add_kinds(&mut registry, statuses);
    add_history(&mut registry, history);
    let mut text = String::new();
    encode_registry(&mut text, &registry).expect("writing to a string cannot fail");
    text
}

fn add(registry: &mut Registry, name: &'static str, help: &'static str, series: Vec<(Labels, f64)>) {
    add_metric(registry, Metric { name, help, is_counter: false, series });
}

/// A metric without any series is left out: its head alone says nothing.
fn add_metric(registry: &mut Registry, metric: Metric) {
    if !metric.series.is_empty() {
        registry.register_collector(Box::new(metric));
    }
}

fn add_engine(registry: &mut Registry, engine: &EngineNow) {
    let mut one = |name, help, value: f64| add(registry, name, help, vec![(Vec::new(), value)]);
    one("running_runs", "Runs that are going on, the watcher's included", engine.running as f64);
    one("queued_runs", "Runs that wait", engine.queued as f64);
    one("resident_memory_bytes", "Memory of the engine", engine.resident_bytes as f64);
    let cpu = vec![(Vec::new(), engine.cpu_ms as f64 / 1000.0)];
    let help = "CPU time of the engine since its start";
    add_metric(registry, Metric { name: "cpu_seconds_total", help, is_counter: true, series: cpu });
    let of = |watch: &WatchNow| vec![("repository", watch.repository.clone())];
    let mut each = |name, help, value: &dyn Fn(&WatchNow) -> u64| {
        let series = engine.repositories.iter().map(|watch| (of(watch), value(watch) as f64));
        add(registry, name, help, series.collect());
    };
    each("pending_hints", "Places that a watcher has told of, still to be looked at", &|watch| watch.pending_hints);
    each("watched_directories", "Directories whose changes are told", &|watch| watch.watched_directories);
    each("unwatched_directories", "Directories that are polled instead", &|watch| watch.unwatched_directories);
    let mut series = Vec::new();
    for watch in &engine.repositories {
        for known in WatchMode::ALL {
            let mut labels = of(watch);
            labels.push(("mode", known.as_str().to_owned()));
            series.push((labels, if known == watch.mode { 1.0 } else { 0.0 }));
        }
    }
    add(registry, "watch_mode", "1 for how changes of a repository are noticed, 0 for the other ways", series);
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

fn add_states(registry: &mut Registry, statuses: &[(IndexStatus, State)]) {
    let of = |status: &IndexStatus| vec![("repository", status.repository.name.clone())];
    let mut each = |name, help, value: &dyn Fn(&IndexStatus) -> Option<f64>| {
        let series = statuses.iter().filter_map(|(status, _)| Some((of(status), value(status)?)));
        add(registry, name, help, series.collect());
    };
    each("files", "Records in the index", &|status| Some(status.repository.total_files as f64));
    each("size_bytes", "Bytes of all files in the index", &|status| Some(status.repository.total_bytes as f64));
    each("open_problems", "Paths that could not be handled", &|status| Some(status.open_problems as f64));
    each("new_problems", "Open problems that nobody has acknowledged", &|status| Some(status.new_problems as f64));
    each("damaged_files", "Files with open damage", &|status| Some(status.damaged as f64));
    each("held_files", "Files whose removal is held", &|status| Some(status.held as f64));
    each("undecided_files", "Files whose held removal waits for a decision", &|status| Some(status.undecided as f64));
    each("covered_files", "Files read within verify_every, when the last verify ended", &|status| {
        status.repository.covered_files.map(|files| files as f64)
    });
    each("true_as_of_timestamp_seconds", "The moment for which all was in the index", &|status| {
        status.repository.seen_at.max(status.repository.true_at).map(seconds)
    });
    let mut series = Vec::new();
    for (status, state) in statuses {
        for known in State::ALL {
            let mut labels = of(status);
            labels.push(("state", known.as_str().to_owned()));
            series.push((labels, if known == *state { 1.0 } else { 0.0 }));
        }
    }
    add(registry, "repository_state", "1 for the state that a repository is in, 0 for the others", series);
}

fn add_kinds(registry: &mut Registry, statuses: &[(IndexStatus, State)]) {
    let of = |status: &IndexStatus, kind: &KindStatus| {
        vec![("repository", status.repository.name.clone()), ("kind", kind.kind.as_str().to_owned())]
    };
    let kinds = || statuses.iter().flat_map(|(status, _)| status.by_kind.iter().map(move |kind| (status, kind)));
    let each = |value: &dyn Fn(&KindStatus) -> Option<Timestamp>| {
        kinds().filter_map(|(status, kind)| Some((of(status, kind), seconds(value(kind)?)))).collect()
    };
    let help = "Start of the last run that reached its end";
    add(registry, "last_success_timestamp_seconds", help, each(&|kind| kind.last_success_at));
    add(registry, "last_attempt_timestamp_seconds", "Start of the last run", each(&|kind| kind.last_attempt_at));
    let mut series = Vec::new();
    for (status, kind) in kinds() {
        for (result, runs) in [("success", kind.success_count), ("failure", kind.failure_count)] {
            let mut labels = of(status, kind);
            labels.push(("result", result.to_owned()));
            series.push((labels, runs as f64));
        }
    }
    // Not from the history: that forgets, and a counter that falls looks like a restart with as many new runs.
    let help = "Runs that have ended, ever";
    add_metric(registry, Metric { name: "runs_total", help, is_counter: true, series });
}

fn add_history(registry: &mut Registry, history: &[Stats]) {
    let of = |stats: &Stats| vec![("repository", stats.repository.clone()), ("kind", stats.kind.clone())];
    let mut series = Vec::new();
    for stats in history {
        for (outcome, runs) in stats.by_outcome() {
            let mut labels = of(stats);
            labels.push(("outcome", outcome.as_str().to_owned()));
            series.push((labels, runs as f64));
        }
    }
    add(registry, "history_runs", "Runs in the history that is kept", series);
    let each = |value: &dyn Fn(&Stats) -> f64| history.iter().map(|stats| (of(stats), value(stats))).collect();
    let help = "How long the runs in the history took, all together";
    add(registry, "history_duration_seconds", help, each(&|stats| stats.total_ms as f64 / 1000.0));
    let help = "Bytes that the runs in the history have read";
    add(registry, "history_read_bytes", help, each(&|stats| stats.tally.bytes_hashed as f64));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::Repository;
    use crate::domain::repository::{RepositoryId, Settings};
    use crate::domain::run::{Kind, Tally};

    fn text() -> String {
        let repository = Repository {
            id: RepositoryId(1),
            // No repository may have such a name; a label must bear it all the same.
            name: "a\"b\\c\nd".to_owned(),
            path: b"/a".to_vec(),
            settings: Settings::default(),
            identity: None,
            paused_at: None,
            created_at: Timestamp(0),
            seen_generation: 1,
            seen_at: Some(Timestamp(1_795_166_730_123)),
            true_at: None,
            told_state: None,
            covered_files: None,
            total_files: 12_345_678_901,
            total_bytes: 9,
            left_out: Vec::new(),
        };
        let kind = KindStatus {
            kind: Kind::Full,
            last_success_at: Some(Timestamp(1_000)),
            last_attempt_at: None,
            last_outcome: None,
            last_error: None,
            success_count: 40,
            failure_count: 2,
            last_files_processed: 0,
        };
        let status = IndexStatus {
            repository,
            open_problems: 3,
            new_problems: 2,
            damaged: 1,
            held: 5,
            undecided: 4,
            last_run: None,
            by_kind: vec![kind],
        };
        let stats = Stats {
            repository: "r".to_owned(),
            kind: "full".to_owned(),
            runs: 5,
            completed: 4,
            failed: 1,
            total_ms: 2_500,
            tally: Tally { bytes_hashed: 77, ..Tally::default() },
            ..Stats::default()
        };
        let watch = WatchNow {
            repository: "r".to_owned(),
            mode: WatchMode::Mixed,
            pending_hints: 6,
            watched_directories: 70,
            unwatched_directories: 8,
        };
        let engine =
            EngineNow { running: 1, queued: 2, resident_bytes: 17 << 20, cpu_ms: 1_500, repositories: vec![watch] };
        render(&[(status, State::Held)], &[stats], Some(&engine))
    }

    #[test]
    fn each_line_is_one_that_the_text_format_knows() {
        for line in text().lines() {
            let is_head = line.starts_with("# HELP watchkeeper_") || line.starts_with("# TYPE watchkeeper_");
            let is_sample = line.starts_with("watchkeeper_")
                && line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok());
            assert!(is_head || is_sample, "{line}");
        }
    }

    #[test]
    fn a_counter_has_one_name_in_its_type_and_its_samples() {
        let text = text();
        assert!(text.contains("# TYPE watchkeeper_runs_total counter\n"), "{text}");
        let sample = r#"watchkeeper_runs_total{repository="a\"b\\c\nd",kind="full",result="success"} 40"#;
        assert!(text.contains(sample), "{text}");
    }

    #[test]
    fn what_is_known_is_there_and_what_is_not_known_is_left_out() {
        let text = text();
        for line in [
            r#"state="held"} 1"#,
            r#"state="in_sync"} 0"#,
            r#"watchkeeper_history_runs{repository="r",kind="full",outcome="completed"} 4"#,
            r#"watchkeeper_history_duration_seconds{repository="r",kind="full"} 2.5"#,
            "kind=\"full\"} 1.0\n",
            "} 1795166730.123\n",
            "} 12345678901.0\n",
            "watchkeeper_engine_up 1.0\n",
            "watchkeeper_queued_runs 2.0\n",
            "watchkeeper_resident_memory_bytes 17825792.0\n",
            "watchkeeper_cpu_seconds_total 1.5\n",
            r#"watchkeeper_watch_mode{repository="r",mode="mixed"} 1.0"#,
            r#"watchkeeper_watch_mode{repository="r",mode="inotify"} 0.0"#,
            r#"watchkeeper_pending_hints{repository="r"} 6.0"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("covered_files") && !text.contains("last_attempt"), "{text}");
        let nothing = render(&[], &[], None);
        assert_eq!(nothing.lines().filter(|line| !line.starts_with('#')).count(), 2, "{nothing}");
        assert!(nothing.contains("watchkeeper_engine_up 0.0\n"), "{nothing}");
    }
}
