//! Who is calling and whose credential serves them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use kiro_auth::{Credential, Pool, Secret};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::catalog::Catalog;
use crate::error::{Error, ErrorKind};

/// Guests whose credentials are remembered at the same time. A guest costs a few kilobytes.
const MAX_GUESTS: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not zero");

/// A caller with the credentials that serve them.
#[derive(Debug)]
pub(crate) struct Tenant {
    /// The credentials.
    pub(crate) pool: Pool,
    /// The models that they may use.
    pub(crate) catalog: Catalog,
    /// Told apart from other tenants in ids that go upstream; reveals nothing.
    pub(crate) salt: String,
}

/// The salt of the server's own tenant; those of guests are hexadecimal.
const HOUSE: &str = "house";

/// Makes the pool of a guest out of the credential that they send.
pub(crate) type MakePool = Box<dyn Fn(Credential) -> Pool + Send + Sync>;

/// The callers that we know.
pub(crate) struct Tenants {
    key: Digest,
    house: Option<Arc<Tenant>>,
    guests: Mutex<lru::LruCache<Digest, Arc<Tenant>>>,
    make_pool: MakePool,
}

type Digest = [u8; 32];

impl std::fmt::Debug for Tenants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenants")
            .field("house", &self.house.is_some())
            .finish_non_exhaustive()
    }
}

impl Tenants {
    /// One key for all; `house` serves those who send the key alone.
    pub(crate) fn new(key: &Secret, house: Option<Pool>, make_pool: MakePool) -> Self {
        let tenant = |pool| Tenant {
            pool,
            catalog: Catalog::new(),
            salt: HOUSE.into(),
        };
        Self {
            key: Sha256::digest(key.expose()).into(),
            house: house.map(|pool| Arc::new(tenant(pool))),
            guests: Mutex::new(lru::LruCache::new(MAX_GUESTS)),
            make_pool,
        }
    }

    /// The tenant of the server itself, if it has credentials.
    pub(crate) fn house(&self) -> Option<&Arc<Tenant>> {
        self.house.as_ref()
    }

    /// Who sent these headers: `KEY` alone, or `KEY:REFRESH_TOKEN`, as a bearer or as an API key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] when there is no key, a wrong one, or a right one without a
    /// credential behind it.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Arc<Tenant>, Error> {
        let sent = presented_key(headers).ok_or_else(missing_key)?;
        // Refresh tokens hold a colon themselves, so only the first one divides; a key has none.
        let (key, credential) = match sent.split_once(':') {
            Some((key, credential)) => (key, Some(credential)),
            None => (sent, None),
        };
        let digest: Digest = Sha256::digest(key).into();
        // Digests of equal length are compared, so the time tells nothing about the key.
        if !bool::from(digest.ct_eq(&self.key)) {
            return Err(wrong_key());
        }
        match credential {
            Some(token) if !token.trim().is_empty() => self.guest(token.trim()),
            _ => self.house.clone().ok_or_else(no_house),
        }
    }

    fn guest(&self, refresh_token: &str) -> Result<Arc<Tenant>, Error> {
        let digest: Digest = Sha256::digest(refresh_token).into();
        // A panic while the lock was held cannot have left the map half changed.
        let mut guests = self
            .guests
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = guests.get(&digest) {
            return Ok(known.clone());
        }
        let credential =
            Credential::from_refresh_token(refresh_token.to_owned()).map_err(no_credential)?;
        let salt = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let tenant = Tenant {
            pool: (self.make_pool)(credential),
            catalog: Catalog::new(),
            salt,
        };
        let tenant = Arc::new(tenant);
        guests.put(digest, tenant.clone());
        Ok(tenant)
    }
}

impl Tenant {
    /// Whether the credentials are the server's own.
    pub(crate) fn is_house(&self) -> bool {
        self.salt == HOUSE
    }
}

/// The key of a request. `Authorization` goes first: clients that send both keep a placeholder in the
/// other (observed, November 2026).
fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let plain = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    bearer
        .or_else(|| plain("x-api-key"))
        .or_else(|| plain("api-key"))
        .filter(|key| !key.is_empty())
}

fn missing_key() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "You didn't provide an API key. Send it in an Authorization header: `Authorization: Bearer PROXY_API_KEY`.",
    )
}

fn wrong_key() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "Incorrect API key provided. Use the PROXY_API_KEY of this gateway, alone or as `PROXY_API_KEY:REFRESH_TOKEN`.",
    )
    .with_code("invalid_api_key")
}

fn no_house() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "This gateway has no Kiro login of its own. Bring yours: `Authorization: Bearer PROXY_API_KEY:REFRESH_TOKEN`.",
    )
    .with_code("invalid_api_key")
}

fn no_credential(error: kiro_auth::AuthError) -> Error {
    let message = format!("What stands after the colon of your key is no refresh token: {error}.");
    Error::new(ErrorKind::Unauthorized, message)
        .with_code("invalid_api_key")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(house: bool) -> Tenants {
        let pool = || Pool::new(Vec::new());
        Tenants::new(
            &Secret::from("sk-0123456789abcdef"),
            house.then(pool),
            Box::new(move |_| pool()),
        )
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn the_key_alone_is_the_house_wherever_it_stands() {
        let tenants = tenants(true);
        for headers in [
            headers("authorization", "Bearer sk-0123456789abcdef"),
            headers("authorization", "bearer  sk-0123456789abcdef "),
            headers("x-api-key", "sk-0123456789abcdef"),
            headers("api-key", "sk-0123456789abcdef"),
        ] {
            let tenant = tenants.admit(&headers).unwrap();
            assert!(Arc::ptr_eq(&tenant, tenants.house().unwrap()));
        }
    }

    #[test]
    fn what_is_not_the_key_is_refused() {
        let tenants = tenants(true);
        for (headers, code) in [
            (HeaderMap::new(), None),
            (headers("authorization", "Bearer "), None),
            (headers("authorization", "Basic sk-0123456789abcdef"), None),
            (
                headers("authorization", "Bearer sk-0123456789abcdeF"),
                Some("invalid_api_key"),
            ),
            (
                headers("authorization", "Bearer sk-0123456789abcde"),
                Some("invalid_api_key"),
            ),
            (
                headers("authorization", "Bearer x:sk-0123456789abcdef"),
                Some("invalid_api_key"),
            ),
        ] {
            let error = tenants.admit(&headers).unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Unauthorized, code)
            );
        }
    }

    #[test]
    fn a_guest_is_known_by_the_whole_token_after_the_first_colon() {
        let tenants = tenants(true);
        let long = "x".repeat(120);
        let guest = |signature: &str| {
            let key = format!("Bearer sk-0123456789abcdef:aor{long}:{signature}");
            tenants.admit(&headers("authorization", &key)).unwrap()
        };
        let (one, again, other) = (guest("sig"), guest("sig"), guest("other"));
        assert!(Arc::ptr_eq(&one, &again));
        assert!(!Arc::ptr_eq(&one, &other));
        assert_ne!(one.salt, other.salt);
        assert!(!Arc::ptr_eq(&one, tenants.house().unwrap()));
    }

    #[test]
    fn without_a_house_the_key_alone_is_told_to_bring_a_token() {
        let error = tenants(false)
            .admit(&headers("x-api-key", "sk-0123456789abcdef"))
            .unwrap_err();
        assert!(
            error
                .public_message()
                .contains("PROXY_API_KEY:REFRESH_TOKEN")
        );
    }
}
