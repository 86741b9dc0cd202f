//! The description of the API says what is there, and what it says is so.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use support::House;

const ADMIN: &str = "admin-0123456789abcdef";

/// A gateway with every route.
async fn house() -> House {
    let admin = |options: &mut kiro_gateway::GatewayOptions| {
        options.admin_key = Some(ADMIN.into());
    };
    House::with(kiro_sim::SimOptions::default(), admin).await
}

/// The schema of a part of the description, which refers to its components.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let schema = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::draft202012::new(&schema).expect("a valid schema")
}

fn assert_valid(document: &Value, schema: &Value, value: &Value, what: &str) {
    let validator = validator(document, schema);
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value}");
}

async fn description(house: &House) -> Value {
    house.get("/openapi.json").await.json()
}

/// All operations: method, path, what is said of them.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            methods.map(|(method, operation)| {
                let method = method.to_ascii_uppercase().parse().expect("a method");
                (method, path.clone(), operation.clone())
            })
        })
        .collect()
}

/// A new surface must not be taken for one that there was.
#[tokio::test]
async fn no_two_questions_are_described_alike() {
    let document = description(&house().await).await;
    let questions: Vec<String> = operations(&document)
        .iter()
        .filter(|(method, _, operation)| {
            method == Method::POST && operation["requestBody"].is_object()
        })
        .map(|(_, _, operation)| operation["responses"]["200"].to_string())
        .collect();
    let different: BTreeSet<&String> = questions.iter().collect();
    assert!(questions.len() >= 4);
    assert_eq!(questions.len(), different.len());
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let house = house().await;
    let document = description(&house).await;
    let described: BTreeSet<(String, String, bool)> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            let open = operation["security"].as_array().expect("a list").is_empty();
            (method.to_string(), path, !open)
        })
        .collect();
    let info = house.get("/").await.json();
    let routes: BTreeSet<(String, String, bool)> = info["routes"]
        .as_array()
        .expect("routes")
        .iter()
        .map(|route| {
            let text = |name: &str| route[name].as_str().expect("a text").to_owned();
            let needs_key = route["needs_key"].as_bool().expect("a boolean");
            (text("method"), text("path"), needs_key)
        })
        .collect();
    assert_eq!(described, routes);
    assert!(routes.len() > 15);
    let ids: BTreeSet<String> = operations(&document)
        .iter()
        .map(|(_, _, operation)| operation["operationId"].to_string())
        .collect();
    assert_eq!(ids.len(), operations(&document).len(), "{ids:?}");
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_component_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let house = house().await;
    let document = description(&house).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference
            .strip_prefix('#')
            .expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for kind in ["schemas", "headers", "parameters", "responses"] {
        for name in document["components"][kind]
            .as_object()
            .expect("components")
            .keys()
        {
            let reference = format!("#/components/{kind}/{name}");
            assert!(found.contains(&reference), "nobody refers to {reference}");
        }
    }
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        assert!(
            !name.ends_with(|c: char| c.is_ascii_digit()),
            "two are called {name}"
        );
    }
}

#[tokio::test]
async fn every_example_is_served_and_answers_are_as_described() {
    let house = house().await;
    let document = description(&house).await;
    let mut examples = 0;
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation["requestBody"]["content"].get("application/json") else {
            continue;
        };
        for (name, example) in body["examples"].as_object().expect("examples") {
            let what = format!("{path} {name}");
            let request = &example["value"];
            assert_valid(&document, &body["schema"], request, &what);
            let request = house.request(method.clone(), &path, request.to_string());
            let (head, received) = house.send(request).await.into_parts();
            let received = http_body_util::BodyExt::collect(received)
                .await
                .expect("a body");
            let received = String::from_utf8(received.to_bytes().to_vec()).expect("text");
            assert_eq!(head.status, 200, "{what}: {received}");
            assert!(!head.headers.contains_key("x-gateway-ignored"), "{what}");
            let content = &operation["responses"]["200"]["content"];
            if name == "stream" {
                let kind = head.headers["content-type"].to_str().expect("text");
                assert!(kind.starts_with("text/event-stream"), "{what}: {kind}");
                let events = content["text/event-stream"].clone();
                let datas = received
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "));
                let mut count = 0;
                for data in datas.filter(|data| *data != "[DONE]") {
                    let event: Value = serde_json::from_str(data).expect("JSON");
                    assert_valid(&document, &events["x-itemSchema"], &event, &what);
                    count += 1;
                }
                assert!(count > 2, "{what}: {received}");
            } else {
                let answer: Value = serde_json::from_str(&received).expect("JSON");
                let schema = &content["application/json"]["schema"];
                assert_valid(&document, schema, &answer, &what);
            }
            examples += 1;
        }
    }
    assert!(examples >= 10);
}

