//! When a token expires, as the many programs that write credentials spell it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

/// Reads an expiry in any of the spellings seen in the field:
///
/// ```text
/// "2026-10-20T12:34:56.789Z"              RFC 3339: Kiro's IDE
/// "2026-10-20T12:34:56.123456789Z"        with nanoseconds: kiro-cli
/// "2026-10-20T14:34:56+02:00"             with an offset
/// "2026-10-20T12:34:56"                   without a zone: some OIDC writers; it is UTC
/// 1792499696   "1792499696"               seconds since the epoch
/// 1792499696789   "1792499696789"         milliseconds since the epoch
/// ```
///
/// Anything else is `None`, and a token without an expiry counts as expired: a refresh too many is
/// harmless, a token that is believed for ever is not.
pub(crate) fn parse_expiry(value: &Value) -> Option<SystemTime> {
    match value {
        Value::Number(number) => from_epoch(number.as_f64()?),
        Value::String(text) => from_text(text.trim()),
        _ => None,
    }
}

/// Writes a time as Kiro's IDE does: RFC 3339 in UTC with milliseconds.
pub(crate) fn format_rfc3339(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        // Only a time beyond the year 9999 gets here, and the furthest that can be written is as good.
        Err(_) => format!("{:.3}", Timestamp::MAX),
    }
}

fn from_text(text: &str) -> Option<SystemTime> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.into());
    }
    if let Ok(number) = text.parse::<f64>() {
        return from_epoch(number);
    }
    let utc = text
        .parse::<DateTime>()
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?;
    Some(utc.timestamp().into())
}

/// Seconds and milliseconds are told apart by size: 10¹¹ seconds is the year 5138, 10¹¹ milliseconds is
/// 1973.
fn from_epoch(number: f64) -> Option<SystemTime> {
    const SMALLEST_MILLISECONDS: f64 = 1e11;
    const LARGEST_MILLISECONDS: f64 = 1e14;
    let seconds = match number {
        n if (0.0..SMALLEST_MILLISECONDS).contains(&n) => n,
        n if (SMALLEST_MILLISECONDS..LARGEST_MILLISECONDS).contains(&n) => n / 1000.0,
        _ => return None,
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(seconds: u64, nanos: u32) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos))
    }

    #[test]
    fn every_spelling_seen_in_the_field_is_understood() {
        const NOON: u64 = 1_792_499_696; // 2026-10-20T12:34:56Z
        let table = [
            (json!("2026-10-20T12:34:56Z"), at(NOON, 0)),
            (json!("2026-10-20T12:34:56.789Z"), at(NOON, 789_000_000)),
            (
                json!("2026-10-20T12:34:56.123456789Z"),
                at(NOON, 123_456_789),
            ),
            (json!("2026-10-20t12:34:56z"), at(NOON, 0)),
            (json!("2026-10-20 12:34:56Z"), at(NOON, 0)),
            (json!(" 2026-10-20T12:34:56Z\n"), at(NOON, 0)),
            (json!("2026-10-20T14:34:56+02:00"), at(NOON, 0)),
            (json!("2026-10-20T05:34:56.5-07:00"), at(NOON, 500_000_000)),
            (json!("2026-10-20T12:34:56"), at(NOON, 0)),
            (json!("2026-10-20T12:34:56.789"), at(NOON, 789_000_000)),
            (json!(NOON), at(NOON, 0)),
            (json!(NOON * 1000), at(NOON, 0)),
            (json!(NOON as f64), at(NOON, 0)),
            (json!(NOON.to_string()), at(NOON, 0)),
            (json!((NOON * 1000).to_string()), at(NOON, 0)),
            (json!(0), at(0, 0)),
        ];
        for (value, expected) in table {
            assert_eq!(parse_expiry(&value), expected, "{value}");
        }
    }

    #[test]
    fn garbage_is_no_expiry() {
        for value in [
            json!(null),
            json!(true),
            json!([]),
            json!({"seconds": 1}),
            json!(""),
            json!("soon"),
            json!("NaN"),
            json!("inf"),
            json!("Invalid Date"),
            json!("2026-13-40T99:99:99Z"),
            json!(-1),
            json!(1e18),
            json!(1e300),
        ] {
            assert_eq!(parse_expiry(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_to_the_millisecond(ms in 0..253_402_207_200_000_u64) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
            prop_assert_eq!(parse_expiry(&json!(format_rfc3339(time))), Some(time));
        }

        #[test]
        fn no_text_and_no_number_panics(text in ".{0,40}", number in any::<f64>()) {
            parse_expiry(&json!(text));
            parse_expiry(&json!(number));
        }
    }
}
