//! Two ledgers at one Redis, which stand for two gateways.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use kiro_auth::RedisStoreOptions;
use kiro_protocol::conversation::Conversation;
use redis::aio::MultiplexedConnection;

use super::*;
use crate::admission::{Gates, Limits, Pass};
use crate::error::ErrorKind;
use crate::kept::tests::server::{DEADLINE, Server};
use crate::key::KeyDigest;
use crate::usage::Prompt;

/// One gateway: its own gate of the key, and what it shares.
struct One {
    gates: Gates,
    gate: Arc<Gate>,
    ledger: Arc<Ledger>,
    book: CreditBook,
}

/// Long enough for a loaded machine: nothing here depends on how long it is.
const TIMEOUT: Duration = Duration::from_secs(5);

fn one(server: &Server, life: Duration, change: impl FnOnce(&mut Limits)) -> One {
    let mut limits = Limits::default();
    change(&mut limits);
    let mut options = RedisStoreOptions::default();
    options.timeout = TIMEOUT;
    let redis = RedisServer::new(&server.url(), options).unwrap();
    let book = CreditBook::default();
    let ledger = Arc::new(Ledger::with(redis, book.clone(), life, 1));
    let name = GateName::of_key(&KeyDigest::of_text("planted-key"));
    let gate = Gate::new("the key `team`".to_owned(), name, &limits, &book);
    let gate = Arc::new(gate.unwrap());
    One {
        gates: Gates::new([Some(gate.clone())], Some(&ledger)),
        gate,
        ledger,
        book,
    }
}

fn requests(n: u32) -> impl Fn(&mut Limits) {
    move |limits| limits.requests_per_minute = NonZeroU32::new(n)
}

fn places(n: usize, queue: usize) -> impl Fn(&mut Limits) {
    move |limits| {
        limits.concurrency = NonZeroUsize::new(n);
        limits.queue = queue;
        limits.queue_timeout = DEADLINE;
    }
}

/// The words and the time of a refusal.
fn said(entered: Result<Pass, Error>) -> String {
    let error = entered.unwrap_err();
    assert!(error.retry_after().is_some());
    error.public_message().to_owned()
}

async fn ask<T: redis::FromRedisValue>(connection: &mut MultiplexedConnection, words: &str) -> T {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await.unwrap()
}

