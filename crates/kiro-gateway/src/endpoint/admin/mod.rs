//! `GET /admin/snapshot`, `GET /admin/events` and `GET /admin/usage`: what an operator sees of the gateway, behind a key
//! of its own. Without that key these routes are not there.
//!
//! Tenants are named by the key that they use and by a hash; nothing of what anybody said is in it.

mod snapshot;
mod stream;
mod usage;

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header};
use tokio::sync::Semaphore;

use crate::body::Body;
use crate::brake::Attempt;
use crate::error::{Error, ErrorKind};
use crate::key::KeyDigest;
use crate::quota::Asker;
use crate::response::json;
use crate::shared::Shared;
#[cfg(feature = "pages")]
pub(crate) use snapshot::Change;
pub(crate) use snapshot::Snapshot;
#[cfg(feature = "pages")]
pub(crate) use usage::Usage;

/// What is told to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admin {
    /// All of it.
    Snapshot,
    /// What changes.
    Events,
    /// What is left of each account, and who has spent it.
    Usage,
}

/// Streams of changes at the same time. Each costs a second's snapshot.
const MAX_STREAMS: usize = 8;

/// Who may ask, and what is remembered of the answers.
#[derive(Debug)]
pub(crate) struct Office {
    key: Option<KeyDigest>,
    streams: Arc<Semaphore>,
}

impl Office {
    pub(crate) fn new(key: Option<KeyDigest>) -> Self {
        Self {
            key,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        }
    }

    /// Whether there is a key, and so anything behind it.
    pub(crate) fn is_open(&self) -> bool {
        self.key.is_some()
    }

    /// Takes over what was learned.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.streams = old.streams.clone();
    }

    /// What somebody tries with these headers, unless it is the right key.
    pub(crate) fn attempt(&self, headers: &HeaderMap) -> Option<Attempt> {
        (!self.knows(headers)).then_some(Attempt::Key)
    }

    /// Whether they have the key as a bearer, once.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let sent = sent.next().filter(|_| sent.next().is_none());
        let sent = sent.and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        match (&self.key, sent) {
            (Some(key), Some(sent)) => key.matches(&KeyDigest::of_text(sent)),
            _ => false,
        }
    }

    /// Lets in who sends the key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`].
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Error> {
        match self.knows(headers) {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Unauthorized,
                "This needs the admin key of the gateway: `Authorization: Bearer ADMIN_KEY`.",
            )
            .with_code("invalid_api_key")),
        }
    }
}

/// Answers the operator.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    admin: Admin,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response<Body>, Error> {
    shared.office.admit(headers)?;
    match admin {
        Admin::Snapshot => {
            if let Some(asker) = Asker::of_house(shared) {
                asker.refresh(false).await;
            }
            Ok(document_of_now(&Snapshot::of(shared)))
        }
        Admin::Events => stream::answer(shared),
        Admin::Usage => usage::answer(shared, query).await,
    }
}

/// A document that is another one in a moment.
pub(super) fn document_of_now(document: &impl serde::Serialize) -> Response<Body> {
    // Strings and numbers always serialize.
    let document = serde_json::to_vec(document).unwrap_or_default();
    let mut response = json(StatusCode::OK, document.into());
    let none = http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, none);
    response
}
