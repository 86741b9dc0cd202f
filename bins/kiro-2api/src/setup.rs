//! From the configuration to the parts that serve.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use kiro_auth::{
    Credential, CredentialStore, FileStore, HttpRefresher, HttpRefresherOptions, KiroCliStore,
    Overrides, Pool, Refresher, SystemClock, TokenSource,
};
use kiro_gateway::{
    AllowedOrigins, Gateway, GatewayOptions, ImageOptions, ServerOptions, UpstreamOptions,
};
use kiro_protocol::request::{Region, WireProfile};
use rustls::RootCertStore;

use crate::behind::Behind;
use crate::certificate;
use crate::command::Failure;
use crate::config::{Account, Config, FetchImages, Reasoning};
use crate::state::{State, kept_responses};

/// Builds the gateway, with one more login if one was found. Opens no connection and reads no credential
/// yet.
pub(crate) fn gateway(
    config: &Config,
    found: Option<Arc<dyn CredentialStore>>,
) -> Result<Gateway, Failure> {
    let tls = tls();
    let refresher = refresher(config, tls.clone())?;
    if let Some(region) = &config.upstream.region {
        // A region becomes a part of a host name.
        Region::new(region)?;
    }
    let mut upstream = UpstreamOptions::default();
    upstream.endpoint = address("upstream.endpoint", config.upstream.endpoint.as_deref())?;
    upstream.user_agent = config.upstream.user_agent.clone();
    upstream.max_retries = config.upstream.max_retries;
    upstream.wire_profile = config
        .upstream
        .wire_profile
        .as_deref()
        .and_then(WireProfile::by_name);

    let state = Arc::new(State::open(&config.store)?);
    let mut accounts = Vec::new();
    for account in config.accounts() {
        let store = store(&account, &state)?;
        accounts.push((account, store));
    }
    let found_account = Account {
        profile_arn: config.profile_arn.clone(),
        ..Account::default()
    };
    let found = found.map(|store| behind(store, &state));
    accounts.extend(found.map(|store| (found_account, store)));
    let mut sources = Vec::new();
    for (account, store) in accounts {
        let source = source(&account, store, config, &refresher)?;
        if let Some(profile) = account
            .wire_profile
            .as_deref()
            .and_then(WireProfile::by_name)
        {
            upstream.wire_profiles.insert(source.id(), profile);
        }
        sources.push(source);
    }
    let pool = (!sources.is_empty()).then(|| Pool::new(sources));
    let make_pool = Box::new(move |sent: Credential| {
        let store = state.store(sent);
        let source = token_source(store, &refresher, Overrides::default());
        Pool::new(vec![source])
    });

    let mut options = GatewayOptions::new(config.proxy_api_key.clone(), pool, make_pool, tls);
    options.keys = config.access_keys()?;
    options.limits = config.limits.of_gateway();
    options.tenant_limits = config.tenants.limits.of_gateway();
    options.admission.max_exchanges = NonZeroUsize::new(config.server.max_exchanges);
    options.admission.queue = config.server.queue;
    options.admission.queue_timeout = config.server.queue_timeout;
    options.admission.max_body_memory = config.server.max_body_memory;
    options.upstream = upstream;
    options.images = images(config)?;
    options.keep.max_bytes = config.responses.max_bytes;
    options.keep.idle_expiry = config.responses.idle_expiry;
    options.keep.redis = kept_responses(&config.store)?;
    options.guests.max_guests = config.tenants.max_tracked;
    options.guests.idle_expiry = config.tenants.idle_expiry;
    options.models.aliases = config.models.aliases.clone();
    options.models.fallback = config.models.fallback.clone();
    options.models.hidden = config.models.hidden.clone();
    options.max_body = config.server.max_body;
    options.allowed_origins = allowed_origins(&config.server.allowed_origins);
    options.refuse_ignored = config.server.refuse_ignored;
    options.pass_invalid_json = config.server.pass_invalid_json;
    options.reasoning = match config.server.reasoning {
        Reasoning::Member => kiro_gateway::Reasoning::Member,
        Reasoning::Tags => kiro_gateway::Reasoning::Tags,
        Reasoning::Hidden => kiro_gateway::Reasoning::Hidden,
    };
    options.timeouts.connect = config.timeouts.connect;
    options.timeouts.first_event = config.timeouts.first_event;
    options.timeouts.gap = config.timeouts.gap;
    options.timeouts.total = config.timeouts.total;
    options.timeouts.multipliers = config.timeouts.multipliers();
    options.timeouts.least_first_event = config.timeouts.least_first_event;
    options.timeouts.least_gap = config.timeouts.least_gap;
    options.timeouts.patience = config.timeouts.patience;
    options.timeouts.keep_alive = config.timeouts.keep_alive;
    Ok(Gateway::new(options)?)
}

/// How the gateway is served. Reads the certificate, if there is one.
pub(crate) fn server(config: &Config) -> Result<ServerOptions, Failure> {
    let server = &config.server;
    let mut options = ServerOptions::default();
    options.max_connections = NonZeroUsize::new(server.max_connections);
    options.header_timeout = server.header_timeout;
    options.write_timeout = server.write_timeout;
    options.drain = server.drain_timeout;
    if let (Some(cert), Some(key)) = (&server.tls.cert, &server.tls.key) {
        options.tls = Some(certificate::listener(&home(cert), &home(key))?);
    }
    Ok(options)
}

