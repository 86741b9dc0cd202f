//! Every event that the service models is typed, with the names of the wire.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use bytes::Bytes;
use kiro_protocol::event::{EventError, KiroEvent, PayloadFault, TextPiece, ToolInput};
use kiro_protocol::eventstream::FrameDecoder;
use kiro_protocol::fault::FaultKind;
use kiro_protocol::reply::StopReason;
use kiro_protocol::text::JsonText;

fn decode(frame: Bytes) -> Result<KiroEvent, EventError> {
    let mut decoder = FrameDecoder::new();
    decoder.push(frame);
    KiroEvent::decode(&decoder.next_frame().unwrap().unwrap())
}

fn event(event_type: &str, payload: &str) -> KiroEvent {
    decode(streams::event(event_type, payload)).unwrap()
}

fn piece(text: &str) -> TextPiece {
    TextPiece::from(JsonText::new(text))
}

#[test]
fn every_type_is_read_here() {
    let tests = include_str!("events.rs");
    for event_type in KiroEvent::TYPES {
        let name = format!("\"{event_type}\"");
        assert!(tests.contains(&name), "nobody reads a {event_type}");
    }
}

#[test]
fn initial_response() {
    let KiroEvent::InitialResponse(event) = event("initial-response", r#"{"conversationId":"c"}"#)
    else {
        panic!()
    };
    assert_eq!(event.conversation_id.as_deref(), Some("c"));
}

#[test]
fn message_metadata() {
    let payload = r#"{"conversationId":null,"utteranceId":"u"}"#;
    let KiroEvent::MessageMetadata(event) = event("messageMetadataEvent", payload) else {
        panic!()
    };
    assert_eq!(
        (event.conversation_id, event.utterance_id.as_deref()),
        (None, Some("u"))
    );
}

#[test]
fn assistant_response() {
    for (payload, content, model) in [
        (r#"{"content":"a \"b\""}"#, "a \"b\"", None),
        (r#"{"content":"a","modelId":"m"}"#, "a", Some("m")),
        (
            r#"{"modelId":"m","content":"a","modelTag":"t"}"#,
            "a",
            Some("m"),
        ),
        (r#"{"content":"a","modelId":"m\u0021"}"#, "a", Some("m!")),
        (r#"{"content":"a","modelId":null}"#, "a", None),
        (r#"{"content":"a\\"}"#, "a\\", None),
        (r#"{"content":"","modelId":""}"#, "", Some("")),
        ("{}", "", None),
    ] {
        let KiroEvent::AssistantResponse(event) = event("assistantResponseEvent", payload) else {
            panic!()
        };
        assert_eq!(event.content, piece(content), "{payload}");
        assert_eq!(
            event
                .model_id
                .as_ref()
                .map(|model| model.unescape())
                .as_deref(),
            model
        );
    }
}

#[test]
fn text_is_a_slice_of_the_segment() {
    for payload in [
        r#"{"content":"said","modelId":"m"}"#,
        r#"{ "content" : "said" }"#,
    ] {
        let frame = streams::event("assistantResponseEvent", payload);
        let start = frame.as_ptr() as usize;
        let Ok(KiroEvent::AssistantResponse(event)) = decode(frame.clone()) else {
            panic!()
        };
        let at = event.content.text.escaped().as_ptr() as usize - start;
        assert_eq!(&frame[at..at + 4], b"said");
    }
}

#[test]
fn reasoning_content() {
    let payload = r#"{"text":"t","signature":"c2ln"}"#;
    let KiroEvent::ReasoningContent(both) = event("reasoningContentEvent", payload) else {
        panic!()
    };
    assert_eq!(
        (both.text, both.signature, both.redacted),
        (Some(piece("t")), Some(piece("c2ln")), None)
    );
    let KiroEvent::ReasoningContent(redacted) =
        event("reasoningContentEvent", r#"{"redactedContent":"AA=="}"#)
    else {
        panic!()
    };
    assert_eq!(redacted.redacted, Some(piece("AA==")));
}

#[test]
fn tool_use() {
    let payload = r#"{"name":"f","toolUseId":"t"}"#;
    let KiroEvent::ToolUse(start) = event("toolUseEvent", payload) else {
        panic!()
    };
    assert_eq!(
        (start.id.escaped(), start.input, start.stop),
        ("t", None, false)
    );

    for (input, expected) in [
        (r#""{\"a\"""#, ToolInput::Piece(piece("{\"a\""))),
        (r#"{"a": 1}"#, ToolInput::Whole(r#"{"a": 1}"#.into())),
        ("[1]", ToolInput::Whole("[1]".into())),
    ] {
        let payload = format!(r#"{{"input":{input},"name":"f","stop":true,"toolUseId":"t"}}"#);
        let KiroEvent::ToolUse(fragment) = event("toolUseEvent", &payload) else {
            panic!()
        };
        assert_eq!((fragment.input, fragment.stop), (Some(expected), true));
    }
}

#[test]
fn tool_result() {
    let payload = r#"{"toolResult":{"toolUseId":"t","status":"success","content":[{"text":"x"}]}}"#;
    let KiroEvent::ToolResult(result) = event("toolResultEvent", payload) else {
        panic!()
    };
    assert_eq!(result.tool_use_id.as_deref(), Some("t"));
    assert_eq!(result.content[0]["text"], "x");
}

#[test]
fn metadata() {
    let payload = r#"{"stopReason":"CONTENT_FILTERED","stopDetails":{"refusal":{"category":"c","recommendedModel":"m"}},"tokenUsage":{"uncachedInputTokens":1,"outputTokens":2.0,"totalTokens":3,"cacheReadInputTokens":null,"normalizedTokenUsage":{}}}"#;
    let KiroEvent::Metadata(metadata) = event("metadataEvent", payload) else {
        panic!()
    };
    assert_eq!(metadata.stop(), Some(StopReason::ContentFiltered));
    let refusal = metadata.stop_details.unwrap().refusal.unwrap();
    assert_eq!(refusal.recommended_model.as_deref(), Some("m"));
    let usage = metadata.token_usage.unwrap();
    assert_eq!(
        (usage.uncached_input_tokens, usage.output_tokens),
        (Some(1), Some(2))
    );
    assert_eq!(usage.cache_read_input_tokens, None);
}

#[test]
fn every_known_stop_reason_is_read_in_either_case() {
    for (name, reason) in [
        ("END_TURN", StopReason::EndTurn),
        ("TOOL_USE", StopReason::ToolUse),
        ("MAX_TOKENS", StopReason::MaxTokens),
        ("MODEL_CONTEXT_WINDOW_EXCEEDED", StopReason::ContextWindow),
        ("CONTENT_FILTERED", StopReason::ContentFiltered),
        ("GUARDRAIL_INTERVENED", StopReason::ContentFiltered),
        ("STOP_SEQUENCE", StopReason::StopSequence),
        ("PAUSE_TURN", StopReason::PauseTurn),
    ] {
        for name in [name.to_owned(), name.to_lowercase()] {
            let KiroEvent::Metadata(metadata) =
                event("metadataEvent", &format!(r#"{{"stopReason":"{name}"}}"#))
            else {
                panic!()
            };
            assert_eq!(metadata.stop(), Some(reason));
        }
    }
    for unknown in ["UNKNOWN", "MALFORMED_TOOL_USE", ""] {
        let KiroEvent::Metadata(metadata) =
            event("metadataEvent", &format!(r#"{{"stopReason":"{unknown}"}}"#))
        else {
            panic!()
        };
        assert_eq!(
            (metadata.stop(), metadata.stop_reason.as_deref()),
            (None, Some(unknown))
        );
    }
}

#[test]
fn context_usage() {
    let payload = r#"{"contextUsagePercentage":101.25,"breakdown":{"mcpTools":3}}"#;
    let KiroEvent::ContextUsage(usage) = event("contextUsageEvent", payload) else {
        panic!()
    };
    assert_eq!(usage.context_usage_percentage, Some(101.25));
    assert_eq!(usage.breakdown.unwrap()["mcpTools"], 3);
}

#[test]
fn metering() {
    let payload = r#"{"unit":"credit","unitPlural":"credits","usage":1}"#;
    let KiroEvent::Metering(metering) = event("meteringEvent", payload) else {
        panic!()
    };
    assert_eq!(
        (metering.unit.as_deref(), metering.usage),
        (Some("credit"), Some(1.0))
    );
}

#[test]
fn code_reference() {
    let payload =
        r#"{"references":[{"licenseName":"MIT","recommendationContentSpan":{"start":1,"end":2}}]}"#;
    let KiroEvent::CodeReference(event) = event("codeReferenceEvent", payload) else {
        panic!()
    };
    assert_eq!(event.references[0].license_name.as_deref(), Some("MIT"));
    assert!(matches!(
        self::event("codeReferenceEvent", r#"{"references":null}"#),
        KiroEvent::CodeReference(none) if none.references.is_empty()
    ));
}

#[test]
fn supplementary_web_links() {
    let payload =
        r#"{"supplementaryWebLinks":[{"url":"https://example.com","title":"t","snippet":"s"}]}"#;
    let KiroEvent::SupplementaryWebLinks(links) = event("supplementaryWebLinksEvent", payload)
    else {
        panic!()
    };
    assert_eq!(links[0].url.as_deref(), Some("https://example.com"));
}

#[test]
fn followup_prompt() {
    let payload = r#"{"followupPrompt":{"content":"And?","userIntent":"X"}}"#;
    let KiroEvent::FollowupPrompt(prompt) = event("followupPromptEvent", payload) else {
        panic!()
    };
    assert_eq!(prompt.content.as_deref(), Some("And?"));
}

#[test]
fn citations() {
    for name in ["citationEvent", "documentCitationEvent"] {
        let payload = r#"{"citationText":"t","citationLink":"l","target":{"location":3}}"#;
        let KiroEvent::Citation(citation) = event(name, payload) else {
            panic!()
        };
        assert_eq!(citation.citation_link.as_deref(), Some("l"));
    }
}

#[test]
fn events_of_other_products() {
    assert_eq!(
        event("codeEvent", r#"{"content":"x"}"#),
        KiroEvent::Code(piece("x"))
    );
    assert!(matches!(
        event("intentsEvent", r#"{"intents":{}}"#),
        KiroEvent::Intents(_)
    ));
    assert!(matches!(
        event("interactionComponentsEvent", "{}"),
        KiroEvent::InteractionComponents(_)
    ));
    assert_eq!(event("dryRunSucceedEvent", ""), KiroEvent::DryRunSucceeded);
}

#[test]
fn invalid_state() {
    let payload = r#"{"reason":"INVALID_TASK_ASSIST_PLAN","message":"m"}"#;
    let KiroEvent::InvalidState(state) = event("invalidStateEvent", payload) else {
        panic!()
    };
    assert_eq!(state.reason.as_deref(), Some("INVALID_TASK_ASSIST_PLAN"));
}

#[test]
fn an_unknown_event_is_kept_whole() {
    let unknown = KiroEvent::Unknown {
        event_type: "brandNewEvent".into(),
        payload: Bytes::from_static(b"\x00 not JSON"),
    };
    assert_eq!(event("brandNewEvent", "\0 not JSON"), unknown);
}

#[test]
fn exceptions_and_errors_are_faults() {
    let exception = streams::frame(
        &[
            (":exception-type", "throttlingError"),
            (":message-type", "exception"),
        ],
        r#"{"message":"m"}"#,
    );
    let error = streams::frame(
        &[
            (":error-code", "InternalServerException"),
            (":message-type", "error"),
        ],
        "",
    );
    for (frame, kind) in [
        (exception, FaultKind::Throttled),
        (error, FaultKind::Internal),
    ] {
        let Ok(KiroEvent::Fault(fault)) = decode(frame) else {
            panic!()
        };
        assert_eq!(fault.kind(), kind);
    }
}

#[test]
fn a_frame_without_its_headers_is_an_error() {
    for (headers, name) in [
        (&[][..], ":message-type"),
        (&[(":message-type", "event")], ":event-type"),
        (&[(":message-type", "exception")], ":exception-type"),
    ] {
        assert_eq!(
            decode(streams::frame(headers, "{}")),
            Err(EventError::MissingHeader { name })
        );
    }
    let message_type = "x".repeat(200);
    let error = decode(streams::frame(&[(":message-type", &message_type)], "{}")).unwrap_err();
    let kept = message_type[..64].to_owned();
    assert_eq!(error, EventError::UnknownMessageType { message_type: kept });
}

#[test]
fn a_broken_payload_is_told_with_its_place() {
    for (event_type, payload, offset, fault) in [
        (
            "assistantResponseEvent",
            r#"{"content":"#,
            11,
            PayloadFault::Incomplete,
        ),
        (
            "assistantResponseEvent",
            "nonsense",
            2,
            PayloadFault::NotJson,
        ),
        (
            "assistantResponseEvent",
            r#"{"content":5}"#,
            11,
            PayloadFault::WrongShape,
        ),
        ("assistantResponseEvent", "[]", 0, PayloadFault::WrongShape),
        (
            "meteringEvent",
            "{\"unit\":\n\"x\",\"usage\":true}",
            25,
            PayloadFault::WrongShape,
        ),
        (
            "metadataEvent",
            r#"{"tokenUsage":{"outputTokens":-1}}"#,
            33,
            PayloadFault::WrongShape,
        ),
        ("followupPromptEvent", "{}", 2, PayloadFault::WrongShape),
    ] {
        let error = decode(streams::event(event_type, payload)).unwrap_err();
        assert_eq!(
            error,
            EventError::Payload {
                event_type,
                offset,
                fault
            },
            "{payload}"
        );
    }
}
