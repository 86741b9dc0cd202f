//! The small calls: what goes out in every spelling, and what is read from the answers.

use bytes::Bytes;
use http::{Request, Uri};
use kiro_protocol::conversation::{Effort, JsonObject};
use kiro_protocol::request::{CLI, IDE_REST, KRS_IDE, WireProfile};
use kiro_protocol::rpc::{
    Call, HostedTools, InputType, ModelList, ProfileList, RpcError, ToolOutput, UsageLimits,
    UsageQuestion, WebSearch, call_tool, list_models, list_profiles, list_tools, usage_limits,
};

const ARN: &str = "arn:aws:codewhisperer:us-east-1:1:profile/A";

/// A request as one would write it down: method, path and query, what tells the operation, body.
fn written(request: &Request<Bytes>) -> String {
    let mut out = format!("{} {}", request.method(), request.uri());
    for name in ["x-amz-target", "x-amzn-kiro-profile-arn"] {
        if let Some(value) = request.headers().get(name) {
            out += &format!(" {}", value.to_str().expect("plain text"));
        }
    }
    if !request.body().is_empty() {
        out += &format!(" {}", String::from_utf8_lossy(request.body()));
    }
    out
}

fn with_call<T>(
    profile: &WireProfile,
    arn: Option<&str>,
    use_it: impl FnOnce(&Call<'_>) -> T,
) -> T {
    let base = Uri::from_static("https://host");
    let mut call = Call::new(profile, &base, "token");
    call.profile_arn = arn;
    use_it(&call)
}

#[test]
fn models_are_asked_for_in_every_spelling() {
    let ask = |profile, arn, token| {
        with_call(profile, arn, |call| {
            written(&list_models(call, token).unwrap())
        })
    };
    assert_eq!(
        ask(&IDE_REST, Some(ARN), Some("a b")),
        "GET https://host/ListAvailableModels?origin=AI_EDITOR\
         &profileArn=arn%3Aaws%3Acodewhisperer%3Aus-east-1%3A1%3Aprofile%2FA&maxResults=50&nextToken=a%20b"
    );
    assert_eq!(
        ask(&CLI, None, None),
        r#"POST https://host/ AmazonCodeWhispererService.ListAvailableModels {"origin":"KIRO_CLI","maxResults":50}"#
    );
    assert_eq!(
        ask(&KRS_IDE, Some(ARN), Some("next")),
        r#"POST https://host/ KiroControlPlaneBearerService.ListAvailableModels {"origin":"AI_EDITOR","profileArn":"arn:aws:codewhisperer:us-east-1:1:profile/A","maxResults":50,"nextToken":"next"}"#
    );
}

#[test]
fn the_newer_hosts_have_hyphens_in_their_paths() {
    let mut profile = IDE_REST.clone();
    profile.management_host_kind = KRS_IDE.management_host_kind;
    let request = with_call(&profile, Some(""), |call| list_models(call, None).unwrap());
    assert_eq!(
        written(&request),
        "GET https://host/List-Available-Models?origin=AI_EDITOR&maxResults=50"
    );
}

#[test]
fn profiles_are_asked_for_in_every_spelling() {
    let ask = |profile, token| {
        with_call(profile, Some(ARN), |call| {
            written(&list_profiles(call, token).unwrap())
        })
    };
    assert_eq!(
        ask(&IDE_REST, None),
        r#"POST https://host/ListAvailableProfiles {"maxResults":10}"#
    );
    assert_eq!(
        ask(&CLI, Some("n")),
        r#"POST https://host/ AmazonCodeWhispererService.ListAvailableProfiles {"maxResults":10,"nextToken":"n"}"#
    );
    assert_eq!(
        ask(&KRS_IDE, None),
        r#"POST https://host/ KiroControlPlaneBearerService.ListAvailableProfiles {"maxResults":10}"#
    );
}

#[test]
fn usage_is_asked_for_in_every_spelling() {
    let mut question = UsageQuestion::default();
    question.resource_type = Some("CREDIT");
    let ask = |profile, arn| {
        with_call(profile, arn, |call| {
            written(&usage_limits(call, &question).unwrap())
        })
    };
    assert_eq!(
        ask(&IDE_REST, None),
        "GET https://host/getUsageLimits?origin=AI_EDITOR&resourceType=CREDIT&isEmailRequired=false"
    );
    assert_eq!(
        ask(&CLI, Some(ARN)),
        r#"POST https://host/ AmazonCodeWhispererService.GetUsageLimits {"origin":"KIRO_CLI","resourceType":"CREDIT","profileArn":"arn:aws:codewhisperer:us-east-1:1:profile/A","isEmailRequired":false}"#
    );
    assert_eq!(
        ask(&KRS_IDE, None),
        r#"POST https://host/ KiroControlPlaneBearerService.GetUsageLimits {"origin":"AI_EDITOR","resourceType":"CREDIT","isEmailRequired":false}"#
    );
}

#[test]
fn hosted_tools_are_called_in_every_spelling() {
    let arguments = JsonObject::parse(r#"{"query":"a \"b\""}"#).unwrap();
    let ask = |profile| {
        with_call(profile, Some(ARN), |call| {
            written(&call_tool(call, "id\"1", "web_search", &arguments).unwrap())
        })
    };
    let params = r#""params":{"name":"web_search","arguments":{"query":"a \"b\""}}"#;
    assert_eq!(
        ask(&IDE_REST),
        format!(
            r#"POST https://host/mcp {ARN} {{"id":"id\"1","jsonrpc":"2.0","method":"tools/call",{params}}}"#
        )
    );
    for profile in [&CLI, &KRS_IDE] {
        assert_eq!(
            ask(profile),
            format!(
                r#"POST https://host/ KiroRuntimeService.InvokeMCP {{"id":"id\"1","jsonrpc":"2.0","method":"tools/call",{params},"profileArn":"{ARN}"}}"#
            )
        );
    }
    let list = with_call(&KRS_IDE, None, |call| {
        written(&list_tools(call, "1").unwrap())
    });
    assert_eq!(
        list,
        r#"POST https://host/ KiroRuntimeService.InvokeMCP {"id":"1","jsonrpc":"2.0","method":"tools/list"}"#
    );
}

#[test]
fn the_headers_say_who_calls_and_hide_the_token() {
    let base = Uri::from_static("https://host:8443/prefix/");
    let mut call = Call::new(&KRS_IDE, &base, "secret");
    call.token_type = Some("EXTERNAL_IDP");
    call.user_agent = "Kiro-2API/1";
    let request = list_models(&call, None).unwrap();
    assert_eq!(request.uri(), "https://host:8443/prefix/");
    for (name, value) in [
        ("host", "host:8443"),
        ("accept", "application/json"),
        ("content-type", "application/x-amz-json-1.0"),
        ("user-agent", "Kiro-2API/1"),
        ("tokentype", "EXTERNAL_IDP"),
        ("authorization", "Bearer secret"),
    ] {
        assert_eq!(request.headers()[name], value);
    }
    assert!(!format!("{call:?} {request:?}").contains("secret"));

    call.access_token = "with\nbreak";
    assert!(list_models(&call, None).is_err());
}

#[test]
fn the_catalogue_is_read() {
    let list = ModelList::parse(include_bytes!("data/rpc/list-available-models.json")).unwrap();
    assert_eq!(list.default.unwrap().id, "auto");
    let find = |id: &str| list.models.iter().find(|model| model.id == id).unwrap();
    let opus = find("claude-opus-4.8");
    assert_eq!(opus.name.as_deref(), Some("Claude Opus 4.8"));
    assert_eq!(opus.max_input_tokens, Some(1_000_000));
    assert_eq!(opus.max_output_tokens, Some(128_000));
    assert_eq!(opus.rate_multiplier, Some(2.2));
    assert_eq!(opus.input_types, [InputType::Text, InputType::Image]);
    assert!(opus.prompt_caching.unwrap().supported);
    assert_eq!(
        opus.efforts(),
        [
            Effort::None,
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::ExtraHigh,
            Effort::Max
        ]
    );
    assert!(find("claude-opus-4.5").efforts().is_empty());
    assert_eq!(list.next_token, None);
}

#[test]
fn a_catalogue_entry_needs_no_more_than_an_id() {
    let list = ModelList::parse(
        br#"{"models":[{"modelId":" a "},{"id":"b","tokenLimits":null,"supportedInputTypes":["VIDEO"]},
            {"modelName":"no id"},{"modelId":""},null,5],"nextToken":"more"}"#,
    )
    .unwrap();
    let ids: Vec<_> = list.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert!(list.models[1].input_types.is_empty());
    assert_eq!(list.next_token.as_deref(), Some("more"));
}

