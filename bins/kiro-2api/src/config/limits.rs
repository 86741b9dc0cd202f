//! Limits as they are written, and keys that have some. Zero is no limit.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use kiro_auth::Secret;
use kiro_gateway::{AccessKey, KeyDigest};
use serde::{Deserialize, Serialize};

use super::{ConfigError, value};

/// `[limits]`, `[tenants.limits]`, and those of one key.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    #[serde(with = "value::number")]
    requests_per_minute: u32,
    #[serde(with = "value::number")]
    tokens_per_minute: u64,
    #[serde(with = "value::number")]
    concurrency: usize,
    #[serde(with = "value::number")]
    queue: usize,
    #[serde(with = "value::duration")]
    queue_timeout: Duration,
    #[serde(with = "value::number")]
    credits_per_day: f64,
    #[serde(with = "value::number")]
    credits_per_month: f64,
}

/// One of `[[keys]]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Key {
    name: String,
    /// As `kiro-2api key hash` prints it. A secret, in case that it is the key itself.
    #[serde(with = "value::secret")]
    hash: Option<Secret>,
    /// Understood, to be refused with what to do about it.
    #[serde(with = "value::secret", skip_serializing)]
    key: Option<Secret>,
    /// In place of `[limits]`.
    limits: Option<Limits>,
    /// In place of `[tenants.limits]`.
    tenant_limits: Option<Limits>,
}

impl Default for Limits {
    fn default() -> Self {
        let none = kiro_gateway::Limits::default();
        Self {
            requests_per_minute: 0,
            tokens_per_minute: 0,
            concurrency: 0,
            queue: none.queue,
            queue_timeout: none.queue_timeout,
            credits_per_day: 0.0,
            credits_per_month: 0.0,
        }
    }
}

impl Limits {
    /// As the gateway takes them.
    pub(crate) fn of_gateway(&self) -> kiro_gateway::Limits {
        let Self {
            requests_per_minute,
            tokens_per_minute,
            concurrency,
            queue,
            queue_timeout,
            credits_per_day,
            credits_per_month,
        } = *self;
        let budget = |credits: f64| (credits > 0.0).then_some(credits);
        let mut limits = kiro_gateway::Limits::default();
        limits.requests_per_minute = NonZeroU32::new(requests_per_minute);
        limits.tokens_per_minute = NonZeroU64::new(tokens_per_minute);
        limits.concurrency = NonZeroUsize::new(concurrency);
        limits.queue = queue;
        limits.queue_timeout = queue_timeout;
        limits.credits_per_day = budget(credits_per_day);
        limits.credits_per_month = budget(credits_per_month);
        limits
    }
}

impl Key {
    /// As the gateway takes it; what it does not say itself is that of all keys.
    ///
    /// # Errors
    ///
    /// It has no name, or no digest. What stands in the place of one is not repeated.
    pub(crate) fn of_gateway(
        &self,
        limits: &Limits,
        tenant_limits: &Limits,
    ) -> Result<AccessKey, ConfigError> {
        let Self {
            name,
            hash,
            key: in_the_clear,
            limits: own_limits,
            tenant_limits: own_tenant_limits,
        } = self;
        let invalid = |reason: String| Err(ConfigError::Invalid(reason));
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return invalid(
                "one of [[keys]] has no name of letters, digits, `-`, `_` and `.`".into(),
            );
        }
        if in_the_clear.is_some() {
            return invalid(format!(
                "[[keys]] `{name}` holds the key itself; put its hash there instead: `kiro-2api key hash` prints it"
            ));
        }
        let digest = hash.as_ref().map(|hash| hash.expose().parse::<KeyDigest>());
        let Some(Ok(digest)) = digest else {
            return invalid(format!(
                "[[keys]] `{name}` needs a hash: `sha256:` and 64 hexadecimal digits, as `kiro-2api key hash` prints it"
            ));
        };
        let mut key = AccessKey::new(name, digest);
        key.limits = own_limits.as_ref().unwrap_or(limits).of_gateway();
        let tenant_limits = own_tenant_limits.as_ref().unwrap_or(tenant_limits);
        key.tenant_limits = tenant_limits.of_gateway();
        Ok(key)
    }
}
