//! The port of this machine that a browser comes back to.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::error::AuthError;
use crate::sign_in::{CALLBACK_PATH, Callback, Pkce, SignInError};

/// Listens on 127.0.0.1, never elsewhere, and answers one connection at a time.
#[derive(Debug)]
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// The other path that the portal sends browsers to.
const PORTAL_CALLBACK_PATH: &str = "/signin/callback";

/// A callback carries a code of some kilobytes, and browsers add cookies of other programs on this machine.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A browser on the same machine sends at once. Browsers also open connections ahead of need and send
/// nothing; those must not keep the one waiting that carries the code.
const PATIENCE: Duration = Duration::from_secs(2);

impl Loopback {
    /// Any free port, for services that let the client name one.
    pub(super) async fn on_any_port() -> Result<Self, SignInError> {
        Self::on(0).await.map_err(|_| SignInError::NoPort)
    }

    /// The first of these ports that is free.
    pub(super) async fn on_first_free(ports: &[u16]) -> Option<Self> {
        for port in ports {
            match Self::on(*port).await {
                Ok(loopback) => return Some(loopback),
                Err(error) => tracing::debug!(port, %error, "port cannot be listened to"),
            }
        }
        None
    }

    async fn on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the browser comes back with the right state, and shows it a page. Requests for anything
    /// else, and those with another state, are answered and forgotten: any page that the browser shows can
    /// send such requests.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point; what has been received by then is forgotten.
    pub(super) async fn callback(&self, pkce: &Pkce) -> Result<Callback, SignInError> {
        loop {
            let stream = self.accept().await?;
            if let Ok(Some(came_back)) = timeout(PATIENCE, answer(stream, pkce)).await {
                return came_back;
            }
        }
    }

    async fn accept(&self) -> Result<TcpStream, SignInError> {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Ok(stream),
                // The one that connected has left already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    let what = "cannot listen for the browser any more";
                    return Err(AuthError::transient(what).with_source(error).into());
                }
            }
        }
    }
}

/// Answers one request. `None` when it was about something else.
async fn answer(mut stream: TcpStream, pkce: &Pkce) -> Option<Result<Callback, SignInError>> {
    let head = read_head(&mut stream).await?;
    let came_back = callback_of(&head).map(|address| Callback::read(address, pkce));
    let page = match &came_back {
        None => Page::NOT_FOUND,
        Some(Ok(_)) => Page::WELCOME,
        Some(Err(SignInError::WrongState)) => Page::WRONG,
        Some(Err(_)) => Page::REFUSED,
    };
    // Whether the browser still reads it makes no difference to the sign-in.
    let _ = stream.write_all(page.response().as_bytes()).await;
    let _ = stream.shutdown().await;
    came_back.filter(|came_back| !matches!(came_back, Err(SignInError::WrongState)))
}

/// The head of a request, to its end: a connection that is closed with something unread resets, and the
/// browser would show that instead of the page.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let n = stream.read(&mut buffer).await.ok()?;
        if n == 0 || head.len() + n > MAX_HEAD_BYTES {
            return None;
        }
        head.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(head).ok()
}

/// The target of a `GET` for one of the callback's paths.
fn callback_of(head: &str) -> Option<&str> {
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split('?').next()?;
    let is_callback = method == "GET" && matches!(path, CALLBACK_PATH | PORTAL_CALLBACK_PATH);
    is_callback.then_some(target)
}

/// What the browser shows at the end. Nothing of the request is in it.
struct Page {
    status: &'static str,
    text: &'static str,
}

impl Page {
    const WELCOME: Self = Self {
        status: "200 OK",
        text: "You have come back. The sign-in goes on in the program that asked for it; this window can \
               be closed.",
    };
    const REFUSED: Self = Self {
        status: "200 OK",
        text: "The sign-in was not granted. The program that asked for it says more; this window can be \
               closed.",
    };
    const WRONG: Self = Self {
        status: "400 Bad Request",
        text: "This belongs to another sign-in. Please use the window that the latest one has opened.",
    };
    const NOT_FOUND: Self = Self {
        status: "404 Not Found",
        text: "There is nothing here.",
    };

    /// The address holds the code, so it goes into no cache and to no other site.
    fn response(&self) -> String {
        let Self { status, text } = self;
        let body = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in</title><p>{text}</p>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
             content-security-policy: default-src 'none'\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_a_callback_is_one() {
        let table = [
            (
                "GET /oauth/callback?code=C HTTP/1.1\r\nhost: x\r\n\r\n",
                true,
            ),
            ("GET /signin/callback?code=C HTTP/1.1\r\n\r\n", true),
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", false),
            ("GET /oauth/callback/x HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nx: /oauth/callback\r\n\r\n", false),
            ("POST /oauth/callback?code=C HTTP/1.1\r\n\r\n", false),
            ("HEAD /oauth/callback?code=C HTTP/1.1\r\n\r\n", false),
            ("GET\r\n\r\n", false),
            ("\r\n\r\n", false),
        ];
        for (head, expected) in table {
            assert_eq!(callback_of(head).is_some(), expected, "{head:?}");
        }
    }
}
