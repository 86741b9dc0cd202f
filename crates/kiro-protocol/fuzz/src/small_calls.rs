//! Answers to the small calls, and refusals.
//!
//! ```text
//! input = status|x-amzn-errortype|retry-after|date  line break  body
//! ```
//!
//! The body is read as the answer to every call and as a refusal. What an answer may name for the next
//! call, a token or a profile, is put into that call.

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use kiro_protocol::fault::{Fault, FaultKind};
use kiro_protocol::request::{BuildError, Capabilities, Region, WireProfile};
use kiro_protocol::rpc::{
    Call, HostedTools, ModelList, ProfileList, ToolOutput, UsageLimits, UsageQuestion, WebSearch,
    list_models, list_profiles, list_tools, usage_limits,
};
use serde_json::Value;

/// Reads the answer in every way and goes on with what it names.
pub fn run(input: &[u8]) {
    let line_break = input.iter().position(|byte| *byte == b'\n');
    let Some((head, body)) = line_break.and_then(|at| input.split_at_checked(at)) else {
        return;
    };
    let head: Vec<&[u8]> = head.splitn(4, |byte| *byte == b'|').collect();
    let body = &body[1..];
    refusal(&head, body);
    answers(body);
    if let Ok(text) = std::str::from_utf8(body) {
        named_by_an_answer(text);
    }
}

fn refusal(head: &[&[u8]], body: &[u8]) {
    let status = head
        .first()
        .and_then(|status| StatusCode::from_bytes(status).ok());
    let status = status.unwrap_or(StatusCode::BAD_REQUEST);
    let mut headers = HeaderMap::new();
    let names = [
        HeaderName::from_static("x-amzn-errortype"),
        RETRY_AFTER,
        DATE,
    ];
    for (name, value) in names.into_iter().zip(head.iter().skip(1)) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    let fault = Fault::from_response(status, &headers, body);
    assert_eq!(fault.status(), Some(status.as_u16()));
    check_fault(&fault);
    let name = String::from_utf8_lossy(head.get(1).copied().unwrap_or_default());
    let fault = Fault::from_exception(&name, body);
    assert_eq!(fault.status(), None);
    check_fault(&fault);
    check_fault(&Fault::from_error(&name, &String::from_utf8_lossy(body)));
}

fn check_fault(fault: &Fault) {
    assert!(fault.message().chars().count() <= 1_000);
    match fault.row() {
        None => assert_eq!(fault.kind(), FaultKind::Other),
        Some(row) => assert!((1..=Fault::LAST_ROW).contains(&row), "{row}"),
    }
    assert!(!fault.to_string().is_empty());
}

fn answers(body: &[u8]) {
    if let Ok(list) = ModelList::parse(body) {
        for model in list.models.iter().chain(&list.default) {
            assert!(!model.id.trim().is_empty());
            let efforts = model.efforts();
            assert!(efforts.is_sorted(), "{efforts:?}");
        }
    }
    if let Ok(limits) = UsageLimits::parse(body) {
        // Not a number would not be true here either.
        assert!(
            limits.remaining().is_none_or(|left| left >= 0.0),
            "{limits:?}"
        );
    }
    if let Ok(list) = ProfileList::parse(body) {
        for profile in &list.profiles {
            named_by_an_answer(&profile.arn);
        }
    }
    if let Ok(output) = ToolOutput::parse(body) {
        for text in &output.texts {
            let _ = WebSearch::parse(text);
        }
    }
    let _ = HostedTools::parse(body);
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let _ = Capabilities::from_schema(&value);
    }
}

/// Uses a text as a region, a profile and a token in the calls that follow.
fn named_by_an_answer(text: &str) {
    // A profile names its region between colons.
    for region in text.split(':').filter_map(|part| Region::new(part).ok()) {
        for profile in WireProfile::ALL {
            for base in [profile.base(&region), profile.management_base(&region)] {
                let base = base.expect("a region makes an address");
                let host = base.host().unwrap_or_default();
                let is_ours = host.ends_with(".kiro.dev") || host.ends_with(".amazonaws.com");
                assert!(is_ours, "{text:?} leads to {base}");
            }
        }
    }
    for profile in WireProfile::ALL {
        let base = profile
            .management_base(&Region::US_EAST_1)
            .expect("a known region");
        let mut call = Call::new(profile, &base, "token");
        check_call(list_models(&call, Some(text)), Some(("nextToken", text)));
        check_call(list_profiles(&call, Some(text)), Some(("nextToken", text)));
        call.profile_arn = Some(text);
        let arn = (!text.is_empty()).then_some(("profileArn", text));
        check_call(list_models(&call, None), arn);
        check_call(usage_limits(&call, &UsageQuestion::default()), arn);
        check_call(list_tools(&call, text), Some(("id", text)));
    }
}

/// A call goes where it should and says what it should, or cannot be made because a value is too long for
/// an address or cannot stand in a header.
fn check_call(request: Result<Request<Bytes>, BuildError>, said: Option<(&str, &str)>) {
    let request = match request {
        Ok(request) => request,
        Err(BuildError::Header { .. }) => return,
        Err(BuildError::Address(_)) => {
            let (_, text) = said.expect("only a value can make an address bad");
            return assert!(text.len() > 10_000, "{text:?} makes a bad address");
        }
        Err(error) => panic!("{error}"),
    };
    let host = request.uri().host().unwrap_or_default();
    assert!(
        host.ends_with(".kiro.dev") || host.ends_with(".amazonaws.com"),
        "{}",
        request.uri()
    );
    let Some((name, text)) = said else {
        return;
    };
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs
            .find(|pair| pair.0 == name)
            .map(|pair| percent_decoded(pair.1));
        assert_eq!(value.as_deref(), Some(text.as_bytes()));
    } else {
        let body: Value = serde_json::from_slice(request.body()).expect("a body of JSON");
        assert_eq!(body[name], text);
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::new();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => out.push(*first),
        }
    }
    out
}
