//! A repository's settings as they are stored: one JSON object.

use serde::{Deserialize, Serialize};

use crate::domain::date_pattern::DatePattern;
use crate::domain::repository::{Selection, Settings};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    include: Vec<String>,
    exclude: Vec<String>,
    types: Vec<String>,
    hidden: bool,
    one_file_system: bool,
    date_pattern: Option<String>,
    overrides: Vec<(String, String)>,
}

pub(super) fn to_json(settings: &Settings) -> String {
    let selection = &settings.selection;
    let stored = Stored {
        include: selection.include.clone(),
        exclude: selection.exclude.clone(),
        types: selection.types.clone(),
        hidden: selection.hidden,
        one_file_system: selection.one_file_system,
        date_pattern: settings.date_pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
        overrides: settings.overrides.clone(),
    };
    serde_json::to_string(&stored).expect("strings and booleans always serialize")
}

pub(super) fn from_json(json: &str) -> Result<Settings, serde_json::Error> {
    let stored: Stored = serde_json::from_str(json)?;
    Ok(Settings {
        selection: Selection {
            include: stored.include,
            exclude: stored.exclude,
            types: stored.types,
            hidden: stored.hidden,
            one_file_system: stored.one_file_system,
        },
        // It was checked when it was stored.
        date_pattern: stored.date_pattern.and_then(|pattern| DatePattern::parse(&pattern).ok()),
        overrides: stored.overrides,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_stored() {
        let settings = Settings {
            selection: Selection {
                include: vec!["*.md".into()],
                exclude: vec!["a/\"b\"".into()],
                types: vec!["image".into()],
                hidden: true,
                one_file_system: true,
            },
            date_pattern: Some(DatePattern::parse("%Y/%m/%d.md").unwrap()),
            overrides: vec![("guard.max_removed_files".into(), "7".into())],
        };
        assert_eq!(from_json(&to_json(&settings)).unwrap(), settings);
        assert_eq!(from_json("{}").unwrap(), Settings::default());
    }
}
