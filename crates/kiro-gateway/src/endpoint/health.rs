//! `GET /health`: whether the gateway works, and `GET /readyz`: whether requests should be sent to it; no
//! key needed, no secret in them.
//!
//! ```json
//! {"status": "ok", "version": "0.1.0", "uptime_seconds": 12, "active_exchanges": 0,
//!  "credentials": {"mode": "own", "total": 1, "usable": 1},
//!  "upstream": {"state": "reachable", "last_answer": 1763800000}}
//! ```

use std::sync::atomic::Ordering;

use http::{Response, StatusCode};
use kiro_auth::CredentialStatus;

use crate::body::Body;
use crate::response::json;
use crate::shared::Shared;
use crate::upstream::Reach;

#[derive(serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
pub(crate) struct Health {
    /// `ok`; `degraded` when no request could be served: no usable credential, or no upstream; `draining`
    /// once the server was asked to stop.
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    active_exchanges: usize,
    credentials: Credentials,
    upstream: Upstream,
}

#[derive(serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "HealthCredentials"))]
struct Credentials {
    /// `own`, or `tenants` when every caller brings one.
    mode: &'static str,
    total: usize,
    usable: usize,
}

#[derive(serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "HealthUpstream"))]
struct Upstream {
    state: Reach,
    /// Seconds since the epoch.
    last_answer: Option<u64>,
}

/// Always 200: a gateway that answers is alive. What it lacks is in the document.
pub(crate) fn answer(shared: &Shared) -> Response<Body> {
    let credentials = match shared.tenants.house() {
        Some(house) => {
            let status = house.status();
            let usable =
                |one: &&CredentialStatus| one.resting.is_none() && one.last_error.is_none();
            Credentials {
                mode: "own",
                total: status.len(),
                usable: status.iter().filter(usable).count(),
            }
        }
        None => Credentials {
            mode: "tenants",
            total: 0,
            usable: 0,
        },
    };
    let reach = shared.upstream.reach();
    let out_of_credentials = credentials.mode == "own" && credentials.usable == 0;
    let degraded = out_of_credentials || matches!(reach, Reach::Unreachable);
    let health = Health {
        status: match (is_draining(shared), degraded) {
            (true, _) => "draining",
            (false, true) => "degraded",
            (false, false) => "ok",
        },
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: shared.started.elapsed().as_secs(),
        active_exchanges: shared.counters.active.load(Ordering::Relaxed),
        credentials,
        upstream: Upstream {
            state: reach,
            last_answer: shared.upstream.last_answer(),
        },
    };
    // Strings and numbers always serialize.
    json(
        StatusCode::OK,
        serde_json::to_vec(&health).unwrap_or_default().into(),
    )
}

/// 200 while requests should be sent here, 503 once the server was asked to stop.
///
/// It does not look at credentials: without them all of several gateways would be taken out of the
/// balancer at once, and their callers would not read why.
pub(crate) fn ready(shared: &Shared) -> Response<Body> {
    let (status, text) = match is_draining(shared) {
        false => (StatusCode::OK, &br#"{"status":"ready"}"#[..]),
        true => (
            StatusCode::SERVICE_UNAVAILABLE,
            &br#"{"status":"draining"}"#[..],
        ),
    };
    json(status, text.into())
}

fn is_draining(shared: &Shared) -> bool {
    shared.draining.load(Ordering::Relaxed)
}
