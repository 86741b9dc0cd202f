//! Credentials at rest that the process itself cannot read.
//!
//! A tenant sends a refresh token with every request. As soon as it has rotated, it is good for one thing only:
//! to prove that they are the one who sent it before. So the newest tokens are kept under a name and sealed with
//! a key that both follow from the one that the tenant sends:
//!
//! ```text
//!   the token that the tenant sends ──┬─ HKDF, "name" ──> file name    {vault}/6f0c…
//!                                     └─ HKDF, "key" ───> key ─┐
//!                                                              v
//!   {vault}/salt: 32 random bytes,                       sealed tokens    nonce, ciphertext, tag; padded
//!   part of both derivations
//! ```
//!
//! What else the tenant sends – client, region, profile – is taken from each request, so it can be corrected.
//!
//! The folder alone tells how many tenants there are and when each last refreshed, and nothing else: without
//! what a tenant sends nobody can find their record, open it, or change what is in it – neither can this
//! process, until the tenant comes back. Who may write to the folder can remove records and put old ones back.

mod folder;
mod memory;
mod place;
mod record;
pub(crate) mod seal;

pub use self::place::{Vault, VaultOptions};
pub use self::seal::{SealError, SealKey, keyed_name};
use crate::credential::Credential;
use crate::secret::Secret;

/// What finds the record of a credential.
fn token_of(sent: &Credential) -> Secret {
    let token = sent.refresh_token.clone().or(sent.access_token.clone());
    token.unwrap_or_else(|| Secret::from(""))
}
