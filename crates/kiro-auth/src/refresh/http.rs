//! Refreshing over HTTP, with hyper.

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

use super::retry::{Failure, pause_after};
use super::{Refreshed, Refresher, Refusal, external, oidc, social};
use crate::BoxFuture;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::login::Login;

/// Refreshes credentials of every kind over HTTP/1.1.
///
/// Throttling, failures of the service and of the network are tried again after 1 s and 2 s, three tries
/// in all. Plain `http` is spoken with loopback addresses only.
#[derive(Debug)]
pub struct HttpRefresher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    options: HttpRefresherOptions,
    user_agent: HeaderValue,
}

/// How an [`HttpRefresher`] behaves.
///
/// ```
/// use kiro_auth::HttpRefresherOptions;
///
/// let mut options = HttpRefresherOptions::default();
/// options.user_agent = "my-service/1.0".to_owned();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpRefresherOptions {
    /// Replaces scheme, host and port of *all* sign-in services; a path is put in front of theirs. For
    /// simulators and for proxies that terminate TLS. Default: none.
    pub auth_endpoint: Option<Uri>,
    /// The `user-agent` header. Default: this crate and its version.
    pub user_agent: String,
    /// How long one try may take from connecting to the end of the answer. Default: 15 seconds; the
    /// services answer within one.
    pub timeout: Duration,
    /// The domains whose hosts are believed to be identity providers. A credential names its own token
    /// endpoint, and may have been handed to us by a stranger. Default: [`DEFAULT_IDP_HOSTS`]. A domain
    /// stands for itself and everything under it.
    pub idp_hosts: Vec<String>,
}

/// The public domains of well-known identity providers. Organisations with a domain of their own must
/// name it in [`HttpRefresherOptions::idp_hosts`].
pub const DEFAULT_IDP_HOSTS: [&str; 9] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "okta.com",
    "okta-emea.com",
    "oktapreview.com",
    "auth0.com",
    "onelogin.com",
    "pingone.com",
    "jumpcloud.com",
];

/// An answer has about three kilobytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// How long a connection may take before the other address or the next try gets its chance.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Default for HttpRefresherOptions {
    fn default() -> Self {
        Self {
            auth_endpoint: None,
            user_agent: concat!("kiro-auth/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: Duration::from_secs(15),
            idp_hosts: DEFAULT_IDP_HOSTS.map(str::to_owned).to_vec(),
        }
    }
}

impl HttpRefresher {
    /// A refresher that trusts whom `tls` trusts. Its ALPN protocols are not used.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the endpoint is not an absolute URL,
    /// or is plain `http` and not loopback, or when the user agent cannot be a header.
    pub fn new(
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

    async fn refresh_with_retries(&self, credential: &Credential) -> Result<Refreshed, AuthError> {
        match credential.login {
            Login::Social => self.ask(&social::request(credential)?, social::reply).await,
            Login::BuilderId | Login::IdentityCenter => {
                self.ask(&oidc::request(credential)?, oidc::reply).await
            }
            Login::ExternalIdp => self.refresh_external(credential).await,
            Login::ApiKey => Err(AuthError::signed_out("an API key cannot be refreshed")),
        }
    }

    async fn refresh_external(&self, credential: &Credential) -> Result<Refreshed, AuthError> {
        if credential.token_endpoint.is_some() {
            return self
                .ask_idp(&external::request(credential)?, external::reply)
                .await;
        }
        let discovery = external::discovery_request(credential)?;
        let endpoint = self.ask_idp(&discovery, external::discovery_reply).await?;
        let mut credential = credential.clone();
        credential.token_endpoint = Some(endpoint);
        self.ask_idp(&external::request(&credential)?, external::reply)
            .await
    }

    /// Asks a host that the credential has named.
    async fn ask_idp<T>(&self, request: &Request<Bytes>, reply: Reply<T>) -> Result<T, AuthError> {
        let host = request
            .uri()
            .host()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_under = |domain: &String| {
            host.strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if self.options.auth_endpoint.is_none() && !self.options.idp_hosts.iter().any(is_under) {
            return Err(AuthError::misconfigured(format!(
                "the host {host:?} is not among the identity providers that are allowed"
            )));
        }
        self.ask(request, reply).await
    }

    async fn ask<T>(&self, request: &Request<Bytes>, reply: Reply<T>) -> Result<T, AuthError> {
        let mut request = request.clone();
        if let Some(endpoint) = &self.options.auth_endpoint {
            *request.uri_mut() = moved_to(endpoint, request.uri())?;
        }
        check_transport(request.uri())?;
        request
            .headers_mut()
            .insert(USER_AGENT, self.user_agent.clone());
        let mut tries = 0;
        loop {
            let failure = match self.send(&request).await {
                Ok((status, headers, body)) => match reply(status, &headers, &body) {
                    Ok(answer) => return Ok(answer),
                    Err(refusal) => Failure::Refused(refusal),
                },
                Err(error) => Failure::Unreachable(error),
            };
            tries += 1;
            let Some(pause) = pause_after(&failure, tries) else {
                return Err(failure.into());
            };
            tracing::debug!(?failure, ?pause, "sign-in service will be asked again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send(
        &self,
        request: &Request<Bytes>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), AuthError> {
        let host = request.uri().host().unwrap_or_default();
        let failed = |what: &str| AuthError::transient(format!("{what} the sign-in host {host}"));
        let exchange = async {
            let response = self.client.request(request.clone().map(Full::new)).await;
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
}

/// The second half of a conversation with a sign-in service.
type Reply<T> = fn(StatusCode, &HeaderMap, &[u8]) -> Result<T, Refusal>;

impl Refresher for HttpRefresher {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        Box::pin(self.refresh_with_retries(credential))
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
