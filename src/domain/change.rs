//! Differences and their verdicts: an edit, a touch, a move, damage? The decision table of the project stands here.

use super::path::RelPath;
use super::record::{Flags, Record, Sha256, Stamp, flipped_bits};

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Added,
    Edited,
    Touched,
    Moved,
    Replaced,
    Removed,
    Damaged,
    Restored,
}

impl Verdict {
    pub const ALL: [Verdict; 8] = [
        Verdict::Added,
        Verdict::Edited,
        Verdict::Touched,
        Verdict::Moved,
        Verdict::Replaced,
        Verdict::Removed,
        Verdict::Damaged,
        Verdict::Restored,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Added => "added",
            Verdict::Edited => "edited",
            Verdict::Touched => "touched",
            Verdict::Moved => "moved",
            Verdict::Replaced => "replaced",
            Verdict::Removed => "removed",
            Verdict::Damaged => "damaged",
            Verdict::Restored => "restored",
        }
    }

    pub fn parse(text: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// One difference as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub verdict: Verdict,
    pub path: RelPath,
    /// Where it was before, for a move.
    pub old_path: Option<RelPath>,
    /// How many files a moved or removed directory holds; `None` for a file.
    pub directory_files: Option<i64>,
    pub old_size_bytes: Option<i64>,
    pub new_size_bytes: Option<i64>,
    pub old_sha256: Option<Sha256>,
    pub new_sha256: Option<Sha256>,
    /// What is odd about it, such as a time stamp that was put back.
    pub note: Option<&'static str>,
}

/// What [`judge`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// `None`: nothing changed that is worth a line; the content is as recorded.
    pub verdict: Option<Verdict>,
    pub note: Option<&'static str>,
}

impl Judgement {
    const UNCHANGED: Judgement = Judgement { verdict: None, note: None };

    fn of(verdict: Verdict) -> Judgement {
        Judgement { verdict: Some(verdict), note: None }
    }

    fn noted(verdict: Verdict, note: &'static str) -> Judgement {
        Judgement { verdict: Some(verdict), note: Some(note) }
    }
}

const TIME_PUT_BACK: &str = "content changed and its time stamp was put back";
const BEHIND_THE_FILE_SYSTEM: &str =
    "content changed and the inode differs, but no time stamp moved: rolled back or cloned?";
const IMPOSSIBLE_STAMP: &str = "content changed while the inode's own time stood still";
/// A page that a program has mapped may change without a new time stamp until the kernel has written it back.
const MAYBE_MAPPED: &str =
    "the file was indexed within a minute of its last change: a memory-mapped write may explain it";

/// A move is proven without reading: an edit just before it, with its time put back, would look the same.
const MOVED_UNREAD: &str = "the file was moved after it was last read: an edit before the move may explain it";

