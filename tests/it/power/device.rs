//! The power goes under a real file system: ext4 on a loop device that is shut down with all that it had not yet written.
//! And every other fault besides, one after the other by chance.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::journal::assert_agrees;
use super::super::resident::can;
use super::super::world::{BINARY, World, said};
use super::assert_whole;
use super::disk::Chance;

/// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing more is written, not even the file system's own log.
const SHUTDOWN: &str =
    r#"open(my $root, "<", $ARGV[0]) or die; my $how = pack("L", 2); ioctl($root, 0x8004587d, $how) or die"#;

/// A device with a file system, mounted at a world's data directory until it is dropped.
struct Device {
    image: PathBuf,
    at: PathBuf,
}

impl Device {
    /// Returns `None`, and says so, where devices cannot be mounted.
    fn at_data_of(world: &World, megabytes: usize, test: &str) -> Option<Device> {
        let device = Device { image: world.temp.path().join("device"), at: world.data.clone() };
        let make = format!("truncate -s {megabytes}M $0 && mkfs.ext4 -q -m 0 $0 && mkdir -p $1 && mount -o loop $0 $1");
        let (image, at) = (device.image.to_str().unwrap(), device.at.to_str().unwrap());
        if !can(test, &["sh", "-c", &format!("PATH=$PATH:/sbin:/usr/sbin; {make}"), image, at]) {
            return None;
        }
        fs::set_permissions(&device.at, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Some(device)
    }

    fn cut(&self) {
        let done = Command::new("perl").args(["-e", SHUTDOWN]).arg(&self.at).status().unwrap();
        assert!(done.success());
    }

    /// The power is there again.
    ///
    /// On a copy of the device: a mount namespace that another test has made meanwhile keeps the file system that was shut down,
    /// and whoever mounts the same device is given that one.
    fn mount_again(&self) {
        let done = Command::new("umount").arg(&self.at).status().unwrap();
        assert!(done.success(), "something still has the device open");
        let copy = self.image.with_extension("copy");
        let done = Command::new("cp").arg("--sparse=always").arg(&self.image).arg(&copy).status().unwrap();
        assert!(done.success());
        fs::rename(&copy, &self.image).unwrap();
        let done = Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at).status().unwrap();
        assert!(done.success());
    }

    /// Leaves so many bytes of the disk.
    fn fill(&self, left: usize) {
        let free = rustix::fs::statvfs(&self.at).unwrap();
        let fill = usize::try_from(free.f_bavail * free.f_frsize).unwrap().saturating_sub(left);
        let mut file = fs::File::create(self.at.join("fill")).unwrap();
        let _full = std::io::copy(&mut std::io::Read::take(std::io::repeat(1), fill as u64), &mut file);
    }

