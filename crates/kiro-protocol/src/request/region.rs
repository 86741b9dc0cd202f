//! The names of regions, which become parts of host names.

use std::borrow::Cow;
use std::fmt;

/// The name of an AWS region, for example `eu-central-1`.
///
/// Its form is checked, because it becomes a part of a host name to which tokens are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(Cow<'static, str>);

/// The text is not the name of a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a region such as us-east-1")]
pub struct RegionError {
    /// What was given, at most 40 characters of it.
    pub text: String,
}

impl Region {
    /// `us-east-1`, the service's home and the default.
    pub const US_EAST_1: Self = Self(Cow::Borrowed("us-east-1"));
    /// `eu-central-1`, the only other public region of the service (October 2026).
    pub const EU_CENTRAL_1: Self = Self(Cow::Borrowed("eu-central-1"));

    /// Takes a name.
    ///
    /// # Errors
    ///
    /// [`RegionError`] when it is not lower-case words and a number, joined by hyphens.
    pub fn new(text: &str) -> Result<Self, RegionError> {
        if has_form(text) {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        Err(RegionError {
            text: text.chars().take(40).collect(),
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `us-east-1`: lower-case words, then a number of one or two digits.
fn has_form(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && words.split('-').all(is_word)
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_the_host_name_is_no_region() {
        for text in [
            "",
            "us",
            "us-east",
            "us-east-1.evil.example",
            "us-east-1/",
            "US-EAST-1",
            "-1",
            "a--1",
            "us-east-111",
        ] {
            assert!(Region::new(text).is_err(), "{text}");
        }
        assert_eq!(
            Region::new("us_east_1").unwrap_err().to_string(),
            "`us_east_1` is not a region such as us-east-1"
        );
    }
}
