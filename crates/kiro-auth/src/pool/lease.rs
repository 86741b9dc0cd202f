//! The right to use one credential for one attempt.

use std::fmt;
use std::sync::Arc;

use super::health::Outcome;
use super::members::Shared;
use crate::credential::CredentialId;
use crate::token::AccessToken;

/// The right to use one credential for one attempt, with its access token.
///
/// Tell the pool how it went with [`settle`](Self::settle). Dropping the lease says that it was
/// abandoned, which is neutral: a downstream that leaves says nothing about the credential.
#[must_use = "a lease that is dropped at once was not needed"]
pub struct Lease {
    seat: Seat,
    token: AccessToken,
}

impl Lease {
    pub(super) fn new(seat: Seat, token: AccessToken) -> Self {
        Self { seat, token }
    }

    /// The access token and the facts of the credential.
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// The name of the credential.
    pub fn credential_id(&self) -> CredentialId {
        self.token.credential_id()
    }

    /// Sets the profile of the credential, after it was discovered, for this lease and all that follow. See
    /// [`TokenSource::set_profile_arn`](crate::TokenSource::set_profile_arn).
    pub fn set_profile_arn(&mut self, arn: impl Into<String>) {
        self.seat.member().set_profile_arn(arn);
        self.look_again();
    }

    /// Takes over what others have learned about the credential since the lease was given.
    pub fn look_again(&mut self) {
        if let Some(token) = self.seat.member().current() {
            self.token = token;
        }
    }

    /// Ends the attempt.
    pub fn settle(self, outcome: Outcome) {
        let member = self.seat.member();
        let generation = self.token.generation();
        match outcome {
            Outcome::TokenRejected => member.reject(generation),
            // Whoever counts requests has accepted the token before.
            Outcome::Success | Outcome::RateLimited { .. } | Outcome::QuotaExhausted { .. } => {
                member.confirm(generation);
            }
            Outcome::Neutral | Outcome::Suspended | Outcome::Denied => {}
        }
        self.seat.record(outcome);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("credential", &self.credential_id())
            .field("generation", &self.token.generation())
            .finish_non_exhaustive()
    }
}

/// One unit of load on one credential, given back on drop: also when the caller leaves while its token is
/// being refreshed.
pub(super) struct Seat {
    shared: Arc<Shared>,
    index: usize,
}

impl Seat {
    /// Takes over a unit of load that has been counted already.
    pub(super) fn taken(shared: Arc<Shared>, index: usize) -> Self {
        Self { shared, index }
    }

    pub(super) fn member(&self) -> &crate::token::TokenSource {
        self.shared.source(self.index)
    }

    fn record(&self, outcome: Outcome) {
        self.shared.record(self.index, outcome);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.release(self.index);
    }
}
