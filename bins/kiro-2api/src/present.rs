//! How commands show things: secrets masked, times, tables, JSON.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::command::Failure;

/// Prints to standard output. Whoever reads it may have seen enough, as `head` does.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a document for programs.
pub(crate) fn say_json(document: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string_pretty(document)?);
    Ok(())
}

/// A secret as it may be shown: how it begins, where enough of it stays hidden, and how long it is.
pub(crate) fn masked(secret: &str) -> String {
    const SHOWN: usize = 4;
    let length = secret.chars().count();
    let beginning: String = match length {
        0..24 => String::new(),
        _ => secret.chars().take(SHOWN).collect(),
    };
    format!("{beginning}… ({length} characters)")
}

/// A profile without the number of its account: reports are pasted in public.
pub(crate) fn masked_arn(arn: &str) -> String {
    let hide = |part: &str| match part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()) {
        true => format!("…{}", &part[8..]),
        false => part.to_owned(),
    };
    arn.split(':').map(hide).collect::<Vec<_>>().join(":")
}

/// `2026-11-26T23:06:18Z`.
pub(crate) fn time(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("{time:.0}"),
        Err(_) => "a time out of range".to_owned(),
    }
}

/// Seconds since 1970 as a time.
pub(crate) fn epoch(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// `4d 2h`, `2h 5m`, `5m 3s`, `3s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// An error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        // It cannot fail for a string.
        let _ = write!(text, ": {deeper}");
        cause = deeper.source();
    }
    text
}

/// Rows in columns as wide as they need, the head first.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_secret_little_is_shown_and_of_a_short_one_nothing() {
        assert_eq!(masked("0123456789abcdef"), "… (16 characters)");
        assert_eq!(
            masked("aorAAAAAGplanted-token-which-is-long"),
            "aorA… (36 characters)"
        );
        let arn = "arn:aws:codewhisperer:us-east-1:111122223333:profile/ABC";
        assert_eq!(
            masked_arn(arn),
            "arn:aws:codewhisperer:us-east-1:…3333:profile/ABC"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "xé".to_owned()],
            ["long".to_owned(), String::new()],
        ];
        assert_eq!(table(["N", "B"], &rows), "N     B\na     xé\nlong");
    }

    #[test]
    fn times_are_short() {
        let texts = [3, 63, 3663, 90_000].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(texts, ["3s", "1m 3s", "1h 1m", "1d 1h"]);
        let at = epoch(1_793_491_200).map(time);
        assert_eq!(at.as_deref(), Some("2026-11-01T00:00:00Z"));
    }
}
