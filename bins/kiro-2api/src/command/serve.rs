//! `kiro-2api serve`: the gateway with your login.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kiro_gateway::{ProcessState, serve_watched};
use tokio::sync::watch;

use super::{Failure, bind, say};
use crate::config::{Config, Source};
use crate::credits::CreditFile;
use crate::discovery::Search;
use crate::otlp::Otlp;
use crate::reload::Reloader;
use crate::setup::Surroundings;
use crate::signals::{Hangups, asked_to_stop};
use crate::systemd::{self, Sockets};
use crate::{capture, heap, logging, memory, options, saved, setup};

/// How long it waits for captures to be written.
const LONGEST_CAPTURE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Address and port to listen on [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Configuration file [default: kiro-2api.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
It serves with the accounts of `kiro-2api accounts list`. SIGHUP reloads, SIGTERM and Ctrl-C drain.

Examples:
  PROXY_API_KEY=$(openssl rand -hex 24) kiro-2api serve
  kiro-2api serve --config /etc/kiro-2api.toml --listen 0.0.0.0:8443";

pub(crate) async fn run(arguments: Arguments, sockets: Sockets) -> Result<(), Failure> {
    let source = Source::of_process(arguments.config, arguments.listen);
    let mut config = Config::load(&source)?;
    let process = Arc::<ProcessState>::default();
    let level = logging::init(&config.log, &process);
    saved::join(&mut config)?;
    // Before it listens, it ends the process.
    let hangups = Hangups::listen();
    let search = Search::run(&source, &config).await;
    let found = search.as_ref().and_then(Search::store);
    let serves_with_found = found.is_some();
    let credits = CreditFile::open(&config.store);
    let book = credits.as_ref().map(CreditFile::book).unwrap_or_default();
    let otlp = Otlp::start(&config.telemetry)?;
    let around = Surroundings {
        process: process.clone(),
        credits: book,
        open_telemetry: otlp.as_ref().map(Otlp::of_gateway),
    };
    let (gateway, accounts) = setup::gateway(&config, found, around)?;
    let passed = sockets.listener()?;
    let mut options = options::listener(&config)?;
    // A socket that was passed outlives this process, so there is nothing to hand over.
    options.hand_over &= passed.is_none();
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let listener = match passed {
        Some(listener) => listener,
        None => bind(config.server.listen, config.server.reuse_port).await?,
    };
    let address = listener.local_addr()?;
    say!(
        "Kiro-2API {} listens on {scheme}://{address}",
        env!("CARGO_PKG_VERSION")
    );
    match config.accounts().count() {
        0 if serves_with_found => {}
        0 => say!(
            "Tenant-only mode: there is neither REFRESH_TOKEN nor KIRO_CREDS_FILE nor KIRO_API_KEY nor an [[account]], and nobody has signed in with `kiro-2api login`, so every caller must send `Authorization: Bearer PROXY_API_KEY:REFRESH_TOKEN`."
        ),
        n => say!(
            "Serving with {n} account{} of its own.",
            if n == 1 { "" } else { "s" }
        ),
    }
    match search.map(|search| search.message()).as_deref() {
        None if config.discover => say!("A login is configured, so none was looked for."),
        None | Some("") => {}
        Some(message) => say!("{message}"),
    }
    say!("Base URL for clients: {scheme}://{address}/v1");
    let options = watch::Sender::new(options);
    let last_save = save(credits.clone());
    let serving = serve_watched(listener, gateway.clone(), options.subscribe(), async {
        asked_to_stop(last_save).await;
        systemd::stopping();
    });
    let max_memory = config.server.max_memory;
    let reloader = Reloader {
        source,
        config,
        accounts,
        gateway,
        options,
        level,
    };
    memory::watch(max_memory, process);
    heap::give_back();
    tokio::spawn(reloader.run(hangups));
    tokio::spawn(systemd::feed_watchdog());
    if let Some(credits) = credits.clone() {
        tokio::spawn(credits.keep());
    }
    systemd::ready();
    serving.await?;
    if tokio::time::timeout(LONGEST_CAPTURE, capture::landed())
        .await
        .is_err()
    {
        tracing::warn!("the last captures were not written");
    }
    save(credits).await;
    if let Some(otlp) = otlp {
        otlp.end().await;
    }
    Ok(())
}

async fn save(credits: Option<CreditFile>) {
    if let Some(credits) = credits {
        credits.save().await;
    }
}
