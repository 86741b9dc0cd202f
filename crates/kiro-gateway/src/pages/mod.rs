//! Pages for people, and the description that they show. All that they are made of is in the binary: they work
//! without a network, and ask nobody but this gateway.
//!
//! ```text
//! /openapi.json                 the API, as openapi/ makes it
//! /docs, /docs/{file}           Swagger UI, from a crate of the registry, embedded by build.rs
//! /redoc, /redoc/{file}         ReDoc, the same
//! /dashboard, /dashboard/{file} ours; it reads /admin/…, and holds nothing itself
//! ```

mod file;
mod html;
mod openapi;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};

use crate::body::{self, Body};
use crate::error::{Error, ErrorKind};
use crate::response::json;
use file::File;

/// A page, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The description of the API.
    OpenApi,
    /// The API to read and to try.
    Docs,
    /// The API to read.
    Redoc,
    /// What the gateway does, for its operator.
    Dashboard,
    /// A script or a style of one.
    DocsFile,
    /// The same.
    RedocFile,
    /// The same.
    DashboardFile,
}

/// Which pages there are.
#[derive(Debug)]
pub(crate) struct Pages {
    docs: bool,
    dashboard: bool,
}

impl Pages {
    pub(crate) fn new(docs: bool, dashboard: bool) -> Self {
        Self { docs, dashboard }
    }

    /// Whether a page is there at all.
    pub(crate) fn is_open(&self, page: Page) -> bool {
        match page {
            Page::Dashboard | Page::DashboardFile => self.dashboard,
            _ => self.docs,
        }
    }
}

/// Answers with a page, or with the file of this name.
pub(crate) async fn answer(
    page: Page,
    path: &str,
    headers: &HeaderMap,
    name: Option<&str>,
) -> Result<Response<Body>, Error> {
    if let Some(plain) = without_slash(path) {
        return Ok(moved(&plain));
    }
    match page {
        Page::OpenApi => Ok(json(http::StatusCode::OK, openapi::document())),
        Page::Docs => Ok(html::page(html::DOCS)),
        Page::Redoc => Ok(html::page(html::REDOC)),
        Page::Dashboard => Ok(html::page(html::DASHBOARD)),
        file => match File::find(file, name.unwrap_or_default()) {
            Some(file) => file.answer(headers).await,
            None => Err(Error::new(ErrorKind::NotFound, "There is no such file.")),
        },
    }
}

/// Where a path leads to that ends with slashes, from there. What a page refers to is beside it, so that it works
/// below any prefix; but not if the page seems to be a folder.
fn without_slash(path: &str) -> Option<String> {
    let plain = path.trim_end_matches('/');
    let (_, name) = plain.rsplit_once('/')?;
    let slashes = path.len() - plain.len();
    (slashes > 0).then(|| "../".repeat(slashes) + name)
}

fn moved(place: &str) -> Response<Body> {
    let mut response = Response::new(body::full(Bytes::new()));
    *response.status_mut() = http::StatusCode::PERMANENT_REDIRECT;
    // It was a part of a path.
    let place = HeaderValue::from_str(place);
    let headers = response.headers_mut();
    headers.extend(place.map(|place| (header::LOCATION, place)));
    response
}
