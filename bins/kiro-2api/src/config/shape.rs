//! The shape of the configuration: every section and key, with its form.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiro_auth::Secret;
use serde::{Deserialize, Serialize};

use super::limits::{Key, Limits};
use super::{ConfigError, value};

/// Everything that can be configured.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The key that everyone must send.
    #[serde(with = "value::secret")]
    pub(crate) proxy_api_key: Option<Secret>,
    /// More keys, known by their hashes.
    pub(crate) keys: Vec<Key>,
    /// Of each key that has none of its own.
    pub(crate) limits: Limits,
    /// The refresh token of the account that serves those who send the key alone.
    #[serde(with = "value::secret")]
    pub(crate) refresh_token: Option<Secret>,
    /// Kiro's JSON credential file of that account, or the database of kiro-cli, instead of the token.
    pub(crate) creds_file: Option<PathBuf>,
    /// The API key of that account, instead of either.
    #[serde(with = "value::secret")]
    pub(crate) api_key: Option<Secret>,
    /// Its profile ARN, when the login does not tell.
    pub(crate) profile_arn: Option<String>,
    /// Whether to look for a login of this machine's user where none is configured. Off, because a
    /// gateway that many share must not serve them with its administrator's login by surprise.
    #[serde(with = "value::switch")]
    pub(crate) discover: bool,
    /// Where to look for the database of kiro-cli, in place of its usual paths.
    pub(crate) kiro_cli_database: Option<PathBuf>,
    /// More accounts.
    pub(crate) account: Vec<Account>,
    pub(crate) store: Store,
    pub(crate) tenants: Tenants,
    pub(crate) models: Models,
    pub(crate) quota: Quota,
    pub(crate) server: Server,
    pub(crate) admin: Admin,
    pub(crate) upstream: Upstream,
    pub(crate) images: Images,
    pub(crate) responses: Responses,
    pub(crate) timeouts: Timeouts,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
    /// Accounts that `login` and `accounts` have saved; see [`saved`](crate::saved).
    #[serde(skip)]
    pub(crate) saved: Vec<Account>,
}

/// One account of the gateway's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Account {
    pub(crate) name: String,
    #[serde(with = "value::secret")]
    pub(crate) refresh_token: Option<Secret>,
    #[serde(with = "value::secret")]
    pub(crate) api_key: Option<Secret>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) kiro_cli: Option<PathBuf>,
    pub(crate) profile_arn: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) wire_profile: Option<String>,
    /// Whether it was saved by a command and is not configured.
    #[serde(skip)]
    pub(crate) is_saved: bool,
    /// Of a saved account: how often its login was replaced.
    #[serde(skip)]
    pub(crate) generation: u64,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    pub(crate) kind: StoreKind,
    /// The folder, for `file`.
    pub(crate) path: Option<PathBuf>,
    /// The server, for `redis`.
    #[serde(with = "value::secret")]
    pub(crate) url: Option<Secret>,
    /// How many gateways share it at most, for `redis`.
    #[serde(with = "value::number")]
    pub(crate) gateways: NonZeroU32,
}

/// Where rotated tokens are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    /// In a folder, sealed.
    #[default]
    File,
    /// In Redis or Valkey, sealed, for several gateways.
    Redis,
    /// In the process.
    Memory,
}

/// `[tenants]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tenants {
    #[serde(with = "value::number")]
    pub(crate) max_tracked: NonZeroUsize,
    #[serde(with = "value::duration")]
    pub(crate) idle_expiry: Duration,
    /// Of each of them.
    pub(crate) limits: Limits,
}

/// `[models]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Models {
    #[serde(with = "value::map")]
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) fallback: Option<String>,
    #[serde(with = "value::list")]
    pub(crate) hidden: Vec<String>,
}

