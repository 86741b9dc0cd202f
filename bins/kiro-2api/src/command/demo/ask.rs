//! One question to an OpenAI-compatible server, its answer printed as it streams in.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::command::Failure;

/// The part of a chunk that is printed.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Asks and prints. Ends with a line of figures.
pub(super) async fn stream(base: &str, key: &str, question: &str) -> Result<(), Failure> {
    println!("You      {question}");
    print!("Kiro     ");
    std::io::stdout().flush()?;
    let started = Instant::now();
    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request(base, key, question)?)
        .await?;
    let status = response.status();
    let mut body = response.into_body();
    let mut lines = Lines::default();
    let (mut first, mut usage) = (None, None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        for line in lines.push(&data) {
            let Some(json) = line.strip_prefix("data: ").filter(|json| *json != "[DONE]") else {
                continue;
            };
            let chunk: Chunk = serde_json::from_str(json)?;
            if let Some(error) = chunk.error {
                return Err(format!("the gateway answered with an error: {error}").into());
            }
            let texts = chunk
                .choices
                .iter()
                .filter_map(|choice| choice.delta.content.as_deref());
            for text in texts.filter(|text| !text.is_empty()) {
                first.get_or_insert_with(|| started.elapsed());
                print!("{text}");
                std::io::stdout().flush()?;
            }
            usage = chunk.usage.or(usage);
        }
    }
    println!("\n");
    if !status.is_success() {
        return Err(format!("the gateway answered with {status}").into());
    }
    print_figures(first, usage, started.elapsed());
    Ok(())
}

fn print_figures(first: Option<Duration>, usage: Option<Usage>, total: Duration) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let first = first.map_or("no text".into(), |first| {
        format!("first token after {:.1} ms", milliseconds(first))
    });
    let tokens = usage.map_or(String::new(), |usage| {
        format!(
            ", {} tokens in and {} out",
            usage.prompt_tokens, usage.completion_tokens
        )
    });
    println!("({first}{tokens}, {:.1} ms in all)\n", milliseconds(total));
}

fn request(base: &str, key: &str, question: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = serde_json::json!({
        "model": "claude-sonnet-4-5",
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": question}],
    });
    Request::post(format!("{base}/chat/completions"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))
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
}