#[test]
fn profiles_are_read() {
    let list = ProfileList::parse(
        br#"{"profiles":[{"arn":"arn:aws:codewhisperer:eu-central-1:1:profile/A","profileName":"team"},{}],"nextToken":null}"#,
    )
    .unwrap();
    assert_eq!(list.profiles.len(), 1);
    assert_eq!(list.profiles[0].name.as_deref(), Some("team"));
}

#[test]
fn usage_is_read_and_summed() {
    let limits = UsageLimits::parse(include_bytes!("data/rpc/get-usage-limits.json")).unwrap();
    assert_eq!(limits.next_reset, Some(1_793_491_200));
    assert_eq!(limits.subscription.title.as_deref(), Some("KIRO PRO"));
    assert_eq!(limits.subscription.can_overage, Some(true));
    assert_eq!(limits.overage_enabled, Some(false));
    let credits = &limits.breakdown[0];
    assert_eq!((credits.used, credits.limit), (Some(412.37), Some(1000.0)));
    assert!(!credits.free_trial.as_ref().unwrap().active);
    assert!(credits.bonuses[0].active);
    // The plan and the active gift; the trial is over and overage is off.
    let left = limits.remaining().unwrap();
    assert!(
        (left - (1000.0 - 412.37 + 100.0 - 12.5)).abs() < 1e-9,
        "{left}"
    );

    let mut with_overage = limits;
    with_overage.overage_enabled = Some(true);
    assert!((with_overage.remaining().unwrap() - left - 10_000.0).abs() < 1e-9);
    assert_eq!(with_overage.included_left(), Some(left));
    assert_eq!(with_overage.breakdown[0].included(), Some(1100.0));
}

