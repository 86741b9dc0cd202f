//! What lies in Redis, under which names, and how it is sealed.

use std::time::Duration;

use redis::{Cmd, cmd};

use crate::error::AuthError;
use crate::secret::Secret;
use crate::store::rotated::Rotated;
use crate::vault::seal::{SealKey, keyed_name};

/// Names and seals the record of one credential.
pub(super) struct Record {
    name: String,
    lease_key: String,
    record_key: String,
    seal: SealKey,
    keep_for: Duration,
}

/// What a refresh has changed, and the fence of the claim that it was made under.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) fence: u64,
    pub(super) rotated: Rotated,
}

/// Separates our names and keys from those of other parts that derive theirs from the same secret.
const SALT: &[u8] = b"kiro-auth redis";

impl Record {
    /// The record of the credential that begins with `seed`. Replicas that are configured with the same
    /// seed and another key meet at one record, which tells them; they would lock each other out at two.
    pub(super) fn new(prefix: &str, seed: &Secret, key: &Secret, keep_for: Duration) -> Self {
        let name = keyed_name(seed, SALT, "name");
        Self {
            // In braces, so that a cluster keeps both on one node.
            lease_key: format!("{prefix}{{{name}}}:lease"),
            record_key: format!("{prefix}{{{name}}}:record"),
            seal: SealKey::derive(key, SALT, "seal"),
            name,
            keep_for,
        }
    }

    /// Asks for the lease; the answer is the fence, or 0.
    pub(super) fn claim(&self, owner: &str, lease: Duration, known_fence: u64) -> Cmd {
        let mut command = script(include_str!("claim.lua"));
        command.arg(2).arg(&self.lease_key).arg(&self.record_key);
        command
            .arg(owner)
            .arg(millis(lease))
            .arg(millis(self.keep_for));
        command.arg(known_fence);
        command
    }

    /// Prolongs the lease; the answer says whether it still was the owner's.
    pub(super) fn renew(&self, owner: &str, lease: Duration) -> Cmd {
        let mut command = script(include_str!("renew.lua"));
        command.arg(1).arg(&self.lease_key);
        command.arg(owner).arg(millis(lease));
        command
    }

    /// Gives the lease back.
    pub(super) fn release(&self, owner: &str) -> Cmd {
        let mut command = script(include_str!("release.lua"));
        command.arg(1).arg(&self.lease_key).arg(owner);
        command
    }

    /// Reads the record; the answer is for [`open`](Self::open).
    pub(super) fn load(&self) -> Cmd {
        let mut command = cmd("HMGET");
        command.arg(&self.record_key).arg(&["written", "sealed"]);
        command
    }

    /// Writes the record; the answer says whether it was the newest.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub(super) fn save(&self, tokens: &Tokens) -> Result<Cmd, AuthError> {
        let plain = tokens.rotated.to_json();
        let sealed = self
            .seal
            .seal(plain.as_bytes(), &self.context(tokens.fence));
        let sealed = sealed.map_err(|error| {
            AuthError::store_failed("the credential cannot be sealed").with_source(error)
        })?;
        let mut command = script(include_str!("save.lua"));
        command.arg(1).arg(&self.record_key);
        command
            .arg(tokens.fence)
            .arg(sealed)
            .arg(millis(self.keep_for));
        Ok(command)
    }

    /// Makes sense of what [`load`](Self::load) has brought; `None` when nothing was written yet.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when it does not open.
    pub(super) fn open(
        &self,
        (written, sealed): (Option<u64>, Option<Vec<u8>>),
    ) -> Result<Option<Tokens>, AuthError> {
        let (Some(fence), Some(sealed)) = (written, sealed) else {
            return Ok(None);
        };
        let plain = self.seal.open(&sealed, &self.context(fence)).map_err(|error| {
            let message = "the record in Redis was changed, or sealed with another key than is configured here";
            AuthError::misconfigured(message).with_source(error)
        })?;
        let rotated = Rotated::from_json(&plain)?;
        Ok(Some(Tokens { fence, rotated }))
    }

    /// A record that is moved to another name, or given another fence, does not open.
    fn context(&self, fence: u64) -> Vec<u8> {
        format!("{}:{fence}", self.name).into_bytes()
    }
}

/// Scripts are sent as text. They are short and seldom run; a hash would need a second way for a server
/// that does not know it yet.
fn script(text: &str) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text);
    command
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
