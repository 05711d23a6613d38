//! One unit of systemd: its text, where it lies, and what its manager says of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::call;
use crate::cli::exit::{CliError, Result};

const OWN: &str = include_str!("../../../assets/systemd/watchkeeper.service");
const TEMPLATE: &str = include_str!("../../../assets/systemd/watchkeeper@.service");
/// By which our units are known.
const OURS: &str = "Description=watchkeeper keeps an index true to";
/// What stands in both, and is replaced by this program and its options.
const COMMAND: &str = "/usr/local/bin/watchkeeper daemon";

/// Whose unit.
#[derive(Debug)]
pub enum Unit {
    /// This person's own.
    Own,
    /// The machine's, that runs as this person.
    System { person: String },
}

impl Unit {
    /// # Errors
    /// When there is no such person.
    pub fn new(system: Option<String>) -> Result<Unit> {
        let Some(person) = system else { return Ok(Unit::Own) };
        // Also what systemd takes for a part of a unit's name.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if person.is_empty() || person.starts_with('-') || !person.bytes().all(is_plain) {
            return Err(CliError::Usage(format!("{person:?} is no name of a user")));
        }
        call("id", &["-u", &person])?;
        Ok(Unit::System { person })
    }

    pub fn is_system(&self) -> bool {
        matches!(self, Unit::System { .. })
    }

    pub fn name(&self) -> String {
        match self {
            Unit::Own => "watchkeeper.service".to_owned(),
            Unit::System { person } => format!("watchkeeper@{person}.service"),
        }
    }

    /// Returns the command that shows its log.
    pub fn journal(&self) -> String {
        match self {
            Unit::Own => "journalctl --user -u watchkeeper -f".to_owned(),
            Unit::System { person } => format!("journalctl -u watchkeeper@{person} -f"),
        }
    }

    /// Returns where it is written to.
    pub fn file(&self) -> Result<PathBuf> {
        match self {
            Unit::Own => Ok(own_directory()?.join("watchkeeper.service")),
            Unit::System { .. } => Ok(PathBuf::from("/etc/systemd/system/watchkeeper@.service")),
        }
    }

    /// Returns where a package has put it.
    pub fn packaged(&self) -> &'static Path {
        Path::new(match self {
            Unit::Own => "/usr/lib/systemd/user/watchkeeper.service",
            Unit::System { .. } => "/usr/lib/systemd/system/watchkeeper@.service",
        })
    }

    /// Tells whether it is enabled and has the places where everyone looks, by what lies on the disk.
    pub fn is_enabled_here(&self) -> bool {
        let wanted = |directory: PathBuf| directory.join("default.target.wants/watchkeeper.service");
        let text = own_directory().and_then(|directory| Ok(std::fs::read_to_string(wanted(directory))?));
        let is_plain = |line: &str| line.starts_with("ExecStart=") && line.ends_with(" daemon");
        !self.is_system() && text.is_ok_and(|text| text.lines().any(is_plain))
    }

    /// Returns the text of the unit, with this program and these options.
    ///
    /// # Errors
    /// When this program cannot be found, or the machine's unit would get options: all its instances are of one text.
    pub fn text(&self, options: &[OsString]) -> Result<String> {
        let template = match self {
            Unit::Own => OWN,
            Unit::System { .. } if options.is_empty() => TEMPLATE,
            Unit::System { .. } => {
                return Err(CliError::Usage(
                    "--data-dir, --config and --socket do not go with --system: `systemctl edit` adds them".to_owned(),
                ));
            }
        };
        let program = std::env::current_exe().map_err(|error| CliError::failed(format!("this program: {error}")))?;
        let mut command = vec![quoted(program.as_os_str())?, "daemon".to_owned()];
        for option in options {
            command.push(quoted(option)?);
        }
        Ok(template.replace(COMMAND, &command.join(" ")))
    }

    /// Looks whether the manager can be reached, before anything is changed.
    ///
    /// # Errors
    /// When it cannot, or only root may.
    pub fn check_manager(&self) -> Result<()> {
        if self.is_system() && !rustix::process::geteuid().is_root() {
            return Err(CliError::Failed {
                message: "a service of the machine is root's to change".to_owned(),
                hint: Some("run it with sudo; or leave --system out for a service of your own".to_owned()),
            });
        }
        self.systemctl(&["show-environment"]).map(drop).map_err(|error| match error {
            CliError::Failed { message, hint: None } => CliError::Failed {
                message: format!("the manager of your services cannot be reached: {message}"),
                hint: Some("log in as this user, not by su or sudo; or `loginctl enable-linger` first".to_owned()),
            },
            other => other,
        })
    }

    /// Asks its manager.
    ///
    /// # Errors
    /// When that is not there, or refuses.
    pub fn systemctl(&self, arguments: &[&str]) -> Result<String> {
        let scope: &[&str] = if self.is_system() { &[] } else { &["--user"] };
        call("systemctl", &[scope, arguments].concat())
    }

    /// Returns a property of it.
    pub fn property(&self, name: &str) -> Result<String> {
        self.systemctl(&["show", "--value", "--property", name, &self.name()])
    }

    /// Tells whether it goes on after the person's last log-out; `None` where nobody can say it.
    pub fn stays_after_logout(&self) -> Option<bool> {
        if self.is_system() {
            return Some(true);
        }
        let user = rustix::process::geteuid().as_raw().to_string();
        let lingers = call("loginctl", &["show-user", &user, "--value", "--property", "Linger"]).ok()?;
        match lingers.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    /// Returns the person at whose last log-out it ends; `None` when it stays, or nobody knows.
    pub fn ends_with_login(&self) -> Option<String> {
        let user = || rustix::process::geteuid().as_raw().to_string();
        (self.stays_after_logout() == Some(false)).then(|| std::env::var("USER").unwrap_or_else(|_| user()))
    }

    /// Refuses what lies where the unit is to lie and is not ours: a mask, a link, a unit of the person's own.
    ///
    /// # Errors
    /// When there is such a thing.
    pub fn check_ours(&self, file: &Path) -> Result<()> {
        let Ok(found) = file.symlink_metadata() else { return Ok(()) };
        let is_ours = || std::fs::read_to_string(file).is_ok_and(|text| text.contains(OURS));
        if found.is_file() && is_ours() {
            return Ok(());
        }
        Err(CliError::Failed {
            message: format!("{}: not written by watchkeeper", file.display()),
            hint: Some("a link, a mask or a unit of your own is left as it is: move it away first".to_owned()),
        })
    }

    /// Looks whether the machine's unit fits its person: it may write below this home only.
    ///
    /// # Errors
    /// When the home is elsewhere, or there is no data directory yet.
    pub fn check_home(&self) -> Result<()> {
        let Unit::System { person } = self else { return Ok(()) };
        let entry = call("getent", &["passwd", person])?;
        let home = entry.split(':').nth(5).unwrap_or_default().to_owned();
        if home != format!("/home/{person}") {
            return Err(CliError::Failed {
                message: format!("the home of {person} is {home}, and the unit is for homes in /home"),
                hint: Some(
                    "the head of assets/systemd/watchkeeper@.service says what to change for another".to_owned(),
                ),
            });
        }
        let data = Path::new(&home).join(".local/share/watchkeeper");
        if !data.is_dir() {
            return Err(CliError::Failed {
                message: format!("{} is not there, and the unit may not make it", data.display()),
                hint: Some(format!("as {person}: `watchkeeper repo add DIR`")),
            });
        }
        Ok(())
    }
}

