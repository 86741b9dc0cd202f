//! A configuration as options: of the gateway, and of its listener.
//!
//! Each section is taken apart by the names of all its keys, without `..`: a key that is added and read by nobody would be
//! accepted and do nothing, and so it does not compile. What is read elsewhere is `_` here, with where that is.

use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;

use kiro_gateway::{
    AdmissionOptions, AllowedOrigins, GatewayOptions, GuestOptions, ImageOptions, ModelOptions,
    QuotaOptions, ServerOptions, UpstreamOptions,
};
use kiro_protocol::request::{Region, WireProfile};

use crate::certificate::CertificateError;
use crate::command::Failure;
use crate::config::{
    Admin, Config, FetchImages, Images, Models, Quota, Reasoning, Responses, Server, Store,
    Tenants, Timeouts, Upstream,
};
use crate::setup::{address, listener_tls};
use crate::state::{kept_responses, shared_limits};

/// Fills in everything that is configured, but for the accounts and their upstream.
pub(crate) fn fill(options: &mut GatewayOptions, config: &Config) -> Result<(), Failure> {
    let Config {
        // The options are made with it.
        proxy_api_key: _,
        // `Config::access_keys` gives each of them its limits.
        keys: _,
        limits,
        // Accounts, in `accounts.rs` and `discovery.rs`.
        refresh_token: _,
        creds_file: _,
        api_key: _,
        profile_arn: _,
        discover: _,
        kiro_cli_database: _,
        account: _,
        saved: _,
        store,
        tenants,
        models,
        quota,
        server,
        admin,
        // The accounts add to it: `upstream`.
        upstream: _,
        images,
        responses,
        timeouts,
        // `logging/` and `capture/`.
        log: _,
        // `otlp.rs`.
        telemetry: _,
    } = config;
    options.keys = config.access_keys()?;
    options.limits = limits.of_gateway();
    of_store(options, store)?;
    of_tenants(options, tenants);
    options.models = of_models(models);
    options.quota = of_quota(quota);
    of_server(options, server);
    let Admin { key } = admin;
    options.admin_key = key.clone();
    options.images = of_images(images)?;
    of_responses(options, responses);
    options.timeouts = of_timeouts(timeouts);
    Ok(())
}

/// How the upstream is reached, by accounts that say nothing of their own.
pub(crate) fn upstream(section: &Upstream) -> Result<UpstreamOptions, Failure> {
    let Upstream {
        region,
        endpoint,
        wire_profile,
        user_agent,
        max_retries,
        // How people sign in, and who may vouch for whom: `setup.rs`.
        auth_endpoint: _,
        idp_hosts: _,
        ca: _,
    } = section;
    if let Some(region) = region {
        // A region becomes a part of a host name.
        Region::new(region)?;
    }
    let mut options = UpstreamOptions::default();
    options.endpoint = address("upstream.endpoint", endpoint.as_deref())?;
    options.wire_profile = wire_profile.as_deref().and_then(WireProfile::by_name);
    options.user_agent = user_agent.clone();
    options.max_retries = *max_retries;
    Ok(options)
}

/// How the gateway is served. Reads the certificate, if there is one.
pub(crate) fn listener(config: &Config) -> Result<ServerOptions, CertificateError> {
    let Server {
        tls,
        max_connections,
        header_timeout,
        write_timeout,
        half_close,
        drain_timeout,
        drain_delay,
        reuse_port,
        // Of the process: `command/serve.rs`.
        listen: _,
        max_memory: _,
        // Of the gateway: `of_server`.
        max_body: _,
        max_body_memory: _,
        max_exchanges: _,
        queue: _,
        queue_timeout: _,
        failed_keys_per_minute: _,
        allowed_origins: _,
        refuse_ignored: _,
        pass_invalid_json: _,
        reasoning: _,
        docs: _,
    } = &config.server;
    let mut options = ServerOptions::default();
    options.tls = listener_tls(tls)?;
    options.max_connections = NonZeroUsize::new(*max_connections);
    options.header_timeout = *header_timeout;
    options.write_timeout = *write_timeout;
    options.half_close = *half_close;
    options.drain = *drain_timeout;
    options.drain_delay = *drain_delay;
    options.hand_over = *reuse_port;
    Ok(options)
}

