//! What one exchange leaves while it runs: each place that knows something says it here in one line.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::BodyExt as _;
use kiro_auth::AccessToken;
use tokio::time::Instant;

use super::CaptureOptions;
use super::bundle::{Caller, Ended, Fault, Outcome, Settings};
use super::memory::Memory;
use super::pieces::Pieces;
use super::recorded::{Got, Recorded, Recording, Tried};
use super::sent::Noted;
use crate::body::Body;
use crate::error::Error;
use crate::tenant::Tenant;

/// What is captured, if anything is.
#[derive(Debug)]
pub(crate) struct Capture(Option<Arc<On>>);

#[derive(Debug)]
struct On {
    options: CaptureOptions,
    settings: Settings,
    memory: Arc<Memory>,
}

/// The tape of one exchange, or nothing. Cheap to clone; when the last clone is gone, the exchange has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape(Option<Arc<Running>>);

/// One attempt on a tape, or nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Take(Option<(Arc<Running>, usize)>);

/// An exchange under way.
struct Running {
    on: Arc<On>,
    started: Instant,
    recording: Mutex<Recording>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Capture {
    /// `settings` are what the options of the gateway say.
    pub(crate) fn new(options: Option<CaptureOptions>, settings: Settings) -> Self {
        Self(options.map(|options| {
            let memory = Memory::new(options.max_memory);
            Arc::new(On {
                options,
                settings,
                memory,
            })
        }))
    }

    /// A tape for a request that has just come.
    pub(crate) fn begin(&self) -> Tape {
        Tape(self.0.as_ref().map(|on| Arc::new(Running::new(on))))
    }
}

impl Running {
    fn new(on: &Arc<On>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a time stamp for people, not a decision"
        )]
        let at = SystemTime::now();
        let recording = Recording {
            share: on.memory.share(on.options.max_exchange),
            at: Some(at),
            ..Recording::default()
        };
        Self {
            on: on.clone(),
            started: Instant::now(),
            recording: Mutex::new(recording),
        }
    }

    /// What a panic under the lock has left half done is a note that is missing.
    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Adds to a body.
    fn push(&self, bytes: &[u8], body: impl FnOnce(&mut Recording) -> Option<&mut Pieces>) {
        let (at, most) = (self.elapsed(), self.on.options.max_body);
        let mut recording = self.lock();
        let mut share = std::mem::take(&mut recording.share);
        if let Some(pieces) = body(&mut recording) {
            pieces.push(at, bytes, most, &mut share);
        }
        recording.share = share;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let recording = std::mem::take(&mut *self.lock());
        if recording.is_wanted(self.on.options.which) {
            (self.on.options.sink)(Recorded::new(recording, self.on.settings.clone()));
        }
    }
}

impl Tape {
    /// The head of the request.
    pub(crate) fn asked<B>(&self, id: &str, request: &Request<B>) {
        if let Some(running) = &self.0 {
            let mut recording = running.lock();
            id.clone_into(&mut recording.id);
            recording.request = Some(head(request));
        }
    }

    /// Who asks is known; `sent` are their keys and what stands behind them.
    pub(crate) fn admitted(&self, tenant: &Tenant, sent: impl FnOnce() -> Vec<String>) {
        if let Some(running) = &self.0 {
            let mut recording = running.lock();
            recording.sent_keys = sent();
            recording.caller = Some(Caller {
                key: tenant.key.to_string(),
                guest: !tenant.is_house(),
            });
        }
    }

    /// The body of the request, decompressed.
    pub(crate) fn received(&self, body: &[u8]) {
        if let Some(running) = &self.0 {
            running.push(body, |recording| {
                Some(recording.body.get_or_insert_default())
            });
        }
    }

    /// An attempt begins, of a hosted tool or of a reply.
    pub(crate) fn attempt(&self, profile: &str, tool: bool) -> Take {
        Take(self.0.as_ref().map(|running| {
            let mut recording = running.lock();
            recording.attempts.push(Tried {
                at: running.elapsed(),
                profile: profile.to_owned(),
                tool,
                request: None,
                body: None,
                answer: None,
                failure: None,
            });
            (running.clone(), recording.attempts.len() - 1)
        }))
    }

    /// What the downstream is told went wrong.
    pub(crate) fn failed(&self, error: &Error) {
        if let Some(running) = &self.0 {
            let fault = Fault {
                kind: format!("{:?}", error.kind()),
                message: error.for_log(),
            };
            running.lock().error = Some((error.kind(), fault));
        }
    }

    /// What the log says of the exchange.
    pub(crate) fn ended(&self, outcome: impl FnOnce() -> Outcome) {
        if let Some(running) = &self.0 {
            running.lock().outcome = outcome();
        }
    }

    /// Takes note of a response while it is sent.
    pub(crate) fn noting(self, response: Response<Body>) -> Response<Body> {
        let Some(running) = &self.0 else {
            return response;
        };
        let got = Got::new(running.elapsed(), response.status(), response.headers());
        let mut recording = running.lock();
        if recording.caller.is_none() {
            // Nothing of strangers is captured, and nothing of theirs takes the memory for it.
            return response;
        }
        recording.response = Some(got);
        drop(recording);
        response.map(|body| Noted::new(body, self).boxed_unsync())
    }

    pub(super) fn sent(&self, data: &[u8]) {
        if let Some(running) = &self.0 {
            running.push(data, |recording| {
                Some(&mut recording.response.as_mut()?.pieces)
            });
        }
    }

    pub(super) fn response_ended(&self) {
        if let Some(running) = &self.0
            && let Some(response) = &mut running.lock().response
        {
            response.ended = Ended::Complete;
        }
    }
}

impl Take {
    /// The request goes out, with this token.
    pub(crate) fn send(&self, request: &Request<Bytes>, token: &AccessToken) {
        let Some((running, n)) = &self.0 else { return };
        let mut recording = running.lock();
        let is_known = |known: &AccessToken| known.secret() == token.secret();
        if !recording.tokens.iter().any(is_known) {
            recording.tokens.push(token.clone());
        }
        recording.attempts[*n].request = Some(head(request));
        let is_again = recording.sends_again(*n, request.body());
        drop(recording);
        if !is_again {
            running.push(request.body(), |recording| {
                Some(recording.attempts[*n].body.get_or_insert_default())
            });
        }
    }

    /// The head of the answer is there.
    pub(crate) fn head<B>(&self, response: &Response<B>) {
        if let Some((running, n)) = &self.0 {
            let got = Got::new(running.elapsed(), response.status(), response.headers());
            running.lock().attempts[*n].answer = Some(got);
        }
    }

    /// A piece of the answer's body has come.
    pub(crate) fn segment(&self, segment: &[u8]) {
        if let Some((running, n)) = &self.0 {
            running.push(segment, |recording| {
                Some(&mut recording.attempts[*n].answer.as_mut()?.pieces)
            });
        }
    }

    /// The answer's body has ended.
    pub(crate) fn end(&self, how: Ended) {
        if let Some((running, n)) = &self.0
            && let Some(answer) = &mut running.lock().attempts[*n].answer
        {
            answer.ended = how;
        }
    }

    /// The attempt failed before its first event.
    pub(crate) fn failed(&self, failure: &dyn fmt::Debug) {
        if let Some((running, n)) = &self.0 {
            running.lock().attempts[*n].failure = Some(format!("{failure:?}"));
        }
    }
}

/// A head without what may be in the extensions of its request.
fn head<B>(request: &Request<B>) -> request::Parts {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy.into_parts().0
}
