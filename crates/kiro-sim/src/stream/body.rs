//! The HTTP body that performs a plan.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::time::{Instant, sleep, sleep_until};

use super::line::Line;
use super::plan::Action;
use crate::Segmentation;
use crate::record::Ended;
use crate::state::StreamGuard;

/// The body of every response.
pub(crate) type SimBody = UnsyncBoxBody<Bytes, Broken>;

/// A script has broken the connection on purpose.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script breaks the connection here")
    }
}

impl std::error::Error for Broken {}

/// A body of one piece.
pub(crate) fn whole_body(bytes: impl Into<Bytes>) -> SimBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that performs actions, one after another, whenever the connection asks for more.
///
/// Nothing is spawned: when the client leaves, hyper drops the body, and the guard notices.
pub(crate) fn stream_body(
    actions: Vec<Action>,
    segmentation: Segmentation,
    line: Arc<Line>,
    mut guard: StreamGuard,
) -> SimBody {
    let actions = match segmentation {
        Segmentation::AsWritten => actions,
        Segmentation::Bytes(_) => joined(actions),
    };
    let stream = async_stream::stream! {
        for action in actions {
            match action {
                Action::Send(mut bytes) => match segmentation {
                    Segmentation::AsWritten => yield Ok(Frame::data(bytes)),
                    Segmentation::Bytes(size) => while !bytes.is_empty() {
                        let piece = bytes.split_to(size.clamp(1, bytes.len()));
                        yield Ok(Frame::data(piece));
                        line.flushed().await;
                    },
                },
                Action::Repeat { bytes, times, pause } => {
                    let mut due = Instant::now();
                    for _ in 0..times {
                        yield Ok(Frame::data(bytes.clone()));
                        if let Some(pause) = pause {
                            due += pause;
                            sleep_until(due).await;
                        }
                    }
                }
                Action::Wait(pause) => sleep(pause).await,
                Action::Hang => std::future::pending().await,
                Action::Cut => {
                    line.flushed().await;
                    guard.end(Ended::Broken);
                    yield Err(Broken);
                }
                Action::Reset => {
                    line.flushed().await;
                    line.reset_on_close();
                    guard.end(Ended::Broken);
                    yield Err(Broken);
                }
            }
        }
        guard.end(Ended::Completed);
    };
    BodyExt::boxed_unsync(StreamBody::new(stream))
}

/// Joins neighbouring sends, so that segments can cross frames.
fn joined(actions: Vec<Action>) -> Vec<Action> {
    let mut out = Vec::new();
    let mut open = BytesMut::new();
    for action in actions {
        match action {
            Action::Send(bytes) => open.extend_from_slice(&bytes),
            other => {
                if !open.is_empty() {
                    out.push(Action::Send(open.split().freeze()));
                }
                out.push(other);
            }
        }
    }
    if !open.is_empty() {
        out.push(Action::Send(open.freeze()));
    }
    out
}
