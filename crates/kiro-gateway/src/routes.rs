//! The route table: method and path to what answers.

use std::sync::LazyLock;

use http::{HeaderMap, Method};

use crate::endpoint::admin::Admin;
#[cfg(feature = "pages")]
use crate::pages::Page;
use crate::surface::{self, Surface, chat, messages, responses};

/// What answers a request.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    /// What this server is.
    Info,
    /// Whether it works.
    Health,
    /// Whether requests should be sent to it.
    Ready,
    /// What is measured, for Prometheus.
    Metrics,
    /// The models, as a list.
    Models,
    /// One model.
    Model,
    /// What is left of the caller's quota.
    Usage,
    /// How many tokens a request of the Messages API has.
    CountTokens,
    /// A response that is kept.
    Response,
    /// What the request for a kept response said.
    InputItems,
    /// Forgets a response that is kept.
    DeleteResponse,
    /// Stops the making of a response.
    CancelResponse,
    /// What the operator sees.
    Admin(Admin),
    /// A page for people, or a part of one.
    #[cfg(feature = "pages")]
    Page(Page),
    /// An API dialect.
    Surface(&'static dyn Surface),
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) method: Method,
    /// `{id}` at the end stands for one or more segments, `{response_id}` for one.
    pub(crate) path: &'static str,
    pub(crate) route: Route,
    /// Whether a key is needed.
    pub(crate) key: bool,
    pub(crate) about: &'static str,
}

/// Every route there is.
pub(crate) static TABLE: &[Row] = &[
    Row {
        method: Method::GET,
        path: "/",
        route: Route::Info,
        key: false,
        about: "what this server is",
    },
    Row {
        method: Method::GET,
        path: "/health",
        route: Route::Health,
        key: false,
        about: "whether it works",
    },
    Row {
        method: Method::GET,
        path: "/healthz",
        route: Route::Health,
        key: false,
        about: "the same, as orchestrators ask for it",
    },
    Row {
        method: Method::GET,
        path: "/readyz",
        route: Route::Ready,
        key: false,
        about: "whether requests should be sent to it: 503 once it is about to stop",
    },
    Row {
        method: Method::GET,
        path: "/api/hello",
        route: Route::Info,
        key: false,
        about: "what this server is, as some clients ask for it",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/openapi.json",
        route: Route::Page(Page::OpenApi),
        key: false,
        about: "the description of the API",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/docs",
        route: Route::Page(Page::Docs),
        key: false,
        about: "the API to read and to try (Swagger UI)",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/docs/{id}",
        route: Route::Page(Page::DocsFile),
        key: false,
        about: "a part of that page",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/redoc",
        route: Route::Page(Page::Redoc),
        key: false,
        about: "the API to read (ReDoc)",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/redoc/{id}",
        route: Route::Page(Page::RedocFile),
        key: false,
        about: "a part of that page",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/dashboard",
        route: Route::Page(Page::Dashboard),
        key: false,
        about: "what the gateway does, for its operator",
    },
    #[cfg(feature = "pages")]
    Row {
        method: Method::GET,
        path: "/dashboard/{id}",
        route: Route::Page(Page::DashboardFile),
        key: false,
        about: "a part of that page",
    },
    Row {
        method: Method::GET,
        path: "/admin/snapshot",
        route: Route::Admin(Admin::Snapshot),
        key: false,
        about: "what the gateway does, for its operator: needs the admin key",
    },
    Row {
        method: Method::GET,
        path: "/admin/events",
        route: Route::Admin(Admin::Events),
        key: false,
        about: "the same as a stream of changes: needs the admin key",
    },
    Row {
        method: Method::GET,
        path: "/admin/usage",
        route: Route::Admin(Admin::Usage),
        key: false,
        about: "what is left of each account's quota and who has spent it: needs the admin key",
    },
    Row {
        method: Method::GET,
        path: "/metrics",
        route: Route::Metrics,
        key: true,
        about: "what is measured, for Prometheus: needs the admin key, if there is one",
    },
    Row {
        method: Method::GET,
        path: "/v1/models",
        route: Route::Models,
        key: true,
        about: "the models",
    },
    Row {
        method: Method::GET,
        path: "/v1/models/{id}",
        route: Route::Model,
        key: true,
        about: "one model",
    },
    Row {
        method: Method::GET,
        path: "/v1/usage",
        route: Route::Usage,
        key: true,
        about: "what is left of the quota of the caller's credential",
    },
    Row {
        method: Method::POST,
        path: "/v1/chat/completions",
        route: Route::Surface(&chat::Chat),
        key: true,
        about: "OpenAI chat completions",
    },
    Row {
        method: Method::POST,
        path: "/v1/messages",
        route: Route::Surface(&messages::Messages),
        key: true,
        about: "Anthropic messages",
    },
    Row {
        method: Method::POST,
        path: "/v1/messages/count_tokens",
        route: Route::CountTokens,
        key: true,
        about: "how many tokens an Anthropic request has",
    },
    Row {
        method: Method::POST,
        path: "/v1/responses",
        route: Route::Surface(&responses::Responses),
        key: true,
        about: "OpenAI responses",
    },
    Row {
        method: Method::GET,
        path: "/v1/responses/{response_id}",
        route: Route::Response,
        key: true,
        about: "a response that is kept",
    },
    Row {
        method: Method::DELETE,
        path: "/v1/responses/{response_id}",
        route: Route::DeleteResponse,
        key: true,
        about: "forget a response",
    },
    Row {
        method: Method::POST,
        path: "/v1/responses/{response_id}/cancel",
        route: Route::CancelResponse,
        key: true,
        about: "refused: no response is made in the background",
    },
    Row {
        method: Method::GET,
        path: "/v1/responses/{response_id}/input_items",
        route: Route::InputItems,
        key: true,
        about: "what the request for a kept response said",
    },
];

