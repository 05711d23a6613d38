//! From the file to checked settings. Stops at the first thing that is wrong, in the order of the file.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::file_name;
use super::settings::{SECTIONS, SETTINGS, Setting, contradiction, find, nearest};
use super::slot::Written;
use super::{Config, ConfigError, Origin};
use crate::domain::show::show_message;

/// A config of this size was never written by a person; a log or an image given by mistake is not read into memory.
const MAX_BYTES: u64 = 1024 * 1024;

impl Config {
    /// Reads the settings from a file. An absent file gives the defaults.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file or no TOML, or holds a wrong key or value.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        match read_text(path)? {
            Some(text) => Config::parse(&text, &file_name(path)),
            None => Ok(Config::default()),
        }
    }

    /// Reads the settings from text; `file` is the name that stands in messages.
    ///
    /// # Errors
    /// When it is no TOML, or holds a wrong key or value.
    pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
        let lines = Lines { text: without_bom(text), file };
        let entries = entries(&lines)?;
        let mut config = Config::default();
        for entry in &entries {
            entry.apply(&mut config)?;
        }
        if let Some((keys, reason)) = contradiction(&config) {
            // The defaults agree with each other, so at least one of both is in the file; the later one broke it.
            let entry = entries.iter().rev().find(|entry| keys.contains(&entry.key.as_str()));
            let entry = entry.expect("only a written setting can contradict");
            let reason = reason.to_owned();
            return Err(ConfigError::Value { origin: entry.origin.clone(), key: entry.key.clone(), reason });
        }
        Ok(config)
    }
}

/// One `key = value` of the file.
struct Entry {
    /// With its section: `sync.full_every`, `ui.keys.quit`.
    key: String,
    value: Written,
    origin: Origin,
    offset: usize,
}

impl Entry {
    fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        let wrong = |reason| ConfigError::Value {
            origin: self.origin.clone(),
            key: show_message(&self.key).into_owned(),
            reason,
        };
        if let Some(action) = self.key.strip_prefix("ui.keys.") {
            let Written::Text(key) = &self.value else {
                return Err(wrong("write the key in quotes, like \"ctrl-r\"".to_owned()));
            };
            config.ui.keys.insert(action.to_owned(), key.clone());
            return Ok(());
        }
        match find(&self.key) {
            Some(setting) => (setting.slot)(config).put(&self.value).map_err(wrong),
            None => Err(ConfigError::Key {
                origin: self.origin.clone(),
                key: show_message(&self.key).into_owned(),
                hint: hint_for(&self.key),
            }),
        }
    }
}

/// The text with what a byte offset needs to become a line.
struct Lines<'a> {
    text: &'a str,
    file: &'a str,
}

impl Lines<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Origin::File { file: self.file.to_owned(), line: Some(line) }
    }
}

/// Lists what the file sets, in its order.
fn entries(lines: &Lines<'_>) -> Result<Vec<Entry>, ConfigError> {
    let table = DeTable::parse(lines.text).map_err(|error| {
        let origin = lines.origin(error.span().map_or(0, |span| span.start));
        ConfigError::Syntax { origin, reason: show_message(&error.message().replace('\n', ", ")).into_owned() }
    })?;
    let mut entries = Vec::new();
    collect(table.get_ref(), "", lines, &mut entries);
    entries.sort_by_key(|entry| entry.offset);
    Ok(entries)
}

/// Takes the leaves of a table. Tables are followed only where the config has some, so that a wrong one is one mistake.
fn collect(table: &DeTable<'_>, above: &str, lines: &Lines<'_>, entries: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if SECTIONS.contains(&key.as_str()) || key == "ui.keys" => {
                collect(inner, &key, lines, entries);
            }
            _ => {
                let offset = name.span().start;
                entries.push(Entry { key, value: written(value), origin: lines.origin(offset), offset });
            }
        }
    }
}

fn written(value: &Spanned<DeValue<'_>>) -> Written {
    match value.get_ref() {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Boolean(switch) => Written::Switch(*switch),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Written::Number(number),
            Err(_) => Written::Other("a number of this size"),
        },
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Written::Other("a list with anything but texts in quotes"), Written::List)
        }
        DeValue::Float(_) => Written::Other("a number with a point"),
        DeValue::Datetime(_) => Written::Other("a date or time without quotes"),
        DeValue::Table(_) => Written::Other("a section"),
    }
}

/// Reads one value as TOML writes it; `None` when it is none.
pub(super) fn value(text: &str) -> Option<Written> {
    DeValue::parse(text).ok().map(|value| written(&value))
}

/// Says of a key that does not exist what would be right.
fn hint_for(key: &str) -> String {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    if SECTIONS.contains(&key) || key == "ui.keys" {
        return format!("is a section; write [{key}] on a line of its own, once, and its keys below");
    }
    if let Some(home) = SETTINGS.iter().find(|setting| setting.name() == name) {
        return format!("stands in the wrong place; write it below [{}]", home.section());
    }
    if SECTIONS.contains(&section) {
        let names = || SETTINGS.iter().filter(|setting| setting.section() == section).map(Setting::name);
        let all: Vec<&str> = names().collect();
        return format!("no such key{}; [{section}] has {}", did_you_mean(name, names()), all.join(", "));
    }
    let unknown = if section.is_empty() { name } else { section };
    format!("no such section{}; the sections are {}", did_you_mean(unknown, SECTIONS), SECTIONS.join(", "))
}

/// Returns `, did you mean "x"?` without a question where nothing is near.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!(", did you mean {near:?}?"))
}

/// Returns the line of a key in a file; `None` when either cannot be found.
pub(super) fn line_of(path: &Path, key: &str) -> Option<usize> {
    let text = read_text(path).ok()??;
    let lines = Lines { text: without_bom(&text), file: "" };
    let entry = entries(&lines).ok()?.into_iter().find(|entry| entry.key == key)?;
    match entry.origin {
        Origin::File { line, .. } => line,
        Origin::Override => None,
    }
}

/// Editors on Windows put a byte order mark in front.
fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Returns the file's text; `None` when there is no file.
fn read_text(path: &Path) -> Result<Option<String>, ConfigError> {
    let failed = |source| ConfigError::Read { file: file_name(path), source };
    // Asked before it is opened: opening a FIFO waits for a writer, and opening a device may make it do something.
    let found = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        // A link that leads nowhere was meant to lead to a config: silence would hide that its settings do not hold.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !found.is_file() {
        return Err(ConfigError::NotAFile { file: file_name(path), found: kind_of(found) });
    }
    let mut bytes = Vec::new();
    // The size that the file system states is no bound for a file that grows, or for one below /proc.
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge { file: file_name(path), limit_bytes: MAX_BYTES });
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        let origin = Origin::File { file: file_name(path), line: Some(line) };
        ConfigError::Syntax { origin, reason: "is no UTF-8 text here; save the file as UTF-8".to_owned() }
    })
}

fn kind_of(found: fs::FileType) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests;
