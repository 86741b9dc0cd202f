//! What a gateway is made of, and what is refused before it starts.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{Pool, Secret};

use crate::admission::{AdmissionOptions, CreditBook, Limits};
use crate::capture::{self, CaptureOptions, Settings};
use crate::catalog::ModelOptions;
use crate::cors::AllowedOrigins;
use crate::image::ImageOptions;
use crate::kept::KeepOptions;
use crate::key::{AccessKey, KeyDigest};
use crate::process::ProcessState;
use crate::telemetry::OpenTelemetry;
use crate::tenant::{GuestOptions, MakePool, USUAL_KEY};
use crate::upstream::UpstreamOptions;

/// What a gateway is made of. Start from [`GatewayOptions::new`].
#[non_exhaustive]
pub struct GatewayOptions {
    /// A key that callers may send. At least [`MIN_KEY_LENGTH`] characters and without a colon. In the log it
    /// is called `default`. `None`: [`keys`](Self::keys) alone.
    pub key: Option<Secret>,
    /// Its limits: of everybody together who sends it.
    pub limits: Limits,
    /// Of each caller who sends it with a credential of their own.
    pub tenant_limits: Limits,
    /// How many keys, that of the operator among them, and how many logins behind a right key, one
    /// [address](crate::Peer) may try without success in a minute; then such attempts are refused with 429. What
    /// works is let in all the same. Default: 60. `None`: no limit.
    pub failed_keys_per_minute: Option<NonZeroU64>,
    /// More keys, known by their digests. Each has callers and limits of its own; the pool serves them all.
    pub keys: Vec<AccessKey>,
    /// Where credits are counted that were spent of a budget. Default: in memory. Whoever saves it lets budgets
    /// survive a restart.
    pub credits: CreditBook,
    /// Shares the limits of keys and callers with all gateways at the same Redis, and keeps credits there. Its
    /// [`timeout`](kiro_auth::RedisStoreOptions::timeout) bounds how long a request waits; make it short. While
    /// it does not answer, this gateway lets in its share: of each limit the part that is one gateway's, as Redis has
    /// last told it. Default: `None`.
    #[cfg(feature = "redis")]
    pub share_limits: Option<kiro_auth::RedisServer>,
    /// How many gateways share limits at most. Only for one that starts while Redis does not answer: it has not heard
    /// how many there are, and lets in the part of one of so many. Default: 1.
    #[cfg(feature = "redis")]
    pub gateways: std::num::NonZeroU32,
    /// How much the gateway takes on at the same time.
    pub admission: AdmissionOptions,
    /// The credentials that serve those who send a key alone. `None`: everyone brings their own.
    pub pool: Option<Pool>,
    /// Makes the pool of a caller who brings a credential, `KEY:CREDENTIAL`.
    pub make_pool: MakePool,
    /// How many of them are remembered, and for how long.
    pub guests: GuestOptions,
    /// When it is said that little is left of an account's quota.
    pub quota: QuotaOptions,
    /// What models are called, besides the names that we know.
    pub models: ModelOptions,
    /// TLS towards the upstream.
    pub tls: rustls::ClientConfig,
    /// How the upstream is reached.
    pub upstream: UpstreamOptions,
    /// Pictures by URL, and pictures that are too large.
    pub images: ImageOptions,
    /// How many responses are kept for `previous_response_id`, and for how long.
    pub keep: KeepOptions,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Largest request body in bytes. Default: 64 MiB, because screenshots travel as base64.
    pub max_body: usize,
    /// Which origins a browser lets talk to the gateway. Default: any, because the key decides.
    pub allowed_origins: AllowedOrigins,
    /// Whether a request is refused when it has a field that would be ignored although it could change
    /// the answer, and whether an answer is when it does not keep what the request demands. Default:
    /// `false`, such fields are named in a header; many clients send a temperature in every request.
    pub refuse_ignored: bool,
    /// Whether an answer that is not the JSON that `response_format` demands is passed on as the model
    /// wrote it, with a word in a header. Default: `false`, it is an error; what asks for JSON reads JSON.
    pub pass_invalid_json: bool,
    /// Where the thoughts of a model are told.
    pub reasoning: Reasoning,
    /// What the program tells of the process, for the metrics. The one of the first options stays.
    pub process: Arc<ProcessState>,
    /// Where traces and metrics go, by OpenTelemetry's conventions. The one of the first options stays. Default:
    /// `None`, nowhere.
    #[cfg(feature = "otel")]
    pub open_telemetry: Option<OpenTelemetry>,
    /// The key of the operator, for `/admin/…` and the dashboard; as long as `key` at least, and no caller's key.
    /// Default: `None`, neither is there.
    pub admin_key: Option<Secret>,
    /// Whether the description of the API and its pages are open, to everybody: they hold no secret. Default:
    /// `true`.
    #[cfg(feature = "pages")]
    pub docs: bool,
    /// What is captured of exchanges, for bug reports. Default: nothing.
    pub capture: Option<CaptureOptions>,
}

