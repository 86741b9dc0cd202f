//! A streamed answer of a gateway, as a client of chat completions reads it.

use std::collections::VecDeque;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command::Failure;
use crate::in_process::error_text;

/// An answer that is streaming in.
#[derive(Debug)]
pub(crate) struct Reply<B> {
    body: B,
    lines: Lines,
    parts: VecDeque<Part>,
}

/// What one chunk brings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Thought(String),
    /// `stop`, `length` and so on.
    End(String),
    Usage(Usage),
}

/// What the answer took.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) credits_used: Option<f64>,
}

/// The part of a chunk that is read.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
}

/// The body of a request for a streamed answer.
pub(crate) fn question(model: &str, messages: &[Value]) -> Value {
    json!({
        "model": model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": messages,
    })
}

impl<B> Reply<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    pub(crate) fn new(body: B) -> Self {
        Self {
            body,
            lines: Lines::default(),
            parts: VecDeque::new(),
        }
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    ///
    /// The body breaks, is no stream of chunks, or holds an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Ok(Some(part));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            for line in self.lines.push(&data) {
                if let Some(json) = line.strip_prefix("data: ").filter(|json| *json != "[DONE]") {
                    self.take(serde_json::from_str(json)?)?;
                }
            }
        }
    }

    fn take(&mut self, chunk: Chunk) -> Result<(), Failure> {
        if let Some(error) = chunk.error {
            return Err(error_text(&json!({"error": error})).into());
        }
        for choice in chunk.choices {
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            let thought = said(choice.delta.reasoning_content).map(Part::Thought);
            let text = said(choice.delta.content).map(Part::Text);
            let end = choice.finish_reason.map(Part::End);
            self.parts
                .extend([thought, text, end].into_iter().flatten());
        }
        self.parts.extend(chunk.usage.map(Part::Usage));
        Ok(())
    }
}

/// Whole lines out of segments that are cut anywhere.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, segment: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(segment);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn lines_are_whole_however_they_are_cut() {
        let text = "data: é\n\ndata: x\n".as_bytes();
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut all = lines.push(&text[..cut]);
            all.extend(lines.push(&text[cut..]));
            assert_eq!(all, ["data: é", "", "data: x"]);
        }
    }

    #[tokio::test]
    async fn parts_come_in_their_order_and_an_error_ends_them() {
        let text = concat!(
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
            ": keep-alive\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"Yes\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
            "data: {\"error\":{\"message\":\"it broke\"}}\n\n",
        );
        let (good, bad) = text.split_once("data: {\"error\"").unwrap();
        let mut reply = Reply::new(Full::new(Bytes::from(good)));
        let mut parts = Vec::new();
        while let Some(part) = reply.next().await.unwrap() {
            parts.push(part);
        }
        let usage = Usage {
            prompt_tokens: 1,
            completion_tokens: 2,
            credits_used: None,
        };
        assert_eq!(
            parts,
            [
                Part::Thought("hm".into()),
                Part::Text("Yes".into()),
                Part::End("stop".into()),
                Part::Usage(usage),
            ]
        );
        let bad = format!("data: {{\"error\"{bad}");
        let mut reply = Reply::new(Full::new(Bytes::from(bad)));
        assert_eq!(reply.next().await.unwrap_err().to_string(), "it broke");
    }
}
