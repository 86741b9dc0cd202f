//! Who is calling and whose credential serves them.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use kiro_auth::{Credential, Pool, Secret};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::admission::{Callers, Gate, GateName, Gates, Tally};
use crate::brake::Attempt;
use crate::catalog::{Catalog, ModelOptions};
use crate::error::{Error, ErrorKind};
use crate::kept::Owner;
use crate::key::{AccessKey, KeyDigest};
use crate::quota::{Quotas, Threshold};
use crate::search::Hosted;

/// A caller with the credentials that serve them.
#[derive(Debug)]
pub(crate) struct Tenant {
    /// What the key that they send is called.
    pub(crate) key: Arc<str>,
    /// The limits of theirs and of their key.
    pub(crate) gates: Gates,
    /// Whether the credentials are the server's own.
    is_house: bool,
    /// The credentials.
    pub(crate) pool: Pool,
    /// What is left of the credentials.
    pub(crate) quotas: Arc<Quotas>,
    /// The models that they may use.
    pub(crate) catalog: Catalog,
    /// Told apart from other tenants in ids that go upstream; reveals nothing.
    pub(crate) salt: String,
    /// Whose the responses are that are kept for them.
    pub(crate) owner: Arc<Owner>,
    /// Held while somebody asks for the profile of a login of theirs.
    pub(crate) finding_profile: tokio::sync::Mutex<()>,
    /// Whether they have a search of the web.
    pub(crate) hosted: Hosted,
}

/// The salt of those who use the server's own credentials, with the name of their key unless it is the usual
/// one; those of guests are hexadecimal.
const HOUSE: &str = "house";

/// The name of the key that needs no table.
pub(crate) const USUAL_KEY: &str = "default";

/// Makes the pool of a guest, a caller who brings a credential of their own.
///
/// It is called for a guest who comes for the first time, and again when they have been idle or many others
/// came in between. What they send stays the same when it has long been rotated; so the store must find what
/// took its place, as [`kiro_auth`]'s vault does.
pub type MakePool = Box<dyn Fn(Credential) -> Pool + Send + Sync>;

/// How many guests are remembered, and for how long.
///
/// ```
/// let mut options = kiro_gateway::GuestOptions::default();
/// options.max_guests = std::num::NonZeroUsize::new(50).expect("not zero");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GuestOptions {
    /// Most guests at the same time; the one who was idle for the longest time is forgotten first. Default:
    /// 1 000. A guest costs a few kilobytes.
    pub max_guests: NonZeroUsize,
    /// A guest who did not come for this long is forgotten. Default: 1 hour, the life of an access token.
    pub idle_expiry: Duration,
}

impl Default for GuestOptions {
    fn default() -> Self {
        Self {
            max_guests: const { NonZeroUsize::new(1_000).expect("it is not zero") },
            idle_expiry: Duration::from_secs(3600),
        }
    }
}

/// The callers that we know.
pub(crate) struct Tenants {
    doors: Vec<Door>,
    house: Option<Pool>,
    /// What is left of the server's own credentials.
    quotas: Arc<Quotas>,
    threshold: Threshold,
    /// The one who came last is in front.
    guests: Arc<Mutex<lru::LruCache<Digest, Known>>>,
    callers: Callers,
    max_guests: NonZeroUsize,
    idle_expiry: Duration,
    make_pool: MakePool,
    models: Arc<ModelOptions>,
    tally: Tally,
}

/// A key, and who comes with it.
struct Door {
    key: AccessKey,
    name: Arc<str>,
    gate: Option<Arc<Gate>>,
    /// Those who send the key alone, once they came.
    house: OnceLock<Arc<Tenant>>,
}

/// A guest who was here.
struct Known {
    tenant: Arc<Tenant>,
    last_seen: Instant,
}

type Digest = [u8; 32];

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants")
            .field("house", &self.house.is_some())
            .finish_non_exhaustive()
    }
}

impl Tenants {
    /// `house` serves those who send a key alone.
    pub(crate) fn new(
        keys: Vec<AccessKey>,
        house: Option<Pool>,
        make_pool: MakePool,
        options: &GuestOptions,
        models: ModelOptions,
        threshold: Threshold,
        tally: Tally,
    ) -> Self {
        let &GuestOptions {
            max_guests,
            idle_expiry,
        } = options;
        let doors = keys.into_iter().map(|key| Door::new(key, &tally));
        Self {
            doors: doors.collect(),
            house,
            quotas: Arc::new(Quotas::new(threshold.clone())),
            threshold,
            guests: Arc::new(Mutex::new(lru::LruCache::new(max_guests))),
            callers: Callers::default(),
            max_guests,
            idle_expiry,
            make_pool,
            models: Arc::new(models),
            tally,
        }
    }