/// When it is said that little is left of an account's quota.
///
/// ```
/// let mut options = kiro_gateway::QuotaOptions::default();
/// options.warn_below = 0.25;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QuotaOptions {
    /// The share of what the plan, a trial and gifts hold, from 0 to 1. Below it the log warns once, and answers that
    /// this account gives have the header `x-kiro-quota-remaining`. To know it, the service is asked while the
    /// account is used, at most every five minutes. Default: 0.1. 0: nothing is said, and nothing asked for it.
    pub warn_below: f64,
}

impl Default for QuotaOptions {
    fn default() -> Self {
        Self { warn_below: 0.1 }
    }
}

/// Where the thoughts of a model are told. A request can hide them, whatever is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reasoning {
    /// In a member of their own, `reasoning_content`, which most clients know.
    #[default]
    Member,
    /// In the text, between `<think>` and `</think>`, for clients that know nothing else. Where the text is
    /// to be JSON they stay in the member.
    Tags,
    /// Not at all.
    Hidden,
}

/// Fewest characters of a key. Shorter ones can be guessed.
pub const MIN_KEY_LENGTH: usize = 16;

/// How long to wait for what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection to the upstream, TLS included. Default: 10 s.
    pub connect: Duration,
    /// For a request's body to arrive, and a second more for every 8 KiB of it; and for it to stop in
    /// between. Default: 30 s.
    pub body: Duration,
    /// From sending a request to the first event of the reply, at most. Default: 120 s; large models think.
    pub first_event: Duration,
    /// Between two events, at most. Default: 300 s; gaps of 100 s are normal while a model thinks.
    pub gap: Duration,
    /// For a whole answer that is not streamed. Default: 900 s.
    pub total: Duration,
    /// Multiplies the three for families of models: a part of their names, in lower case, and a factor. The
    /// first that fits counts. Default: 3 for `opus`.
    pub multipliers: Vec<(String, f64)>,
    /// What is learned from a model's recent replies does not make `first_event` shorter than this. As long
    /// as `first_event` itself, nothing is learned. Default: 30 s.
    pub least_first_event: Duration,
    /// The same for `gap`. Default: 120 s.
    pub least_gap: Duration,
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
            body: Duration::from_secs(30),
            first_event: Duration::from_secs(120),
            gap: Duration::from_secs(300),
            total: Duration::from_secs(900),
            multipliers: vec![("opus".to_owned(), 3.0)],
            least_first_event: Duration::from_secs(30),
            least_gap: Duration::from_secs(120),
            patience: Duration::from_secs(20),
            keep_alive: Duration::from_secs(15),
        }
    }
}

impl Timeouts {
    /// How much longer than usual is waited for a model.
    pub(crate) fn multiplier(&self, model: &str) -> f64 {
        let model = model.to_ascii_lowercase();
        let families = self.multipliers.iter();
        let mut fitting = families.filter(|(family, _)| model.contains(family.as_str()));
        fitting.next().map_or(1.0, |(_, multiplier)| *multiplier)
    }
}

impl std::fmt::Debug for GatewayOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayOptions")
            .field("limits", &self.limits)
            .field("tenant_limits", &self.tenant_limits)
            .field("keys", &self.keys)
            .field("admission", &self.admission)
            .field("pool", &self.pool)
            .field("quota", &self.quota)
            .field("upstream", &self.upstream)
            .field("images", &self.images)
            .field("keep", &self.keep)
            .field("timeouts", &self.timeouts)
            .field("max_body", &self.max_body)
            .field("allowed_origins", &self.allowed_origins)
            .field("refuse_ignored", &self.refuse_ignored)
            .field("pass_invalid_json", &self.pass_invalid_json)
            .field("reasoning", &self.reasoning)
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}

