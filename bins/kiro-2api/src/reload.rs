//! Changing the configuration of the running gateway, on SIGHUP or when one of its files has changed.

use std::error::Error;
use std::path::PathBuf;

use kiro_gateway::{Gateway, ServerOptions};
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::command::Failure;
use crate::config::{Config, Source};
use crate::discovery::Search;
use crate::logging::Level;
use crate::options;
use crate::saved::{self, Saved};
use crate::setup::{self, home};
use crate::signals::Hangups;
use crate::systemd;
use crate::watch::Watch;

/// What there is to reload.
pub(crate) struct Reloader {
    pub(crate) source: Source,
    /// The configuration of the start.
    pub(crate) config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) gateway: Gateway,
    pub(crate) options: watch::Sender<ServerOptions>,
    pub(crate) level: Level,
}

impl Reloader {
    /// Reloads whenever there is a reason. Has no end.
    pub(crate) async fn run(mut self, mut hangups: Hangups) {
        let started = self.config.clone();
        let mut watch = Watch::new(self.files());
        loop {
            tokio::select! {
                () = hangups.next() => watch.look(),
                () = watch.changed() => {}
            }
            systemd::reloading();
            match self.reload(&started, &mut watch).await {
                Ok(()) => tracing::info!("the configuration was reloaded"),
                Err(error) => {
                    tracing::error!(
                        error = &*error,
                        "the configuration was not reloaded; the one before stays in force"
                    );
                    self.renew_certificate();
                }
            }
            systemd::ready();
        }
    }

    /// Everything that may fail comes before anything is changed.
    async fn reload(&mut self, started: &Config, watch: &mut Watch) -> Result<(), Failure> {
        let mut config = Config::load(&self.source)?;
        saved::join(&mut config)?;
        watch.set_files(files(&self.source, &config));
        let search = Search::run(&self.source, &config).await;
        let found = search.as_ref().and_then(Search::store);
        let mut options = options::listener(&config)?;
        options.hand_over = self.options.borrow().hand_over;
        setup::reload(&self.gateway, &config, &mut self.accounts, found)?;
        self.options.send_replace(options);
        self.level.set(&config.log.level);
        for key in fixed(started, &config) {
            tracing::warn!("{key} has changed, which takes a restart");
        }
        self.config = config;
        Ok(())
    }

    /// A certificate must not expire because of a mistake elsewhere.
    fn renew_certificate(&self) {
        match setup::listener_tls(&self.config.server.tls) {
            Ok(tls) => self.options.send_modify(|options| options.tls = tls),
            Err(error) => tracing::error!(
                error = &error as &dyn Error,
                "the certificate was not reloaded; the one before stays in force"
            ),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.source, &self.config)
    }
}

/// All that a configuration is read from.
fn files(source: &Source, config: &Config) -> Vec<PathBuf> {
    let tls = &config.server.tls;
    let certificates = [&tls.cert, &tls.key, &tls.client_ca, &config.upstream.ca];
    let certificates = certificates.into_iter().flatten().map(|file| home(file));
    let saved = Saved::of(config).ok().map(|saved| saved.list());
    source.files().chain(certificates).chain(saved).collect()
}

/// The keys that differ and that a process keeps for its life.
fn fixed(started: &Config, config: &Config) -> Vec<&'static str> {
    let keys = [
        (
            "server.listen",
            started.server.listen == config.server.listen,
        ),
        (
            "server.reuse_port",
            started.server.reuse_port == config.server.reuse_port,
        ),
        (
            "server.max_memory",
            started.server.max_memory == config.server.max_memory,
        ),
        (
            "server.max_connections",
            started.server.max_connections == config.server.max_connections,
        ),
        ("[store]", started.store == config.store),
        ("[responses]", started.responses == config.responses),
        ("[telemetry]", started.telemetry == config.telemetry),
        ("log.format", started.log.format == config.log.format),
    ];
    let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
    changed.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_restart_is_named() {
        let started = Config::default();
        let mut config = started.clone();
        config.server.max_body += 1;
        config.log.level = "debug".into();
        assert!(fixed(&started, &config).is_empty());
        config.server.listen.set_port(1);
        config.server.max_connections += 1;
        config.store.path = Some("x".into());
        config.responses.max_bytes += 1;
        config.telemetry.service_name = "x".into();
        assert_eq!(
            fixed(&started, &config),
            [
                "server.listen",
                "server.max_connections",
                "[store]",
                "[responses]",
                "[telemetry]"
            ]
        );
    }
}
