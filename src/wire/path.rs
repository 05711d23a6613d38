//! Paths in JSON: the path itself, or for bytes that are not UTF-8 an escaped form and the bytes in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::show::show;

/// Returns `path` and `path_b64`: the second only where the first is an escaped form.
pub fn split(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(path) => (path.to_owned(), None),
        Err(_) => (show(bytes), Some(STANDARD.encode(bytes))),
    }
}

/// Returns the bytes of a path that [`split`] has written; `None` when the second is not base64.
pub fn joined(path: String, path_b64: Option<&str>) -> Option<Vec<u8>> {
    match path_b64 {
        Some(bytes) => STANDARD.decode(bytes).ok(),
        None => Some(path.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_utf_8_can_be_had_back() {
        assert_eq!(split("a/ü \u{202e}".as_bytes()), ("a/ü \u{202e}".to_owned(), None));
        let (shown, bytes) = split(b"a\xff");
        assert_eq!(shown, "a\\xff");
        assert_eq!(joined(shown, bytes.as_deref()).unwrap(), b"a\xff");
        assert_eq!(joined("a".to_owned(), Some("!")), None);
    }
}
