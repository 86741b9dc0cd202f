//! Which headers a bundle shows. Of all others it has the names.

use http::{HeaderMap, HeaderName};

use super::secrets::Secrets;

/// What stands in place of a value.
const MASKED: &str = "***";

/// Headers of a client that say how it asks. Whatever is not here may be a key of somebody's.
const ASKING: [&str; 15] = [
    "accept",
    "accept-encoding",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "openai-beta",
    "originator",
    "user-agent",
    "x-app",
    "x-request-id",
];

/// How the names of more of them begin.
const ASKING_TOO: [&str; 2] = ["x-stainless-", "x-gateway-"];

/// Headers of our requests and of the service's answers.
const SERVICE: [&str; 13] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "retry-after",
    "server",
    "tokentype",
    "transfer-encoding",
    "user-agent",
    "via",
];

/// How the names of the service's own begin. A profile is among them, which is masked by its form.
const SERVICE_TOO: [&str; 3] = ["x-amz", "amz-sdk-", "x-kiro-"];

/// Headers of our answers that are a client's own words.
const ECHOED: [&str; 1] = ["access-control-allow-origin"];

/// Whose headers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A client asks.
    Client,
    /// We ask, or the service answers.
    Service,
    /// We answer; all of them are of our making.
    Ours,
}

impl Whose {
    fn shows(self, name: &HeaderName) -> bool {
        let name = name.as_str();
        match self {
            Self::Client => {
                ASKING.contains(&name) || ASKING_TOO.iter().any(|begin| name.starts_with(begin))
            }
            Self::Service => {
                SERVICE.contains(&name) || SERVICE_TOO.iter().any(|begin| name.starts_with(begin))
            }
            Self::Ours => !ECHOED.contains(&name),
        }
    }
}

/// Names and values as a bundle has them.
pub(super) fn shown(headers: &HeaderMap, whose: Whose, secrets: &Secrets) -> Vec<(String, String)> {
    let shown = headers.iter().map(|(name, value)| {
        let value = match whose.shows(name) {
            true => secrets.mask_text(&String::from_utf8_lossy(value.as_bytes())),
            false => MASKED.to_owned(),
        };
        (name.as_str().to_owned(), value)
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_that_nobody_knows_are_masked() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer planted"),
            ("cookie", "planted"),
            ("x-corporate-gateway-token", "planted"),
            ("user-agent", "OpenAI/Python"),
            ("x-stainless-lang", "python"),
            (
                "x-amzn-profile",
                "arn:aws:codewhisperer:us-east-1:1:profile/planted",
            ),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        for whose in [Whose::Client, Whose::Service] {
            let shown = shown(&headers, whose, &Secrets::default());
            assert_eq!(shown.len(), 6, "the names are there");
            assert!(!format!("{shown:?}").contains("planted"), "{shown:?}");
            assert!(format!("{shown:?}").contains("OpenAI/Python"));
        }
    }
}