    /// Takes over from a predecessor who comes with each key that is still the same, if the server's own pool is;
    /// and the guests, if all keys are: what is kept for them is found by what they send.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.threshold.succeed(&old.threshold);
        self.quotas = old.quotas.clone();
        let is_same_pool = match (&self.house, &old.house) {
            (Some(new), Some(old)) => new.is(old),
            _ => false,
        };
        let mut all_same = self.doors.len() == old.doors.len();
        for door in &mut self.doors {
            let Some(before) = old.doors.iter().find(|before| before.is(door)) else {
                all_same = false;
                continue;
            };
            door.gate = before.gate.clone();
            if let (true, Some(tenant)) = (is_same_pool, before.house.get()) {
                tenant.catalog.set_options(&self.models);
                door.house = OnceLock::from(tenant.clone());
            }
        }
        if !all_same {
            return;
        }
        self.guests = old.guests.clone();
        self.callers = old.callers.clone();
        let mut guests = self.guests();
        guests.resize(self.max_guests);
        for (_, known) in guests.iter() {
            known.tenant.catalog.set_options(&self.models);
        }
    }

    /// The credentials of the server itself, if it has any.
    pub(crate) fn house(&self) -> Option<&Pool> {
        self.house.as_ref()
    }

    /// What is left of them.
    pub(crate) fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// The share of a quota below which little is left.
    pub(crate) fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// Who sent these headers: `KEY` alone, or `KEY:CREDENTIAL`, as a bearer or as an API key. Where several
    /// are sent, one that is right is enough, and the first of those counts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] when there is no key, no right one, or a right one without a credential
    /// behind it.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Arc<Tenant>, Error> {
        let sent = presented_keys(headers);
        if sent.is_empty() {
            return Err(missing_key());
        }
        let mut refusal = None;
        for sent in sent {
            match self.owner(sent) {
                Some(Ok(tenant)) => return Ok(tenant),
                Some(Err(error)) => refusal = refusal.or(Some(error)),
                None => {}
            }
        }
        Err(refusal.unwrap_or_else(wrong_key))
    }

    /// What somebody tries with these headers, unless they are known: a key, or a login behind a right one that
    /// has not been here lately.
    pub(crate) fn attempt(&self, headers: &HeaderMap) -> Option<Attempt> {
        let mut attempt = Attempt::Key;
        for sent in presented_keys(headers) {
            let (key, credential) = divide(sent);
            let Some(door) = self.door(key) else { continue };
            let is_known = |token| self.guests().contains(&guest_digest(door, token));
            if credential.is_none_or(is_known) {
                return None;
            }
            attempt = Attempt::Login;
        }
        Some(attempt)
    }

    /// Whose one of the keys is. `None` for a wrong one.
    fn owner(&self, sent: &str) -> Option<Result<Arc<Tenant>, Error>> {
        let (key, credential) = divide(sent);
        let door = self.door(key)?;
        Some(match credential {
            Some(token) => self.guest(door, key, token),
            None => self.at_home(door, key),
        })
    }

    /// The door that a key opens. All are tried, so that the time does not tell how many there are before it.
    fn door(&self, key: &str) -> Option<&Door> {
        let digest = KeyDigest::of_text(key);
        let mut opened = None;
        for door in &self.doors {
            if door.key.digest.matches(&digest) {
                opened = Some(door);
            }
        }
        opened
    }

    /// Who sends a key alone. Those of different keys share the credentials and nothing else.
    fn at_home(&self, door: &Door, key: &str) -> Result<Arc<Tenant>, Error> {
        let pool = self.house.as_ref().ok_or_else(no_house)?;
        let tenant = door.house.get_or_init(|| {
            let salt = match &*door.name {
                USUAL_KEY => HOUSE.to_owned(),
                name => format!("{HOUSE}:{name}"),
            };
            let gates = Gates::new([door.gate.clone()], self.tally.ledger.as_ref());
            let secret = Secret::from(key);
            Arc::new(self.tenant(door, pool.clone(), gates, salt, secret, true))
        });
        Ok(tenant.clone())
    }

    fn guest(&self, door: &Door, key: &str, sent: &str) -> Result<Arc<Tenant>, Error> {
        let digest = guest_digest(door, sent);
        let now = Instant::now();
        let mut guests = self.guests();
        forget_idle(&mut guests, now, self.idle_expiry);
        if let Some(known) = guests.get_mut(&digest) {
            known.last_seen = now;
            return Ok(known.tenant.clone());
        }
        let credential = Credential::from_compact(&Secret::from(sent)).map_err(no_credential)?;
        let salt: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // All that they send, so that nobody can guess it who does not have the key as well.
        let whole = Secret::new(format!("{key}:{sent}"));
        let own = self
            .callers
            .gates_of(&credential, &door.key, &self.tally.book);
        let own = own.into_iter().map(Some);
        let gates = own.chain([door.gate.clone()]);
        let gates = Gates::new(gates, self.tally.ledger.as_ref());
        let pool = (self.make_pool)(credential);
        let tenant = Arc::new(self.tenant(door, pool, gates, salt, whole, false));
        let known = Known {
            tenant: tenant.clone(),
            last_seen: now,
        };
        guests.put(digest, known);
        Ok(tenant)
    }

    /// `secret` is what they send.
    fn tenant(
        &self,
        door: &Door,
        pool: Pool,
        gates: Gates,
        salt: String,
        secret: Secret,
        is_house: bool,
    ) -> Tenant {
        Tenant {
            key: door.name.clone(),
            gates,
            is_house,
            pool,
            quotas: match is_house {
                true => self.quotas.clone(),
                false => Arc::new(Quotas::new(self.threshold.clone())),
            },
            catalog: Catalog::new(&self.models),
            owner: Arc::new(Owner::new(salt.clone(), secret)),
            salt,
            finding_profile: tokio::sync::Mutex::default(),
            hosted: Hosted::default(),
        }
    }

    /// A panic while the lock was held cannot have left the map half changed.
    fn guests(&self) -> MutexGuard<'_, lru::LruCache<Digest, Known>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    fn new(key: AccessKey, tally: &Tally) -> Self {
        let whose = format!("the key `{}`", key.name);
        let name = GateName::of_key(&key.digest);
        Self {
            gate: Gate::new(whose, name, &key.limits, &tally.book).map(Arc::new),
            name: key.name.as_str().into(),
            key,
            house: OnceLock::new(),
        }
    }

    /// Whether it is the same key with the same limits.
    fn is(&self, other: &Self) -> bool {
        let AccessKey {
            name,
            digest,
            limits,
            tenant_limits,
        } = &self.key;
        let other = &other.key;
        *name == other.name
            && digest.matches(&other.digest)
            && *limits == other.limits
            && *tenant_limits == other.tenant_limits
    }
}

