//! How the upstream is reached.

use std::collections::HashMap;

use http::Uri;
use kiro_auth::CredentialId;
use kiro_protocol::request::WireProfile;

/// How the upstream is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// One base URL that replaces all API hosts, for a simulator or a proxy of your own. `None` uses the
    /// hosts of the wire profile.
    pub endpoint: Option<Uri>,
    /// The envelope that requests travel in. `None` takes what suits the login: the CLI's for
    /// API keys, [`KRS_IDE`](kiro_protocol::request::KRS_IDE) for the rest.
    pub wire_profile: Option<&'static WireProfile>,
    /// Envelopes of single credentials.
    pub wire_profiles: HashMap<CredentialId, &'static WireProfile>,
    /// What we call ourselves. Default: `Kiro-2API/<version>`.
    pub user_agent: String,
    /// Attempts after the first, for failures that pass by themselves. Default: 3.
    pub max_retries: u32,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            wire_profile: None,
            wire_profiles: HashMap::new(),
            user_agent: concat!("Kiro-2API/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_retries: 3,
        }
    }
}
