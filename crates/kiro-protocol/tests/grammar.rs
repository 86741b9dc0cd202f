//! Whatever events arrive, the reply keeps its grammar, and nothing that was said is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;

use std::collections::HashSet;

use bytes::Bytes;
use kiro_protocol::Generation;
use kiro_protocol::conversation::JsonObject;
use kiro_protocol::reply::{Reply, ReplyError, ReplyEvent, ReplyOptions, StopReason};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use streams::{event, frame, read, stop, text, tool_use};

/// The inside of a JSON string: ordinary text, halves of pairs, tags, fences, nothing.
fn any_escaped() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        "a",
        "ü",
        "猫",
        r"\ud83d",
        r"\ude00",
        r"\ud83d\ude00",
        r"\n",
        " ",
        r"\n\n",
        "<think",
        "ing>",
        "<thinking>",
        "</thinking>",
        "</thin",
        "king>",
        "`",
        r"\n```\n",
        r"\u003c",
        "<",
    ]);
    vec(known, 0..4).prop_map(|parts| parts.concat())
}

/// The value of a tool use's `input`: pieces of JSON text, whole values.
fn any_input() -> impl Strategy<Value = &'static str> {
    select(vec![
        r#""""#,
        r#""{""#,
        r#""}""#,
        r#""{}""#,
        r#""{\"a\":1}""#,
        r#""{\"a\":\"\ud83d""#,
        r#""\ude00\"}""#,
        r#"" ""#,
        r#""1""#,
        r#"{"a":1}"#,
        "{}",
        "[1]",
        "null",
        "5",
    ])
}