#[tokio::test]
async fn what_is_read_is_as_described_and_so_are_refusals() {
    let house = house().await;
    let document = description(&house).await;
    for (method, path, operation) in operations(&document) {
        // A stream of changes does not end.
        if method != Method::GET || path.contains("{response_id}") || path == "/admin/events" {
            continue;
        }
        let mut filled = path.clone();
        for parameter in operation["parameters"].as_array().expect("a list") {
            if let (Some(name), Some(example)) =
                (parameter["name"].as_str(), parameter["example"].as_str())
            {
                filled = filled.replace(&format!("{{{name}}}"), example);
            }
        }
        for dialect in [None, Some("2023-06-01")] {
            let mut request = house.request(method.clone(), &filled, "");
            if path.starts_with("/admin/") || path == "/metrics" {
                let key = format!("Bearer {ADMIN}").parse().expect("a header");
                request.headers_mut().insert("authorization", key);
            }
            if let Some(version) = dialect {
                let version = version.parse().expect("a header");
                request.headers_mut().insert("anthropic-version", version);
            }
            let answer = house.ask(request).await;
            assert_eq!(answer.status, 200, "{filled}");
            let kind = answer.header("content-type").expect("a type");
            let kind = kind.split(';').next().expect("a type");
            let described = operation["responses"]["200"]["content"]
                .as_object()
                .expect("content");
            let content = described.get(kind);
            let content = content.unwrap_or_else(|| panic!("{filled} is {kind}"));
            if kind == "application/json" {
                assert_valid(&document, &content["schema"], &answer.json(), &filled);
            }
        }
        // Without a key a refusal is described where there is one.
        let bare = Request::get(format!("http://{}{filled}", house.address));
        let bare = bare.body(Full::new(Bytes::new())).expect("a request");
        let answer = house.ask(bare).await;
        let refusal = &operation["responses"]["401"];
        assert_eq!(answer.status == 401, refusal.is_object(), "{filled}");
    }
}

#[tokio::test]
async fn every_member_of_a_request_says_what_becomes_of_it() {
    let document = description(&house().await).await;
    for request in ["ChatRequest", "ResponsesRequest", "MessagesRequest"] {
        let members = document["components"]["schemas"][request]["properties"].as_object();
        for (member, schema) in members.expect(request) {
            let about = schema["description"].as_str().expect(member);
            let verdicts = ["honored", "emulated", "ignored", "refused"];
            let is_told = verdicts
                .iter()
                .any(|word| about.contains(&format!("**{word}")));
            assert!(is_told, "{request}: {member}: {about}");
            assert!(!about.contains("]("), "a link that leads nowhere: {about}");
        }
    }
    let chat = &document["components"]["schemas"]["ChatRequest"]["properties"];
    let about = chat["seed"]["description"].as_str();
    assert!(about.is_some_and(|about| about.ends_with("**ignored**.")));
    let about = chat["stream_options"]["description"].as_str();
    let operation = &document["paths"]["/v1/messages"]["post"]["description"];
    let table = "### Blocks\n\n| block | verdict | detail |\n| --- | --- | --- |\n";
    let about_blocks = operation.as_str();
    assert!(about_blocks.is_some_and(|about| about.contains(table) && !about.contains("](")));
    let inner = "`stream_options.include_obfuscation`: **ignored silently**.";
    assert!(
        about.is_some_and(|about| about.contains(inner)),
        "{about:?}"
    );
}

