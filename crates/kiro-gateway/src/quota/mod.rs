//! What is left of the quota of each account, as the service says.
//!
//! ```text
//! GET /v1/usage, /admin/…, dashboard ──> Asker ──> the service, at most every five minutes for each credential
//! an exchange with the credential ──────>  │
//!                                          v
//!                                       Quotas ──> Standing: the answer, how old it is, whether little is left
//! ```
//!
//! There is one [`Quotas`] for the gateway's own accounts and one for each guest, so that no caller can be told
//! of another's.

mod ask;
mod cache;
mod figures;
mod threshold;

pub(crate) use ask::{Asker, tell};
pub(crate) use cache::{Quotas, Standing};
pub(crate) use threshold::Threshold;
