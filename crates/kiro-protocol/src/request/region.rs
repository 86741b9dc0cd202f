//! Which region of the service a credential talks to.

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

/// What is known about the region of a credential's service. Everything may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegionHints<'a> {
    /// Set by the operator for this credential.
    pub credential: Option<&'a Region>,
    /// Set by the operator for all credentials.
    pub global: Option<&'a Region>,
    /// The credential's profile, `arn:aws:codewhisperer:{region}:{account}:profile/{id}`.
    pub profile_arn: Option<&'a str>,
    /// Where the credential signs in. Not a region of the service; see [`Region::serving_login`].
    pub login_region: Option<&'a str>,
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

    /// The region of a profile: the fourth field of its ARN.
    ///
    /// Source: the official CLI takes its endpoint from there (October 2026).
    pub fn of_profile(arn: &str) -> Option<Self> {
        let mut fields = arn.split(':');
        if fields.next() != Some("arn") {
            return None;
        }
        Self::new(fields.nth(2)?).ok()
    }

    /// The region of the service that serves people who sign in at `login_region`.
    ///
    /// The two differ: people sign in where their directory lives, for example in `ap-southeast-2`,
    /// where no service runs. `eu-*` goes to `eu-central-1`; the GovCloud regions are a partition of
    /// their own and serve themselves; everything else goes to `us-east-1`.
    ///
    /// Source: one gateway for `us-*`, `ap-*` and `eu-*`; the rest is inferred.
    pub fn serving_login(login_region: &str) -> Self {
        match login_region {
            gov if gov.starts_with("us-gov-") => Self::new(gov).unwrap_or(Self::US_EAST_1),
            eu if eu.starts_with("eu-") => Self::EU_CENTRAL_1,
            _ => Self::US_EAST_1,
        }
    }

    /// The region to call: what the operator set for the credential, else for all, else the profile's,
    /// else the one that serves the login's region, else `us-east-1`.
    pub fn resolve(hints: &RegionHints<'_>) -> Self {
        let set = hints.credential.or(hints.global).cloned();
        set.or_else(|| hints.profile_arn.and_then(Self::of_profile))
            .or_else(|| hints.login_region.map(Self::serving_login))
            .unwrap_or(Self::US_EAST_1)
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
    fn the_nearest_setting_wins() {
        let sydney = "ap-southeast-2";
        let frankfurt = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/ABC";
        // credential, global, profile, login region, answer
        for (credential, global, profile_arn, login_region, region) in [
            (None, None, None, None, "us-east-1"),
            (None, None, None, Some("us-east-1"), "us-east-1"),
            (None, None, None, Some("us-west-2"), "us-east-1"),
            (None, None, None, Some(sydney), "us-east-1"),
            (None, None, None, Some("eu-west-1"), "eu-central-1"),
            (None, None, None, Some("ca-central-1"), "us-east-1"),
            (None, None, None, Some("us-gov-west-1"), "us-gov-west-1"),
            (None, None, None, Some("us-gov-x/evil.example"), "us-east-1"),
            (None, None, None, Some(""), "us-east-1"),
            (None, None, Some(frankfurt), None, "eu-central-1"),
            (None, None, Some(frankfurt), Some(sydney), "eu-central-1"),
            (
                None,
                None,
                Some("not an arn"),
                Some("eu-west-3"),
                "eu-central-1",
            ),
            (
                None,
                None,
                Some("arn:aws:codewhisperer::1:profile/A"),
                None,
                "us-east-1",
            ),
            (
                None,
                None,
                Some("arn:aws:q:evil.example/:1:p"),
                None,
                "us-east-1",
            ),
            (
                None,
                Some("us-east-1"),
                Some(frankfurt),
                Some(sydney),
                "us-east-1",
            ),
            (
                Some("eu-central-1"),
                Some("us-east-1"),
                None,
                None,
                "eu-central-1",
            ),
            (
                Some("us-east-1"),
                None,
                Some(frankfurt),
                Some(sydney),
                "us-east-1",
            ),
        ] {
            let [credential, global] = [credential, global]
                .map(|name: Option<&str>| name.map(|n| Region::new(n).unwrap()));
            let hints = RegionHints {
                credential: credential.as_ref(),
                global: global.as_ref(),
                profile_arn,
                login_region,
            };
            assert_eq!(Region::resolve(&hints).as_str(), region, "{hints:?}");
        }
    }

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
