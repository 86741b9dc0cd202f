//! Scripts and styles, embedded as gzip made them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::Page;
use crate::body::{self, Body};
use crate::error::{Error, ErrorKind};

/// A file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    /// Whose part it is.
    of: Page,
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// As it is; it is small.
    Plain(&'static str),
    /// As gzip made it.
    Gzip(&'static [u8]),
}

/// What build.rs has packed.
macro_rules! packed {
    ($name:literal) => {
        Content::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")))
    };
}

const FILES: [File; 13] = [
    File {
        of: Page::DocsFile,
        name: "swagger-ui.js",
        content: packed!("swagger-ui.js"),
    },
    File {
        of: Page::DocsFile,
        name: "swagger-ui.css",
        content: packed!("swagger-ui.css"),
    },
    File {
        of: Page::DocsFile,
        name: "docs.js",
        content: Content::Plain(include_str!("assets/docs.js")),
    },
    File {
        of: Page::RedocFile,
        name: "redoc-bundle.js",
        content: packed!("redoc-bundle.js"),
    },
    File {
        of: Page::RedocFile,
        name: "redoc.js",
        content: Content::Plain(include_str!("assets/redoc.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "dashboard.css",
        content: Content::Plain(include_str!("assets/dashboard/dashboard.css")),
    },
    File {
        of: Page::DashboardFile,
        name: "main.js",
        content: Content::Plain(include_str!("assets/dashboard/main.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "overview.js",
        content: Content::Plain(include_str!("assets/dashboard/overview.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "playground.js",
        content: Content::Plain(include_str!("assets/dashboard/playground.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "charts.js",
        content: Content::Plain(include_str!("assets/dashboard/charts.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "events.js",
        content: Content::Plain(include_str!("assets/dashboard/events.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "dom.js",
        content: Content::Plain(include_str!("assets/dashboard/dom.js")),
    },
    File {
        of: Page::DashboardFile,
        name: "words.js",
        content: Content::Plain(include_str!("assets/dashboard/words.js")),
    },
];

impl File {
    /// A file of a page.
    pub(super) fn find(of: Page, name: &str) -> Option<Self> {
        let mut files = FILES.into_iter();
        files.find(|file| file.of == of && file.name == name)
    }

    /// Answers with it, or says that what the browser has is still right.
    pub(super) async fn answer(self, headers: &HeaderMap) -> Result<Response<Body>, Error> {
        let tag = TAGS.get(self.name).map_or("", String::as_str);
        let known = headers.get(header::IF_NONE_MATCH);
        let is_known = known.is_some_and(|known| {
            let mut known = known.to_str().unwrap_or_default().split(',');
            known.any(|known| known.trim() == tag)
        });
        let takes_gzip = takes_gzip(headers);
        let (status, content) = match self.content {
            _ if is_known => (StatusCode::NOT_MODIFIED, Bytes::new()),
            Content::Plain(text) => (StatusCode::OK, Bytes::from_static(text.as_bytes())),
            Content::Gzip(bytes) if takes_gzip => (StatusCode::OK, Bytes::from_static(bytes)),
            Content::Gzip(bytes) => (StatusCode::OK, unpacked(self.name, bytes).await?),
        };
        let mut response = Response::new(body::full(content));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let kind = match self.name.ends_with(".css") {
            true => "text/css; charset=utf-8",
            false => "text/javascript; charset=utf-8",
        };
        let fixed = [
            (header::CONTENT_TYPE, kind),
            (header::VARY, "accept-encoding"),
            // Ask each time whether it is still right: another version of the gateway has others.
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
        if takes_gzip && matches!(self.content, Content::Gzip(_)) {
            let gzip = HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, gzip);
        }
        headers.insert(header::ETAG, HeaderValue::from_static(tag));
        Ok(response)
    }

    /// Names the content, packed or not, which is what makes it a weak one.
    fn tag(self) -> String {
        let content = match self.content {
            Content::Plain(text) => text.as_bytes(),
            Content::Gzip(bytes) => bytes,
        };
        let mut tag = String::from("W/\"");
        for byte in &Sha256::digest(content)[..12] {
            // Writing into a string has no way to fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag + "\""
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let sent = headers.get_all(header::ACCEPT_ENCODING).iter();
    let sent = sent.filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The names of the contents, by those of the files.
static TAGS: LazyLock<HashMap<&str, String>> =
    LazyLock::new(|| FILES.map(|file| (file.name, file.tag())).into());

/// What was unpacked once. Each answer with a copy of its own would let strangers fill the memory.
static UNPACKED: Mutex<BTreeMap<&str, Bytes>> = Mutex::new(BTreeMap::new());

/// For those few who cannot unpack it themselves.
async fn unpacked(name: &'static str, packed: &[u8]) -> Result<Bytes, Error> {
    let known = || UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plain) = known().get(name) {
        return Ok(plain.clone());
    }
    let mut plain = Vec::new();
    let read = GzipDecoder::new(packed).read_to_end(&mut plain).await;
    read.map_err(|error| {
        Error::new(ErrorKind::Internal, "The file cannot be read.").with_source(error)
    })?;
    Ok(known().entry(name).or_insert(plain.into()).clone())
}