fn of_server(options: &mut GatewayOptions, section: &Server) {
    let Server {
        max_body,
        max_body_memory,
        max_exchanges,
        queue,
        queue_timeout,
        failed_keys_per_minute,
        allowed_origins,
        refuse_ignored,
        pass_invalid_json,
        reasoning,
        docs,
        // Of the process: `command/serve.rs`.
        listen: _,
        max_memory: _,
        // Of the listener: `listener`.
        tls: _,
        max_connections: _,
        header_timeout: _,
        write_timeout: _,
        half_close: _,
        drain_timeout: _,
        drain_delay: _,
        reuse_port: _,
    } = section;
    let mut admission = AdmissionOptions::default();
    admission.max_exchanges = NonZeroUsize::new(*max_exchanges);
    admission.queue = *queue;
    admission.queue_timeout = *queue_timeout;
    admission.max_body_memory = *max_body_memory;
    options.admission = admission;
    options.max_body = *max_body;
    options.failed_keys_per_minute = NonZeroU64::new(*failed_keys_per_minute);
    options.allowed_origins = match allowed_origins.iter().any(|origin| origin == "*") {
        true => AllowedOrigins::Any,
        false => AllowedOrigins::Only(allowed_origins.clone()),
    };
    options.refuse_ignored = *refuse_ignored;
    options.pass_invalid_json = *pass_invalid_json;
    options.reasoning = match reasoning {
        Reasoning::Member => kiro_gateway::Reasoning::Member,
        Reasoning::Tags => kiro_gateway::Reasoning::Tags,
        Reasoning::Hidden => kiro_gateway::Reasoning::Hidden,
    };
    options.docs = *docs;
}

/// What several gateways share. Where tokens are kept, `state.rs` says.
fn of_store(options: &mut GatewayOptions, section: &Store) -> Result<(), Failure> {
    let Store {
        kind: _,
        path: _,
        url: _,
        gateways,
    } = section;
    options.keep.redis = kept_responses(section)?;
    options.share_limits = shared_limits(section)?;
    options.gateways = *gateways;
    Ok(())
}

fn of_tenants(options: &mut GatewayOptions, section: &Tenants) {
    let Tenants {
        max_tracked,
        idle_expiry,
        limits,
    } = section;
    let mut guests = GuestOptions::default();
    guests.max_guests = *max_tracked;
    guests.idle_expiry = *idle_expiry;
    options.guests = guests;
    options.tenant_limits = limits.of_gateway();
}

fn of_responses(options: &mut GatewayOptions, section: &Responses) {
    let Responses {
        max_bytes,
        idle_expiry,
    } = section;
    options.keep.max_bytes = *max_bytes;
    options.keep.idle_expiry = *idle_expiry;
}

fn of_models(section: &Models) -> ModelOptions {
    let Models {
        aliases,
        fallback,
        hidden,
    } = section;
    let mut options = ModelOptions::default();
    options.aliases = aliases.clone();
    options.fallback = fallback.clone();
    options.hidden = hidden.clone();
    options
}

fn of_quota(section: &Quota) -> QuotaOptions {
    let Quota { warn_below } = section;
    let mut options = QuotaOptions::default();
    options.warn_below = *warn_below;
    options
}

fn of_images(section: &Images) -> Result<ImageOptions, Failure> {
    let Images {
        fetch,
        scale,
        max_bytes,
        timeout,
        ports,
        allow_private,
    } = section;
    let mut options = ImageOptions::default();
    options.fetch = match fetch {
        FetchImages::Off => kiro_gateway::FetchImages::Off,
        FetchImages::Own => kiro_gateway::FetchImages::Own,
        FetchImages::All => kiro_gateway::FetchImages::All,
    };
    options.scale = *scale;
    options.max_bytes = *max_bytes;
    options.timeout = *timeout;
    options.ports = each("images.ports", "a port", ports)?;
    options.allow_private = each("images.allow_private", "an IP address", allow_private)?;
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

fn of_timeouts(section: &Timeouts) -> kiro_gateway::Timeouts {
    let Timeouts {
        connect,
        body,
        first_event,
        gap,
        total,
        // Sorted by `Timeouts::multipliers`.
        multipliers: _,
        least_first_event,
        least_gap,
        patience,
        keep_alive,
    } = section;
    let mut options = kiro_gateway::Timeouts::default();
    options.connect = *connect;
    options.body = *body;
    options.first_event = *first_event;
    options.gap = *gap;
    options.total = *total;
    options.multipliers = section.multipliers();
    options.least_first_event = *least_first_event;
    options.least_gap = *least_gap;
    options.patience = *patience;
    options.keep_alive = *keep_alive;
    options
}
