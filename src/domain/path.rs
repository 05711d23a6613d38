//! Paths inside a repository: bytes, relative to its root, `/` between parts. The root itself is the empty path.
//!
//! Names are bytes because file systems hold bytes; how they are printed is the business of [`super::show`].

use std::fmt;

/// A path relative to a repository's root. Never absolute, no empty part, no `.` or `..`, no NUL.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Vec<u8>);

/// Why bytes are no path inside a repository.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{shown}: {reason}")]
pub struct PathError {
    shown: String,
    reason: &'static str,
}

impl RelPath {
    /// Returns the path of the repository's root.
    pub fn root() -> RelPath {
        RelPath(Vec::new())
    }

    /// Takes bytes that are known to form a path, such as a stored one.
    pub fn from_stored(bytes: Vec<u8>) -> RelPath {
        RelPath(bytes)
    }

    /// Reads a path as a person or a script gave it: a leading `./` and trailing `/` are dropped.
    ///
    /// # Errors
    /// When it is absolute, climbs with `..`, or holds an empty part or a NUL byte.
    pub fn parse(given: &[u8]) -> Result<RelPath, PathError> {
        let fail = |reason| Err(PathError { shown: super::show::show(given), reason });
        if given.starts_with(b"/") {
            return fail("must be relative to the repository");
        }
        if given.contains(&0) {
            return fail("holds a NUL byte");
        }
        let mut trimmed = given;
        while let Some(rest) = trimmed.strip_prefix(b"./") {
            trimmed = rest;
        }
        while let Some(rest) = trimmed.strip_suffix(b"/") {
            trimmed = rest;
        }
        if trimmed.is_empty() || trimmed == b"." {
            return Ok(RelPath::root());
        }
        for part in trimmed.split(|byte| *byte == b'/') {
            match part {
                b"" => return fail("has an empty part"),
                b"." | b".." => return fail("must not hold . or .."),
                _ => {}
            }
        }
        Ok(RelPath(trimmed.to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns this path with one more part.
    pub fn join(&self, name: &[u8]) -> RelPath {
        RelPath(join(&self.0, name))
    }

    /// Returns the directory that holds this path, and the last part; `None` for the root.
    pub fn split(&self) -> Option<(RelPath, &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (RelPath(self.0[..at].to_vec()), &self.0[at + 1..]),
            None => (RelPath::root(), &self.0[..]),
        })
    }

    /// Tells whether `other` is this path or lies below it.
    pub fn covers(&self, other: &[u8]) -> bool {
        self.0.is_empty() || (other.starts_with(&self.0) && matches!(other.get(self.0.len()), None | Some(b'/')))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", super::show::show(&self.0))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::show::show(if self.0.is_empty() { b"." } else { &self.0 }))
    }
}

/// Returns the directories above a stored path, the root `""` first.
pub fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let root = (!path.is_empty()).then_some(&path[..0]);
    let others = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
    root.into_iter().chain(others)
}

/// Returns `directory/name`, or `name` alone below the root.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return name.to_vec();
    }
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

/// Returns the half-open range `[from, to)` of all paths below `directory`, in byte order: `dir/` to `dir0`.
///
/// A prefix match with LIKE would take `_` and `%` in names for wild cards. For the root the range holds every path, the
/// empty one too: no name has 256 bytes.
pub fn below(directory: &[u8]) -> (Vec<u8>, Vec<u8>) {
    if directory.is_empty() {
        return (Vec::new(), vec![0xff; 256]);
    }
    let mut from = directory.to_vec();
    let mut to = directory.to_vec();
    from.push(b'/');
    to.push(b'/' + 1);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_repository_is_refused() {
        for bad in ["/etc", "../x", "a/../b", "a//b", "a/./b", "a\0b"] {
            assert!(RelPath::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for (given, path) in [("./a/b/", "a/b"), (".", ""), ("", ""), ("a b", "a b"), ("...", "...")] {
            assert_eq!(RelPath::parse(given.as_bytes()).unwrap().as_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn a_directory_covers_itself_and_what_is_below_but_no_neighbour() {
        let path = RelPath::parse(b"a/x").unwrap();
        assert!(path.covers(b"a/x") && path.covers(b"a/x/y") && RelPath::root().covers(b"a"));
        assert!(!path.covers(b"a/x.txt") && !path.covers(b"a/x-y") && !path.covers(b"a"));
        let (from, to) = below(b"a/x");
        for (name, inside) in [("a/x/y", true), ("a/x-y", false), ("a/x.txt", false), ("a/x0", false)] {
            assert_eq!(from.as_slice() <= name.as_bytes() && name.as_bytes() < to.as_slice(), inside, "{name}");
        }
    }
}
