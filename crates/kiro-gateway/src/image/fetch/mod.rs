//! Fetching a picture that a stranger names, from the public internet and nowhere else.
//!
//! A name is resolved here, its addresses are checked, and one of those very addresses is connected to;
//! so a name that means something else a moment later gains nothing. Every redirect starts over.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kiro_protocol::conversation::Image;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::ImageOptions;
use super::address::is_public;
use crate::body::DynError;

/// For a connection to one address; then the next one has its turn.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest head of a response.
const MAX_HEAD: usize = 64 << 10;

/// Finds the addresses of a name.
type Resolve = Box<dyn Fn(String) -> Resolving + Send + Sync>;
type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Fetches pictures.
pub(super) struct Fetcher {
    options: ImageOptions,
    tls: TlsConnector,
    user_agent: Option<HeaderValue>,
    resolve: Resolve,
    permits: Semaphore,
}

/// Why a picture was not fetched, in words for the caller.
///
/// That a name does not exist and that it is a private one are the same to a stranger, who could find out
/// the names of our network otherwise.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the URL is not a valid http(s) URL")]
    Url,
    #[error("the URL holds a user name or a password")]
    Credentials,
    #[error("the URL names port {0}, which is not allowed")]
    Port(u16),
    #[error("the host of the URL has no public address")]
    NotPublic,
    #[error("the host of the URL cannot be reached")]
    Unreachable(#[source] DynError),
    #[error("fetching the URL took longer than {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("the URL leads to more than {0} redirects")]
    Redirects(usize),
    #[error("the URL was answered with status {0}")]
    Status(u16),
    #[error("the image at the URL is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the images at the URLs of the request are larger than {0} bytes together")]
    TooMuch(usize),
    #[error("what the URL leads to is neither PNG, JPEG, GIF nor WebP")]
    NotAnImage,
    #[error("the answer to the URL broke off")]
    Broken(#[source] DynError),
    #[error("too many images are being fetched")]
    Busy,
}

impl FetchError {
    /// What the caller can do.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Url | Self::NotPublic => "Check the URL, or send the image as a base64 data URL.",
            Self::TooLarge(_) => "Send a smaller image.",
            Self::TooMuch(_) => "Send fewer or smaller images.",
            Self::NotAnImage => "Send the URL of the image itself, not of a page that shows it.",
            Self::Timeout(_) | Self::Unreachable(_) | Self::Broken(_) => {
                "Try again, or send the image as a base64 data URL."
            }
            _ => "Send the image as a base64 data URL.",
        }
    }
}

/// Bytes that may still be fetched for one request.
#[derive(Debug)]
pub(super) struct Budget(AtomicUsize);

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let order = Ordering::Relaxed;
        let left = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(order, order, left).is_ok()
    }
}

/// A URL that may be asked, so far.
#[derive(Debug)]
struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

