//! One credential, shared by replicas through the store: [`TokenSource`](kiro_auth::TokenSource) over
//! [`RedisStore`], as they are.
//!
//! What must hold is said where it is checked: `World::asked`, `World::served`, `World::end`.

mod desk;
mod plan;
mod replica;
mod service;
mod store;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use kiro_auth::{
    AccessToken, Credential, CredentialStore, RedisServer, RedisStore, RedisStoreOptions, Secret,
};
use redis::{Cmd, Value};
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use self::desk::{Desk, number_of};
use self::plan::Plan;
use self::replica::Replica;
use self::service::{Answer, Service};
use self::store::Direct;
use crate::clock::Time;
use crate::dice::Dice;
use crate::line::{Line, Store, Witness};
use crate::network::{Cut, Network};
use crate::outcome::{Outcome, Record};
use crate::process::Process;
use crate::redis::Redis;
use crate::{REPLICAS, virtual_time};

/// What is broken on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Everybody has the lease.
    ClaimsOfNobody,
    /// A save is confirmed and not done, now and then.
    ForgottenSaves,
}

/// Expiries of a run.
const EXPIRIES: u32 = 2;

/// So long nothing goes wrong before a run ends: longer than a save waits for its next try, a lease and a pause.
const QUIET: Duration = Duration::from_secs(240);

/// So long a process is stopped, at most: several leases.
const LONGEST_STOP: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) time: Time,
    pub(crate) record: Record,
    pub(crate) service: Service,
    pub(crate) store: Arc<Store>,
    sabotage: Option<Sabotage>,
    /// Whether nothing goes wrong any more.
    is_quiet: AtomicBool,
    /// Told when nobody living can refresh any more: a person has to sign in, and there is nothing left to see.
    over: Notify,
    /// Sees at once what the store holds.
    observer: RedisStore,
    replicas: Mutex<Vec<Replica>>,
    /// When each process has last been given the lease.
    claims: Mutex<Vec<Option<(Process, SystemTime)>>>,
}

