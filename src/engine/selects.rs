//! Which paths are meant: patterns of `files`, and the rule that leaves a path out, for `why`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};

use crate::disk::Filter;
use crate::domain::path::RelPath;
use crate::domain::repository::Settings;

/// A pattern for paths: without `/` it matches names at any depth, with one the path from the root.
#[derive(Clone, Debug)]
pub struct PathPattern(GlobMatcher);

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(glob: &str) -> Result<PathPattern, String> {
        let anchored = match glob.strip_prefix('/') {
            Some(rest) => rest.to_owned(),
            None if glob.contains('/') => glob.to_owned(),
            None => format!("**/{glob}"),
        };
        let built = GlobBuilder::new(&anchored).literal_separator(true).build();
        let shown = crate::domain::show::show(glob.as_bytes());
        built
            .map(|glob| PathPattern(glob.compile_matcher()))
            .map_err(|error| format!("{shown} is no pattern: {}", error.kind()))
    }

    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.is_match(OsStr::from_bytes(path))
    }
}

/// Returns the rule that leaves a path out, or one of the directories above it; `None` if it belongs to the repository.
///
/// # Errors
/// A sentence when the repository's patterns cannot be understood.
pub fn left_out_by(settings: &Settings, path: &RelPath) -> Result<Option<String>, String> {
    let filter = Filter::new(&settings.selection).map_err(|error| error.to_string())?;
    let bytes = path.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for end in ends.chain(std::iter::once(bytes.len())) {
        let part = RelPath::from_stored(bytes[..end].to_vec());
        let Some((directory, name)) = part.split() else { continue };
        let is_directory = end < bytes.len();
        if let Some(rule) = filter.leaves_out(directory.as_bytes(), name, is_directory) {
            let at = if is_directory { format!("{part}/: ") } else { String::new() };
            return Ok(Some(format!("{at}{}", filter.rule_name(rule))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_found_wherever_on_the_way_it_applies() {
        let settings = Settings::default();
        let rule = |path: &str| left_out_by(&settings, &RelPath::parse(path.as_bytes()).unwrap()).unwrap();
        assert_eq!(rule("a/b/c.txt"), None);
        assert_eq!(rule("a/.git/config").unwrap(), "a/.git/: hidden (begins with a dot)");
        assert_eq!(rule("a/b.tmp").unwrap(), "temporary (~ .tmp .bak .swp)");
    }

    #[test]
    fn a_pattern_without_a_slash_matches_names_anywhere() {
        let matches = |glob: &str, path: &str| PathPattern::parse(glob).unwrap().matches(path.as_bytes());
        assert!(matches("*.md", "a/b.md") && matches("a/*.md", "a/b.md") && matches("/b.md", "b.md"));
        assert!(!matches("/b.md", "a/b.md") && !matches("a/*.md", "a/c/b.md"));
        assert!(PathPattern::parse("[").is_err());
    }
}
