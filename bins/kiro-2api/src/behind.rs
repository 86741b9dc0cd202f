//! A source that may be read-only, with the state folder behind it.
//!
//! A container is given its login as a file that it cannot write, and so are several at once. What is rotated
//! must be found after a restart all the same.

use std::fmt;
use std::sync::Arc;

use kiro_auth::{AuthError, BoxFuture, Claim, Credential, CredentialId, CredentialStore};

use crate::state::State;

/// Keeps in the state what the source has not taken, and finds it by the refresh token that the source holds. A
/// new sign-in there is another token, and what was kept for the old one counts no more.
pub(crate) struct Behind {
    source: Arc<dyn CredentialStore>,
    state: Arc<State>,
}

impl Behind {
    pub(crate) fn new(source: Arc<dyn CredentialStore>, state: Arc<State>) -> Self {
        Self { source, state }
    }

    async fn save_where_possible(&self, credential: &Credential) -> Result<(), AuthError> {
        self.source.save(credential).await?;
        let found = self.source.load().await?;
        if found.refresh_token == credential.refresh_token
            && found.access_token == credential.access_token
        {
            return Ok(());
        }
        self.state.store(found).save(credential).await
    }
}

impl CredentialStore for Behind {
    fn id(&self) -> CredentialId {
        self.source.id()
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        Box::pin(async { self.state.store(self.source.load().await?).load().await })
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(self.save_where_possible(credential))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        self.source.claim()
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