/// `[quota]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Quota {
    /// The share of a quota below which it is said that little is left; 0 is never.
    #[serde(with = "value::number")]
    pub(crate) warn_below: f64,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    #[serde(with = "value::switch")]
    pub(crate) reuse_port: bool,
    pub(crate) tls: Tls,
    #[serde(with = "value::size")]
    pub(crate) max_body: usize,
    #[serde(with = "value::size")]
    pub(crate) max_body_memory: usize,
    /// `None`: that of the control group.
    #[serde(with = "value::size_or_auto")]
    pub(crate) max_memory: Option<usize>,
    #[serde(with = "value::number")]
    pub(crate) max_connections: usize,
    #[serde(with = "value::number")]
    pub(crate) max_exchanges: usize,
    #[serde(with = "value::number")]
    pub(crate) queue: usize,
    #[serde(with = "value::duration")]
    pub(crate) queue_timeout: Duration,
    #[serde(with = "value::number")]
    pub(crate) failed_keys_per_minute: u64,
    /// Origins whose pages may use the gateway; `*` is all of them.
    #[serde(with = "value::list")]
    pub(crate) allowed_origins: Vec<String>,
    #[serde(with = "value::switch")]
    pub(crate) refuse_ignored: bool,
    #[serde(with = "value::switch")]
    pub(crate) pass_invalid_json: bool,
    pub(crate) reasoning: Reasoning,
    #[serde(with = "value::switch")]
    pub(crate) docs: bool,
    #[serde(with = "value::duration")]
    pub(crate) header_timeout: Duration,
    #[serde(with = "value::duration")]
    pub(crate) write_timeout: Duration,
    #[serde(with = "value::switch")]
    pub(crate) half_close: bool,
    #[serde(with = "value::duration")]
    pub(crate) drain_timeout: Duration,
    #[serde(with = "value::duration")]
    pub(crate) drain_delay: Duration,
}

/// `[admin]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    /// The key of the operator.
    #[serde(with = "value::secret")]
    pub(crate) key: Option<Secret>,
}

/// `[server.tls]`: certificate and key, or neither; and whose clients get in.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
}

/// Where the thoughts of a model are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reasoning {
    /// In a member of their own.
    #[serde(rename = "reasoning_content")]
    Member,
    /// In the text, between tags.
    Tags,
    /// Nowhere.
    Hidden,
}

/// `[upstream]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Upstream {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) auth_endpoint: Option<String>,
    pub(crate) wire_profile: Option<String>,
    pub(crate) user_agent: String,
    #[serde(with = "value::number")]
    pub(crate) max_retries: u32,
    #[serde(with = "value::list")]
    pub(crate) idp_hosts: Vec<String>,
    /// Who else may vouch for the service, in PEM.
    pub(crate) ca: Option<PathBuf>,
}

/// `[images]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Images {
    pub(crate) fetch: FetchImages,
    #[serde(with = "value::switch")]
    pub(crate) scale: bool,
    #[serde(with = "value::size")]
    pub(crate) max_bytes: usize,
    #[serde(with = "value::duration")]
    pub(crate) timeout: Duration,
    #[serde(with = "value::list")]
    pub(crate) ports: Vec<String>,
    #[serde(with = "value::list")]
    pub(crate) allow_private: Vec<String>,
}

/// For whom pictures named by a URL are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FetchImages {
    /// For nobody.
    Off,
    /// For those who use the gateway's own logins.
    Own,
    /// For everyone who has the key.
    All,
}

/// `[responses]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Responses {
    #[serde(with = "value::size")]
    pub(crate) max_bytes: usize,
    #[serde(with = "value::duration")]
    pub(crate) idle_expiry: Duration,
}

/// `[timeouts]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    #[serde(with = "value::duration")]
    pub(crate) connect: Duration,
    #[serde(with = "value::duration")]
    pub(crate) body: Duration,
    #[serde(with = "value::duration")]
    pub(crate) first_event: Duration,
    #[serde(with = "value::duration")]
    pub(crate) gap: Duration,
    #[serde(with = "value::duration")]
    pub(crate) total: Duration,
    /// Parts of models' names, and factors.
    pub(crate) multipliers: BTreeMap<String, Multiplier>,
    #[serde(with = "value::duration")]
    pub(crate) least_first_event: Duration,
    #[serde(with = "value::duration")]
    pub(crate) least_gap: Duration,
    #[serde(with = "value::duration")]
    pub(crate) patience: Duration,
    #[serde(with = "value::duration")]
    pub(crate) keep_alive: Duration,
}

