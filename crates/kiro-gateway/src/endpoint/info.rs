//! `GET /`: what this server is and where its routes are.
//!
//! ```json
//! {"name": "Kiro-2API", "version": "0.1.0", "routes": [{"method": "GET", "path": "/v1/models", "about": "the models"}]}
//! ```

use http::{Response, StatusCode};

use crate::body::Body;
use crate::response::json;
use crate::routes;
use crate::shared::Shared;

#[derive(serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
pub(crate) struct Info {
    name: &'static str,
    version: &'static str,
    routes: Vec<Route>,
}

#[derive(serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "InfoRoute"))]
struct Route {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    needs_key: bool,
}

pub(crate) fn answer(shared: &Shared) -> Response<Body> {
    let routes = routes::TABLE
        .iter()
        .filter(|row| shared.is_open(row))
        .map(|row| Route {
            method: row.method.as_str(),
            path: row.path,
            about: row.about,
            needs_key: row.key || matches!(row.route, routes::Route::Admin(_)),
        })
        .collect();
    let info = Info {
        name: "Kiro-2API",
        version: env!("CARGO_PKG_VERSION"),
        routes,
    };
    // Strings and booleans always serialize.
    json(
        StatusCode::OK,
        serde_json::to_vec(&info).unwrap_or_default().into(),
    )
}