/// The dialects there are, and where.
#[cfg(test)]
pub(crate) fn surfaces() -> impl Iterator<Item = (&'static str, &'static dyn Surface)> {
    TABLE.iter().filter_map(|row| match row.route {
        Route::Surface(surface) => Some((row.path, surface)),
        _ => None,
    })
}

/// The row of a request, and the `{id}` of its path.
pub(crate) type Found = (&'static Row, Option<String>);

/// Why no route answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No such path; the nearest there is.
    Path { nearest: &'static str },
    /// The path exists with other methods.
    Method { allow: String },
}

/// Finds the row for a request, and the `{id}` of its path, percent-decoded. `HEAD` is answered on
/// every path.
pub(crate) fn find(method: &Method, path: &str) -> Result<Found, NoRoute> {
    let path = tidy(path);
    let matching: Vec<_> = TABLE
        .iter()
        .filter_map(|row| Some((row, matches(row.path, &path)?)))
        .collect();
    let answers = |row: &Row| match *method {
        Method::HEAD => true,
        _ => row.method == method,
    };
    if let Some((row, id)) = matching.iter().find(|(row, _)| answers(row)) {
        return Ok((row, id.clone()));
    }
    if matching.is_empty() {
        return Err(NoRoute::Path {
            nearest: nearest(&path),
        });
    }
    let rows = matching.into_iter().map(|(row, _)| row);
    Err(NoRoute::Method { allow: allow(rows) })
}

/// Whose words an error is in that has no surface of its own yet: that of the path, or else the one that
/// the headers speak of.
pub(crate) fn dialect(path: &str, headers: &HeaderMap) -> &'static dyn Surface {
    let path = tidy(path);
    let mut rows = TABLE
        .iter()
        .filter(|row| matches(row.path, &path).is_some());
    let surface = rows.find_map(|row| match row.route {
        Route::Surface(surface) => Some(surface),
        Route::CountTokens => Some(&messages::Messages),
        _ => None,
    });
    // What there is not yet below it belongs to the same API.
    let below = path
        .starts_with("/v1/messages/")
        .then_some(&messages::Messages as &dyn Surface);
    let surface = surface.or(below);
    surface.unwrap_or_else(|| surface::spoken(headers))
}

/// Words that stand in the place of a response's id, for what is not served.
const NO_RESPONSES: [&str; 2] = ["compact", "input_tokens"];

/// The methods that `OPTIONS` tells of a path. For one that does not exist these are the methods of all, so
/// that a browser goes on and its user reads what is wrong with the path.
pub(crate) fn methods(path: &str) -> String {
    let path = tidy(path);
    let exists = TABLE.iter().any(|row| matches(row.path, &path).is_some());
    let rows = TABLE
        .iter()
        .filter(|row| !exists || matches(row.path, &path).is_some());
    allow(rows)
}

/// The methods of some rows, for `Allow`.
pub(crate) fn allow(rows: impl IntoIterator<Item = &'static Row>) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for row in rows {
        if !methods.contains(&row.method.as_str()) {
            methods.push(row.method.as_str());
        }
    }
    methods.extend(["HEAD", "OPTIONS"]);
    methods.join(", ")
}

/// Brings the ways people write a base URL to one: double and trailing slashes, `/v1` twice, `/v1`
/// missing, `/openai` or `/api` before it.
fn tidy(path: &str) -> String {
    let mut segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let is_of_v1 = |segment: &str| OF_V1.contains(&segment);
    let needless = |segments: &[&str]| match segments {
        ["v1", "v1", ..] => true,
        ["openai" | "anthropic" | "api", next, ..] => {
            matches!(*next, "openai" | "anthropic" | "v1") || is_of_v1(next)
        }
        _ => false,
    };
    while needless(&segments) {
        segments.remove(0);
    }
    if segments.first().is_some_and(|first| is_of_v1(first)) {
        segments.insert(0, "v1");
    }
    format!("/{}", segments.join("/"))
}

/// What may come after `/v1/`.
static OF_V1: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let paths = TABLE.iter().filter_map(|row| row.path.strip_prefix("/v1/"));
    let mut words: Vec<&str> = paths.filter_map(|path| path.split('/').next()).collect();
    words.dedup();
    words
});

