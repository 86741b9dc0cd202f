//! What an operator sees of the gateway while it works: who is being served, what was counted within the last
//! hour, and what went wrong. Bounded, in memory, and without a word of what anybody said.
//!
//! An exchange takes the lock five times: when it begins, when it is known who asks and what for, when its first event
//! comes, and when it ends.

mod remedy;
mod series;
mod sighting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::error::ErrorKind;
use crate::tenant::Tenant;

pub(crate) use remedy::remedy;
use series::Addition;
pub(crate) use series::{Cell, Series};
pub(crate) use sighting::Sighting;

/// The whole is counted in cells of ten seconds, for an hour: 360 of them, about 50 kB.
const WHOLE: (usize, u64) = (360, 10);

/// Models and tenants are counted in cells of a minute, for an hour; about 8 kB for each.
const EACH: (usize, u64) = (60, 60);

/// Models and tenants that are counted apart; what comes after them is counted as [`OTHER`].
pub(crate) const MAX_EACH: usize = 100;

/// The name of all that are too many.
pub(crate) const OTHER: &str = "other";

/// Errors that are remembered.
const MAX_FAILURES: usize = 100;

/// What is seen of the gateway. It outlives a reload.
#[derive(Debug)]
pub(crate) struct Observation {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    live: BTreeMap<u64, Live>,
    whole: Series,
    models: Each,
    tenants: Each,
    failures: VecDeque<Failure>,
    n_failures: u64,
}

/// Counted apart by name.
#[derive(Debug, Default)]
struct Each(BTreeMap<Arc<str>, Series>);

/// An exchange that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) request_id: Arc<str>,
    pub(crate) surface: &'static str,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) stream: bool,
    pub(crate) began: Instant,
    /// How long its first event took.
    pub(crate) first_event: Option<Duration>,
}

/// An exchange that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Failures before it.
    pub(crate) number: u64,
    /// Seconds since the epoch.
    pub(crate) at: u64,
    pub(crate) kind: ErrorKind,
    pub(crate) code: Option<&'static str>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) exchange: Live,
}

/// All of it at one moment.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) now: Instant,
    pub(crate) live: Vec<Live>,
    /// The time of the newest cell, in cells, and the cells, the oldest first.
    pub(crate) whole: (u64, Vec<Cell>),
    /// The last hour of each.
    pub(crate) models: Vec<(Arc<str>, Cell)>,
    pub(crate) tenants: Vec<(Arc<str>, Cell)>,
    /// The newest first.
    pub(crate) failures: Vec<Failure>,
}

/// The length of a cell of the whole, in seconds.
pub(crate) const CELL_SECONDS: u64 = WHOLE.1;

impl Observation {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(State {
                next: 0,
                live: BTreeMap::new(),
                whole: Series::new(WHOLE.0, WHOLE.1),
                models: Each::default(),
                tenants: Each::default(),
                failures: VecDeque::new(),
                n_failures: 0,
            }),
        }
    }

    /// An exchange begins.
    pub(crate) fn begin(self: &Arc<Self>, surface: &'static str, request_id: &str) -> Sighting {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        let live = Live {
            request_id: request_id.into(),
            surface,
            tenant: None,
            model: None,
            stream: false,
            began: Instant::now(),
            first_event: None,
        };
        state.live.insert(id, live);
        drop(state);
        Sighting::new(self.clone(), id)
    }

    /// All that is seen now.
    pub(crate) fn seen(&self) -> Seen {
        let now = Instant::now();
        let second = self.second(now);
        let mut state = self.state();
        let (newest, cells) = state.whole.at(second);
        let whole = (newest, cells.copied().collect());
        Seen {
            now,
            live: state.live.values().cloned().collect(),
            whole,
            models: state.models.sums(second),
            tenants: state.tenants.sums(second),
            failures: state.failures.iter().rev().cloned().collect(),
        }
    }

    /// Seconds since it began to be counted.
    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_secs()
    }

    /// Whatever a panic left is still worth looking at.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Live)) {
        if let Some(live) = self.state().live.get_mut(&id) {
            change(live);
        }
    }
}

