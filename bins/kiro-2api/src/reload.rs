//! Changing the configuration of the running gateway, on SIGHUP or when one of its files has changed.

use std::error::Error;
use std::path::PathBuf;

use kiro_gateway::{Gateway, ServerOptions};
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::command::Failure;
use crate::config::{Config, Log, Server, Source, Tls};
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
    let Tls {
        cert,
        key,
        client_ca,
    } = &config.server.tls;
    let certificates = [cert, key, client_ca, &config.upstream.ca];
    let certificates = certificates.into_iter().flatten().map(|file| home(file));
    let saved = Saved::of(config).ok().map(|saved| saved.list());
    source.files().chain(certificates).chain(saved).collect()
}

/// The keys that differ and that a process keeps for its life. All others are put in force, and named here all the same,
/// so that nobody adds one without saying which it is.
fn fixed(started: &Config, config: &Config) -> Vec<&'static str> {
    let Config {
        server,
        store,
        responses,
        telemetry,
        log,
        proxy_api_key: _,
        keys: _,
        limits: _,
        refresh_token: _,
        creds_file: _,
        api_key: _,
        profile_arn: _,
        discover: _,
        kiro_cli_database: _,
        account: _,
        saved: _,
        tenants: _,
        models: _,
        quota: _,
        admin: _,
        upstream: _,
        images: _,
        timeouts: _,
    } = started;
    let sections = [
        ("[store]", *store == config.store),
        ("[responses]", *responses == config.responses),
        ("[telemetry]", *telemetry == config.telemetry),
    ];
    let keys = fixed_of_server(server, &config.server).into_iter();
    let keys = keys.chain(sections).chain(fixed_of_log(log, &config.log));
    let changed = keys.filter(|(_, is_same)| !is_same);
    changed.map(|(key, _)| key).collect()
}

/// Keys, and whether each is the same.
fn fixed_of_server(started: &Server, server: &Server) -> [(&'static str, bool); 4] {
    let Server {
        listen,
        reuse_port,
        max_memory,
        max_connections,
        tls: _,
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
        header_timeout: _,
        write_timeout: _,
        half_close: _,
        drain_timeout: _,
        drain_delay: _,
    } = started;
    [
        ("server.listen", *listen == server.listen),
        ("server.reuse_port", *reuse_port == server.reuse_port),
        ("server.max_memory", *max_memory == server.max_memory),
        (
            "server.max_connections",
            *max_connections == server.max_connections,
        ),
    ]
}

fn fixed_of_log(started: &Log, log: &Log) -> [(&'static str, bool); 1] {
    let Log {
        format,
        level: _,
        capture: _,
        capture_path: _,
        capture_max_bytes: _,
        capture_max_files: _,
    } = started;
    [("log.format", *format == log.format)]
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

    /// Read from the shape itself, so that a new one has to be put into one of the lists.
    #[test]
    fn each_path_of_the_configuration_is_watched_or_is_not_for_a_reason() {
        let watched = ["Tls.cert", "Tls.key", "Tls.client_ca", "Upstream.ca"];
        let not_watched = [
            // Read again before each refresh, by kiro-auth.
            "Config.creds_file",
            "Account.file",
            "Account.kiro_cli",
            "Config.kiro_cli_database",
            // Written by the program itself; what others change there is the list of saved accounts.
            "Store.path",
            "Log.capture_path",
        ];
        let mut section = "";
        let mut paths = Vec::new();
        for line in include_str!("config/shape.rs").lines() {
            let line = line.trim().trim_start_matches("pub(crate) ");
            if let Some(name) = line.strip_prefix("struct ") {
                section = name.trim_end_matches(" {");
            } else if let Some(key) = line.strip_suffix(": Option<PathBuf>,") {
                paths.push(format!("{section}.{key}"));
            }
        }
        paths.sort();
        let mut known = [&watched[..], &not_watched].concat();
        known.sort_unstable();
        assert_eq!(paths, known);

        let mut config = Config::default();
        let path = |name: &str| Some(PathBuf::from(format!("/watched/{name}")));
        let Tls {
            cert,
            key,
            client_ca,
        } = &mut config.server.tls;
        (*cert, *key, *client_ca) = (path("Tls.cert"), path("Tls.key"), path("Tls.client_ca"));
        config.upstream.ca = path("Upstream.ca");
        let files = files(&Source::default(), &config);
        for name in watched {
            let file = PathBuf::from(format!("/watched/{name}"));
            assert!(files.contains(&file), "{name} is not in {files:?}");
        }
    }
}
