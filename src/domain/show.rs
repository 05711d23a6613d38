//! Makes names, messages and remote values safe to print (invariant 12). The one function for it in the program.
//!
//! Escape, never drop: dropping would make two different files look alike. What [`show`] gives can be read back.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns `bytes` as text without anything that a terminal obeys or an eye cannot see.
///
/// Printable UTF-8 stays. A backslash is doubled. Control characters below U+0080 become `\xNN`, others, bidirectional
/// controls, zero-width, private and unassigned characters become `\u{N}`; bytes that are not UTF-8 become `\xNN`.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_shown(&mut text, c);
        }
        for byte in chunk.invalid() {
            push_byte(&mut text, *byte);
        }
    }
    text
}

/// Returns a message safe to print: as [`show`], but line ends stay and backslashes stay single.
pub fn show_message(message: &str) -> Cow<'_, str> {
    if message.chars().all(|c| c == '\n' || is_plain(c)) {
        return Cow::Borrowed(message);
    }
    let mut text = String::with_capacity(message.len() + 8);
    for c in message.chars() {
        match c {
            '\n' | '\\' => text.push(c),
            _ => push_shown(&mut text, c),
        }
    }
    Cow::Owned(text)
}

fn push_shown(text: &mut String, c: char) {
    if c == '\\' {
        text.push_str("\\\\");
    } else if is_plain(c) {
        text.push(c);
    } else if c.is_ascii() {
        push_byte(text, c as u8);
    } else {
        write!(text, "\\u{{{:x}}}", c as u32).expect("writing to a string cannot fail");
    }
}

fn push_byte(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
}

/// Tells whether a character shows itself and does nothing else.
fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The ideographic space is common in names and seen; the standard library counts it as not printable.
    if c == '\u{3000}' {
        return true;
    }
    // The standard library's table of printable characters leaves out controls, format characters (bidi, zero-width,
    // tags), separators, private use and what is unassigned. It is reached through `escape_debug` of a string; the
    // letter in front keeps a combining accent from being escaped for standing first.
    let mut buffer = [b'a', 0, 0, 0, 0];
    let length = 1 + c.encode_utf8(&mut buffer[1..]).len();
    match std::str::from_utf8(&buffer[..length]) {
        Ok(text) => text.escape_debug().nth(1) == Some(c),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        for (name, shown) in [
            (&b"plain name.txt"[..], "plain name.txt"),
            (b"a\x1b[31mb", "a\\x1b[31mb"),
            (b"line\nend\r\t\x7f", "line\\x0aend\\x0d\\x09\\x7f"),
            (b"bad\xff\xfe", "bad\\xff\\xfe"),
            (b"back\\slash", "back\\\\slash"),
            ("C1 \u{9b}31m".as_bytes(), "C1 \\u{9b}31m"),
            ("\u{202e}gpj.exe".as_bytes(), "\\u{202e}gpj.exe"),
            ("zero\u{200b}width\u{feff}".as_bytes(), "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}\u{e000}".as_bytes(), "tag\\u{e0041}\\u{e000}"),
            ("line\u{2028}sep".as_bytes(), "line\\u{2028}sep"),
            ("東京\u{3000}Ü e\u{301}".as_bytes(), "東京\u{3000}Ü e\u{301}"),
        ] {
            assert_eq!(show(name), shown);
        }
    }

    #[test]
    fn different_names_never_look_the_same() {
        let names: [&[u8]; 6] = [b"\xff", b"\\xff", b"\\\\xff", "\u{ff}".as_bytes(), b"", b"\\"];
        for (i, a) in names.iter().enumerate() {
            for b in &names[i + 1..] {
                assert_ne!(show(a), show(b));
            }
        }
    }
}
