//! The service's small calls for commands, and whether its hosts answer at all.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kiro_auth::refresh::first_request;
use kiro_auth::{AccessToken, ApiHost, Credential};
use kiro_protocol::fault::Fault;
use kiro_protocol::request::{BuildError, CLI, IDE_REST, KRS_IDE, Region};
use kiro_protocol::rpc::{self, Call, RpcError, UsageLimits, UsageQuestion};

use crate::command::Failure;
use crate::config::Config;
use crate::setup;

/// The HTTP client of commands.
pub(crate) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How long somebody at a terminal waits for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer; the longest seen has some kilobytes.
const MAX_ANSWER: usize = 256 * 1024;

/// The service as one configuration reaches it.
pub(crate) struct Service {
    http: Http,
    endpoint: Option<Uri>,
    auth_endpoint: Option<Uri>,
    user_agent: String,
}

/// What a host said when it was knocked at. Any status will do: somebody is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knock {
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
    /// What it takes for the time, in seconds.
    pub(crate) date: Option<SystemTime>,
}

/// A small call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{host} cannot be reached")]
    Unreachable {
        host: String,
        source: hyper_util::client::legacy::Error,
    },
    #[error("{host} does not answer within {} s", TIMEOUT.as_secs())]
    Silent { host: String },
    #[error("{host} broke off its answer")]
    Broken { host: String },
    #[error("the service refused: {}", words(.0))]
    Refused(Fault),
    #[error(transparent)]
    Unreadable(#[from] RpcError),
    #[error(transparent)]
    Unsendable(#[from] BuildError),
    #[error("the region of the account makes no host")]
    NoHost,
}

/// A refusal without the service's own message, which may name the account.
fn words(fault: &Fault) -> String {
    let mut words = vec![fault.kind().as_str().replace('_', " ")];
    words.extend(fault.status().map(|status| format!("status {status}")));
    words.extend(fault.reason().map(str::to_owned));
    words.join(", ")
}

impl Service {
    pub(crate) fn new(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            http: http_client(setup::tls(config)?),
            endpoint: setup::endpoint(config)?,
            auth_endpoint: setup::sign_in_services(config)?.auth_endpoint,
            user_agent: config.upstream.user_agent.clone(),
        })
    }

    /// What an account has used and may use.
    pub(crate) async fn usage(&self, token: &AccessToken) -> Result<UsageLimits, CallError> {
        let arn = token.profile_arn_for(ApiHost::Management);
        match self.usage_with(token, arn).await {
            // Some organisations' accounts refuse the profile here.
            Err(CallError::Refused(fault)) if arn.is_some() && fault.status() == Some(400) => {
                self.usage_with(token, None).await
            }
            answered => answered,
        }
    }

    async fn usage_with(
        &self,
        token: &AccessToken,
        arn: Option<&str>,
    ) -> Result<UsageLimits, CallError> {
        let profile = match token.login().speaks_cli() {
            true => &CLI,
            false => &KRS_IDE,
        };
        let base = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => region(token)
                .and_then(|region| profile.management_base(&region).ok())
                .ok_or(CallError::NoHost)?,
        };
        let mut call = Call::new(profile, &base, token.secret().expose());
        call.token_type = token.token_type();
        call.profile_arn = arn;
        call.user_agent = &self.user_agent;
        let request = rpc::usage_limits(&call, &UsageQuestion::default())?;
        let (head, body) = self.send(request).await?;
        match head.status {
            StatusCode::OK => Ok(UsageLimits::parse(&body)?),
            status => Err(CallError::Refused(Fault::from_response(
                status,
                &head.headers,
                &body,
            ))),
        }
    }

    /// The hosts that requests of this account may go to, the usual one first.
    pub(crate) fn hosts(&self, token: &AccessToken) -> Vec<Uri> {
        if let Some(endpoint) = &self.endpoint {
            return vec![endpoint.clone()];
        }
        let Some(region) = region(token) else {
            return Vec::new();
        };
        let hosts = [
            KRS_IDE.base(&region),
            KRS_IDE.management_base(&region),
            IDE_REST.base(&region),
        ];
        hosts.into_iter().flatten().collect()
    }

    /// The host that refreshes a login; `None` where nothing is refreshed, or a stranger has named it.
    pub(crate) fn sign_in_host(&self, credential: &Credential) -> Option<Uri> {
        if credential.login.has_own_service() {
            return None;
        }
        let first = first_request(credential).ok()?;
        if let Some(endpoint) = &self.auth_endpoint {
            return Some(endpoint.clone());
        }
        let mut parts = first.request().uri().clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        Uri::from_parts(parts).ok()
    }

    /// Asks a host for nothing in particular, without a token.
    pub(crate) async fn knock(&self, host: &Uri) -> Result<Knock, CallError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = host.clone();
        let asked = Instant::now();
        let (head, _) = self.send(request).await?;
        let date = head.headers.get(header::DATE);
        let date = date.and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        Ok(Knock {
            status: head.status,
            took: asked.elapsed(),
            date: date.map(|date| date.timestamp().into()),
        })
    }

    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<(http::response::Parts, Bytes), CallError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let exchange = async {
            let response = self.http.request(request.map(Full::new)).await;
            let (head, body) = response
                .map_err(|source| CallError::Unreachable {
                    host: host.clone(),
                    source,
                })?
                .into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|_| CallError::Broken { host: host.clone() })?;
            Ok((head, body.to_bytes()))
        };
        let answered = tokio::time::timeout(TIMEOUT, exchange).await;
        answered.unwrap_or(Err(CallError::Silent { host: host.clone() }))
    }
}

/// A client that trusts whom `tls` trusts.
pub(crate) fn http_client(tls: rustls::ClientConfig) -> Http {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).build(connector)
}

fn region(token: &AccessToken) -> Option<Region> {
    Region::new(token.api_region()).ok()
}
