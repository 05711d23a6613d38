//! What belongs to a repository and what is left out, by name. Decides on names alone; touches no disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Candidate, Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::domain::repository::{Selection, TYPES};
use crate::domain::show::show;

/// Endings of files that programs leave behind while they work.
const TEMPORARY: &[&[u8]] = &[b"~", b".tmp", b".bak", b".swp"];
/// Names that file managers, storage boxes and file systems keep for themselves.
const SYSTEM: &[&[u8]] =
    &[b".DS_Store", b"Thumbs.db", b"lost+found", b"@eaDir", b"#recycle", b"$RECYCLE.BIN", b"System Volume Information"];

/// A pattern or type that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("{} is no pattern: {reason}", show(.glob.as_bytes()))]
    Glob { glob: String, reason: String },
    #[error("{} is no type of file; known are {known}", show(.name.as_bytes()))]
    Type { name: String, known: String },
}

/// Why an entry is left out. `Excluded` holds the number of the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    Hidden,
    Temporary,
    System,
    NotIncluded,
    Special,
    OtherFileSystem,
    OwnFiles,
    Excluded(usize),
}

impl LeftOut {
    const NAMED: [LeftOut; 7] = [
        LeftOut::Hidden,
        LeftOut::Temporary,
        LeftOut::System,
        LeftOut::NotIncluded,
        LeftOut::Special,
        LeftOut::OtherFileSystem,
        LeftOut::OwnFiles,
    ];

    fn index(self) -> usize {
        match self {
            LeftOut::Excluded(pattern) => LeftOut::NAMED.len() + pattern,
            named => LeftOut::NAMED.iter().position(|rule| *rule == named).expect("every named rule is in NAMED"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            LeftOut::Hidden => "hidden (begins with a dot)",
            LeftOut::Temporary => "temporary (~ .tmp .bak .swp)",
            LeftOut::System => "system (lost+found, .DS_Store, ...)",
            LeftOut::NotIncluded => "matches no include or type",
            LeftOut::Special => "FIFO, socket or device",
            LeftOut::OtherFileSystem => "on another file system",
            LeftOut::OwnFiles => "watchkeeper's own files",
            LeftOut::Excluded(_) => "exclude",
        }
    }
}

/// Counts of what was left out, by rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOutCounts(Vec<u64>);

impl LeftOutCounts {
    pub fn count(&mut self, rule: LeftOut) {
        let index = rule.index();
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] += 1;
    }

    pub fn add(&mut self, other: &LeftOutCounts) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum += more;
        }
    }
}

/// The selection of a repository, made ready for asking.
#[derive(Debug)]
pub struct Filter {
    include: GlobSet,
    exclude: GlobSet,
    exclude_patterns: Vec<String>,
    exclude_only_directories: Vec<bool>,
    has_include: bool,
    hidden: bool,
    /// Parts of include patterns that begin with a dot: such directories and files are meant.
    named_hidden: Vec<Vec<u8>>,
    pub one_file_system: bool,
}

