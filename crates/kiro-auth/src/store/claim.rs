//! The right to refresh, among the processes that share a store.

use std::fmt;

/// The exclusive right to refresh a credential, given back when it is dropped.
///
/// A refresh token that is good for one use must not be shown twice. Within a process,
/// [`TokenSource`](crate::TokenSource) sees to that; between processes the store does, by giving out one
/// claim at a time: see [`CredentialStore::claim`](crate::CredentialStore::claim).
#[must_use = "a claim that is dropped at once protects nothing"]
pub struct Claim(Option<Box<dyn Send>>);

impl Claim {
    /// The claim to a credential that no other process holds.
    pub fn unshared() -> Self {
        Self(None)
    }

    /// A claim that lasts until `guard` is dropped: a locked file, a lease.
    pub fn held(guard: impl Send + 'static) -> Self {
        Self(Some(Box::new(guard)))
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "Claim(unshared)",
            Some(_) => "Claim(held)",
        })
    }
}
