//! The configuration as written: shape, defaults, where it comes from, checks.
//!
//! Layers, the later ones winning: defaults, `kiro-2api.toml`, `.env` in the working directory, the
//! environment, command-line flags.

mod environment;
mod limits;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use kiro_auth::Secret;
use kiro_gateway::ServerOptions;
use kiro_protocol::request::WireProfile;
use serde::{Deserialize, Serialize};

#[cfg(test)]
use environment::NAMES;
use limits::{Key, Limits};

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

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::default(),
            path: None,
            url: None,
            gateways: NonZeroU32::MIN,
        }
    }
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

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: None,
            service_name: "kiro-2api".to_owned(),
        }
    }
}

impl Default for Responses {
    fn default() -> Self {
        let keep = kiro_gateway::KeepOptions::default();
        Self {
            max_bytes: keep.max_bytes,
            idle_expiry: keep.idle_expiry,
        }
    }
}

impl Default for Tenants {
    fn default() -> Self {
        let options = kiro_gateway::GuestOptions::default();
        Self {
            max_tracked: options.max_guests,
            idle_expiry: options.idle_expiry,
            limits: Limits::default(),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        let options = kiro_gateway::QuotaOptions::default();
        Self {
            warn_below: options.warn_below,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        let options = ServerOptions::default();
        let admission = kiro_gateway::AdmissionOptions::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            reuse_port: false,
            tls: Tls::default(),
            max_body: 64 << 20,
            max_body_memory: admission.max_body_memory,
            max_memory: None,
            max_connections: options.max_connections.map_or(0, NonZeroUsize::get),
            max_exchanges: admission.max_exchanges.map_or(0, NonZeroUsize::get),
            queue: admission.queue,
            queue_timeout: admission.queue_timeout,
            failed_keys_per_minute: 60,
            allowed_origins: vec!["*".to_owned()],
            refuse_ignored: false,
            pass_invalid_json: false,
            reasoning: Reasoning::Member,
            docs: true,
            header_timeout: options.header_timeout,
            write_timeout: options.write_timeout,
            half_close: options.half_close,
            drain_timeout: options.drain,
            drain_delay: options.drain_delay,
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        let options = kiro_gateway::UpstreamOptions::default();
        Self {
            region: None,
            endpoint: None,
            auth_endpoint: None,
            wire_profile: None,
            user_agent: options.user_agent,
            max_retries: options.max_retries,
            idp_hosts: Vec::new(),
            ca: None,
        }
    }
}

impl Default for Images {
    fn default() -> Self {
        let options = kiro_gateway::ImageOptions::default();
        Self {
            fetch: FetchImages::Own,
            scale: options.scale,
            max_bytes: options.max_bytes,
            timeout: options.timeout,
            ports: options.ports.iter().map(u16::to_string).collect(),
            allow_private: Vec::new(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let timeouts = kiro_gateway::Timeouts::default();
        Self {
            connect: timeouts.connect,
            body: timeouts.body,
            first_event: timeouts.first_event,
            gap: timeouts.gap,
            total: timeouts.total,
            multipliers: timeouts
                .multipliers
                .into_iter()
                .map(|(family, factor)| (family, Multiplier(factor)))
                .collect(),
            least_first_event: timeouts.least_first_event,
            least_gap: timeouts.least_gap,
            patience: timeouts.patience,
            keep_alive: timeouts.keep_alive,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            capture: Capture::Off,
            capture_path: None,
            capture_max_bytes: 256 << 20,
            capture_max_files: 1_000,
        }
    }
}

/// Where the configuration is read from.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Given with `--config`: must exist.
    file: Option<PathBuf>,
    /// Read when they exist.
    default_file: Option<PathBuf>,
    dotenv: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    /// Variables of ours that are not UTF-8.
    not_text: Vec<String>,
    listen: Option<SocketAddr>,
}

impl Source {
    /// A folder that the environment names.
    pub(crate) fn folder(&self, variable: &str) -> Option<PathBuf> {
        let folder = self.environment.get(variable);
        folder
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
    }

    /// A variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// The variable of the environment that sets a key.
    pub(crate) fn variable_of(&self, key: &str) -> Option<&str> {
        let mut set = self.environment.iter();
        let is_it = |name: &str| environment::key_of(name).is_some_and(|of| of == key);
        let (name, _) = set.find(|(name, value)| is_it(name) && !value.trim().is_empty())?;
        Some(name)
    }

    /// The files that are read, whether they exist or not.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let file = self.file.as_ref().or(self.default_file.as_ref());
        let secrets = self.folder(environment::SECRETS);
        let secrets = secrets.and_then(|folder| environment::secret_files(&folder).ok());
        let files = file.into_iter().chain(&self.dotenv).cloned();
        files.chain(secrets.into_iter().flatten())
    }

    /// What this process was started with.
    pub(crate) fn of_process(file: Option<PathBuf>, listen: Option<SocketAddr>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        let variables = std::env::vars_os();
        let mut source = Self {
            file,
            default_file: Some("kiro-2api.toml".into()),
            dotenv: Some(".env".into()),
            listen,
            ..Self::default()
        };
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            match value.into_string() {
                Ok(value) => drop(source.environment.insert(name.to_owned(), value)),
                Err(_) if environment::is_ours(name) => source.not_text.push(name.to_owned()),
                Err(_) => {}
            }
        }
        source
    }
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value has the wrong form, or a key is unknown.
    #[error("the configuration is not usable: {0}")]
    Invalid(String),
    /// The file given on the command line is not there.
    #[error("there is no configuration file at {}", .0.display())]
    NoFile(PathBuf),
    /// `.env` cannot be read as one.
    #[error("{}: {reason}", file.display())]
    Dotenv { file: PathBuf, reason: String },
    /// The one key that has no default.
    #[error(
        "PROXY_API_KEY is not set. It is the key that clients must send; choose one of at least 16 characters, for example with `openssl rand -hex 24`, and set it in the environment or in .env, or list keys by their hashes in [[keys]]"
    )]
    NoKey,
}

