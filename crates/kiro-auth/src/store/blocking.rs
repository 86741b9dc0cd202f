//! File work beside the runtime.

use crate::error::AuthError;

/// Runs blocking work on a thread of its own. It is not cut short when the caller leaves.
pub(crate) async fn beside_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let interrupted = AuthError::store_failed("the work on the store was interrupted");
        Err(interrupted.with_source(error))
    })
}