/// The one key that ends like this.
async fn key(server: &Server, end: &str) -> String {
    let [key] = server.keys(end).await.try_into().unwrap();
    key
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_rate_is_shared_and_refused_in_the_words_of_a_gate() {
    let server = Server::start().await;
    let (a, b) = (
        one(&server, LIFE, requests(3)),
        one(&server, LIFE, requests(3)),
    );
    assert!(a.gates.enter().await.is_ok());
    assert!(b.gates.enter().await.is_ok());
    // Nobody else has asked it since.
    assert_eq!(b.gates.standing().requests.unwrap().remaining, 1);
    assert!(a.gates.enter().await.is_ok());
    let refused = b.gates.enter().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    let wait = refused.retry_after().unwrap();
    assert!((Duration::from_secs(10)..=Duration::from_secs(20)).contains(&wait));
    let said = refused.public_message();
    assert!(said.starts_with(
        "Limit of the key `team` reached: 3 requests per minute. Please try again in "
    ));
    assert_eq!(b.gates.standing().requests.unwrap().remaining, 0);
    // What was refused there is not counted here.
    let own = b.gate.rate(Counted::Requests).unwrap();
    assert_eq!(own.limit(), 3);
    b.gate.saw(Counted::Requests, Duration::ZERO);
    assert_eq!(b.gates.standing().requests.unwrap().remaining, 2);
}

#[tokio::test]
async fn tokens_are_taken_corrected_and_given_back_for_all() {
    let server = Server::start().await;
    let tokens = |limits: &mut Limits| limits.tokens_per_minute = NonZeroU64::new(60_000);
    let (a, b) = (one(&server, LIFE, tokens), one(&server, LIFE, tokens));
    let a_gates = [a.gate.clone()];
    let b_gates = [b.gate.clone()];
    assert!(a.ledger.prompt(&a_gates, 40_000).await.unwrap());
    let refused = b.ledger.prompt(&b_gates, 40_000).await.unwrap_err();
    assert!(refused.public_message().contains("60000 tokens per minute"));
    a.ledger.settle(&a_gates, 40_000, 10_000, true);
    a.ledger.settled().await;
    assert!(b.ledger.prompt(&b_gates, 40_000).await.unwrap());
    b.ledger.settle(&b_gates, 40_000, 200_000, true);
    b.ledger.settled().await;
    // More than all of it is a debt, which the head of a request is refused for.
    let refused = said(a.gates.enter().await);
    assert!(refused.contains("60000 tokens per minute"), "{refused}");
    assert_eq!(a.gates.standing().tokens.unwrap().remaining, 0);
}

#[tokio::test]
async fn what_is_taken_once_and_asked_for_twice_counts_once() {
    let server = Server::start().await;
    let a = one(&server, LIFE, requests(2));
    let gates = [a.gate.clone()];
    let core = &a.ledger.core;
    // The last one, too, is not refused because the answer was lost.
    for n in 1..=2 {
        let question = Question::enter(&gates, date(utc()));
        let command = question.script(core).command();
        let [first, again] = [
            core.reach.ask::<question::Answer>(&command).await,
            core.reach.ask::<question::Answer>(&command).await,
        ];
        for answer in [first, again] {
            let (refused, _, _, ahead) = answer.unwrap();
            assert_eq!(refused, 0);
            let half = n * 30_000_000;
            assert!((half - 10_000_000..=half).contains(&ahead[0]), "{ahead:?}");
        }
    }
    let [nonce, _] = server.keys(":asked:*").await.try_into().unwrap();
    let mut connection = server.connection().await;
    let left: u64 = ask(&mut connection, &format!("PTTL {nonce}")).await;
    assert!(Duration::from_millis(left) > TIMEOUT, "{left}");
}

#[tokio::test]
async fn who_leaves_while_redis_refuses_their_prompt_gives_nothing_back() {
    let server = Server::start().await;
    let tokens = |limits: &mut Limits| limits.tokens_per_minute = NonZeroU64::new(1);
    let (a, b) = (one(&server, LIFE, tokens), one(&server, LIFE, tokens));
    let mut pass = b.gates.enter().await.unwrap();
    assert!(
        a.ledger
            .prompt(std::slice::from_ref(&a.gate), 1)
            .await
            .unwrap()
    );
    let mut connection = server.connection().await;
    let tokens = format!("GET {}", key(&server, ":tokens").await);
    let taken: String = ask(&mut connection, &tokens).await;
    let prompt = Arc::new(Prompt::of(&Conversation::new("a model")));
    {
        let mut asks = pin!(pass.prompt(&prompt, "a model", 1000));
        assert!(first_poll(asks.as_mut()).await.is_pending());
    }
    drop(pass);
    b.ledger.settled().await;
    assert_eq!(ask::<String>(&mut connection, &tokens).await, taken);
}

#[tokio::test]
async fn a_place_is_waited_for_and_comes_free_with_its_exchange() {
    let server = Server::start().await;
    let (a, b) = (
        one(&server, LIFE, places(1, 0)),
        one(&server, LIFE, places(1, 1)),
    );
    for _ in 0..5 {
        // One after the other, each with the place of the one before.
        assert!(a.gates.enter().await.is_ok());
    }
    let held = a.gates.enter().await.unwrap();
    assert!(said(a.gates.enter().await).contains("1 requests at the same time"));
    let waits = tokio::spawn(async move { b.gates.enter().await });
    until("the other asks", async || {
        let mut connection = server.connection().await;
        let info: String = ask(&mut connection, "INFO commandstats").await;
        let (_, rest) = info.split_once("cmdstat_zscore:calls=").unwrap();
        rest.split(',').next().unwrap().parse::<u64>().unwrap() >= 10
    })
    .await;
    assert!(!waits.is_finished());
    drop(held);
    assert!(waits.await.unwrap().is_ok());
}

/// Polls once.
async fn first_poll<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test]
async fn who_has_waited_here_keeps_their_place_in_the_queue_while_they_wait_for_all() {
    let server = Server::start().await;
    let a = one(&server, LIFE, places(1, 1));
    let held = a.gates.enter().await.unwrap();
    let mut first = pin!(a.gates.enter());
    assert!(first_poll(first.as_mut()).await.is_pending());
    drop(held);
    // Redis does not learn that it is free, as if another gateway had been faster.
    assert_eq!(a.ledger.core.places.take_freed().len(), 1);
    assert!(first_poll(first.as_mut()).await.is_pending());
    let mut second = pin!(a.gates.enter());
    let Poll::Ready(refused) = first_poll(second.as_mut()).await else {
        panic!("the queue has one place, and that is taken");
    };
    assert!(said(refused).contains("1 requests at the same time"));
    let places = key(&server, ":places").await;
    let waits = async {
        let mut connection = server.connection().await;
        let _: u64 = ask(&mut connection, &format!("DEL {places}")).await;
    };
    let (entered, ()) = tokio::join!(first, waits);
    assert!(entered.is_ok());
}

