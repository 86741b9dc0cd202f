//! Several credentials as one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{
    AuthErrorKind, Clock, CredentialId, LeaseRequest, ManualClock, MemoryStore, Outcome, Pool,
    RestReason, TokenSource,
};
use support::{HOUR, MINUTE, SECOND, Scene, SignInService, let_others_run, stored};

/// A pool of credentials `a`, `b`, … with a token each, good for ten days.
fn pool(names: &[&str]) -> (Pool, ManualClock, Vec<CredentialId>) {
    let clock = ManualClock::new();
    let service = Arc::new(SignInService::that_hesitates("unused"));
    let sources: Vec<TokenSource> = names
        .iter()
        .map(|name| {
            let expires_at = Some(clock.now() + 240 * HOUR);
            let credential = stored(name, &format!("refresh-{name}"), expires_at);
            let store = Arc::new(MemoryStore::new(credential));
            TokenSource::new(store, service.clone(), Arc::new(clock.clone()))
        })
        .collect();
    let ids = sources.iter().map(TokenSource::id).collect();
    (Pool::new(sources), clock, ids)
}

async fn leased(pool: &Pool) -> kiro_auth::Lease {
    pool.lease().await.unwrap()
}

fn name(lease: &kiro_auth::Lease) -> &str {
    lease.token().secret().expose()
}

async fn refusal(pool: &Pool) -> AuthErrorKind {
    pool.lease().await.unwrap_err().kind()
}

#[tokio::test]
async fn work_is_spread_over_all_credentials() {
    let (pool, _, _) = pool(&["a", "b", "c"]);
    let leases = [
        leased(&pool).await,
        leased(&pool).await,
        leased(&pool).await,
    ];
    let mut names: Vec<&str> = leases.iter().map(name).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c"]);

    let [first, second, third] = leases;
    let freed = name(&second).to_owned();
    drop(second);
    assert_eq!(name(&leased(&pool).await), freed, "the one without a lease");
    drop((first, third));
}

#[tokio::test]
async fn credentials_without_load_take_turns() {
    let (pool, _, _) = pool(&["a", "b", "c"]);
    let mut names = Vec::new();
    for _ in 0..6 {
        let lease = leased(&pool).await;
        names.push(name(&lease).to_owned());
        lease.settle(Outcome::Success);
    }
    assert_eq!(names[..3], names[3..]);
    assert_eq!(
        std::collections::HashSet::<String>::from_iter(names).len(),
        3
    );
}

#[tokio::test]
async fn refused_credential_rests_and_the_others_take_over() {
    let (pool, clock, _) = pool(&["a", "b"]);
    let lease = leased(&pool).await;
    let limited = name(&lease).to_owned();
    let retry_after = Some(MINUTE);
    lease.settle(Outcome::RateLimited { retry_after });
    for _ in 0..5 {
        assert_ne!(name(&leased(&pool).await), limited);
    }
    clock.advance(MINUTE);
    let both = [leased(&pool).await, leased(&pool).await];
    assert!(both.iter().any(|lease| name(lease) == limited));
}

#[tokio::test]
async fn when_all_rest_the_error_says_who_returns_first_and_why() {
    let (pool, clock, _) = pool(&["a", "b"]);
    let until = Some(clock.now() + HOUR);
    leased(&pool)
        .await
        .settle(Outcome::QuotaExhausted { until });
    leased(&pool).await.settle(Outcome::Suspended);
    let why = Some(RestReason::QuotaExhausted);
    assert_eq!(
        refusal(&pool).await,
        AuthErrorKind::NoneAvailable { until, why }
    );

    clock.advance(HOUR);
    assert!(pool.lease().await.is_ok());
}

#[tokio::test]
async fn empty_pool_says_so() {
    let pool = Pool::new(Vec::new());
    assert!(pool.is_empty());
    let none = AuthErrorKind::NoneAvailable {
        until: None,
        why: None,
    };
    assert_eq!(refusal(&pool).await, none);
}

