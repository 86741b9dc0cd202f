//! `GET /v1/usage`: what is left of the quota of the credentials that serve a caller.
//!
//! A caller who brings a login sees what the service says of it. Who sends a key alone is served by the gateway's own
//! accounts and sees their sums: neither how they are called nor what each of them has.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};

use super::admin::document_of_now;
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::quota::{Asker, Standing};
use crate::shared::Shared;

/// What is left, for a caller.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pages", schemars(rename = "AccountUsage"))]
pub(crate) struct Usage {
    /// Always `usage`.
    object: &'static str,
    /// How many accounts the figures are of: one for who brings a login.
    accounts: usize,
    /// How many more serve the caller, of which nothing is known.
    accounts_unknown: usize,
    #[serde(flatten)]
    standing: Standing,
    /// In how many seconds `?refresh=true` asks the service again.
    refresh_in_seconds: u64,
}

/// Answers, after asking what is due.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let insist = insists(query)?;
    let asker = Asker::of(shared, &tenant);
    let before = pause(&asker);
    asker.refresh(insist).await;
    let credentials = asker.credentials();
    let known = asker.quotas.standings().into_iter();
    let known: Vec<Standing> = known.map(|(_, standing)| standing).collect();
    let Some(standing) = Standing::together(&known, shared.tenants.threshold()) else {
        return Err(nothing_known(&asker));
    };
    let mut response = document_of_now(&Usage {
        object: "usage",
        accounts: known.len(),
        accounts_unknown: credentials.len().saturating_sub(known.len()),
        standing,
        refresh_in_seconds: seconds(pause(&asker)),
    });
    if insist && !before.is_zero() {
        let after = HeaderValue::from(seconds(before));
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    Ok(response)
}

/// Whether the query says `refresh=true`.
///
/// # Errors
///
/// It says something that is neither yes nor no.
pub(super) fn insists(query: &str) -> Result<bool, Error> {
    let members = query
        .split('&')
        .map(|it| it.split_once('=').unwrap_or((it, "")));
    let mut said = members.filter(|(name, _)| *name == "refresh");
    match said.next().map(|(_, value)| value) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1" | "") => Ok(true),
        Some(_) => Err(Error::invalid(
            "refresh",
            Some("invalid_value"),
            "Invalid value of 'refresh': send `refresh=true` to ask the service again, or leave it out.",
        )),
    }
}

/// Why there is nothing to tell: what went wrong with one of them.
fn nothing_known(asker: &Asker) -> Error {
    let credentials = asker.credentials();
    let mut whys = credentials
        .iter()
        .filter_map(|it| asker.quotas.refusal(&it.id));
    whys.next().unwrap_or_else(|| {
        let message = match credentials.is_empty() {
            true => "This gateway has no Kiro account of which something could be left.",
            false => "The upstream has not said yet what is left. Try again in a moment.",
        };
        Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(Duration::from_secs(5)))
    })
}

/// How long until at least one of the credentials may be asked for again.
fn pause(asker: &Asker) -> Duration {
    let credentials = asker.credentials();
    let pauses = credentials.iter().map(|it| asker.quotas.pause(&it.id));
    pauses.min().unwrap_or_default()
}

/// Rounded up: who comes back within the second is too early.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_is_yes_or_no() {
        for (query, said) in [
            ("", Some(false)),
            ("x=refresh", Some(false)),
            ("refresh=true", Some(true)),
            ("a=b&refresh=1", Some(true)),
            ("refresh", Some(true)),
            ("refresh=false", Some(false)),
            ("refresh=now", None),
        ] {
            assert_eq!(insists(query).ok(), said, "{query}");
        }
        let error = insists("refresh=now").unwrap_err();
        assert_eq!(error.param(), Some("refresh"));
    }
}
