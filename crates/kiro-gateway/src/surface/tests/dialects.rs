//! One conversation, told in every dialect, is the same conversation upstream.
//!
//! What only one dialect can say is left out: that a tool failed, which chat and responses have no member for,
//! and how long an answer should be, for which messages has none. Thoughts come back in responses and
//! messages only, and stop sequences are asked for in chat and messages only: those are compared by
//! themselves.

use http::Uri;
use kiro_protocol::request::{PrepareOptions, Target, WireProfile, build, prepare};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cases::Cases;
use crate::bounds::{Bounds, Demand};
use crate::surface::{chat, messages, responses};

/// A conversation in nobody's words.
#[derive(Debug, Clone)]
struct Told {
    model: &'static str,
    system: Option<String>,
    exchanges: Vec<Exchange>,
    question: Vec<Piece>,
    /// How many of [`TOOLS`] are offered.
    n_tools: usize,
    choice: Choice,
    one_call: bool,
    effort: Option<&'static str>,
    limit: u32,
    format: bool,
    stop: Vec<String>,
}

/// What a user says, and what comes of it.
#[derive(Debug, Clone)]
struct Exchange {
    question: Vec<Piece>,
    rounds: Vec<Round>,
    answer: String,
}

/// What the model says before it calls tools, and what they find.
#[derive(Debug, Clone)]
struct Round {
    thoughts: Option<String>,
    before: String,
    calls: Vec<Call>,
}

#[derive(Debug, Clone)]
struct Call {
    tool: &'static str,
    asked: String,
    found: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Image(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Choice {
    Unsaid,
    Auto,
    None,
    Required,
    /// The first one.
    Named,
}

/// The last one has a name that the service does not take.
const TOOLS: [&str; 3] = ["look_up", "read", "files.write/now"];
const PNG: &str = "iVBORw0KGgo=";
const GIF: &str = "R0lGODlhAQABAAAAACw=";

/// Any text, also an empty one and white space.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z]{1,4}[ \"\\\\\n\t\u{7f}\u{2028}é😀\u{fffd}\u{10ffff}a-z]{0,6}[a-z]",
        1 => "[ \n\t\u{a0}]{0,3}",
        1 => any::<String>(),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => text().prop_map(Piece::Text),
        1 => proptest::sample::select(vec![PNG, GIF]).prop_map(Piece::Image),
    ]
}

fn pieces(from: usize) -> impl Strategy<Value = Vec<Piece>> {
    proptest::collection::vec(piece(), from..3)
}

fn call() -> impl Strategy<Value = Call> {
    let tool = proptest::sample::select(TOOLS.to_vec());
    (tool, text(), pieces(0)).prop_map(|(tool, asked, found)| Call { tool, asked, found })
}

fn round() -> impl Strategy<Value = Round> {
    let calls = proptest::collection::vec(call(), 1..4);
    // Empty thoughts are none, in every dialect.
    let thoughts = proptest::option::of("[a-z]{1,4}[ \"\\\\\né😀]{0,3}");
    (thoughts, text(), calls).prop_map(|(thoughts, before, calls)| Round {
        thoughts,
        before,
        calls,
    })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let rounds = proptest::collection::vec(round(), 0..3);
    (pieces(1), rounds, text()).prop_map(|(question, rounds, answer)| Exchange {
        question,
        rounds,
        answer,
    })
}

fn told() -> impl Strategy<Value = Told> {
    let model = proptest::sample::select(vec!["claude-sonnet-4-5", "claude-haiku-4-5", "auto"]);
    let efforts = vec!["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    let choice = proptest::sample::select(vec![
        Choice::Unsaid,
        Choice::Auto,
        Choice::None,
        Choice::Required,
        Choice::Named,
    ]);
    let said = (
        proptest::option::of(text()),
        proptest::collection::vec(exchange(), 0..3),
        pieces(1),
    );
    let offered = (0..=TOOLS.len(), choice, any::<bool>());
    let knobs = (
        proptest::option::of(proptest::sample::select(efforts)),
        1..100_000u32,
        proptest::bool::weighted(0.1),
        proptest::collection::vec("[a-z\n😀]{1,3}", 0..4),
    );
    (model, said, offered, knobs).prop_map(|(model, said, offered, knobs)| {
        let (system, exchanges, question) = said;
        let (n_tools, choice, one_call) = offered;
        let (effort, limit, format, stop) = knobs;
        Told {
            model,
            system,
            exchanges,
            question,
            n_tools,
            // Without tools there is nothing to choose.
            choice: if n_tools == 0 { Choice::Unsaid } else { choice },
            one_call: one_call && n_tools > 0,
            effort,
            limit,
            format,
            stop,
        }
    })
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]})
}

