//! The pages themselves: a few lines that name scripts and styles, and what a browser may do with them.

use http::{HeaderValue, Response, header};

use crate::body::{self, Body};

/// A page and what it needs beyond its own scripts.
pub(super) struct Html {
    /// `{nonce}` stands for a value that is new for every answer.
    text: &'static str,
    /// Where its styles may come from.
    styles: &'static str,
    /// Where its workers may come from.
    workers: &'static str,
}

/// Swagger UI.
pub(super) const DOCS: Html = Html {
    text: include_str!("assets/docs.html"),
    styles: "'self'",
    workers: "'none'",
};

/// ReDoc, which makes its styles while it runs and searches in a worker that it makes itself.
pub(super) const REDOC: Html = Html {
    text: include_str!("assets/redoc.html"),
    styles: "'nonce-{nonce}'",
    workers: "blob:",
};

/// What the gateway does.
pub(super) const DASHBOARD: Html = Html {
    text: include_str!("assets/dashboard/dashboard.html"),
    styles: "'self'",
    workers: "'none'",
};

/// Answers with a page.
///
/// Only scripts that the page names run. They carry a nonce, and "the same origin" would not do: other answers
/// of the gateway hold what callers have sent.
pub(super) fn page(html: Html) -> Response<Body> {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{{nonce}}'; style-src {}; img-src 'self' data:; \
         connect-src 'self'; worker-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        html.styles, html.workers,
    );
    let fill = |text: &str| text.replace("{nonce}", &nonce);
    let mut response = Response::new(body::full(fill(html.text).into()));
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // A nonce serves once.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    // It is plain ASCII.
    if let Ok(policy) = HeaderValue::from_str(&fill(&policy)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
