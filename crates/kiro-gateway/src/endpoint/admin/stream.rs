//! The stream of changes: server-sent events, one a second at most, as long as somebody looks.
//!
//! ```text
//! event: change
//! data: {"now": 1763800000, "newest": 17, "cells": [{"ended": 1, …}], "live": [], …}
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::MissedTickBehavior;

use super::snapshot::Change;
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::quota::Asker;
use crate::shared::Shared;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Looks without a change after which a comment says that the line is still there.
const QUIET_LOOKS: u32 = 15;

/// Begins to tell, after all that there is now.
pub(super) fn answer(shared: &Arc<Shared>) -> Result<Response<Body>, Error> {
    let streams = shared.office.streams.clone();
    let place = streams.try_acquire_owned().map_err(|_| {
        let message = "There are as many streams of changes as there may be.";
        Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(LOOK))
    })?;
    let shared = shared.clone();
    let told = async_stream::stream! {
        let _place = place;
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut cell, mut error) = (None, None);
        let mut last: Option<Change> = None;
        let mut quiet = 0;
        while !is_over(&shared) {
            looks.tick().await;
            if let Some(asker) = Asker::of_house(&shared) {
                // What is told next does not wait for the answers.
                drop(asker.begin(false));
            }
            let change = Change::since(&shared, cell, error);
            let (newest, failed) = change.newest();
            (cell, error) = (Some(newest), failed.or(error));
            quiet += 1;
            if last.as_ref().is_none_or(|last| !last.is_like(&change)) {
                quiet = 0;
                // Strings and numbers always serialize.
                let data = serde_json::to_string(&change).unwrap_or_default();
                yield frame(format!("event: change\ndata: {data}\n\n"));
            } else if quiet % QUIET_LOOKS == 0 {
                yield frame(":\n\n".to_owned());
            }
            last = Some(change);
        }
    };
    let mut response = Response::new(StreamBody::new(told).boxed_unsync());
    let fixed = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    Ok(response)
}

/// Nobody is told more once the gateway is about to stop, or its options are others: the key may be, too.
fn is_over(shared: &Shared) -> bool {
    shared.draining.load(Ordering::Relaxed) || shared.superseded.load(Ordering::Relaxed)
}

fn frame(text: String) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(text.into()))
}