impl Filter {
    /// Makes a selection ready.
    ///
    /// A pattern without `/` matches names at any depth; with one it is anchored at the repository's root. A `/` at its
    /// end lets an exclude match directories only.
    ///
    /// # Errors
    /// When a pattern or a type cannot be understood.
    pub fn new(selection: &Selection) -> Result<Filter, FilterError> {
        let mut include = GlobSetBuilder::new();
        let mut named_hidden = Vec::new();
        for glob in &selection.include {
            add_glob(&mut include, glob)?;
            named_hidden
                .extend(glob.split('/').filter(|part| part.starts_with('.')).map(|part| part.as_bytes().to_vec()));
        }
        for name in &selection.types {
            let Some((_, endings)) = TYPES.iter().find(|(known, _)| known == name) else {
                let known = TYPES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
                return Err(FilterError::Type { name: name.clone(), known });
            };
            add_glob(&mut include, &format!("*.{{{}}}", endings.join(",")))?;
        }
        let mut exclude = GlobSetBuilder::new();
        for glob in &selection.exclude {
            add_glob(&mut exclude, glob.strip_suffix('/').unwrap_or(glob))?;
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|error| FilterError::Glob { glob: String::new(), reason: error.kind().to_string() })
        };
        Ok(Filter {
            include: build(include)?,
            exclude: build(exclude)?,
            exclude_patterns: selection.exclude.clone(),
            exclude_only_directories: selection.exclude.iter().map(|glob| glob.ends_with('/')).collect(),
            has_include: !selection.include.is_empty() || !selection.types.is_empty(),
            hidden: selection.hidden,
            named_hidden,
            one_file_system: selection.one_file_system,
        })
    }

    /// Returns why the entry `name` of `directory` is left out; `None` if it belongs to the repository.
    pub fn leaves_out(&self, directory: &[u8], name: &[u8], is_directory: bool) -> Option<LeftOut> {
        if self.exclude_patterns.is_empty() && !self.has_include {
            return self.by_default(name);
        }
        let path = crate::domain::path::join(directory, name);
        let candidate = Candidate::new(OsStr::from_bytes(&path));
        for pattern in self.exclude.matches_candidate(&candidate) {
            if is_directory || !self.exclude_only_directories[pattern] {
                return Some(LeftOut::Excluded(pattern));
            }
        }
        if !is_directory && self.has_include {
            // What a person asked for by pattern is meant, temporary ending or not; hidden names only if they say so.
            return match self.include.is_match_candidate(&candidate) {
                false => Some(LeftOut::NotIncluded),
                true => self.is_hidden(name).then_some(LeftOut::Hidden),
            };
        }
        self.by_default(name)
    }

    fn by_default(&self, name: &[u8]) -> Option<LeftOut> {
        if SYSTEM.contains(&name) {
            return Some(LeftOut::System);
        }
        if self.is_hidden(name) {
            return Some(LeftOut::Hidden);
        }
        TEMPORARY.iter().any(|ending| name.ends_with(ending)).then_some(LeftOut::Temporary)
    }

    fn is_hidden(&self, name: &[u8]) -> bool {
        name.starts_with(b".") && !self.hidden && !self.named_hidden.iter().any(|named| named == name)
    }

    /// Returns the counts as (rule in words, number), largest first, without zeros.
    pub fn describe(&self, counts: &LeftOutCounts) -> Vec<(String, u64)> {
        let mut rules: Vec<(String, u64)> = Vec::new();
        for (index, count) in counts.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = match index.checked_sub(LeftOut::NAMED.len()) {
                Some(pattern) => format!("exclude {}", self.exclude_patterns.get(pattern).map_or("", |p| p.as_str())),
                None => LeftOut::NAMED[index].name().to_owned(),
            };
            rules.push((name, *count));
        }
        rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rules
    }

    /// Returns the rule in words.
    pub fn rule_name(&self, rule: LeftOut) -> String {
        match rule {
            LeftOut::Excluded(pattern) => {
                format!("exclude {}", self.exclude_patterns.get(pattern).map_or("", |p| p.as_str()))
            }
            named => named.name().to_owned(),
        }
    }
}

fn add_glob(set: &mut GlobSetBuilder, pattern: &str) -> Result<(), FilterError> {
    set.add(glob(pattern)?);
    Ok(())
}

/// Makes a pattern ready: without `/` it matches names at any depth, with one it is anchored at the root. Endings (`*.jpg`)
/// match in either case, as cameras write them.
fn glob(pattern: &str) -> Result<Glob, FilterError> {
    let anchored = match pattern.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None if pattern.contains('/') => pattern.to_owned(),
        None => format!("**/{pattern}"),
    };
    let wrong = |reason: String| FilterError::Glob { glob: pattern.to_owned(), reason };
    if pattern.is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    let built = GlobBuilder::new(&anchored).literal_separator(true).case_insensitive(pattern.starts_with("*.")).build();
    built.map_err(|error| wrong(error.kind().to_string()))
}

