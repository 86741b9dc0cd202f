//! What was recorded of an exchange, and the one way to read it.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, request};
use kiro_auth::AccessToken;

use super::bundle::{
    self, Answer, Asked, Attempt, Bundle, Caller, Content, Ended, FORMAT, Fault, Head, Outcome,
    Piece, Response, Settings, Version,
};
use super::heads::{Whose, shown};
use super::memory::Share;
use super::pieces::Pieces;
use super::secrets::Secrets;
use super::{Which, frames};
use crate::error::ErrorKind;

/// An exchange that has ended. It tells nothing but by [`redact`](Self::redact).
pub struct Recorded {
    recording: Recording,
    settings: Settings,
}

/// What is kept of an exchange.
#[derive(Default)]
pub(super) struct Recording {
    pub(super) share: Share,
    pub(super) at: Option<SystemTime>,
    pub(super) id: String,
    /// `None` until it is known that the key is right: strangers leave nothing behind.
    pub(super) caller: Option<Caller>,
    /// Keys and credentials that the caller has sent.
    pub(super) sent_keys: Vec<String>,
    /// The tokens of the attempts.
    pub(super) tokens: Vec<AccessToken>,
    pub(super) request: Option<request::Parts>,
    pub(super) body: Option<Pieces>,
    pub(super) attempts: Vec<Tried>,
    pub(super) response: Option<Got>,
    pub(super) error: Option<(ErrorKind, Fault)>,
    pub(super) outcome: Outcome,
}

/// One attempt.
pub(super) struct Tried {
    pub(super) at: Duration,
    pub(super) profile: String,
    pub(super) tool: bool,
    pub(super) request: Option<request::Parts>,
    /// `None` when it is that of the attempt before.
    pub(super) body: Option<Pieces>,
    pub(super) answer: Option<Got>,
    pub(super) failure: Option<String>,
}

/// A response, of the service or of ours.
pub(super) struct Got {
    pub(super) at: Duration,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) pieces: Pieces,
    pub(super) ended: Ended,
}

impl Got {
    pub(super) fn new(at: Duration, status: StatusCode, headers: &HeaderMap) -> Self {
        Self {
            at,
            status,
            headers: headers.clone(),
            pieces: Pieces::default(),
            ended: Ended::Left,
        }
    }
}

impl Recording {
    pub(super) fn is_wanted(&self, which: Which) -> bool {
        if self.caller.is_none() {
            return false;
        }
        let is_refused = |got: &Got| got.status.as_u16() >= 400;
        let failed = self.error.is_some() || self.response.as_ref().is_some_and(is_refused);
        match which {
            Which::All => true,
            Which::Errors => failed && !self.is_over_a_limit(),
        }
    }

    /// Whether the gateway refused it for a limit of its own.
    fn is_over_a_limit(&self) -> bool {
        let is_limit = |(kind, _): &(ErrorKind, Fault)| {
            matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded)
        };
        self.attempts.is_empty() && self.error.as_ref().is_some_and(is_limit)
    }

    /// All secrets that are known here.
    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for sent in &self.sent_keys {
            secrets.add(sent);
        }
        for token in &self.tokens {
            for secret in token.secrets() {
                secrets.add(secret.expose());
            }
            // The number of the account and the name of the profile; the rest of an ARN is no secret.
            let arn = token.profile_arn().unwrap_or_default();
            for part in arn.split([':', '/']).skip(4) {
                secrets.add(part);
            }
        }
        secrets
    }

    /// The body of the attempt, which may be that of one before.
    fn body_before(&self, n: usize) -> Option<&Pieces> {
        let before = self.attempts.get(..n).unwrap_or_default();
        before.iter().rev().find_map(|tried| tried.body.as_ref())
    }

    /// Whether an attempt sends what the last one sent.
    pub(super) fn sends_again(&self, n: usize, body: &[u8]) -> bool {
        let is_same = |before: &Pieces| before.left_out == 0 && before.bytes == body;
        self.body_before(n).is_some_and(is_same)
    }
}