impl Each {
    fn add(&mut self, name: &Arc<str>, second: u64, addition: &Addition) {
        let is_known = self.0.contains_key(name);
        if !is_known && self.0.len() >= MAX_EACH {
            // Those who were not here for an hour make room.
            self.0.retain(|_, series| series.sum(second).ended > 0);
        }
        let name = match is_known || self.0.len() < MAX_EACH {
            true => name.clone(),
            false => OTHER.into(),
        };
        let series = self.0.entry(name);
        let series = series.or_insert_with(|| Series::new(EACH.0, EACH.1));
        series.add(second, addition);
    }

    fn sums(&mut self, second: u64) -> Vec<(Arc<str>, Cell)> {
        let sums = self
            .0
            .iter_mut()
            .map(|(name, series)| (name.clone(), series.sum(second)));
        sums.filter(|(_, cell)| cell.ended > 0).collect()
    }
}

/// A name that tells tenants apart and nothing of them but the key that they use, by the name that the operator
/// gave it.
pub(crate) fn name_of(tenant: &Tenant) -> Arc<str> {
    if tenant.is_house() {
        return tenant.key.clone();
    }
    let digest = Sha256::digest(&tenant.salt);
    let digits: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}:{digits}", tenant.key).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::telemetry::Ending;

    fn observation() -> Arc<Observation> {
        Arc::new(Observation::new())
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_is_live_until_it_ends_and_then_counted() {
        let observation = observation();
        let mut sighting = observation.begin("chat", "req_1");
        sighting.accepted("claude", true);
        sighting.first_event(Duration::from_millis(90));
        let seen = observation.seen();
        assert_eq!(seen.live.len(), 1);
        assert_eq!(seen.live[0].model.as_deref(), Some("claude"));
        assert!(seen.models.is_empty());
        sighting.ended(Ending::Complete);
        drop(sighting);
        let seen = observation.seen();
        assert!(seen.live.is_empty() && seen.failures.is_empty());
        let (name, cell) = &seen.models[0];
        assert_eq!((&**name, cell.ended, cell.failed), ("claude", 1, 0));
        assert_eq!(cell.first_events.quantile(0.5), Some(100));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let seen = observation.seen();
        assert!(seen.models.is_empty(), "it is forgotten after an hour");
        assert!(seen.whole.1.iter().all(|cell| cell.ended == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_remembered_with_what_they_are_and_not_for_ever() {
        let observation = observation();
        for number in 0..MAX_FAILURES + 10 {
            let mut sighting = observation.begin("chat", &format!("req_{number}"));
            observation.change(sighting.id(), |live| live.tenant = Some("t-1".into()));
            let error = Error::new(ErrorKind::Timeout, "a secret of the tenant's");
            sighting.failed(&error);
            sighting.ended(Ending::Failed);
        }
        let mut stranger = observation.begin("chat", "req_stranger");
        stranger.failed(&Error::new(ErrorKind::Unauthorized, "Wrong key."));
        drop(stranger);
        let seen = observation.seen();
        assert_eq!(seen.failures.len(), MAX_FAILURES);
        assert_eq!(seen.failures[0].number, 109);
        assert_eq!(&*seen.failures[0].exchange.request_id, "req_109");
        assert!(!format!("{seen:?}").contains("secret"));
        let failed: u32 = seen.whole.1.iter().map(|cell| cell.failed).sum();
        assert_eq!(failed, 110);
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_bounded_and_who_is_gone_makes_room() {
        let observation = observation();
        let ask = |model: &str| observation.begin("chat", "1").accepted(model, true);
        (0..MAX_EACH + 20).for_each(|number| ask(&format!("model-{number}")));
        let names = |seen: &Seen| {
            let names = seen.models.iter().map(|(name, _)| name.to_string());
            names.collect::<Vec<_>>()
        };
        let seen = observation.seen();
        assert_eq!(seen.models.len(), MAX_EACH + 1);
        assert!(names(&seen).contains(&OTHER.to_owned()));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        ask("late");
        assert_eq!(names(&observation.seen()), ["late"]);
    }

    #[test]
    fn every_error_has_a_word_and_a_remedy() {
        let (word, remedy) = remedy(ErrorKind::UpstreamAuth);
        assert_eq!(word, "upstream_auth");
        assert!(remedy.ends_with('.'));
    }
}
