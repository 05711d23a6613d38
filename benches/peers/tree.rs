//! The trees that are measured: many small files, or a few large ones, byte for byte the same on every machine.
//! Makes them and removes what it made; runs nobody.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, SystemTime};

/// Files in one directory of the small tree.
const FILES_PER_DIRECTORY: u64 = 100;

/// Mean size of a small file; the sizes run from half of it to one and a half.
const MEAN_BYTES: u64 = 1024;

/// Modification time of file 0, in seconds since the epoch: years before any run, so no file is ever racily clean.
const OLDEST_MTIME_S: u64 = 1_600_000_000;

/// Change times cannot be set back. Whoever compares them with its own clock (git, and we) would look again at files
/// made a moment ago, so the bench lets them age past any file system's granularity (2 s on FAT, the coarsest).
const CTIME_AGE: Duration = Duration::from_secs(3);

/// How many large files, and how large.
#[derive(Clone, Copy, Debug)]
pub struct LargeShape {
    pub files: u64,
    pub mib_each: u64,
}

impl LargeShape {
    /// Returns the bytes of all files together.
    pub fn total_bytes(self) -> u64 {
        self.files * self.mib_each * 1024 * 1024
    }
}

impl FromStr for LargeShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form 8x256");
        let (files, mib_each) = text.split_once('x').ok_or_else(wrong)?;
        let shape =
            LargeShape { files: files.parse().map_err(|_| wrong())?, mib_each: mib_each.parse().map_err(|_| wrong())? };
        if shape.files == 0 || shape.mib_each == 0 { Err(wrong()) } else { Ok(shape) }
    }
}

/// Makes the tree of `files` small files under `place`, or takes the one that an earlier run kept there.
pub fn small(place: &Path, files: u64, threads: u64) -> io::Result<PathBuf> {
    finish(place, &format!("tree-{files}"), |tree| {
        let directories = directories(files);
        let share = directories.div_ceil(threads.max(1));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..directories)
                .step_by(share as usize)
                .map(|first| scope.spawn(move || fill_directories(tree, first..directories.min(first + share), files)))
                .collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("filling a directory does not panic"))
        })
    })
}

/// Makes the large files under `place`, or takes those that an earlier run kept there.
pub fn large(place: &Path, shape: LargeShape) -> io::Result<PathBuf> {
    finish(place, &format!("large-{}x{}", shape.files, shape.mib_each), |tree| {
        for number in 0..shape.files {
            let mut file = File::create_new(tree.join(format!("large-{number:06}.bin")))?;
            let mut noise = Noise::new(number);
            let mut chunk = vec![0; 1024 * 1024];
            for _ in 0..shape.mib_each {
                // Every byte is written: a hole would be read faster than the processor can hash.
                noise.fill(&mut chunk);
                file.write_all(&chunk)?;
            }
            file.set_modified(mtime(number))?;
        }
        Ok(())
    })
}

/// Builds under another name and renames at the end, so that a half-made tree is never taken for a whole one.
fn finish(place: &Path, name: &str, build: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let tree = place.join(name);
    if tree.is_dir() {
        eprintln!("taking the kept {name}");
        return Ok(tree);
    }
    eprintln!("making {name}");
    let part = place.join(format!("{name}.part"));
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    build(&part)?;
    fs::rename(&part, &tree)?;
    // Write-back of the new tree must not run beside the first measurement.
    rustix::fs::sync();
    thread::sleep(CTIME_AGE);
    Ok(tree)
}

/// Returns how many directories the tree of `files` small files has, its root not counted.
pub fn directories(files: u64) -> u64 {
    files.div_ceil(FILES_PER_DIRECTORY)
}

/// Returns the name of a directory of the small tree.
pub fn directory_name(directory: u64) -> String {
    format!("d{directory:07}")
}

/// Returns the number of the first file in a directory of the small tree.
pub fn first_file(directory: u64) -> u64 {
    directory * FILES_PER_DIRECTORY
}

/// Returns the name of a file of the small tree: 16 bytes, as the budget for the size of the index says.
pub fn file_name(number: u64) -> String {
    format!("f{number:010}.data")
}

fn fill_directories(tree: &Path, directories: std::ops::Range<u64>, files: u64) -> io::Result<()> {
    let mut content = Vec::new();
    for directory in directories {
        let path = tree.join(directory_name(directory));
        fs::create_dir(&path)?;
        let first = first_file(directory);
        for number in first..files.min(first + FILES_PER_DIRECTORY) {
            let mut noise = Noise::new(number);
            content.resize((MEAN_BYTES / 2 + noise.next() % (MEAN_BYTES + 1)) as usize, 0);
            noise.fill(&mut content);
            let mut file = File::create_new(path.join(file_name(number)))?;
            file.write_all(&content)?;
            file.set_modified(mtime(number))?;
        }
    }
    Ok(())
}

/// Different for each file, also below the second.
fn mtime(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(OLDEST_MTIME_S + number, (number * 7_919 % 1_000_000_000) as u32)
}

/// Bytes that do not compress and are the same everywhere: splitmix64, because the generators of a crate may change.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds would give the same stream, one step apart.
        Noise(Noise(seed).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
