//! Limits that several gateways share, in Redis.
//!
//! ```text
//! {prefix}{limits}:NAME:requests, …:tokens   string      when what was taken of a rate is paid for, in microseconds
//! {prefix}{limits}:NAME:places               sorted set  exchanges under way, and until when they are believed to be
//! {prefix}{limits}:NAME:day:DATE, …:month:…  string      credits
//! {prefix}{limits}:asked:GATEWAY:NUMBER      string      that a question has taken something, which counts once
//! {prefix}{limits}:told:GATEWAY              string      what a gateway has told last, so that it counts once
//! ```
//!
//! A NAME is a hash, so who reads Redis learns how much is used and not by whom. Each step is one script, atomic
//! over all gates of a caller, by the clock of Redis; and everything runs out by itself.
//!
//! A gate's own count is asked first and goes on beside this one: what it refuses need not be asked here, and it
//! is all there is while Redis is away.

mod places;
mod question;
mod reach;
mod script;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kiro_auth::RedisServer;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use self::places::Place;
use self::places::Places;
use self::question::Question;
use self::reach::Reach;
use self::telling::Telling;
use super::book::{CreditBook, utc};
use super::budget::date;
use super::gate::{Counted, Gate};
use super::name::GateName;
use super::slots::{Full, Slots, Waiting};
use crate::error::Error;

/// The limits of all gateways.
#[derive(Debug)]
pub(crate) struct Ledger {
    core: Arc<Core>,
    /// Whether there is a task that tells. It needs a runtime, so it begins with the first request.
    is_telling: AtomicBool,
}

/// What the task and the places share.
#[derive(Debug)]
struct Core {
    reach: Reach,
    book: CreditBook,
    /// What begins every key.
    prefix: String,
    /// No other gateway has the same.
    process: String,
    /// How long a place is believed in of which nothing is heard.
    life: Duration,
    places: Places,
    count: AtomicU64,
    /// Tokens of gates to be corrected, in microseconds.
    corrections: Mutex<HashMap<GateName, i64>>,
    telling: tokio::sync::Mutex<Telling>,
    /// There is something to tell.
    wake: Notify,
    /// Nobody will have anything to tell.
    end: Notify,
}

/// So long the places of a gateway stay taken that was killed. A third of it outlasts the pauses of a loaded
/// machine.
const LIFE: Duration = Duration::from_secs(15);

impl Ledger {
    /// The ledger in a Redis, whose time-out bounds how long a request waits for it.
    pub(super) fn new(server: RedisServer, book: CreditBook) -> Self {
        Self::with(server, book, LIFE)
    }

    fn with(server: RedisServer, book: CreditBook, life: Duration) -> Self {
        let reach = Reach::new(server);
        let core = Core {
            // In braces, so that a cluster keeps all of it on one node.
            prefix: format!("{}{{limits}}:", reach.prefix()),
            reach,
            book,
            process: uuid::Uuid::new_v4().simple().to_string(),
            life,
            places: Places::default(),
            count: AtomicU64::default(),
            corrections: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            end: Notify::new(),
        };
        Self {
            core: Arc::new(core),
            is_telling: AtomicBool::new(false),
        }
    }

    /// Counts a request at all gates, or at none.
    ///
    /// # Errors
    ///
    /// As [`Gate::request`]. While Redis is away there are none.
    pub(super) async fn enter(&self, gates: &[Arc<Gate>]) -> Result<(), Error> {
        if !self.is_telling.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.core.clone().keep_telling());
        }
        let question = Question::enter(gates, date(utc()));
        if !self.ask(&question).await? {
            self.core.reach.count_unshared();
        }
        Ok(())
    }

    /// Takes the tokens of a prompt from all gates, or from none. Whether they were taken: while Redis is away
    /// they are not.
    ///
    /// # Errors
    ///
    /// As [`Gate::prompt`].
    pub(super) async fn prompt(&self, gates: &[Arc<Gate>], tokens: u64) -> Result<bool, Error> {
        let question = Question::prompt(gates, date(utc()), tokens);
        self.ask(&question).await
    }

    async fn ask(&self, question: &Question<'_>) -> Result<bool, Error> {
        if question.is_empty() {
            return Ok(!self.core.reach.is_away());
        }
        let command = question.script(&self.core).command();
        match self.core.reach.ask(&command).await {
            Some(answer) => question.heed(answer).map(|()| true),
            None => Ok(false),
        }
    }

    /// Waits for a place among the exchanges of all gateways, in the place of the queue that the caller has already,
    /// or one of their own.
    pub(super) async fn hold<'a>(
        &self,
        name: &GateName,
        slots: &'a Slots,
        waiting: Option<Waiting<'a>>,
        deadline: Instant,
    ) -> Result<Place, Full> {
        Place::take(&self.core, name, slots, waiting, deadline).await
    }

    /// Tells what an exchange really took, in a moment. Its credits are in the book.
    pub(super) fn settle(&self, gates: &[Arc<Gate>], estimated: u64, real: u64) {
        // A minute after Redis is back these tokens are paid for, so they are not saved up for it.
        if !self.core.reach.is_away() {
            for gate in gates {
                let Some(rate) = gate.rate(Counted::Tokens).filter(|_| real != estimated) else {
                    continue;
                };
                // Capped at a year, so it fits.
                let micros = rate.micros(real.abs_diff(estimated)) as i64;
                let more = if real < estimated { -micros } else { micros };
                let mut corrections = self.core.corrections();
                let sum = corrections.entry(gate.name().clone()).or_default();
                *sum = sum.saturating_add(more);
            }
        }
        self.core.wake.notify_one();
    }

    /// Waits until all is told, or cannot be.
    pub(crate) async fn settled(&self) {
        self.core.tell().await;
        if !self.core.is_told().await {
            tracing::warn!("credits that were spent could not be told to Redis");
        }
    }

    /// Whether each gateway counts for itself.
    pub(crate) fn is_away(&self) -> bool {
        self.core.reach.is_away()
    }

    /// How many requests this gateway's own limits have let in alone.
    pub(crate) fn unshared(&self) -> u64 {
        self.core.reach.unshared()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.core.end.notify_one();
    }
}

impl Core {
    fn next_number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// What no other gateway calls anything.
    fn name_of(&self, number: u64) -> String {
        format!("{}:{number}", self.process)
    }

    fn places_key(&self, name: &GateName) -> String {
        format!("{}{}:places", self.prefix, name.as_str())
    }

    fn take_corrections(&self) -> HashMap<GateName, i64> {
        std::mem::take(&mut *self.corrections())
    }

    fn has_corrections(&self) -> bool {
        !self.corrections().is_empty()
    }

    fn corrections(&self) -> MutexGuard<'_, HashMap<GateName, i64>> {
        // Each change is one of a number, so a panic has left nothing half done.
        let corrections = self.corrections.lock();
        corrections.unwrap_or_else(PoisonError::into_inner)
    }
}
