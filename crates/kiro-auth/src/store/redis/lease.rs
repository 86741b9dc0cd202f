//! The lease: the exclusive right to refresh, for as long as its holder lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::store::Shared;
use crate::chance;
use crate::error::AuthError;
use crate::store::Claim;

/// How often one who waits for the lease looks, at the least; up to as long again is added by chance, so
/// that those who wait do not look together.
const LOOK: Duration = Duration::from_millis(25);

/// How often one looks who has waited for long: after an eighth of that time, so that a wait becomes longer by a
/// quarter at most, and a hundred replicas that wait half a minute do not ask Redis three thousand times a second.
const LONG_LOOK: Duration = Duration::from_millis(250);

/// Who asked for a claim, and is gone when this is closed.
type Taker = oneshot::Sender<Result<Claim, AuthError>>;

/// One claim from asking to giving back. It is one task, so that the messages about it reach Redis in their
/// order: a renewal does not overtake the release.
///
/// The task ends when `taker` or the claim that it received is dropped.
pub(super) async fn tenure(shared: Arc<Shared>, taker: Taker) {
    let owner = match owner() {
        Ok(owner) => owner,
        Err(error) => return drop(taker.send(Err(error))),
    };
    match obtain(&shared, &owner, &taker).await {
        Ok(Some(fence)) => {
            tracing::debug!(credential = %shared.id, fence, "the lease is ours");
            shared.granted(fence);
            let (guard, given_back) = oneshot::channel::<()>();
            // If nobody takes it, the guard is dropped with the answer.
            let _ = taker.send(Ok(Claim::held(guard)));
            keep(&shared, &owner, given_back).await;
        }
        Ok(None) => {}
        Err(error) => drop(taker.send(Err(error))),
    }
    // Also when it was not obtained: the answer may have been lost on its way to us.
    let released = shared
        .server
        .ask::<u64>(&shared.record.release(&owner))
        .await;
    if let Err(error) = released {
        tracing::debug!(
            credential = %shared.id,
            error = &error as &dyn std::error::Error,
            "the lease could not be given back and runs out by itself"
        );
    }
}

/// Waits for the lease and returns its fence, or `None` when the taker has left.
async fn obtain(shared: &Shared, owner: &str, taker: &Taker) -> Result<Option<u64>, AuthError> {
    let begun = Instant::now();
    let deadline = begun + shared.server.options().claim_limit;
    while !taker.is_closed() {
        let known = shared.known_fence();
        let ask = shared
            .record
            .claim(owner, shared.server.options().lease, known);
        let fence = shared.server.ask(&ask).await?;
        if fence > 0 {
            return Ok(Some(fence));
        }
        if Instant::now() >= deadline {
            return Err(AuthError::transient(
                "another replica has been refreshing the credential for too long",
            ));
        }
        let look = (begun.elapsed() / 8).clamp(LOOK, LONG_LOOK);
        sleep(look + look.mul_f64(chance::fraction())).await;
    }
    Ok(None)
}

/// Prolongs the lease until it is given back or lost.
async fn keep(shared: &Shared, owner: &str, mut given_back: oneshot::Receiver<()>) {
    let renew = shared.record.renew(owner, shared.server.options().lease);
    // A third, so that one renewal may fail.
    while timeout(shared.server.options().lease / 3, &mut given_back)
        .await
        .is_err()
    {
        match shared.server.ask(&renew).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(
                    credential = %shared.id,
                    "the lease ran out before the refresh was over; another replica may be refreshing too"
                );
                return;
            }
            Err(error) => tracing::warn!(
                credential = %shared.id,
                error = &error as &dyn std::error::Error,
                "the lease could not be prolonged"
            ),
        }
    }
}

/// A name for one claim that no other claim has.
fn owner() -> Result<String, AuthError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        AuthError::store_failed("the system gives no random numbers").with_source(error)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use redis::{Cmd, RedisError, Value};

    use super::*;
    use crate::store::{RedisServer, RedisStoreOptions, StandIn};
    use crate::{BoxFuture, Credential, CredentialStore, Secret};

    /// Somebody else has the lease, for ever.
    #[derive(Debug, Default)]
    struct Taken(AtomicUsize);

    impl StandIn for Taken {
        fn answer<'a>(&'a self, _: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(Ok(Value::Int(0))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_long_looks_seldom() {
        let taken = Arc::new(Taken::default());
        let server = RedisServer::of_stand_in(taken.clone(), RedisStoreOptions::default());
        let seed = Credential::from_refresh_token("refresh").unwrap();
        let store = server.store(seed, &Secret::from("0123456789abcdef"));
        let store = store.unwrap();
        let asked = || taken.0.load(Ordering::Relaxed);
        let soon = timeout(Duration::from_millis(200), store.claim()).await;
        assert!(soon.is_err());
        assert!(asked() >= 4, "{}", asked());
        let before = asked();
        let waited = store.claim().await;
        assert!(waited.is_err());
        // It would be two thousand if nobody became patient.
        assert!(asked() - before < 330, "{}", asked() - before);
    }
}