impl Told {
    /// The same without the model's thoughts.
    fn without_thoughts(&self) -> Self {
        let mut told = self.clone();
        let rounds = told.exchanges.iter_mut();
        for round in rounds.flat_map(|exchange| &mut exchange.rounds) {
            round.thoughts = None;
        }
        told
    }

    /// Everything that is said and must arrive: the model's own white space does not.
    fn texts(&self) -> Vec<&str> {
        let mut texts = texts_of(&self.question);
        texts.extend(self.system.as_deref());
        for exchange in &self.exchanges {
            texts.extend(texts_of(&exchange.question));
            texts.push(&exchange.answer);
            for round in &exchange.rounds {
                texts.push(&round.before);
                let found = round.calls.iter().map(|call| &call.found);
                texts.extend(found.flat_map(|found| texts_of(found)));
            }
        }
        texts.retain(|text| !text.trim().is_empty());
        texts
    }

    fn tools(&self) -> &'static [&'static str] {
        &TOOLS[..self.n_tools]
    }

    fn as_chat(&self) -> Value {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        let mut ids = 0..;
        for exchange in &self.exchanges {
            messages.push(json!({"role": "user", "content": chat_content(&exchange.question)}));
            for round in &exchange.rounds {
                let (mut calls, mut results) = (Vec::new(), Vec::new());
                for (call, n) in round.calls.iter().zip(&mut ids) {
                    let id = format!("call_{n}");
                    let function = json!({"name": call.tool, "arguments": arguments(call)});
                    calls.push(json!({"id": id, "type": "function", "function": function}));
                    let content = chat_content(&call.found);
                    results.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
                }
                messages.push(
                    json!({"role": "assistant", "content": round.before, "tool_calls": calls}),
                );
                messages.extend(results);
            }
            messages.push(json!({"role": "assistant", "content": exchange.answer}));
        }
        messages.push(json!({"role": "user", "content": chat_content(&self.question)}));
        let tools = self.tools().iter().map(|name| {
            let function = json!({"name": name, "description": "Does it.", "parameters": schema()});
            json!({"type": "function", "function": function})
        });
        let mut body = json!({
            "model": self.model,
            "max_tokens": self.limit,
            "messages": messages,
            "tools": tools.collect::<Value>(),
            "parallel_tool_calls": !self.one_call,
            "reasoning_effort": self.effort,
            "stop": self.stop,
        });
        body["tool_choice"] = match self.choice {
            Choice::Named => json!({"type": "function", "function": {"name": TOOLS[0]}}),
            choice => choice.word(),
        };
        if self.format {
            let format = json!({"name": "answer", "schema": schema()});
            body["response_format"] = json!({"type": "json_schema", "json_schema": format});
        }
        body
    }

    fn as_responses(&self) -> Value {
        let mut input = Vec::new();
        let mut ids = 0..;
        for exchange in &self.exchanges {
            input.push(json!({"role": "user", "content": items_content(&exchange.question)}));
            for round in &exchange.rounds {
                if let Some(thoughts) = &round.thoughts {
                    let sealed = responses::tests::sealed(thoughts, "c2ln");
                    input.push(
                        json!({"type": "reasoning", "summary": [], "encrypted_content": sealed}),
                    );
                }
                input.push(json!({"role": "assistant", "content": round.before}));
                let mut outputs = Vec::new();
                for (call, n) in round.calls.iter().zip(&mut ids) {
                    let id = format!("call_{n}");
                    input.push(json!({"type": "function_call", "call_id": id, "name": call.tool, "arguments": arguments(call)}));
                    let output = items_content(&call.found);
                    outputs.push(
                        json!({"type": "function_call_output", "call_id": id, "output": output}),
                    );
                }
                input.extend(outputs);
            }
            input.push(json!({"role": "assistant", "content": exchange.answer}));
        }
        input.push(json!({"role": "user", "content": items_content(&self.question)}));
        let tools = self.tools().iter().map(|name| {
            json!({"type": "function", "name": name, "description": "Does it.", "parameters": schema()})
        });
        let mut body = json!({
            "model": self.model,
            "max_output_tokens": self.limit,
            "instructions": self.system,
            "input": input,
            "tools": tools.collect::<Value>(),
            "parallel_tool_calls": !self.one_call,
            "reasoning": {"effort": self.effort},
        });
        body["tool_choice"] = match self.choice {
            Choice::Named => json!({"type": "function", "name": TOOLS[0]}),
            choice => choice.word(),
        };
        if self.format {
            let format = json!({"type": "json_schema", "name": "answer", "schema": schema()});
            body["text"] = json!({"format": format});
        }
        body
    }

    fn as_messages(&self) -> Value {
        let mut messages = Vec::new();
        let mut ids = 0..;
        for exchange in &self.exchanges {
            messages.push(json!({"role": "user", "content": blocks(&exchange.question)}));
            for round in &exchange.rounds {
                let (mut said, mut results) = (Vec::new(), Vec::new());
                said.extend(round.thoughts.as_ref().map(|thoughts| {
                    json!({"type": "thinking", "thinking": thoughts, "signature": "c2ln"})
                }));
                said.push(json!({"type": "text", "text": round.before}));
                for (call, n) in round.calls.iter().zip(&mut ids) {
                    let id = format!("call_{n}");
                    let input = json!({"q": call.asked});
                    said.push(
                        json!({"type": "tool_use", "id": id, "name": call.tool, "input": input}),
                    );
                    let content = blocks(&call.found);
                    results.push(
                        json!({"type": "tool_result", "tool_use_id": id, "content": content}),
                    );
                }
                messages.push(json!({"role": "assistant", "content": said}));
                messages.push(json!({"role": "user", "content": results}));
            }
            messages.push(json!({"role": "assistant", "content": exchange.answer}));
        }
        messages.push(json!({"role": "user", "content": blocks(&self.question)}));
        let tools = self
            .tools()
            .iter()
            .map(|name| json!({"name": name, "description": "Does it.", "input_schema": schema()}));
        let mut body = json!({
            "model": self.model,
            "max_tokens": self.limit,
            "system": self.system,
            "messages": messages,
            "tools": tools.collect::<Value>(),
            "output_config": {"effort": self.effort},
            "stop_sequences": self.stop,
        });
        let choice = match self.choice {
            Choice::Unsaid if self.one_call => json!({"type": "auto"}),
            Choice::Unsaid => Value::Null,
            Choice::Required => json!({"type": "any"}),
            Choice::Named => json!({"type": "tool", "name": TOOLS[0]}),
            choice => json!({"type": choice.word()}),
        };
        body["tool_choice"] = choice;
        if self.one_call && self.choice != Choice::None {
            body["tool_choice"]["disable_parallel_tool_use"] = json!(true);
        }
        if self.format {
            let format = json!({"type": "json_schema", "schema": schema()});
            body["output_config"]["format"] = format;
        }
        body
    }
}