/// What a server answered.
#[derive(Debug)]
enum Answer {
    Bytes(Vec<u8>),
    Elsewhere(String),
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// With the resolver of the system.
    pub(super) fn new(options: ImageOptions, tls: rustls::ClientConfig, user_agent: &str) -> Self {
        let resolve: Resolve = Box::new(|host| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        Self::with_resolver(options, tls, user_agent, resolve)
    }

    fn with_resolver(
        options: ImageOptions,
        tls: rustls::ClientConfig,
        user_agent: &str,
        resolve: Resolve,
    ) -> Self {
        Self {
            permits: Semaphore::new(options.max_fetches),
            options,
            tls: TlsConnector::from(Arc::new(tls)),
            user_agent: HeaderValue::from_str(user_agent).ok(),
            resolve,
        }
    }

    /// What may be fetched for one request.
    pub(super) fn budget(&self) -> Budget {
        Budget(AtomicUsize::new(self.options.max_total_bytes))
    }

    /// Fetches one picture. No credential, cookie or header of the caller goes along.
    pub(super) async fn fetch(&self, url: &str, left: &Budget) -> Result<Image, FetchError> {
        let limit = self.options.timeout;
        let permit = tokio::time::timeout(limit, self.permits.acquire()).await;
        // The semaphore is never closed, so there is no permit only when the time is over.
        let Ok(Ok(_permit)) = permit else {
            return Err(FetchError::Busy);
        };
        let fetched = tokio::time::timeout(limit, self.follow(url, left)).await;
        let bytes = fetched.unwrap_or(Err(FetchError::Timeout(limit)))?;
        Image::from_bytes(&bytes).map_err(|_| FetchError::NotAnImage)
    }

    async fn follow(&self, url: &str, left: &Budget) -> Result<Vec<u8>, FetchError> {
        let mut target = self.target(url)?;
        for _ in 0..=self.options.max_redirects {
            match self.ask(&target, left).await? {
                Answer::Bytes(bytes) => return Ok(bytes),
                Answer::Elsewhere(location) => {
                    target = self.target(&join(&target.uri, &location))?;
                }
            }
        }
        Err(FetchError::Redirects(self.options.max_redirects))
    }

    /// Checks what can be checked of a URL without asking anyone.
    fn target(&self, url: &str) -> Result<Target, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(FetchError::Url);
        };
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(FetchError::Url),
        };
        if authority.as_str().contains('@') {
            return Err(FetchError::Credentials);
        }
        let port = match authority.port_u16() {
            Some(port) => port,
            // After the host is something that is no port, such as 99999.
            None if authority.as_str() != authority.host() => return Err(FetchError::Url),
            None if tls => 443,
            None => 80,
        };
        if !self.options.ports.contains(&port) {
            return Err(FetchError::Port(port));
        }
        let host = match authority.host().strip_prefix('[') {
            None => authority.host(),
            Some(host) => {
                let host = host.trim_end_matches(']');
                // In brackets is an address and nothing that may be looked up, such as one with a zone.
                host.parse::<Ipv6Addr>().map_err(|_| FetchError::Url)?;
                host
            }
        };
        if host.is_empty() {
            return Err(FetchError::Url);
        }
        let host = host.to_owned();
        Ok(Target {
            uri,
            host,
            port,
            tls,
        })
    }

    async fn ask(&self, target: &Target, left: &Budget) -> Result<Answer, FetchError> {
        let addresses = self.addresses(&target.host).await?;
        let tcp = connect(&addresses, target.port).await?;
        if !target.tls {
            return self.exchange(tcp, target, left).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| FetchError::Url)?;
        let tls = self.tls.connect(name, tcp).await;
        let tls = tls.map_err(|error| FetchError::Unreachable(error.into()))?;
        self.exchange(tls, target, left).await
    }

    /// The addresses of a host that may be connected to. There is at least one.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => (self.resolve)(host.to_owned())
                .await
                .map_err(|_| FetchError::NotPublic)?,
        };
        let allowed: Vec<_> = found
            .into_iter()
            .filter(|address| is_public(*address) || self.options.allow_private.contains(address))
            .collect();
        match allowed.is_empty() {
            true => Err(FetchError::NotPublic),
            false => Ok(allowed),
        }
    }

    async fn exchange<S>(
        &self,
        stream: S,
        target: &Target,
        left: &Budget,
    ) -> Result<Answer, FetchError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| FetchError::Broken(error.into());
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = self.request(target)?;
        let mut asking = pin!(async move {
            let response = sender.send_request(request).await.map_err(broken)?;
            self.read(response, left).await
        });
        let mut connection = pin!(connection);
        let mut is_open = true;
        poll_fn(|cx| {
            // The connection may end before the last of the answer is read; its error, if it has one, is
            // told to the reader as well.
            if is_open && connection.as_mut().poll(cx).is_ready() {
                is_open = false;
            }
            match asking.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending if is_open => {
                    // What was just asked for may be there already.
                    is_open = connection.as_mut().poll(cx).is_pending();
                    asking.as_mut().poll(cx)
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, FetchError> {
        let path = target
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let authority = target.uri.authority().map_or("", |host| host.as_str());
        let mut request = Request::get(path)
            .header(header::HOST, authority)
            .header(
                header::ACCEPT,
                "image/png, image/jpeg, image/gif, image/webp",
            )
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::CONNECTION, "close")
            .body(Empty::new())
            .map_err(|_| FetchError::Url)?;
        if let Some(user_agent) = &self.user_agent {
            let headers = request.headers_mut();
            headers.insert(header::USER_AGENT, user_agent.clone());
        }
        Ok(request)
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        left: &Budget,
    ) -> Result<Answer, FetchError> {
        let status = response.status();
        if status.is_redirection() {
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let location = location.ok_or(FetchError::Status(status.as_u16()))?;
            return Ok(Answer::Elsewhere(location.to_owned()));
        }
        if status != http::StatusCode::OK {
            return Err(FetchError::Status(status.as_u16()));
        }
        let limit = self.options.max_bytes;
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| FetchError::Broken(error.into()))?;
            let data = frame.into_data().unwrap_or_default();
            if data.len() > limit - bytes.len() {
                return Err(FetchError::TooLarge(limit));
            }
            if !left.take(data.len()) {
                return Err(FetchError::TooMuch(self.options.max_total_bytes));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Answer::Bytes(bytes))
    }
}

async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, FetchError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let connecting = TcpStream::connect(SocketAddr::new(*address, port));
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(FetchError::Unreachable(last.into()))
}

/// Where a redirect leads. What is no URL then is refused like any other.
fn join(base: &Uri, location: &str) -> String {
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let path = base.path();
    if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else if has_scheme(location) {
        location.to_owned()
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

fn has_scheme(location: &str) -> bool {
    let scheme = location.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.contains(':')
}
