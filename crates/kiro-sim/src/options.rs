//! How a simulator behaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::validate::Strictness;
use crate::{Catalog, Host};

/// Settings of a [`Simulator`](crate::Simulator).
///
/// ```
/// use kiro_sim::{Rotation, SimOptions};
///
/// let mut options = SimOptions::default();
/// options.rotation = Rotation::AlwaysRevoke;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SimOptions {
    /// Where to listen. An ephemeral port on loopback.
    pub listen: SocketAddr,
    /// Serves TLS with this configuration. `None`: plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How much to insist on. Strict.
    pub strictness: Strictness,
    /// Plays this host for inference, whatever the spelling of the request. `None`: REST paths are the
    /// legacy host, targets the runtime host.
    pub data_host: Option<Host>,
    /// Answers Generate on the REST path as the runtime host does since September 2026: 400
    /// `REQUEST_BODY_INVALID`. No.
    pub rest_path_refused: bool,
    /// Knows nothing of the newest generation's targets: 404 `UnknownOperationException`. No.
    pub krs_refused: bool,
    /// Hosts `web_search` on its tool server. Yes.
    pub hosts_search: bool,
    /// What becomes of a refresh token that has been used. Revoked at once, which is the hardest case.
    pub rotation: Rotation,
    /// Life of an access token. One hour.
    pub token_lifetime: Duration,
    /// How reply bytes are cut into writes. As written, one per frame.
    pub segmentation: Segmentation,
    /// Pause between the words of a built-in answer. 2 ms.
    pub word_pause: Duration,
    /// Where ids and tokens come from: the same seed gives the same values in the same order. 1.
    pub seed: u64,
    /// The models on offer.
    pub catalog: Catalog,
    /// Bytes of a request body. 32 MiB, as the official mock server takes.
    pub max_body: usize,
    /// Bytes above which a Generate body is "improperly formed", as one project measured (615 000). No limit.
    pub practical_body_limit: Option<usize>,
    /// Generate calls per minute and account, above which calls are throttled. No limit.
    pub calls_per_minute: Option<usize>,
    /// Open streams of one model, above which its capacity is exhausted. No limit.
    pub model_capacity: Option<usize>,
    /// Credits per account and month. 1 000.
    pub credit_quota: f64,
    /// When quotas are full again, in seconds since the epoch. 1 November 2026: fixed, so that answers are
    /// reproducible.
    pub next_reset: u64,
    /// Seconds that a device-code client must leave between two polls. 1.
    pub device_poll_interval: u64,
    /// Requests that are remembered; the oldest are forgotten first. 4 096.
    pub remembered_requests: usize,
    /// Bytes of request bodies that are remembered; the oldest requests are forgotten first. 256 MiB.
    pub remembered_bytes: usize,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            strictness: Strictness::Strict,
            data_host: None,
            rest_path_refused: false,
            krs_refused: false,
            hosts_search: true,
            rotation: Rotation::AlwaysRevoke,
            token_lifetime: Duration::from_secs(3600),
            segmentation: Segmentation::AsWritten,
            word_pause: Duration::from_millis(2),
            seed: 1,
            catalog: Catalog::default(),
            max_body: 32 * 1024 * 1024,
            practical_body_limit: None,
            calls_per_minute: None,
            model_capacity: None,
            credit_quota: 1000.0,
            next_reset: 1_793_491_200,
            device_poll_interval: 1,
            remembered_requests: 4096,
            remembered_bytes: 256 * 1024 * 1024,
        }
    }
}

/// What becomes of a refresh token that has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// It stays valid, and no new one is given.
    Never,
    /// A new one is given, and the old one is dead at once.
    AlwaysRevoke,
    /// A new one is given, and the old one works for this long after its first use.
    AlwaysGrace(Duration),
}

/// How reply bytes are cut into writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segmentation {
    /// One HTTP chunk per frame.
    AsWritten,
    /// HTTP chunks of this many bytes, each written on its own, frames cut anywhere. 0 counts as 1.
    Bytes(usize),
}
