//! The conversation with sign-in services over HTTP/1.1, which refreshes and sign-ins have in common.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::error::AuthError;
use crate::refresh::{Failure, HttpRefresherOptions, Refusal, pause_after};

/// Asks sign-in services, of which it believes only those that its options allow.
#[derive(Debug)]
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    options: HttpRefresherOptions,
    user_agent: HeaderValue,
}

/// The second half of a conversation with a sign-in service.
pub(crate) type Reply<T> = fn(StatusCode, &HeaderMap, &[u8]) -> Result<T, Refusal>;

/// An answer of about three kilobytes is a long one.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// How long a connection may take before the other address or the next try gets its chance.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl HttpClient {
    /// A client that trusts whom `tls` trusts. Its ALPN protocols are not used.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the endpoint is not an absolute URL,
    /// or is plain `http` and not loopback, or when the user agent cannot be a header.
    pub(crate) fn new(
        mut tls: rustls::ClientConfig,
        options: HttpRefresherOptions,
    ) -> Result<Self, AuthError> {
        if let Some(endpoint) = &options.auth_endpoint {
            check_transport(endpoint)?;
        }
        let user_agent = HeaderValue::from_str(&options.user_agent).map_err(|error| {
            AuthError::misconfigured("the user agent cannot be a header").with_source(error)
        })?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // The connector sets them itself and insists on being the only one who does.
        tls.alpn_protocols.clear();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            options,
            user_agent,
        })
    }

    /// Asks, up to three times if that may help.
    pub(crate) async fn ask<T>(
        &self,
        request: &Request<Bytes>,
        reply: Reply<T>,
    ) -> Result<T, Failure> {
        let mut tries = 0;
        loop {
            let failure = match self.ask_once(request).await {
                Ok((status, headers, body)) => match reply(status, &headers, &body) {
                    Ok(answer) => return Ok(answer),
                    Err(refusal) => Failure::Refused(refusal),
                },
                Err(error) => Failure::Unreachable(error),
            };
            tries += 1;
            let Some(pause) = pause_after(&failure, tries) else {
                return Err(failure);
            };
            tracing::debug!(?failure, ?pause, "sign-in service will be asked again");
            tokio::time::sleep(pause).await;
        }
    }

    /// As [`ask`](Self::ask), for a host that a stranger may have named.
    pub(crate) async fn ask_idp<T>(
        &self,
        request: &Request<Bytes>,
        reply: Reply<T>,
    ) -> Result<T, Failure> {
        self.check_idp(request.uri())?;
        self.ask(request, reply).await
    }

    /// Asks a single time.
    pub(crate) async fn ask_once(
        &self,
        request: &Request<Bytes>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), AuthError> {
        let mut request = request.clone();
        *request.uri_mut() = self.place(request.uri())?;
        request
            .headers_mut()
            .insert(USER_AGENT, self.user_agent.clone());
        let host = request.uri().host().unwrap_or_default().to_owned();
        let failed = |what: &str| AuthError::transient(format!("{what} the sign-in host {host}"));
        let exchange = async {
            let response = self.client.request(request.map(Full::new)).await;
            let (head, body) = response
                .map_err(|error| failed("cannot reach").with_source(error))?
                .into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            let body =
                body.map_err(|error| failed("cannot read the answer of").with_boxed(error))?;
            Ok((head.status, head.headers, body.to_bytes()))
        };
        match tokio::time::timeout(self.options.timeout, exchange).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(failed("no answer in time from").with_source(elapsed)),
        }
    }

    /// Where something is to be asked for: at the endpoint of the options if there is one, and nowhere in
    /// the clear.
    pub(crate) fn place(&self, uri: &Uri) -> Result<Uri, AuthError> {
        let uri = match &self.options.auth_endpoint {
            Some(endpoint) => moved_to(endpoint, uri)?,
            None => uri.clone(),
        };
        check_transport(&uri)?;
        Ok(uri)
    }

    /// Whether a host is one of the identity providers that are believed.
    pub(crate) fn check_idp(&self, uri: &Uri) -> Result<(), AuthError> {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let is_under = |domain: &String| {
            host.strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if self.options.auth_endpoint.is_none() && !self.options.idp_hosts.iter().any(is_under) {
            return Err(AuthError::misconfigured(format!(
                "the host {host:?} is not among the identity providers that are allowed"
            )));
        }
        Ok(())
    }
}

/// Tokens travel encrypted, except to this machine.
fn check_transport(uri: &Uri) -> Result<(), AuthError> {
    let host = uri.host().unwrap_or_default();
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => Ok(()),
        Some(scheme) if *scheme == Scheme::HTTP && is_loopback(host) => Ok(()),
        Some(scheme) if *scheme == Scheme::HTTP => Err(AuthError::misconfigured(format!(
            "plain http is allowed for loopback addresses only, not for {host:?}"
        ))),
        _ => Err(AuthError::misconfigured(
            "the sign-in endpoint is not a complete https URL",
        )),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The same path on another base.
fn moved_to(base: &Uri, uri: &Uri) -> Result<Uri, AuthError> {
    let prefix = base.path().trim_end_matches('/');
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = base.authority().map_or("", Authority::as_str);
    let scheme = base.scheme_str().unwrap_or_default();
    format!("{scheme}://{authority}{prefix}{path}")
        .parse()
        .map_err(|error: http::uri::InvalidUri| {
            AuthError::misconfigured("the sign-in endpoint is not a URL").with_source(error)
        })
}