#[tokio::test]
async fn credential_that_is_listed_twice_is_used_once() {
    let scene = Scene::with_token_for(60);
    let pool = Pool::new(vec![scene.source.clone(), scene.source.clone()]);
    assert_eq!(pool.len(), 1);
}

#[tokio::test]
async fn what_the_exchange_has_tried_is_avoided() {
    let (pool, _, ids) = pool(&["a", "b", "c"]);
    let request = |avoid| LeaseRequest {
        avoid,
        ..LeaseRequest::default()
    };
    let lease = pool.lease_with(request(&ids[..2])).await.unwrap();
    assert_eq!(lease.credential_id(), ids[2]);
    let error = pool.lease_with(request(&ids)).await.unwrap_err();
    assert!(matches!(
        error.kind(),
        AuthErrorKind::NoneAvailable { until: None, .. }
    ));
}

#[tokio::test]
async fn conversation_keeps_its_credential() {
    let (pool, _, _) = pool(&["a", "b", "c", "d"]);
    for conversation in 0..20 {
        let request = LeaseRequest {
            affinity: Some(conversation),
            ..LeaseRequest::default()
        };
        let first = pool.lease_with(request).await.unwrap().credential_id();
        let again = pool.lease_with(request).await.unwrap().credential_id();
        assert_eq!(first, again);
    }
}

#[tokio::test]
async fn abandoned_lease_says_nothing_about_the_credential() {
    let (pool, clock, _) = pool(&["a"]);
    let before = Outcome::RateLimited { retry_after: None };
    leased(&pool).await.settle(before);
    clock.advance(8 * SECOND);
    drop(leased(&pool).await);
    leased(&pool).await.settle(before);
    let (_, until) = pool.status()[0].resting.unwrap();
    assert_eq!(
        until,
        clock.now() + 16 * SECOND,
        "still the second refusal in a row"
    );
    assert_eq!(pool.status()[0].leases, 0);
}

#[tokio::test]
async fn faults_that_are_not_the_accounts_do_not_count() {
    let (pool, _, _) = pool(&["a"]);
    for _ in 0..100 {
        leased(&pool).await.settle(Outcome::Neutral);
    }
    assert_eq!(pool.status()[0].resting, None);
}

#[tokio::test]
async fn suspended_credential_is_tried_again_by_one_request_only() {
    let (pool, clock, _) = pool(&["a"]);
    leased(&pool).await.settle(Outcome::Suspended);
    clock.advance(6 * HOUR);
    let trial = leased(&pool).await;
    assert!(matches!(
        refusal(&pool).await,
        AuthErrorKind::NoneAvailable { .. }
    ));
    trial.settle(Outcome::Success);
    let both = [leased(&pool).await, leased(&pool).await];
    drop(both);
}

#[tokio::test]
async fn credential_without_a_token_is_passed_over() {
    let dead = Scene::with_token_for(0);
    dead.service.accepts_only("another");
    let clock = ManualClock::new();
    let expires_at = Some(clock.now() + HOUR);
    let alive = Scene::with(stored("alive", "refresh-alive", expires_at), clock);
    let pool = Pool::new(vec![dead.source.clone(), alive.source.clone()]);
    for _ in 0..5 {
        assert_eq!(leased(&pool).await.credential_id(), alive.source.id());
    }
    assert_eq!(dead.service.visits(), 1);
    assert_eq!(pool.status()[0].leases, 0);
}

#[tokio::test]
async fn when_no_credential_has_a_token_its_error_is_told() {
    let dead = Scene::with_token_for(0);
    dead.service.accepts_only("another");
    let pool = Pool::new(vec![dead.source.clone()]);
    assert_eq!(refusal(&pool).await, AuthErrorKind::SignedOut);
    let error = pool.status()[0].last_error.clone().unwrap();
    assert_eq!(error.kind(), AuthErrorKind::SignedOut);
}

