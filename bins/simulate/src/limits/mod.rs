//! One key with limits, at a hundred gateways that share them through the store: the gates and the ledger as they are.
//!
//! What must hold is said where it is checked: `excess`, `World::let_in`, `World::end`.

mod bounds;
mod exchange;
mod gateway;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use self::gateway::Gateway;
use self::plan::{Fault, Plan};
use crate::clock::Time;
use crate::dice::Dice;
use crate::line::Store;
use crate::network::{Cut, Network};
use crate::outcome::{Outcome, Record};
use crate::redis::Redis;
use crate::{REPLICAS, virtual_time};

/// What is broken on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Each gateway is told that it has no others beside it.
    WholeShares,
}

/// How much more than the limit is let in, at most.
pub(crate) const MOST: f64 = 1.1;

/// Nothing goes wrong before the gateways know of each other.
const BEGINNING: Duration = Duration::from_secs(12);

/// So long after a change Redis may believe in what was before: the life of a place, and the silence after which a
/// share is kept back.
const SETTLED: Duration = Duration::from_secs(21);

/// An exchange takes less.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(15);

pub(crate) struct World {
    dice: Dice,
    plan: Plan,
    time: Time,
    record: Record,
    store: Arc<Store>,
    sabotage: Option<Sabotage>,
    gateways: Mutex<Vec<Gateway>>,
    seen: Mutex<Seen>,
}

/// What was let in.
#[derive(Debug)]
struct Seen {
    /// Seconds since the beginning, and units.
    requests: Vec<(f64, f64)>,
    tokens: Vec<(f64, f64)>,
    /// When those began that are under way.
    under_way: Vec<Instant>,
    /// When something last went wrong, or right again.
    changed: Instant,
}

