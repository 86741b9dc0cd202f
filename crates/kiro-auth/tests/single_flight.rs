//! One refresh at a time, whatever the callers do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use kiro_auth::{AuthErrorKind, Clock as _, Credential, ManualClock, MemoryStore, TokenSource};
use support::{HOUR, MINUTE, Scene, SignInService, let_others_run, stored};
use tokio::sync::Barrier;

/// A source whose service leaves its visitors waiting.
fn hesitating() -> (Scene, Arc<SignInService>, TokenSource) {
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let scene = Scene::with(credential, ManualClock::new());
    let (service, source) = scene.hesitating();
    (scene, service, source)
}

/// The same with an access token that has `minutes` to live, and a store without claims: nothing but single
/// flight keeps its refreshes from overlapping.
fn unguarded(minutes: u32) -> (Arc<SignInService>, TokenSource) {
    let clock = ManualClock::new();
    let expires_at = clock.now() + MINUTE * minutes;
    let store = MemoryStore::new(stored("access-0", "refresh-0", Some(expires_at)));
    let service = Arc::new(SignInService::that_hesitates("refresh-0"));
    let source = TokenSource::new(Arc::new(store), service.clone(), Arc::new(clock));
    (service, source)
}

/// Has many do `first` and ask for a token, all at once, and lets the service answer one visit when all of
/// them wait. Returns what they get.
async fn rush(
    callers: usize,
    service: &SignInService,
    source: &TokenSource,
    first: impl Fn(&TokenSource) + Clone + Send + 'static,
) -> Vec<String> {
    let start = Arc::new(Barrier::new(callers));
    let all_wait = Arc::new(Barrier::new(callers + 1));
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (source, first) = (source.clone(), first.clone());
            let (start, all_wait) = (start.clone(), all_wait.clone());
            tokio::spawn(async move {
                start.wait().await;
                first(&source);
                let mut token = pin!(source.token());
                let begun = poll_fn(|cx| Poll::Ready(token.as_mut().poll(cx))).await;
                assert!(begun.is_pending(), "nothing was answered yet");
                all_wait.wait().await;
                token.await.unwrap().secret().expose().to_owned()
            })
        })
        .collect();
    let answered = async {
        all_wait.wait().await;
        service.answer_one();
        let mut tokens = Vec::new();
        for caller in callers {
            tokens.push(caller.await.unwrap());
        }
        tokens
    };
    let answered = tokio::time::timeout(MINUTE, answered).await;
    answered.expect("one answer is enough for all")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_requests_on_an_expired_token_cause_one_refresh() {
    let (service, source) = unguarded(0);
    let tokens = rush(200, &service, &source, |_| {}).await;
    assert_eq!(tokens, vec!["access-1"; 200]);
    assert_eq!(service.visits(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_refused_requests_cause_one_refresh() {
    let (service, source) = unguarded(60);
    let refused = source.token().await.unwrap().generation();
    let tokens = rush(1000, &service, &source, move |source| {
        source.reject(refused)
    })
    .await;
    assert_eq!(tokens, vec!["access-1"; 1000]);
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_the_rotated_token_along() {
    let (scene, service, source) = hesitating();
    let caller = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    service.visited(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    service.answer_one();
    let_others_run().await;
    assert_eq!(
        scene.store.refresh_token().await,
        "refresh-1",
        "saved without a caller"
    );
    assert_eq!(source.token().await.unwrap().secret().expose(), "access-1");
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_those_who_wait() {
    let (_scene, service, source) = hesitating();
    let call = || {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    let first = call();
    service.visited(1).await;
    let others = [call(), call()];
    let_others_run().await;
    first.abort();
    service.answer_one();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap().secret().expose(), "access-1");
    }
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn those_who_wait_share_the_failure_too() {
    let (_scene, service, source) = hesitating();
    service.fails_next(AuthErrorKind::Transient);
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token().await })
        })
        .collect();
    service.visited(1).await;
    let_others_run().await;
    service.answer_one();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Transient);
    }
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn a_refresher_that_panics_wedges_nobody() {
    let scene = Scene::with_refresh_token_only();
    scene.service.panics_next();
    assert_eq!(scene.token().await, Err(AuthErrorKind::Transient));
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn sources_do_not_wait_for_each_other() {
    let (_scene, service, slow) = hesitating();
    let fast = Scene::with_token_for(0);
    let caller = tokio::spawn(async move { slow.token().await });
    service.visited(1).await;
    assert_eq!(fast.token().await, Ok("access-1".into()));
    service.answer_one();
    caller.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refreshes_follow_each_other_and_never_overlap() {
    let scene = Scene::with_refresh_token_only();
    for round in 1..=20 {
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let source = scene.source.clone();
                tokio::spawn(async move { source.token().await })
            })
            .collect();
        for caller in callers {
            let token = caller.await.unwrap().unwrap();
            assert_eq!(token.secret().expose(), format!("access-{round}"));
        }
        scene.clock.advance(2 * HOUR);
    }
    assert_eq!(scene.service.visits(), 20);
}
