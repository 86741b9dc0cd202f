//! Where limits are counted. It outlives all changes of the options.

use std::sync::Arc;

use super::book::CreditBook;
use super::ledger::Ledger;
use crate::options::GatewayOptions;

/// The counts that are not a gate's own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) book: CreditBook,
    /// Where limits are shared with other gateways, if they are.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

impl Tally {
    pub(crate) fn new(options: &GatewayOptions) -> Self {
        let book = options.credits.clone();
        #[cfg(feature = "redis")]
        let ledger = options.share_limits.clone();
        #[cfg(feature = "redis")]
        let gateways = options.gateways.get().into();
        #[cfg(feature = "redis")]
        let ledger = ledger.map(|server| Arc::new(Ledger::new(server, book.clone(), gateways)));
        #[cfg(not(feature = "redis"))]
        let ledger = None;
        Self { book, ledger }
    }
}