impl GatewayOptions {
    /// The defaults, with the parts that have none.
    pub fn new(
        key: impl Into<Option<Secret>>,
        pool: Option<Pool>,
        make_pool: MakePool,
        tls: rustls::ClientConfig,
    ) -> Self {
        Self {
            key: key.into(),
            limits: Limits::default(),
            tenant_limits: Limits::default(),
            failed_keys_per_minute: NonZeroU64::new(60),
            keys: Vec::new(),
            credits: CreditBook::default(),
            #[cfg(feature = "redis")]
            share_limits: None,
            #[cfg(feature = "redis")]
            gateways: std::num::NonZeroU32::MIN,
            admission: AdmissionOptions::default(),
            pool,
            make_pool,
            guests: GuestOptions::default(),
            quota: QuotaOptions::default(),
            models: ModelOptions::default(),
            tls,
            upstream: UpstreamOptions::default(),
            images: ImageOptions::default(),
            keep: KeepOptions::default(),
            timeouts: Timeouts::default(),
            max_body: 64 << 20,
            allowed_origins: AllowedOrigins::default(),
            refuse_ignored: false,
            pass_invalid_json: false,
            reasoning: Reasoning::default(),
            process: Arc::default(),
            #[cfg(feature = "otel")]
            open_telemetry: None,
            admin_key: None,
            #[cfg(feature = "pages")]
            docs: true,
            capture: None,
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
    #[error("the key holds a colon, which divides it from a tenant's credential")]
    KeyWithColon,
    /// There is no key at all, so nobody could be let in.
    #[error("there is no key that callers could send")]
    NoKey,
    /// Two keys have one name, so the log could not tell them apart.
    #[error("two keys are called `{name}`")]
    TwoKeysOfOneName {
        /// The name.
        name: String,
    },
    /// Two names are of one key, so nobody could tell whose limits count.
    #[error("the keys `{first}` and `{second}` are the same")]
    OneKeyTwice {
        /// The name of one.
        first: String,
        /// The name of the other.
        second: String,
    },
    /// Whoever has this key would see what only the operator should.
    #[error("the admin key is the key `{name}` of callers")]
    AdminKeyOfCaller {
        /// What the key is called.
        name: String,
    },
    /// A body of the largest size could never be held.
    #[error("max_body_memory is {memory} bytes, less than max_body, {body}")]
    BodyMemory {
        /// For all bodies.
        memory: usize,
        /// For one.
        body: usize,
    },
    /// It is no share.
    #[error("quota.warn_below is {share}; it is a share from 0 to 1, such as 0.1 for a tenth")]
    WarnBelow {
        /// What was given.
        share: String,
    },
    /// The endpoint override would send tokens in the clear.
    #[error("the upstream endpoint `{endpoint}` is neither https nor on the loopback interface")]
    InsecureEndpoint {
        /// The address as given.
        endpoint: String,
    },
    /// No browser would ever name this origin.
    #[error(
        "`{origin}` is no origin; one is written as `https://app.example.com` or `http://localhost:3000`, in lower case and without a path"
    )]
    NoOrigin {
        /// The origin as given.
        origin: String,
    },
}

impl GatewayOptions {
    /// Refuses what would be unsafe.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        if let Some(key) = &self.key {
            check_key(key)?;
        }
        check_keys(&self.all_keys())?;
        if let Some(admin) = &self.admin_key {
            check_key(admin)?;
            let digest = KeyDigest::of(admin);
            let mut keys = self.all_keys().into_iter();
            if let Some(same) = keys.find(|key| key.digest.matches(&digest)) {
                return Err(SetupError::AdminKeyOfCaller { name: same.name });
            }
        }
        let (memory, body) = (self.admission.max_body_memory, self.max_body);
        if (1..body).contains(&memory) {
            return Err(SetupError::BodyMemory { memory, body });
        }
        check_share(self.quota.warn_below)?;
        if let Some(origin) = self.allowed_origins.unusable() {
            let origin = origin.to_owned();
            return Err(SetupError::NoOrigin { origin });
        }
        match &self.upstream.endpoint {
            Some(endpoint) => check_endpoint(endpoint),
            None => Ok(()),
        }
    }
}

