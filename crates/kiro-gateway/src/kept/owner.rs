//! Whose a kept response is.

use kiro_auth::Secret;

/// A tenant, as far as it matters for what is kept of them.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Tells them apart from others in this process.
    pub(super) name: String,
    /// What they send. What leaves the process is named and sealed with keys that follow from it.
    #[cfg(feature = "redis")]
    pub(super) secret: Secret,
}

impl Owner {
    pub(crate) fn new(name: String, secret: Secret) -> Self {
        #[cfg(not(feature = "redis"))]
        drop(secret);
        Self {
            name,
            #[cfg(feature = "redis")]
            secret,
        }
    }
}
