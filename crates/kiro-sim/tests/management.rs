//! Models, quota, profiles, API keys, tools of the service.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic"
)]

mod support;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use kiro_sim::{Catalog, CredentialKind, IssuedCredential};
use serde_json::{Value, json};
use support::{Client, ask, krs, of_model, rest, simulator, start, target};

fn fetch(credential: &IssuedCredential, path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header("host", "localhost")
        .header(
            "authorization",
            format!("Bearer {}", credential.access_token),
        )
        .body(Full::default())
        .unwrap()
}

fn ids(answer: &Value) -> Vec<String> {
    let models = answer["models"].as_array().unwrap();
    models
        .iter()
        .map(|model| model["modelId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_spelling_lists_the_same_models() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let mut lists = Vec::new();
    for path in [
        "/ListAvailableModels?origin=AI_EDITOR&maxResults=50",
        "/List-Available-Models",
    ] {
        lists.push(client.call(fetch(&credential, path)).await.json());
    }
    for name in [
        "AmazonCodeWhispererService.ListAvailableModels",
        "KiroControlPlaneBearerService.ListAvailableModels",
    ] {
        let body = json!({"origin": "KIRO_CLI", "profileArn": credential.profile_arn});
        lists.push(client.call(target(&credential, name, &body)).await.json());
    }
    for model in [
        "claude-opus-4.5",
        "claude-sonnet-4.5",
        "claude-sonnet-4",
        "claude-haiku-4.5",
    ] {
        assert!(ids(&lists[0]).iter().any(|id| id == model), "{model}");
    }
    assert!(lists.iter().all(|list| list == &lists[0]));
}

#[tokio::test]
async fn a_list_comes_in_pages_when_asked_to() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let whole = ids(&client
        .call(fetch(&credential, "/ListAvailableModels"))
        .await
        .json());
    let mut paged = Vec::new();
    let mut path = "/ListAvailableModels?maxResults=5".to_owned();
    loop {
        let page = client.call(fetch(&credential, &path)).await.json();
        paged.extend(ids(&page));
        let Some(next) = page["nextToken"].as_str() else {
            break;
        };
        path = format!("/ListAvailableModels?maxResults=5&nextToken={next}");
    }
    assert_eq!(paged, whole);
    let bad = client
        .call(fetch(&credential, "/ListAvailableModels?nextToken=x"))
        .await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn another_catalogue_is_listed_and_enforced() {
    let sim = start(|options| options.catalog = Catalog::of(&["house-model"])).await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let list = client
        .call(fetch(&credential, "/ListAvailableModels"))
        .await
        .json();
    assert_eq!(ids(&list), ["house-model"]);
    let ok = client
        .call(krs(&credential, &of_model(ask("Hi"), "house-model")))
        .await;
    let gone = client.call(krs(&credential, &ask("Hi"))).await;
    assert_eq!((ok.status.as_u16(), gone.status.as_u16()), (200, 400));
}

#[tokio::test]
async fn the_management_host_has_its_own_words_for_a_bad_token() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.revoke(credential.account);
    let name = "KiroControlPlaneBearerService.ListAvailableModels";
    let answer = Client::connect(&sim)
        .await
        .call(target(&credential, name, &json!({})))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["message"]),
        (400, &json!("Invalid token"))
    );
}

#[tokio::test]
async fn profiles_are_listed_by_kind() {
    let sim = simulator().await;
    let mut client = Client::connect(&sim).await;
    let name = "AmazonCodeWhispererService.ListAvailableProfiles";

    let team = sim.issue(CredentialKind::IdentityCenter);
    let second = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/SECOND";
    sim.add_profile(team.account, second, "second");
    let answer = client.call(target(&team, name, &json!({}))).await.json();
    let arns: Vec<_> = answer["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|profile| &profile["arn"])
        .collect();
    assert_eq!(arns, [&json!(team.profile_arn), &json!(second)]);
    let page = client
        .call(target(&team, name, &json!({"maxResults": 1})))
        .await
        .json();
    assert_eq!(
        (
            page["profiles"].as_array().unwrap().len(),
            &page["nextToken"]
        ),
        (1, &json!("1"))
    );

    let social = client
        .call(target(&sim.issue_social(), name, &json!({})))
        .await;
    assert_eq!(social.json()["profiles"], json!([]));
    let builder = client
        .call(target(&sim.issue_oidc(), name, &json!({})))
        .await;
    assert_eq!(builder.status, 403);
    assert_eq!(
        builder.json()["message"],
        "AWS Builder ID is not supported for this operation."
    );
}

#[tokio::test]
async fn usage_has_the_members_of_the_sample() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    sim.set_credits_used(credential.account, 412.37);
    let mut client = Client::connect(&sim).await;
    let path = "/getUsageLimits?origin=AI_EDITOR&resourceType=AGENTIC_REQUEST&isEmailRequired=true";
    let answer = client.call(fetch(&credential, path)).await.json();
    let breakdown = &answer["usageBreakdownList"][0];
    assert_eq!(breakdown["currentUsage"], 412);
    assert_eq!(breakdown["currentUsageWithPrecision"], 412.37);
    assert_eq!(breakdown["usageLimit"], 1000);
    assert!(answer["nextDateReset"].is_f64());
    assert!(answer["userInfo"]["email"].is_string());
    let answer = client
        .call(fetch(&credential, "/Get-Usage-Limits"))
        .await
        .json();
    assert!(answer["userInfo"]["email"].is_null());
}

#[tokio::test]
async fn an_api_key_can_be_made_and_used() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let name = "KiroControlPlaneBearerService.CreateApiKey";
    let body = json!({"profileArn": credential.profile_arn, "label": "test"});
    let made = client.call(target(&credential, name, &body)).await.json();
    let mut key = sim.issue_api_key();
    key.access_token = made["rawKey"].as_str().unwrap().to_owned();
    let mut body = ask("Hi");
    body.as_object_mut().unwrap().remove("profileArn");
    assert_eq!(client.call(krs(&key, &body)).await.status, 200);
    let name = "KiroControlPlaneBearerService.ListApiKeys";
    let list = client
        .call(target(&credential, name, &json!({})))
        .await
        .json();
    assert_eq!(list["apiKeys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_tool_server_lists_and_calls_its_tool() {
    let sim = simulator().await;
    let credential = sim.issue_social();
    let mut client = Client::connect(&sim).await;
    let rpc = |method: &str, params: Value| {
        json!({
            "id": "1", "jsonrpc": "2.0", "method": method, "params": params,
            "profileArn": credential.profile_arn,
        })
    };
    let name = "KiroRuntimeService.InvokeMCP";
    let list = client
        .call(target(&credential, name, &rpc("tools/list", json!({}))))
        .await
        .json();
    assert_eq!(list["result"]["tools"][0]["name"], "web_search");

    let search = rpc(
        "tools/call",
        json!({"name": "web_search", "arguments": {"query": "CRC"}}),
    );
    let by_target = client.call(target(&credential, name, &search)).await.json();
    let by_path = client.call(rest(&credential, "/mcp", &search)).await.json();
    assert_eq!(by_target, by_path);
    let text = by_target["result"]["content"][0]["text"].as_str().unwrap();
    let results: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        (&results["totalResults"], &results["query"]),
        (&json!(2), &json!("CRC"))
    );

    let unknown = rpc("tools/call", json!({"name": "rm_rf"}));
    let answer = client
        .call(target(&credential, name, &unknown))
        .await
        .json();
    assert_eq!(answer["error"]["code"], -32602);
}
