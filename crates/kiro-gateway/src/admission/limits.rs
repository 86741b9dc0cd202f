//! What may be limited, as it is configured.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// The limits of one key, or of one caller who brings a credential. Default: none.
///
/// ```
/// let mut limits = kiro_gateway::Limits::default();
/// limits.requests_per_minute = std::num::NonZeroU32::new(60);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Requests to a model in a minute, all of which may come at once.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens in a minute, those of the prompt and of the answer. A prompt is counted when it comes, and
    /// what it really was when the answer has ended.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Exchanges under way.
    pub concurrency: Option<NonZeroUsize>,
    /// Requests that wait for one of those to end, at most. Default: 0, which refuses at once.
    pub queue: usize,
    /// How long one waits. Default: 10 s.
    pub queue_timeout: Duration,
    /// Credits of the service in one day of UTC. Answers whose price the service does not tell cost none.
    pub credits_per_day: Option<f64>,
    /// The same in one month.
    pub credits_per_month: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrency: None,
            queue: 0,
            queue_timeout: Duration::from_secs(10),
            credits_per_day: None,
            credits_per_month: None,
        }
    }
}

impl Limits {
    /// Whether anything is limited.
    pub(crate) fn is_none(&self) -> bool {
        let Self {
            requests_per_minute,
            tokens_per_minute,
            concurrency,
            // How one waits for the concurrency.
            queue: _,
            queue_timeout: _,
            credits_per_day,
            credits_per_month,
        } = self;
        requests_per_minute.is_none()
            && tokens_per_minute.is_none()
            && concurrency.is_none()
            && credits_per_day.is_none()
            && credits_per_month.is_none()
    }
}
