//! Where things live: data directory, config, index.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::args::Globals;
use super::exit::{CliError, Result};
use crate::api;
use crate::config::Config;
use crate::index::Reader;

/// The places of one call.
#[derive(Clone, Debug)]
pub struct Places {
    /// As given; may not exist yet.
    data_directory: PathBuf,
    pub config_file: PathBuf,
    socket: Option<PathBuf>,
    log_file: Option<PathBuf>,
    /// Which of the first three are not where everyone looks for them, by an option or the environment.
    given: [bool; 3],
}

impl Places {
    /// Finds the places: option, else environment, else XDG, else below the home directory.
    pub fn find(globals: &Globals) -> Result<Places> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let below_home = |variable: &str, rest: &str| -> Result<PathBuf> {
            let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
            if let Some(base) = set(variable).and_then(absolute) {
                return Ok(base);
            }
            let home = set("HOME").ok_or_else(|| CliError::Usage("HOME is not set; give --data-dir".to_owned()))?;
            Ok(PathBuf::from(home).join(rest))
        };
        let data_directory = match &globals.data_dir {
            Some(given) => given.clone(),
            None => below_home("XDG_DATA_HOME", ".local/share")?.join("watchkeeper"),
        };
        let config_file = match &globals.config {
            Some(given) => given.clone(),
            None => below_home("XDG_CONFIG_HOME", ".config")?.join("watchkeeper/config.toml"),
        };
        let socket = globals.socket.as_deref().map(std::path::absolute).transpose()?;
        let log_file = globals.log_file.as_deref().map(std::path::absolute).transpose()?;
        let (data_directory, config_file) = (std::path::absolute(data_directory)?, std::path::absolute(config_file)?);
        let home = set("HOME").map(PathBuf::from).unwrap_or_default();
        let is_elsewhere = |path: &Path, rest: &str| *path != home.join(rest);
        let given = [
            is_elsewhere(&data_directory, ".local/share/watchkeeper"),
            is_elsewhere(&config_file, ".config/watchkeeper/config.toml"),
            socket.is_some(),
        ];
        Ok(Places { data_directory, config_file, socket, log_file, given })
    }

    /// Returns the options that a call in another environment needs to find the same places.
    pub fn given_arguments(&self) -> Result<Vec<OsString>> {
        let all = self.arguments()?;
        let named = all.chunks(2).zip(self.given).filter(|(_, is_given)| *is_given);
        let log = self.log_file.iter().flat_map(|file| ["--log-file".into(), file.clone().into()]);
        Ok(named.flat_map(|(option, _)| option.to_vec()).chain(log).collect())
    }

    /// Returns the options by which another call of this program finds the same places.
    pub fn arguments(&self) -> Result<Vec<OsString>> {
        let mut arguments: Vec<OsString> = vec!["--data-dir".into(), self.make_data_directory()?.into()];
        arguments.extend(["--config".into(), self.config_file.clone().into()]);
        arguments.extend(self.socket.iter().flat_map(|socket| ["--socket".into(), socket.clone().into()]));
        Ok(arguments)
    }

    /// Returns the file that the log was asked to go to.
    pub fn log_file(&self) -> Option<&Path> {
        self.log_file.as_deref()
    }

    /// Returns where the log goes when a screen is up.
    pub fn screen_log(&self) -> Result<PathBuf> {
        match &self.log_file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.make_data_directory()?.join("watchkeeper.log")),
        }
    }

    /// Reads the config; a wrong one stops everything.
    pub fn config(&self) -> Result<Config> {
        Config::load(&self.config_file).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// Returns the data directory without links in its path, made (0700) if it is not there.
    pub fn make_data_directory(&self) -> Result<PathBuf> {
        let fail = |error: std::io::Error| {
            CliError::failed(format!("data directory {}: {error}", self.data_directory.display()))
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.data_directory).map_err(fail)?;
        let path = std::fs::canonicalize(&self.data_directory).map_err(fail)?;
        let found = std::fs::metadata(&path).map_err(fail)?;
        let owner = found.uid();
        let us = rustix::process::geteuid().as_raw();
        if owner != us {
            return Err(CliError::failed(format!(
                "data directory {} belongs to user {owner} and this is user {us}; choose another --data-dir",
                path.display()
            )));
        }
        // Made by hand for us: nobody has anything in it that this could keep him from.
        if found.mode() & 0o077 != 0 && std::fs::read_dir(&path).map_err(fail)?.next().is_none() {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).map_err(fail)?;
        } else if found.mode() & 0o022 != 0 {
            // Whoever can put an index there says what we believe of the trees.
            return Err(CliError::Failed {
                message: format!(
                    "data directory {}: others can write to it (mode {:04o})",
                    path.display(),
                    found.mode() & 0o7777
                ),
                hint: Some("chmod 700 closes it".to_owned()),
            });
        }
        Ok(path)
    }

    /// Returns the data directory if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be looked at.
    pub fn data_directory(&self) -> Result<Option<PathBuf>> {
        let fail = |error: std::io::Error| {
            CliError::failed(format!("data directory {}: {error}", self.data_directory.display()))
        };
        match std::fs::canonicalize(&self.data_directory) {
            Ok(path) if path.is_dir() => {
                // Searching it is what reading the index takes.
                std::fs::symlink_metadata(path.join(".")).map_err(fail)?;
                Ok(Some(path))
            }
            Ok(_) => Err(fail(std::io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fail(error)),
        }
    }

    /// Returns where the engine of a data directory is reached.
    ///
    /// # Errors
    /// When a socket cannot have that path, and there is no other place.
    pub fn socket(&self, data_directory: &Path) -> Result<PathBuf> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        Ok(api::socket_path(data_directory, runtime.as_deref())?)
    }

    /// Opens the index for reading; `None` when there is none yet.
    pub fn reader(&self) -> Result<Option<Reader>> {
        let Some(directory) = self.data_directory()? else { return Ok(None) };
        Ok(crate::engine::open_index(&directory)?)
    }

    /// Opens the index for reading.
    ///
    /// # Errors
    /// When there is none yet, with what to do.
    pub fn existing_reader(&self) -> Result<Reader> {
        self.reader()?.ok_or_else(|| CliError::Failed {
            message: "there is no index yet".to_owned(),
            hint: Some("add a directory: watchkeeper repo add PATH".to_owned()),
        })
    }

    /// Returns the data directory if an engine has it now.
    pub fn engine_directory(&self) -> Option<PathBuf> {
        self.data_directory().ok().flatten().filter(|directory| crate::engine::is_running(directory))
    }
}
