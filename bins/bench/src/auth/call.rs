//! What is measured: calls, again and again, by one task or by several.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kiro_auth::{
    AuthError, BoxFuture, Clock, Credential, MemoryStore, Outcome, Pool, Refreshed, Refresher,
    SystemClock, TokenSource,
};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::cpu;

/// Calls of one task before the next one gets its turn on the same processor.
const CALLS_AT_A_TIME: u64 = 1_000;

/// Something to call.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// [`TokenSource::token`], on a token that stays fresh.
    Token(TokenSource),
    /// The least that handing out a shared value costs: [`ArcSwap::load_full`] and nothing else.
    Load(Arc<ArcSwap<u64>>),
    /// The machine's clock, without which nobody knows whether a token is fresh.
    Clock,
    /// [`Pool::lease`] and the lease's `settle`.
    Lease(Pool),
}

impl Call {
    /// A source whose first token has been taken.
    pub(super) async fn token() -> Result<Self, Failure> {
        Ok(Self::Token(source().await?))
    }

    /// A pool of one.
    pub(super) async fn lease() -> Result<Self, Failure> {
        Ok(Self::Lease(Pool::new(vec![source().await?])))
    }

    pub(super) fn load() -> Self {
        Self::Load(Arc::new(ArcSwap::from_pointee(0)))
    }

    /// The loop is inside of each arm, so that nothing but the call is in it.
    async fn repeat(&self, times: u64) -> Result<(), AuthError> {
        match self {
            Self::Token(source) => {
                for _ in 0..times {
                    black_box(source.token().await?);
                }
            }
            Self::Load(shared) => {
                for _ in 0..times {
                    black_box(shared.load_full());
                }
            }
            Self::Clock => {
                for _ in 0..times {
                    black_box(SystemClock.now());
                }
            }
            Self::Lease(pool) => {
                for _ in 0..times {
                    pool.lease().await?.settle(Outcome::Success);
                }
            }
        }
        Ok(())
    }
}

/// Processor time of all of these tasks, each of which makes so many calls.
pub(super) fn time(runtime: &Runtime, tasks: &[Call], times: u64) -> Result<Duration, Failure> {
    let started = cpu::of_this_process();
    runtime.block_on(async {
        let spawned: Vec<_> = tasks
            .iter()
            .cloned()
            .map(|call| tokio::spawn(in_turns(call, times)))
            .collect();
        for task in spawned {
            task.await??;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(cpu::of_this_process().saturating_sub(started))
}

async fn in_turns(call: Call, times: u64) -> Result<(), AuthError> {
    let mut left = times;
    while left > 0 {
        let now = left.min(CALLS_AT_A_TIME);
        call.repeat(now).await?;
        left -= now;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn source() -> Result<TokenSource, Failure> {
    let store = MemoryStore::new(Credential::from_refresh_token("refresh-0")?);
    let source = TokenSource::new(Arc::new(store), Arc::new(OnceADay), Arc::new(SystemClock));
    source.token().await?;
    Ok(source)
}

/// Gives a token that outlives the measurement.
#[derive(Debug)]
struct OnceADay;

impl Refresher for OnceADay {
    fn refresh<'a>(&'a self, _: &'a Credential) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        let refreshed = Refreshed::new("access").with_expires_in(Duration::from_secs(86_400));
        Box::pin(async { Ok(refreshed) })
    }
}