impl GatewayOptions {
    /// The key that needs no digest, if there is one, and the others.
    pub(crate) fn all_keys(&self) -> Vec<AccessKey> {
        let usual = self.key.as_ref().map(|key| {
            let mut usual = AccessKey::new(USUAL_KEY, KeyDigest::of(key));
            usual.limits = self.limits.clone();
            usual.tenant_limits = self.tenant_limits.clone();
            usual
        });
        usual.into_iter().chain(self.keys.iter().cloned()).collect()
    }
}

impl GatewayOptions {
    /// Where traces go.
    pub(crate) fn traces(&self) -> Option<OpenTelemetry> {
        #[cfg(feature = "otel")]
        return self.open_telemetry.clone();
        #[cfg(not(feature = "otel"))]
        None
    }

    /// What of them an answer depends on, as a capture has it.
    pub(crate) fn captured(&self) -> Settings {
        let reasoning = match self.reasoning {
            Reasoning::Member => "reasoning_content",
            Reasoning::Tags => "tags",
            Reasoning::Hidden => "hidden",
        };
        let ModelOptions {
            aliases,
            fallback,
            // It changes the list, and no answer.
            hidden: _,
        } = &self.models;
        Settings {
            refuse_ignored: self.refuse_ignored,
            pass_invalid_json: self.pass_invalid_json,
            reasoning: reasoning.to_owned(),
            max_retries: self.upstream.max_retries,
            timeouts: self.timeouts.captured(),
            models: capture::Names {
                aliases: aliases.clone(),
                fallback: fallback.clone(),
            },
        }
    }
}

impl Timeouts {
    /// Those of an answer, in seconds.
    fn captured(&self) -> capture::Limits {
        let Self {
            first_event,
            gap,
            total,
            multipliers,
            patience,
            keep_alive,
            // Of what goes before it, and of what other answers have taught.
            connect: _,
            body: _,
            least_first_event: _,
            least_gap: _,
        } = self;
        capture::Limits {
            first_event: first_event.as_secs_f64(),
            gap: gap.as_secs_f64(),
            total: total.as_secs_f64(),
            patience: patience.as_secs_f64(),
            keep_alive: keep_alive.as_secs_f64(),
            multipliers: multipliers.iter().cloned().collect(),
        }
    }
}

fn check_keys(keys: &[AccessKey]) -> Result<(), SetupError> {
    if keys.is_empty() {
        return Err(SetupError::NoKey);
    }
    for (place, key) in keys.iter().enumerate() {
        for other in &keys[..place] {
            if key.name == other.name {
                let name = key.name.clone();
                return Err(SetupError::TwoKeysOfOneName { name });
            }
            if key.digest.matches(&other.digest) {
                let (first, second) = (other.name.clone(), key.name.clone());
                return Err(SetupError::OneKeyTwice { first, second });
            }
        }
    }
    Ok(())
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

fn check_share(share: f64) -> Result<(), SetupError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    let share = share.to_string();
    Err(SetupError::WarnBelow { share })
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
    fn keys_are_told_apart_and_there_is_one() {
        let key = |name: &str, key: &str| AccessKey::new(name, KeyDigest::of_text(key));
        assert_eq!(check_keys(&[]), Err(SetupError::NoKey));
        assert_eq!(check_keys(&[key("a", "1"), key("b", "2")]), Ok(()));
        assert_eq!(
            check_keys(&[key("a", "1"), key("a", "2")]),
            Err(SetupError::TwoKeysOfOneName { name: "a".into() })
        );
        assert_eq!(
            check_keys(&[key("a", "1"), key("b", "2"), key("c", "1")]),
            Err(SetupError::OneKeyTwice {
                first: "a".into(),
                second: "c".into()
            })
        );
    }

    #[test]
    fn a_share_is_none_beyond_the_whole() {
        for (share, is_good) in [(0.0, true), (1.0, true), (-0.1, false), (10.0, false)] {
            assert_eq!(check_share(share).is_ok(), is_good, "{share}");
        }
        let told = check_share(f64::NAN).unwrap_err().to_string();
        assert!(told.contains("quota.warn_below is NaN"), "{told}");
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