    fn free(&self) {
        drop(fs::remove_file(self.at.join("fill")));
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn change(world: &World, chance: &mut Chance, round: usize) {
    for _ in 0..1 + chance.below(30) {
        let path = world.path(&format!("d{}/f{}", chance.below(12), chance.below(40)));
        match chance.below(4) {
            0 => drop(fs::remove_file(path)),
            1 => drop(fs::rename(path, world.path(&format!("d{}/f{}", chance.below(12), chance.below(40))))),
            _ => fs::write(path, format!("{round} {}", chance.below(1000))).unwrap(),
        }
    }
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits so long, or until it has ended.
fn wait(child: &mut Child, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        std::hint::spin_loop();
    }
}

/// What was on its standard output when it ended: the runs that it had acknowledged.
fn acknowledged(child: Child) -> Vec<Value> {
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(!err.contains("panicked"), "{err}");
    String::from_utf8(done.stdout).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Every run of it.
fn history(world: &World) -> Vec<Value> {
    world.json(&["history", "-n", "1000000"])
}

/// A tree with a few hundred files, and how long a sync of it takes here.
fn begun(test: &str) -> Option<(World, Device, Duration)> {
    let world = World::empty();
    (0..300).for_each(|number| world.put(&format!("d{}/f{number}={number}", number % 12)));
    let device = Device::at_data_of(&world, 24, test)?;
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    world.ok(&["repo", "set", "tree", "guard.max_removed_percent=100"]);
    let began = Instant::now();
    world.put("d0/f0=once more");
    world.sync(&[]);
    Some((world, device, began.elapsed()))
}

/// Runs are compared by what a person is told of them.
fn lost<'a>(told: &'a [Value], kept: &[Value]) -> Vec<&'a Value> {
    let same = |run: &Value, other: &Value| ["run_id", "outcome", "ended_at"].iter().all(|key| run[key] == other[key]);
    told.iter().filter(|run| run["outcome"].is_string() && !kept.iter().any(|other| same(run, other))).collect()
}

#[test]
fn fifty_power_cuts_of_a_file_system_lose_nothing_that_was_acknowledged() {
    let Some((world, device, usual)) = begun("fifty_power_cuts_of_a_file_system") else { return };
    let mut chance = Chance(u64::from(std::process::id()) | 1);
    let seed = chance.0;
    let mut told = history(&world);
    for round in 0..50 {
        let what = format!("seed {seed}, round {round}");
        change(&world, &mut chance, round);
        let copy = world.data.join(format!("{round}.backup"));
        let is_backup = round % 5 == 4;
        let mut child = started(&mut match is_backup {
            true => world.command(&["backup", copy.to_str().unwrap(), "--json"]),
            false => world.command(&["sync", "--json"]),
        });
        wait(&mut child, usual * chance.below(1000) as u32 / 1000);
        device.cut();
        let said = acknowledged(child);
        device.mount_again();
        match is_backup {
            true => assert_complete_or_absent(&world, &copy, !said.is_empty(), &what),
            false => told.extend(said),
        }
        assert_whole(&world, &[], &what);
        let kept = history(&world);
        assert!(lost(&told, &kept).is_empty(), "{what}: {:?}", lost(&told, &kept));
        told = kept;
    }
}

#[test]
fn without_its_syncs_a_file_system_that_is_cut_off_loses_what_was_acknowledged() {
    let test = "without_its_syncs_a_file_system";
    if !can(test, &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let Some((world, device, _)) = begun(test) else { return };
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0"]);
    strace.arg(BINARY).arg("--data-dir").arg(&world.data).args(["sync", "--json"]).env("HOME", world.temp.path());
    let told = acknowledged(started(&mut strace));
    device.cut();
    device.mount_again();
    world.wk(&["sync", "--quiet"]);
    assert!(told.len() == 1 && !lost(&told, &history(&world)).is_empty(), "this proves nothing: {told:?}");
}

/// A backup that was told of can be restored; one that was not is of no use or whole, and nothing between.
fn assert_complete_or_absent(world: &World, copy: &std::path::Path, is_told: bool, what: &str) {
    let other = world.temp.path().join("restored");
    let mut restore = Command::new(BINARY);
    restore.arg("--data-dir").arg(&other).args(["restore", "--yes"]).arg(copy).env("HOME", world.temp.path());
    let said = said(&mut restore);
    assert!(said.code == 0 || said.code == 1 && !is_told, "{what}: {said:?}");
    drop(fs::remove_dir_all(other));
    drop(fs::remove_file(copy));
}

/// What befalls a run, with how it is ended.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    PowerCut,
    DiskFull,
    DiskFullKilledAndPowerCut,
    CallFails(&'static str, &'static str),
}

const FAULTS: [Fault; 10] = [
    Fault::Killed,
    Fault::PowerCut,
    Fault::DiskFull,
    Fault::DiskFullKilledAndPowerCut,
    Fault::CallFails("pwrite64", "EIO"),
    Fault::CallFails("pwrite64", "ENOSPC"),
    Fault::CallFails("fdatasync", "EIO"),
    Fault::CallFails("write", "EIO"),
    Fault::CallFails("openat", "EMFILE"),
    Fault::CallFails("unlink", "EIO"),
];

/// Runs a sync that meets the fault, and returns what it acknowledged.
fn meet(fault: Fault, world: &World, device: &Device, chance: &mut Chance, usual: Duration) -> Vec<Value> {
    let mut sync = world.command(&["sync", "--json"]);
    let moment = usual * chance.below(1000) as u32 / 1000;
    match fault {
        Fault::Killed | Fault::PowerCut => {
            let mut child = started(&mut sync);
            wait(&mut child, moment);
            match fault {
                Fault::PowerCut => device.cut(),
                _ => child.kill().unwrap(),
            }
            acknowledged(child)
        }
        Fault::DiskFull => {
            device.fill(chance.below(120_000));
            acknowledged(started(&mut sync))
        }
        Fault::DiskFullKilledAndPowerCut => {
            device.fill(chance.below(120_000));
            let mut child = started(&mut sync);
            wait(&mut child, moment);
            child.kill().unwrap();
            device.cut();
            acknowledged(child)
        }
        Fault::CallFails(call, error) => {
            let when = format!("inject={call}:error={error}:when={}", 1 + chance.below(60));
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-P"]).arg(world.data.join("index.db"));
            strace
                .arg("-P")
                .arg(world.data.join("index.db-wal"))
                .arg("-P")
                .arg(world.data.join("journal/000001.jsonl"));
            strace.args(["-e", &format!("trace={call}"), "-e", &when, BINARY, "--data-dir"]).arg(&world.data);
            acknowledged(started(strace.args(["sync", "--json"]).env("HOME", world.temp.path())))
        }
    }
}

/// Longer: SOAK=7200 (seconds), and SOAK_SEED to repeat one.
#[test]
fn whatever_happens_one_after_the_other_nothing_acknowledged_is_lost() {
    let test = "whatever_happens_one_after_the_other";
    if !can(test, &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let Some((world, device, usual)) = begun(test) else { return };
    let asked = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let seed = asked("SOAK_SEED").unwrap_or(u64::from(std::process::id()) | 1);
    let (time, mut chance) = (asked("SOAK").map(Duration::from_secs), Chance(seed));
    eprintln!("seed {seed}");
    let (began, mut told, mut round) = (Instant::now(), history(&world), 0);
    while time.map_or(round < 3 * FAULTS.len(), |time| began.elapsed() < time) {
        // Each of them at least once in so many rounds, the rest by chance.
        let fault = FAULTS[if round < FAULTS.len() { round } else { chance.below(FAULTS.len()) }];
        let what = format!("seed {seed}, round {round}, {fault:?}");
        change(&world, &mut chance, round);
        told.extend(meet(fault, &world, &device, &mut chance, usual));
        if matches!(fault, Fault::PowerCut | Fault::DiskFullKilledAndPowerCut) {
            device.mount_again();
        }
        device.free();
        // What was set aside lies there for ever, and the disk is small.
        drop(fs::remove_dir_all(world.data.join("quarantine")));
        assert_whole(&world, &[], &what);
        let kept = history(&world);
        assert!(lost(&told, &kept).is_empty(), "{what}: {:?}", lost(&told, &kept));
        told = kept;
        round += 1;
    }
    eprintln!("{round} faults");
}

#[test]
fn when_the_disk_loses_later_what_it_had_taken_no_run_is_acknowledged_that_is_not_there() {
    let test = "when_the_disk_loses_later";
    let world = World::empty();
    (0..300).for_each(|number| world.put(&format!("d{}/f{number}={number}", number % 12)));
    let host = world.temp.path().join("host");
    // A disk that promises more than lies behind it: writes are taken, and fail when they are written back.
    let thin = format!("mkdir -p {0} && mount -t tmpfs -o size=3m none {0}", host.display());
    if !can(test, &["sh", "-c", &thin]) {
        return;
    }
    let device = Device { image: host.join("device"), at: world.data.clone() };
    let make = "truncate -s 64M $0 && mkfs.ext4 -q -m 0 -O ^has_journal -E lazy_itable_init=1 $0 && mkdir -p $1 && mount -o loop,errors=continue $0 $1 && chmod 700 $1";
    let made = can(
        test,
        &[
            "sh",
            "-c",
            &format!("PATH=$PATH:/sbin:/usr/sbin; {make}"),
            device.image.to_str().unwrap(),
            device.at.to_str().unwrap(),
        ],
    );
    if made {
        lose_later(&world, &host);
    }
    drop(device);
    let _gone = Command::new("umount").arg("-l").arg(&host).status();
}

fn lose_later(world: &World, host: &std::path::Path) {
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let mut told = history(world);
    // What lies behind the disk is used up from here on.
    let free = rustix::fs::statvfs(host).unwrap();
    fs::write(host.join("fill"), vec![1; usize::try_from(free.f_bavail * free.f_frsize).unwrap()]).unwrap();
    let mut failed = 0;
    for round in 0..8 {
        (0..300).for_each(|number| world.put(&format!("new{round}/a-rather-long-name-{number}={round}")));
        let said = world.wk(&["sync", "--json"]);
        assert!(!said.err.contains("panicked"), "{said:?}");
        failed += usize::from(said.code != 0);
        assert!(said.code == 0 || !said.err.is_empty(), "{said:?}");
        told.extend(said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert!(failed > 0, "the disk lost nothing: this proves nothing");
    fs::remove_file(host.join("fill")).unwrap();
    let done = Command::new("mount").args(["-o", "remount,size=80m"]).arg(host).status().unwrap();
    assert!(done.success());
    let sync = world.wk(&["sync", "--quiet"]);
    assert_eq!(sync.code, 0, "{sync:?}");
    let kept = history(world);
    // Those that had failed may have reached neither copy; those that it called good are in both.
    told.retain(|run| run["outcome"] == "completed");
    assert!(lost(&told, &kept).is_empty(), "{:?}", lost(&told, &kept));
    assert_agrees(world);
    world.assert_in_step();
}
