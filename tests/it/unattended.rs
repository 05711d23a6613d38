//! What nobody looks at: hooks, and a disk that does not answer.

use super::engine::Daemon;
use super::resident::{QUICK, can, wait_for_runs};
use super::world::World;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn hooks_get_the_news_and_the_new_files() {
    let world = World::empty();
    let told = world.temp.path().join("told");
    let hook =
        |name: &str| format!("{name} = [\"sh\", \"-c\", \"(echo {name}; cat) >> {}\"]\n", told.to_str().unwrap());
    world.config(&format!("[hooks]\n{}{}{QUICK}", hook("notify"), hook("on_change")));
    world.put("a=1");
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    let heard = || fs::read_to_string(&told).unwrap_or_default();
    world.put("d/new=1");
    world.wait("the new file", heard, |heard| heard.contains("d/new") && heard.contains("\"added\""));
    let away = world.temp.path().join("away");
    fs::rename(&world.tree, &away).unwrap();
    world.wait("it is missed", heard, |heard| heard.contains("\"state\":\"missing\""));
    fs::rename(&away, &world.tree).unwrap();
    let is_back = |heard: &String| heard.contains("\"state\":\"in_sync\",\"previous_state\":\"missing\"");
    let heard = world.wait("it is back", heard, is_back);
    assert_eq!(heard.matches("notify\n").count(), 2, "{heard}");
    daemon.stop();
}

#[test]
fn a_command_waits_for_the_hooks_of_what_it_did() {
    let world = World::with(&["a=1"]);
    let told = |name: &str| world.temp.path().join(name);
    // Slow, so that who does not wait for them is found out.
    let hook = |name: &str| {
        let (part, whole) = (told("part"), told(name));
        let script = format!("sleep 0.3; cat > {0}; mv {0} {1}", part.to_str().unwrap(), whole.to_str().unwrap());
        format!("{name} = [\"sh\", \"-c\", \"{script}\"]\n")
    };
    world.config(&format!("[hooks]\n{}{}", hook("notify"), hook("on_change")));
    world.put("new=1");
    world.sync(&[]);
    let heard = fs::read_to_string(told("on_change")).unwrap();
    assert!(heard.contains("\"new\"") && heard.contains("\"added\""), "{heard}");
    assert!(!told("notify").exists(), "nothing is wrong");
    fs::remove_file(told("on_change")).unwrap();
    fs::rename(&world.tree, told("away")).unwrap();
    world.exits(1, &["sync"]);
    let heard = fs::read_to_string(told("notify")).unwrap();
    assert!(heard.contains("\"state\":\"missing\""), "{heard}");
    assert!(!told("on_change").exists(), "nothing has changed");
}

#[test]
fn a_sync_whose_disk_hangs_fails_and_does_not_wait_for_the_disk() {
    let test = "a_sync_whose_disk_hangs_fails_and_does_not_wait_for_the_disk";
    if !can(test, &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["d/a=1"]);
    world.config("[sync]\nstall_timeout = \"1s\"\n");
    let (directory, trace) = (world.path("d"), world.temp.path().join("trace"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&trace).arg("-P").arg(&directory).args(["-e", "trace=getdents64"]);
    strace.args(["-e", "inject=getdents64:delay_enter=600000000"]).arg(super::world::BINARY);
    strace.arg("--data-dir").arg(&world.data).args(["sync", "--quiet"]).env("HOME", world.temp.path());
    let mut strace = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_runs(&world, "number = 2 AND outcome = 'failed' AND error_class = 'timeout'", "1");
    // The thread that hangs is held by strace, and all others have gone.
    let look = || fs::read_to_string(&trace).unwrap();
    let seen = world.wait("its end", look, |seen| seen.contains("+++ exited with 1 +++"));
    assert!(seen.contains("getdents64"), "{seen}");
    strace.kill().unwrap();
    strace.wait().unwrap();
    world.config("");
    assert_eq!(world.sync(&[])["outcome"], "completed");
}
