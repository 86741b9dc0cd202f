//! One conversation, told in every dialect, is the same conversation upstream.

use http::Uri;
use kiro_protocol::request::{KRS_IDE, PrepareOptions, Target, build, prepare};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cases::Cases;
use crate::surface::{chat, messages, responses};

/// A conversation in nobody's words.
#[derive(Debug, Clone)]
struct Told {
    system: Option<String>,
    exchanges: Vec<Exchange>,
    question: String,
    has_tools: bool,
}

/// What a user says, and what comes of it.
#[derive(Debug, Clone)]
struct Exchange {
    question: String,
    /// Text before a call, what the tool is asked for, and what it finds.
    call: Option<(String, String, String)>,
    answer: String,
}

fn text() -> impl Strategy<Value = String> {
    "[a-z]{1,4}[ \"\\\\\n\u{2028}é😀a-z]{0,6}[a-z]"
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let call = proptest::option::of((text(), text(), text()));
    (text(), call, text()).prop_map(|(question, call, answer)| Exchange {
        question,
        call,
        answer,
    })
}

fn told() -> impl Strategy<Value = Told> {
    let exchanges = proptest::collection::vec(exchange(), 0..4);
    let system = proptest::option::of(text());
    (system, exchanges, text(), any::<bool>()).prop_map(
        |(system, exchanges, question, has_tools)| {
            let calls = exchanges.iter().any(|exchange| exchange.call.is_some());
            Told {
                system,
                exchanges,
                question,
                has_tools: has_tools || calls,
            }
        },
    )
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]})
}

impl Told {
    /// Everything that is said.
    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![&*self.question];
        texts.extend(self.system.as_deref());
        for exchange in &self.exchanges {
            texts.extend([&*exchange.question, &*exchange.answer]);
            if let Some((before, _, found)) = &exchange.call {
                texts.extend([&**before, &**found]);
            }
        }
        texts
    }

    fn as_chat(&self) -> Value {
        let mut messages = Vec::new();
        messages.extend(said("system", self.system.as_deref()));
        for (n, exchange) in self.exchanges.iter().enumerate() {
            messages.extend(said("user", Some(&exchange.question)));
            if let Some((before, asked, found)) = &exchange.call {
                let id = format!("call_{n}");
                let arguments = json!({"q": asked}).to_string();
                let function = json!({"name": "look_up", "arguments": arguments});
                let call = json!({"id": id, "type": "function", "function": function});
                messages
                    .push(json!({"role": "assistant", "content": before, "tool_calls": [call]}));
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": found}));
            }
            messages.extend(said("assistant", Some(&exchange.answer)));
        }
        messages.extend(said("user", Some(&self.question)));
        let mut body =
            json!({"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": messages});
        if self.has_tools {
            let function =
                json!({"name": "look_up", "description": "Looks up.", "parameters": schema()});
            body["tools"] = json!([{"type": "function", "function": function}]);
        }
        body
    }

    fn as_responses(&self) -> Value {
        let mut input = Vec::new();
        for (n, exchange) in self.exchanges.iter().enumerate() {
            input.extend(said("user", Some(&exchange.question)));
            if let Some((before, asked, found)) = &exchange.call {
                let id = format!("call_{n}");
                let arguments = json!({"q": asked}).to_string();
                input.extend(said("assistant", Some(before)));
                input.push(json!({"type": "function_call", "call_id": id, "name": "look_up", "arguments": arguments}));
                input.push(json!({"type": "function_call_output", "call_id": id, "output": found}));
            }
            input.extend(said("assistant", Some(&exchange.answer)));
        }
        input.extend(said("user", Some(&self.question)));
        let mut body =
            json!({"model": "claude-sonnet-4-5", "max_output_tokens": 1000, "input": input});
        if let Some(system) = &self.system {
            body["instructions"] = json!(system);
        }
        if self.has_tools {
            body["tools"] = json!([{"type": "function", "name": "look_up", "description": "Looks up.", "parameters": schema()}]);
        }
        body
    }

    fn as_messages(&self) -> Value {
        let mut messages = Vec::new();
        for (n, exchange) in self.exchanges.iter().enumerate() {
            messages.extend(said("user", Some(&exchange.question)));
            if let Some((before, asked, found)) = &exchange.call {
                let id = format!("call_{n}");
                let call =
                    json!({"type": "tool_use", "id": id, "name": "look_up", "input": {"q": asked}});
                messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": before}, call]}));
                let result = json!({"type": "tool_result", "tool_use_id": id, "content": found});
                messages.push(json!({"role": "user", "content": [result]}));
            }
            messages.extend(said("assistant", Some(&exchange.answer)));
        }
        messages.extend(said("user", Some(&self.question)));
        let mut body =
            json!({"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": messages});
        if let Some(system) = &self.system {
            body["system"] = json!(system);
        }
        if self.has_tools {
            body["tools"] =
                json!([{"name": "look_up", "description": "Looks up.", "input_schema": schema()}]);
        }
        body
    }
}

fn said(role: &str, text: Option<&str>) -> Option<Value> {
    text.map(|text| json!({"role": role, "content": text}))
}

proptest! {
    #[test]
    fn one_conversation_is_the_same_in_every_dialect(told in told()) {
        let chat = upstream(&chat::tests::CASES, &told.as_chat())?;
        let responses = upstream(&responses::tests::CASES, &told.as_responses())?;
        let messages = upstream(&messages::tests::CASES, &told.as_messages())?;
        prop_assert_eq!(&responses, &chat);
        prop_assert_eq!(&messages, &chat);

        let sent: Value = serde_json::from_str(&chat).unwrap();
        let sent = sent.to_string();
        for text in told.texts() {
            let text = json!(text).to_string();
            prop_assert!(sent.contains(text.trim_matches('"')), "{} in {}", text, sent);
        }
    }
}

/// The body of the request that a body becomes.
fn upstream(cases: &Cases, body: &Value) -> Result<String, TestCaseError> {
    let accepted = cases.accept(body.to_string().into());
    let accepted = accepted.map_err(TestCaseError::fail)?;
    let prepared = prepare(&accepted.conversation, &PrepareOptions::new(b"salt"));
    let base = Uri::from_static("https://upstream.test");
    let request = build(&prepared, &Target::new(&KRS_IDE, &base, "token")).unwrap();
    Ok(String::from_utf8(request.into_body().to_vec()).unwrap())
}