#[tokio::test]
async fn kept_responses_are_as_described() {
    let house = house().await;
    let document = description(&house).await;
    let asked = json!({"model": "claude-sonnet-4-5", "input": "Hello"});
    let request = house.request(Method::POST, "/v1/responses", asked.to_string());
    let id = house.ask(request).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let base = "/v1/responses/{response_id}";
    for (method, path, status) in [
        (Method::GET, base.to_owned(), 200),
        (Method::GET, format!("{base}/input_items"), 200),
        (Method::POST, format!("{base}/cancel"), 400),
        (Method::DELETE, base.to_owned(), 200),
        (Method::GET, base.to_owned(), 404),
    ] {
        let operation = &document["paths"][&path][method.as_str().to_ascii_lowercase()];
        let request = house.request(method.clone(), &path.replace("{response_id}", &id), "");
        let answer = house.ask(request).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let mut described = operation["responses"][status.to_string()].clone();
        if let Some(reference) = described["$ref"].as_str() {
            described = document
                .pointer(&reference[1..])
                .expect("it is there")
                .clone();
        }
        let schema = &described["content"]["application/json"]["schema"];
        assert_valid(&document, schema, &answer.json(), &path);
    }
}

#[tokio::test]
async fn files_are_packed_for_those_who_take_it_and_asked_for_once() {
    let house = house().await;
    for path in [
        "/docs/swagger-ui.js",
        "/docs/swagger-ui.css",
        "/redoc/redoc-bundle.js",
        "/docs/docs.js",
    ] {
        let plain = house.get(path).await;
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(plain.header("content-encoding"), None);
        let ask = |name: &'static str, value: &str| {
            let mut request = house.request(Method::GET, path, "");
            request
                .headers_mut()
                .insert(name, value.parse().expect("a header"));
            house.ask(request)
        };
        let packed = ask("accept-encoding", "br, GZIP;q=0.5").await;
        if !path.ends_with("docs.js") {
            assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
            assert!(packed.body.len() * 3 < plain.body.len(), "{path}");
        }
        let refused = ask("accept-encoding", "gzip;q=0").await;
        assert_eq!(refused.body, plain.body);
        let tag = plain.header("etag").expect("a tag").to_owned();
        let again = ask("if-none-match", &format!("\"other\", {tag}")).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let other = ask("if-none-match", "\"other\"").await;
        assert_eq!(other.body, plain.body);
    }
    assert_eq!(house.get("/docs/other.js").await.status, 404);
}

#[tokio::test]
async fn pages_let_in_their_own_scripts_and_nothing_else() {
    let house = house().await;
    let mut nonces = BTreeSet::new();
    for path in ["/docs", "/redoc", "//docs", "/dashboard"] {
        let page = house.get(path).await;
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'nonce-"),
            "{policy}"
        );
        for weak in ["unsafe", "http:", "https:", "*", "{"] {
            assert!(!policy.contains(weak), "{weak} in {policy}");
        }
        let nonce = policy.split("'nonce-").nth(1).expect("a nonce");
        let nonce = nonce.split('\'').next().expect("a nonce").to_owned();
        let text = String::from_utf8(page.body.to_vec()).expect("text");
        assert_eq!(
            text.matches("<script").count(),
            text.matches(&format!("nonce=\"{nonce}\"")).count()
        );
        assert!(!text.contains("//"), "it names another host: {text}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        nonces.insert(nonce);
    }
    assert_eq!(nonces.len(), 4, "each answer has its own");
}

#[tokio::test]
async fn without_docs_there_is_nothing() {
    let house = House::with(kiro_sim::SimOptions::default(), |options| {
        options.docs = false
    })
    .await;
    for path in [
        "/openapi.json",
        "/docs",
        "/docs/docs.js",
        "/redoc",
        "/redoc/redoc.js",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["error"]["code"], "unknown_url");
    }
    let info = house.get("/").await.json().to_string();
    assert!(
        !info.contains("docs") && !info.contains("openapi"),
        "{info}"
    );
}

#[tokio::test]
async fn a_page_that_seems_to_be_a_folder_is_none() {
    let house = house().await;
    for (path, place) in [
        ("/docs/", "../docs"),
        ("/redoc//", "../../redoc"),
        ("/dashboard/", "../dashboard"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 308, "{path}");
        assert_eq!(answer.header("location"), Some(place));
    }
}