/// Runs a seed.
pub fn run(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Outcome {
    kiro_auth::chance::seed(seed);
    virtual_time(async {
        let world = Arc::new(World::new(seed, sabotage, tells));
        world.live().await;
        world.end();
        let mut outcome = world.record.take();
        outcome.figures.time = world.time.elapsed();
        // Gateways hold the world, and the world them.
        world.gateways().clear();
        outcome
    })
}

impl World {
    fn new(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Self {
        let dice = Dice::new(seed);
        let plan = Plan::new(&dice);
        let time = Time::begin();
        let record = Record::new(time, tells);
        record.note(|| format!("{plan:?}"));
        let store = Store {
            redis: Redis::new(),
            network: Network::new(&dice, REPLICAS),
            time,
        };
        let seen = Seen {
            requests: Vec::new(),
            tokens: Vec::new(),
            under_way: Vec::new(),
            changed: Instant::now(),
        };
        Self {
            dice,
            plan,
            time,
            record,
            store: Arc::new(store),
            sabotage,
            gateways: Mutex::default(),
            seen: Mutex::new(seen),
        }
    }

    /// Everything happens.
    async fn live(self: &Arc<Self>) {
        for number in 0..REPLICAS {
            let gateway = Gateway::start(self, number);
            self.gateways().push(gateway);
        }
        let begun = Instant::now();
        // Long cuts come first.
        let most = match self.plan.is_long {
            true => 1,
            false => (self.plan.length - BEGINNING).as_millis() as u64,
        };
        let mut moments: Vec<_> = (0..self.plan.faults)
            .map(|_| begun + BEGINNING + self.dice.millis(0, most))
            .collect();
        moments.sort();
        for moment in moments {
            sleep_until(moment).await;
            self.fault();
        }
        sleep_until(begun + self.plan.length).await;
    }

    fn fault(self: &Arc<Self>) {
        let dice = &self.dice;
        let length = match self.plan.fault(dice) {
            Fault::Slow(latency, length) => {
                self.record
                    .note(|| format!("the store is slow: {latency:?}"));
                self.store.network.slow_down(latency, length);
                length
            }
            Fault::Cuts(share, length) => {
                let cuts = [Cut::There, Cut::Back];
                let cut: Vec<_> = (0..REPLICAS).filter(|_| dice.happens(share)).collect();
                self.record
                    .note(|| format!("{} are cut off for {length:?}", cut.len()));
                self.record
                    .count(|figures| figures.cuts += cut.len() as u64);
                for replica in cut {
                    self.store.network.cut(replica, dice.one_of(&cuts), length);
                }
                length
            }
            Fault::Stop(length) => {
                let process = self.gateways()[dice.below(REPLICAS)].process.clone();
                self.record
                    .note(|| format!("a process is stopped for {length:?}"));
                self.record.count(|figures| figures.stops += 1);
                process.stop_for(length);
                length
            }
            Fault::Kill(pause) => {
                self.restart(dice.below(REPLICAS), pause);
                pause
            }
        };
        self.changed();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(length).await;
            world.changed();
        });
    }

    fn restart(self: &Arc<Self>, number: usize, pause: Duration) {
        self.record.note(|| format!("{number} is killed"));
        self.record.count(|figures| figures.kills += 1);
        self.gateways()[number].kill();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(pause).await;
            if world
                .gateways()
                .get(number)
                .is_some_and(|one| one.process.is_killed())
            {
                let gateway = Gateway::start(&world, number);
                world.gateways()[number] = gateway;
            }
        });
    }

    fn changed(&self) {
        self.seen().changed = Instant::now();
    }

    /// A request is let in. Of those that have come since the gateways settled to how things are, there are no more
    /// under way than there are places; and of all, once none is left from before.
    ///
    /// What was let in before a cut runs on at a gateway that Redis does not hear of, and whose places it gives to
    /// others after a while, since it may be dead. Nobody can tell.
    fn let_in(&self, is_alone: bool) {
        self.record.count(|figures| {
            figures.let_in += 1;
            figures.let_in_alone += u64::from(is_alone);
        });
        let now = Instant::now();
        let mut seen = self.seen();
        let moment = self.time.elapsed().as_secs_f64();
        seen.requests.push((moment, 1.0));
        seen.under_way.push(now);
        let Some(places) = self.plan.places else {
            return;
        };
        let settled = seen.changed + SETTLED;
        let is_over = settled + LONGEST_EXCHANGE < now;
        let since = seen
            .under_way
            .iter()
            .filter(|begun| is_over || **begun > settled)
            .count();
        let all = seen.under_way.len();
        drop(seen);
        let part = since as f64 / places as f64;
        self.record.count(|figures| {
            let worst = match self.plan.is_long {
                true => &mut figures.worst_places_long,
                false => &mut figures.worst_places,
            };
            *worst = worst.max(part - 1.0);
            let ever = all as f64 / places as f64 - 1.0;
            figures.worst_places_ever = figures.worst_places_ever.max(ever);
        });
        if part > self.plan.most() {
            self.record
                .broken(format!("{since} under way, and there are {places} places"));
        }
    }

    fn left(&self, begun: Instant) {
        let mut seen = self.seen();
        if let Some(at) = seen.under_way.iter().position(|one| *one == begun) {
            seen.under_way.swap_remove(at);
        }
    }

    fn took(&self, tokens: u64) {
        let moment = self.time.elapsed().as_secs_f64();
        self.seen().tokens.push((moment, tokens as f64));
    }

    /// Of a rate no more was let in, in any stretch of time, than by one gateway that has it alone, and a tenth; and no
    /// less, where more was asked for and nothing went wrong.
    fn end(&self) {
        let seen = self.seen();
        for (what, limit, taken) in [
            (
                "requests",
                self.plan.requests.map(u64::from),
                &seen.requests,
            ),
            ("tokens", self.plan.tokens, &seen.tokens),
        ] {
            let Some(limit) = limit else { continue };
            let (excess, moment) = bounds::excess(taken, limit as f64);
            let most = self.plan.most();
            self.record.count(|figures| match self.plan.is_long {
                true => figures.worst_rate_long = figures.worst_rate_long.max(excess - 1.0),
                false => figures.worst_rate = figures.worst_rate.max(excess - 1.0),
            });
            if excess > most {
                self.record.broken(format!(
                    "{excess:.2} times the limit of {what} by {moment:.1} s"
                ));
            }
        }
        let minutes = self.plan.length.as_secs_f64() / 60.0;
        if let Some(limit) = self.plan.requests
            && self.plan.asks_for_more()
            && (seen.requests.len() as f64) < 0.9 * limit as f64 * minutes
        {
            let all = seen.requests.len();
            self.record.broken(format!(
                "{all} in {minutes} minutes, and {limit} a minute are allowed"
            ));
        }
    }

    fn gateways(&self) -> MutexGuard<'_, Vec<Gateway>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