/// Whether a place of all gateways can be taken over when somebody is told that one of ours is free.
struct Told {
    core: Arc<Core>,
    has_both: AtomicBool,
}

impl std::task::Wake for Told {
    fn wake(self: Arc<Self>) {
        let has_freed = !self.core.places.take_freed().is_empty();
        self.has_both.store(has_freed, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_place_of_our_own_is_free_after_the_one_of_all_gateways() {
    let server = Server::start().await;
    let a = one(&server, LIFE, places(1, 1));
    let held = a.gates.enter().await.unwrap();
    let told = Arc::new(Told {
        core: a.ledger.core.clone(),
        has_both: AtomicBool::new(false),
    });
    let waker = told.clone().into();
    let mut waits = pin!(a.gates.enter());
    let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(held);
    assert!(told.has_both.load(Ordering::Relaxed));
}

#[tokio::test]
async fn who_is_refused_leaves_nothing_to_the_next() {
    let server = Server::start().await;
    let (a, b) = (
        one(&server, LIFE, places(2, 0)),
        one(&server, LIFE, places(2, 0)),
    );
    let held = [a.gates.enter().await, a.gates.enter().await];
    for _ in 0..3 {
        assert!(said(b.gates.enter().await).contains("2 requests at the same time"));
    }
    drop(held);
    until("they are free", async || b.gates.enter().await.is_ok()).await;
}

#[tokio::test]
async fn the_place_of_an_exchange_is_kept_and_that_of_a_dead_gateway_is_not() {
    let server = Server::start().await;
    let life = Duration::from_millis(600);
    let (a, b) = (
        one(&server, life, places(1, 0)),
        one(&server, life, places(1, 1)),
    );
    let held = a.gates.enter().await.unwrap();
    let mut connection = server.connection().await;
    let key = key(&server, ":places").await;
    let place: (String, u64) = ask(&mut connection, &format!("ZRANGE {key} 0 0 WITHSCORES")).await;
    let score = format!("ZSCORE {key} {}", place.0);
    until("it is prolonged", async || {
        ask::<u64>(&mut connection, &score).await > place.1 + 1000
    })
    .await;
    // A Redis that has lost it is told again.
    let _: u64 = ask(&mut connection, &format!("DEL {key}")).await;
    until("it is there again", async || {
        ask::<Option<u64>>(&mut connection, &score).await.is_some()
    })
    .await;
    // Nothing is said for it any more, and nobody gives it back.
    a.ledger.core.end.notify_one();
    std::mem::forget(held);
    assert!(b.gates.enter().await.is_ok());
}

#[tokio::test]
async fn credits_of_all_count_and_each_is_counted_once() {
    let server = Server::start().await;
    let budget = |limits: &mut Limits| limits.credits_per_month = Some(1.0);
    let (a, b) = (one(&server, LIFE, budget), one(&server, LIFE, budget));
    a.gate.settle(0, 0, 0.75);
    a.ledger.settled().await;
    assert!(b.gates.enter().await.is_ok(), "0.75 is not all of it");
    b.gate.settle(0, 0, 0.5);
    b.ledger.settled().await;
    let refused = a.gates.enter().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QuotaExhausted);
    assert!(refused.public_message().contains("1 credits per month"));
    // It knows it by itself from here on, and a gateway that starts anew learns it.
    assert!(a.gate.request().is_err());
    let c = one(&server, LIFE, budget);
    assert!(c.gates.enter().await.is_err());

    // The same told twice, because the answer was lost.
    let mut connection = server.connection().await;
    let month = key(
        &server,
        &format!(":month:{}", script::month_of(date(utc()))),
    )
    .await;
    let sum: f64 = ask(&mut connection, &format!("GET {month}")).await;
    assert_eq!(sum, 1.25);
    let name = a.gate.name().clone();
    for credits in [0.25, 4.0] {
        let mut telling = a.ledger.core.telling.lock().await;
        telling.repeat(1, vec![(name.clone(), date(utc()), credits)]);
        drop(telling);
        a.ledger.settled().await;
    }
    assert!(!a.book.has_unsaved());
    assert_eq!(
        ask::<f64>(&mut connection, &format!("GET {month}")).await,
        sum
    );
}

#[tokio::test]
async fn everything_runs_out_and_tells_nothing() {
    let server = Server::start().await;
    let all = |limits: &mut Limits| {
        requests(10)(limits);
        places(2, 0)(limits);
        limits.tokens_per_minute = NonZeroU64::new(1000);
        limits.credits_per_day = Some(5.0);
    };
    let a = one(&server, LIFE, all);
    let held = a.gates.enter().await.unwrap();
    let gates = [a.gate.clone()];
    assert!(a.ledger.prompt(&gates, 100).await.unwrap());
    a.gate.settle(0, 0, 0.5);
    a.ledger.settle(&gates, 100, 500, true);
    a.ledger.settled().await;
    a.ledger.core.beat().await;
    let mut connection = server.connection().await;
    let keys = server.keys("").await;
    assert_eq!(keys.len(), 11, "{keys:?}");
    let most = |key: &str| match key {
        key if key.contains(":day:") => 2 * 24 * 3600,
        key if key.contains(":month:") => 32 * 24 * 3600,
        key if key.contains(":told:") => 24 * 3600,
        key if [":gateways", ":shares", ":open"]
            .iter()
            .any(|end| key.ends_with(end)) =>
        {
            120
        }
        key if key.contains(":asked:") => 2 * TIMEOUT.as_secs() as i64,
        key if key.ends_with(":places") => LIFE.as_secs() as i64,
        _ => 120,
    };
    for key in &keys {
        let left: i64 = ask(&mut connection, &format!("TTL {key}")).await;
        assert!((1..=most(key)).contains(&left), "{key} {left}");
        assert!(key.starts_with("kiro-2api:{limits}:"), "{key}");
        assert!(!key.contains("planted") && !key.contains("team"), "{key}");
    }
    drop(held);
}

#[tokio::test]
async fn without_redis_the_gates_own_count_limits_and_what_was_spent_is_told_later() {
    let mut server = Server::start().await;
    let limits = |limits: &mut Limits| {
        requests(2)(limits);
        places(1, 0)(limits);
        limits.credits_per_day = Some(1.0);
    };
    let a = one(&server, LIFE, limits);
    assert!(a.gates.enter().await.is_ok());
    server.kill();
    a.ledger.core.reach.go_away();
    let started = std::time::Instant::now();
    let held = a.gates.enter().await.unwrap();
    assert!(started.elapsed() < TIMEOUT, "nobody waits for it");
    assert!(said(a.gates.enter().await).contains("2 requests per minute"));
    assert_eq!(a.ledger.unshared(), 1);
    a.gate.settle(0, 0, 0.5);
    server.start_again().await;
    until("it is back", async || !a.ledger.is_away()).await;
    // The exchange that began meanwhile is known, and so is what was spent.
    until("all is told", async || {
        a.ledger.core.is_told().await && !server.keys(":places").await.is_empty()
    })
    .await;
    let b = one(&server, LIFE, places(1, 0));
    assert!(said(b.gates.enter().await).contains("at the same time"));
    let day = key(&server, &format!(":day:{}", date(utc()))).await;
    let mut connection = server.connection().await;
    assert_eq!(
        ask::<f64>(&mut connection, &format!("GET {day}")).await,
        0.5
    );
    drop(held);
}

/// Two gateways that know of each other.
async fn two(server: &Server, change: impl Fn(&mut Limits)) -> (One, One) {
    let (a, b) = (one(server, LIFE, &change), one(server, LIFE, &change));
    // The first has all, says that it has less, and then the other is given it.
    for _ in 0..3 {
        a.ledger.core.beat().await;
        b.ledger.core.beat().await;
    }
    (a, b)
}

/// Part of a thousand.
fn share(one: &One) -> u64 {
    one.ledger.core.roll.share_of(1000)
}

/// Redis has not heard of a gateway for so long.
async fn silent(server: &Server, one: &One, seconds: u64) {
    let mut connection = server.connection().await;
    let gateways = key(server, ":gateways").await;
    let process = &one.ledger.core.process;
    let heard: u64 = ask(&mut connection, &format!("ZSCORE {gateways} {process}")).await;
    let before = heard - 1000 * seconds;
    let _: u64 = ask(
        &mut connection,
        &format!("ZADD {gateways} {before} {process}"),
    )
    .await;
}

#[tokio::test]
async fn each_gateway_has_a_share_and_what_is_given_back_goes_to_the_others() {
    let server = Server::start().await;
    let (a, b) = two(&server, requests(10)).await;
    assert_eq!((share(&a), share(&b)), (500, 500));
    // Nothing is given to who comes before the others have made room.
    let c = one(&server, LIFE, requests(10));
    c.ledger.core.beat().await;
    assert_eq!(share(&c), 0);
    for _ in 0..3 {
        for gateway in [&a, &b, &c] {
            gateway.ledger.core.beat().await;
        }
    }
    assert_eq!((share(&a), share(&b), share(&c)), (333, 333, 333));
    c.ledger.core.leave().await;
    silent(&server, &b, 121).await;
    a.ledger.core.beat().await;
    a.ledger.core.beat().await;
    assert_eq!(share(&a), 1000);
}

#[tokio::test]
async fn the_share_of_a_silent_gateway_is_kept_from_the_others() {
    let server = Server::start().await;
    let limits = |limits: &mut Limits| {
        requests(2)(limits);
        places(3, 0)(limits);
    };
    let (a, b) = two(&server, limits).await;
    silent(&server, &b, 7).await;
    a.ledger.core.beat().await;
    // Two at once, and half of that rate.
    let held = a.gates.enter().await.unwrap();
    let refused = a.gates.enter().await.unwrap_err();
    let wait = refused.retry_after().unwrap();
    assert!(
        (Duration::from_secs(50)..=Duration::from_secs(60)).contains(&wait),
        "{wait:?}"
    );
    drop(held);
    // What is open of three places is rounded up, as shares are rounded down.
    let slots = Slots::new(3, 0, Duration::ZERO);
    let mut places = Vec::new();
    for _ in 0..3 {
        let deadline = Instant::now() + DEADLINE;
        places.push(a.ledger.hold(a.gate.name(), &slots, None, deadline).await);
    }
    assert!(places[..2].iter().all(Result::is_ok) && places[2].is_err());
    b.ledger.core.beat().await;
    let again = a
        .ledger
        .hold(a.gate.name(), &slots, None, Instant::now() + DEADLINE);
    assert!(again.await.is_ok());
}

#[tokio::test]
async fn alone_a_gateway_lets_in_its_share_with_nothing_saved_up() {
    let mut server = Server::start().await;
    let (a, _b) = two(&server, requests(600)).await;
    server.kill();
    a.ledger.core.reach.go_away();
    // A fifth of a second for each of 300 in a minute.
    let refused = a.gates.enter().await.unwrap_err();
    assert!(refused.retry_after().unwrap() <= Duration::from_millis(200));
    until("one is let in", async || a.gates.enter().await.is_ok()).await;
}

#[tokio::test]
async fn alone_no_place_is_taken_over_that_redis_will_give_to_others() {
    let mut server = Server::start().await;
    let (a, _b) = two(&server, places(1, 0)).await;
    let held = a.gates.enter().await.unwrap();
    server.kill();
    a.ledger.core.reach.go_away();
    drop(held);
    assert!(said(a.gates.enter().await).contains("1 requests at the same time"));
}

#[tokio::test]
async fn who_has_not_heard_of_the_others_has_the_part_that_was_configured() {
    let mut server = Server::start().await;
    let redis = RedisServer::new(&server.url(), RedisStoreOptions::default()).unwrap();
    server.kill();
    let of_many = Ledger::with(redis.clone(), CreditBook::default(), LIFE, 100);
    assert_eq!(of_many.core.roll.share_of(1000), 10);
    let of_one = Ledger::with(redis, CreditBook::default(), LIFE, 1);
    assert_eq!(of_one.core.roll.share_of(1000), 1000);
}