impl Config {
    /// Reads all layers and checks the result, for a gateway that is to serve.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which names the key and the layer.
    pub(crate) fn load(source: &Source) -> Result<Self, ConfigError> {
        let config = Self::read(source)?;
        match config.has_key() {
            true => Ok(config),
            false => Err(ConfigError::NoKey),
        }
    }

    /// The same for a command that serves nobody, and so needs no key.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) fn read(source: &Source) -> Result<Self, ConfigError> {
        let config: Self = Self::layers(source)?.extract().map_err(explain)?;
        config.check()?;
        Ok(config)
    }

    /// Whether there is a key that callers can send.
    pub(crate) fn has_key(&self) -> bool {
        self.proxy_api_key.is_some() || !self.keys.is_empty()
    }

    /// All layers, each value with where it comes from.
    ///
    /// # Errors
    ///
    /// A layer cannot be read.
    pub(crate) fn layers(source: &Source) -> Result<Figment, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = source.file.as_ref().filter(|file| !file.is_file()) {
            return Err(ConfigError::NoFile(file.clone()));
        }
        let default_file = source.default_file.as_ref().filter(|file| file.is_file());
        if let Some(file) = source.file.as_ref().or(default_file) {
            figment = figment.merge(Toml::file_exact(file));
        }
        if let Some(file) = source.dotenv.as_ref().filter(|file| file.is_file()) {
            figment = figment.merge(environment::dotenv(file)?);
        }
        if let Some(name) = source.not_text.first() {
            let reason = format!("the variable {name} of the environment is not text in UTF-8");
            return Err(ConfigError::Invalid(reason));
        }
        if let Some(folder) = source.folder(environment::SECRETS) {
            figment = figment.merge(environment::secrets(&folder)?);
        }
        figment = figment.merge(environment::Layer::of_process(&source.environment));
        if let Some(listen) = source.listen {
            figment = figment.merge(("server.listen", listen.to_string()));
        }
        Ok(figment)
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
        let has_first = first.n_sources() > 0;
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

    fn check(&self) -> Result<(), ConfigError> {
        self.access_keys()?;
        self.check_times()?;
        if self.store.kind == StoreKind::Redis && self.store.url.is_none() {
            return Err(ConfigError::Invalid(
                "store.kind is redis, and store.url is not set; it is an address such as `redis://:password@host:6379/0`".into(),
            ));
        }
        let tls = [
            ("cert", &self.server.tls.cert),
            ("key", &self.server.tls.key),
        ];
        if let [(set, Some(_)), (missing, None)] | [(missing, None), (set, Some(_))] = tls {
            return Err(ConfigError::Invalid(format!(
                "server.tls.{set} is set and server.tls.{missing} is not; TLS needs a certificate and its private key, each a file in PEM"
            )));
        }
        if self.server.tls.client_ca.is_some() && self.server.tls.cert.is_none() {
            return Err(ConfigError::Invalid(
                "server.tls.client_ca is set and server.tls.cert is not; clients show certificates within TLS only".into(),
            ));
        }
        let profiles = self
            .account
            .iter()
            .map(|account| account.wire_profile.as_deref());
        for name in profiles
            .chain([self.upstream.wire_profile.as_deref()])
            .flatten()
        {
            if WireProfile::by_name(name).is_none() {
                let known: Vec<&str> = WireProfile::ALL
                    .iter()
                    .map(|profile| &*profile.name)
                    .collect();
                let known = known.join(", ");
                return Err(ConfigError::Invalid(format!(
                    "wire_profile `{name}` is not one of {known}"
                )));
            }
        }
        for account in &self.account {
            if account.n_sources() != 1 {
                let name = &account.name;
                let reason = format!(
                    "[[account]] `{name}` needs exactly one of refresh_token, api_key, file and kiro_cli"
                );
                return Err(ConfigError::Invalid(reason));
            }
        }
        Ok(())
    }

    /// No time is what some mean by no limit; here nothing would come to its end within it. Elsewhere it means what
    /// it says: nobody waits in the queue, streams end with the signal, heads are sent at once.
    fn check_times(&self) -> Result<(), ConfigError> {
        let (server, times) = (&self.server, &self.timeouts);
        let limits = [
            ("server.header_timeout", server.header_timeout),
            ("server.write_timeout", server.write_timeout),
            ("images.timeout", self.images.timeout),
            ("timeouts.connect", times.connect),
            ("timeouts.body", times.body),
            ("timeouts.first_event", times.first_event),
            ("timeouts.gap", times.gap),
            ("timeouts.total", times.total),
            ("timeouts.keep_alive", times.keep_alive),
        ];
        match limits.iter().find(|(_, limit)| limit.is_zero()) {
            None => Ok(()),
            Some((key, _)) => Err(ConfigError::Invalid(format!(
                "{key} is 0, and nothing could be done in no time; leave it out for its default, or give a long one such as `24h` where there should be no limit"
            ))),
        }
    }
}

impl Account {
    /// How many places to take its login from are named.
    fn n_sources(&self) -> usize {
        [
            self.refresh_token.is_some(),
            self.api_key.is_some(),
            self.file.is_some(),
            self.kiro_cli.is_some(),
        ]
        .into_iter()
        .filter(|named| *named)
        .count()
    }
}

/// figment's error with the nearest known key where a key is unknown.
fn explain(error: figment::Error) -> ConfigError {
    let lines: Vec<String> = error
        .into_iter()
        .map(|error| match &error.kind {
            figment::error::Kind::UnknownField(field, known) => {
                let likeness = |name: &&&str| strsim::jaro_winkler(name, field);
                let nearest = known
                    .iter()
                    .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
                let hint =
                    nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                format!("{error}{hint}")
            }
            _ => error.to_string(),
        })
        .collect();
    ConfigError::Invalid(lines.join("; "))
}