/// How much longer than usual is waited for a family of models.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Multiplier(#[serde(with = "value::number")] pub(crate) f64);

impl Timeouts {
    /// Longer names first, so that a part of a family can differ from the rest.
    pub(crate) fn multipliers(&self) -> Vec<(String, f64)> {
        let families = self.multipliers.iter();
        let families = families.map(|(family, factor)| (family.to_lowercase(), factor.0));
        let mut families: Vec<_> = families.collect();
        families.sort_by_key(|(family, _)| std::cmp::Reverse(family.len()));
        families
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
    pub(crate) capture: Capture,
    pub(crate) capture_path: Option<PathBuf>,
    #[serde(with = "value::size")]
    pub(crate) capture_max_bytes: usize,
    #[serde(with = "value::number")]
    pub(crate) capture_max_files: usize,
}

/// `[telemetry]`: traces and metrics that are sent, in contrast to those that are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// The collector's address without a path.
    pub(crate) otlp_endpoint: Option<String>,
    /// What it is sent with everything, a key most likely.
    #[serde(with = "value::secret")]
    pub(crate) otlp_headers: Option<Secret>,
    pub(crate) service_name: String,
}

/// Which exchanges are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Capture {
    /// None.
    Off,
    /// Those with an error.
    Errors,
    /// All.
    All,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Whether there is a key that callers can send.
    pub(crate) fn has_key(&self) -> bool {
        self.proxy_api_key.is_some() || !self.keys.is_empty()
    }

    /// The accounts of the gateway's own: the one that needs no table, the list, and what was saved.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> {
        let first = Account {
            name: "default".into(),
            refresh_token: self.refresh_token.clone(),
            api_key: self.api_key.clone(),
            file: self.creds_file.clone(),
            profile_arn: self.profile_arn.clone(),
            ..Account::default()
        };
        let has_first = first.origin().is_some();
        has_first
            .then_some(first)
            .into_iter()
            .chain(self.account.clone())
            .chain(self.saved.clone())
    }

    /// The keys that are known by their hashes.
    ///
    /// # Errors
    ///
    /// One of them is not written as it has to be.
    pub(crate) fn access_keys(&self) -> Result<Vec<kiro_gateway::AccessKey>, ConfigError> {
        let (limits, tenant_limits) = (&self.limits, &self.tenants.limits);
        let keys = self.keys.iter();
        keys.map(|key| key.of_gateway(limits, tenant_limits))
            .collect()
    }
}

/// Where the login of an account is taken from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// Kiro's JSON file.
    File(&'a Path),
    /// The database of kiro-cli.
    KiroCli(&'a Path),
    RefreshToken(&'a Secret),
    ApiKey(&'a Secret),
}

impl<'a> Origin<'a> {
    /// The file that another program may have written.
    pub(crate) fn file(self) -> Option<&'a Path> {
        match self {
            Self::File(file) | Self::KiroCli(file) => Some(file),
            Self::RefreshToken(_) | Self::ApiKey(_) => None,
        }
    }
}

impl Account {
    /// All that are named, the first to be believed. An `[[account]]` names one; that of the short keys may name more,
    /// and that of a login that was found on the machine names none.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        let Self {
            refresh_token,
            api_key,
            file,
            kiro_cli,
            // What it is besides.
            name: _,
            profile_arn: _,
            region: _,
            wire_profile: _,
            is_saved: _,
            generation: _,
        } = self;
        [
            file.as_deref().map(Origin::File),
            kiro_cli.as_deref().map(Origin::KiroCli),
            refresh_token.as_ref().map(Origin::RefreshToken),
            api_key.as_ref().map(Origin::ApiKey),
        ]
        .into_iter()
        .flatten()
    }

    /// The one that is taken.
    pub(crate) fn origin(&self) -> Option<Origin<'_>> {
        self.origins().next()
    }
}
