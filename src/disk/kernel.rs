//! Places that look like directories and are none: what the kernel makes up as it is read, such as `/proc`.

use std::path::Path;

use rustix::fs::statfs;

/// Types of file systems that hold nothing but the kernel's own state, as `statfs` tells them (`linux/magic.h`).
const MADE_UP: [u64; 22] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
    0x6572_6570, // configfs, as it is stored on some machines
    0x1980_0202, // mqueue
    0x9584_58f6, // hugetlbfs
    0x4249_4e4d, // binfmt_misc
    0x6573_5543, // fusectl
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x6e73_6673, // nsfs
    0x6759_6969, // rpc_pipefs
    0x0187,      // autofs
];

/// Tells whether a directory is of the kernel's making: nothing in it is a file on a disk.
pub fn is_made_up(path: &Path) -> bool {
    // devtmpfs calls itself tmpfs, which may hold files of people.
    let is_devices = path == Path::new("/dev");
    is_devices || statfs(path).is_ok_and(|fs| MADE_UP.contains(&(fs.f_type as u64 & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_made_up_and_a_directory_is_not() {
        for path in ["/proc", "/proc/self", "/dev"] {
            assert!(is_made_up(Path::new(path)), "{path}");
        }
        let temp = tempfile::tempdir().unwrap();
        assert!(!is_made_up(temp.path()) && !is_made_up(&temp.path().join("gone")));
    }
}
