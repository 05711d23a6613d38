//! Which paths are meant: patterns of `files`, and the rule that leaves a path out, for `why`.

pub use crate::disk::PathPattern;

use crate::disk::Filter;
use crate::domain::path::RelPath;
use crate::domain::repository::Settings;

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
}
