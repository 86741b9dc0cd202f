//! What no value tells alone: keys that need each other, and numbers that would serve nobody.

use kiro_protocol::request::WireProfile;

use super::{Config, ConfigError, StoreKind};

impl Config {
    /// Whether the values can be used together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
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
            if account.origins().count() != 1 {
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
