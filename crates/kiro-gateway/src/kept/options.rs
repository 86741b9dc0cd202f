//! How much is kept.

use std::time::Duration;

/// How many responses are kept, for how long, and where.
///
/// ```
/// let mut options = kiro_gateway::KeepOptions::default();
/// options.max_bytes = 0; // keep nothing
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeepOptions {
    /// Largest sum of all of them in bytes; what was used least recently goes first. 0 keeps nothing.
    /// Default: 64 MiB.
    pub max_bytes: usize,
    /// How long one is kept that nobody uses. Default: 1 hour.
    pub idle_expiry: Duration,
    /// Keeps them in Redis, sealed, for all gateways that share it: what one has answered, another goes on
    /// from. Default: `None`, in the memory of the process.
    ///
    /// While it cannot be reached, answers are not kept and say so, and what builds on others is refused
    /// with 503. [`RedisStoreOptions::timeout`](kiro_auth::RedisStoreOptions::timeout) bounds how long either
    /// waits; make it short.
    #[cfg(feature = "redis")]
    pub redis: Option<kiro_auth::RedisServer>,
}

impl Default for KeepOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            idle_expiry: Duration::from_secs(3600),
            #[cfg(feature = "redis")]
            redis: None,
        }
    }
}
