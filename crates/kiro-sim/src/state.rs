//! Everything that a running simulator knows, behind one lock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::SimOptions;
use crate::account::Accounts;
use crate::operation::Operation;
use crate::playback::Playback;
use crate::random::Random;
use crate::record::{Ended, Log};
use crate::script::{CurrentTurn, Matcher, Script};
use crate::sign_in::{Flows, SignInFault};
use crate::stream::sign;

/// What a running simulator has counted so far.
///
/// As JSON, the members have the names they have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SimState {
    /// Requests received, sign-in and refusals included, control plane excluded.
    pub requests: u64,
    /// Requests for inference among them.
    pub generate_calls: u64,
    /// Requests that the simulator itself refused.
    pub refusals: u64,
    /// Connections.
    pub connections: Connections,
    /// Replies under way, those included that have sent nothing yet.
    pub open_streams: u64,
    /// Replies whose script came to its end.
    pub completed_streams: u64,
    /// Replies whose script broke the connection.
    pub broken_streams: u64,
    /// Replies whose client went away.
    pub cancelled_streams: u64,
    /// Refreshes of any credential.
    pub refreshes: u64,
}

/// Connections of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Connections {
    /// Connections accepted, ever.
    pub accepted: u64,
    /// Connections open.
    pub open: u64,
    /// TLS handshakes completed, ever.
    pub tls_handshakes: u64,
}

/// A script and the requests that get it.
#[derive(Debug)]
struct Scripted {
    matcher: Matcher,
    script: Script,
    /// Calls that met the conditions, and those among them that got the script.
    met: u64,
    used: u64,
}

/// Shared by the handle, the acceptor and every connection.
pub(crate) struct Shared {
    pub(crate) options: SimOptions,
    pub(crate) started: Instant,
    inner: Mutex<Inner>,
    changed: Notify,
}

/// What is behind the lock.
pub(crate) struct Inner {
    pub(crate) accounts: Accounts,
    pub(crate) flows: Flows,
    pub(crate) faults: VecDeque<SignInFault>,
    pub(crate) log: Log,
    pub(crate) state: SimState,
    pub(crate) random: Random,
    scripts: Vec<Scripted>,
    /// Answers of old, in order.
    playbacks: VecDeque<(Operation, Playback)>,
    /// Thoughts and the signatures that scripts gave them, oldest first.
    signatures: VecDeque<(String, String)>,
    /// Open replies per model.
    per_model: HashMap<String, usize>,
}

/// Signatures of scripts that are remembered. Enough for any test; the bound keeps a long run small.
const MAX_SIGNATURES: usize = 1_000;

impl Shared {
    pub(crate) fn new(options: SimOptions) -> Self {
        let inner = Inner {
            accounts: Accounts::new(options.seed, options.token_lifetime, options.rotation),
            flows: Flows::default(),
            faults: VecDeque::new(),
            log: Log::new(options.remembered_requests, options.remembered_bytes),
            state: SimState::default(),
            // Ids of replies must not shift when one more credential is issued.
            random: Random::new(options.seed ^ 0x5157_4f50_4552_0001),
            scripts: Vec::new(),
            playbacks: VecDeque::new(),
            signatures: VecDeque::new(),
            per_model: HashMap::new(),
        };
        Self {
            options,
            started: Instant::now(),
            inner: Mutex::new(inner),
            changed: Notify::new(),
        }
    }

    /// Looks without waking those who wait for a change.
    pub(crate) fn look(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock is a failed assertion of a test's own predicate; the state is still sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes those who wait for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.look());
        self.changed.notify_waiters();
        result
    }

    /// Waits until the state meets a condition.
    pub(crate) async fn until(&self, mut met: impl FnMut(&Inner) -> bool) {
        loop {
            // Registered before looking, so that no change falls in between.
            let changed = self.changed.notified();
            if met(&self.look()) {
                return;
            }
            changed.await;
        }
    }
}

impl Inner {
    pub(crate) fn add_script(&mut self, matcher: Matcher, script: Script) {
        self.scripts.push(Scripted {
            matcher,
            script,
            met: 0,
            used: 0,
        });
    }

    pub(crate) fn clear_scripts(&mut self) {
        self.scripts.clear();
    }

    /// The first script, in the order of adding, whose matcher takes the turn.
    pub(crate) fn script_for(&mut self, turn: &CurrentTurn<'_>) -> Option<Script> {
        let mut chosen = None;
        for scripted in &mut self.scripts {
            if !scripted.matcher.fits(turn) {
                continue;
            }
            scripted.met += 1;
            if chosen.is_none() && scripted.matcher.takes(scripted.met, scripted.used) {
                scripted.used += 1;
                chosen = Some(scripted.script.clone());
            }
        }
        chosen
    }

    pub(crate) fn add_playback(&mut self, operation: Operation, playback: Playback) {
        self.playbacks.push_back((operation, playback));
    }

    /// Takes the next answer of old to a call of this operation.
    pub(crate) fn playback_for(&mut self, operation: Operation) -> Option<Playback> {
        let mut waiting = self.playbacks.iter();
        let next = waiting.position(|(of, _)| *of == operation)?;
        self.playbacks.remove(next).map(|(_, playback)| playback)
    }

    pub(crate) fn remember_signatures(&mut self, signed: Vec<(String, String)>) {
        self.signatures.extend(signed);
        let surplus = self.signatures.len().saturating_sub(MAX_SIGNATURES);
        self.signatures.drain(..surplus);
    }

    /// Whether this text was given with this signature.
    pub(crate) fn has_signed(&self, text: &str, signature: &str) -> bool {
        let given = |(thoughts, own): &(String, String)| thoughts == text && own == signature;
        signature == sign(text) || self.signatures.iter().any(given)
    }

    pub(crate) fn open_streams_of(&self, model: &str) -> usize {
        self.per_model.get(model).copied().unwrap_or_default()
    }
}

/// Counts a reply as open until it ends; one that is dropped before has been cancelled.
pub(crate) struct StreamGuard {
    shared: Arc<Shared>,
    number: u64,
    model: String,
    ended: bool,
}

impl StreamGuard {
    pub(crate) fn open(shared: &Arc<Shared>, number: u64, model: &str) -> Self {
        shared.change(|inner| {
            inner.state.open_streams += 1;
            *inner.per_model.entry(model.to_owned()).or_default() += 1;
        });
        Self {
            shared: Arc::clone(shared),
            number,
            model: model.to_owned(),
            ended: false,
        }
    }

    /// Says how the reply ended; only the first time counts.
    pub(crate) fn end(&mut self, how: Ended) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.shared.change(|inner| {
            let state = &mut inner.state;
            state.open_streams -= 1;
            match how {
                Ended::Completed => state.completed_streams += 1,
                Ended::Broken => state.broken_streams += 1,
                Ended::Cancelled => state.cancelled_streams += 1,
            }
            if let Some(open) = inner.per_model.get_mut(&self.model) {
                *open -= 1;
            }
            if let Some(recorded) = inner.log.get_mut(self.number) {
                recorded.ended = Some(how);
            }
        });
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.end(Ended::Cancelled);
    }
}
