//! Where the socket is, and whether the directory that holds it keeps others out.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::ApiError;

/// What fits into a socket's address beside the NUL at its end (unix(7)).
pub const MAX_SOCKET_BYTES: usize = 107;

/// Returns where the engine of a data directory is reached; server and client ask both.
///
/// `engine.sock` in it; when that is too long for a socket, a name made from it below the user's runtime directory.
///
/// # Errors
/// When it is too long and there is no runtime directory.
pub fn socket_path(data_directory: &Path, runtime_directory: Option<&Path>) -> Result<PathBuf, ApiError> {
    let path = data_directory.join("engine.sock");
    if path.as_os_str().len() <= MAX_SOCKET_BYTES {
        return Ok(path);
    }
    let name = format!("{:016x}.sock", fingerprint(data_directory.as_os_str().as_bytes()));
    runtime_directory.map(|base| base.join("watchkeeper").join(name)).ok_or(ApiError::TooLong(path))
}

/// FNV-1a: the same in every build, which the standard library's hashes do not promise. Nobody else can write there, so
/// nobody looks for two paths with one sum.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Makes the socket's directory if it is not there, and sees that only this user can reach into it: that is the gate.
///
/// # Errors
/// When it is a link, another user's, or open to others.
pub fn check_directory(socket: &Path) -> Result<(), ApiError> {
    if socket.as_os_str().len() > MAX_SOCKET_BYTES {
        return Err(ApiError::TooLong(socket.to_owned()));
    }
    let Some(directory) = socket.parent().filter(|directory| directory.is_absolute()) else {
        return Err(ApiError::Unsafe { path: socket.to_owned(), reason: "must be an absolute path".to_owned() });
    };
    let io = |source| ApiError::Io { path: directory.to_owned(), source };
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    let found = std::fs::symlink_metadata(directory).map_err(io)?;
    let us = rustix::process::geteuid().as_raw();
    let reason = if !found.is_dir() {
        "is a link or no directory".to_owned()
    } else if found.uid() != us {
        format!("belongs to user {}, and this is user {us}", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!("is open to others (mode {:04o}); chmod 700 closes it", found.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(ApiError::Unsafe { path: directory.to_owned(), reason })
}

/// Removes a socket that nobody serves any more: its engine was killed.
///
/// # Errors
/// When somebody answers there, or it is no socket.
pub fn remove_stale(socket: &Path) -> Result<(), ApiError> {
    let io = |source| ApiError::Io { path: socket.to_owned(), source };
    match std::fs::symlink_metadata(socket) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
        Ok(found) if !found.file_type().is_socket() => {
            Err(ApiError::Unsafe { path: socket.to_owned(), reason: "is there, and no socket".to_owned() })
        }
        // The data directory's lock says that nobody serves it, but `--socket` may be that of another data directory.
        Ok(_) if std::os::unix::net::UnixStream::connect(socket).is_ok() => Err(ApiError::Taken(socket.to_owned())),
        Ok(_) => std::fs::remove_file(socket).map_err(io),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_path_too_long_for_a_socket_moves_to_the_runtime_directory() {
        let runtime = Path::new("/run/user/1");
        let short = Path::new("/home/a/.local/share/watchkeeper");
        assert_eq!(socket_path(short, Some(runtime)).unwrap(), short.join("engine.sock"));
        let long = PathBuf::from("/").join("x".repeat(110));
        let moved = socket_path(&long, Some(runtime)).unwrap();
        assert!(moved.starts_with("/run/user/1/watchkeeper"), "{moved:?}");
        assert_eq!(moved, socket_path(&long, Some(runtime)).unwrap());
        assert_ne!(moved, socket_path(&long.join("y"), Some(runtime)).unwrap());
        assert!(matches!(socket_path(&long, None), Err(ApiError::TooLong(_))));
    }

    #[test]
    fn a_directory_that_others_can_reach_into_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("d");
        let socket = directory.join("s");
        check_directory(&socket).unwrap();
        for mode in [0o755, 0o710, 0o701] {
            std::fs::set_permissions(&directory, PermissionsExt::from_mode(mode)).unwrap();
            assert!(matches!(check_directory(&socket), Err(ApiError::Unsafe { .. })), "{mode:o}");
        }
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&directory, temp.path().join("link")).unwrap();
        assert!(matches!(check_directory(&temp.path().join("link/s")), Err(ApiError::Unsafe { .. })));
    }

    #[test]
    fn a_stale_socket_is_removed_and_a_served_one_or_a_file_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(remove_stale(&path), Err(ApiError::Taken(_))));
        drop(listener);
        remove_stale(&path).unwrap();
        remove_stale(&path).unwrap();
        std::fs::write(&path, "a letter").unwrap();
        assert!(matches!(remove_stale(&path), Err(ApiError::Unsafe { .. })));
        assert!(path.exists());
    }
}