/// The key and what is sent behind it, if anything is. Refresh tokens hold a colon themselves, so only the first
/// one divides; a key has none.
fn divide(sent: &str) -> (&str, Option<&str>) {
    match sent.split_once(':') {
        Some((key, credential)) => (key, Some(credential.trim()).filter(|it| !it.is_empty())),
        None => (sent, None),
    }
}

/// What a guest is known by. The same credential behind another key is another guest. No header holds the zero.
fn guest_digest(door: &Door, sent: &str) -> Digest {
    let before = match &*door.name {
        USUAL_KEY => String::new(),
        name => format!("{name}\0"),
    };
    let digest = Sha256::new_with_prefix(before).chain_update(sent);
    digest.finalize().into()
}

/// Their exchanges go on: they hold what they need.
fn forget_idle(guests: &mut lru::LruCache<Digest, Known>, now: Instant, idle_expiry: Duration) {
    while let Some((_, known)) = guests.peek_lru() {
        if now.duration_since(known.last_seen) <= idle_expiry {
            return;
        }
        guests.pop_lru();
    }
}

impl Tenant {
    /// Whether the credentials are the server's own.
    pub(crate) fn is_house(&self) -> bool {
        self.is_house
    }
}

/// The keys of a request. Clients that send two keep a placeholder in one of them, some in
/// `Authorization` and some in the other (observed, November 2026).
fn presented_keys(headers: &HeaderMap) -> Vec<&str> {
    // One that is sent twice is none: who reads the first and who reads the last would not agree.
    let text = |name: &str| {
        let mut sent = headers.get_all(name).iter();
        let value = sent.next().filter(|_| sent.next().is_none())?;
        value.to_str().ok()
    };
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let keys = [bearer, text("x-api-key"), text("api-key")];
    let keys = keys.into_iter().flatten().map(str::trim);
    keys.filter(|key| !key.is_empty()).collect()
}

