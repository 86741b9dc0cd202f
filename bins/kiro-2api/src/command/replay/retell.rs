//! What the service said, as the simulator says it again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kiro_gateway::capture::{Answer, Attempt, Bundle, Content, Ended, Piece};
use kiro_sim::{Operation, Playback, PlaybackEnd};

/// What stands in place of the value of a header that could be a secret.
pub(super) const MASKED: &str = "***";

/// Why a capture cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// A part was too large for the capture.
    #[error("{0} was too large to be captured as a whole, so the exchange cannot be replayed")]
    Cut(&'static str),
    /// The request did not come as a whole.
    #[error(
        "the body of the request had not come when the exchange ended, so there is nothing to replay"
    )]
    NoBody,
    /// Nobody was told anything.
    #[error("the client left before it was answered, so there is nothing to compare with")]
    NoResponse,
    /// The state of the network or of an account.
    #[error(
        "attempt {0} failed without an answer of the service ({1}), which a simulator cannot do again"
    )]
    NotOfTheService(usize, String),
    /// Not base64.
    #[error("a piece of the capture is damaged")]
    Damaged,
    /// No duration.
    #[error("the setting `timeouts.{0}` of the capture is no time")]
    Setting(&'static str),
}

/// The answers, each with the operation that it answers.
pub(super) fn playbacks(bundle: &Bundle, fast: bool) -> Result<Vec<(Operation, Playback)>, Unfit> {
    let mut playbacks = Vec::new();
    for (n, attempt) in bundle.attempts.iter().enumerate() {
        let operation = match attempt.tool {
            true => Operation::InvokeMcp,
            false => Operation::Generate,
        };
        if let Some(playback) = playback(attempt, n + 1, fast)? {
            playbacks.push((operation, playback));
        }
    }
    Ok(playbacks)
}

/// What the simulator does in this attempt. `None`: it is never asked.
fn playback(attempt: &Attempt, number: usize, fast: bool) -> Result<Option<Playback>, Unfit> {
    let failure = attempt.failure.as_deref().unwrap_or_default();
    let is = |kind: &str| failure.starts_with(kind);
    let Some(answer) = &attempt.answer else {
        let end = match &attempt.request {
            // The gateway finds that again by itself.
            None if is("Unsendable") => return Ok(None),
            Some(_) if is("Broken") => PlaybackEnd::Cut,
            // Its time was up, or its client left.
            Some(_) if is("Silent") || failure.is_empty() => PlaybackEnd::Hang,
            _ => return Err(Unfit::NotOfTheService(number, failure.to_owned())),
        };
        let mut playback = Playback::new(None);
        playback.end = end;
        return Ok(Some(playback));
    };
    if answer.left_out > 0 {
        return Err(Unfit::Cut("an answer of the service"));
    }
    let mut playback = Playback::new(answer.status);
    let headers = answer.head.headers.iter();
    let headers = headers.filter(|(_, value)| value != MASKED);
    playback.headers = headers.cloned().collect();
    playback.end = match answer.ended {
        Ended::Broken => PlaybackEnd::Cut,
        Ended::Left => PlaybackEnd::Hang,
        _ => PlaybackEnd::Complete,
    };
    let pauses = pauses(attempt, answer, fast);
    let (delay, pauses) = pauses.split_first().unwrap_or((&Duration::ZERO, &[]));
    playback.delay = *delay;
    for (pause, piece) in pauses.iter().zip(&answer.pieces) {
        playback.pieces.push((*pause, bytes(piece)?));
    }
    Ok(Some(playback))
}

/// The time before the head, and before each piece.
fn pauses(attempt: &Attempt, answer: &Answer, fast: bool) -> Vec<Duration> {
    let times = [attempt.ms, answer.ms].into_iter();
    let times: Vec<f64> = times
        .chain(answer.pieces.iter().map(|piece| piece.ms))
        .collect();
    let pause = |pair: &[f64]| match fast {
        true => Duration::ZERO,
        // What is less than the tick of a timer is no pause.
        false => Duration::from_millis((pair[1] - pair[0]).max(0.0) as u64),
    };
    times.windows(2).map(pause).collect()
}

/// The bytes of a piece.
pub(super) fn bytes(piece: &Piece) -> Result<Bytes, Unfit> {
    match &piece.content {
        Content::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        Content::Base64(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| Unfit::Damaged)?;
            Ok(bytes.into())
        }
    }
}

/// Whether the head of the answer went downstream before the first event was there.
pub(super) fn lost_patience(bundle: &Bundle) -> bool {
    let head = bundle.response.as_ref().map_or(0.0, |response| response.ms);
    let is_early = bundle
        .outcome
        .first_event_ms
        .is_none_or(|first| head < first);
    bundle.outcome.stream && bundle.outcome.status == Some(200) && is_early
}
