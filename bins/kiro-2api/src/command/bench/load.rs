//! Many requests, some at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressStyle};
use kiro_auth::Secret;
use serde_json::json;
use tokio::task::JoinSet;

use crate::command::Failure;
use crate::reply::{Part, Reply, question};
use crate::service::{Http, http_client};
use crate::setup;

/// What every request is made of.
pub(super) struct Load {
    http: Http,
    request: Request<Bytes>,
}

/// What became of all of them.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answers: Vec<Timing>,
    /// Why the others failed, and how often.
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) took: Duration,
}

/// One good answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Until the first text or thought.
    pub(super) first: Duration,
    pub(super) total: Duration,
    pub(super) tokens: u64,
}

impl Load {
    pub(super) fn new(url: &Uri, key: &Secret, model: &str, prompt: &str) -> Result<Self, Failure> {
        let base = url.to_string();
        let base = base.trim_end_matches('/').trim_end_matches("/v1");
        let body = question(model, &[json!({"role": "user", "content": prompt})]);
        let mut bearer = http::HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
        bearer.set_sensitive(true);
        let request = Request::post(format!("{base}/v1/chat/completions"))
            .header(header::AUTHORIZATION, bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()))?;
        Ok(Self {
            http: http_client(setup::public_tls()),
            request,
        })
    }

    /// Puts it on. With `most`, no request begins after that time.
    pub(super) async fn put(
        self: Arc<Self>,
        requests: u64,
        concurrency: usize,
        most: Option<Duration>,
    ) -> Result<Outcome, Failure> {
        let bar = bar(requests);
        let (begun, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let mut workers = JoinSet::new();
        for _ in 0..concurrency {
            let (load, begun, bar) = (self.clone(), begun.clone(), bar.clone());
            workers.spawn(async move {
                let mut done = Outcome::default();
                while most.is_none_or(|most| started.elapsed() < most)
                    && begun.fetch_add(1, Ordering::Relaxed) < requests
                {
                    done.add(load.ask().await);
                    bar.inc(1);
                }
                done
            });
        }
        let mut outcome = Outcome::default();
        while let Some(done) = workers.join_next().await {
            outcome.take(done?);
        }
        outcome.took = started.elapsed();
        bar.finish_and_clear();
        Ok(outcome)
    }

    async fn ask(&self) -> Result<Timing, String> {
        let asked = Instant::now();
        let request = self.request.clone().map(Full::new);
        let response = self.http.request(request).await;
        let response = response.map_err(|error| match error.is_connect() {
            true => "no connection".to_owned(),
            false => "the connection broke".to_owned(),
        })?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let mut reply = Reply::new(response.into_body());
        let (mut first, mut ended, mut tokens) = (None, false, 0);
        loop {
            match reply.next().await {
                Ok(None) => break,
                Ok(Some(Part::Text(_) | Part::Thought(_))) => {
                    first.get_or_insert_with(|| asked.elapsed());
                }
                Ok(Some(Part::End(_))) => ended = true,
                Ok(Some(Part::Usage(usage))) => tokens = usage.completion_tokens,
                Err(_) => return Err("an error in the stream".to_owned()),
            }
        }
        let total = asked.elapsed();
        match ended {
            true => Ok(Timing {
                first: first.unwrap_or(total),
                total,
                tokens,
            }),
            false => Err("a stream without an end".to_owned()),
        }
    }
}

impl Outcome {
    fn add(&mut self, asked: Result<Timing, String>) {
        match asked {
            Ok(timing) => self.answers.push(timing),
            Err(why) => *self.errors.entry(why).or_default() += 1,
        }
    }

    fn take(&mut self, other: Self) {
        self.answers.extend(other.answers);
        for (why, n) in other.errors {
            *self.errors.entry(why).or_default() += n;
        }
    }
}

/// On a terminal only; elsewhere it draws nothing.
fn bar(requests: u64) -> ProgressBar {
    let bar = ProgressBar::new(requests);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
