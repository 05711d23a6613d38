//! The table of mounts, which tells where a path lies without a look at the path itself: that may hang.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Returns major and minor number of the device that a path lies on, from the text of `/proc/self/mountinfo` (proc(5)).
pub(super) fn device_of(table: &[u8], path: &Path) -> Option<(u32, u32)> {
    let mut found: Option<(usize, (u32, u32))> = None;
    for line in table.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        let (Some(device), Some(place)) = (fields.next(), fields.nth(1)) else { continue };
        let place = unescape(place);
        let depth = place.components().count();
        // Of several at one place the last one lies on top.
        if path.starts_with(&place) && found.is_none_or(|(deepest, _)| depth >= deepest) {
            found = number_of(device).map(|device| (depth, device)).or(found);
        }
    }
    found.map(|(_, device)| device)
}

fn number_of(device: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(device).ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Blanks, tabs, line ends and backslashes stand as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 253:0 / / rw - ext4 /dev/vda rw
30 22 0:25 / /proc rw - proc proc rw
40 22 8:17 /sub /srv/my\\040photos rw shared:1 - ext4 /dev/sdb1 rw
41 40 8:33 / /srv/my\\040photos/2026 rw - ext4 /dev/sdc1 rw
42 22 7:1 / /over rw - ext4 /dev/loop1 rw
43 42 7:2 / /over rw - ext4 /dev/loop2 rw
garbage
";

    #[test]
    fn a_path_lies_on_the_deepest_mount_above_it_and_of_two_at_one_place_on_the_last() {
        for (path, expected) in [
            ("/home/anna", (253, 0)),
            ("/srv/my photos/2025", (8, 17)),
            ("/srv/my photos/2026/a", (8, 33)),
            ("/srv/my photos/20266", (8, 17)),
            ("/over", (7, 2)),
        ] {
            assert_eq!(device_of(TABLE, Path::new(path)), Some(expected), "{path}");
        }
        assert_eq!(device_of(b"", Path::new("/")), None);
    }
}
