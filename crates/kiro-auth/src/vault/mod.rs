//! Credentials at rest that the process itself cannot read.
//!
//! A tenant sends a refresh token with every request. As soon as it has rotated, what the tenant sends is good
//! for one thing only: to prove that they are the one who sent it before. So the newest credential is kept
//! under a name and sealed with a key that both follow from what the tenant sends:
//!
//! ```text
//!   what the tenant sends ──┬─ HKDF, "name" ──> file name       {vault}/6f0c…
//!            │              └─ HKDF, "key" ───> key ─┐
//!            │                                       v
//!            └── before the first refresh     sealed credential   nonce, ciphertext, tag; padded
//!                         {vault}/salt: 32 random bytes, part of both derivations
//! ```
//!
//! The folder alone tells how many tenants there are and when each last refreshed, and nothing else: without
//! what a tenant sends nobody can find their record, open it, or change it unnoticed – neither can this
//! process, until the tenant comes back.

mod folder;
mod record;
pub(crate) mod seal;

pub use self::folder::{Vault, VaultOptions};
pub use self::record::VaultStore;
