//! One question to an OpenAI-compatible server, its answer printed as it streams in.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::command::Failure;
use crate::reply::{Part, Reply, Usage, question};

/// Asks and prints. Ends with a line of figures.
pub(super) async fn stream(base: &str, key: &str, text: &str) -> Result<(), Failure> {
    println!("You      {text}");
    print!("Kiro     ");
    std::io::stdout().flush()?;
    let started = Instant::now();
    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request(base, key, text)?)
        .await?;
    let status = response.status();
    let mut reply = Reply::new(response.into_body());
    let (mut first, mut usage) = (None, None);
    while let Some(part) = reply.next().await? {
        match part {
            Part::Text(text) => {
                first.get_or_insert_with(|| started.elapsed());
                print!("{text}");
                std::io::stdout().flush()?;
            }
            Part::Usage(what) => usage = Some(what),
            Part::Thought(_) | Part::End(_) => {}
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

fn request(base: &str, key: &str, text: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = question(
        "claude-sonnet-4-5",
        &[json!({"role": "user", "content": text})],
    );
    Request::post(format!("{base}/chat/completions"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))
}
