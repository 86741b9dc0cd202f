//! Every row of the table of refusals, by its number: what is recognised and what follows from it.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use kiro_protocol::fault::{Blame, Fault, FaultKind, Repair};

/// What a row decides: kind, whose fault, same credential again, another credential, repair.
struct Verdict(FaultKind, Blame, bool, bool, Option<Repair>);

fn http(status: u16, body: &str) -> Fault {
    let status = StatusCode::from_u16(status).expect("a status of three digits");
    Fault::from_response(status, &HeaderMap::new(), body.as_bytes())
}

fn frame(name: &str, body: &str) -> Fault {
    Fault::from_exception(name, body.as_bytes())
}

fn assert_row(row: u8, verdict: &Verdict, faults: &[Fault]) {
    let Verdict(kind, blame, retry, fail_over, repair) = verdict;
    for fault in faults {
        assert_eq!(fault.row(), Some(row), "{fault}");
        assert_eq!(fault.kind(), *kind, "{fault}");
        assert_eq!(fault.kind().blame(), *blame, "{fault}");
        assert_eq!(fault.is_callers_fault(), *blame == Blame::Caller, "{fault}");
        assert_eq!(fault.may_retry_same(), *retry, "{fault}");
        assert_eq!(fault.may_fail_over(), *fail_over, "{fault}");
        assert_eq!(fault.kind().repair(), *repair, "{fault}");
        let refresh = *repair == Some(Repair::RefreshToken);
        assert_eq!(fault.refresh_may_help(), refresh, "{fault}");
    }
}

