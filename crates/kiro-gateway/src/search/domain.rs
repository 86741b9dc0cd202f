//! Whose pages are wanted.

/// Hosts, each with or without a path, whose pages are wanted, or are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Domains {
    /// Every page is wanted.
    #[default]
    Any,
    /// Those of these and of hosts below them.
    Only(Vec<String>),
    /// All but those.
    Not(Vec<String>),
}

impl Domains {
    /// Whether a page is wanted.
    pub(super) fn want(&self, url: &str) -> bool {
        let has = |domains: &[String]| domains.iter().any(|domain| is_of(url, domain));
        match self {
            Self::Any => true,
            Self::Only(domains) => has(domains),
            Self::Not(domains) => !has(domains),
        }
    }
}

/// Whether an address is of a domain such as `example.com` or `example.com/blog`.
fn is_of(url: &str, domain: &str) -> bool {
    let (host, path) = parts(url);
    let (wanted_host, wanted_path) = parts(domain);
    let host_fits = host == wanted_host
        || host
            .strip_suffix(&*wanted_host)
            .is_some_and(|before| before.ends_with('.') && !wanted_host.is_empty());
    // A star may stand for the rest of a path.
    let wanted_path = wanted_path.split('*').next().unwrap_or_default();
    host_fits && path.starts_with(wanted_path)
}

/// The host in lower case, without a port, and the path.
fn parts(address: &str) -> (String, &str) {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or_default();
    (host.to_ascii_lowercase(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_the_hosts_below_it_and_may_have_a_path() {
        for (url, domain, expected) in [
            ("https://example.com/a", "example.com", true),
            ("https://docs.Example.com/a", "example.com", true),
            ("https://badexample.com/a", "example.com", false),
            ("https://example.com.evil.org/", "example.com", false),
            ("https://evil.org/?q=example.com", "example.com", false),
            ("https://example.com@evil.org/", "example.com", false),
            ("https://example.com:8443/a", "example.com", true),
            ("https://example.com/blog/1", "example.com/blog", true),
            ("https://example.com/shop/1", "example.com/blog", false),
            (
                "https://example.com/blog/1",
                "https://example.com/blog/*",
                true,
            ),
            ("https://example.com/", "docs.example.com", false),
            ("https://example.com/", "", false),
        ] {
            assert_eq!(is_of(url, domain), expected, "{url} {domain}");
        }
        let url = "https://example.com/";
        let domains = vec!["example.com".to_owned()];
        assert!(Domains::Only(domains.clone()).want(url) && !Domains::Not(domains).want(url));
    }
}
