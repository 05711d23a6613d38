//! From settings back to TOML, for `config show`: what holds, in the order of the default text.

use super::Config;
use super::settings::{SECTIONS, SETTINGS};
use super::slot::Written;

impl Config {
    /// Returns the settings in force as TOML. [`Config::parse`] gives the same settings back.
    pub fn to_toml(&self) -> String {
        // A slot is a place to write to, so it is read from a copy. This happens once per command.
        let mut config = self.clone();
        let mut text = String::new();
        for section in SECTIONS {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{section}]\n"));
            for setting in SETTINGS.iter().filter(|setting| setting.section() == section) {
                let value = toml_value((setting.slot)(&mut config).written());
                text.push_str(&format!("{} = {value}\n", setting.name()));
            }
        }
        text.push_str("[ui.keys]\n");
        for (action, key) in config.ui.keys {
            // The library knows which names need quotes.
            let line = toml::Table::from_iter([(action, toml::Value::String(key))]);
            text.push_str(&line.to_string());
        }
        text
    }
}

/// The settings that say when runs start by themselves.
const SCHEDULE: [&str; 6] = [
    "sync.startup",
    "sync.full_every",
    "sync.full_at",
    "sync.incremental_every",
    "sync.verify_every",
    "sync.cleanup_every",
];

impl Config {
    /// Returns the schedule as (key without its section, value as written), in the order of the default text.
    pub fn schedule(&self) -> Vec<(String, String)> {
        let mut config = self.clone();
        let schedule = SETTINGS.iter().filter(|setting| SCHEDULE.contains(&setting.key));
        schedule
            .map(|setting| match (setting.slot)(&mut config).written() {
                Written::Text(text) => (setting.name().to_owned(), text),
                other => (setting.name().to_owned(), toml_value(other).to_string()),
            })
            .collect()
    }
}

fn toml_value(written: Written) -> toml::Value {
    match written {
        Written::Text(text) => toml::Value::String(text),
        Written::Number(number) => toml::Value::Integer(number),
        Written::Switch(switch) => toml::Value::Boolean(switch),
        Written::List(list) => toml::Value::Array(list.into_iter().map(toml::Value::String).collect()),
        Written::Other(name) => unreachable!("a slot never holds {name}"),
    }
}
