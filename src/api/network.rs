//! The door on the network: a loopback address, closed unless it is asked for, and opened only to who has the token.
//!
//! On loopback any user of the machine can knock, and any web page in a browser there, even of another name (DNS
//! rebinding). So each request is looked at in this order, and sees no route before: to whom it is addressed (`Host`), from
//! which page it comes (`Origin`, `Sec-Fetch-Site`), and whether it has the token, which no page can know.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

use super::ApiError;
use super::answer::Failure;

/// The token's file in the data directory.
const TOKEN_FILE: &str = "api.token";
/// 256 bits, as hexadecimal digits.
const TOKEN_BYTES: usize = 32;

/// An address of this machine that only this machine reaches, with a port; 0 is any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Listen(address)),
            Ok(_) => {
                Err("only this machine may reach it: 127.0.0.1:PORT or [::1]:PORT; from elsewhere, use ssh -L"
                    .to_owned())
            }
            Err(_) => Err("must be an address with a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned()),
        }
    }
}

/// Who is let in.
#[derive(Debug)]
pub(super) struct Gate {
    /// The names under which this door is known.
    hosts: [String; 3],
    /// Of the token. Two sums are compared, not two tokens: how long that takes tells nothing of the token.
    sum: [u8; 32],
}

/// Binds the door and reads its token, or makes one. Must be called inside a runtime.
///
/// # Errors
/// When the address is taken, or the token cannot be kept private.
pub(super) fn open(listen: Listen, data_directory: &Path) -> Result<(tokio::net::TcpListener, Arc<Gate>), ApiError> {
    let failed = |source| ApiError::NoDoor { address: listen.0.to_string(), source };
    let token_file = data_directory.join(TOKEN_FILE);
    let token = token(&token_file)?;
    let listener = std::net::TcpListener::bind(listen.0).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!("listening on http://{address}; the token is in {}", token_file.display());
    Ok((listener, Arc::new(Gate::new(address.port(), &token))))
}

/// Reads the token, or makes one where there is none. A new one for all: remove the file and start the daemon anew.
fn token(path: &Path) -> Result<String, ApiError> {
    let io = |source| ApiError::Io { path: path.to_owned(), source };
    // The data directory is ours alone: between the look and the opening nobody else can put another in its place.
    match std::fs::symlink_metadata(path) {
        Ok(found) => read_token(path.to_owned(), &found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = [0; TOKEN_BYTES];
            // So few bytes come whole (getrandom(2)).
            getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|errno| io(errno.into()))?;
            let mut token = String::new();
            for byte in bytes {
                write!(token, "{byte:02x}").expect("writing to a string cannot fail");
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
            file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
            Ok(token)
        }
        Err(source) => Err(io(source)),
    }
}

fn read_token(path: PathBuf, found: &Metadata) -> Result<String, ApiError> {
    let reason = if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
        "is no file of this user's"
    } else if found.mode() & 0o077 != 0 {
        "is open to others; chmod 600 closes it, and a new one is made where it is removed"
    } else {
        let mut text = String::new();
        // Far more than a token has.
        let read = File::open(&path).and_then(|file| file.take(1024).read_to_string(&mut text));
        let token = text.trim_end();
        if read.is_ok() && token.len() == 2 * TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(token.to_owned());
        }
        "holds no token; remove it, and a new one is made"
    };
    Err(ApiError::Unsafe { path, reason: reason.to_owned() })
}

impl Gate {
    fn new(port: u16, token: &str) -> Gate {
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        Gate { hosts, sum: Sha256::digest(token).into() }
    }

    /// Returns why a request is turned away.
    fn refuse(&self, headers: &HeaderMap) -> Option<Failure> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
            (Some(host), None) if self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) => host,
            _ => return Some(Failure::new("wrong_host", "this is not the host that was asked for")),
        };
        let is_same = |origin: &HeaderValue| origin.as_bytes() == format!("http://{host}").as_bytes();
        let is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
        if !headers.get_all(header::ORIGIN).iter().all(is_same) || !headers.get_all("sec-fetch-site").iter().all(is_own)
        {
            return Some(Failure::new("forbidden", "a page of another origin may not ask here"));
        }
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let token = match (given.next(), given.next()) {
            (Some(value), None) => value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")),
            _ => None,
        };
        if token.is_none_or(|token| <[u8; 32]>::from(Sha256::digest(token)) != self.sum) {
            let hint = "send `Authorization: Bearer TOKEN`; the token is in api.token in the data directory";
            return Some(Failure::new("unauthorized", "no token, or not this engine's").hint(hint));
        }
        None
    }
}

/// Lets a request in, or answers it at the door.
pub(super) async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let Some(failure) = gate.refuse(request.headers()) else { return next.run(request).await };
    let is_for_want_of_token = failure.refusal.code == "unauthorized";
    let mut response = failure.into_response();
    if is_for_want_of_token {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_listened_on() {
        for good in ["127.0.0.1:80", "127.1.2.3:0", "[::1]:8080"] {
            assert!(good.parse::<Listen>().is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:80", "192.168.1.1:80", "[::]:80", "localhost:80", "8080", ""] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_who_names_the_host_comes_from_no_other_page_and_has_the_token_is_let_in() {
        let gate = Gate::new(8080, "abc");
        let code = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            gate.refuse(&headers).map_or("", |failure| failure.refusal.code)
        };
        const HOST: (&str, &str) = ("host", "127.0.0.1:8080");
        const TOKEN: (&str, &str) = ("authorization", "Bearer abc");
        for (expected, lines) in [
            ("", &[HOST, TOKEN][..]),
            ("", &[("host", "LocalHost:8080"), TOKEN]),
            ("", &[("host", "[::1]:8080"), TOKEN, ("origin", "http://[::1]:8080"), ("sec-fetch-site", "same-origin")]),
            ("wrong_host", &[TOKEN]),
            ("wrong_host", &[("host", "evil.example"), TOKEN]),
            ("wrong_host", &[("host", "127.0.0.1"), TOKEN]),
            ("wrong_host", &[HOST, ("host", "evil.example"), TOKEN]),
            ("forbidden", &[HOST, TOKEN, ("origin", "http://evil.example")]),
            ("forbidden", &[HOST, TOKEN, ("origin", "null")]),
            ("forbidden", &[HOST, TOKEN, ("origin", "http://127.0.0.1:9090")]),
            ("forbidden", &[HOST, TOKEN, ("sec-fetch-site", "cross-site")]),
            ("unauthorized", &[HOST]),
            ("unauthorized", &[HOST, ("authorization", "Bearer abd")]),
            ("unauthorized", &[HOST, ("authorization", "Basic abc")]),
            ("unauthorized", &[HOST, ("authorization", "abc")]),
            ("unauthorized", &[HOST, TOKEN, TOKEN]),
        ] {
            assert_eq!(code(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_token_is_made_once_private_and_another_than_any_before() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("api.token");
        let first = token(&path).unwrap();
        assert_eq!((first.len(), std::fs::metadata(&path).unwrap().mode() & 0o777), (64, 0o600));
        assert_eq!(token(&path).unwrap(), first);
        std::fs::remove_file(&path).unwrap();
        assert_ne!(token(&path).unwrap(), first);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(token(&path), Err(ApiError::Unsafe { .. })));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(temp.path().join("other"), &first).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        assert!(token(&path).is_err(), "a link is not followed");
    }
}
