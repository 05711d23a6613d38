//! The table in view as a file: CSV, or JSON lines where its name says so. Pure; the shell writes.

use std::path::Path;

use serde_json::{Value, json};

use super::event::Effect;
use super::field::Field;
use super::pane::history;
use super::state::{Overlay, Place, State, Tab};
use super::text::unsigned;

/// A table with all its rows, as far as the filter lets them through.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// What the file is called by default.
    pub file: String,
    titles: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

/// Returns the table in view; `None` where there is none.
pub fn sheet(state: &State) -> Option<Sheet> {
    let name = state.name().unwrap_or_default();
    let place = state.place();
    if state.detail.is_some() && place != Place::List {
        return None;
    }
    let (what, titles, rows) = match place {
        Place::List => ("repositories".to_owned(), LIST, list(state)),
        Place::Tab(Tab::History) => (format!("history-{name}"), HISTORY, runs(state)),
        Place::Tab(Tab::Problems) => (format!("problems-{name}"), PROBLEMS, troubles(state)),
        Place::Tab(_) => return None,
    };
    Some(Sheet { file: format!("watchkeeper-{what}.csv"), titles, rows })
}

/// Asks for the name of the file.
pub fn prompt(state: &State) -> Option<Overlay> {
    sheet(state).map(|sheet| Overlay::Export(Field::with(sheet.file)))
}

/// Writes the table to the file that was named.
pub fn write(state: &State, field: &Field) -> Vec<Effect> {
    let Some(sheet) = sheet(state).filter(|_| !field.text().is_empty()) else { return Vec::new() };
    let path = state.forms.here.absolute(field.text());
    let text = sheet.text(&path);
    vec![Effect::Write { path, text }]
}

impl Sheet {
    fn text(&self, path: &Path) -> String {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if matches!(ending, "json" | "jsonl" | "ndjson") { self.json() } else { self.csv() }
    }

    /// An object a row.
    fn json(&self) -> String {
        let object = |row: &Vec<Value>| {
            let keys = self.titles.iter().map(|title| (*title).to_owned());
            format!("{}\n", Value::Object(keys.zip(row.iter().cloned()).collect()))
        };
        self.rows.iter().map(object).collect()
    }

    fn csv(&self) -> String {
        let line = |cells: Vec<String>| format!("{}\r\n", cells.join(","));
        let head = line(self.titles.iter().map(|title| (*title).to_owned()).collect());
        let rows = self.rows.iter().map(|row| line(row.iter().map(csv_cell).collect()));
        head + &rows.collect::<String>()
    }
}

/// Writes a cell as RFC 4180 says: quoted where it must be, quotes doubled.
fn csv_cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

const LIST: &[&str] =
    &["repository", "path", "state", "true_as_of", "files", "bytes", "open_problems", "damaged", "held"];

fn list(state: &State) -> Vec<Vec<Value>> {
    let row = |entry: &&super::state::Entry| {
        let (status, repository) = (&entry.status, &entry.status.repository);
        vec![
            json!(repository.name),
            json!(super::pane::copied_path(&repository.path)),
            json!(state.theme.state(entry.state).1),
            json!(state.true_as_of(entry).map(|at| at.rfc3339())),
            json!(repository.total_files),
            json!(repository.total_bytes),
            json!(status.open_problems),
            json!(status.damaged),
            json!(status.held),
        ]
    };
    state.listed().iter().map(row).collect()
}

const HISTORY: &[&str] = &[
    "run",
    "run_id",
    "runs",
    "kind",
    "trigger",
    "outcome",
    "started_at",
    "ended_at",
    "took_ms",
    "scanned",
    "added",
    "updated",
    "removed",
    "moved",
    "damaged",
    "problems",
    "bytes_read",
    "error_class",
    "error_message",
];

fn runs(state: &State) -> Vec<Vec<Value>> {
    let row = |row: &history::Row<'_>| {
        let (run, tally) = (row.run, &row.run.tally);
        vec![
            json!(run.number),
            json!(run.run_id),
            json!(row.runs),
            json!(run.kind.as_str()),
            json!(run.trigger),
            json!(state.theme.outcome(run.outcome).1),
            json!(run.started_at.rfc3339()),
            json!(run.ended_at.map(|at| at.rfc3339())),
            json!(row.took_ms),
            json!(tally.scanned),
            json!(tally.added),
            json!(tally.updated),
            json!(tally.removed),
            json!(tally.moved),
            json!(tally.damaged),
            json!(tally.problems),
            json!(unsigned(tally.bytes_hashed)),
            json!(run.error_class),
            json!(run.error_message),
        ]
    };
    history::rows(state).iter().map(row).collect()
}

const PROBLEMS: &[&str] = &["problem", "path", "since", "count", "message"];

fn troubles(state: &State) -> Vec<Vec<Value>> {
    let troubles = super::pane::problems::listed(state);
    let row = |trouble: &super::trouble::Trouble<'_>| {
        vec![
            json!(trouble.what(state.theme.signs).1),
            json!(super::pane::copied_path(trouble.path().as_bytes())),
            json!(trouble.since().rfc3339()),
            json!(trouble.count()),
            json!(trouble.message()),
        ]
    };
    troubles.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{afternoon, press, select};
    use super::*;

    fn written(keys: &str, more: &str) -> (String, String) {
        let mut state = afternoon(80, 24);
        select(&mut state, "home");
        press(&mut state, keys);
        press(&mut state, "e");
        let Some(Overlay::Export(field)) = &mut state.overlay else { panic!("it does not ask") };
        field.paste(more);
        match press(&mut state, "enter").pop() {
            Some(Effect::Write { path, text }) => (path.display().to_string(), text),
            other => panic!("nothing is written: {other:?}"),
        }
    }

    #[test]
    fn the_table_in_view_is_written_as_its_name_says() {
        let (path, text) = written("4", "");
        assert_eq!(path, "watchkeeper-problems-home.csv");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "problem,path,since,count,message");
        assert_eq!(lines.len(), 4);
        let (path, text) = written("3", ".jsonl");
        assert_eq!(path, "watchkeeper-history-home.csv.jsonl");
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["run"], &first["outcome"]), (&json!(4_176), &json!("partial")));
        assert_eq!(written("0", "").1.lines().count(), 9);
    }

    #[test]
    fn a_file_below_the_home_directory_is_named_by_its_tilde() {
        let mut state = afternoon(80, 24);
        state.forms.here.home = Some("/home/ann".into());
        let effects = write(&state, &Field::with("~/lists/x.csv"));
        assert!(matches!(&effects[..], [Effect::Write { path, .. }] if path == Path::new("/home/ann/lists/x.csv")));
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        for (cell, text) in [
            (json!("a,b"), "\"a,b\""),
            (json!("say \"x\"\n"), "\"say \"\"x\"\"\n\""),
            (json!(7), "7"),
            (json!(null), ""),
            (json!("plain"), "plain"),
        ] {
            assert_eq!(csv_cell(&cell), text);
        }
    }

    #[test]
    fn a_page_without_a_table_has_nothing_to_write() {
        let mut state = afternoon(80, 24);
        press(&mut state, "1");
        assert_eq!(sheet(&state), None);
    }
}
