//! Makes names, messages and remote values safe to print (invariant 12). The one function for it in the program.
//!
//! Escape, never drop: dropping would make two different files look alike. What [`show`] gives can be read back, and takes
//! as many columns on every terminal: what they disagree on is escaped, too.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns `bytes` as text without anything that a terminal obeys or an eye cannot see.
///
/// Printable UTF-8 stays. A backslash is doubled. Control characters below U+0080 become `\xNN`, others, bidirectional
/// controls, zero-width, private and unassigned characters, and those on whose columns terminals disagree, become `\u{N}`;
/// bytes that are not UTF-8 become `\xNN`.
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
    if message.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
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
    } else if is_plain(c) && !is_disputed(c) && is_held(text.chars().next_back(), c) {
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

/// Tells whether what stands before a character holds it: a mark needs a letter, a part of a Korean syllable the part that
/// it goes on with. Left alone they take no column on some terminals, and one of their own on others.
fn is_held(before: Option<char>, c: char) -> bool {
    let is_vowel = |c| matches!(c, '\u{1160}'..='\u{11a7}' | '\u{d7b0}'..='\u{d7c6}');
    let is_final = |c| matches!(c, '\u{11a8}'..='\u{11ff}' | '\u{d7cb}'..='\u{d7fb}');
    let is_open = |c| matches!(c, '\u{ac00}'..='\u{d7a3}') && (c as u32 - 0xac00).is_multiple_of(28);
    if is_vowel(c) {
        return before.is_some_and(|c| matches!(c, '\u{1100}'..='\u{115e}') || is_vowel(c) || is_open(c));
    }
    if is_final(c) {
        return before.is_some_and(|c| matches!(c, '\u{ac00}'..='\u{d7a3}') || is_vowel(c) || is_final(c));
    }
    // Of a character alone the standard library escapes also a mark that would stand on the character before.
    before.is_some_and(|before| before != '\n') || c.is_ascii() || c == '\u{3000}' || c.escape_debug().next() == Some(c)
}

/// Tells whether terminals and text libraries disagree on a character's columns.
fn is_disputed(c: char) -> bool {
    let at = DISPUTED.partition_point(|(_, last)| *last < c);
    c >= '\u{80}' && DISPUTED.get(at).is_some_and(|(first, _)| *first <= c)
}

/// First and last: what counts otherwise in the `unicode-width` crate than in the C library (vowel signs of Indian scripts
/// that are wide and extend, trigrams, circled numbers), is counted twice (halfwidth sound marks), or alone and in company
/// otherwise (variation selectors, regional indicators, skin tones, signs that stand before, the Khmer sign that stacks). A test in `tui::text` finds
/// those that an update brings.
const DISPUTED: &[(char, char)] = &[
    ('\u{9be}', '\u{9be}'),
    ('\u{9d7}', '\u{9d7}'),
    ('\u{b3e}', '\u{b3e}'),
    ('\u{b57}', '\u{b57}'),
    ('\u{bbe}', '\u{bbe}'),
    ('\u{bd7}', '\u{bd7}'),
    ('\u{cc0}', '\u{cc0}'),
    ('\u{cc2}', '\u{cc2}'),
    ('\u{cc7}', '\u{ccb}'),
    ('\u{cd5}', '\u{cd6}'),
    ('\u{d3e}', '\u{d3e}'),
    ('\u{d4e}', '\u{d4e}'),
    ('\u{d57}', '\u{d57}'),
    ('\u{dcf}', '\u{dcf}'),
    ('\u{ddf}', '\u{ddf}'),
    ('\u{115f}', '\u{115f}'),
    ('\u{1715}', '\u{1715}'),
    ('\u{1734}', '\u{1734}'),
    ('\u{17a4}', '\u{17a4}'),
    ('\u{17d2}', '\u{17d2}'),
    ('\u{17d8}', '\u{17d8}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{1b35}', '\u{1b35}'),
    ('\u{1b3b}', '\u{1b3b}'),
    ('\u{1b3d}', '\u{1b3d}'),
    ('\u{1b43}', '\u{1b44}'),
    ('\u{1baa}', '\u{1baa}'),
    ('\u{1bf2}', '\u{1bf3}'),
    ('\u{2630}', '\u{2637}'),
    ('\u{268a}', '\u{268f}'),
    ('\u{2d7f}', '\u{2d7f}'),
    ('\u{302e}', '\u{302f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{3248}', '\u{324f}'),
    ('\u{a8fa}', '\u{a8fa}'),
    ('\u{a953}', '\u{a953}'),
    ('\u{a9c0}', '\u{a9c0}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ff9e}', '\u{ffa0}'),
    ('\u{111c0}', '\u{111c0}'),
    ('\u{111c2}', '\u{111c3}'),
    ('\u{11235}', '\u{11235}'),
    ('\u{1133e}', '\u{1133e}'),
    ('\u{1134d}', '\u{1134d}'),
    ('\u{11357}', '\u{11357}'),
    ('\u{113d1}', '\u{113d1}'),
    ('\u{114b0}', '\u{114b0}'),
    ('\u{114bd}', '\u{114bd}'),
    ('\u{115af}', '\u{115af}'),
    ('\u{116b6}', '\u{116b6}'),
    ('\u{1171e}', '\u{1171e}'),
    ('\u{11930}', '\u{11930}'),
    ('\u{1193d}', '\u{1193d}'),
    ('\u{1193f}', '\u{1193f}'),
    ('\u{11941}', '\u{11941}'),
    ('\u{11a84}', '\u{11a89}'),
    ('\u{11d46}', '\u{11d46}'),
    ('\u{11f02}', '\u{11f02}'),
    ('\u{16d63}', '\u{16d6a}'),
    ('\u{16ff0}', '\u{16ff1}'),
    ('\u{1d165}', '\u{1d166}'),
    ('\u{1d16d}', '\u{1d172}'),
    ('\u{1d300}', '\u{1d376}'),
    ('\u{1f1e6}', '\u{1f1ff}'),
    ('\u{1f3fb}', '\u{1f3ff}'),
    ('\u{e0100}', '\u{e01ef}'),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            ("\u{301}e".as_bytes(), "\\u{301}e"),
            ("\u{1f1e9}\u{1f1ea}".as_bytes(), "\\u{1f1e9}\\u{1f1ea}"),
            ("❤\u{fe0f}".as_bytes(), "❤\\u{fe0f}"),
            ("\u{1112}\u{1161}\u{11ab} a\u{1161}".as_bytes(), "\u{1112}\u{1161}\u{11ab} a\\u{1161}"),
            ("\u{ac00}\u{11ab}\u{ac01}\u{1161}".as_bytes(), "\u{ac00}\u{11ab}\u{ac01}\\u{1161}"),
            ("น้ำำ का".as_bytes(), "น้ำำ का"),
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

    /// Reads back what was shown.
    fn read_back(mut shown: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(c) = shown.chars().next() {
            let rest = &shown[c.len_utf8()..];
            let (code, after) = match (c, rest.chars().next()) {
                ('\\', Some('\\')) => (Some(b"\\".to_vec()), &rest[1..]),
                ('\\', Some('x')) => (u8::from_str_radix(&rest[1..3], 16).ok().map(|byte| vec![byte]), &rest[3..]),
                ('\\', _) => {
                    let (digits, after) = rest.strip_prefix("u{").and_then(|rest| rest.split_once('}')).unwrap();
                    let read = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                    (read.map(|c| c.to_string().into_bytes()), after)
                }
                _ => (Some(c.to_string().into_bytes()), rest),
            };
            bytes.extend(code.expect("an escape that can be read"));
            shown = after;
        }
        bytes
    }

    /// Bytes, and texts of the characters that deceive.
    fn names() -> impl Strategy<Value = Vec<u8>> {
        let deceiving = proptest::char::ranges(
            vec![
                '\0'..='\u{ff}',
                '\u{300}'..='\u{36f}',
                '\u{1100}'..='\u{11ff}',
                '\u{2000}'..='\u{206f}',
                '\u{e0000}'..='\u{e01ff}',
            ]
            .into(),
        );
        let texts = proptest::collection::vec(prop_oneof![deceiving, any::<char>()], 0..40);
        let texts = texts.prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..60), texts]
    }

    proptest! {
        #[test]
        fn what_is_shown_holds_nothing_hidden_and_can_be_read_back(bytes in names()) {
            let shown = show(&bytes);
            prop_assert!(shown.chars().all(|c| is_plain(c) && !is_disputed(c)), "{shown:?}");
            prop_assert!(!shown.bytes().any(|byte| byte.is_ascii_control()), "{shown:?}");
            prop_assert_eq!(read_back(&shown), bytes);
        }

        #[test]
        fn a_message_keeps_its_lines_and_nothing_else_that_a_terminal_obeys(bytes in names()) {
            let message = String::from_utf8_lossy(&bytes);
            let shown = show_message(&message);
            prop_assert!(shown.chars().all(|c| c == '\n' || is_plain(c) && !is_disputed(c)), "{shown:?}");
            prop_assert_eq!(shown.matches('\n').count(), message.matches('\n').count());
        }
    }
}