/// Decides what happened to a known file that now has the stamp `now` and, where it was read, the content `content`.
///
/// `damaged_content` is what was found when damage was reported; damage is open as long as it is there. Content whose digest
/// is the recorded one but for a few bits is the recorded content ([`flipped_bits`]). First match wins:
///
/// | size | mtime | ctime | inode | content | verdict |
/// |------|-------|-------|-------|---------|---------|
/// | = | = | = | = | = | none (restored, if damage is open) |
/// | = | = | = | = | x | damaged; edited if the record was racy |
/// | * | * | = | x | x | damaged: behind the file system |
/// | * | * | * | x | * | replaced |
/// | * | * | = | = | x | edited, noted: impossible stamp |
/// | = | = | x | = | x | edited, noted: time put back |
/// | * | * | * | = | = | touched |
/// | * | * | * | = | x | edited |
pub fn judge(old: &Record, now: &Stamp, content: Option<&Sha256>, damaged_content: Option<&Sha256>) -> Judgement {
    let same = |a: Option<&Sha256>, b: Option<&Sha256>| match (a, b) {
        (Some(a), Some(b)) => a == b || flipped_bits(a, b).is_some(),
        _ => false,
    };
    let same_stamp = old.stamp.is_same_inode(now)
        && (old.stamp.size_bytes, old.stamp.mtime_ns, old.stamp.ctime_ns)
            == (now.size_bytes, now.mtime_ns, now.ctime_ns);
    if damaged_content.is_some() {
        if same(old.sha256.as_ref(), content) {
            return Judgement::of(Verdict::Restored);
        }
        // A chmod or a touch does not heal: the damaged content must not slip in as an edit.
        if same(damaged_content, content) {
            return Judgement::of(Verdict::Damaged);
        }
    }
    let known = old.sha256.is_some() && content.is_some();
    let equal = if known {
        same(old.sha256.as_ref(), content)
    } else {
        old.stamp.size_bytes == now.size_bytes && old.stamp.mtime_ns == now.mtime_ns
    };
    if same_stamp {
        return match (known, equal) {
            (true, false) if old.flags.has(Flags::RACY) => Judgement::of(Verdict::Edited),
            (true, false) if is_unread_since_move(old) => Judgement::noted(Verdict::Damaged, MOVED_UNREAD),
            (true, false) if is_young(old) => Judgement::noted(Verdict::Damaged, MAYBE_MAPPED),
            (true, false) => Judgement::of(Verdict::Damaged),
            _ => Judgement::UNCHANGED,
        };
    }
    let same_ctime = old.stamp.ctime_ns == now.ctime_ns;
    let same_mtime = old.stamp.mtime_ns == now.mtime_ns;
    match (old.stamp.is_same_inode(now), equal) {
        (false, false) if same_ctime && known => Judgement::noted(Verdict::Damaged, BEHIND_THE_FILE_SYSTEM),
        (false, false) if same_mtime && known && old.stamp.size_bytes == now.size_bytes => {
            Judgement::noted(Verdict::Replaced, TIME_PUT_BACK)
        }
        (false, _) => Judgement::of(Verdict::Replaced),
        (true, false) if same_ctime && known => Judgement::noted(Verdict::Edited, IMPOSSIBLE_STAMP),
        (true, false) if same_mtime && known => Judgement::noted(Verdict::Edited, TIME_PUT_BACK),
        (true, false) => Judgement::of(Verdict::Edited),
        (true, true) => Judgement::of(Verdict::Touched),
    }
}

/// Tells whether the inode changed last after the recorded hash was taken: only a move leaves such a record.
fn is_unread_since_move(old: &Record) -> bool {
    old.hashed_ms.is_some_and(|hashed| hashed.saturating_add(1).saturating_mul(1_000_000) < old.stamp.ctime_ns)
}

