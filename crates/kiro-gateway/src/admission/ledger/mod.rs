//! Limits that several gateways share, in Redis.
//!
//! ```text
//! {prefix}{limits}:NAME:requests, …:tokens   string      when what was taken of a rate is paid for, in microseconds
//! {prefix}{limits}:NAME:places               sorted set  exchanges under way, and until when they are believed to be
//! {prefix}{limits}:NAME:day:DATE, …:month:…  string      credits
//! {prefix}{limits}:asked:GATEWAY:NUMBER      string      that a question has taken something, which counts once
//! {prefix}{limits}:told:GATEWAY              string      what a gateway has told last, so that it counts once
//! {prefix}{limits}:gateways                  sorted set  gateways, and when each was last heard of
//! {prefix}{limits}:shares                    hash        of each the part of every limit that it may let in alone
//! {prefix}{limits}:open                      string      the part of every limit that those may let in who reach Redis
//! ```
//!
//! A NAME is a hash, so who reads Redis learns how much is used and not by whom. Each step is one script, atomic
//! over all gates of a caller, by the clock of Redis; and everything runs out by itself.
//!
//! A gate's own count is asked first and goes on beside this one: what it refuses need not be asked here. While Redis
//! is away a gateway lets in its share of each limit; see [`roll`].

mod alone;
mod places;
mod question;
mod reach;
mod roll;
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

use self::alone::Alone;
pub(crate) use self::places::Place;
use self::places::Places;
use self::question::Question;
use self::reach::Reach;
use self::roll::Roll;
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
    /// Rates of gates to be corrected, in microseconds.
    corrections: Mutex<HashMap<(GateName, Counted), i64>>,
    roll: Roll,
    alone: Alone,
    /// The beginning of the time in which it is counted what is let in alone.
    started: Instant,
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
    /// `gateways`: how many share it at most, as far as somebody knows.
    pub(super) fn new(server: RedisServer, book: CreditBook, gateways: u64) -> Self {
        Self::with(server, book, LIFE, gateways)
    }

    fn with(server: RedisServer, book: CreditBook, life: Duration, gateways: u64) -> Self {
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
            roll: Roll::new(gateways),
            alone: Alone::default(),
            started: Instant::now(),
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
    /// As [`Gate::request`], and while Redis is away the share of this gateway is used up.
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

    /// Takes the tokens of a prompt from all gates, or from none. Whether they were taken for all gateways: while Redis
    /// is away they are taken of this one's share.
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
            None => question.alone(&self.core).map(|()| false),
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

    /// Tells what an exchange really took, in a moment. Its credits are in the book. Only what was taken for all
    /// gateways is given back to all.
    pub(super) fn settle(&self, gates: &[Arc<Gate>], estimated: u64, real: u64, is_shared: bool) {
        let is_away = self.core.reach.is_away();
        let real = match is_shared && !is_away {
            true => real,
            false => real.max(estimated),
        };
        for gate in gates {
            let Some(rate) = gate.rate(Counted::Tokens).filter(|_| real != estimated) else {
                continue;
            };
            if is_away {
                let now = self.core.now();
                let alone = &self.core.alone;
                alone.correct(gate.name(), Counted::Tokens, estimated, real, now);
            } else {
                // Capped at a year, so it fits.
                let micros = rate.micros(real.abs_diff(estimated)) as i64;
                let more = if real < estimated { -micros } else { micros };
                let mut corrections = self.core.corrections();
                let sum = corrections
                    .entry((gate.name().clone(), Counted::Tokens))
                    .or_default();
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

    /// Nanoseconds since the beginning.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Lets what was let in alone count for all.
    fn end_alone(&self) {
        let owed = self.alone.end(self.now());
        let mut corrections = self.corrections();
        for (of, micros) in owed {
            let sum = corrections.entry(of).or_default();
            *sum = sum.saturating_add(micros);
        }
    }

    fn take_corrections(&self) -> HashMap<(GateName, Counted), i64> {
        std::mem::take(&mut *self.corrections())
    }

    fn has_corrections(&self) -> bool {
        !self.corrections().is_empty()
    }

    fn corrections(&self) -> MutexGuard<'_, HashMap<(GateName, Counted), i64>> {
        // Each change is one of a number, so a panic has left nothing half done.
        let corrections = self.corrections.lock();
        corrections.unwrap_or_else(PoisonError::into_inner)
    }
}
