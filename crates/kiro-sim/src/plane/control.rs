//! The simulator's own control plane, for tests in other languages and for people with `curl`.
//!
//! The crate page has the table. Requests to it are not recorded and need no token: the simulator is a test
//! tool, and whoever reaches it may command it.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::ok;
use crate::account::AccountId;
use crate::record::Recorded;
use crate::script::{Matcher, Script};
use crate::sign_in::{BrowserDecision, DeviceDecision, LoginOption, SignInFault};
use crate::state::Shared;
use crate::stream::SimBody;
use crate::{CredentialKind, form};

/// Answers a request to `/__sim/{path}`.
pub(crate) fn control(
    shared: &Shared,
    head: &Parts,
    path: &str,
    body: &Bytes,
) -> Response<SimBody> {
    let answer = match (&head.method, path) {
        (&Method::GET, "requests") => Ok(requests(shared, head.uri.query().unwrap_or_default())),
        (&Method::GET, "state") => Ok(state(shared)),
        (&Method::POST, "reset") => Ok(reset(shared)),
        (&Method::POST, "scripts") => add_scripts(shared, body),
        (&Method::POST, "tokens") => issue(shared, body),
        (&Method::POST, "expire") => Ok(expire(shared)),
        (&Method::POST, "revoke") => revoke(shared, body),
        (&Method::POST, "suspend") => suspend(shared, body),
        (&Method::POST, "faults") => add_faults(shared, body),
        (&Method::POST, "devices") => decide(shared, body),
        (&Method::POST, "browsers") => decide_browsers(shared, body),
        (&Method::POST, "logins") => choose_login(shared, body),
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("no control at /__sim/{path}"),
        )),
    };
    answer.map_or_else(refuse, |answer| ok(&answer))
}

type Refused = (StatusCode, String);

fn refuse((status, message): Refused) -> Response<SimBody> {
    let mut response = ok(&json!({"error": message}));
    *response.status_mut() = status;
    response
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// `?operation=Generate` and `?after=NUMBER` choose among the remembered requests.
fn requests(shared: &Shared, query: &str) -> Value {
    let query = form::parse(query);
    let operation = form::get(&query, "operation");
    let after = form::get(&query, "after")
        .and_then(|after| after.parse().ok())
        .unwrap_or(0);
    let inner = shared.look();
    let chosen = inner.log.iter().filter(|recorded| {
        let name = json!(recorded.operation);
        recorded.number > after && operation.is_none_or(|operation| name == operation)
    });
    chosen.map(show).collect()
}

fn show(recorded: &Recorded) -> Value {
    let headers: Map<String, Value> = recorded
        .headers
        .iter()
        .map(|(name, value)| {
            let shown = match value.is_sensitive() {
                true => "(hidden)".into(),
                false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            };
            (name.to_string(), Value::from(shown))
        })
        .collect();
    let body = match serde_json::from_slice(&recorded.body) {
        Ok(json) => json,
        Err(_) => Value::from(String::from_utf8_lossy(&recorded.body)),
    };
    json!({
        "number": recorded.number,
        "at_ms": u64::try_from(recorded.at.as_millis()).unwrap_or(u64::MAX),
        "connection": recorded.connection,
        "method": recorded.method.as_str(),
        "path": recorded.path,
        "headers": headers,
        "body": body,
        "operation": recorded.operation,
        "generation": recorded.generation.map(|generation| format!("{generation:?}").to_lowercase()),
        "target": recorded.target,
        "account": recorded.account,
        "status": recorded.status,
        "refusal": recorded.refusal,
        "ended": recorded.ended,
    })
}

fn state(shared: &Shared) -> Value {
    let inner = shared.look();
    let accounts: Vec<Value> = inner
        .accounts
        .iter()
        .map(|account| {
            json!({
                "account": account.id,
                "kind": account.kind,
                "refreshes": account.refreshes,
                "suspended": account.suspended,
                "credits_used": account.credits_used,
            })
        })
        .collect();
    let mut state = json!(inner.state);
    state["accounts"] = accounts.into();
    state
}

/// Takes back scripts, faults and remembered requests. Tokens and counts stay.
fn reset(shared: &Shared) -> Value {
    shared.change(|inner| {
        inner.clear_scripts();
        inner.log.clear();
        inner.faults.clear();
        inner.flows.decision = DeviceDecision::default();
        inner.flows.browser = BrowserDecision::default();
        inner.flows.option = LoginOption::default();
    });
    json!({})
}

/// One `{"match": …, "script": […]}` or a list of them; `match` may be left out.
fn add_scripts(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        #[serde(default, rename = "match")]
        matcher: Matcher,
        script: Script,
    }
    let json: Value = read(body)?;
    let json = if json.is_array() {
        json
    } else {
        Value::Array(vec![json])
    };
    let entries: Vec<Entry> = serde_json::from_value(json)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let added = entries.len();
    shared.change(|inner| {
        for entry in entries {
            inner.add_script(entry.matcher, entry.script);
        }
    });
    Ok(json!({"added": added}))
}

/// `{"kind": "social"}`; the answer is an [`IssuedCredential`](crate::IssuedCredential).
fn issue(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        kind: CredentialKind,
    }
    let wanted: Wanted = read(body)?;
    let issued = shared.change(|inner| inner.accounts.issue(wanted.kind, Instant::now()));
    Ok(json!(issued))
}

fn expire(shared: &Shared) -> Value {
    shared.change(|inner| inner.accounts.expire_access_tokens(Instant::now()));
    json!({})
}

/// `{"account": 1}`
fn revoke(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let wanted: OfAccount = read(body)?;
    shared.change(|inner| {
        inner
            .accounts
            .get_mut(wanted.account)
            .ok_or_else(|| wanted.unknown())?;
        inner.accounts.revoke(wanted.account, Instant::now());
        Ok(json!({}))
    })
}

/// `{"account": 1, "suspended": true}`
fn suspend(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let wanted: OfAccount = read(body)?;
    shared.change(|inner| {
        let account = inner
            .accounts
            .get_mut(wanted.account)
            .ok_or_else(|| wanted.unknown())?;
        account.suspended = wanted.suspended;
        Ok(json!({}))
    })
}

/// A list of sign-in faults: `["dead", {"delayed": 500}]`.
fn add_faults(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let faults: Vec<SignInFault> = read(body)?;
    shared.change(|inner| inner.faults.extend(faults));
    Ok(json!({}))
}

/// `"refuse"`, `"ignore"` or `{"approve_after": 3}`
fn decide(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let decision: DeviceDecision = read(body)?;
    shared.change(|inner| inner.flows.decision = decision);
    Ok(json!({}))
}

/// `"approve"` or `"refuse"`
fn decide_browsers(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let decision: BrowserDecision = read(body)?;
    shared.change(|inner| inner.flows.browser = decision);
    Ok(json!({}))
}

/// `"google"`, `"builderid"` and so on
fn choose_login(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let option: LoginOption = read(body)?;
    shared.change(|inner| inner.flows.option = option);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    account: AccountId,
    #[serde(default = "yes")]
    suspended: bool,
}

fn yes() -> bool {
    true
}

impl OfAccount {
    fn unknown(&self) -> Refused {
        (StatusCode::NOT_FOUND, format!("no {}", self.account))
    }
}
