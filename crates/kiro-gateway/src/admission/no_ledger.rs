//! Without the feature `redis` nobody shares limits, so there is no ledger, and nothing that it could do.

use std::sync::Arc;

use tokio::time::Instant;

use super::gate::Gate;
use super::name::GateName;
use super::slots::{Full, Slots, Waiting};
use crate::error::Error;

/// There is none.
#[derive(Debug)]
pub(crate) enum Ledger {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Place {}

impl Ledger {
    pub(super) async fn enter(&self, _: &[Arc<Gate>]) -> Result<(), Error> {
        match *self {}
    }

    pub(super) async fn prompt(&self, _: &[Arc<Gate>], _: u64) -> Result<bool, Error> {
        match *self {}
    }

    pub(super) async fn hold(
        &self,
        _: &GateName,
        _: &Slots,
        _: Option<Waiting<'_>>,
        _: Instant,
    ) -> Result<Place, Full> {
        match *self {}
    }

    pub(super) fn settle(&self, _: &[Arc<Gate>], _: u64, _: u64, _: bool) {
        match *self {}
    }

    pub(crate) async fn settled(&self) {
        match *self {}
    }

    pub(crate) fn is_away(&self) -> bool {
        match *self {}
    }

    pub(crate) fn unshared(&self) -> u64 {
        match *self {}
    }
}
