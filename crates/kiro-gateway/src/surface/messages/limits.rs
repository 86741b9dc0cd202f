//! What is left of a caller's limits, in Anthropic's headers.

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use crate::admission::{Level, Standing};

/// Writes the headers. `now` is in seconds since the epoch.
pub(super) fn tell(standing: &Standing, now: u64, headers: &mut HeaderMap) {
    let Standing { requests, tokens } = standing;
    if let Some(level) = requests {
        let [limit, remaining, reset] = told(level, now);
        headers.insert("anthropic-ratelimit-requests-limit", limit);
        headers.insert("anthropic-ratelimit-requests-remaining", remaining);
        headers.insert("anthropic-ratelimit-requests-reset", reset);
    }
    if let Some(level) = tokens {
        let [limit, remaining, reset] = told(level, now);
        headers.insert("anthropic-ratelimit-tokens-limit", limit);
        headers.insert("anthropic-ratelimit-tokens-remaining", remaining);
        headers.insert("anthropic-ratelimit-tokens-reset", reset);
    }
}

/// The moment of the reset is a time of day, rounded up to the second.
fn told(level: &Level, now: u64) -> [HeaderValue; 3] {
    let seconds = level.reset.as_nanos().div_ceil(1_000_000_000);
    let moment = i128::try_from(u128::from(now) + seconds).ok();
    let moment = moment.and_then(|moment| i64::try_from(moment).ok());
    let moment = moment.and_then(|moment| Timestamp::from_second(moment).ok());
    let moment = moment.unwrap_or(Timestamp::MAX).to_string();
    [
        level.limit.into(),
        level.remaining.into(),
        // Digits, letters and colons are valid in a header.
        HeaderValue::from_str(&moment).unwrap_or(HeaderValue::from_static("")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_reset_is_a_moment() {
        let level = Level {
            limit: 1_000,
            remaining: 3,
            reset: Duration::from_millis(59_100),
        };
        let standing = Standing {
            requests: None,
            tokens: Some(level),
        };
        let mut headers = HeaderMap::new();
        tell(&standing, 1_792_497_600, &mut headers);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["anthropic-ratelimit-tokens-limit"], "1000");
        assert_eq!(headers["anthropic-ratelimit-tokens-remaining"], "3");
        let reset = &headers["anthropic-ratelimit-tokens-reset"];
        assert_eq!(reset, "2026-10-20T12:01:00Z");
    }
}
