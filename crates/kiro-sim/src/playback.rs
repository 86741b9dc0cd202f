//! Answers as a service once gave them, byte for byte: what was captured of an exchange, given again.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use crate::Segmentation;
use crate::operation::Operation;
use crate::record::Ended;
use crate::service::{Call, Ending, Outcome};
use crate::state::StreamGuard;
use crate::stream::{Action, stream_body};

/// Headers that belong to a connection and not to what it carries.
const OF_THE_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING];

/// An answer as it was once given. See [`Simulator::play_back`](crate::Simulator::play_back).
///
/// ```
/// use std::time::Duration;
/// use kiro_sim::{Playback, PlaybackEnd};
///
/// let mut playback = Playback::new(500);
/// playback.headers.push(("x-amzn-errortype".into(), "InternalServerException".into()));
/// playback.pieces.push((Duration::ZERO, "{}".into()));
/// playback.end = PlaybackEnd::Cut;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Playback {
    /// Pause before the response head.
    pub delay: Duration,
    /// The status. `None`: there is no head, only an end.
    pub status: Option<u16>,
    /// Headers. Those of the connection (`content-length` and its like) are left out.
    pub headers: Vec<(String, String)>,
    /// The body: each piece in a write of its own, after a pause.
    pub pieces: Vec<(Duration, Bytes)>,
    /// What comes after it.
    pub end: PlaybackEnd,
}

/// How a [`Playback`] ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaybackEnd {
    /// The body comes to its end.
    Complete,
    /// The connection is closed.
    Cut,
    /// Nothing more comes, with the connection open.
    Hang,
}

impl Playback {
    /// An answer without a body.
    pub fn new(status: impl Into<Option<u16>>) -> Self {
        Self {
            delay: Duration::ZERO,
            status: status.into(),
            headers: Vec::new(),
            pieces: Vec::new(),
            end: PlaybackEnd::Complete,
        }
    }

    /// The next one for a call. Which hosted tools there are is no use of one.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let is_use = |body: &Value| body["method"] == "tools/call";
        let body = || serde_json::from_slice(&call.body).unwrap_or_default();
        if call.operation == Operation::InvokeMcp && !is_use(&body()) {
            return None;
        }
        call.shared
            .change(|inner| inner.playback_for(call.operation))
    }

    /// Gives the answer to a call.
    pub(crate) async fn perform(self, call: &Call) -> Outcome {
        let mut guard = StreamGuard::open(&call.shared, call.number, "");
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let Some(status) = self.status else {
            if self.end == PlaybackEnd::Hang {
                std::future::pending::<()>().await;
            }
            guard.end(Ended::Broken);
            return Err(Ending::Broken);
        };
        let actions = actions(self.pieces, self.end);
        let body = stream_body(actions, Segmentation::AsWritten, call.line.clone(), guard);
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &self.headers {
            let (Ok(name), Ok(value)) = (name.parse(), HeaderValue::from_str(value)) else {
                continue;
            };
            if !OF_THE_CONNECTION.contains(&name) {
                response.headers_mut().append(name, value);
            }
        }
        Ok(response)
    }
}

fn actions(pieces: Vec<(Duration, Bytes)>, end: PlaybackEnd) -> Vec<Action> {
    let mut actions = Vec::new();
    for (pause, piece) in pieces {
        if !pause.is_zero() {
            actions.push(Action::Wait(pause));
        }
        actions.push(Action::Send(piece));
    }
    match end {
        PlaybackEnd::Complete => {}
        PlaybackEnd::Cut => actions.push(Action::Cut),
        PlaybackEnd::Hang => actions.push(Action::Hang),
    }
    actions
}