/// One pattern for paths, read as those of a selection are.
#[derive(Clone, Debug)]
pub struct PathPattern(GlobMatcher);

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn parse(pattern: &str) -> Result<PathPattern, FilterError> {
        glob(pattern).map(|glob| PathPattern(glob.compile_matcher()))
    }

    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.is_match(OsStr::from_bytes(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(selection: Selection, cases: &[(&str, &str, bool, Option<&str>)]) {
        let filter = Filter::new(&selection).unwrap();
        for (directory, name, is_directory, expected) in cases {
            let rule = filter.leaves_out(directory.as_bytes(), name.as_bytes(), *is_directory);
            assert_eq!(rule.map(|rule| filter.rule_name(rule)).as_deref(), *expected, "{directory}/{name}");
        }
    }

    #[test]
    fn the_contract_says_what_is_left_out_by_default() {
        let hidden = Some("hidden (begins with a dot)");
        let temporary = Some("temporary (~ .tmp .bak .swp)");
        let system = Some("system (lost+found, .DS_Store, ...)");
        check(
            Selection::default(),
            &[
                ("", "a.txt", false, None),
                ("", ".git", true, hidden),
                ("x", ".profile", false, hidden),
                ("", "a~", false, temporary),
                ("", "a.tmp", false, temporary),
                ("", "lost+found", true, system),
                ("", ".DS_Store", false, system),
                ("x", "System Volume Information", true, system),
                ("", "tmp", true, None),
                ("", "bak", false, None),
            ],
        );
        check(
            Selection { hidden: true, ..Selection::default() },
            &[("", ".git", true, None), ("", ".DS_Store", false, system)],
        );
    }

    #[test]
    fn patterns_match_names_anywhere_or_paths_from_the_root() {
        let selection = Selection {
            exclude: ["node_modules/", "/cache", "a/*.log", "*.ISO"].map(str::to_owned).to_vec(),
            ..Selection::default()
        };
        check(
            selection,
            &[
                ("x/y", "node_modules", true, Some("exclude node_modules/")),
                ("x/y", "node_modules", false, None),
                ("", "cache", true, Some("exclude /cache")),
                ("x", "cache", true, None),
                ("a", "b.log", false, Some("exclude a/*.log")),
                ("a/c", "b.log", false, None),
                ("q", "disk.iso", false, Some("exclude *.ISO")),
            ],
        );
    }

    #[test]
    fn an_include_or_a_type_leaves_out_other_files_and_keeps_directories() {
        let selection = Selection { include: vec!["*.md".into()], types: vec!["image".into()], ..Selection::default() };
        let not = Some("matches no include or type");
        check(
            selection,
            &[
                ("", "a.md", false, None),
                ("x", "P.JPG", false, None),
                ("", "a.txt", false, not),
                ("", "dir", true, None),
            ],
        );
        let named = Selection { include: vec![".config/**".into(), "*.bak".into()], ..Selection::default() };
        check(named, &[("", ".config", true, None), (".config", "a", false, None), ("", "a.bak", false, None)]);
    }

    #[test]
    fn a_pattern_for_paths_is_read_as_those_of_a_selection() {
        let matches = |glob: &str, path: &str| PathPattern::parse(glob).unwrap().matches(path.as_bytes());
        assert!(matches("*.md", "a/b.MD") && matches("a/*.md", "a/b.md") && matches("/b.md", "b.md"));
        assert!(!matches("/b.md", "a/b.md") && !matches("a/*.md", "a/c/b.md"));
        assert!(PathPattern::parse("[").is_err());
    }

    #[test]
    fn a_wrong_pattern_or_type_is_named() {
        for selection in [
            Selection { exclude: vec!["[".into()], ..Selection::default() },
            Selection { types: vec!["pictures".into()], ..Selection::default() },
        ] {
            let message = Filter::new(&selection).unwrap_err().to_string();
            assert!(message.contains('[') || message.contains("pictures"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_as_a_pattern_is_refused_by_name_or_matches_without_a_panic(
            pattern in prop_oneof![any::<String>(), r"[a*?/\[\]{},!^.\\-]{0,30}"],
            path in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            match PathPattern::parse(&pattern) {
                Ok(parsed) => drop(parsed.matches(&path)),
                Err(error) => prop_assert!(error.to_string().len() > pattern.len()),
            }
            let selection = Selection { exclude: vec![pattern.clone()], include: vec![pattern], ..Selection::default() };
            if let Ok(filter) = Filter::new(&selection) {
                let (directory, name) = path.split_at(path.len() / 2);
                filter.leaves_out(directory, name, false);
                filter.leaves_out(directory, name, true);
            }
        }
    }
}
