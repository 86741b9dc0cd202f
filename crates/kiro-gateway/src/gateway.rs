//! The gateway as one value: a hyper service with the parts that all exchanges share.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use kiro_protocol::request::SchemaCache;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::admission::{Admission, Tally};
use crate::body::{self, Body, DynError};
use crate::brake::{Attempt, Brake, Peer};
use crate::capture::{Capture, Tape};
use crate::caught::caught;
use crate::cors;
use crate::endpoint::admin::{self, Office};
use crate::endpoint::{count_tokens, health, info, metrics, models, responses, usage};
use crate::error::{Error, ErrorKind};
use crate::exchange;
use crate::image::Images;
use crate::kept::Keeper;
use crate::key::KeyDigest;
use crate::options::{GatewayOptions, QuotaOptions, SetupError};
use crate::pace::Paces;
#[cfg(feature = "pages")]
use crate::pages::{self, Pages};
use crate::quota::Threshold;
use crate::response::{head_of, name_request, no_such_route, refuse};
use crate::routes::{self, Route};
use crate::shared::Shared;
use crate::surface::Surface;
use crate::telemetry::Counters;
use crate::tenant::Tenants;
use crate::upstream::Upstream;

/// A gateway to Kiro that speaks the APIs of OpenAI and Anthropic. Cheap to clone: the parts are shared.
///
/// It is a [`hyper::service::Service`]; [`serve`](crate::serve) puts it behind a listener, and a server
/// of your own may call it for the paths it likes.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The parts in force. An exchange takes them once, and ends with what it began with.
    shared: Arc<ArcSwap<Shared>>,
}

impl Gateway {
    /// Puts the parts together. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when an option is unsafe.
    pub fn new(options: GatewayOptions) -> Result<Self, SetupError> {
        options.check()?;
        let tally = Tally::new(&options);
        Ok(Self {
            shared: Arc::new(ArcSwap::from_pointee(Self::parts(options, tally))),
        })
    }

    /// Puts other options in force, for this value and all its clones. Requests that come after it see
    /// nothing but the new ones; exchanges under way end as they began.
    ///
    /// Callers who bring a credential stay known, with what was learned about their credentials and models;
    /// so does the server's own pool, if it is the same one (see [`Pool::succeed`](kiro_auth::Pool::succeed)).
    /// Kept responses and spent credits stay, and where limits are shared, so [`keep`](GatewayOptions::keep),
    /// [`credits`](GatewayOptions::credits) and `share_limits` remain what they were.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when an option is unsafe; then nothing has changed.
    pub fn reload(&self, options: GatewayOptions) -> Result<(), SetupError> {
        options.check()?;
        let old = self.shared.load_full();
        let mut next = Self::parts(options, old.tally.clone());
        next.succeed(&old);
        let old = self.shared.swap(Arc::new(next));
        old.superseded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the options apart by all their names: one that is added and becomes nothing does not compile.
    fn parts(options: GatewayOptions, tally: Tally) -> Shared {
        let (all_keys, captured, otel) = (options.all_keys(), options.captured(), options.traces());
        let GatewayOptions {
            // In `all_keys`.
            key: _,
            limits: _,
            tenant_limits: _,
            keys: _,
            // In the tally, which outlives them.
            credits: _,
            #[cfg(feature = "redis")]
                share_limits: _,
            #[cfg(feature = "redis")]
                gateways: _,
            // In `otel`.
            #[cfg(feature = "otel")]
                open_telemetry: _,
            failed_keys_per_minute,
            admission,
            pool,
            make_pool,
            guests,
            quota: QuotaOptions { warn_below },
            models,
            tls,
            upstream,
            images,
            keep,
            timeouts,
            max_body,
            allowed_origins,
            refuse_ignored,
            pass_invalid_json,
            reasoning,
            process,
            admin_key,
            #[cfg(feature = "pages")]
            docs,
            capture,
        } = options;
        let paces = Arc::new(Paces::new(&timeouts));
        let threshold = Threshold::new(warn_below);
        Shared {
            admission: Arc::new(Admission::new(&admission)),
            brake: Brake::new(failed_keys_per_minute),
            tenants: Tenants::new(
                all_keys,
                pool,
                make_pool,
                &guests,
                models,
                threshold,
                tally.clone(),
            ),
            tally,
            images: Images::new(images, tls.clone(), &upstream.user_agent),
            keeper: Arc::new(Keeper::new(&keep)),
            upstream: Upstream::new(upstream, tls, &timeouts, paces.clone()),
            paces,
            timeouts,
            max_body,
            allowed_origins,
            refuse_ignored,
            pass_invalid_json,
            reasoning,
            superseded: AtomicBool::new(false),
            #[cfg(feature = "pages")]
            pages: Pages::new(docs, admin_key.is_some()),
            office: Office::new(admin_key.as_ref().map(KeyDigest::of)),
            capture: Capture::new(capture, captured),
            counters: Arc::new(Counters::new(otel)),
            process,
            schemas: SchemaCache::new(),
            draining: Arc::default(),
            drain: Arc::new(watch::Sender::new(false)),
            started: Instant::now(),
        }
    }

    /// Answers one request.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the response, ends the exchange and closes its upstream
    /// connection.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        self.answer(request, None).await
    }

