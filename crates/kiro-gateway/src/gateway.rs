//! The gateway as one value: a hyper service with the parts that all exchanges share.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use kiro_auth::{Pool, Secret};
use kiro_protocol::conversation::Effort;
use kiro_protocol::request::{PrepareOptions, Thinking, prepare};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::{self, Body, DynError};
use crate::endpoint::{health, info, models};
use crate::error::{Error, ErrorKind};
use crate::exchange;
use crate::routes::{self, NoRoute, Route};
use crate::surface::{Accepted, Surface as _, chat};
use crate::telemetry::Counters;
use crate::tenant::{MakePool, Tenant, Tenants};
use crate::upstream::{Order, Upstream, UpstreamOptions};

/// An OpenAI-compatible gateway to Kiro. Cheap to clone: the parts are shared.
///
/// It is a [`hyper::service::Service`]; [`serve`](crate::serve) puts it behind a listener, and a server
/// of your own may call it for the paths it likes.
#[derive(Debug, Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// What a gateway is made of. Start from [`GatewayOptions::new`].
#[non_exhaustive]
pub struct GatewayOptions {
    /// The key that everyone must send. At least [`MIN_KEY_LENGTH`] characters and without a colon.
    pub key: Secret,
    /// The credentials that serve those who send the key alone. `None`: everyone brings their own.
    pub pool: Option<Pool>,
    /// Makes the pool of a caller who brings a credential, `KEY:REFRESH_TOKEN`.
    pub make_pool: MakePool,
    /// TLS towards the upstream.
    pub tls: rustls::ClientConfig,
    /// How the upstream is reached.
    pub upstream: UpstreamOptions,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Largest request body in bytes. Default: 64 MiB, because screenshots travel as base64.
    pub max_body: usize,
}

/// Fewest characters of a key. Shorter ones can be guessed.
pub const MIN_KEY_LENGTH: usize = 16;

/// How long to wait for what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection to the upstream, TLS included. Default: 10 s.
    pub connect: Duration,
    /// From sending a request to the first event of the reply. Default: 120 s; large models think.
    pub first_event: Duration,
    /// Between two events. Default: 300 s; gaps of 100 s are normal while a model thinks.
    pub gap: Duration,
    /// For a whole answer that is not streamed. Default: 900 s.
    pub total: Duration,
    /// Multiplies `first_event` for slow models. Default: 3.
    pub slow_model_multiplier: f64,
    /// After this long without a first event the response head is sent all the same, so that
    /// keep-alives can flow; errors are in the stream from then on. Default: 20 s, less than the 60 s
    /// after which common load balancers give up.
    pub patience: Duration,
    /// Longest silence towards the downstream in a stream. Default: 15 s.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_event: Duration::from_secs(120),
            gap: Duration::from_secs(300),
            total: Duration::from_secs(900),
            slow_model_multiplier: 3.0,
            patience: Duration::from_secs(20),
            keep_alive: Duration::from_secs(15),
        }
    }
}

impl std::fmt::Debug for GatewayOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayOptions")
            .field("pool", &self.pool)
            .field("upstream", &self.upstream)
            .field("timeouts", &self.timeouts)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

impl GatewayOptions {
    /// The defaults, with the parts that have none.
    pub fn new(
        key: Secret,
        pool: Option<Pool>,
        make_pool: MakePool,
        tls: rustls::ClientConfig,
    ) -> Self {
        Self {
            key,
            pool,
            make_pool,
            tls,
            upstream: UpstreamOptions::default(),
            timeouts: Timeouts::default(),
            max_body: 64 << 20,
        }
    }
}

/// Why a gateway cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The key could be guessed.
    #[error("the key has {length} characters; it needs at least {MIN_KEY_LENGTH}")]
    KeyTooShort {
        /// How many it has.
        length: usize,
    },
    /// The colon divides the key from a tenant's credential.
    #[error("the key holds a colon, which divides it from a tenant's refresh token")]
    KeyWithColon,
    /// The endpoint override would send tokens in the clear.
    #[error("the upstream endpoint `{endpoint}` is neither https nor on the loopback interface")]
    InsecureEndpoint {
        /// The address as given.
        endpoint: String,
    },
}

/// What all exchanges share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tenants: Tenants,
    pub(crate) upstream: Upstream,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_body: usize,
    pub(crate) counters: Arc<Counters>,
    /// `true` once open streams must end.
    pub(crate) drain: watch::Sender<bool>,
    pub(crate) started: Instant,
}

impl Shared {
    /// What is asked of the upstream for an accepted request.
    pub(crate) fn order(&self, accepted: &Accepted, tenant: &Tenant) -> Order {
        let prepared = prepare(
            &accepted.conversation,
            &PrepareOptions::new(tenant.salt.as_bytes()),
        );
        for diagnostic in &prepared.diagnostics {
            tracing::debug!(?diagnostic, "the conversation was repaired");
        }
        let id = &accepted.conversation.model;
        let capabilities = tenant.catalog.current().capabilities(id);
        let effort = accepted.conversation.sampling.effort;
        let multiplier = if is_slow(id) {
            self.timeouts.slow_model_multiplier
        } else {
            1.0
        };
        Order {
            prepared,
            first_event: self.timeouts.first_event.mul_f64(multiplier),
            thinking_tags: capabilities.thinking == Thinking::Tags
                && effort.is_some_and(|effort| effort != Effort::None),
            capabilities,
            invocation_id: uuid::Uuid::new_v4().to_string(),
        }
    }
}

