//! Pages of other origins: what a browser must be told before it lets their scripts talk to us.
//!
//! A browser asks first (`OPTIONS`, without the key) and looks at the answer again afterwards, whether it
//! is an answer, an error or a stream. Keys travel in headers that a script sets itself, never in cookies;
//! so a page can do no more than whoever has typed a key into it, and any origin may be allowed.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::body::{self, Body};

/// Which origins a browser lets talk to the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedOrigins {
    /// All of them; the key decides.
    #[default]
    Any,
    /// These, as a browser writes them: `https://app.example.com`, `http://localhost:3000`, `null` for
    /// pages that are files. Without any, no page of another origin is let in.
    Only(Vec<String>),
}

/// How long a browser may remember what it was told, in seconds. None remembers for longer than two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// What scripts may read of every answer (the Fetch standard, "CORS-safelisted response-header name").
const READABLE: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

impl AllowedOrigins {
    /// What to tell the sender of a request.
    pub(crate) fn grant(&self, request: &HeaderMap) -> Grant {
        let origin = request.get(header::ORIGIN);
        match self {
            Self::Any => Grant {
                origin: origin.map(|_| HeaderValue::from_static("*")),
                varies: false,
            },
            Self::Only(allowed) => Grant {
                origin: origin
                    .filter(|origin| {
                        allowed
                            .iter()
                            .any(|one| one.as_bytes() == origin.as_bytes())
                    })
                    .cloned(),
                varies: true,
            },
        }
    }

    /// The first entry that no browser writes like that.
    pub(crate) fn unusable(&self) -> Option<&str> {
        match self {
            Self::Any => None,
            Self::Only(allowed) => allowed
                .iter()
                .map(String::as_str)
                .find(|origin| !is_origin(origin)),
        }
    }
}

/// What the sender of a request is told.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    origin: Option<HeaderValue>,
    /// Whether another origin would be told something else.
    varies: bool,
}

impl Grant {
    /// Writes it into an answer, when that is complete: every header of ours is there for scripts to read.
    pub(crate) fn write(self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = self.origin else { return };
        let names: Vec<&str> = headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| !READABLE.contains(name) && *name != "vary")
            .filter(|name| !name.starts_with("access-control-"))
            .collect();
        // The names of headers are valid in a header.
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// The answer to `OPTIONS`: the methods of the path and, for a browser, whatever headers it asks for. SDKs
/// send many (`x-stainless-…`), and more with every version.
pub(crate) fn options(request: &HeaderMap, methods: &str) -> Response<Body> {
    let mut response = Response::new(body::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    // The names of methods are valid in a header.
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(header::ALLOW, methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        headers.append(
            header::VARY,
            HeaderValue::from_static("access-control-request-headers"),
        );
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

/// `scheme://host` with an optional port, in lower case and with nothing behind it.
fn is_origin(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b'/')
    };
    match text.split_once("://") {
        Some((scheme, host)) => plain(scheme) && plain(host) && host != "*",
        None => text == "null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).unwrap())])
    }

    fn told(allowed: &AllowedOrigins, request: &HeaderMap) -> HeaderMap {
        let mut response = Response::new(body::full(bytes::Bytes::new()));
        response
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static("1"));
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("text/plain"));
        allowed.grant(request).write(&mut response);
        response.headers().clone()
    }

    #[test]
    fn any_origin_is_told_the_same_and_others_than_browsers_nothing() {
        let told_page = told(&AllowedOrigins::Any, &from("https://a.example"));
        assert_eq!(told_page["access-control-allow-origin"], "*");
        assert_eq!(told_page["access-control-expose-headers"], "x-request-id");
        let told_program = told(&AllowedOrigins::Any, &HeaderMap::new());
        assert_eq!(told_program.len(), 2, "{told_program:?}");
    }

    #[test]
    fn of_a_list_only_the_origin_that_asks_is_named() {
        let allowed = AllowedOrigins::Only(vec!["https://a.example".into(), "null".into()]);
        for (origin, granted) in [
            ("https://a.example", true),
            ("null", true),
            ("https://a.example.evil", false),
            ("https://a.example:8443", false),
            ("http://a.example", false),
        ] {
            let told = told(&allowed, &from(origin));
            let named = told.get("access-control-allow-origin");
            assert_eq!(
                named.map(HeaderValue::as_bytes),
                granted.then_some(origin.as_bytes())
            );
            assert_eq!(told["vary"], "origin", "caches must not mix them up");
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for (text, good) in [
            ("https://a.example", true),
            ("http://localhost:3000", true),
            ("http://[::1]:3000", true),
            ("app://obsidian.md", true),
            ("null", true),
            ("https://a.example/", false),
            ("https://A.example", false),
            ("a.example", false),
            ("https://*", false),
            ("*", false),
            ("", false),
        ] {
            let only = AllowedOrigins::Only(vec![text.to_owned()]);
            assert_eq!(only.unusable().is_none(), good, "{text}");
        }
    }
}