#[test]
fn e01_a_conversation_that_is_too_long() {
    let verdict = Verdict(FaultKind::ContextTooLong, Blame::Caller, false, false, None);
    let faults = [
        http(
            400,
            r#"{"message":"Input is too long.","reason":"CONTENT_LENGTH_EXCEEDS_THRESHOLD"}"#,
        ),
        http(
            400,
            r#"{"__type":"com.amazon.kiro.runtimeservice#ValidationException","message":"Prompt is too long","reason":"PROMPT_TOO_LONG"}"#,
        ),
        http(400, r#"{"message":"Input is too long."}"#),
        frame(
            "validationError",
            r#"{"message":"Prompt is too long","reason":"PROMPT_TOO_LONG"}"#,
        ),
        frame("ValidationException", r#"{"message":"Input is too long."}"#),
    ];
    assert_row(1, &verdict, &faults);
}

#[test]
fn e02_a_model_that_is_not_to_be_had() {
    let verdict = Verdict(FaultKind::UnknownModel, Blame::Caller, false, true, None);
    let faults = [
        http(
            400,
            r#"{"message":"Invalid model. Please select a different model to continue.","reason":"INVALID_MODEL_ID"}"#,
        ),
        http(
            400,
            r#"{"message":"Invalid model. Please select a different model to continue."}"#,
        ),
        http(
            400,
            r#"{"message":"Invalid model ID. Try another.","reason":null}"#,
        ),
    ];
    assert_row(2, &verdict, &faults);
}

#[test]
fn e03_a_body_of_the_wrong_shape() {
    let verdict = Verdict(FaultKind::InvalidRequest, Blame::Caller, false, false, None);
    let faults = [
        http(
            400,
            r#"{"message":"Improperly formed request.","reason":null}"#,
        ),
        http(
            400,
            r#"{"message":"Improperly formed request.","reason":"REQUEST_BODY_INVALID"}"#,
        ),
        http(400, r#"{"reason":"REQUEST_BODY_INVALID_JSON"}"#),
        http(
            400,
            r#"{"__type":"ValidationException","message":"something else"}"#,
        ),
        http(400, ""),
        frame("validationError", r#"{"message":"something else"}"#),
    ];
    assert_row(3, &verdict, &faults);
}

#[test]
fn e04_a_tool_of_the_wrong_form() {
    let verdict = Verdict(
        FaultKind::ToolFormat,
        Blame::Caller,
        false,
        false,
        Some(Repair::SimplifyTools),
    );
    let faults = [
        http(
            400,
            r#"{"message":"Invalid tool use format.","reason":"REQUEST_BODY_INVALID"}"#,
        ),
        http(400, r#"{"message":"Invalid tool use format."}"#),
    ];
    assert_row(4, &verdict, &faults);
}

#[test]
fn e05_a_tool_use_without_its_result() {
    let verdict = Verdict(
        FaultKind::ToolResultMismatch,
        Blame::Caller,
        false,
        false,
        Some(Repair::PairToolResults),
    );
    let faults = [
        http(
            400,
            r#"{"message":"`tool_use` ids were found without `tool_result` blocks immediately after","reason":"TOOL_USE_RESULT_MISMATCH"}"#,
        ),
        http(
            400,
            r#"{"message":"x: `tool_use` ids were found without `tool_result` blocks immediately after: y"}"#,
        ),
        http(
            500,
            r#"{"message":"Expected toolResult blocks at messages.2.content"}"#,
        ),
    ];
    assert_row(5, &verdict, &faults);
}

#[test]
fn e06_thoughts_with_a_broken_signature() {
    let verdict = Verdict(
        FaultKind::ThinkingSignature,
        Blame::Caller,
        false,
        false,
        Some(Repair::DropReasoning),
    );
    let faults = [
        http(
            400,
            r#"{"message":"Invalid `signature` in `thinking` block","reason":"THINKING_SIGNATURE_INVALID"}"#,
        ),
        http(
            400,
            r#"{"message":"messages.1: Invalid `signature` in `thinking` block"}"#,
        ),
    ];
    assert_row(6, &verdict, &faults);
}

#[test]
fn e07_a_tool_that_is_refused() {
    let verdict = Verdict(FaultKind::InvalidTool, Blame::Caller, false, false, None);
    let faults = [
        http(400, r#"{"reason":"TOOL_DUPLICATE"}"#),
        http(400, r#"{"reason":"TOOL_SCHEMA_INVALID"}"#),
        http(400, r#"{"reason":"TOOL_CONFIG_MISSING"}"#),
    ];
    assert_row(7, &verdict, &faults);
}

#[test]
fn e08_an_attachment_that_is_refused() {
    let verdict = Verdict(
        FaultKind::InvalidAttachment,
        Blame::Caller,
        false,
        false,
        None,
    );
    let faults = [
        http(400, r#"{"reason":"IMAGE_MIME_MISMATCH"}"#),
        http(400, r#"{"reason":"DOCUMENT_COUNT_EXCEEDED"}"#),
        http(400, r#"{"reason":"INVALID_DOCUMENT_NAME"}"#),
        http(400, r#"{"reason":"DISALLOWED_FILE_TYPE"}"#),
    ];
    assert_row(8, &verdict, &faults);
}

#[test]
fn e08_an_attachment_that_is_too_large() {
    let verdict = Verdict(
        FaultKind::AttachmentTooLarge,
        Blame::Caller,
        false,
        false,
        None,
    );
    let faults = [
        http(400, r#"{"reason":"IMAGE_SIZE_EXCEEDED"}"#),
        http(400, r#"{"reason":"DOCUMENT_TOO_LARGE"}"#),
    ];
    assert_row(8, &verdict, &faults);
}

#[test]
fn e09_a_profile_that_is_missing() {
    let verdict = Verdict(
        FaultKind::ProfileRequired,
        Blame::Setup,
        false,
        false,
        Some(Repair::FindProfile),
    );
    let faults = [http(
        400,
        r#"{"message":"profileArn is required for this request.","reason":null}"#,
    )];
    assert_row(9, &verdict, &faults);
}

#[test]
fn e10_a_credential_at_the_wrong_target() {
    let verdict = Verdict(
        FaultKind::WrongCredentialShape,
        Blame::Setup,
        false,
        true,
        Some(Repair::OtherWireProfile),
    );
    let faults = [http(
        400,
        r#"{"__type":"com.amazon.aws.codewhisperer#ValidationException","message":"The provided credential is invalid."}"#,
    )];
    assert_row(10, &verdict, &faults);
}

#[test]
fn e11_a_bad_token_at_the_control_plane() {
    let verdict = Verdict(
        FaultKind::TokenRejected,
        Blame::Credential,
        false,
        true,
        Some(Repair::RefreshToken),
    );
    let faults = [http(
        400,
        r#"{"__type":"AccessDeniedException","message":"Invalid token"}"#,
    )];
    assert_row(11, &verdict, &faults);
}

#[test]
fn e12_a_monthly_quota_that_is_used_up() {
    let verdict = Verdict(
        FaultKind::MonthlyQuota,
        Blame::Credential,
        false,
        true,
        None,
    );
    let faults = [
        http(
            402,
            r#"{"message":"You have reached the limit.","reason":"MONTHLY_REQUEST_COUNT"}"#,
        ),
        http(402, r#"{"message":"You have reached the limit."}"#),
        http(402, ""),
        http(400, r#"{"__type":"ServiceQuotaExceededException"}"#),
    ];
    assert_row(12, &verdict, &faults);
}

#[test]
fn e13_a_cap_on_overage_that_is_reached() {
    let verdict = Verdict(
        FaultKind::OverageQuota,
        Blame::Credential,
        false,
        true,
        None,
    );
    let faults = [
        http(
            402,
            r#"{"message":"You have reached the limit for overages.","reason":"OVERAGE_REQUEST_LIMIT_EXCEEDED"}"#,
        ),
        http(
            402,
            r#"{"message":"You have reached the limit for overages."}"#,
        ),
    ];
    assert_row(13, &verdict, &faults);
}

#[test]
fn e14_a_conversation_that_is_refused() {
    let verdict = Verdict(
        FaultKind::ConversationRejected,
        Blame::Caller,
        false,
        false,
        Some(Repair::NewConversation),
    );
    let faults = [
        http(402, r#"{"reason":"CONVERSATION_LIMIT_EXCEEDED"}"#),
        http(400, r#"{"reason":"INVALID_CONVERSATION_ID"}"#),
    ];
    assert_row(14, &verdict, &faults);
}

#[test]
fn e15_a_token_that_has_expired() {
    let verdict = Verdict(
        FaultKind::TokenRejected,
        Blame::Credential,
        false,
        true,
        Some(Repair::RefreshToken),
    );
    let faults = [http(401, ""), http(401, r#"{"message":"whatever"}"#)];
    assert_row(15, &verdict, &faults);
}

#[test]
fn e16_a_bearer_token_that_is_invalid() {
    let verdict = Verdict(
        FaultKind::TokenRejected,
        Blame::Credential,
        false,
        true,
        Some(Repair::RefreshToken),
    );
    let faults = [
        http(
            403,
            r#"{"message":"The bearer token included in the request is invalid.","reason":null}"#,
        ),
        http(
            403,
            r#"{"__type":"AccessDeniedException","Message":"The bearer token included in the request is invalid"}"#,
        ),
    ];
    assert_row(16, &verdict, &faults);
}

#[test]
fn e17_a_call_that_is_not_allowed() {
    let verdict = Verdict(
        FaultKind::AccessDenied,
        Blame::Credential,
        false,
        true,
        Some(Repair::FindProfile),
    );
    let faults = [
        http(
            403,
            r#"{"message":"User is not authorized to make this call.","reason":null}"#,
        ),
        http(
            403,
            r#"{"reason":"UNAUTHORIZED_CUSTOMIZATION_RESOURCE_ACCESS"}"#,
        ),
    ];
    assert_row(17, &verdict, &faults);
}

#[test]
fn e18_an_account_that_is_suspended() {
    let verdict = Verdict(FaultKind::Suspended, Blame::Credential, false, true, None);
    let faults = [
        http(
            403,
            r#"{"__type":"com.amazon.kiro.runtimeservice#AccessDeniedException","message":"Your User ID (EXAMPLE) temporarily is suspended. We've locked your account as a security precaution.","reason":"TEMPORARILY_SUSPENDED"}"#,
        ),
        http(
            403,
            r#"{"message":"Your User ID (EXAMPLE) temporarily is suspended."}"#,
        ),
        http(403, r#"{"message":"We noticed unusual user activity."}"#),
        http(423, ""),
    ];
    assert_row(18, &verdict, &faults);
}

#[test]
fn e19_a_feature_outside_the_plan() {
    let verdict = Verdict(
        FaultKind::FeatureNotSupported,
        Blame::Credential,
        false,
        false,
        None,
    );
    let faults = [http(
        403,
        r#"{"__type":"com.amazon.aws.codewhisperer#AccessDeniedException","message":"This feature is not supported for your account.","reason":"FEATURE_NOT_SUPPORTED"}"#,
    )];
    assert_row(19, &verdict, &faults);
}

#[test]
fn e20_a_refusal_without_a_reason() {
    let verdict = Verdict(FaultKind::Forbidden, Blame::Credential, false, true, None);
    let faults = [
        http(403, "<html><body>Request blocked</body></html>"),
        http(403, r#"{"message":"something else"}"#),
        http(
            400,
            r#"{"__type":"AccessDeniedException","message":"something else"}"#,
        ),
    ];
    assert_row(20, &verdict, &faults);
}

#[test]
fn e21_a_model_without_capacity() {
    let verdict = Verdict(FaultKind::Capacity, Blame::Service, true, false, None);
    let faults = [
        http(
            429,
            r#"{"message":"I am experiencing high traffic, please try again shortly.","reason":"INSUFFICIENT_MODEL_CAPACITY"}"#,
        ),
        http(
            429,
            r#"{"__type":"ThrottlingException","message":"I am experiencing high traffic, please try again shortly."}"#,
        ),
        frame(
            "throttlingError",
            r#"{"reason":"INSUFFICIENT_MODEL_CAPACITY"}"#,
        ),
    ];
    assert_row(21, &verdict, &faults);
}

#[test]
fn e22_a_rate_that_is_exceeded() {
    let verdict = Verdict(FaultKind::Throttled, Blame::Credential, true, true, None);
    let faults = [
        http(
            429,
            r#"{"message":"Too many requests, please wait before trying again.","reason":"USER_REQUEST_RATE_EXCEEDED"}"#,
        ),
        http(429, r#"{"reason":"SERVICE_REQUEST_RATE_EXCEEDED"}"#),
        frame(
            "throttlingError",
            r#"{"message":"Too many requests, please wait before trying again.","reason":"USER_REQUEST_RATE_EXCEEDED"}"#,
        ),
        frame(
            "ThrottlingException",
            r#"{"message":"Too many requests, please wait before trying again."}"#,
        ),
    ];
    assert_row(22, &verdict, &faults);
}

#[test]
fn e23_credits_that_are_spent_too_fast() {
    let verdict = Verdict(
        FaultKind::SpendingTooFast,
        Blame::Credential,
        false,
        true,
        None,
    );
    let faults = [http(
        429,
        r#"{"__type":"com.amazon.kiro.runtimeservice#ThrottlingException","message":"Credits are being used too fast.","reason":"CREDIT_CONSUMPTION_RATE_EXCEEDED","retryAfterMilliseconds":300000}"#,
    )];
    assert_row(23, &verdict, &faults);
}

#[test]
fn e24_a_daily_quota_that_is_used_up() {
    let verdict = Verdict(FaultKind::DailyQuota, Blame::Credential, false, true, None);
    let faults = [http(
        429,
        r#"{"message":"Too many requests today.","reason":"DAILY_REQUEST_COUNT"}"#,
    )];
    assert_row(24, &verdict, &faults);
}

#[test]
fn e25_a_monthly_quota_with_the_older_status() {
    let verdict = Verdict(
        FaultKind::MonthlyQuota,
        Blame::Credential,
        false,
        true,
        None,
    );
    let faults = [http(
        429,
        r#"{"__type":"ThrottlingException","message":"Maximum Request reached for this month."}"#,
    )];
    assert_row(25, &verdict, &faults);
}

#[test]
fn e26_too_many_requests_of_any_kind() {
    let verdict = Verdict(FaultKind::Throttled, Blame::Credential, true, true, None);
    let faults = [
        http(429, ""),
        http(429, r#"{"reason":"SOMETHING_NEW"}"#),
        http(400, r#"{"__type":"ThrottlingException"}"#),
        frame("throttlingError", ""),
    ];
    assert_row(26, &verdict, &faults);
}

#[test]
fn e27_unexpectedly_high_load() {
    let verdict = Verdict(FaultKind::Capacity, Blame::Service, true, false, None);
    let faults = [
        http(
            500,
            r#"{"message":"Encountered unexpectedly high load when processing the request, please try again."}"#,
        ),
        frame(
            "InternalServerException",
            r#"{"message":"Encountered unexpectedly high load when processing the request, please try again."}"#,
        ),
    ];
    assert_row(27, &verdict, &faults);
}

#[test]
fn e28_a_model_that_is_down() {
    let verdict = Verdict(FaultKind::Capacity, Blame::Service, true, false, None);
    let faults = [
        http(
            500,
            r#"{"message":"The model is temporarily unavailable.","reason":"MODEL_TEMPORARILY_UNAVAILABLE"}"#,
        ),
        http(
            503,
            r#"{"__type":"com.amazon.kiro.runtimeservice#ServiceUnavailableException","message":"The model is temporarily unavailable.","reason":"MODEL_TEMPORARILY_UNAVAILABLE"}"#,
        ),
    ];
    assert_row(28, &verdict, &faults);
}

#[test]
fn e29_something_that_broke_inside() {
    let verdict = Verdict(FaultKind::Internal, Blame::Service, true, true, None);
    let faults = [
        http(500, ""),
        http(502, "<html>Bad Gateway</html>"),
        http(504, ""),
        http(599, ""),
        frame(
            "error",
            r#"{"message":"Encountered an unexpected error when processing the request, please try again."}"#,
        ),
        frame("InternalServerException", ""),
    ];
    assert_row(29, &verdict, &faults);
}

#[test]
fn e30_a_service_that_is_unavailable() {
    let verdict = Verdict(FaultKind::Capacity, Blame::Service, true, false, None);
    let faults = [
        http(503, ""),
        http(500, r#"{"__type":"ServiceUnavailableException"}"#),
        frame("serviceUnavailableError", ""),
    ];
    assert_row(30, &verdict, &faults);
}

#[test]
fn e31_an_operation_that_the_host_does_not_know() {
    let verdict = Verdict(
        FaultKind::UnknownOperation,
        Blame::Setup,
        false,
        false,
        Some(Repair::OtherWireProfile),
    );
    let faults = [
        http(404, ""),
        http(405, ""),
        http(
            400,
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#,
        ),
    ];
    assert_row(31, &verdict, &faults);
}

#[test]
fn e32_a_request_that_took_too_long() {
    let verdict = Verdict(FaultKind::Timeout, Blame::Service, true, false, None);
    let faults = [http(408, "")];
    assert_row(32, &verdict, &faults);
}

#[test]
fn e33_a_body_that_is_too_large() {
    let verdict = Verdict(FaultKind::TooLarge, Blame::Caller, false, false, None);
    let faults = [
        http(413, ""),
        http(
            400,
            "Failed to buffer the request body: length limit exceeded",
        ),
    ];
    assert_row(33, &verdict, &faults);
}

#[test]
fn e34_an_output_that_reached_its_limit() {
    let verdict = Verdict(FaultKind::OutputLimit, Blame::Service, false, false, None);
    let faults = [frame(
        "ContentLengthExceededException",
        r#"{"message":"x"}"#,
    )];
    assert_row(34, &verdict, &faults);
}

#[test]
fn e35_a_key_that_cannot_be_used() {
    let verdict = Verdict(
        FaultKind::EncryptionKey,
        Blame::Credential,
        false,
        true,
        None,
    );
    let faults = [
        http(
            409,
            r#"{"__type":"ConflictException","reason":"CUSTOMER_KMS_KEY_DISABLED"}"#,
        ),
        http(409, r#"{"reason":"MISMATCHED_KMS_KEY"}"#),
        http(400, r#"{"reason":"INVALID_KMS_GRANT"}"#),
    ];
    assert_row(35, &verdict, &faults);
}

#[test]
fn e36_a_thing_that_does_not_exist() {
    let verdict = Verdict(FaultKind::NotFound, Blame::Credential, false, true, None);
    let faults = [http(
        404,
        r#"{"__type":"com.amazon.aws.codewhisperer#ResourceNotFoundException"}"#,
    )];
    assert_row(36, &verdict, &faults);
}

#[test]
fn a_status_that_nobody_has_seen_is_other() {
    for status in [200, 302, 307, 409, 418, 451] {
        let fault = http(status, "");
        assert_eq!((fault.kind(), fault.row()), (FaultKind::Other, None));
        assert!(!fault.may_retry_same() && !fault.may_fail_over());
    }
}

#[test]
fn a_reason_outweighs_name_message_and_status() {
    let body = r#"{"__type":"ThrottlingException","message":"Input is too long.","reason":"INVALID_MODEL_ID"}"#;
    assert_eq!(http(503, body).kind(), FaultKind::UnknownModel);
}

#[test]
fn a_name_outweighs_a_status() {
    assert_eq!(
        http(400, r#"{"__type":"ThrottlingException"}"#).kind(),
        FaultKind::Throttled
    );
}

#[test]
fn a_message_counts_only_at_its_own_status() {
    let body = r#"{"message":"Input is too long."}"#;
    assert_eq!(http(400, body).kind(), FaultKind::ContextTooLong);
    assert_eq!(http(429, body).kind(), FaultKind::Throttled);
    assert_eq!(http(403, body).kind(), FaultKind::Forbidden);
}

#[test]
fn the_name_in_the_header_wins_and_loses_its_suffix() {
    let mut headers = HeaderMap::new();
    let value = "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/";
    headers.insert("x-amzn-errortype", value.parse().unwrap());
    let body = br#"{"__type":"ns#ValidationException","message":"m"}"#;
    let fault = Fault::from_response(StatusCode::BAD_REQUEST, &headers, body);
    assert_eq!(fault.kind(), FaultKind::Throttled);
    assert_eq!(fault.name(), Some("ThrottlingException"));
    assert_eq!(fault.code(), Some("ThrottlingException"));
    assert_eq!(fault.message(), "m");
}

#[test]
fn the_wait_is_read_from_the_body_then_from_the_header() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "7".parse().unwrap());
    let wait = |headers: &HeaderMap, body: &str| {
        Fault::from_response(StatusCode::TOO_MANY_REQUESTS, headers, body.as_bytes()).retry_after()
    };
    let body = r#"{"retryAfterMilliseconds":1500}"#;
    assert_eq!(wait(&headers, body), Some(Duration::from_millis(1500)));
    assert_eq!(wait(&headers, "{}"), Some(Duration::from_secs(7)));
    assert_eq!(wait(&HeaderMap::new(), "{}"), None);
    let in_stream = Fault::from_exception("throttlingError", body.as_bytes());
    assert_eq!(in_stream.retry_after(), Some(Duration::from_millis(1500)));
    assert_eq!(in_stream.status(), None);
}

#[test]
fn an_error_frame_is_classified_like_an_exception() {
    let fault = Fault::from_error("InternalServerException", "it broke");
    assert_eq!(
        (fault.kind(), fault.message()),
        (FaultKind::Internal, "it broke")
    );
    assert_eq!(Fault::from_error("what", "ever").kind(), FaultKind::Other);
}

#[test]
fn what_is_logged_names_everything_once() {
    let body = r#"{"__type":"ns#ThrottlingException","message":"Slow down.","reason":"USER_REQUEST_RATE_EXCEEDED"}"#;
    assert_eq!(
        http(429, body).to_string(),
        "the service refused: throttled, status 429, ThrottlingException, USER_REQUEST_RATE_EXCEEDED: Slow down."
    );
}