    /// Answers one request in a dialect of your own. Its path and its method are yours: the gateway looks at neither, so give it
    /// what has a question in its body, and no `HEAD` or `OPTIONS`. The key is looked for where it always is, in `authorization`
    /// or `x-api-key`.
    ///
    /// ```
    /// # use kiro_gateway::{Body, Gateway, Surface};
    /// # use hyper::{Request, Response, body::Incoming};
    /// # async fn route(gateway: Gateway, mine: &'static dyn Surface, request: Request<Incoming>) -> Response<Body> {
    /// match request.uri().path() {
    ///     "/api/generate" => gateway.handle_on(mine, request).await,
    ///     _ => gateway.handle(request).await,
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`handle`](Self::handle).
    pub async fn handle_on<B>(
        &self,
        surface: &'static dyn Surface,
        request: Request<B>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        self.answer(request, Some(surface)).await
    }

    /// Answers by the route table, or on this surface.
    async fn answer<B>(
        &self,
        request: Request<B>,
        surface: Option<&'static dyn Surface>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        let id = request_id(request.headers());
        // Every line that is logged meanwhile has it.
        let span = tracing::error_span!("request", request_id = %id);
        self.answer_as(&id, request, surface).instrument(span).await
    }

    async fn answer_as<B>(
        &self,
        id: &str,
        request: Request<B>,
        surface: Option<&'static dyn Surface>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        let shared = self.shared.load_full();
        let tape = shared.capture.begin();
        let is_head = request.method() == Method::HEAD;
        let grant = shared.allowed_origins.grant(request.headers());
        let dialect =
            surface.unwrap_or_else(|| routes::dialect(request.uri().path(), request.headers()));
        let waits = request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        // Whether it was read to its end or not, asking for more of it is right.
        let mut body = Box::pin(body).fuse();
        let request = Request::from_parts(head, &mut body);
        // On the heap: everything around it would be moved with it, several times for each request.
        let answering = Box::pin(async {
            match surface {
                Some(surface) => Self::converse(&shared, surface, id, request, &tape).await,
                None => Self::route(&shared, dialect, id, request, &tape).await,
            }
        });
        let mut response = match caught(answering).await {
            Ok(response) => response,
            Err(error) => refuse(dialect, &error.with_request_id(id)),
        };
        if !response.status().is_success() && !waits {
            body::discard(&mut body).await;
        }
        name_request(&mut response, id);
        grant.write(&mut response);
        if is_head {
            response.map(|_| body::full(Bytes::new()))
        } else {
            tape.noting(response)
        }
    }

    async fn route<B>(
        shared: &Arc<Shared>,
        dialect: &dyn Surface,
        id: &str,
        request: Request<B>,
        tape: &Tape,
    ) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        if request.method() == Method::OPTIONS {
            let methods = routes::methods(request.uri().path());
            return Ok(cors::options(request.headers(), &methods));
        }
        let found = routes::find(request.method(), request.uri().path());
        let (row, named) = match found.and_then(|found| shared.open(found)) {
            Ok(found) => found,
            Err(no_route) => {
                return Ok(no_such_route(
                    dialect,
                    id,
                    request.method(),
                    request.uri().path(),
                    no_route,
                ));
            }
        };
        let attempt = match row.route {
            Route::Admin(_) => shared.office.attempt(request.headers()),
            // They tell of all callers, so where there is an operator nobody else may see them.
            Route::Metrics if shared.office.is_open() => shared.office.attempt(request.headers()),
            _ if row.key => shared.tenants.attempt(request.headers()),
            _ => None,
        };
        let guess = Guess::of(&request, attempt);
        guess.check(shared)?;
        // What only works is not set to work by the question whether it is there.
        let only_asks = request.method() == Method::HEAD && row.method != Method::GET;
        let answered = match row.route {
            _ if only_asks => {
                let admitted = shared.tenants.admit(request.headers());
                admitted.map(|_| head_of(row))
            }
            Route::Surface(surface) => exchange::run(shared, surface, id, request, tape).await,
            Route::CountTokens => count_tokens::answer(shared, request).await,
            Route::Info => Ok(info::answer(shared)),
            Route::Health => Ok(health::answer(shared)),
            Route::Ready => Ok(health::ready(shared)),
            #[cfg(feature = "pages")]
            Route::Page(page) => {
                let (path, headers) = (request.uri().path(), request.headers());
                pages::answer(page, path, headers, named.as_deref()).await
            }
            Route::Admin(admin) => {
                let query = request.uri().query().unwrap_or_default();
                admin::answer(shared, admin, request.headers(), query).await
            }
            Route::Usage => {
                let query = request.uri().query().unwrap_or_default();
                usage::answer(shared, request.headers(), query).await
            }
            Route::Metrics => metrics::answer(shared, request.headers()),
            Route::Response => {
                let query = request.uri().query().unwrap_or_default();
                responses::one(shared, request.headers(), query, &named.unwrap_or_default()).await
            }
            Route::InputItems => {
                let query = request.uri().query().unwrap_or_default();
                responses::input(shared, request.headers(), query, &named.unwrap_or_default()).await
            }
            Route::DeleteResponse => {
                responses::delete(shared, request.headers(), &named.unwrap_or_default()).await
            }
            Route::CancelResponse => {
                responses::cancel(shared, request.headers(), &named.unwrap_or_default()).await
            }
            Route::Models => models::list(shared, request.headers()).await,
            Route::Model => {
                models::one(shared, request.headers(), &named.unwrap_or_default()).await
            }
        };
        guess.note(shared, &answered);
        answered
    }

    /// One exchange on a surface of the embedder's own.
    async fn converse<B>(
        shared: &Arc<Shared>,
        surface: &'static dyn Surface,
        id: &str,
        request: Request<B>,
        tape: &Tape,
    ) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<DynError>,
    {
        let guess = Guess::of(&request, shared.tenants.attempt(request.headers()));
        guess.check(shared)?;
        let answered = exchange::run(shared, surface, id, request, tape).await;
        guess.note(shared, &answered);
        answered
    }

    /// Waits until what exchanges have used is told to the gateways that share their limits
    /// (`GatewayOptions::share_limits`), or cannot be told. [`serve`](crate::serve) does so at its end.
    pub async fn settled(&self) {
        if let Some(ledger) = &self.shared.load_full().tally.ledger {
            ledger.settled().await;
        }
    }

    /// Says to those who ask for readiness that the server is about to stop.
    pub(crate) fn begin_drain(&self) {
        self.shared.load().draining.store(true, Ordering::Relaxed);
    }

    /// Ends the streams that are still open, each in its dialect's way. Called at the drain deadline.
    pub(crate) fn end_streams(&self) {
        self.shared.load().drain.send_replace(true);
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

/// A key and where it comes from, for the brake: it may be a guess.
#[derive(Clone, Copy)]
struct Guess {
    peer: Option<Peer>,
    /// `None` where no key is needed, or none is sent.
    attempt: Option<Attempt>,
}

impl Guess {
    fn of<B>(request: &Request<B>, attempt: Option<Attempt>) -> Self {
        let peer = request.extensions().get::<Peer>().copied();
        Self { peer, attempt }
    }

    /// Refuses it, where too many were wrong.
    fn check(self, shared: &Shared) -> Result<(), Error> {
        self.attempt
            .map_or(Ok(()), |attempt| shared.brake.check(self.peer, attempt))
    }

    /// Remembers it, if it was wrong.
    fn note(self, shared: &Shared, answered: &Result<Response<Body>, Error>) {
        if let (Some(attempt), Err(error)) = (self.attempt, answered)
            && error.kind() == ErrorKind::Unauthorized
        {
            shared.brake.failed_again(self.peer, attempt);
        }
    }
}

/// Longest name for a request that is taken from outside.
const MAX_ID: usize = 128;

/// What the downstream or a proxy calls the request, so that one name is in the logs of all; otherwise one of
/// ours. It goes into the log and into headers, so it holds nothing but what ids are made of.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte))
    };
    let sent = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    match sent.filter(sane) {
        Some(id) => id.to_owned(),
        None => format!("req_{}", uuid::Uuid::new_v4().simple()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_when_it_is_sane() {
        let named = |id: &str| {
            let id = http::HeaderValue::from_str(id).unwrap();
            request_id(&HeaderMap::from_iter([(
                http::HeaderName::from_static("x-request-id"),
                id,
            )]))
        };
        let longest = "a".repeat(MAX_ID);
        for id in ["1", "req_abc-1.2:3/4+5=@~", &longest] {
            assert_eq!(named(id), id);
        }
        for id in [
            "",
            "a b",
            "a\"b",
            "a\\n",
            "é",
            "{x}",
            &"a".repeat(MAX_ID + 1),
        ] {
            let made = named(id);
            assert!(made.starts_with("req_") && made.len() == 36, "{id} {made}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    const KEY: &str = "sk-0123456789abcdef";

    /// What works without a key, on purpose: none of it tells more than that the gateway is there.
    const PUBLIC: &[&str] = &["/", "/health", "/healthz", "/readyz", "/api/hello"];

    /// The same of pages, which are the same for everybody.
    const PAGES: &[&str] = &[
        "/openapi.json",
        "/docs",
        "/docs/{id}",
        "/redoc",
        "/redoc/{id}",
        "/dashboard",
        "/dashboard/{id}",
    ];

    /// What the key of the operator opens, and no other.
    const ADMIN: &[&str] = &["/admin/snapshot", "/admin/events", "/admin/usage"];

    const ADMIN_KEY: &str = "admin-0123456789";

    /// A gateway whose upstream nobody can reach.
    fn gateway() -> Gateway {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let none = || kiro_auth::Pool::new(Vec::new());
        let key = kiro_auth::Secret::from(KEY);
        let mut options = GatewayOptions::new(key, Some(none()), Box::new(move |_| none()), tls);
        options.upstream.endpoint = Some("http://127.0.0.1:1".parse().unwrap());
        options.admin_key = Some(ADMIN_KEY.into());
        Gateway::new(options).unwrap()
    }

    async fn status(gateway: &Gateway, method: &Method, path: &str, headers: &HeaderMap) -> u16 {
        let mut request = Request::new(http_body_util::Empty::<Bytes>::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().unwrap();
        *request.headers_mut() = headers.clone();
        gateway.handle(request).await.status().as_u16()
    }

    fn keys(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    /// Everything that is no key.
    fn no_keys() -> Vec<HeaderMap> {
        let basic = "Basic c2stMDEyMzQ1Njc4OWFiY2RlZg==";
        let bearer = format!("Bearer {KEY}");
        vec![
            keys(&[]),
            keys(&[("authorization", "")]),
            keys(&[("authorization", "Bearer")]),
            keys(&[("authorization", "Bearer ")]),
            keys(&[("authorization", "Bearer :")]),
            keys(&[("authorization", KEY)]),
            keys(&[("authorization", basic)]),
            keys(&[("authorization", "Bearer sk-0123456789abcdeg")]),
            keys(&[("authorization", "Bearer sk-0123456789abcde")]),
            keys(&[("authorization", "Bearer SK-0123456789ABCDEF")]),
            keys(&[("authorization", "Bearer sk-01234567 89abcdef")]),
            keys(&[("authorization", &bearer), ("authorization", "Bearer x")]),
            keys(&[("authorization", "Bearer x"), ("authorization", &bearer)]),
            keys(&[("x-api-key", "wrong:sk-0123456789abcdef")]),
            keys(&[("cookie", "key=sk-0123456789abcdef")]),
            keys(&[
                ("x-original-url", "/health"),
                ("x-rewrite-url", "/health"),
                ("x-http-method-override", "OPTIONS"),
                ("host", "x/?"),
            ]),
        ]
    }

    #[tokio::test]
    async fn every_route_is_public_or_refuses_what_is_no_key() {
        let gateway = gateway();
        let bearer = |key: &str| keys(&[("authorization", &format!("Bearer {key}"))]);
        for row in routes::TABLE {
            let path = row.path.replace("{id}", "x").replace("{response_id}", "x");
            let is_public = PUBLIC.contains(&row.path) || PAGES.contains(&row.path);
            let is_admin = ADMIN.contains(&row.path);
            let needs_key = row.key || is_admin;
            assert_eq!(is_public, !needs_key, "{path}");
            assert_eq!(is_admin, matches!(row.route, Route::Admin(_)), "{path}");
            // The metrics tell of all callers.
            let (right, other) = match is_admin || row.path == "/metrics" {
                true => (bearer(ADMIN_KEY), bearer(KEY)),
                false => (bearer(KEY), bearer(ADMIN_KEY)),
            };
            for method in [&row.method, &Method::HEAD] {
                for headers in no_keys().into_iter().chain([other.clone()]) {
                    let told = status(&gateway, method, &path, &headers).await;
                    let expected = match (needs_key, row.path.ends_with("/{id}")) {
                        (true, _) => 401,
                        // No page has a file of that name.
                        (false, true) => 404,
                        (false, false) => 200,
                    };
                    assert_eq!(told, expected, "{method} {path} {headers:?}");
                }
                // The key is what makes the difference.
                let told = status(&gateway, method, &path, &right).await;
                assert_ne!(told, 401, "{method} {path}");
            }
            if !needs_key {
                continue;
            }
            for trick in [
                format!("/{path}"),
                format!("{path}/"),
                format!("/v1{path}"),
                format!("/openai{path}"),
                format!("/health/..{path}"),
                format!("/health/%2e%2e{path}"),
                format!("/v1/./{}", &path[4..]),
                format!("/v1/%2e/{}", &path[4..]),
                format!("/%76%31/{}", &path[4..]),
                format!("{path}/../../health"),
                format!("{path};x=/health"),
                format!("{path}%00"),
                format!("{path}?key={KEY}&api_key={KEY}"),
                format!("http://localhost{path}"),
                format!("http://{KEY}@localhost{path}"),
                path.to_uppercase(),
            ] {
                for method in [&row.method, &Method::HEAD, &Method::PUT, &Method::TRACE] {
                    let told = status(&gateway, method, &trick, &HeaderMap::new()).await;
                    assert!([401, 404, 405].contains(&told), "{method} {trick}: {told}");
                }
            }
        }
    }

    /// It is told that the route is there, and nothing is done.
    #[tokio::test]
    async fn head_sets_nothing_to_work() {
        let gateway = gateway();
        let bearer = keys(&[("authorization", &format!("Bearer {KEY}"))]);
        let is_read = |path| {
            let mut rows = routes::TABLE.iter();
            rows.any(|row| row.path == path && row.method == Method::GET)
        };
        let works = routes::TABLE.iter().filter(|row| !is_read(row.path));
        let mut n_works = 0;
        for row in works {
            let path = row.path.replace("{response_id}", "x");
            let told = status(&gateway, &Method::HEAD, &path, &bearer).await;
            assert_eq!(told, 200, "{path}");
            n_works += 1;
        }
        assert!(n_works >= 5, "{n_works}");
    }

    #[tokio::test]
    async fn what_is_moved_with_every_request_is_small() {
        let gateway = gateway();
        let request = || Request::new(http_body_util::Full::new(Bytes::new()));
        assert!(size_of_val(&gateway.handle(request())) <= 2048);
        let shared = gateway.shared.load_full();
        let tape = shared.capture.begin();
        let dialect = routes::dialect("/v1/messages", &HeaderMap::new());
        let route = Gateway::route(&shared, dialect, "1", request(), &tape);
        assert!(size_of_val(&route) <= 8192, "{}", size_of_val(&route));
    }

    #[tokio::test]
    async fn options_tell_the_methods_and_do_nothing() {
        for row in routes::TABLE {
            let mut request = Request::options(row.path.replace(['{', '}'], ""));
            request = request.header("authorization", "Bearer wrong");
            let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
            let answer = gateway().handle(request).await;
            assert!(answer.status().is_success());
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(body.is_empty(), "{}", row.path);
        }
    }
}
