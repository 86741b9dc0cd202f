//! The door of one gateway for a simulation: its gates and the ledger that it shares, without anything behind them.

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::RedisServer;

use super::book::CreditBook;
use super::gate::Gate;
use super::ledger::Ledger;
use super::limits::Limits;
use super::name::GateName;
use super::pass::{Gates, Pass};
use crate::error::Error;
use crate::key::KeyDigest;

/// The limits of one key at one gateway.
#[derive(Debug)]
pub struct Door {
    gates: Gates,
    gate: Option<Arc<Gate>>,
    ledger: Arc<Ledger>,
}

/// Who was let in, until it is dropped.
#[derive(Debug)]
pub struct Entered {
    _pass: Pass,
}

/// Why somebody is not let in: how long to wait.
pub type Refused = Duration;

impl Door {
    /// A gateway that has just been started. `gateways` is as in
    /// [`GatewayOptions`](crate::GatewayOptions::gateways).
    pub fn new(server: RedisServer, limits: &Limits, gateways: u32) -> Self {
        let book = CreditBook::default();
        let ledger = Arc::new(Ledger::new(server, book.clone(), gateways.into()));
        let name = GateName::of_key(&KeyDigest::of_text("the key"));
        let gate = Gate::new("the key".to_owned(), name, limits, &book).map(Arc::new);
        Self {
            gates: Gates::new([gate.clone()], Some(&ledger)),
            gate,
            ledger,
        }
    }

    /// Lets a request in, as before its body is read.
    ///
    /// # Errors
    ///
    /// A limit is reached.
    pub async fn enter(&self) -> Result<Entered, Refused> {
        let pass = self.gates.enter().await.map_err(|error| wait(&error))?;
        Ok(Entered { _pass: pass })
    }

    /// Takes the tokens of a prompt, as once its body is read.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub async fn prompt(&self, tokens: u64) -> Result<(), Refused> {
        let gates = self.gate.as_slice();
        for gate in gates {
            gate.prompt(tokens).map_err(|error| wait(&error))?;
        }
        let taken = self.ledger.prompt(gates, tokens).await;
        taken.map(drop).map_err(|error| wait(&error))
    }

    /// Whether it counts alone.
    pub fn is_away(&self) -> bool {
        self.ledger.is_away()
    }

    /// How many requests it has let in alone.
    pub fn unshared(&self) -> u64 {
        self.ledger.unshared()
    }
}

fn wait(error: &Error) -> Duration {
    error.retry_after().unwrap_or_default()
}
