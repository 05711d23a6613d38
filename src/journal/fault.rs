//! What is wrong in a journal, by number of line where that is known. One sentence each, for `doctor` and `verify-log`.

use std::fmt;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line that cannot be what was written; counted from 1 in its file.
    Damaged { segment: u32, line: usize },
    /// The end of the last file is no whole line: the program, or the machine, stopped while it was written.
    Torn { segment: u32, bytes: u64 },
    /// Lines that are nowhere.
    Missing { from: u64, to: u64 },
    /// A line that stands twice, or after a later one.
    Misplaced { segment: u32, seq: u64 },
    /// The line before this one is whole, but not the one that this one was written after.
    Unchained { seq: u64 },
    /// A whole file between others.
    NoSegment { segment: u32 },
    /// Written by a newer program: kept, and passed over.
    Newer { seq: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Damaged { segment, line } => write!(f, "line {line} of {segment:06}.jsonl is damaged"),
            Fault::Torn { segment, bytes } => {
                write!(f, "the last {bytes} bytes of {segment:06}.jsonl are no whole line")
            }
            Fault::Missing { from, to } if from == to => write!(f, "line seq {from} is missing"),
            Fault::Missing { from, to } => write!(f, "lines seq {from} to {to} are missing"),
            Fault::Misplaced { segment, seq } => {
                write!(f, "line seq {seq} stands twice or out of order in {segment:06}.jsonl")
            }
            Fault::Unchained { seq } => write!(f, "the line before seq {seq} is not the one that it was written after"),
            Fault::NoSegment { segment } => write!(f, "{segment:06}.jsonl is missing"),
            Fault::Newer { seq } => write!(f, "line seq {seq} was written by a newer watchkeeper and was passed over"),
        }
    }
}
