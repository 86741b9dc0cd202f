//! File work: beside the runtime, and what is said when it fails.

use std::io::{self, ErrorKind};
use std::path::Path;

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

/// Says what could not be done to which file, and how that can be helped.
pub(crate) fn failed(doing: &str, path: &Path, error: io::Error) -> AuthError {
    let remedy = match error.kind() {
        ErrorKind::StorageFull => "; make room on its disk",
        ErrorKind::QuotaExceeded => "; make room within the quota of its owner",
        ErrorKind::FileTooLarge => "; raise the limit on the size of a file (ulimit -f)",
        ErrorKind::PermissionDenied => "; grant that to the user of this process",
        _ => "",
    };
    AuthError::store_failed(format!("cannot {doing} {}{remedy}", path.display())).with_source(error)
}
