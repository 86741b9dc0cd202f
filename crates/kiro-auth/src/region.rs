//! The two regions of a credential: where one signs in, and where the service answers.
//!
//! They differ for everybody who signs in through a directory outside the service's regions. Taking the
//! one for the other produces hosts that do not exist (`q.ap-southeast-2…`) or answers 403.

/// The regions in which the service answers (taken from the region table of the public Amazon Q CLI,
/// and the notes of kiro-cli 2.12 for GovCloud; seen in 2026).
pub const SERVICE_REGIONS: [&str; 4] = [
    "us-east-1",
    "eu-central-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

/// Where a credential is used when nothing says otherwise.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The region of the service, from the strongest statement to the weakest:
///
/// 1. `explicit`, the operator's word, if it has the form of a region; known or not, because regions are
///    opened more often than this table is read;
/// 2. the fourth field of the profile ARN, `arn:aws:codewhisperer:{region}:…`, if the service is there;
/// 3. the region of the login, mapped: `eu-*` to Frankfurt, GovCloud to itself, everything else to
///    Virginia;
/// 4. [`DEFAULT_REGION`].
///
/// ```
/// use kiro_auth::service_region;
///
/// let arn = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLE";
/// assert_eq!(service_region(None, Some(arn), Some("us-east-1")), "eu-central-1");
/// assert_eq!(service_region(None, None, Some("ap-southeast-2")), "us-east-1");
/// ```
pub fn service_region<'a>(
    explicit: Option<&'a str>,
    profile_arn: Option<&str>,
    login_region: Option<&str>,
) -> &'a str {
    explicit
        .filter(|region| is_region(region))
        .or_else(|| known(profile_arn?.split(':').nth(3)?))
        .or_else(|| login_region.map(nearest))
        .unwrap_or(DEFAULT_REGION)
}

/// Whether the text has the form of a region, `eu-west-1` or `us-gov-east-1`, so that it may become part
/// of a host name: nothing else can be smuggled into one.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let area = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let Some((number, names)) = rest.split_last() else {
        return false;
    };
    let is_word =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= 32
        && area.len() == 2
        && is_word(&area)
        && !names.is_empty()
        && names.iter().all(is_word)
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn known(region: &str) -> Option<&'static str> {
    SERVICE_REGIONS.into_iter().find(|known| *known == region)
}

fn nearest(login_region: &str) -> &'static str {
    match known(login_region) {
        Some(region) => region,
        None if login_region.starts_with("eu-") => "eu-central-1",
        None => DEFAULT_REGION,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRANKFURT: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/X";
    const VIRGINIA: &str = "arn:aws:codewhisperer:us-east-1:111122223333:profile/X";
    const NOWHERE: &str = "arn:aws:codewhisperer:ap-southeast-2:111122223333:profile/X";

    #[test]
    fn the_strongest_statement_wins() {
        let table = [
            // explicit, profile, login → service
            (None, None, None, "us-east-1"),
            (None, None, Some("us-east-1"), "us-east-1"),
            (None, None, Some("us-west-2"), "us-east-1"),
            (None, None, Some("eu-west-1"), "eu-central-1"),
            (None, None, Some("eu-central-1"), "eu-central-1"),
            (None, None, Some("ap-southeast-2"), "us-east-1"),
            (None, None, Some("us-gov-west-1"), "us-gov-west-1"),
            (None, None, Some("sa-east-1"), "us-east-1"),
            (None, None, Some("evil.example/"), "us-east-1"),
            (None, Some(FRANKFURT), Some("us-east-1"), "eu-central-1"),
            (None, Some(VIRGINIA), Some("eu-west-1"), "us-east-1"),
            (None, Some(NOWHERE), Some("eu-west-1"), "eu-central-1"),
            (None, Some(NOWHERE), None, "us-east-1"),
            (None, Some("not an arn"), Some("eu-north-1"), "eu-central-1"),
            (
                Some("us-east-1"),
                Some(FRANKFURT),
                Some("eu-west-1"),
                "us-east-1",
            ),
            (Some("ap-northeast-1"), None, None, "ap-northeast-1"),
            (Some(""), Some(FRANKFURT), None, "eu-central-1"),
            (Some("evil.example/"), Some(FRANKFURT), None, "eu-central-1"),
        ];
        for (explicit, profile, login, expected) in table {
            assert_eq!(
                service_region(explicit, profile, login),
                expected,
                "{explicit:?} {profile:?} {login:?}"
            );
        }
    }

    #[test]
    fn only_regions_look_like_regions() {
        for region in [
            "us-east-1",
            "eu-central-1",
            "us-gov-east-1",
            "ap-southeast-12",
        ] {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "us",
            "us-1",
            "useast1",
            "us-east-",
            "us--1",
            "US-EAST-1",
            "us-east-1.evil.example",
            "us-east-1/",
            "eu-west-123",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_file_says_never_makes_an_unknown_host(
            profile in proptest::option::of("(arn:aws:codewhisperer:)?[a-z0-9:./@-]{0,40}"),
            login in proptest::option::of("[a-z0-9:./@-]{0,24}"),
        ) {
            let region = service_region(None, profile.as_deref(), login.as_deref());
            prop_assert!(SERVICE_REGIONS.contains(&region));
        }
    }
}