fn allowed_origins(list: &[String]) -> AllowedOrigins {
    if list.iter().any(|origin| origin == "*") {
        AllowedOrigins::Any
    } else {
        AllowedOrigins::Only(list.to_vec())
    }
}

/// What is done about pictures.
fn images(config: &Config) -> Result<ImageOptions, Failure> {
    let images = &config.images;
    let mut options = ImageOptions::default();
    options.fetch = match images.fetch {
        FetchImages::Off => kiro_gateway::FetchImages::Off,
        FetchImages::Own => kiro_gateway::FetchImages::Own,
        FetchImages::All => kiro_gateway::FetchImages::All,
    };
    options.scale = images.scale;
    options.max_bytes = images.max_bytes;
    options.timeout = images.timeout;
    options.ports = each("images.ports", "a port", &images.ports)?;
    options.allow_private = each(
        "images.allow_private",
        "an IP address",
        &images.allow_private,
    )?;
    Ok(options)
}

/// A list of texts as what they say.
fn each<T: FromStr>(key: &str, what: &str, texts: &[String]) -> Result<Vec<T>, Failure> {
    let values = texts.iter().map(|text| {
        let value = text.parse();
        value.map_err(|_| format!("{key} has an entry that is not {what}: `{text}`").into())
    });
    values.collect()
}

/// TLS towards the upstream and the sign-in services, one configuration for the process.
///
/// The roots are Mozilla's, compiled in, so that an image without certificates works too.
fn tls() -> rustls::ClientConfig {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn refresher(config: &Config, tls: rustls::ClientConfig) -> Result<Arc<dyn Refresher>, Failure> {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = address(
        "upstream.auth_endpoint",
        config.upstream.auth_endpoint.as_deref(),
    )?;
    options.user_agent = config.upstream.user_agent.clone();
    let hosts = config.upstream.idp_hosts.iter();
    options
        .idp_hosts
        .extend(hosts.map(|host| host.to_ascii_lowercase()));
    Ok(Arc::new(HttpRefresher::new(tls, options)?))
}

/// Where the credential of an account is kept.
fn store(account: &Account, state: &Arc<State>) -> Result<Arc<dyn CredentialStore>, Failure> {
    let credential = if let Some(file) = &account.file {
        return Ok(behind(file_store(&home(file)), state));
    } else if let Some(database) = &account.kiro_cli {
        let store = Arc::new(KiroCliStore::new(home(database)));
        return Ok(behind(store, state));
    } else if let Some(token) = &account.refresh_token {
        Credential::from_refresh_token(token.clone())
    } else if let Some(key) = &account.api_key {
        Credential::from_api_key(key.clone())
    } else {
        // `Config::load` has refused an account without any.
        return Err(format!("the account `{}` has no credential", account.name).into());
    };
    let name = account.name.clone();
    let credential = credential.map_err(|source| BadAccount { name, source })?;
    Ok(state.store(credential))
}

/// The source with the state behind it, in case that it is read-only.
fn behind(source: Arc<dyn CredentialStore>, state: &Arc<State>) -> Arc<dyn CredentialStore> {
    Arc::new(Behind::new(source, Arc::clone(state)))
}

/// A JSON file or a database of kiro-cli, told apart by what the file begins with; where there is none
/// yet, by its name.
///
/// Closing the file would take away the locks that SQLite has on it, so this must happen before the first
/// credential is read.
fn file_store(path: &Path) -> Arc<dyn CredentialStore> {
    const DATABASE: &[u8; 16] = b"SQLite format 3\0";
    let mut start = [0; DATABASE.len()];
    let is_database = match File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) => start == *DATABASE,
        Err(_) => path.extension().is_some_and(|name| name == "sqlite3"),
    };
    if is_database {
        Arc::new(KiroCliStore::new(path))
    } else {
        Arc::new(FileStore::new(path))
    }
}

fn source(
    account: &Account,
    store: Arc<dyn CredentialStore>,
    config: &Config,
    refresher: &Arc<dyn Refresher>,
) -> Result<TokenSource, Failure> {
    if let Some(region) = &account.region {
        // A region becomes a part of a host name.
        Region::new(region)?;
    }
    let mut overrides = Overrides::default();
    overrides.api_region = account.region.clone();
    overrides.default_api_region = config.upstream.region.clone();
    overrides.profile_arn = account.profile_arn.clone();
    Ok(token_source(store, refresher, overrides))
}

fn token_source(
    store: Arc<dyn CredentialStore>,
    refresher: &Arc<dyn Refresher>,
    overrides: Overrides,
) -> TokenSource {
    TokenSource::with_overrides(store, refresher.clone(), Arc::new(SystemClock), overrides)
}

/// `~/` at the beginning is the home directory, as in a shell.
pub(crate) fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn address(key: &str, text: Option<&str>) -> Result<Option<Uri>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() && uri.host().is_some() => Ok(Some(uri)),
        _ => Err(format!(
            "{key} is not an address such as `https://host` or `http://127.0.0.1:9000`: `{text}`"
        )
        .into()),
    }
}

/// The credential of an account makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the account `{name}` cannot be used")]
struct BadAccount {
    name: String,
    source: kiro_auth::AuthError,
}