impl Choice {
    /// OpenAI's word, where it is one.
    fn word(self) -> Value {
        match self {
            Self::Unsaid | Self::Named => Value::Null,
            Self::Auto => json!("auto"),
            Self::None => json!("none"),
            Self::Required => json!("required"),
        }
    }
}

fn texts_of(pieces: &[Piece]) -> Vec<&str> {
    let texts = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(&**text),
        Piece::Image(_) => None,
    });
    texts.collect()
}

fn arguments(call: &Call) -> String {
    json!({"q": call.asked}).to_string()
}

fn media_type(base64: &str) -> &'static str {
    match base64 {
        PNG => "image/png",
        _ => "image/gif",
    }
}

fn data_url(base64: &str) -> String {
    format!("data:{};base64,{base64}", media_type(base64))
}

/// Pieces of content, one text as a string.
fn content(pieces: &[Piece], kind: &str, image: impl Fn(&str) -> Value) -> Value {
    if let [Piece::Text(text)] = pieces {
        return json!(text);
    }
    let parts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => json!({"type": kind, "text": text}),
        Piece::Image(base64) => image(base64),
    });
    parts.collect()
}

fn chat_content(pieces: &[Piece]) -> Value {
    content(
        pieces,
        "text",
        |base64| json!({"type": "image_url", "image_url": {"url": data_url(base64)}}),
    )
}

