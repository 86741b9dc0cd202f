//! The gateway as one value: a hyper service with the parts that all exchanges share.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use kiro_protocol::request::SchemaCache;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::{self, Body, DynError};
use crate::endpoint::{health, info, models};
use crate::error::Error;
use crate::exchange;
use crate::options::{GatewayOptions, SetupError};
use crate::response::{name_request, no_such_route, refuse};
use crate::routes::{self, Route};
use crate::shared::Shared;
use crate::tenant::Tenants;
use crate::upstream::Upstream;

/// An OpenAI-compatible gateway to Kiro. Cheap to clone: the parts are shared.
///
/// It is a [`hyper::service::Service`]; [`serve`](crate::serve) puts it behind a listener, and a server
/// of your own may call it for the paths it likes.
#[derive(Debug, Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

impl Gateway {
    /// Puts the parts together. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when an option is unsafe.
    pub fn new(options: GatewayOptions) -> Result<Self, SetupError> {
        options.check()?;
        let shared = Shared {
            tenants: Tenants::new(
                &options.key,
                options.pool,
                options.make_pool,
                &options.guests,
                options.models,
            ),
            upstream: Upstream::new(options.upstream, options.tls, &options.timeouts),
            timeouts: options.timeouts,
            max_body: options.max_body,
            counters: Arc::default(),
            schemas: SchemaCache::new(),
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
        B: http_body::Body<Data = Bytes> + Send,
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
        B: http_body::Body<Data = Bytes> + Send,
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

fn request_id() -> String {
    format!("req_{}", uuid::Uuid::new_v4().simple())
}
