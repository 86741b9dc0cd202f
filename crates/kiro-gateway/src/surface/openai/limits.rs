//! What is left of a caller's limits, in OpenAI's headers.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::admission::{Level, Standing};

/// Writes the headers.
pub(in crate::surface) fn tell(standing: &Standing, headers: &mut HeaderMap) {
    let Standing { requests, tokens } = standing;
    if let Some(level) = requests {
        let [limit, remaining, reset] = told(level);
        headers.insert("x-ratelimit-limit-requests", limit);
        headers.insert("x-ratelimit-remaining-requests", remaining);
        headers.insert("x-ratelimit-reset-requests", reset);
    }
    if let Some(level) = tokens {
        let [limit, remaining, reset] = told(level);
        headers.insert("x-ratelimit-limit-tokens", limit);
        headers.insert("x-ratelimit-remaining-tokens", remaining);
        headers.insert("x-ratelimit-reset-tokens", reset);
    }
}

fn told(level: &Level) -> [HeaderValue; 3] {
    let reset = HeaderValue::from_str(&duration(level.reset));
    [
        level.limit.into(),
        level.remaining.into(),
        // Digits and letters are valid in a header.
        reset.unwrap_or(HeaderValue::from_static("0s")),
    ]
}

/// As OpenAI writes it: `20ms`, `1s`, `6m0s`. Rounded up, so that who waits so long has waited long enough.
fn duration(time: Duration) -> String {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    let seconds = milliseconds.div_ceil(1_000);
    match milliseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{milliseconds}ms"),
        1_000..60_000 if seconds < 60 => format!("{seconds}s"),
        _ => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_openai_does() {
        for (milliseconds, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (59_500, "1m0s"),
            (360_000, "6m0s"),
            (3_725_000, "62m5s"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn what_is_not_limited_has_no_headers() {
        let mut headers = HeaderMap::new();
        tell(&Standing::default(), &mut headers);
        assert!(headers.is_empty());
        let level = Level {
            limit: 60,
            remaining: 59,
            reset: Duration::from_secs(1),
        };
        let standing = Standing {
            requests: Some(level),
            tokens: None,
        };
        tell(&standing, &mut headers);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["x-ratelimit-remaining-requests"], "59");
    }
}
