//! `files`: the records of a repository, for people and for other programs.

use super::Context;
use super::args::{FileFormat, Files};
use super::exit::{CliError, Result, Verdict};
use super::output::Output;
use crate::domain::amount::bytes;
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::FileEntry;
use crate::domain::show::show;
use crate::engine::selects::PathPattern;
use crate::index::{FileQuery, IndexError};
use crate::wire::FileJson;

/// Runs `files`.
pub fn run(context: &mut Context, args: &Files) -> Result<Verdict> {
    let reader = context.places.existing_reader()?;
    let repository = reader.repository(&args.name)?;
    let pattern = args.glob.as_deref().map(PathPattern::parse).transpose();
    let pattern = pattern.map_err(|error| CliError::Usage(error.to_string()))?;
    let format = match args.format {
        Some(format) => format,
        None if context.out.json => FileFormat::Json,
        None => FileFormat::Table,
    };
    let mut stopped = None;
    let query = FileQuery { repository: repository.id, below: RelPath::root() };
    let result = reader.for_each_file(&query, |entry| {
        if pattern.as_ref().is_some_and(|pattern| !pattern.matches(entry.path.as_bytes())) {
            return Ok(true);
        }
        print(&mut context.out, format, &repository.name, &entry).map(|()| true).map_err(|error| {
            stopped = Some(error);
            IndexError::broken("standard output")
        })
    });
    match (stopped, result) {
        (Some(error), _) => Err(error),
        (None, result) => Ok(result.map(|()| Verdict::default())?),
    }
}

fn print(out: &mut Output, format: FileFormat, repository: &str, entry: &FileEntry) -> Result<()> {
    match format {
        FileFormat::Json => out.object(&FileJson::new(repository, entry)),
        FileFormat::Print0 => {
            out.raw(entry.path.as_bytes())?;
            out.raw(b"\0")
        }
        FileFormat::Sha256sum => match &entry.sha256 {
            Some(sum) => out.raw(&sum_line(sum, entry.path.as_bytes())),
            None => Ok(()),
        },
        FileFormat::Table => {
            let sum: String = match &entry.sha256 {
                Some(sum) => sum[..6].iter().map(|byte| format!("{byte:02x}")).collect(),
                None => "-".repeat(12),
            };
            let mark = match (entry.is_damaged, entry.is_held) {
                (true, _) => "  ! damaged",
                (false, true) => "  # held",
                (false, false) => "",
            };
            let changed = Timestamp(entry.stamp.mtime_ns.div_euclid(1_000_000)).local();
            let size = bytes(entry.stamp.size_bytes.unsigned_abs());
            out.line(&format!("{size:>7}  {changed}  {sum}  {}{mark}", show(entry.path.as_bytes())))
        }
    }
}

/// Returns the line that `sha256sum -c` reads; names with a backslash or a line end are escaped as GNU does it.
fn sum_line(sum: &[u8; 32], path: &[u8]) -> Vec<u8> {
    let needs_escape = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = Vec::with_capacity(70 + path.len());
    if needs_escape {
        line.push(b'\\');
    }
    for byte in sum {
        line.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    line.extend_from_slice(b"  ");
    for byte in path {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_line_is_what_gnu_writes() {
        let zeros = "00".repeat(32);
        assert_eq!(sum_line(&[0; 32], b"a b"), format!("{zeros}  a b\n").into_bytes());
        assert_eq!(sum_line(&[0; 32], b"a\\b\nc"), format!("\\{zeros}  a\\\\b\\nc\n").into_bytes());
    }
}
