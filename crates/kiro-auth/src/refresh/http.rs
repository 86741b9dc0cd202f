//! Refreshing over HTTP, with hyper.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};

use super::{FirstRequest, Refreshed, Refresher, TokenReply, external, first_request};
use crate::BoxFuture;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::http::HttpClient;
use crate::login::Login;

/// Refreshes credentials of every kind over HTTP/1.1.
///
/// Throttling, failures of the service and of the network are tried again after 1 s and 2 s, three tries
/// in all. Plain `http` is spoken with loopback addresses only.
#[derive(Debug)]
pub struct HttpRefresher(HttpClient);

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
        tls: rustls::ClientConfig,
        options: HttpRefresherOptions,
    ) -> Result<Self, AuthError> {
        HttpClient::new(tls, options).map(Self)
    }

    async fn refresh_with_retries(&self, credential: &Credential) -> Result<Refreshed, AuthError> {
        let Self(client) = self;
        match first_request(credential)? {
            FirstRequest::Token(request, reply) => {
                self.ask(credential.login, &request, reply).await
            }
            FirstRequest::Endpoint(request) => {
                let endpoint = client.ask_idp(&request, external::discovery_reply);
                let credential = Credential {
                    token_endpoint: Some(endpoint.await?),
                    ..credential.clone()
                };
                let request = external::request(&credential)?;
                self.ask(credential.login, &request, external::reply).await
            }
        }
    }

    async fn ask(
        &self,
        login: Login,
        request: &Request<Bytes>,
        reply: TokenReply,
    ) -> Result<Refreshed, AuthError> {
        let Self(client) = self;
        Ok(match login.has_own_service() {
            true => client.ask_idp(request, reply).await?,
            false => client.ask(request, reply).await?,
        })
    }
}

impl Refresher for HttpRefresher {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        Box::pin(self.refresh_with_retries(credential))
    }
}
