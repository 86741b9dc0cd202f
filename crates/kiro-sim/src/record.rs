//! What a simulator remembers of the requests it received.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use kiro_protocol::Generation;
use serde::Serialize;
use serde_json::Value;

use crate::account::AccountId;
use crate::operation::Operation;

/// One request as it came in, and what became of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// Its number, from 1, in the order of arrival.
    pub number: u64,
    /// Time since the simulator started.
    pub at: Duration,
    /// The connection it came on, numbered from 1.
    pub connection: u64,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The headers; `authorization` prints as `Sensitive`.
    pub headers: HeaderMap,
    /// The body as received.
    pub body: Bytes,
    /// The operation that was called.
    pub operation: Operation,
    /// The spelling of the operation, for the service's API.
    pub generation: Option<Generation>,
    /// The `x-amz-target` header.
    pub target: Option<String>,
    /// Whose token it carried, when the token was good.
    pub account: Option<AccountId>,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// Why the simulator itself refused it. A scripted error is no refusal.
    pub refusal: Option<Refused>,
    /// How its stream ended, once it has.
    pub ended: Option<Ended>,
}

impl Recorded {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value, when it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why the simulator refused a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Refused {
    /// The rule that was broken, as in the table of [`validate`](crate::validate), or a row of the service's
    /// error table.
    pub rule: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The machine-readable reason of the answer, where it has one.
    pub reason: Option<String>,
    /// The message of the answer.
    pub message: String,
    /// What exactly was wrong. The answer does not tell.
    pub detail: String,
}

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ended {
    /// The script came to its end.
    Completed,
    /// The script broke the connection.
    Broken,
    /// The client went away.
    Cancelled,
}

/// The newest requests, within limits on number and bytes.
#[derive(Debug)]
pub(crate) struct Log {
    kept: VecDeque<Recorded>,
    bytes: usize,
    total: u64,
    max_kept: usize,
    max_bytes: usize,
}

impl Log {
    pub(crate) fn new(max_kept: usize, max_bytes: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
            total: 0,
            max_kept,
            max_bytes,
        }
    }

    /// Adds a request and gives it its number.
    pub(crate) fn push(&mut self, mut recorded: Recorded) -> u64 {
        self.total += 1;
        recorded.number = self.total;
        self.bytes += recorded.body.len();
        self.kept.push_back(recorded);
        // The newest request is kept whatever its size.
        while self.kept.len() > 1
            && (self.kept.len() > self.max_kept || self.bytes > self.max_bytes)
        {
            if let Some(oldest) = self.kept.pop_front() {
                self.bytes -= oldest.body.len();
            }
        }
        self.total
    }

    /// The request of a number, while it is remembered.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Recorded> {
        let first = self.kept.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.kept.get_mut(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Recorded> {
        self.kept.iter()
    }

    /// Forgets everything but the numbering.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }
}