/// Everything in the headers of a request that lets somebody in: the keys, the credentials behind them, and the
/// secrets in those.
pub(crate) fn sent_secrets(headers: &HeaderMap) -> Vec<String> {
    let mut secrets = Vec::new();
    for sent in presented_keys(headers) {
        secrets.push(sent.to_owned());
        let (key, credential) = sent.split_once(':').unwrap_or((sent, ""));
        secrets.extend([key.to_owned(), credential.to_owned()]);
        if let Ok(credential) = Credential::from_compact(&Secret::from(credential.trim())) {
            let within = [
                credential.access_token,
                credential.refresh_token,
                credential.client_secret,
            ];
            let within = within.into_iter().flatten();
            secrets.extend(within.map(|secret| secret.expose().to_owned()));
        }
    }
    secrets
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
        "Incorrect API key provided. Use the PROXY_API_KEY of this gateway, alone or as `PROXY_API_KEY:CREDENTIAL`.",
    )
    .with_code("invalid_api_key")
}

fn no_house() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "This gateway has no Kiro login of its own. Bring yours: `Authorization: Bearer PROXY_API_KEY:REFRESH_TOKEN`, or a `ksk_` key in place of the token.",
    )
    .with_code("invalid_api_key")
}

fn no_credential(error: kiro_auth::AuthError) -> Error {
    let message = format!(
        "What stands after the colon of your key is no credential: {error}. Send a refresh token, a `ksk_` key, or base64url of a JSON object with refreshToken, clientId, clientSecret and region."
    );
    Error::new(ErrorKind::Unauthorized, message)
        .with_code("invalid_api_key")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(house: bool) -> Tenants {
        tenants_with(house, GuestOptions::default())
    }

    fn tenants_with(house: bool, options: GuestOptions) -> Tenants {
        let pool = || Pool::new(Vec::new());
        Tenants::new(
            keys(),
            house.then(pool),
            Box::new(move |_| pool()),
            &options,
            ModelOptions::default(),
            Threshold::new(0.0),
            Tally::default(),
        )
    }

    fn keys() -> Vec<AccessKey> {
        let key = |name: &str, key: &str| AccessKey::new(name, KeyDigest::of_text(key));
        vec![
            key(USUAL_KEY, "sk-0123456789abcdef"),
            key("team", "k2a_0123456789abcdef"),
        ]
    }

    /// Those who send the usual key alone.
    fn house(tenants: &Tenants) -> Arc<Tenant> {
        let key = headers("x-api-key", "sk-0123456789abcdef");
        tenants.admit(&key).unwrap()
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
            assert!(Arc::ptr_eq(&tenant, &house(&tenants)));
        }
    }

    #[test]
    fn of_two_keys_a_right_one_is_enough() {
        let tenants = tenants(true);
        let house = &house(&tenants);
        let key = "sk-0123456789abcdef";
        let (guest, other) = (&format!("{key}:one"), &format!("{key}:two"));
        let (mine, others) = (come(&tenants, "one"), come(&tenants, "two"));
        for (bearer, plain, whose) in [
            (key, key, Some(house)),
            (key, "placeholder", Some(house)),
            ("placeholder", key, Some(house)),
            (guest, "placeholder", Some(&mine)),
            ("placeholder", guest, Some(&mine)),
            ("placeholder:one", guest, Some(&mine)),
            (guest, "placeholder:one", Some(&mine)),
            // Of two that are right the bearer counts.
            (guest, key, Some(&mine)),
            (key, guest, Some(house)),
            (guest, other, Some(&mine)),
            (other, guest, Some(&others)),
            ("placeholder", "other", None),
            ("placeholder:one", "other:one", None),
        ] {
            for name in ["x-api-key", "api-key"] {
                let mut both = headers("authorization", &format!("Bearer {bearer}"));
                both.extend(headers(name, plain));
                let admitted = tenants.admit(&both);
                let is_right = match (&admitted, whose) {
                    (Ok(admitted), Some(whose)) => Arc::ptr_eq(admitted, whose),
                    (Err(error), None) => error.code() == Some("invalid_api_key"),
                    _ => false,
                };
                assert!(is_right, "{bearer} and {plain} in {name}: {admitted:?}");
            }
        }
        // Another scheme is no key at all.
        let mut both = headers("authorization", "Basic placeholder");
        both.extend(headers("x-api-key", key));
        assert!(tenants.admit(&both).is_ok());
        let mut plain = headers("x-api-key", "placeholder");
        plain.extend(headers("api-key", key));
        assert!(tenants.admit(&plain).is_ok());
    }

    #[test]
    fn of_two_keys_the_right_one_says_what_it_lacks() {
        let mut both = headers("authorization", "Bearer placeholder");
        both.extend(headers("x-api-key", "sk-0123456789abcdef"));
        let error = tenants(false).admit(&both).unwrap_err();
        assert!(error.public_message().contains("no Kiro login"), "{error}");
    }

    #[test]
    fn what_is_not_the_key_is_refused() {
        let tenants = tenants(true);
        for (headers, code) in [
            (HeaderMap::new(), None),
            (headers("authorization", "Bearer "), None),
            (headers("x-api-key", " "), None),
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
    fn keys_share_the_credentials_and_nothing_else() {
        let tenants = tenants(true);
        let come = |key: &str| tenants.admit(&headers("x-api-key", key)).unwrap();
        let (usual, team) = (come("sk-0123456789abcdef"), come("k2a_0123456789abcdef"));
        assert!(Arc::ptr_eq(&team, &come("k2a_0123456789abcdef")));
        assert!(usual.is_house() && team.is_house());
        assert_eq!((&*usual.key, &*team.key), ("default", "team"));
        assert_ne!(usual.salt, team.salt);
        let guest = come("sk-0123456789abcdef:one");
        let of_team = come("k2a_0123456789abcdef:one");
        assert!(!guest.is_house() && !of_team.is_house());
        assert_eq!(&*of_team.key, "team");
        assert_ne!(guest.salt, of_team.salt);
    }

    #[test]
    fn a_key_is_opaque_bytes_and_sent_once() {
        let tenants = tenants(true);
        for key in [
            "K2A_0123456789abcdef",
            "k2a_0123456789ABCDEF",
            "k2a_0123456789abcdef%20",
            "k2a_%30123456789abcdef",
            "k2a_0123456789abcdef,k2a_0123456789abcdef",
            "k2a_0123456789 abcdef",
            "team",
        ] {
            let refused = tenants.admit(&headers("x-api-key", key));
            assert!(refused.is_err(), "{key}");
        }
        let mut twice = headers("authorization", "Bearer k2a_0123456789abcdef");
        assert!(tenants.admit(&twice).is_ok());
        twice.append(
            "authorization",
            "Bearer k2a_0123456789abcdef".parse().unwrap(),
        );
        assert!(tenants.admit(&twice).is_err());
        twice.append("x-api-key", "k2a_0123456789abcdef".parse().unwrap());
        assert!(tenants.admit(&twice).is_ok());
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
        assert!(!Arc::ptr_eq(&one, &house(&tenants)));
    }

    fn come(tenants: &Tenants, sent: &str) -> Arc<Tenant> {
        let key = format!("sk-0123456789abcdef:{sent}");
        tenants.admit(&headers("x-api-key", &key)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_is_forgotten_after_being_idle_and_not_before() {
        let options = GuestOptions {
            idle_expiry: Duration::from_secs(60),
            ..GuestOptions::default()
        };
        let tenants = tenants_with(true, options);
        let (idle, busy) = (come(&tenants, "idle"), come(&tenants, "busy"));
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(30)).await;
            assert!(Arc::ptr_eq(&busy, &come(&tenants, "busy")));
        }
        assert_eq!(tenants.guests.lock().unwrap().len(), 1);
        assert!(!Arc::ptr_eq(&idle, &come(&tenants, "idle")));
    }

    #[test]
    fn the_number_of_guests_is_bounded() {
        let options = GuestOptions {
            max_guests: NonZeroUsize::new(2).unwrap(),
            ..GuestOptions::default()
        };
        let tenants = tenants_with(true, options);
        let (one, two) = (come(&tenants, "one"), come(&tenants, "two"));
        assert!(Arc::ptr_eq(&one, &come(&tenants, "one")));
        come(&tenants, "three");
        assert!(
            Arc::ptr_eq(&one, &come(&tenants, "one")),
            "came last but one"
        );
        assert!(!Arc::ptr_eq(&two, &come(&tenants, "two")));
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
