//! How long a client waits for an answer that is not streamed.

use std::time::Duration;

use http::HeaderMap;

/// What OpenAI's SDKs announce, in seconds: the one for Python its time-out for reading, the one for Node
/// the time-out that its user has set (measured, November 2026). Other SDKs write words into the second.
const ANNOUNCEMENTS: [&str; 2] = ["x-stainless-read-timeout", "x-stainless-timeout"];

/// For the error to arrive before the client gives up.
const MARGIN: Duration = Duration::from_secs(1);

/// How long an answer may take: `limit`, or less when the client says that it waits no longer than that. To
/// go on would be paid for and read by nobody.
pub(crate) fn of_answer(headers: &HeaderMap, limit: Duration) -> Duration {
    let seconds = ANNOUNCEMENTS
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse().ok());
    let announced = seconds
        .filter(|seconds: &f64| *seconds > 0.0)
        .find_map(|seconds| Duration::try_from_secs_f64(seconds).ok());
    announced.map_or(limit, |time| {
        limit.min(time.saturating_sub(MARGIN).max(time / 2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_answered_before_it_gives_up() {
        for (name, announced, seconds) in [
            ("x-stainless-read-timeout", "600", 599.0),
            ("x-stainless-read-timeout", "600.0", 599.0),
            ("x-stainless-timeout", "30", 29.0),
            ("x-stainless-timeout", "1", 0.5),
            ("x-stainless-timeout", "3600", 900.0),
            ("x-stainless-timeout", "NOT_GIVEN", 900.0),
            ("x-stainless-timeout", "0", 900.0),
            ("x-stainless-timeout", "-1", 900.0),
            ("x-stainless-timeout", "inf", 900.0),
            ("x-stainless-timeout", "NaN", 900.0),
            ("x-stainless-timeout", "1e300", 900.0),
            ("x-stainless-retry-count", "1", 900.0),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(announced),
            )]);
            let time = of_answer(&headers, Duration::from_secs(900));
            assert_eq!(time.as_secs_f64(), seconds, "{name}: {announced}");
        }
    }
}