fn any_tool_use() -> impl Strategy<Value = Bytes> {
    let id = select(vec!["", "t1", "t2", "t3"]);
    let name = prop_oneof![
        8 => Just(r#","name":"f""#),
        1 => Just(r#","name":"""#),
        1 => Just("")
    ];
    let input = proptest::option::of(any_input());
    (id, name, input, any::<bool>()).prop_map(|(id, name, input, stop)| {
        let input = input.map(|input| format!(r#","input":{input}"#));
        let payload = format!(
            r#"{{"toolUseId":"{id}"{name}{},"stop":{stop}}}"#,
            input.unwrap_or_default()
        );
        event("toolUseEvent", &payload)
    })
}

fn any_reasoning() -> impl Strategy<Value = Bytes> {
    let member = select(vec!["text", "signature", "redactedContent"]);
    vec((member, any_escaped()), 0..3).prop_map(|members| {
        let mut seen = HashSet::new();
        let members: Vec<_> = members
            .into_iter()
            .filter(|(name, _)| seen.insert(*name))
            .map(|(name, value)| format!(r#""{name}":"{value}""#))
            .collect();
        event(
            "reasoningContentEvent",
            &format!("{{{}}}", members.join(",")),
        )
    })
}

fn any_other() -> impl Strategy<Value = Bytes> {
    let reason = select(vec![
        "END_TURN",
        "TOOL_USE",
        "MAX_TOKENS",
        "CONTENT_FILTERED",
        "MODEL_CONTEXT_WINDOW_EXCEEDED",
        "UNKNOWN",
    ]);
    prop_oneof![
        4 => reason.prop_map(stop),
        2 => Just(event("meteringEvent", r#"{"unit":"credit","usage":0.25}"#)),
        2 => Just(event("contextUsageEvent", r#"{"contextUsagePercentage":2.5}"#)),
        1 => Just(event("metadataEvent", r#"{"tokenUsage":{"outputTokens":5}}"#)),
        1 => Just(event("initial-response", r#"{"conversationId":""}"#)),
        1 => Just(event("followupPromptEvent", r#"{"followupPrompt":{"content":"x"}}"#)),
        1 => Just(event("brandNewEvent", "?")),
        1 => Just(frame(
            &[(":message-type", "exception"), (":exception-type", "ContentLengthExceededException")],
            "{}",
        )),
    ]
}

fn any_event() -> impl Strategy<Value = Bytes> {
    let text = any_escaped().prop_map(|text| {
        event(
            "assistantResponseEvent",
            &format!(r#"{{"content":"{text}"}}"#),
        )
    });
    prop_oneof![
        4 => text,
        2 => any_reasoning(),
        4 => any_tool_use(),
        2 => any_other(),
    ]
}

fn any_generation() -> impl Strategy<Value = Generation> {
    select(vec![Generation::Rest, Generation::Cli, Generation::Krs])
}

/// Walks over the events as the grammar says; panics where they leave it.
fn assert_grammar(events: &[ReplyEvent], is_whole: bool) {
    let mut rest = events.iter();
    let mut open: Option<String> = None;
    let mut ids = HashSet::new();
    let (mut cut, mut tool_use, mut usage) = (false, false, false);
    match rest.next() {
        None => return assert!(!is_whole),
        first => assert_eq!(first, Some(&ReplyEvent::Start)),
    }
    while let Some(event) = rest.next() {
        assert!(
            !usage || matches!(event, ReplyEvent::Stop(_)),
            "{event:?} after usage"
        );
        let in_tool = matches!(
            event,
            ReplyEvent::ToolInput(_) | ReplyEvent::ToolUseEnd | ReplyEvent::ToolUseCut
        );
        assert_eq!(open.is_some(), in_tool, "{event:?}");
        match event {
            ReplyEvent::Start => panic!("a second start"),
            ReplyEvent::Text(delta)
            | ReplyEvent::Reasoning(delta)
            | ReplyEvent::Signature(delta)
            | ReplyEvent::Redacted(delta) => assert!(!delta.is_empty()),
            ReplyEvent::ToolUseStart { id, name } => {
                assert!(!cut, "a tool use after one that was cut");
                assert!(ids.insert(id.clone()), "{id} twice");
                assert_eq!(name, "f");
                open = Some(String::new());
            }
            ReplyEvent::ToolInput(delta) => {
                assert!(!delta.is_empty());
                open.as_mut().unwrap().push_str(&delta.unescape());
            }
            ReplyEvent::ToolUseEnd => {
                let input = open.take().unwrap();
                assert!(input.is_empty() || !input.trim().is_empty());
                assert!(JsonObject::parse(input.clone()).is_ok(), "{input:?}");
                tool_use = true;
            }
            ReplyEvent::ToolUseCut => {
                open = None;
                cut = true;
            }
            ReplyEvent::Usage(_) => usage = true,
            ReplyEvent::Stop(reason) => {
                assert!(is_whole);
                assert_eq!(rest.next(), None, "something after the stop");
                assert!(!cut || *reason == StopReason::MaxTokens);
                assert!(*reason != StopReason::ToolUse || tool_use);
                assert!(*reason != StopReason::EndTurn || !tool_use);
                return;
            }
        }
    }
    assert!(!is_whole, "no stop");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_events_keep_the_grammar(
        frames in vec(any_event(), 0..30),
        generation in any_generation(),
        thinking_tags in any::<bool>(),
        max_held_bytes in select(vec![64, 1_000, 1_000_000]),
    ) {
        let mut options = ReplyOptions::new(generation);
        options.thinking_tags = thinking_tags;
        options.max_held_bytes = max_held_bytes;
        let (events, end) = read(options, frames);
        assert_grammar(&events, end.is_ok());
        let is_expected = matches!(
            end,
            Ok(())
                | Err(ReplyError::Unfinished
                    | ReplyError::Empty
                    | ReplyError::ToolUseWithoutName
                    | ReplyError::TooMuchHeld { .. })
        );
        prop_assert!(is_expected, "{:?}", end);
    }

    /// Text, thoughts and tool uses in pieces, mixed in any way: all of it comes out, each in its order.
    #[test]
    fn nothing_that_was_said_is_lost(
        texts in vec("[a-z <>\"\\\\é猫😀\n]{0,5}", 0..8),
        thoughts in vec("[a-z猫😀]{0,5}", 0..5),
        inputs in vec(("[a-z\"\\\\é😀]{0,12}", vec(any::<Index>(), 0..4)), 0..5),
        order in vec(any::<Index>(), 60),
    ) {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|(value, cuts)| (serde_json::json!({ "k": value }).to_string(), cuts))
            .collect();
        let mut lanes: Vec<Vec<Bytes>> = vec![
            texts.iter().map(|piece| text(piece)).collect(),
            thoughts
                .iter()
                .map(|piece| {
                    let payload = serde_json::json!({ "text": piece }).to_string();
                    event("reasoningContentEvent", &payload)
                })
                .collect(),
        ];
        lanes.extend(inputs.iter().enumerate().map(|(n, (input, cuts))| fragments(n, input, cuts)));
        let mut frames = mix(lanes, &order);
        frames.push(stop("END_TURN"));

        let (events, end) = read(ReplyOptions::new(Generation::Krs), frames);
        assert_grammar(&events, end.is_ok());
        let reply: Reply = events.into_iter().collect();
        prop_assert_eq!(reply.text(), texts.concat());
        prop_assert_eq!(reply.reasoning(), thoughts.concat());
        let mut uses: Vec<_> = reply
            .tool_uses()
            .map(|tool_use| (tool_use.id.clone(), tool_use.input.as_str().to_owned()))
            .collect();
        uses.sort();
        let expected: Vec<_> = inputs
            .iter()
            .enumerate()
            .map(|(n, (input, _))| (format!("t{n}"), input.clone()))
            .collect();
        prop_assert_eq!(uses, expected);
        if !inputs.is_empty() {
            prop_assert_eq!(reply.stop, Some(StopReason::ToolUse));
        }
    }
}

/// A tool use in pieces: a start, its input cut at these places, its end.
fn fragments(n: usize, input: &str, cuts: &[Index]) -> Vec<Bytes> {
    let id = format!("t{n}");
    let characters: Vec<_> = input.chars().collect();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(characters.len())).collect();
    cuts.extend([0, characters.len()]);
    cuts.sort();
    let mut frames = vec![tool_use(&id, "f", None, false)];
    for ends in cuts.windows(2) {
        let piece: String = characters[ends[0]..ends[1]].iter().collect();
        frames.push(tool_use(&id, "f", Some(&piece), false));
    }
    frames.push(tool_use(&id, "f", None, true));
    frames
}

/// Takes from the front of one lane after the other, as `order` says.
fn mix(mut lanes: Vec<Vec<Bytes>>, order: &[Index]) -> Vec<Bytes> {
    lanes.iter_mut().for_each(|lane| lane.reverse());
    let mut order = order.iter().cycle();
    let mut frames = Vec::new();
    loop {
        lanes.retain(|lane| !lane.is_empty());
        if lanes.is_empty() {
            return frames;
        }
        let lane = order.next().unwrap().index(lanes.len());
        frames.extend(lanes[lane].pop());
    }
}
