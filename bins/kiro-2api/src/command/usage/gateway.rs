//! What a gateway that runs knows of its accounts.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use kiro_auth::Secret;
use serde_json::Value;

use super::{HEAD, amount, reset};
use crate::command::{Failure, exit_code};
use crate::config::Config;
use crate::present::{say, say_json, table};
use crate::service::http_client;
use crate::setup;

/// How long somebody at a terminal waits: the gateway itself waits 5 s for the service.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer; an account takes less than a kilobyte.
const MAX_ANSWER: usize = 4 << 20;

/// Asks, and shows the answer.
pub(super) async fn run(config: &Config, url: &Uri, as_json: bool) -> Result<ExitCode, Failure> {
    let (path, key) = match (&config.admin.key, &config.proxy_api_key) {
        (Some(admin), _) => ("/admin/usage", admin),
        (None, Some(key)) => ("/v1/usage", key),
        (None, None) => return Err("there is no key for the gateway: set PROXY_API_KEY, or admin.key for all of its accounts".into()),
    };
    let told = tokio::time::timeout(TIMEOUT, ask(url, path, key)).await;
    let told =
        told.map_err(|_| format!("{url} does not answer within {} s", TIMEOUT.as_secs()))??;
    let known = match told["accounts"].as_array() {
        Some(accounts) => accounts.iter().all(|account| account["quota"].is_object()),
        None => true,
    };
    match as_json {
        true => say_json(&told)?,
        false => say(table(HEAD, &rows(&told))),
    }
    Ok(exit_code(known))
}

async fn ask(url: &Uri, path: &str, key: &Secret) -> Result<Value, Failure> {
    if url.scheme().is_none() || url.host().is_none() {
        return Err(format!(
            "`{url}` is no address of a gateway; one looks like http://127.0.0.1:8000"
        )
        .into());
    }
    let base = url.to_string();
    let base = base.trim_end_matches('/').trim_end_matches("/v1");
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
    bearer.set_sensitive(true);
    let request = Request::get(format!("{base}{path}"))
        .header(header::AUTHORIZATION, bearer)
        .body(Full::new(Bytes::new()))?;
    let (head, body) = http_client(setup::public_tls())
        .request(request)
        .await?
        .into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| format!("the answer of the gateway broke off: {error}"))?;
    let told: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if head.status.is_success() {
        return Ok(told);
    }
    let why = told["error"]["message"]
        .as_str()
        .unwrap_or("it does not say why");
    Err(format!("the gateway refuses with {}: {why}", head.status).into())
}

/// One row for each thing that is counted, of each account or of all together.
fn rows(told: &Value) -> Vec<[String; 6]> {
    match told["accounts"].as_array() {
        None => rows_of("all that serve the key", told),
        Some(accounts) => accounts
            .iter()
            .flat_map(|account| {
                let name = account["name"].as_str().unwrap_or_default();
                rows_of(name, &account["quota"])
            })
            .collect(),
    }
}

fn rows_of(name: &str, quota: &Value) -> Vec<[String; 6]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let Some(resources) = quota["resources"].as_array() else {
        let nothing = [name, "", "not known", "-", "-", ""];
        return vec![nothing.map(str::to_owned)];
    };
    let mut notes = String::new();
    if quota["low"] == true {
        notes += ", little is left";
    }
    if quota["stale"] == true {
        notes += ", old";
    }
    let row = |part: &Value| {
        let what = text(&part["name"]);
        [
            name.to_owned(),
            text(&quota["title"]),
            format!("{what}{notes}"),
            amount(part["used"].as_f64()),
            amount(part["limit"].as_f64()),
            reset(part["resets_at"].as_u64().or(quota["resets_at"].as_u64())).unwrap_or_default(),
        ]
    };
    resources.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_of_which_nothing_is_known_has_a_row_too() {
        let quota = json!({
            "title": "KIRO PRO", "low": true, "stale": true, "resets_at": 1_793_491_200,
            "resources": [{"name": "Credits", "used": 950.0, "limit": 1000.0}],
        });
        let told =
            json!({"accounts": [{"name": "a", "quota": quota}, {"name": "b", "quota": null}]});
        let rows = rows(&told);
        let first = [
            "a",
            "KIRO PRO",
            "Credits, little is left, old",
            "950.00",
            "1000.00",
        ];
        assert_eq!(rows[0][..5], first);
        assert!(rows[0][5].starts_with("2026-11-01"), "{rows:?}");
        assert_eq!(rows[1][..3], ["b", "", "not known"]);
    }
}
