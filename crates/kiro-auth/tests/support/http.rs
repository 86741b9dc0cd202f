//! A refresher that takes the simulator for every sign-in host.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use kiro_auth::{HttpRefresher, HttpRefresherOptions};
use kiro_sim::Simulator;

#[path = "../../../../tests/support/log.rs"]
pub(crate) mod log;

/// All tests that talk to the simulator come by here, so this is where their log is turned on.
pub(crate) fn tls() -> rustls::ClientConfig {
    log::write_log();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

pub(crate) fn refresher(simulator: &Simulator) -> HttpRefresher {
    refresher_at(&simulator.base_url())
}

pub(crate) fn refresher_at(address: &str) -> HttpRefresher {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(address.parse().unwrap());
    options.user_agent = "tests/1.0".to_owned();
    HttpRefresher::new(tls(), options).unwrap()
}