impl Recorded {
    pub(super) fn new(recording: Recording, settings: Settings) -> Self {
        Self {
            recording,
            settings,
        }
    }

    /// The bundle, without secrets. Takes a moment for a long exchange: do it where nobody waits.
    pub fn redact(self) -> Bundle {
        let secrets = self.recording.secrets();
        let Recording {
            at,
            id,
            caller,
            request,
            body,
            attempts,
            response,
            error,
            mut outcome,
            ..
        } = self.recording;
        outcome.error = error.map(|(_, fault)| Fault {
            message: secrets.mask_text(&fault.message),
            ..fault
        });
        let attempts = attempts.into_iter();
        Bundle {
            kiro_capture: FORMAT,
            gateway: Version {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                os: std::env::consts::OS.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
            },
            id: secrets.mask_text(&id),
            at: time(at),
            caller: caller.unwrap_or_else(|| Caller {
                key: String::new(),
                guest: false,
            }),
            settings: self.settings,
            request: asked(request, body, &secrets),
            attempts: attempts.map(|tried| tried.redact(&secrets)).collect(),
            response: response.map(|got| Response::from(told(got, Whose::Ours, &secrets))),
            outcome,
        }
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}

impl Tried {
    fn redact(self, secrets: &Secrets) -> Attempt {
        let request = self.request.map(|head| Asked {
            method: head.method.to_string(),
            url: secrets.mask_text(&without_query(&head.uri)),
            head: Head {
                headers: shown(&head.headers, Whose::Service, secrets),
            },
            body: self.body.map(|body| whole(body, secrets)),
        });
        Attempt {
            ms: ms(self.at),
            profile: self.profile,
            tool: self.tool,
            request,
            answer: self.answer.map(|got| told(got, Whose::Service, secrets)),
            failure: self.failure.map(|failure| secrets.mask_text(&failure)),
        }
    }
}

fn asked(head: Option<request::Parts>, body: Option<Pieces>, secrets: &Secrets) -> bundle::Request {
    let head = head.unwrap_or_else(|| http::Request::new(()).into_parts().0);
    bundle::Request {
        method: head.method.to_string(),
        path: secrets.mask_text(head.uri.path()),
        http: format!("{:?}", head.version),
        head: Head {
            headers: shown(&head.headers, Whose::Client, secrets),
        },
        body: body.map(|body| whole(body, secrets)),
    }
}

fn without_query(uri: &http::Uri) -> String {
    let text = uri.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

fn told(mut got: Got, whose: Whose, secrets: &Secrets) -> Answer {
    let before = got.pieces.bytes.clone();
    if got.pieces.left_out > 0 {
        Secrets::mask_cut(&mut got.pieces.bytes);
    }
    secrets.mask_stream(&mut got.pieces.bytes);
    frames::seal(&before, &mut got.pieces.bytes);
    let pieces = got.pieces.iter().map(|(at, bytes)| Piece {
        ms: ms(at),
        content: content(bytes),
    });
    Answer {
        ms: ms(got.at),
        status: got.status.as_u16(),
        pieces: pieces.collect(),
        head: Head {
            headers: shown(&got.headers, whose, secrets),
        },
        ended: got.ended,
        left_out: got.pieces.left_out,
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        Self {
            ms: answer.ms,
            status: answer.status,
            head: answer.head,
            pieces: answer.pieces,
            ended: answer.ended,
            left_out: answer.left_out,
        }
    }
}

fn whole(mut pieces: Pieces, secrets: &Secrets) -> bundle::Body {
    if pieces.left_out > 0 {
        Secrets::mask_cut(&mut pieces.bytes);
    }
    secrets.mask(&mut pieces.bytes);
    bundle::Body {
        content: content(&pieces.bytes),
        left_out: pieces.left_out,
    }
}

fn content(bytes: &[u8]) -> Content {
    // What was cut within a character is still bytes. Frames may happen to be text, and are for no reader.
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Content::Text(text.to_owned()),
        _ => Content::Base64(STANDARD.encode(bytes)),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn time(at: Option<SystemTime>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::try_from(at).ok());
    let at = at.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}
