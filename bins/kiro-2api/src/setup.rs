//! From the configuration to the parts that serve.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use kiro_auth::sign_in::{SignIn, SignInOptions};
use kiro_auth::{CredentialStore, HttpRefresher, HttpRefresherOptions, Pool, SystemClock};
use kiro_gateway::{CreditBook, Gateway, GatewayOptions, OpenTelemetry, ProcessState};
use kiro_protocol::request::WireProfile;
use rustls::{RootCertStore, ServerConfig};

use crate::accounts::{Accounts, Own};
use crate::capture;
use crate::certificate::{self, CertificateError};
use crate::command::Failure;
use crate::config::{Capture, Config, Store, StoreKind, Tls};
use crate::options;
use crate::otlp;

/// The parts of one configuration, which have to be put in force together.
pub(crate) struct Parts {
    pub(crate) options: GatewayOptions,
    pub(crate) own: Own,
    pub(crate) refresher: HttpRefresher,
}

/// What the process brings to a gateway.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// What it tells of itself.
    pub(crate) process: Arc<ProcessState>,
    /// What was spent of budgets before.
    pub(crate) credits: CreditBook,
    /// Where traces go.
    pub(crate) open_telemetry: Option<OpenTelemetry>,
}

/// Builds the gateway, with one more login if one was found. Opens no connection and reads no credential yet.
pub(crate) fn gateway(
    config: &Config,
    found: Option<Arc<dyn CredentialStore>>,
    around: Surroundings,
) -> Result<(Gateway, Accounts), Failure> {
    let refreshes = around.process.clone();
    let mut accounts = Accounts::open(&config.store, refresher(config, tls(config)?)?, refreshes)?;
    let mut parts = parts(config, &mut accounts, found)?;
    parts.options.process = around.process;
    parts.options.credits = around.credits;
    parts.options.open_telemetry = around.open_telemetry;
    parts.options.capture = capture::options(config);
    let gateway = Gateway::new(parts.options)?;
    accounts.put_in_force(parts.own, parts.refresher);
    Ok((gateway, accounts))
}

/// The accounts alone, for a command that serves nobody.
pub(crate) fn accounts(
    config: &Config,
    found: Option<Arc<dyn CredentialStore>>,
) -> Result<Accounts, Failure> {
    let uncounted = Arc::default();
    let mut accounts = Accounts::open(&config.store, refresher(config, tls(config)?)?, uncounted)?;
    let own = accounts.of(config, found)?;
    accounts.put_in_force(own, refresher(config, tls(config)?)?);
    Ok(accounts)
}

/// A gateway that serves with these credentials of its own.
pub(crate) fn gateway_of(
    config: &Config,
    accounts: &mut Accounts,
    found: Option<Arc<dyn CredentialStore>>,
    pool: Pool,
) -> Result<Gateway, Failure> {
    let mut options = parts(config, accounts, found)?.options;
    options.pool = Some(pool);
    Ok(Gateway::new(options)?)
}

/// Whether a gateway could be built and served, as far as that can be told without opening anything of its state.
///
/// # Errors
///
/// Why not.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let mut config = config.clone();
    if config.store.kind == StoreKind::File {
        config.store = Store {
            kind: StoreKind::Memory,
            ..Store::default()
        };
    }
    config.log.capture = Capture::Off;
    options::listener(&config)?;
    otlp::check(&config.telemetry)?;
    gateway(&config, None, Surroundings::default()).map(drop)
}

/// Puts a changed configuration in force.
///
/// # Errors
///
/// It is not usable; then nothing has changed.
pub(crate) fn reload(
    gateway: &Gateway,
    config: &Config,
    accounts: &mut Accounts,
    found: Option<Arc<dyn CredentialStore>>,
) -> Result<(), Failure> {
    let mut parts = parts(config, accounts, found)?;
    parts.options.capture = capture::options(config);
    gateway.reload(parts.options)?;
    accounts.put_in_force(parts.own, parts.refresher);
    Ok(())
}

fn parts(
    config: &Config,
    accounts: &mut Accounts,
    found: Option<Arc<dyn CredentialStore>>,
) -> Result<Parts, Failure> {
    let tls = tls(config)?;
    let refresher = refresher(config, tls.clone())?;
    let mut upstream = options::upstream(&config.upstream)?;
    let own = accounts.of(config, found)?;
    for (account, id) in own.iter() {
        let profile = account.wire_profile.as_deref();
        if let Some(profile) = profile.and_then(WireProfile::by_name) {
            upstream.wire_profiles.insert(id, profile);
        }
    }

    let mut options = GatewayOptions::new(
        config.proxy_api_key.clone(),
        own.pool.clone(),
        accounts.make_pool(),
        tls,
    );
    options.upstream = upstream;
    options::fill(&mut options, config)?;
    Ok(Parts {
        options,
        own,
        refresher,
    })
}

/// TLS on the listener, from the files as they are.
pub(crate) fn listener_tls(section: &Tls) -> Result<Option<Arc<ServerConfig>>, CertificateError> {
    let Tls {
        cert,
        key,
        client_ca,
    } = section;
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let client_ca = client_ca.as_deref().map(home);
    certificate::listener(&home(cert), &home(key), client_ca.as_deref()).map(Some)
}

/// TLS towards the upstream and the sign-in services: Mozilla's authorities, and those of `upstream.ca`.
pub(crate) fn tls(config: &Config) -> Result<rustls::ClientConfig, CertificateError> {
    let mut roots = public_authorities();
    if let Some(file) = &config.upstream.ca {
        roots.extend(certificate::authorities("upstream.ca", &home(file))?.roots);
    }
    Ok(trusting(roots))
}

/// TLS towards everyone else.
pub(crate) fn public_tls() -> rustls::ClientConfig {
    trusting(public_authorities())
}

/// Mozilla's, compiled in, so that an image without certificates works too.
fn public_authorities() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

fn trusting(roots: RootCertStore) -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn refresher(config: &Config, tls: rustls::ClientConfig) -> Result<HttpRefresher, Failure> {
    Ok(HttpRefresher::new(tls, sign_in_services(config)?)?)
}

/// What signs people in, at the same services.
pub(crate) fn sign_in(config: &Config) -> Result<SignIn, Failure> {
    let mut options = SignInOptions::default();
    options.http = sign_in_services(config)?;
    Ok(SignIn::new(tls(config)?, options, Arc::new(SystemClock))?)
}

/// How the sign-in services are reached.
pub(crate) fn sign_in_services(config: &Config) -> Result<HttpRefresherOptions, Failure> {
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
    Ok(options)
}

/// `~/` at the beginning is the home directory, as in a shell.
pub(crate) fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// What replaces all hosts of the API.
pub(crate) fn endpoint(config: &Config) -> Result<Option<Uri>, Failure> {
    address("upstream.endpoint", config.upstream.endpoint.as_deref())
}

pub(crate) fn address(key: &str, text: Option<&str>) -> Result<Option<Uri>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() && uri.host().is_some() => Ok(Some(uri)),
        _ => Err(format!(
            "{key} is not an address such as `https://host` or `http://127.0.0.1:9000`: `{text}`"
        )
        .into()),
    }
}