#[tokio::test]
async fn rejected_token_is_refreshed_once_for_everybody() {
    let scene = Scene::with_token_for(60);
    let pool = Pool::new(vec![scene.source.clone()]);
    let mut leases = Vec::new();
    for _ in 0..100 {
        leases.push(leased(&pool).await);
    }
    for lease in leases {
        lease.settle(Outcome::TokenRejected);
    }
    assert_eq!(name(&leased(&pool).await), "access-1");
    assert_eq!(scene.service.visits(), 1);
}

#[tokio::test]
async fn success_and_refusals_by_quota_vouch_for_the_token() {
    let scene = Scene::with_token_for(60);
    let pool = Pool::new(vec![scene.source.clone()]);
    let retry_after = Some(SECOND);
    let until = None;
    for vouching in [
        Outcome::Success,
        Outcome::RateLimited { retry_after },
        Outcome::QuotaExhausted { until },
    ] {
        leased(&pool).await.settle(vouching);
        scene.clock.advance(HOUR);
        leased(&pool).await.settle(Outcome::TokenRejected);
        let replaced = pool.lease().await;
        assert!(replaced.is_ok(), "{vouching:?} did not vouch: {replaced:?}");
    }
}

#[tokio::test]
async fn caller_that_leaves_while_its_token_is_refreshed_gives_its_place_back() {
    let scene = Scene::with_token_for(0);
    let service = Arc::new(SignInService::that_hesitates("refresh-0"));
    let source = TokenSource::new(
        scene.store.clone(),
        service.clone(),
        Arc::new(scene.clock.clone()),
    );
    let pool = Pool::new(vec![source]);
    let caller = tokio::spawn({
        let pool = pool.clone();
        async move { pool.lease().await.map(drop) }
    });
    service.visited(1).await;
    assert_eq!(pool.status()[0].leases, 1);
    caller.abort();
    caller.await.unwrap_err();
    assert_eq!(pool.status()[0].leases, 0);
    service.answer_one();
    let_others_run().await;
}

#[tokio::test]
async fn status_tells_what_a_health_page_needs() {
    let scene = Scene::with_token_for(60);
    let pool = Pool::new(vec![scene.source.clone()]);
    assert_eq!(pool.status()[0].login, None, "nothing has been read yet");
    let lease = leased(&pool).await;
    let status = &pool.status()[0];
    assert_eq!(status.id, lease.credential_id());
    assert_eq!(status.login, Some(kiro_auth::Login::Social));
    assert_eq!(
        status.expires_at,
        Some(scene.clock.now() + Duration::from_secs(3600))
    );
    assert_eq!(status.leases, 1);
    assert!(!format!("{:?}", pool.status()).contains("access-0"));
}

#[tokio::test]
async fn a_pool_that_succeeds_another_knows_who_rests() {
    let (old, clock, ids) = pool(&["a", "b"]);
    let sources = |names: &[&str]| -> Vec<TokenSource> {
        let service = Arc::new(SignInService::that_hesitates("unused"));
        let source = |name: &&str| {
            let expires_at = Some(clock.now() + 240 * HOUR);
            let credential = stored(name, &format!("refresh-{name}"), expires_at);
            let store = Arc::new(MemoryStore::new(credential));
            TokenSource::new(store, service.clone(), Arc::new(clock.clone()))
        };
        names.iter().map(source).collect()
    };
    old.lease()
        .await
        .unwrap()
        .settle(Outcome::QuotaExhausted { until: None });
    let next = old.succeed(sources(&["b", "c", "a"]));
    let resting: Vec<_> = next
        .status()
        .into_iter()
        .filter(|status| status.resting.is_some())
        .map(|status| status.id)
        .collect();
    assert_eq!(resting, [ids[0]]);
    assert_eq!(next.len(), 3);

    let same = sources(&["a"]);
    let first = Pool::new(same.clone());
    assert!(first.succeed(same).is(&first));
    assert!(!first.succeed(sources(&["a"])).is(&first));
}