/// Models that think for long before they speak.
fn is_slow(model: &str) -> bool {
    model.contains("opus")
}

impl Gateway {
    /// Puts the parts together. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when an option is unsafe.
    pub fn new(options: GatewayOptions) -> Result<Self, SetupError> {
        check_key(&options.key)?;
        if let Some(endpoint) = &options.upstream.endpoint {
            check_endpoint(endpoint)?;
        }
        let shared = Shared {
            tenants: Tenants::new(&options.key, options.pool, options.make_pool),
            upstream: Upstream::new(options.upstream, options.tls, &options.timeouts),
            timeouts: options.timeouts,
            max_body: options.max_body,
            counters: Arc::default(),
            drain: watch::Sender::new(false),
            started: Instant::now(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Answers one request.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the response, ends the exchange and closes its upstream
    /// connection.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<DynError>,
    {
        let id = request_id();
        let is_head = request.method() == Method::HEAD;
        let mut response = match self.route(request, &id).await {
            Ok(response) => response,
            Err(error) => refuse(&error, &id),
        };
        name_request(&mut response, &id);
        if is_head {
            response.map(|_| body::full(Bytes::new()))
        } else {
            response
        }
    }

    async fn route<B>(&self, request: Request<B>, id: &str) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<DynError>,
    {
        let shared = &self.shared;
        let (row, model) = match routes::find(request.method(), request.uri().path()) {
            Ok(found) => found,
            Err(no_route) => {
                return Ok(no_such_route(
                    request.method(),
                    request.uri().path(),
                    no_route,
                ));
            }
        };
        match row.route {
            Route::Surface(surface) => exchange::run(shared, surface, request, id).await,
            Route::Info => Ok(info::answer()),
            Route::Health => Ok(health::answer(shared)),
            Route::Models => models::list(shared, request.headers()).await,
            Route::Model => {
                models::one(shared, request.headers(), &model.unwrap_or_default()).await
            }
        }
    }

    /// Ends the streams that are still open, each in its dialect's way. Called at the drain deadline.
    pub(crate) fn end_streams(&self) {
        self.shared.drain.send_replace(true);
    }
}

impl<B> hyper::service::Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<DynError>,
{
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let gateway = self.clone();
        Box::pin(async move { Ok(gateway.handle(request).await) })
    }
}

fn check_key(key: &Secret) -> Result<(), SetupError> {
    let length = key.expose().chars().count();
    if length < MIN_KEY_LENGTH {
        return Err(SetupError::KeyTooShort { length });
    }
    if key.expose().contains(':') {
        return Err(SetupError::KeyWithColon);
    }
    Ok(())
}

fn check_endpoint(endpoint: &http::Uri) -> Result<(), SetupError> {
    let host = endpoint.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match endpoint.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err(SetupError::InsecureEndpoint {
            endpoint: endpoint.to_string(),
        }),
    }
}

fn request_id() -> String {
    format!("req_{}", uuid::Uuid::new_v4().simple())
}

/// Both names, because the SDKs of the two vendors read different ones.
fn name_request(response: &mut Response<Body>, id: &str) {
    // Hexadecimal digits are valid in a header.
    if let Ok(value) = HeaderValue::from_str(id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-request-id"), value.clone());
        response
            .headers_mut()
            .insert(HeaderName::from_static("request-id"), value);
    }
}

/// An error as a response. `retry-after` is kept within what the SDKs obey: 1 to 60 seconds.
fn refuse(error: &Error, id: &str) -> Response<Body> {
    let status = error.status();
    if status.is_server_error() {
        tracing::warn!(
            request_id = id,
            error = error as &dyn std::error::Error,
            "refused"
        );
    } else {
        tracing::debug!(
            request_id = id,
            error = error as &dyn std::error::Error,
            "refused"
        );
    }
    let mut response = json(status, chat::Chat.refuse(error));
    let headers = response.headers_mut();
    if let Some(after) = error.retry_after() {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(after.as_secs().clamp(1, 60)),
        );
    }
    if !error.kind().may_retry() {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

fn no_such_route(method: &Method, path: &str, no_route: NoRoute) -> Response<Body> {
    match no_route {
        NoRoute::Path { nearest } => {
            let message = format!(
                "Unknown request URL: {method} {path}. The nearest one is {nearest}; GET / lists them all."
            );
            refuse(&Error::new(ErrorKind::NotFound, message), "")
        }
        NoRoute::Method { allow } => {
            let message = format!("Not allowed to {method} on {path}. Allowed: {allow}.");
            let mut response = refuse(&Error::new(ErrorKind::MethodNotAllowed, message), "");
            // The names of methods are valid in a header.
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

/// A JSON document as a response.
pub(crate) fn json(status: http::StatusCode, document: Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(document));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_be_guessed_or_divided_is_refused() {
        assert_eq!(
            check_key(&Secret::from("short")),
            Err(SetupError::KeyTooShort { length: 5 })
        );
        assert_eq!(
            check_key(&Secret::from("0123456789:abcdef")),
            Err(SetupError::KeyWithColon)
        );
        assert_eq!(check_key(&Secret::from("0123456789abcdef")), Ok(()));
    }

    #[test]
    fn tokens_travel_in_the_clear_on_the_loopback_interface_only() {
        for (endpoint, allowed) in [
            ("https://example.com", true),
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost:9000", true),
            ("http://example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(
                check_endpoint(&endpoint.parse().unwrap()).is_ok(),
                allowed,
                "{endpoint}"
            );
        }
    }
}