/// Runs a seed.
pub fn run(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Outcome {
    kiro_auth::chance::seed(seed);
    virtual_time(async {
        let world = Arc::new(World::new(seed, sabotage, tells));
        tokio::select! {
            biased;
            () = world.live() => {}
            () = world.over.notified() => {}
        }
        world.end();
        let mut outcome = world.record.take();
        outcome.figures.time = world.time.elapsed();
        // Processes hold the world, and the world them.
        world.replicas().clear();
        outcome
    })
}

fn seed_credential() -> Credential {
    let text = r#"{"refreshToken": "refresh-0", "authMethod": "social", "provider": "Google"}"#;
    Credential::from_json(text).expect("it is one")
}

fn store_in(server: &RedisServer) -> RedisStore {
    let key = Secret::from("the same on every replica");
    server
        .store(seed_credential(), &key)
        .expect("it can be used")
}

impl World {
    fn new(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Self {
        let dice = Dice::new(seed);
        let plan = Plan::new(&dice);
        let time = Time::begin();
        let record = Record::new(time, tells);
        record.note(|| format!("{plan:?}"));
        let store = Arc::new(Store {
            redis: Redis::new(),
            network: Network::new(&dice, REPLICAS),
            time,
        });
        let direct = Arc::new(Direct(Arc::clone(&store)));
        let observer = RedisServer::of_stand_in(direct, RedisStoreOptions::default());
        Self {
            service: Service::new(plan.spent, plan.lifetime, time.now()),
            observer: store_in(&observer),
            replicas: Mutex::default(),
            claims: Mutex::new(vec![None; REPLICAS]),
            dice,
            plan,
            time,
            record,
            store,
            sabotage,
            over: Notify::new(),
            is_quiet: AtomicBool::new(false),
        }
    }

    pub(crate) fn latency(&self) -> Duration {
        self.dice.millis(20, self.plan.slowness.as_millis() as u64)
    }

    fn replicas(&self) -> MutexGuard<'_, Vec<Replica>> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything happens.
    async fn live(self: &Arc<Self>) {
        for number in 0..REPLICAS {
            let replica = Replica::start(self, number);
            self.replicas().push(replica);
        }
        let length = self.plan.lifetime * EXPIRIES + Duration::from_secs(60);
        let begun = tokio::time::Instant::now();
        let faults = self.plan.faults;
        let mut moments: Vec<_> = (0..faults)
            .map(|_| begun + self.dice.millis(0, length.as_millis() as u64))
            .collect();
        moments.sort();
        for moment in moments {
            sleep_until(moment).await;
            self.fault();
        }
        sleep_until(begun + length).await;
        self.store.network.heal();
        self.is_quiet.store(true, Ordering::Relaxed);
        sleep(QUIET).await;
        // Somebody may be in the middle of a refresh that is due.
        while self.service.family().newest_at() + QUIET / 4 > self.time.now() {
            sleep(QUIET / 4).await;
        }
    }

    /// Something goes wrong, with one replica or many.
    fn fault(self: &Arc<Self>) {
        let dice = &self.dice;
        match dice.below(6) {
            0 => {
                let latency = dice.millis(100, 4_000);
                self.record
                    .note(|| format!("the store is slow: {latency:?}"));
                self.store
                    .network
                    .slow_down(latency, dice.millis(5_000, 60_000));
            }
            1 => {
                let share = dice.one_of(&[0.02, 0.2, 0.5, 0.95]);
                let length = dice.millis(1_000, 300_000);
                for replica in 0..REPLICAS {
                    if dice.happens(share) {
                        self.cut(replica, length);
                    }
                }
            }
            2 => {
                let replica = dice.below(REPLICAS);
                self.cut(replica, dice.millis(1_000, 60_000));
            }
            3 => {
                let replica = dice.below(REPLICAS);
                self.restart(replica);
            }
            _ => {
                let process = self.replicas()[dice.below(REPLICAS)].process.clone();
                self.stop(&process);
            }
        }
    }

    fn cut(&self, replica: usize, length: Duration) {
        let cut = self.dice.one_of(&[Cut::There, Cut::Back]);
        self.record.count(|figures| figures.cuts += 1);
        self.record
            .note(|| format!("{replica} is cut off for {length:?}: {cut:?}"));
        self.store.network.cut(replica, cut, length);
    }

    fn stop(&self, process: &Process) {
        let length = self.dice.millis(1_000, LONGEST_STOP.as_millis() as u64);
        self.record.count(|figures| figures.stops += 1);
        self.record
            .note(|| format!("a process is stopped for {length:?}"));
        process.stop_for(length);
    }

    /// Kills what runs, and starts it again a little later.
    fn restart(self: &Arc<Self>, number: usize) {
        self.record.count(|figures| figures.kills += 1);
        self.record.note(|| format!("{number} is killed"));
        self.replicas()[number].kill();
        let (world, pause) = (Arc::clone(self), self.dice.millis(200, 20_000));
        tokio::spawn(async move {
            sleep(pause).await;
            if world
                .replicas()
                .get(number)
                .is_some_and(|one| one.process.is_killed())
            {
                let replica = Replica::start(&world, number);
                world.replicas()[number] = replica;
            }
        });
    }

    /// Whether something comes true that does not once nothing goes wrong any more.
    pub(crate) fn is_unlucky(&self, probability: f64) -> bool {
        self.dice.happens(probability) && !self.is_quiet.load(Ordering::Relaxed)
    }

    /// Whoever refreshes is hit more often than others.
    pub(crate) fn strike(self: &Arc<Self>, replica: usize, process: &Process) {
        if process.is_killed() || !self.is_unlucky(self.plan.strikes) {
            return;
        }
        match self.dice.below(5) {
            0 => self.restart(replica),
            1 | 2 => self.stop(process),
            _ => self.cut(replica, self.dice.millis(500, 60_000)),
        }
    }

    /// The service is asked, which nobody does who could know better:
    ///
    /// - with a token that is spent only if the store did not hold the next one when the lease was given, or nobody
    ///   living knows the newest;
    /// - for a token that is good no earlier than its margins, and what clocks differ by, say.
    pub(crate) fn asked(&self, desk: &Desk, token: usize, asked_at: SystemTime) -> Answer {
        let now = self.time.now();
        let who = desk.replica;
        let claimed = self.claims()[who].clone();
        let claimed = claimed.filter(|(process, _)| process.is(&desk.process));
        if claimed.is_none() {
            self.record
                .broken(format!("{who} refreshes without a lease"));
        }
        let (successor, ends, is_lost) = {
            let family = self.service.family();
            let successor = family.issues.get(token + 1).map(|issue| issue.stored_at);
            let is_lost = family.is_over();
            (successor, family.issues[token].believed, is_lost)
        };
        let answer = self.service.refresh(token, &desk.process, asked_at, now);
        self.record
            .note(|| format!("{who} shows {token}: {answer:?}"));
        if let Some(stored_at) = successor {
            self.record.count(|figures| figures.second_refreshes += 1);
            let could_know = stored_at
                .zip(claimed)
                .is_some_and(|(stored, (_, claimed))| stored <= claimed);
            if could_know && !is_lost {
                self.record.broken(format!(
                    "{who} shows {token}, which the store knew to be spent"
                ));
            }
            if answer == Answer::Refused && self.service.family().is_over() {
                self.over.notify_one();
            }
            return answer;
        }
        self.record.count(|figures| figures.refreshes += 1);
        let early = Duration::from_secs(720).min(self.plan.lifetime / 4);
        // A process that is stopped while it asks believes in a life that is longer by as much.
        let early = early + Duration::from_millis(2 * self.plan.skew) + LONGEST_STOP / 4;
        if now + early < ends {
            let left = ends.duration_since(now).unwrap_or_default();
            self.record.broken(format!(
                "{who} refreshes {token}, which is good for {left:?}"
            ));
        }
        answer
    }

    /// A request is given a token, which has not expired.
    pub(crate) fn served(&self, replica: usize, token: &AccessToken) {
        self.record.count(|figures| figures.served += 1);
        let number = number_of(token.secret().expose());
        let ends = self.service.family().issues[number].expires_at;
        if ends <= self.time.now() {
            self.record
                .broken(format!("{replica} serves {number}, which has expired"));
        }
    }

    /// Nothing has gone wrong for a while. No rotation is lost that anybody living has received: the store holds the
    /// newest; and who is asked has a token.
    fn end(&self) {
        let family = self.service.family();
        let newest = family.newest();
        if family.is_over() {
            self.record.count(|figures| figures.lost_to_faults += 1);
            return;
        }
        let stored = self.stored();
        if stored != newest {
            self.record
                .broken(format!("the store holds {stored} and not {newest}"));
        }
        let ends =
            |token: &AccessToken| family.issues[number_of(token.secret().expose())].expires_at;
        for (number, replica) in self.replicas().iter().enumerate() {
            let held = replica.source.current();
            if held
                .as_ref()
                .is_none_or(|token| ends(token) <= self.time.now())
            {
                let error = replica.source.last_error();
                self.record
                    .broken(format!("{number} has no token: {error:?}"));
            }
        }
    }

    /// The number of the tokens in the store.
    fn stored(&self) -> usize {
        let mut load = self.observer.load();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(loaded) = load.as_mut().poll(&mut context) else {
            panic!("it is not waited for");
        };
        let token = loaded.expect("it can be read").refresh_token;
        number_of(token.expect("it has one").expose())
    }

    fn claims(&self) -> MutexGuard<'_, Vec<Option<(Process, SystemTime)>>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for World {
    fn saw(&self, line: &Line, command: &Cmd, answer: &Value) {
        let Some(redis::Arg::Simple(script)) = command.args_iter().nth(1) else {
            return;
        };
        if script.starts_with(include_bytes!(
            "../../../../crates/kiro-auth/src/store/redis/claim.lua"
        )) && matches!(answer, Value::Int(1..))
        {
            self.claims()[line.replica] = Some((line.process.clone(), self.time.now()));
        }
        if script.starts_with(include_bytes!(
            "../../../../crates/kiro-auth/src/store/redis/save.lua"
        )) && *answer == Value::Int(1)
        {
            let stored = self.stored();
            self.record
                .note(|| format!("{} has saved {stored}", line.replica));
            let now = self.time.now();
            self.service.family().issues[stored]
                .stored_at
                .get_or_insert(now);
        }
    }
}
