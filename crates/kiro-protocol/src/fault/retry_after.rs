//! The `retry-after` header, without a clock.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// How long the answer asks to wait. A date is taken against the `date` of the same answer, because this
/// crate reads no clock and the two clocks may differ.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = epoch_seconds(value)?;
    let sent = epoch_seconds(text(DATE)?)?;
    Some(Duration::from_secs(until.saturating_sub(sent)))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7, the form that servers must send).
fn epoch_seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words
        .next()?
        .splitn(3, ':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range || words.next() != Some("GMT") {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Counts years from March, so that the leap day is the last of its year.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_of_years = year * 365 + year / 4 - year / 100 + year / 400;
    let days_of_months = (153 * month + 2) / 5;
    days_of_years + days_of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pairs: &[(http::HeaderName, &str)]) -> Option<Duration> {
        let pairs = pairs.iter().cloned();
        read(
            &pairs
                .map(|(name, value)| (name, value.parse().unwrap()))
                .collect(),
        )
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let date = (DATE, "Wed, 28 Feb 2024 23:59:30 GMT");
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Thu, 29 Feb 2024 00:00:30 GMT", Some(60)),
            ("Wed, 28 Feb 2024 23:00:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Thu, 29 Foo 2024 00:00:30 GMT", None),
            ("Thu, 29 Feb 2024 00:00 GMT", None),
            ("Thu, 29 Feb 2024 00:00:30 PST", None),
            ("Thu, 99 Feb 99999999999999999999 00:00:30 GMT", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(
                wait(&[date.clone(), (RETRY_AFTER, value)]),
                expected,
                "{value}"
            );
        }
        assert_eq!(
            wait(&[(RETRY_AFTER, "Thu, 29 Feb 2024 00:00:30 GMT")]),
            None
        );
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(epoch_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            epoch_seconds("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(
            epoch_seconds("Tue, 29 Feb 2000 12:00:00 GMT"),
            Some(951_825_600)
        );
    }
}