/// Tells whether the recorded hash was taken so soon after the last change that pages may still have been dirty.
fn is_young(old: &Record) -> bool {
    old.hashed_ms
        .is_some_and(|hashed| hashed.saturating_mul(1_000_000) < old.stamp.newest_ns().saturating_add(60_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Sha256 = [1; 32];
    const B: Sha256 = [2; 32];
    const C: Sha256 = [3; 32];

    fn old() -> Record {
        Record {
            stamp: Stamp { size_bytes: 10, mtime_ns: 20, ctime_ns: 30, inode: 40, born_ns: 5 },
            sha256: Some(A),
            hashed_ms: Some(1_000_000),
            ..Record::default()
        }
    }

    /// One row of the table: a letter per column that differs.
    fn stamp(differs: &str) -> Stamp {
        let mut stamp = old().stamp;
        for column in differs.chars() {
            match column {
                's' => stamp.size_bytes += 1,
                'm' => stamp.mtime_ns += 1,
                'c' => stamp.ctime_ns += 1,
                'i' => stamp.inode += 1,
                'b' => stamp.born_ns += 1,
                _ => panic!("unknown column"),
            }
        }
        stamp
    }

    #[test]
    fn each_row_of_the_table_has_its_verdict() {
        for (differs, content, verdict, noted) in [
            ("", A, None, false),
            ("", B, Some(Verdict::Damaged), false),
            ("c", A, Some(Verdict::Touched), false),
            ("c", B, Some(Verdict::Edited), true),
            ("mc", A, Some(Verdict::Touched), false),
            ("mc", B, Some(Verdict::Edited), false),
            ("smc", B, Some(Verdict::Edited), false),
            ("m", A, Some(Verdict::Touched), false),
            ("m", B, Some(Verdict::Edited), true),
            ("i", A, Some(Verdict::Replaced), false),
            ("i", B, Some(Verdict::Damaged), true),
            ("smi", B, Some(Verdict::Damaged), true),
            ("mci", A, Some(Verdict::Replaced), false),
            ("ci", B, Some(Verdict::Replaced), true),
            ("smci", B, Some(Verdict::Replaced), false),
            ("cb", A, Some(Verdict::Replaced), false),
        ] {
            let found = judge(&old(), &stamp(differs), Some(&content), None);
            assert_eq!((found.verdict, found.note.is_some()), (verdict, noted), "{differs:?} {content:?}");
        }
    }

    #[test]
    fn bits_that_flipped_in_the_record_are_no_damage_of_the_file() {
        let flipped = |bits: usize| {
            let mut digest = A;
            (0..bits).for_each(|bit| digest[bit * 3] ^= 1 << (bit % 8));
            judge(&Record { sha256: Some(digest), ..old() }, &stamp(""), Some(&A), None).verdict
        };
        assert_eq!((flipped(1), flipped(8), flipped(9)), (None, None, Some(Verdict::Damaged)));
        let mut digest = A;
        digest[31] ^= 0x80;
        let record = Record { sha256: Some(digest), ..old() };
        assert_eq!(judge(&record, &stamp("mc"), Some(&A), None).verdict, Some(Verdict::Touched));
        assert_eq!(judge(&record, &stamp(""), Some(&A), Some(&digest)).verdict, Some(Verdict::Restored));
    }

    #[test]
    fn a_racy_record_is_edited_and_never_damaged() {
        let racy = Record { flags: Flags::RACY, ..old() };
        assert_eq!(judge(&racy, &stamp(""), Some(&B), None).verdict, Some(Verdict::Edited));
    }

    #[test]
    fn a_hash_taken_just_after_a_write_is_still_evidence_of_damage_but_says_so() {
        let young = Record { hashed_ms: Some(0), ..old() };
        let found = judge(&young, &stamp(""), Some(&B), None);
        assert_eq!((found.verdict, found.note), (Some(Verdict::Damaged), Some(MAYBE_MAPPED)));
    }

    #[test]
    fn damage_in_a_file_that_was_moved_unread_says_so() {
        let mut moved = Record { hashed_ms: Some(5), ..old() };
        moved.stamp.ctime_ns = 7_000_000;
        let now = moved.stamp;
        let found = judge(&moved, &now, Some(&B), None);
        assert_eq!((found.verdict, found.note), (Some(Verdict::Damaged), Some(MOVED_UNREAD)));
    }

    #[test]
    fn damage_stays_until_good_or_new_content_comes() {
        for (differs, content, verdict) in [
            ("", B, Verdict::Damaged),
            ("c", B, Verdict::Damaged),
            ("mc", B, Verdict::Damaged),
            ("", A, Verdict::Restored),
            ("smci", A, Verdict::Restored),
            ("mc", C, Verdict::Edited),
        ] {
            let found = judge(&old(), &stamp(differs), Some(&content), Some(&B));
            assert_eq!(found.verdict, Some(verdict), "{differs:?} {content:?}");
        }
    }

    #[test]
    fn without_hashes_the_stamp_alone_decides() {
        let bare = Record { sha256: None, ..old() };
        for (differs, verdict) in [
            ("", None),
            ("c", Some(Verdict::Touched)),
            ("mc", Some(Verdict::Edited)),
            ("smc", Some(Verdict::Edited)),
            ("mci", Some(Verdict::Replaced)),
        ] {
            assert_eq!(judge(&bare, &stamp(differs), None, None).verdict, verdict, "{differs:?}");
        }
    }
}
