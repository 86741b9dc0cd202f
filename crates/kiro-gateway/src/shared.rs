//! What all exchanges share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kiro_protocol::request::SchemaCache;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admission::{Admission, Tally};
use crate::brake::Brake;
use crate::capture::Capture;
use crate::cors::AllowedOrigins;
use crate::deadline::{Deadlines, Wish};
use crate::endpoint::admin::Office;
use crate::error::{Error, ErrorKind};
use crate::image::Images;
use crate::kept::Keeper;
use crate::options::{Reasoning, Timeouts};
use crate::pace::Paces;
#[cfg(feature = "pages")]
use crate::pages::Pages;
use crate::process::ProcessState;
use crate::routes::{Found, NoRoute, Route, Row};
use crate::telemetry::Counters;
use crate::tenant::Tenants;
use crate::upstream::Upstream;

/// When there is likely to be memory again.
const MEMORY_AGAIN: Duration = Duration::from_secs(5);

/// The parts of a gateway.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) admission: Arc<Admission>,
    pub(crate) brake: Brake,
    pub(crate) tenants: Tenants,
    /// Where limits are counted.
    pub(crate) tally: Tally,
    pub(crate) images: Images,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) upstream: Upstream,
    pub(crate) timeouts: Timeouts,
    pub(crate) paces: Arc<Paces>,
    pub(crate) max_body: usize,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) refuse_ignored: bool,
    pub(crate) pass_invalid_json: bool,
    pub(crate) reasoning: Reasoning,
    /// Who may see what the gateway does.
    pub(crate) office: Office,
    #[cfg(feature = "pages")]
    pub(crate) pages: Pages,
    pub(crate) capture: Capture,
    pub(crate) counters: Arc<Counters>,
    pub(crate) process: Arc<ProcessState>,
    /// Agents declare the same tools in every request.
    pub(crate) schemas: SchemaCache,
    /// Whether the server has been asked to stop.
    pub(crate) draining: Arc<AtomicBool>,
    /// `true` once open streams must end.
    pub(crate) drain: Arc<watch::Sender<bool>>,
    pub(crate) started: Instant,
    /// Whether other options are in force.
    pub(crate) superseded: AtomicBool,
}

impl Shared {
    /// Takes over what outlives a change of the options: who was here, what was learned, what is kept, and
    /// the word that ends open streams, which must reach those of all predecessors.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.brake.succeed(&old.brake);
        self.tenants.succeed(&old.tenants);
        // With other limits the count begins anew: what is under way then ends soon.
        if self.admission.is_like(&old.admission) {
            self.admission = old.admission.clone();
        }
        self.paces = Arc::new(self.paces.succeed(&old.paces));
        self.upstream.succeed(&old.upstream, &self.paces);
        self.keeper = old.keeper.clone();
        self.office.succeed(&old.office);
        self.counters = old.counters.clone();
        self.process = old.process.clone();
        self.draining = old.draining.clone();
        self.drain = old.drain.clone();
        self.started = old.started;
    }

    /// Refuses what would take memory while it is short, of a caller who has a place among the exchanges under way.
    /// Who is alone there is let in, because nobody ends who could make room; who waits for a place holds nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`].
    pub(crate) fn spare_memory(&self) -> Result<(), Error> {
        if !self.process.is_short_of_memory() || self.admission.under_way() <= 1 {
            return Ok(());
        }
        let message = format!(
            "The gateway is short of memory (`[server] max_memory`). Please try again in {}s.",
            MEMORY_AGAIN.as_secs()
        );
        Err(Error::new(ErrorKind::Overloaded, message).with_retry_after(Some(MEMORY_AGAIN)))
    }

    /// The route that was found, unless it is closed.
    pub(crate) fn open(&self, found: Found) -> Result<Found, NoRoute> {
        match self.is_open(found.0) {
            true => Ok(found),
            false => Err(NoRoute::Path { nearest: "/" }),
        }
    }

    /// Whether a route is there at all, as the options have it.
    pub(crate) fn is_open(&self, row: &Row) -> bool {
        match row.route {
            Route::Admin(_) => self.office.is_open(),
            #[cfg(feature = "pages")]
            Route::Page(page) => self.pages.is_open(page),
            _ => true,
        }
    }

    /// How long an exchange with a model waits.
    pub(crate) fn deadlines(&self, model: &str, is_stream: bool, wish: &Wish) -> Deadlines {
        Deadlines::new(&self.timeouts, &self.paces, model, is_stream, wish)
    }
}
