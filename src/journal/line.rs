//! One line: how it is written, and how it is read without ever taking a changed one for a good one.
//!
//! `{"v":1,"seq":7,"run":"01J..","ts":"..Z","ev":"finish","d":{..},"prev":"16 hex digits","crc":"8 hex digits"}`: the checksum
//! covers everything before it and is compared as text, so that its own flipped bits count too.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::record::Event;
use crate::domain::moment::Timestamp;

/// The form of a line that this program writes.
const VERSION: u32 = 1;
/// `,"crc":"01234567"}`
const SUFFIX_LENGTH: usize = 18;

/// The first 64 bits of a line's SHA-256: what the next line holds of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hash(u64);

/// A line that is whole.
#[derive(Debug)]
pub(super) struct Line {
    pub seq: u64,
    pub prev: Hash,
    pub hash: Hash,
    /// `None`: of a newer program.
    pub event: Option<Event>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    v: u32,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    ts: &'a str,
    ev: &'a str,
    #[serde(borrow)]
    d: &'a RawValue,
    prev: &'a str,
}

/// Writes one line, with its end, and returns its hash.
pub(super) fn encode(seq: u64, at: Timestamp, event: &Event, prev: Hash, into: &mut Vec<u8>) -> Hash {
    let begin = into.len();
    let data = event.data();
    let data: &RawValue = serde_json::from_str(&data).expect("what was just written is JSON");
    let (ts, prev) = (at.rfc3339(), format!("{:016x}", prev.0));
    let envelope = Envelope { v: VERSION, seq, run: event.run_id(), ts: &ts, ev: event.name(), d: data, prev: &prev };
    serde_json::to_writer(&mut *into, &envelope).expect("writing to memory cannot fail");
    // The closing brace comes after the checksum.
    into.pop();
    let suffix = suffix(&into[begin..]);
    into.extend_from_slice(suffix.as_bytes());
    let hash = hash(&into[begin..]);
    into.push(b'\n');
    hash
}

/// Reads one line without its end; `None` when it is not exactly what was written.
pub(super) fn decode(bytes: &[u8]) -> Option<Line> {
    let (body, found) = bytes.split_at_checked(bytes.len().checked_sub(SUFFIX_LENGTH)?)?;
    if suffix(body).as_bytes() != found {
        return None;
    }
    let text = [body, b"}"].concat();
    let envelope: Envelope<'_> = serde_json::from_slice(&text).ok()?;
    let prev = Hash(u64::from_str_radix(envelope.prev, 16).ok()?);
    let event = match envelope.v {
        VERSION => Event::read(envelope.ev, envelope.d.get()).ok()?,
        _ => None,
    };
    Some(Line { seq: envelope.seq, prev, hash: hash(bytes), event })
}

fn suffix(body: &[u8]) -> String {
    format!(",\"crc\":\"{:08x}\"}}", crc32fast::hash(body))
}

fn hash(line: &[u8]) -> Hash {
    let digest = Sha256::digest(line);
    Hash(u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
}