fn items_content(pieces: &[Piece]) -> Value {
    content(
        pieces,
        "input_text",
        |base64| json!({"type": "input_image", "image_url": data_url(base64)}),
    )
}

fn blocks(pieces: &[Piece]) -> Value {
    content(pieces, "text", |base64| {
        let source = json!({"type": "base64", "media_type": media_type(base64), "data": base64});
        json!({"type": "image", "source": source})
    })
}

/// What becomes of a body.
#[derive(Debug, PartialEq)]
struct Sent {
    /// The body of the request upstream in every wire profile. There is none where nobody says anything.
    bodies: Option<Vec<Value>>,
    /// What is asked of the reply, but for its stop sequences.
    bounds: String,
    /// Whether something is named as ignored.
    is_ignored: bool,
}

proptest! {
    // Each is thirty requests upstream.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn one_conversation_is_the_same_in_every_dialect(told in told(), spellings in any::<[bool; 4]>()) {
        let with_thoughts = [
            sent(&responses::tests::CASES, &told.as_responses(), spellings[0])?.0,
            sent(&messages::tests::CASES, &told.as_messages(), spellings[1])?.0,
        ];
        prop_assert_eq!(&with_thoughts[0], &with_thoughts[1]);

        let told = told.without_thoughts();
        let (chat, chat_stop) = sent(&chat::tests::CASES, &told.as_chat(), spellings[2])?;
        let (responses, _) = sent(&responses::tests::CASES, &told.as_responses(), spellings[3])?;
        let (messages, messages_stop) = sent(&messages::tests::CASES, &told.as_messages(), spellings[0])?;
        prop_assert_eq!(&responses, &chat);
        prop_assert_eq!(&messages, &chat);
        prop_assert_eq!(&chat_stop, &told.stop);
        prop_assert_eq!(&messages_stop, &told.stop);

        for body in chat.bodies.iter().flatten() {
            let body = body.to_string();
            for text in told.texts() {
                let text = json!(text).to_string();
                prop_assert!(body.contains(text.trim_matches('"')), "{} in {}", text, body);
            }
        }
    }
}

/// What becomes of a body, and its stop sequences. It may be written in ASCII alone.
fn sent(cases: &Cases, body: &Value, in_ascii: bool) -> Result<(Sent, Vec<String>), TestCaseError> {
    let body = match in_ascii {
        true => ascii(&body.to_string()),
        false => body.to_string(),
    };
    let accepted = cases.accept(body.into());
    let mut accepted = accepted.map_err(TestCaseError::fail)?;
    let stop = std::mem::take(&mut accepted.bounds.stop);
    let prepared = prepare(&accepted.conversation, &PrepareOptions::new(b"salt"));
    let base = Uri::from_static("https://upstream.test");
    let bodies = WireProfile::ALL.into_iter().map(|profile| {
        let request = build(&prepared, &Target::new(profile, &base, "token")).ok()?;
        Some(serde_json::from_slice(request.body()).unwrap())
    });
    let sent = Sent {
        bodies: bodies.collect(),
        bounds: bounds(&accepted.bounds),
        is_ignored: !accepted.ignored.is_empty(),
    };
    Ok((sent, stop))
}

/// The bounds without the name of the parameter that asked for a format.
fn bounds(bounds: &Bounds) -> String {
    let demand = match &bounds.demand {
        Some(Demand::Json(format)) => format!("{:?}", format.kind),
        other => format!("{other:?}"),
    };
    format!("{:?} {:?} {demand}", bounds.max_tokens, bounds.calls)
}

/// JSON with everything escaped that can be, the last characters as surrogate pairs.
fn ascii(json: &str) -> String {
    let mut out = String::new();
    for char in json.chars() {
        match char.is_ascii() {
            true => out.push(char),
            false => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
