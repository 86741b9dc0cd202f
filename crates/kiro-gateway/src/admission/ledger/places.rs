//! Places among the exchanges that are under way at all gateways, each held until its exchange ends or its gateway
//! has not been heard of for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Core;
use super::script::Script;
use crate::admission::name::GateName;
use crate::admission::slots::{Full, Slots, Waiting};
use crate::upstream::{jittered, random_byte};

/// How often one who waits for a place looks.
const LOOK: Duration = Duration::from_millis(60);

/// How long a place that was given back may be on its way to Redis.
const ON_ITS_WAY: Duration = Duration::from_millis(25);

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    core: Arc<Core>,
    name: GateName,
    /// No other exchange of this gateway has the same.
    number: u64,
    /// Whether Redis was asked for it and has not refused, so that it may have given it away.
    is_asked_for: bool,
}

/// The places that this gateway has.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<GateName, Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    held: Vec<u64>,
    /// Given back, and Redis has yet to learn of it.
    freed: Vec<u64>,
    /// Nobody has them; Redis may believe it.
    doubtful: Vec<u64>,
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<GateName, Numbers>> {
        // Each change is one of a list, so a panic has left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are held.
    pub(super) fn held(&self) -> Vec<(GateName, Vec<u64>)> {
        let places = self.lock();
        let held = places
            .iter()
            .filter(|(_, numbers)| !numbers.held.is_empty());
        held.map(|(name, numbers)| (name.clone(), numbers.held.clone()))
            .collect()
    }

    /// Takes over a place that was given back, before Redis learns of it.
    fn take_over(&self, name: &GateName) -> Option<u64> {
        let mut places = self.lock();
        let numbers = places.get_mut(name)?;
        let number = numbers.freed.pop()?;
        numbers.held.push(number);
        Some(number)
    }

    /// Takes those that were given back.
    pub(super) fn take_freed(&self) -> Vec<(GateName, Vec<u64>)> {
        let mut places = self.lock();
        let numbers = places.iter_mut();
        let freed = numbers.map(|(name, numbers)| {
            let mut freed = std::mem::take(&mut numbers.freed);
            freed.append(&mut numbers.doubtful);
            (name.clone(), freed)
        });
        let freed = freed.filter(|(_, freed)| !freed.is_empty()).collect();
        places.retain(|_, numbers| !numbers.held.is_empty());
        freed
    }

    /// Remembers those that Redis has not learned of.
    pub(super) fn keep_freed(&self, name: GateName, freed: Vec<u64>) {
        self.lock().entry(name).or_default().doubtful.extend(freed);
    }
}

impl Place {
    /// Takes a place among those of a gate, and waits for one as long as its queue lets it. Who has come here holds
    /// a place of our own already, in the order of our own queue; that order is kept.
    pub(super) async fn take<'a>(
        core: &Arc<Core>,
        name: &GateName,
        slots: &'a Slots,
        mut waiting: Option<Waiting<'a>>,
        deadline: Instant,
    ) -> Result<Self, Full> {
        let mut place = Self {
            core: core.clone(),
            name: name.clone(),
            number: core.next_number(),
            is_asked_for: false,
        };
        // Who comes does not overtake who waits.
        if slots.line.try_lock().is_ok() {
            if place.is_there(slots.limit()).await {
                return Ok(place);
            }
            // Who comes meanwhile stands behind.
            waiting = waiting.or_else(|| slots.queue().ok());
            // What was given back a moment ago, here or elsewhere, may not have arrived.
            drop(core.telling.lock().await);
            sleep(ON_ITS_WAY).await;
            if place.is_there(slots.limit()).await {
                return Ok(place);
            }
        }
        let _waiting = match waiting {
            Some(waiting) => waiting,
            None => slots.queue()?,
        };
        let waiting = async {
            let _first = slots.line.lock().await;
            while !place.is_there(slots.limit()).await {
                sleep(jittered(LOOK, random_byte())).await;
            }
        };
        let waited = timeout_at(deadline, waiting).await;
        waited.map_err(|_| Full::Deadline)?;
        Ok(place)
    }

    /// Asks for it. While Redis is away, our share of them is all there is.
    async fn is_there(&mut self, most: usize) -> bool {
        // Redis will have given away what it does not hear of, so while it is away nothing is taken over from before.
        if !self.core.reach.is_away()
            && let Some(number) = self.core.places.take_over(&self.name)
        {
            (self.number, self.is_asked_for) = (number, true);
            return true;
        }
        self.is_asked_for |= !self.core.reach.is_away();
        let mut script = Script::new(include_str!("hold.lua"));
        script.key(self.core.places_key(&self.name));
        script.key(self.core.open_key());
        script.arg(self.core.name_of(self.number));
        script.arg(most);
        script.arg(self.core.life.as_millis());
        let is_there = self.core.reach.ask(&script.command()).await;
        self.is_asked_for &= is_there != Some(false);
        let mut places = self.core.places.lock();
        let numbers = places.entry(self.name.clone()).or_default();
        let share = || self.core.roll.share_of(most as u64);
        let is_there = is_there.unwrap_or_else(|| (numbers.held.len() as u64) < share());
        if is_there {
            numbers.held.push(self.number);
        }
        is_there
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.core.places.lock();
        let numbers = places.entry(self.name.clone()).or_default();
        let held = numbers.held.iter().position(|held| *held == self.number);
        match held.map(|at| numbers.held.swap_remove(at)) {
            // While Redis is away it does not learn of new ones.
            Some(held) if self.is_asked_for || !self.core.reach.is_away() => {
                numbers.freed.push(held);
            }
            None if self.is_asked_for => numbers.doubtful.push(self.number),
            _ => {}
        }
        drop(places);
        self.core.wake.notify_one();
    }
}
