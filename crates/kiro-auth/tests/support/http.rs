//! A refresher that takes the simulator for every sign-in host.

use std::sync::Arc;

use kiro_auth::{HttpRefresher, HttpRefresherOptions};
use kiro_sim::Simulator;

pub(crate) fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

pub(crate) fn refresher(simulator: &Simulator) -> HttpRefresher {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(simulator.base_url().parse().unwrap());
    options.user_agent = "tests/1.0".to_owned();
    HttpRefresher::new(tls(), options).unwrap()
}
