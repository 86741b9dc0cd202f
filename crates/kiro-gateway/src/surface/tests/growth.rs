//! What converting a request allocates grows with the request and not faster, in every dialect: agents resend all of
//! their conversation and all of their tools with every step.

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use kiro_protocol::request::{KRS_IDE, PrepareOptions, Target, build, prepare};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SURFACES;
use super::cases::Cases;

/// A conversation by its size.
#[derive(Debug, Clone, Copy)]
struct Size {
    rounds: usize,
    tools: usize,
    /// Bytes of each text.
    text: usize,
}

impl Size {
    fn doubled(self) -> Self {
        Self {
            rounds: 2 * self.rounds,
            tools: 2 * self.tools,
            ..self
        }
    }

    fn text(self, number: usize) -> String {
        format!("{number} {}", "a \"word\"\n".repeat(self.text / 9))
    }

    /// Question and answer in turn, and a last question.
    fn turns(self) -> impl Iterator<Item = (&'static str, String)> {
        let turns = (0..2 * self.rounds).map(move |n| (["user", "assistant"][n % 2], self.text(n)));
        turns.chain([("user", "And now?".to_owned())])
    }

    fn tools(self, tool: fn(&str, Value) -> Value) -> Vec<Value> {
        let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
        let names = (0..self.tools).map(|number| format!("tool_{number}"));
        names.map(|name| tool(&name, schema.clone())).collect()
    }

    fn chat(self) -> Value {
        let turns = self
            .turns()
            .map(|(role, text)| json!({"role": role, "content": text}));
        let tools = self.tools(|name, schema| {
            json!({"type": "function", "function": {"name": name, "parameters": schema}})
        });
        json!({"model": "claude-sonnet-4-5", "messages": turns.collect::<Vec<_>>(), "tools": tools})
    }

    fn responses(self) -> Value {
        let turns = self
            .turns()
            .map(|(role, text)| json!({"role": role, "content": text}));
        let tools = self
            .tools(|name, schema| json!({"type": "function", "name": name, "parameters": schema}));
        json!({"model": "claude-sonnet-4-5", "input": turns.collect::<Vec<_>>(), "tools": tools})
    }

    fn messages(self) -> Value {
        let turns = self
            .turns()
            .map(|(role, text)| json!({"role": role, "content": text}));
        let tools = self.tools(|name, schema| json!({"name": name, "input_schema": schema}));
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 100,
            "messages": turns.collect::<Vec<_>>(), "tools": tools,
        })
    }
}

/// From the body of a request to that of the one that goes upstream.
fn convert(cases: &Cases, body: &Bytes) -> AllocationInfo {
    let base = "https://service.invalid".parse().unwrap();
    measure(|| {
        let accepted = cases.accept(body.clone()).unwrap();
        let prepared = prepare(&accepted.conversation, &PrepareOptions::default());
        let target = Target::new(&KRS_IDE, &base, "token");
        let request = build(&prepared, &target).unwrap();
        assert!(request.body().len() > body.len() / 2);
    })
}

proptest! {
    // Each is six conversions of up to a megabyte.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 8))]

    #[test]
    fn twice_the_request_is_at_most_twice_the_allocations(
        rounds in 1..60usize, tools in 0..30usize, text in 0..2000usize,
    ) {
        let size = Size { rounds, tools, text };
        for cases in SURFACES {
            let body = match cases.surface.name() {
                "chat" => Size::chat,
                "responses" => Size::responses,
                "messages" => Size::messages,
                other => panic!("{other} has no request that grows"),
            };
            let once = Bytes::from(body(size).to_string());
            let twice = Bytes::from(body(size.doubled()).to_string());
            // What is made once in a process is made before anything is counted.
            convert(cases, &once);
            let (once_info, twice_info) = (convert(cases, &once), convert(cases, &twice));
            // A buffer that doubles may have just done so.
            let most = |once: u64, slack: u64| 2 * once + slack;
            let (count, bytes) = (twice_info.count_total, twice_info.bytes_total);
            prop_assert!(
                count <= most(once_info.count_total, 64),
                "{} allocations after {}: {size:?} of {}", count, once_info.count_total, cases.folder
            );
            let slack = once_info.bytes_total + 16 * 1024;
            prop_assert!(
                bytes <= most(once_info.bytes_total, slack),
                "{} bytes after {}: {size:?} of {}", bytes, once_info.bytes_total, cases.folder
            );
        }
    }
}