/// Returns where a person's units lie.
fn own_directory() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("systemd/user")).ok_or_else(|| CliError::Usage("HOME is not set".to_owned()))
}

/// Writes a word as systemd reads it back.
fn quoted(word: &std::ffi::OsStr) -> Result<String> {
    let text = std::str::from_utf8(word.as_bytes()).ok().filter(|text| !text.contains(char::is_control));
    let text =
        text.ok_or_else(|| CliError::failed(format!("{}: a unit cannot name this path", Path::new(word).display())))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:@,".contains(&byte);
    if text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_holds_is_read_back_by_systemd_as_it_is() {
        let as_word = |text: &str| quoted(text.as_ref()).ok();
        assert_eq!(as_word("/srv/a-b/c.d").as_deref(), Some("/srv/a-b/c.d"));
        assert_eq!(as_word("/my data/100%$x\"\\").as_deref(), Some(r#""/my data/100%%$$x\"\\""#));
        assert_eq!(as_word("/a\nExecStartPre=evil"), None);
    }

    #[test]
    fn both_units_name_the_program_that_is_replaced() {
        for unit in [Unit::Own, Unit::System { person: "me".to_owned() }] {
            let text = unit.text(&[]).unwrap();
            let program = std::env::current_exe().unwrap();
            assert!(text.contains(&format!("ExecStart={} daemon\n", program.display())), "{text}");
        }
        assert!(
            Unit::Own
                .text(&["--data-dir".into(), "/my data".into()])
                .unwrap()
                .contains("daemon --data-dir \"/my data\"\n")
        );
        assert!(Unit::System { person: "me".to_owned() }.text(&["--data-dir".into()]).is_err());
    }

    #[test]
    fn who_cannot_be_a_person_is_refused_before_anyone_is_asked() {
        for name in ["", "-x", "a b", "a/../b", "a\n"] {
            assert!(matches!(Unit::new(Some(name.to_owned())), Err(CliError::Usage(_))), "{name:?}");
        }
    }
}
