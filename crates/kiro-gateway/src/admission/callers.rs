//! The limits of callers who bring logins of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use kiro_auth::Credential;
use sha2::{Digest as _, Sha256};

use super::book::CreditBook;
use super::gate::Gate;
use super::name::GateName;
use crate::key::AccessKey;

/// The gates of the callers who are known. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers {
    gates: Arc<Mutex<HashMap<GateName, Weak<Gate>>>>,
}

/// Gates that nobody has any more are forgotten when there are so many.
const MANY: usize = 1_000;

impl Callers {
    /// The gates of a login: one for each of its tokens. Any of them is enough to be served, so whoever writes the
    /// login in another way, or makes up the other token, passes the same gate all the same.
    pub(crate) fn gates_of(
        &self,
        login: &Credential,
        key: &AccessKey,
        book: &CreditBook,
    ) -> Vec<Arc<Gate>> {
        // A panic while the lock was held cannot have left the map half changed.
        let mut known = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MANY {
            known.retain(|_, gate| gate.strong_count() > 0);
        }
        let mut gates: Vec<Arc<Gate>> = Vec::new();
        for token in [&login.refresh_token, &login.access_token] {
            let Some(token) = token else { continue };
            let digest = Sha256::digest(token.expose()).into();
            let name = GateName::of_caller(&key.digest, &digest);
            let gate = known.get(&name).and_then(Weak::upgrade).or_else(|| {
                let whose = format!("this login with the key `{}`", key.name);
                Gate::new(whose, name.clone(), &key.tenant_limits, book).map(Arc::new)
            });
            let Some(gate) = gate else { return gates };
            known.insert(name, Arc::downgrade(&gate));
            if !gates.iter().any(|other| Arc::ptr_eq(other, &gate)) {
                gates.push(gate);
            }
        }
        gates
    }
}