#[test]
fn usage_that_says_little_is_read_too() {
    let limits = UsageLimits::parse(
        br#"{"overageConfiguration":{"overageEnabled":true},
            "usageBreakdownList":[{"currentUsage":7,"usageLimit":5},null]}"#,
    )
    .unwrap();
    assert_eq!(limits.overage_enabled, Some(true));
    assert_eq!(limits.remaining(), Some(0.0));
    let nothing = UsageLimits::parse(b"{}").unwrap();
    assert_eq!((nothing.remaining(), nothing.included_left()), (None, None));
}

#[test]
fn hosted_tools_and_their_output_are_read() {
    let tools = HostedTools::parse(
        br#"{"id":"1","jsonrpc":"2.0","result":{"tools":[{"name":"web_search","description":"Search.",
            "inputSchema":{"type":"object"}},{"name":""}]}}"#,
    )
    .unwrap();
    assert_eq!(tools.tools.len(), 1);
    assert_eq!(tools.tools[0].schema["type"], "object");

    let found = r#"{"results":[{"title":"T","url":"https://example.com/a","snippet":"S","publishedDate":1775520000000,"maxVerbatimWordLimit":30,"publicDomain":true},{"title":"no address"}],"error":null}"#;
    let body = serde_json::json!({
        "id": "1",
        "jsonrpc": "2.0",
        "result": {"content": [{"type": "text", "text": found}, {"type": "image"}], "isError": false},
    });
    let output = ToolOutput::parse(body.to_string().as_bytes()).unwrap();
    assert!(!output.is_error);
    let search = WebSearch::parse(&output.texts[0]).unwrap();
    assert_eq!(search.pages.len(), 1);
    assert_eq!(search.pages[0].published, Some(1_775_520_000_000));
    assert_eq!(search.pages[0].max_verbatim_words, Some(30));
    assert!(search.pages[0].public_domain);
}

#[test]
fn answers_that_are_none_say_what_is_wrong() {
    let refused = ToolOutput::parse(
        br#"{"id":"x","jsonrpc":"2.0","error":{"code":-32602,"message":"Unknown tool"}}"#,
    );
    let expected = RpcError::Tool {
        code: -32602,
        message: "Unknown tool".into(),
    };
    assert_eq!(refused, Err(expected));
    let missing = RpcError::Missing {
        operation: "ListAvailableModels",
        member: "models",
    };
    assert_eq!(ModelList::parse(br#"{"models":{}}"#), Err(missing));
    assert!(matches!(
        ProfileList::parse(b"<html>"),
        Err(RpcError::NotJson { offset: 1, .. })
    ));
    assert!(matches!(
        HostedTools::parse(br#"{"result":null}"#),
        Err(RpcError::Missing {
            member: "result",
            ..
        })
    ));
}