fn matches(pattern: &str, path: &str) -> Option<Option<String>> {
    // Most patterns have no hole, and every request is compared with all.
    let Some(hole) = pattern.bytes().position(|byte| byte == b'{') else {
        return (pattern == path).then_some(None);
    };
    let (prefix, rest) = pattern.split_at(hole);
    if let Some(suffix) = rest.strip_prefix("{response_id}") {
        let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        let is_id = !id.is_empty() && !id.contains('/') && !NO_RESPONSES.contains(&id);
        return is_id.then(|| Some(percent_decode(id)));
    }
    let id = path.strip_prefix(prefix).filter(|id| !id.is_empty())?;
    Some(Some(percent_decode(id)))
}

/// `%2F` → `/`. A percent sign that begins no escape stays.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        let value =
            escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn nearest(path: &str) -> &'static str {
    let likeness = |row: &&Row| strsim::normalized_levenshtein(row.path, path);
    let best = TABLE
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.map_or("/", |row| row.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Option<(&'static str, Option<String>)> {
        find(&method, path).ok().map(|(row, id)| (row.path, id))
    }

    #[test]
    fn no_way_to_write_a_base_url_is_forgotten_for_a_route() {
        for row in TABLE {
            let Some(path) = row.path.strip_prefix("/v1/") else {
                continue;
            };
            let path = path.replace(['{', '}'], "");
            for base in [
                "",
                "/v1",
                "/v1/v1",
                "/openai",
                "/openai/v1",
                "/api/v1",
                "/api",
            ] {
                let found = found(row.method.clone(), &format!("{base}/{path}"));
                assert_eq!(found.map(|(path, _)| path), Some(row.path), "{base}");
            }
        }
    }

    #[test]
    fn every_way_to_write_the_base_url_reaches_the_route() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/v1/v1/chat/completions",
            "//v1//chat/completions/",
            "/v1/chat/completions/",
            "/openai/v1/chat/completions",
            "/api/v1/chat/completions",
            "/openai/chat/completions",
            "/api/openai/v1/v1/chat/completions",
        ] {
            assert_eq!(
                found(Method::POST, path),
                Some(("/v1/chat/completions", None)),
                "{path}"
            );
        }
        assert_eq!(found(Method::GET, "/models/"), Some(("/v1/models", None)));
        for row in TABLE {
            assert_eq!(found(Method::HEAD, row.path).unwrap().0, row.path);
        }
    }

    #[test]
    fn what_is_below_messages_is_refused_in_its_words() {
        let words = |path: &str| {
            let error = crate::error::Error::new(crate::error::ErrorKind::NotFound, "no");
            let body = dialect(path, &HeaderMap::new()).refuse(&error);
            String::from_utf8_lossy(&body).starts_with(r#"{"type":"error""#)
        };
        assert!(words("/v1/messages/batches") && words("/messages/batches/msgbatch_1/"));
        assert!(!words("/v1/messages.x") && !words("/v1/complete"));
    }

    #[test]
    fn words_in_the_place_of_an_id_are_none() {
        for word in NO_RESPONSES {
            let path = format!("/v1/responses/{word}");
            let refusal = find(&Method::POST, &path).err();
            assert!(matches!(refusal, Some(NoRoute::Path { .. })), "{refusal:?}");
        }
        assert_eq!(
            found(Method::POST, "/responses/resp_1/cancel"),
            Some(("/v1/responses/{response_id}/cancel", Some("resp_1".into())))
        );
    }

    #[test]
    fn a_models_id_may_hold_slashes_escaped_or_not() {
        for path in [
            "/v1/models/kiro%2Fclaude-opus-4-5",
            "/v1/models/kiro/claude-opus-4-5",
        ] {
            assert_eq!(
                found(Method::GET, path),
                Some(("/v1/models/{id}", Some("kiro/claude-opus-4-5".into())))
            );
        }
        assert_eq!(percent_decode("50%-%zz%41"), "50%-%zzA");
    }

    #[test]
    fn an_unknown_path_names_the_nearest_and_a_wrong_method_the_right_ones() {
        let unknown = |path| find(&Method::POST, path).err();
        assert_eq!(
            unknown("/v1/chat/completion"),
            Some(NoRoute::Path {
                nearest: "/v1/chat/completions"
            })
        );
        assert_eq!(
            unknown("/v1/model"),
            Some(NoRoute::Path {
                nearest: "/v1/models"
            })
        );
        assert_eq!(
            unknown("/v1/models"),
            Some(NoRoute::Method {
                allow: "GET, HEAD, OPTIONS".into()
            })
        );
        let wrong = find(&Method::DELETE, "/v1/chat/completions").err();
        assert_eq!(
            wrong,
            Some(NoRoute::Method {
                allow: "POST, HEAD, OPTIONS".into()
            })
        );
    }

    #[test]
    fn options_tell_the_methods_of_a_path_and_of_an_unknown_one_all() {
        assert_eq!(methods("/chat/completions"), "POST, HEAD, OPTIONS");
        assert_eq!(methods("/v1/models/a/b"), "GET, HEAD, OPTIONS");
        assert_eq!(methods("/v1/nothing"), "GET, POST, DELETE, HEAD, OPTIONS");
    }
}
