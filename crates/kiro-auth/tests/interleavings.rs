//! Whatever happens in whatever order, the promises of a token source hold.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use kiro_auth::{AccessToken, AuthError, AuthErrorKind, Clock, ManualClock, TokenSource};
use proptest::prelude::*;
use support::{HOUR, SECOND, SignInService, TestStore, let_others_run, stored};
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
enum Step {
    /// The clock moves, by minutes.
    Time(u32),
    /// Somebody asks for a token …
    Call,
    /// … and the one who has waited longest leaves.
    Leave,
    /// The service answers one visitor.
    Answer,
    /// The store finishes one save.
    FinishSave,
    /// The upstream refuses the token that was served last.
    Reject,
    /// The upstream accepts it.
    Confirm,
    /// The next visit to the service fails.
    ServiceFails,
    /// The next saves fail.
    SavesFail,
    /// The IDE signs in anew: the service forgets what it has issued, and the store changes.
    SomebodySignsIn,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..90_u32).prop_map(Step::Time),
        5 => Just(Step::Call),
        1 => Just(Step::Leave),
        4 => Just(Step::Answer),
        4 => Just(Step::FinishSave),
        2 => Just(Step::Reject),
        1 => Just(Step::Confirm),
        1 => Just(Step::ServiceFails),
        1 => Just(Step::SavesFail),
        1 => Just(Step::SomebodySignsIn),
    ]
}

struct World {
    clock: ManualClock,
    service: Arc<SignInService>,
    store: Arc<TestStore>,
    source: TokenSource,
    callers: Vec<JoinHandle<Result<AccessToken, AuthError>>>,
    served: Option<AccessToken>,
    rejected: HashSet<u64>,
    sign_ins: u32,
    /// Until when the upstream really accepts an access token. We believe a little less, since we count
    /// from the question and the service from its answer.
    good_until: HashMap<String, SystemTime>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let expires_at = clock.now() + HOUR;
        let credential = stored("access-0", "refresh-0", Some(expires_at));
        let service = Arc::new(SignInService::that_hesitates("refresh-0"));
        let store = Arc::new(TestStore::that_saves_slowly(credential));
        let source = TokenSource::new(store.clone(), service.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            service,
            store,
            source,
            callers: Vec::new(),
            served: None,
            rejected: HashSet::new(),
            sign_ins: 0,
            good_until: HashMap::from([("access-0".to_owned(), expires_at)]),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            // No save takes hours, so none has to be prepared for a token that expires in it.
            Step::Time(_) if self.store.is_saving() => {}
            Step::Time(minutes) => self.clock.advance(60 * SECOND * minutes),
            Step::Call => {
                let source = self.source.clone();
                self.callers
                    .push(tokio::spawn(async move { source.token().await }));
            }
            Step::Leave if !self.callers.is_empty() => self.callers.remove(0).abort(),
            Step::Leave => {}
            Step::Answer => self.service.answer_one(),
            Step::FinishSave => self.store.finish_save(),
            Step::Reject => {
                if let Some(served) = &self.served {
                    self.source.reject(served.generation());
                    self.rejected.insert(served.generation());
                }
            }
            Step::Confirm => {
                if let Some(served) = &self.served {
                    self.source.confirm(served.generation());
                }
            }
            Step::ServiceFails => self.service.fails_next(AuthErrorKind::Transient),
            Step::SavesFail => self.store.fails_to_save(2),
            // Two programs that write one file in the same instant, without a lock that both know,
            // overwrite each other whatever we do.
            Step::SomebodySignsIn if self.store.is_saving() => {}
            Step::SomebodySignsIn => self.somebody_signs_in(),
        }
        let_others_run().await;
        self.check_served().await;
    }

    fn somebody_signs_in(&mut self) {
        self.sign_ins += 1;
        let refresh = format!("refresh-of-sign-in-{}", self.sign_ins);
        let access = format!("access-of-sign-in-{}", self.sign_ins);
        self.service.accepts_only(&refresh);
        let expires_at = self.clock.now() + HOUR;
        let credential = stored(&access, &refresh, Some(expires_at));
        self.store.memory.replace(credential);
        self.good_until.insert(access, expires_at);
    }

    /// What callers received since the last step is neither expired nor rejected.
    async fn check_served(&mut self) {
        for issued in self.service.issued() {
            let expires_at = self.clock.now() + HOUR;
            self.good_until.entry(issued).or_insert(expires_at);
        }
        let (done, waiting) = self.callers.drain(..).partition(JoinHandle::is_finished);
        self.callers = waiting;
        let done: Vec<JoinHandle<_>> = done;
        for caller in done {
            if let Ok(Ok(token)) = caller.await {
                let good_until = self.good_until[token.secret().expose()];
                assert!(good_until > self.clock.now(), "served an expired token");
                assert!(
                    !self.rejected.contains(&token.generation()),
                    "served a rejected token"
                );
                self.served = Some(token);
            }
        }
    }

    /// When the storm is over, the credential works, and a restart would find the good refresh token.
    async fn calm_down(mut self) {
        self.service.recovers();
        self.store.fails_to_save(0);
        for _ in 0..6 {
            for _ in 0..4 {
                self.service.answer_one();
                self.store.finish_save();
            }
            // Late saves wait on the runtime's clock, which is paused and jumps ahead.
            tokio::time::sleep(300 * SECOND).await;
            self.check_served().await;
            self.clock.advance(2 * HOUR);
            self.take(Step::Call).await;
        }
        assert!(self.callers.is_empty(), "somebody is still waiting");
        self.source.token().await.expect("the credential works");
        let_others_run().await;
        assert_eq!(self.store.refresh_token().await, self.service.good_token());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn promises_hold_in_every_order(steps in proptest::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for step in steps {
                world.take(step).await;
            }
            world.calm_down().await;
        });
    }
}
